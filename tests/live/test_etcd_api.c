/* The thread-safe client against a real etcd. */
#include "engine.h"
#include "yr_test.h"

#include <yurpc/etcd.h>

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_S = 20 };

static yr_engine *engine;

static yurpc_bytes bytes(const char *text)
{
    return (yurpc_bytes){text, strlen(text)};
}

static yurpc_etcd *open_client(bool is_host_driven)
{
    yurpc_etcd *client = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = yr_engine_address(engine);
    config.is_host_driven = is_host_driven;
    assert_ok(yurpc_etcd_open(&config, &client, NULL));
    return client;
}

static bool wait_for(sem_t *semaphore)
{
    struct timespec end;
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &end), 0);
    end.tv_sec += WAIT_S;
    return sem_timedwait(semaphore, &end) == 0;
}

static void every_blocking_call_works(void **state)
{
    (void)state;
    yurpc_etcd *client = open_client(false);
    yurpc_etcd_reply *reply = NULL;
    yurpc_error *error = NULL;
    assert_ok(yurpc_etcd_put(client, bytes("b/1"), bytes("one"), NULL, NULL, NULL));
    assert_ok(yurpc_etcd_range(client, bytes("b/1"), NULL, &reply, NULL));
    assert_int_equal(reply->kv_count, 1);
    assert_memory_equal(reply->kvs[0].value.data, "one", 3);
    int64_t revision = reply->revision;
    yurpc_etcd_reply_free(reply);
    yurpc_etcd_op ops[] = {{YURPC_ETCD_PUT, bytes("b/2"), bytes("two"), NULL}};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.then_ops = ops;
    txn.then_count = 1;
    assert_ok(yurpc_etcd_txn(client, &txn, &reply, &error));
    assert_true(reply->is_succeeded);
    yurpc_etcd_reply_free(reply);
    assert_ok(yurpc_etcd_lease_grant(client, 0, 30, &reply, &error));
    int64_t lease = reply->lease;
    yurpc_etcd_reply_free(reply);
    assert_ok(yurpc_etcd_lease_time_to_live(client, lease, true, &reply, &error));
    assert_int_equal(reply->granted_ttl_s, 30);
    yurpc_etcd_reply_free(reply);
    assert_ok(yurpc_etcd_lease_revoke(client, lease, &error));
    assert_int_equal(yurpc_etcd_lease_revoke(client, lease, &error), YURPC_LEASE_LOST);
    assert_int_equal(yurpc_error_remote_code(error), 5);
    yurpc_error_free(error);
    error = NULL;
    assert_ok(yurpc_etcd_compact(client, revision, &error));
    assert_int_equal(yurpc_etcd_compact(client, revision, NULL), YURPC_COMPACTED);
    assert_ok(yurpc_etcd_status(client, &reply, &error));
    assert_int_equal(reply->version[0], '3');
    yurpc_etcd_reply_free(reply);
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_prefix = true;
    assert_ok(yurpc_etcd_delete(client, bytes("b/"), &options, &reply, &error));
    assert_int_equal(reply->count, 2);
    yurpc_etcd_reply_free(reply);
    yurpc_etcd_close(client);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    yurpc_etcd *client = NULL;
    yurpc_error *error = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = "http://127.0.0.1:port";
    assert_int_equal(yurpc_etcd_open(&config, &client, &error), YURPC_INVALID);
    assert_non_null(strstr(yurpc_error_text(error), "127.0.0.1:port"));
    yurpc_error_free(error);
    assert_null(client);
    client = open_client(false);
    assert_int_equal(yurpc_etcd_put(client, bytes(""), bytes("x"), NULL, NULL, NULL),
                     YURPC_INVALID);
    assert_int_equal(yurpc_etcd_put(NULL, bytes("a"), bytes("x"), NULL, NULL, NULL),
                     YURPC_INVALID);
    assert_int_equal(yurpc_etcd_txn(client, NULL, NULL, NULL), YURPC_INVALID);
    assert_int_equal(yurpc_etcd_step(client), YURPC_INVALID);
    yurpc_etcd_close(client);
    yurpc_etcd_close(NULL);
}

