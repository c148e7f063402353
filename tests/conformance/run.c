#include "run.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "etcdserverpb.pb-c.h"
#include "fake/alloc.h"
#include "parse.h"
#include "print.h"
#include "wire.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    WAIT_MS = 5000,
    QUIET_MS = 300,
    OUTPUT_LEN_MAX = 64 * 1024,
    STREAMS_MAX = 4,
    GATHER_MAX = 16,
    NAME_LEN_MAX = 63,
};

#define INDENT "    "

/* ---- Methods ---- */

typedef struct method {
    const char *name;
    const ProtobufCMessageDescriptor *request;
    const ProtobufCMessageDescriptor *response;
} method;

static const method methods[] = {
    {"KV/Range", &etcdserverpb__range_request__descriptor,
     &etcdserverpb__range_response__descriptor},
    {"KV/Put", &etcdserverpb__put_request__descriptor, &etcdserverpb__put_response__descriptor},
    {"KV/DeleteRange", &etcdserverpb__delete_range_request__descriptor,
     &etcdserverpb__delete_range_response__descriptor},
    {"KV/Txn", &etcdserverpb__txn_request__descriptor, &etcdserverpb__txn_response__descriptor},
    {"KV/Compact", &etcdserverpb__compaction_request__descriptor,
     &etcdserverpb__compaction_response__descriptor},
    {"KV/NoSuchMethod", &etcdserverpb__range_request__descriptor,
     &etcdserverpb__range_response__descriptor},
    {"NoSuchService/Range", &etcdserverpb__range_request__descriptor,
     &etcdserverpb__range_response__descriptor},
    {"Lease/LeaseGrant", &etcdserverpb__lease_grant_request__descriptor,
     &etcdserverpb__lease_grant_response__descriptor},
    {"Lease/LeaseRevoke", &etcdserverpb__lease_revoke_request__descriptor,
     &etcdserverpb__lease_revoke_response__descriptor},
    {"Lease/LeaseKeepAlive", &etcdserverpb__lease_keep_alive_request__descriptor,
     &etcdserverpb__lease_keep_alive_response__descriptor},
    {"Lease/LeaseTimeToLive", &etcdserverpb__lease_time_to_live_request__descriptor,
     &etcdserverpb__lease_time_to_live_response__descriptor},
    {"Lease/LeaseLeases", &etcdserverpb__lease_leases_request__descriptor,
     &etcdserverpb__lease_leases_response__descriptor},
    {"Watch/Watch", &etcdserverpb__watch_request__descriptor,
     &etcdserverpb__watch_response__descriptor},
};

static const method *find_method(const char *name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

/* ---- One run ---- */

typedef struct stream {
    char name[NAME_LEN_MAX + 1]; /* empty: free */
    const method *method;
    yr_wire_call *call;
} stream;

typedef struct runner {
    yr_conformance *conformance;
    yr_wire *wire;
    stream streams[STREAMS_MAX];
    yr_buf output;     /* what came of the command, line by line */
    const char *error; /* the file is wrong: NULL, or why */
} runner;

static void say(runner *running, const char *text)
{
    yurpc_status status = yr_buf_append_text(&running->output, text);
    YR_ASSERT(status == YURPC_OK);
}

static void say_status(runner *running, int code, const char *text)
{
    yurpc_status status =
        yr_buf_append_format(&running->output, INDENT "status %d: %s\n", code, text);
    YR_ASSERT(status == YURPC_OK);
}

static void say_message(runner *running, const method *asked, yurpc_bytes bytes)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(asked->response, NULL, bytes.len, bytes.data);
    if (message == NULL) {
        say(running, INDENT "not a message\n");
        return;
    }
    say(running, INDENT);
    yurpc_status status =
        yr_print_message(&running->conformance->scope, message, &running->output);
    YR_ASSERT(status == YURPC_OK);
    say(running, "\n");
    protobuf_c_message_free_unpacked(message, NULL);
}

/* Pack what the text says; .data NULL: it is wrong. Release .data. */
static yurpc_bytes pack(runner *running, const method *asked, const char *text)
{
    ProtobufCMessage *message =
        yr_parse_message(&running->conformance->scope, asked->request, text, &running->error);
    if (message == NULL) {
        return (yurpc_bytes){0};
    }
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = yr_fake_alloc(len + 1);
    (void)protobuf_c_message_pack(message, packed);
    protobuf_c_message_free_unpacked(message, NULL);
    return yr_bytes(packed, len);
}

