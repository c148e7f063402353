#include "commands.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "etcdserverpb.pb-c.h"
#include "fake/alloc.h"
#include "fake/service.h"
#include "net/uv/uv_io.h"
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
    {"Maintenance/Alarm", &etcdserverpb__alarm_request__descriptor,
     &etcdserverpb__alarm_response__descriptor},
    {"Auth/Authenticate", &etcdserverpb__authenticate_request__descriptor,
     &etcdserverpb__authenticate_response__descriptor},
    {"Auth/AuthEnable", &etcdserverpb__auth_enable_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/AuthDisable", &etcdserverpb__auth_disable_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/UserAdd", &etcdserverpb__auth_user_add_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/UserDelete", &etcdserverpb__auth_user_delete_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/UserChangePassword", &etcdserverpb__auth_user_change_password_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/UserGrantRole", &etcdserverpb__auth_user_grant_role_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/UserRevokeRole", &etcdserverpb__auth_user_revoke_role_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/RoleAdd", &etcdserverpb__auth_role_add_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/RoleGrantPermission", &etcdserverpb__auth_role_grant_permission_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
    {"Auth/RoleRevokePermission",
     &etcdserverpb__auth_role_revoke_permission_request__descriptor,
     &etcdserverpb__auth_response__descriptor},
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

struct yr_case_runner {
    yr_conformance *conformance;
    yr_wire *wire;
    stream streams[STREAMS_MAX];
    yr_buf output;     /* what came of the command, line by line */
    const char *error; /* the file is wrong: NULL, or why */
};

static void say(yr_case_runner *runner, const char *text)
{
    yurpc_status status = yr_buf_append_text(&runner->output, text);
    YR_ASSERT(status == YURPC_OK);
}

static void say_status(yr_case_runner *runner, int code, const char *text)
{
    yurpc_status status =
        yr_buf_append_format(&runner->output, YR_CASE_INDENT "status %d: %s\n", code, text);
    YR_ASSERT(status == YURPC_OK);
}

static void say_message(yr_case_runner *runner, const method *asked, yurpc_bytes bytes)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(asked->response, NULL, bytes.len, bytes.data);
    if (message == NULL) {
        say(runner, YR_CASE_INDENT "not a message\n");
        return;
    }
    say(runner, YR_CASE_INDENT);
    yurpc_status status =
        yr_print_message(&runner->conformance->scope, message, &runner->output);
    YR_ASSERT(status == YURPC_OK);
    say(runner, "\n");
    protobuf_c_message_free_unpacked(message, NULL);
}

/* Pack what the text says; .data NULL: it is wrong. Release .data. */
static yurpc_bytes pack(yr_case_runner *runner, const method *asked, const char *text)
{
    ProtobufCMessage *message =
        yr_parse_message(&runner->conformance->scope, asked->request, text, &runner->error);
    if (message == NULL) {
        return (yurpc_bytes){0};
    }
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = yr_fake_alloc(len + 1);
    (void)protobuf_c_message_pack(message, packed);
    protobuf_c_message_free_unpacked(message, NULL);
    return yr_bytes(packed, len);
}

static void ask(yr_case_runner *runner, const method *asked, yurpc_bytes request)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "/etcdserverpb.%s", asked->name);
    yr_wire_call *call = yr_wire_open(runner->wire, path, &request);
    if (call == NULL) {
        say(runner, YR_CASE_INDENT "no call\n");
        return;
    }
    int code = 0;
    const char *text = NULL;
    yurpc_bytes message;
    bool has_end = yr_wire_await_end(call, 4 * (int64_t)WAIT_MS, &code, &text);
    bool has_message = yr_wire_take(call, 0, &message);
    if (has_message) {
        say_message(runner, asked, message);
    }
    if (!has_end) {
        say(runner, YR_CASE_INDENT "no end\n");
    } else if (code != 0 || !has_message) {
        say_status(runner, code, text);
    }
    yr_wire_close(call);
}