typedef struct api_worker {
    pthread_t thread;
    yurpc_etcd *client;
    int number;
} api_worker;

static void *work(void *context)
{
    api_worker *worker = context;
    for (int i = 0; i < 50; i++) {
        char key[32];
        yurpc_etcd_reply *reply = NULL;
        (void)snprintf(key, sizeof key, "t/%d/%d", worker->number, i);
        if (yurpc_etcd_put(worker->client, bytes(key), bytes(key), NULL, NULL, NULL) !=
                YURPC_OK ||
            yurpc_etcd_range(worker->client, bytes(key), NULL, &reply, NULL) != YURPC_OK ||
            reply->kv_count != 1) {
            return worker;
        }
        yurpc_etcd_reply_free(reply);
    }
    return NULL;
}

static void threads_share_a_client(void **state)
{
    enum { COUNT = 8 };
    (void)state;
    api_worker workers[COUNT];
    yurpc_etcd *client = open_client(false);
    for (int i = 0; i < COUNT; i++) {
        workers[i] = (api_worker){.client = client, .number = i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        void *failure = NULL;
        assert_int_equal(pthread_join(workers[i].thread, &failure), 0);
        assert_null(failure);
    }
    yurpc_etcd_close(client);
}

typedef struct api_witness {
    yurpc_etcd *client;
    yurpc_etcd_watch *watch;
    yurpc_etcd_reply *reply;
    sem_t done;
    atomic_int count;
    yurpc_status status;
} api_witness;

static void on_reply(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    api_witness *witness = context;
    witness->status = yurpc_error_status(error);
    if (reply != NULL) {
        witness->reply = yurpc_etcd_reply_detach(reply);
        /* On the loop: waiting here would be for ever. */
        assert_int_equal(yurpc_etcd_status(witness->client, NULL, NULL), YURPC_WOULD_DEADLOCK);
    }
    assert_int_equal(sem_post(&witness->done), 0);
}

static void an_async_reply_can_be_kept(void **state)
{
    (void)state;
    api_witness witness = {.client = open_client(false)};
    assert_int_equal(sem_init(&witness.done, 0, 0), 0);
    assert_ok(yurpc_etcd_put(witness.client, bytes("async"), bytes("x"), NULL, NULL, NULL));
    assert_ok(yurpc_etcd_range_async(witness.client, bytes("async"), NULL, on_reply, &witness));
    assert_true(wait_for(&witness.done));
    assert_ok(witness.status);
    yurpc_etcd_close(witness.client);
    assert_int_equal(witness.reply->kv_count, 1);
    assert_memory_equal(witness.reply->kvs[0].key.data, "async", 5);
    yurpc_etcd_reply_free(witness.reply);
}

static void on_count(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    api_witness *witness = context;
    assert_true((reply == NULL) != (error == NULL));
    atomic_fetch_add(&witness->count, 1);
}

static void closing_answers_every_open_call(void **state)
{
    (void)state;
    api_witness witness = {.client = open_client(false)};
    for (int i = 0; i < 1000; i++) {
        assert_ok(yurpc_etcd_put_async(witness.client, bytes("c"), bytes("x"), NULL, on_count,
                                       &witness));
    }
    yurpc_etcd_close(witness.client);
    assert_int_equal(atomic_load(&witness.count), 1000);
}

static void on_changes(void *context, const yurpc_etcd_changes *changes)
{
    api_witness *witness = context;
    if (atomic_fetch_add(&witness->count, (int)changes->count) == 0) {
        assert_int_equal(sem_post(&witness->done), 0);
    }
}

static void on_created(void *context, int64_t revision)
{
    api_witness *witness = context;
    assert_true(revision > 0);
    assert_int_equal(sem_post(&witness->done), 0);
}

static void a_stopped_watch_reports_nothing_more(void **state)
{
    (void)state;
    api_witness witness = {.client = open_client(false)};
    yurpc_etcd_watch_events events = {
        .size = sizeof events, .on_created = on_created, .on_changes = on_changes};
    yurpc_etcd_watch_options options = YURPC_ETCD_WATCH_OPTIONS_INIT;
    options.key = bytes("w/");
    options.is_prefix = true;
    assert_int_equal(sem_init(&witness.done, 0, 0), 0);
    assert_ok(
        yurpc_etcd_watch_start(witness.client, &options, &events, &witness, &witness.watch));
    assert_true(wait_for(&witness.done));
    api_witness puts = {.client = witness.client};
    for (int i = 0; i < 200; i++) {
        assert_ok(yurpc_etcd_put_async(witness.client, bytes("w/a"), bytes("x"), NULL, on_count,
                                       &puts));
    }
    assert_true(wait_for(&witness.done));
    yurpc_etcd_watch_stop(witness.watch);
    int count = atomic_load(&witness.count);
    assert_true(count > 0);
    assert_ok(yurpc_etcd_put(witness.client, bytes("w/a"), bytes("y"), NULL, NULL, NULL));
    yurpc_etcd_close(witness.client);
    assert_int_equal(atomic_load(&puts.count), 200);
    assert_int_equal(atomic_load(&witness.count), count);
}

static void on_changes_stop(void *context, const yurpc_etcd_changes *changes)
{
    api_witness *witness = context;
    assert_true(changes->count > 0);
    atomic_fetch_add(&witness->count, 1);
    yurpc_etcd_watch_stop(witness->watch);
    assert_int_equal(sem_post(&witness->done), 0);
}

static void a_watch_may_be_stopped_in_its_own_callback(void **state)
{
    (void)state;
    api_witness witness = {.client = open_client(false)};
    yurpc_etcd_watch_events events = {
        .size = sizeof events, .on_created = on_created, .on_changes = on_changes_stop};
    yurpc_etcd_watch_options options = YURPC_ETCD_WATCH_OPTIONS_INIT;
    options.key = bytes("w");
    assert_int_equal(sem_init(&witness.done, 0, 0), 0);
    assert_ok(
        yurpc_etcd_watch_start(witness.client, &options, &events, &witness, &witness.watch));
    assert_true(wait_for(&witness.done));
    assert_ok(yurpc_etcd_put(witness.client, bytes("w"), bytes("x"), NULL, NULL, NULL));
    assert_true(wait_for(&witness.done));
    assert_ok(yurpc_etcd_put(witness.client, bytes("w"), bytes("x"), NULL, NULL, NULL));
    assert_int_equal(atomic_load(&witness.count), 1);
    yurpc_etcd_close(witness.client);
}

static void on_renewed(void *context, int64_t ttl_s)
{
    api_witness *witness = context;
    assert_true(ttl_s > 0);
    assert_int_equal(sem_post(&witness->done), 0);
}

static void on_lost(void *context, const yurpc_error *error)
{
    api_witness *witness = context;
    witness->status = yurpc_error_status(error);
    assert_int_equal(sem_post(&witness->done), 0);
}

static void a_lease_is_kept_and_its_end_reported(void **state)
{
    (void)state;
    api_witness witness = {.client = open_client(false)};
    yurpc_etcd_reply *reply = NULL;
    yurpc_etcd_keepalive *keepalive = NULL;
    yurpc_etcd_keepalive_events events = {sizeof events, on_renewed, on_lost};
    assert_int_equal(sem_init(&witness.done, 0, 0), 0);
    assert_ok(yurpc_etcd_lease_grant(witness.client, 4711, 3, &reply, NULL));
    assert_ok(yurpc_etcd_keepalive_start(witness.client, 4711, reply->ttl_s, &events, &witness,
                                         &keepalive));
    yurpc_etcd_reply_free(reply);
    assert_true(wait_for(&witness.done));
    assert_true(wait_for(&witness.done));
    assert_ok(yurpc_etcd_lease_revoke(witness.client, 4711, NULL));
    assert_true(wait_for(&witness.done));
    assert_int_equal(witness.status, YURPC_LEASE_LOST);
    yurpc_etcd_keepalive_stop(keepalive);
    yurpc_etcd_close(witness.client);
}

static void a_host_can_drive_the_client(void **state)
{
    (void)state;
    api_witness witness = {.client = open_client(true)};
    assert_ok(
        yurpc_etcd_put_async(witness.client, bytes("h"), bytes("x"), NULL, on_count, &witness));
    for (int i = 0; i < 1000 && atomic_load(&witness.count) == 0; i++) {
        struct pollfd fd = {.fd = yurpc_etcd_fd(witness.client), .events = POLLIN};
        int timeout_ms = yurpc_etcd_timeout_ms(witness.client);
        assert_true(poll(&fd, 1, timeout_ms < 0 || timeout_ms > 100 ? 100 : timeout_ms) >= 0);
        assert_ok(yurpc_etcd_step(witness.client));
    }
    assert_int_equal(atomic_load(&witness.count), 1);
    assert_ok(yurpc_etcd_put(witness.client, bytes("h"), bytes("y"), NULL, NULL, NULL));
    yurpc_etcd_close(witness.client);
}

static void on_reply_close(void *context, const yurpc_etcd_reply *reply,
                           const yurpc_error *error)
{
    api_witness *witness = context;
    (void)reply;
    if (error == NULL) {
        yurpc_etcd_close(witness->client);
        assert_int_equal(
            yurpc_etcd_put_async(witness->client, bytes("x"), bytes("y"), NULL, on_count, NULL),
            YURPC_CLOSED);
    }
    assert_int_equal(sem_post(&witness->done), 0);
}

static void a_client_may_be_closed_in_a_callback(void **state)
{
    (void)state;
    static api_witness witness;
    witness.client = open_client(false);
    assert_int_equal(sem_init(&witness.done, 0, 0), 0);
    assert_ok(
        yurpc_etcd_range_async(witness.client, bytes("x"), NULL, on_reply_close, &witness));
    assert_true(wait_for(&witness.done));
}

static void a_forked_child_is_told_so(void **state)
{
    (void)state;
    yurpc_etcd *client = open_client(false);
    assert_ok(yurpc_etcd_put(client, bytes("f"), bytes("x"), NULL, NULL, NULL));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_told =
            yurpc_etcd_put(client, bytes("f"), bytes("y"), NULL, NULL, NULL) == YURPC_FORKED &&
            yurpc_etcd_put_async(client, bytes("f"), bytes("y"), NULL, on_count, NULL) ==
                YURPC_FORKED;
        yurpc_etcd_close(client);
        _exit(is_told ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_ok(yurpc_etcd_put(client, bytes("f"), bytes("x"), NULL, NULL, NULL));
    yurpc_etcd_close(client);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_blocking_call_works),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(threads_share_a_client),
        cmocka_unit_test(an_async_reply_can_be_kept),
        cmocka_unit_test(closing_answers_every_open_call),
        cmocka_unit_test(a_stopped_watch_reports_nothing_more),
        cmocka_unit_test(a_watch_may_be_stopped_in_its_own_callback),
        cmocka_unit_test(a_lease_is_kept_and_its_end_reported),
        cmocka_unit_test(a_host_can_drive_the_client),
        cmocka_unit_test(a_client_may_be_closed_in_a_callback),
        cmocka_unit_test(a_forked_child_is_told_so),
    };
    const char *version = argc > 1 ? argv[1] : "3.4";
    if (yr_engine_find_etcd(version) == NULL) {
        return yr_engine_skip(version);
    }
    if (yr_engine_start_etcd(version, NULL, &engine) != YURPC_OK) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    yr_engine_free(engine);
    return failed;
}