static void ask(runner *running, const method *asked, yurpc_bytes request)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/etcdserverpb.%s", asked->name);
    yr_wire_call *call = yr_wire_open(running->wire, path, &request);
    if (call == NULL) {
        say(running, INDENT "no call\n");
        return;
    }
    int code = 0;
    const char *text = NULL;
    yurpc_bytes message;
    bool has_end = yr_wire_await_end(call, 4 * (int64_t)WAIT_MS, &code, &text);
    bool has_message = yr_wire_take(call, 0, &message);
    if (has_message) {
        say_message(running, asked, message);
    }
    if (!has_end) {
        say(running, INDENT "no end\n");
    } else if (code != 0 || !has_message) {
        say_status(running, code, text);
    }
    yr_wire_close(call);
}

/* Ask for the header that tells where the case begins. */
static void begin_case(runner *running, const char *name)
{
    yr_case_scope_begin(&running->conformance->scope, name);
    yurpc_bytes request = pack(running, find_method("KV/Range"), "{key: ~begin}");
    ask(running, find_method("KV/Range"), request);
    yr_fake_release(request.data);
    yr_buf_clear(&running->output);
    running->conformance->cases++;
}

static void end_case(runner *running)
{
    yr_case_scope *scope = &running->conformance->scope;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        yr_wire_close(running->streams[i].call);
        memset(&running->streams[i], 0, sizeof(running->streams[i]));
    }
    for (size_t i = 0; i < scope->lease_count; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "{id: %" PRId64 "}", scope->leases[i].id);
        yurpc_bytes request = pack(running, find_method("Lease/LeaseRevoke"), text);
        ask(running, find_method("Lease/LeaseRevoke"), request);
        yr_fake_release(request.data);
    }
    yr_buf_clear(&running->output);
}

/* ---- Commands: the text is what follows the command's word ---- */

/* The next word of *@p text, and the rest without its leading spaces. */
static void split_word(const char **text, char word[NAME_LEN_MAX + 1])
{
    size_t len = strcspn(*text, " ");
    size_t copied = len < NAME_LEN_MAX ? len : NAME_LEN_MAX;
    memcpy(word, *text, copied);
    word[copied] = '\0';
    *text += len;
    *text += strspn(*text, " ");
}

static const method *take_method(runner *running, const char **text)
{
    char name[NAME_LEN_MAX + 1];
    split_word(text, name);
    const method *found = find_method(name);
    if (found == NULL) {
        running->error = "there is no such method";
    }
    return found;
}

static stream *take_stream(runner *running, const char **text)
{
    char name[NAME_LEN_MAX + 1];
    split_word(text, name);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (strcmp(running->streams[i].name, name) == 0 && name[0] != '\0') {
            return &running->streams[i];
        }
    }
    running->error = "there is no such stream";
    return NULL;
}

static void do_call(runner *running, const char *text)
{
    const method *asked = take_method(running, &text);
    if (asked == NULL) {
        return;
    }
    yurpc_bytes request = pack(running, asked, text);
    if (request.data != NULL) {
        ask(running, asked, request);
    }
    yr_fake_release(request.data);
}

static void do_raw(runner *running, const char *text)
{
    const method *asked = take_method(running, &text);
    uint8_t bytes[64];
    size_t len = 0;
    while (asked != NULL && len < sizeof(bytes) && text[0] != '\0' && text[1] != '\0') {
        char digits[3] = {text[0], text[1], '\0'};
        bytes[len++] = (uint8_t)strtoul(digits, NULL, 16);
        text += 2;
    }
    if (asked != NULL) {
        ask(running, asked, yr_bytes(bytes, len));
    }
}

static void do_open(runner *running, const char *text)
{
    char name[NAME_LEN_MAX + 1];
    split_word(&text, name);
    const method *asked = take_method(running, &text);
    size_t i = 0;
    while (i < STREAMS_MAX && running->streams[i].name[0] != '\0') {
        i++;
    }
    if (asked == NULL || i == STREAMS_MAX) {
        running->error = "there is no such method, or there are too many streams";
        return;
    }
    char path[128];
    (void)snprintf(path, sizeof(path), "/etcdserverpb.%s", asked->name);
    stream *opened = &running->streams[i];
    opened->call = yr_wire_open(running->wire, path, NULL);
    opened->method = asked;
    memcpy(opened->name, name, sizeof(name));
    if (opened->call == NULL) {
        running->error = "the stream cannot be opened";
    }
}

