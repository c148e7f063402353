/*
 * Any bytes where the registry's file should be. It is opened or refused in words; what can be
 * opened is read and written, or found to be damaged; nothing else happens.
 *
 * The first byte: even, the rest is the whole file; odd, the rest are patches (offset, length,
 * bytes) of a good one.
 */
#include "drivers/local/lease.h"
#include "drivers/local/process.h"
#include "drivers/local/statement.h"
#include "fuzz.h"
#include "fuzz_folder.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TEMPLATE_MAX = 128 * 1024, RECORDS = 20 };

static const char *file;
static uint8_t template_bytes[TEMPLATE_MAX];
static size_t template_len;

static void store_init(yr_local_store *store)
{
    yr_local_store_init(store, file);
    store->now_ms = 1000000;
    store->process = yr_local_process_mark(1);
}

/* Whether all went well; what fails must have a reason that can happen to a damaged file. */
static bool is_fine(yurpc_status status)
{
    require(status == YURPC_OK || status == YURPC_CORRUPT || status == YURPC_INVALID ||
            status == YURPC_UNSUPPORTED || status == YURPC_IO || status == YURPC_EXHAUSTED ||
            status == YURPC_DENIED || status == YURPC_NO_MEMORY);
    return status == YURPC_OK;
}

static void look(yr_local_store *store)
{
    yr_local_state state;
    yr_local_facts facts;
    const yr_local_span all = {.first = NULL};
    bool is_gap = false;
    yr_local_facts_init(&facts);
    if (is_fine(yr_local_store_begin(store, false, NULL))) {
        if (is_fine(yr_local_state_get(store, &state, NULL)) &&
            is_fine(yr_local_record_list(store, &all, &facts, NULL)) &&
            is_fine(yr_local_record_changes(store, &state, 3, &facts, &is_gap, NULL))) {
            yr_local_facts_settle(&facts, false);
        }
        yr_local_store_rollback(store);
    }
    yr_local_facts_deinit(&facts);
}

static void change(yr_local_store *store, int number)
{
    yr_local_state state;
    yr_local_key key;
    char node[16];
    (void)snprintf(node, sizeof node, "h:%d", number);
    require(yr_local_key_make(yr_bytes("s:1", 3), yr_bytes_of_text(node), &key, NULL) ==
            YURPC_OK);
    if (!is_fine(yr_local_change_begin(store, &state, NULL))) {
        return;
    }
    int64_t before = state.revision;
    yurpc_status status = yr_local_record_put(store, &state, &key, yr_bytes("{}", 2), 0, NULL);
    if (status == YURPC_OK && number % 3 == 0) {
        status = yr_local_record_delete(store, &state, &key, NULL);
    }
    (void)is_fine(yr_local_change_end(store, &state, before, status, NULL));
}

/* Make the good file once, and remember its bytes. */
static void make_template(void)
{
    yr_local_store store;
    store_init(&store);
    require(yr_local_store_open(&store, NULL) == YURPC_OK);
    for (int i = 0; i < RECORDS; i++) {
        change(&store, i);
    }
    yr_local_store_close(&store); /* the log goes into the file */
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t len = read(fd, template_bytes, sizeof template_bytes);
    require(len > 0 && len < TEMPLATE_MAX);
    template_len = (size_t)len;
    require(close(fd) == 0);
}

static void write_file(yurpc_bytes bytes)
{
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
    require(fd >= 0 && write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len);
    require(close(fd) == 0);
}

static void write_patched(fuzz_input *in)
{
    static uint8_t bytes[TEMPLATE_MAX];
    memcpy(bytes, template_bytes, template_len);
    while (in->left > 4) {
        size_t at = fuzz_number(in, 3) % template_len;
        yurpc_bytes piece = fuzz_piece(in, 1U + fuzz_byte(in));
        piece.len = piece.len < template_len - at ? piece.len : template_len - at;
        if (piece.len > 0) {
            memcpy(bytes + at, piece.data, piece.len);
        }
    }
    write_file(yr_bytes(bytes, template_len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    yr_local_store store;
    yurpc_error *error = NULL;
    if (file == NULL) {
        file = fuzz_folder_file();
        make_template();
    }
    fuzz_folder_clear();
    if (fuzz_byte(&in) % 2 == 0) {
        write_file(fuzz_piece(&in, in.left));
    } else {
        write_patched(&in);
    }
    store_init(&store);
    for (int i = 0; i < 2; i++) { /* the second time it is suspect, or ours */
        if (is_fine(yr_local_store_open(&store, &error))) {
            look(&store);
            change(&store, 21 + i);
            (void)is_fine(yr_local_lease_tidy(&store, NULL));
            look(&store);
            yr_local_store_finish(&store);
        } else {
            require(yurpc_error_text(error)[0] != '\0');
            yurpc_error_free(error);
            error = NULL;
        }
    }
    yr_local_store_close(&store);
    return 0;
}
