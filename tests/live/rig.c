#include "rig.h"

#include "base/bytes.h"
#include "yr_test.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

int rig_start_engine(int argc, char **argv, yr_engine **ret_engine)
{
    const char *version = argc > 1 ? argv[1] : "3.4";
    if (yr_engine_find_etcd(version) == NULL) {
        return yr_engine_skip(version);
    }
    return yr_engine_start_etcd(version, NULL, ret_engine) == YURPC_OK ? 0 : 1;
}

static yr_engine *engine;

const char *rig_address(void)
{
    return yr_engine_address(engine);
}

int rig_main(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
    int status = rig_start_engine(argc, argv, &engine);
    if (status == 0) {
        status = _cmocka_run_group_tests("tests", tests, count, NULL, NULL);
    }
    yr_engine_free(engine);
    return status;
}

int rig_set_up(void **state)
{
    static etcd_rig rig;
    rig_init(&rig, rig_address());
    *state = &rig;
    return 0;
}

int rig_tear_down(void **state)
{
    rig_deinit(*state);
    return 0;
}

static void set_text(char text[WITNESS_TEXT_MAX], const yurpc_error *error)
{
    (void)snprintf(text, WITNESS_TEXT_MAX, "%s", yurpc_error_text(error));
}

/* ---- The rig ---- */

static void on_connection(void *context, bool is_connected, const yurpc_error *error)
{
    etcd_rig *rig = context;
    rig->is_connected = is_connected;
    rig->connection_changes++;
    set_text(rig->connection_error, error);
}

static void on_regressed(void *context, int64_t was, int64_t is)
{
    (void)was;
    (void)is;
    ((etcd_rig *)context)->regressions++;
}

static void on_closed(void *context)
{
    ((etcd_rig *)context)->is_closed = true;
}

static void log_line(void *context, yurpc_log_level level, const char *component,
                     const char *text)
{
    (void)context;
    print_message("[%d] %s: %s\n", (int)level, component, text);
}

void rig_init_with(etcd_rig *rig, const yr_etcd_options *given)
{
    memset(rig, 0, sizeof *rig);
    assert_ok(yr_loop_new(false, &rig->loop, NULL));
    rig->io = yr_loop_io(rig->loop);
    yr_etcd_options options = *given;
    options.log = (yr_log){.fn = log_line, .level = YURPC_LOG_DEBUG};
    yr_etcd_events events = {on_connection, on_regressed};
    assert_ok(yr_etcd_new(rig->io, &options, &events, rig, &rig->client, NULL));
}

void rig_init(etcd_rig *rig, const char *endpoints)
{
    rig_init_with(rig, &(yr_etcd_options){.endpoints = endpoints});
}

void rig_deinit(etcd_rig *rig)
{
    yr_etcd_close(rig->client, on_closed, rig);
    assert_true(rig_wait(rig, &rig->is_closed));
    yr_loop_free(rig->loop);
}

static void turn(etcd_rig *rig, int64_t wait_max_ms)
{
    struct pollfd fd = {.fd = yr_loop_fd(rig->loop), .events = POLLIN};
    int timeout_ms = yr_loop_timeout_ms(rig->loop);
    if (timeout_ms < 0 || timeout_ms > wait_max_ms) {
        timeout_ms = (int)wait_max_ms;
    }
    assert_true(poll(&fd, 1, timeout_ms) >= 0);
    yr_loop_step(rig->loop);
}

bool rig_wait(etcd_rig *rig, const bool *flag)
{
    int64_t end_ms = yr_io_boot_ms(rig->io) + RIG_WAIT_MS;
    while (!*flag && yr_io_boot_ms(rig->io) < end_ms) {
        turn(rig, 100);
    }
    return *flag;
}

bool rig_wait_count(etcd_rig *rig, const int *counter, int count)
{
    int64_t end_ms = yr_io_boot_ms(rig->io) + RIG_WAIT_MS;
    while (*counter < count && yr_io_boot_ms(rig->io) < end_ms) {
        turn(rig, 100);
    }
    return *counter >= count;
}

void rig_run_ms(etcd_rig *rig, int64_t ms)
{
    int64_t end_ms = yr_io_boot_ms(rig->io) + ms;
    for (int64_t left_ms = ms; left_ms > 0; left_ms = end_ms - yr_io_boot_ms(rig->io)) {
        turn(rig, left_ms);
    }
}

/* ---- Calls ---- */

void rig_do(etcd_rig *rig, yurpc_etcd_op_kind kind, const char *key, const char *value,
            const yurpc_etcd_op_options *options, etcd_answer *answer)
{
    etcd_answer_clear(answer);
    yurpc_etcd_op op = {kind, yr_bytes_of_text(key),
                        yr_bytes_of_text(value == NULL ? "" : value), options};
    assert_ok(yr_etcd_do(rig->client, &op, etcd_answer_on_reply, answer, NULL));
    assert_false(answer->is_done);
    assert_true(rig_wait(rig, &answer->is_done));
}

void rig_put(etcd_rig *rig, const char *key, const char *value, int64_t lease)
{
    etcd_answer answer = {0};
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = lease;
    options.timeout_ms = RIG_WAIT_MS;
    options.is_idempotent = true;
    rig_do(rig, YURPC_ETCD_PUT, key, value, &options, &answer);
    assert_string_equal(answer.text, "success");
    etcd_answer_clear(&answer);
}

void rig_grant(etcd_rig *rig, int64_t id, int64_t ttl_s, etcd_answer *answer)
{
    etcd_answer_clear(answer);
    yr_etcd_grant grant = {.id = id, .ttl_s = ttl_s};
    assert_ok(yr_etcd_lease_grant(rig->client, &grant, etcd_answer_on_reply, answer, NULL));
    assert_true(rig_wait(rig, &answer->is_done));
}

void rig_watch_start(etcd_rig *rig, watch_log *watch, const yr_etcd_watch_options *options)
{
    watch_log_init(watch, rig->client, options);
}

void rig_keepalive_start(etcd_rig *rig, lease_log *keepalive, int64_t id, int64_t ttl_s)
{
    yr_etcd_lease lease = {id, ttl_s, yr_io_now_ms(rig->io)};
    lease_log_init(keepalive, rig->client, &lease);
}