static void do_send(runner *running, const char *text)
{
    stream *used = take_stream(running, &text);
    if (used == NULL) {
        return;
    }
    yurpc_bytes request = pack(running, used->method, text);
    if (request.data != NULL && !yr_wire_send(used->call, request)) {
        say(running, INDENT "cannot be sent\n");
    }
    yr_fake_release(request.data);
}

/* The next message; false: none came, and that was said. */
static bool receive(runner *running, stream *used, int64_t ms)
{
    yurpc_bytes message;
    if (yr_wire_take(used->call, ms, &message)) {
        say_message(running, used->method, message);
        return true;
    }
    int code = 0;
    const char *text = NULL;
    if (yr_wire_await_end(used->call, 0, &code, &text)) {
        say_status(running, code, text);
    } else {
        say(running, INDENT "nothing came\n");
    }
    return false;
}

static void do_recv(runner *running, const char *text)
{
    stream *used = take_stream(running, &text);
    long count = *text != '\0' ? strtol(text, NULL, 10) : 1;
    bool has_more = used != NULL;
    for (long i = 0; i < count && has_more; i++) {
        has_more = receive(running, used, WAIT_MS);
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sort the lines of the output. */
static void sort_output(runner *running)
{
    char *lines[GATHER_MAX];
    size_t count = 0;
    char *text = yr_buf_detach_text(&running->output);
    char *rest = text;
    char *line = NULL;
    while (count < GATHER_MAX && (line = strtok_r(rest, "\n", &rest)) != NULL) {
        lines[count++] = line;
    }
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < count; i++) {
        say(running, lines[i]);
        say(running, "\n");
    }
    yr_fake_release(text);
}

static void do_gather(runner *running, const char *text)
{
    do_recv(running, text);
    if (running->output.len > 0) {
        sort_output(running);
    }
}

static void do_within(runner *running, const char *text)
{
    stream *used = take_stream(running, &text);
    char *end = NULL;
    int64_t min_ms = strtol(text, &end, 10);
    int64_t max_ms = strtol(end, NULL, 10);
    if (used == NULL) {
        return;
    }
    int64_t begin_ms = yr_io_boot_ms(running->conformance->io);
    bool has_come = receive(running, used, max_ms);
    int64_t ms = yr_io_boot_ms(running->conformance->io) - begin_ms;
    if (has_come && ms < min_ms) {
        say(running, INDENT "too early\n");
    }
}

static void do_quiet(runner *running, const char *text)
{
    stream *used = take_stream(running, &text);
    yurpc_bytes message;
    while (used != NULL && yr_wire_take(used->call, QUIET_MS, &message)) {
        say_message(running, used->method, message);
    }
}

static void do_finish(runner *running, const char *text)
{
    stream *used = take_stream(running, &text);
    if (used != NULL) {
        yr_wire_finish(used->call);
    }
}

static void do_end(runner *running, const char *text)
{
    stream *used = take_stream(running, &text);
    int code = 0;
    const char *why = NULL;
    if (used == NULL) {
        return;
    }
    if (yr_wire_await_end(used->call, WAIT_MS, &code, &why)) {
        say_status(running, code, why);
    } else {
        say(running, INDENT "it does not end\n");
    }
}

static void do_close(runner *running, const char *text)
{
    stream *used = take_stream(running, &text);
    if (used != NULL) {
        yr_wire_close(used->call);
        memset(used, 0, sizeof(*used));
    }
}

static void do_sleep(runner *running, const char *text)
{
    yr_wire_run(running->wire, strtol(text, NULL, 10));
}

static void do_restart(runner *running, const char *text)
{
    yr_conformance *conformance = running->conformance;
    bool is_wiped = strcmp(text, "wiped") == 0;
    yr_wire_disconnect(running->wire);
    if (!conformance->restart(conformance->context, is_wiped)) {
        say(running, INDENT "cannot be restarted\n");
    }
    if (is_wiped) {
        conformance->scope.revision = 0;
        conformance->scope.raft_term = 0;
    }
}

static const struct {
    const char *word;
    void (*run)(runner *running, const char *text);
} commands[] = {
    {"call", do_call},       {"raw", do_raw},     {"open", do_open},     {"send", do_send},
    {"recv", do_recv},       {"quiet", do_quiet}, {"gather", do_gather}, {"within", do_within},
    {"finish", do_finish},   {"end", do_end},     {"close", do_close},   {"sleep", do_sleep},
    {"restart", do_restart},
};

static void run_command(runner *running, const char *line)
{
    char word[NAME_LEN_MAX + 1];
    split_word(&line, word);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].word, word) == 0) {
            commands[i].run(running, line);
            return;
        }
    }
    running->error = "there is no such command";
}