/* Ask for the header that tells where the case begins. */
void yr_case_runner_begin(yr_case_runner *runner, const char *name)
{
    yr_case_scope_begin(&runner->conformance->scope, name);
    yr_wire_set_token(runner->wire, NULL);
    yurpc_bytes request = pack(runner, find_method("KV/Range"), "{key: ~begin}");
    ask(runner, find_method("KV/Range"), request);
    yr_fake_release(request.data);
    yr_buf_clear(&runner->output);
    runner->conformance->cases++;
}

void yr_case_runner_end(yr_case_runner *runner)
{
    yr_case_scope *scope = &runner->conformance->scope;
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        yr_wire_close(runner->streams[i].call);
        memset(&runner->streams[i], 0, sizeof(runner->streams[i]));
    }
    for (size_t i = 0; i < scope->lease_count; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "{id: %" PRId64 "}", scope->leases[i].id);
        yurpc_bytes request = pack(runner, find_method("Lease/LeaseRevoke"), text);
        ask(runner, find_method("Lease/LeaseRevoke"), request);
        yr_fake_release(request.data);
    }
    yr_buf_clear(&runner->output);
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

static const method *take_method(yr_case_runner *runner, const char **text)
{
    char name[NAME_LEN_MAX + 1];
    split_word(text, name);
    const method *found = find_method(name);
    if (found == NULL) {
        runner->error = "there is no such method";
    }
    return found;
}

static stream *take_stream(yr_case_runner *runner, const char **text)
{
    char name[NAME_LEN_MAX + 1];
    split_word(text, name);
    for (size_t i = 0; i < STREAMS_MAX; i++) {
        if (strcmp(runner->streams[i].name, name) == 0 && name[0] != '\0') {
            return &runner->streams[i];
        }
    }
    runner->error = "there is no such stream";
    return NULL;
}

static void do_call(yr_case_runner *runner, const char *text)
{
    const method *asked = take_method(runner, &text);
    if (asked == NULL) {
        return;
    }
    yurpc_bytes request = pack(runner, asked, text);
    if (request.data != NULL) {
        ask(runner, asked, request);
    }
    yr_fake_release(request.data);
}

static void do_raw(yr_case_runner *runner, const char *text)
{
    const method *asked = take_method(runner, &text);
    uint8_t bytes[64];
    size_t len = 0;
    while (asked != NULL && len < sizeof(bytes) && text[0] != '\0' && text[1] != '\0') {
        char digits[3] = {text[0], text[1], '\0'};
        bytes[len++] = (uint8_t)strtoul(digits, NULL, 16);
        text += 2;
    }
    if (asked != NULL) {
        ask(runner, asked, yr_bytes(bytes, len));
    }
}

static void do_open(yr_case_runner *runner, const char *text)
{
    char name[NAME_LEN_MAX + 1];
    split_word(&text, name);
    const method *asked = take_method(runner, &text);
    size_t i = 0;
    while (i < STREAMS_MAX && runner->streams[i].name[0] != '\0') {
        i++;
    }
    if (asked == NULL || i == STREAMS_MAX) {
        runner->error = "there is no such method, or there are too many streams";
        return;
    }
    char path[128];
    (void)snprintf(path, sizeof(path), "/etcdserverpb.%s", asked->name);
    stream *opened = &runner->streams[i];
    opened->call = yr_wire_open(runner->wire, path, NULL);
    opened->method = asked;
    memcpy(opened->name, name, sizeof(name));
    if (opened->call == NULL) {
        runner->error = "the stream cannot be opened";
    }
}

static void do_send(yr_case_runner *runner, const char *text)
{
    stream *used = take_stream(runner, &text);
    if (used == NULL) {
        return;
    }
    yurpc_bytes request = pack(runner, used->method, text);
    if (request.data != NULL && !yr_wire_send(used->call, request)) {
        say(runner, YR_CASE_INDENT "cannot be sent\n");
    }
    yr_fake_release(request.data);
}

/* The next message; false: none came, and that was said. */
static bool receive(yr_case_runner *runner, stream *used, int64_t ms)
{
    yurpc_bytes message;
    if (yr_wire_take(used->call, ms, &message)) {
        say_message(runner, used->method, message);
        return true;
    }
    int code = 0;
    const char *text = NULL;
    if (yr_wire_await_end(used->call, 0, &code, &text)) {
        say_status(runner, code, text);
    } else {
        say(runner, YR_CASE_INDENT "nothing came\n");
    }
    return false;
}

static void do_recv(yr_case_runner *runner, const char *text)
{
    stream *used = take_stream(runner, &text);
    long count = *text != '\0' ? strtol(text, NULL, 10) : 1;
    bool has_more = used != NULL;
    for (long i = 0; i < count && has_more; i++) {
        has_more = receive(runner, used, WAIT_MS);
    }
}

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sort the lines of the output. */
static void sort_output(yr_case_runner *runner)
{
    char *lines[GATHER_MAX];
    size_t count = 0;
    char *text = yr_buf_detach_text(&runner->output);
    char *rest = text;
    char *line = NULL;
    while (count < GATHER_MAX && (line = strtok_r(rest, "\n", &rest)) != NULL) {
        lines[count++] = line;
    }
    qsort(lines, count, sizeof(lines[0]), compare_lines);
    for (size_t i = 0; i < count; i++) {
        say(runner, lines[i]);
        say(runner, "\n");
    }
    yr_fake_release(text);
}

static void do_gather(yr_case_runner *runner, const char *text)
{
    do_recv(runner, text);
    if (runner->output.len > 0) {
        sort_output(runner);
    }
}

static void do_within(yr_case_runner *runner, const char *text)
{
    stream *used = take_stream(runner, &text);
    char *end = NULL;
    int64_t min_ms = strtol(text, &end, 10);
    int64_t max_ms = strtol(end, NULL, 10);
    if (used == NULL) {
        return;
    }
    int64_t begin_ms = yr_io_boot_ms(runner->conformance->io);
    bool has_come = receive(runner, used, max_ms);
    int64_t ms = yr_io_boot_ms(runner->conformance->io) - begin_ms;
    if (has_come && ms < min_ms) {
        say(runner, YR_CASE_INDENT "too early\n");
    }
}

static void do_quiet(yr_case_runner *runner, const char *text)
{
    stream *used = take_stream(runner, &text);
    yurpc_bytes message;
    while (used != NULL && yr_wire_take(used->call, QUIET_MS, &message)) {
        say_message(runner, used->method, message);
    }
}

static void do_finish(yr_case_runner *runner, const char *text)
{
    stream *used = take_stream(runner, &text);
    if (used != NULL) {
        yr_wire_finish(used->call);
    }
}

static void do_end(yr_case_runner *runner, const char *text)
{
    stream *used = take_stream(runner, &text);
    int code = 0;
    const char *why = NULL;
    if (used == NULL) {
        return;
    }
    if (yr_wire_await_end(used->call, WAIT_MS, &code, &why)) {
        say_status(runner, code, why);
    } else {
        say(runner, YR_CASE_INDENT "it does not end\n");
    }
}

static void do_close(yr_case_runner *runner, const char *text)
{
    stream *used = take_stream(runner, &text);
    if (used != NULL) {
        yr_wire_close(used->call);
        memset(used, 0, sizeof(*used));
    }
}

/* "login NAME PASSWORD": later calls and streams have that user's token; "login": they have
 * none. */