/* ---- Files ---- */

typedef struct file {
    char **lines;
    size_t count;
} file;

static bool read_file(const char *path, file *ret_file)
{
    FILE *input = fopen(path, "re");
    if (input == NULL) {
        (void)printf("%s cannot be read\n", path);
        return false;
    }
    char line[4096];
    while (fgets(line, sizeof(line), input) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *copy = yr_fake_alloc(strlen(line) + 1);
        memcpy(copy, line, strlen(line));
        ret_file->lines = yr_fake_grow(ret_file->lines, ret_file->count, sizeof(char *));
        ret_file->lines[ret_file->count++] = copy;
    }
    (void)fclose(input);
    return true;
}

static void free_file(file *done)
{
    for (size_t i = 0; i < done->count; i++) {
        yr_fake_release(done->lines[i]);
    }
    yr_fake_release(done->lines);
}

static bool is_expectation(const char *line)
{
    return strncmp(line, INDENT, strlen(INDENT)) == 0;
}

/* What the lines after a command say for this version; gives how many lines those are. */
static size_t expect(const file *input, size_t index, const char *version, yr_buf *out)
{
    size_t count = 0;
    for (; index + count < input->count && is_expectation(input->lines[index + count]);
         count++) {
        const char *line = input->lines[index + count];
        const char *text = line + strlen(INDENT);
        bool is_special = strncmp(text, "3.4| ", 5) == 0 || strncmp(text, "3.5| ", 5) == 0;
        if (is_special && strncmp(text, version, 3) != 0) {
            continue;
        }
        yurpc_status status =
            yr_buf_append_format(out, INDENT "%s\n", text + (is_special ? 5 : 0));
        YR_ASSERT(status == YURPC_OK);
    }
    return count;
}

static const char *text_of(yr_buf *buf)
{
    const char *text = yr_buf_text(buf);
    YR_ASSERT(text != NULL);
    return text;
}

/* Run the command of a line and compare; gives how many lines belong to it. */
static size_t run_line(runner *running, const char *path, const file *input, size_t index)
{
    yr_conformance *conformance = running->conformance;
    const char *line = input->lines[index];
    yr_buf expected;
    yr_buf_init(&expected, OUTPUT_LEN_MAX);
    size_t count = 1 + expect(input, index + 1, conformance->version, &expected);

    yr_buf_clear(&running->output);
    run_command(running, line);
    if (conformance->print != NULL) {
        (void)fprintf(conformance->print, "%s\n%s", line, text_of(&running->output));
    } else if (strcmp(text_of(&expected), text_of(&running->output)) != 0) {
        conformance->failures++;
        (void)printf("%s:%zu: %s\n  expected\n%s  but came\n%s\n", path, index + 1, line,
                     text_of(&expected), text_of(&running->output));
    }
    yr_buf_deinit(&expected);
    return count;
}

/* Run the lines of a file until its end or until it proves wrong; gives the line it came to. */
static size_t run_lines(runner *running, const char *path, const file *input)
{
    const char *only = running->conformance->only;
    FILE *print = running->conformance->print;
    bool is_inside = false;
    size_t index = 0;
    while (index < input->count && running->error == NULL) {
        const char *line = input->lines[index];
        bool is_case = strncmp(line, "case ", 5) == 0;
        bool is_text = line[0] == '#' || line[0] == '\0';
        if (is_case) {
            end_case(running);
            is_inside = only == NULL || strcmp(only, line + 5) == 0;
            if (is_inside) {
                begin_case(running, line + 5);
            }
        }
        if (is_inside && !is_case && !is_text) {
            index += run_line(running, path, input, index);
            continue;
        }
        if (print != NULL && (is_inside || only == NULL)) {
            (void)fprintf(print, "%s\n", line);
        }
        index++;
    }
    end_case(running);
    return index;
}

bool yr_conformance_run(yr_conformance *conformance, const char *path)
{
    file input = {0};
    if (!read_file(path, &input)) {
        return false;
    }
    runner running = {
        .conformance = conformance,
        .wire = yr_wire_new(conformance->io, conformance->port),
    };
    yr_buf_init(&running.output, OUTPUT_LEN_MAX);
    size_t index = run_lines(&running, path, &input);
    if (running.error != NULL) {
        (void)printf("%s:%zu: %s\n", path, index, running.error);
    }
    yr_buf_deinit(&running.output);
    yr_wire_free(running.wire);
    free_file(&input);
    return running.error == NULL;
}