static void do_login(yr_case_runner *runner, const char *text)
{
    char name[NAME_LEN_MAX + 1];
    split_word(&text, name);
    yr_wire_set_token(runner->wire, NULL);
    if (name[0] == '\0') {
        return;
    }
    Etcdserverpb__AuthenticateRequest request;
    /* Its _INIT drops a const, which clang minds. */
    etcdserverpb__authenticate_request__init(&request);
    request.name = name;
    request.password = (char *)yr_fake_binary(yr_bytes_of_text(text)).data;
    uint8_t packed[256];
    size_t len = etcdserverpb__authenticate_request__get_packed_size(&request);
    YR_ASSERT(len <= sizeof(packed));
    yurpc_bytes message =
        yr_bytes(packed, etcdserverpb__authenticate_request__pack(&request, packed));
    yr_wire_call *call =
        yr_wire_open(runner->wire, "/etcdserverpb.Auth/Authenticate", &message);
    int code = 0;
    const char *why = "no end";
    if (!yr_wire_await_end(call, WAIT_MS, &code, &why) || code != 0 ||
        !yr_wire_take(call, 0, &message)) {
        say_status(runner, code, why);
    } else {
        Etcdserverpb__AuthenticateResponse *response =
            etcdserverpb__authenticate_response__unpack(NULL, message.len, message.data);
        yr_wire_set_token(runner->wire, response->token);
        etcdserverpb__authenticate_response__free_unpacked(response, NULL);
    }
    yr_wire_close(call);
}

/* "token TEXT": later calls and streams have this token, whatever it is. */
static void do_token(yr_case_runner *runner, const char *text)
{
    yr_wire_set_token(runner->wire, text);
}

/* The token that `keep` put aside takes the place of the present one, which is put aside. */
static void do_swap(yr_case_runner *runner, const char *text)
{
    (void)text;
    yr_wire_swap_token(runner->wire);
}

static void do_sleep(yr_case_runner *runner, const char *text)
{
    yr_wire_run(runner->wire, strtol(text, NULL, 10));
}

static void do_restart(yr_case_runner *runner, const char *text)
{
    yr_conformance *conformance = runner->conformance;
    bool is_wiped = strcmp(text, "wiped") == 0;
    yr_wire_disconnect(runner->wire);
    if (!conformance->restart(conformance->context, is_wiped)) {
        say(runner, YR_CASE_INDENT "cannot be restarted\n");
    }
    if (is_wiped) {
        conformance->scope.revision = 0;
        conformance->scope.raft_term = 0;
    }
}

static const struct {
    const char *word;
    void (*run)(yr_case_runner *runner, const char *text);
} commands[] = {
    {"call", do_call},       {"raw", do_raw},     {"open", do_open},     {"send", do_send},
    {"recv", do_recv},       {"quiet", do_quiet}, {"gather", do_gather}, {"within", do_within},
    {"finish", do_finish},   {"end", do_end},     {"close", do_close},   {"sleep", do_sleep},
    {"restart", do_restart}, {"login", do_login}, {"token", do_token},   {"swap", do_swap},
};

yr_buf *yr_case_runner_do(yr_case_runner *runner, const char *line)
{
    yr_buf_clear(&runner->output);
    char word[NAME_LEN_MAX + 1];
    split_word(&line, word);
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].word, word) == 0) {
            commands[i].run(runner, line);
            return &runner->output;
        }
    }
    runner->error = "there is no such command";
    return &runner->output;
}

const char *yr_case_runner_error(const yr_case_runner *runner)
{
    return runner->error;
}

static void run_loop(void *context)
{
    yr_uv_io_run(context, true);
}

yr_case_runner *yr_case_runner_new(yr_conformance *conformance)
{
    yr_case_runner *runner = yr_fake_alloc(sizeof(*runner));
    runner->conformance = conformance;
    runner->wire = yr_wire_new(&(yr_wire_options){
        .io = conformance->io,
        .host = "127.0.0.1",
        .port = conformance->port,
        .turn = run_loop,
        .context = conformance->io,
    });
    yr_buf_init(&runner->output, OUTPUT_LEN_MAX);
    return runner;
}

void yr_case_runner_free(yr_case_runner *runner)
{
    yr_buf_deinit(&runner->output);
    yr_wire_free(runner->wire);
    yr_fake_release(runner);
}
