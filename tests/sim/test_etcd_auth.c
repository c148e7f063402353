/* Users and tokens: the client and a scripted etcd that asks who is there. */
#include "base/bytes.h"
#include "base/error.h"
#include "etcd/auth.h"
#include "etcd/watch_hub.h"
#include "fake/auth.h"
#include "scratch.h"
#include "sim/etcd_rig.h"
#include "support/canary.h"
#include "yr_test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIMIT_MS = 20000, SOON_MS = 1000 };

static const char password_canary[] = YR_CANARY_PASSWORD "-pw";

static void on_log(void *context, yurpc_log_level level, const char *component,
                   const char *text)
{
    (void)context;
    print_message("[%d] %s: %s\n", (int)level, component, text);
    yr_canary_check(text);
}

static const yr_etcd_options as_alice = {.username = "alice",
                                         .password = password_canary,
                                         .log = {.fn = on_log, .level = YURPC_LOG_DEBUG}};

/* A rig whose etcd wants users, and whose client is alice. */
static int set_up(void **state)
{
    sim_rig_set_up_single(state);
    sim_rig *rig = *state;
    yr_fake_auth_set_user(rig->fake, "alice", password_canary);
    yr_fake_auth_permit(rig->fake, "alice", "key");
    yr_fake_auth_enable(rig->fake);
    sim_rig_reopen(rig, &as_alice);
    return 0;
}

static const yr_fake_auth_stats *stats(sim_rig *rig)
{
    return yr_fake_auth_stats_of(rig->fake);
}

/* Put, and wait; what came of it. */
static yurpc_status put(sim_rig *rig, etcd_answer *answer)
{
    sim_rig_put(rig, NULL, answer);
    assert_true(sim_rig_wait(rig, &answer->is_done, LIMIT_MS));
    yr_canary_check(answer->text);
    yurpc_status status = answer->status;
    if (answer->reply != NULL) {
        etcd_answer_clear(answer);
    }
    return status;
}

static void assert_put(sim_rig *rig)
{
    etcd_answer answer = {0};
    yurpc_status status = put(rig, &answer);
    assert_string_equal(answer.text, status == YURPC_OK ? "" : "success");
    assert_int_equal(status, YURPC_OK);
}

/* ---- Tokens ---- */

static void calls_wait_for_the_token(void **state)
{
    sim_rig *rig = *state;
    enum { CALLS = 20 };
    etcd_answer answers[CALLS] = {{0}};
    for (int i = 0; i < CALLS; i++) {
        sim_rig_put(rig, NULL, &answers[i]); /* before there is even a connection */
    }
    for (int i = 0; i < CALLS; i++) {
        assert_true(sim_rig_wait(rig, &answers[i].is_done, LIMIT_MS));
        assert_int_equal(answers[i].status, YURPC_OK);
        etcd_answer_clear(&answers[i]);
    }
    assert_int_equal(stats(rig)->logins, 1);
    assert_true(rig->is_connected);
    assert_int_equal(rig->connection_changes, 1);
}

static void a_token_that_expired_is_exchanged_once_for_all(void **state) /* E77 */
{
    sim_rig *rig = *state;
    enum { CALLS = 20 };
    etcd_answer answers[CALLS] = {{0}};
    assert_put(rig);
    yr_fake_auth_expire_tokens(rig->fake);
    yr_sim_run_for(rig->sim, 10000);
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    for (int i = 0; i < CALLS; i++) {
        sim_rig_put(rig, NULL, &answers[i]);
    }
    for (int i = 0; i < CALLS; i++) {
        assert_true(sim_rig_wait(rig, &answers[i].is_done, LIMIT_MS));
        assert_int_equal(answers[i].status, YURPC_OK);
        etcd_answer_clear(&answers[i]);
    }
    assert_in_range(yr_sim_now_ms(rig->sim) - begun_ms, 0, SOON_MS);
    assert_int_equal(stats(rig)->logins, 2);
    assert_int_equal(rig->connection_changes, 1); /* the connection was there all the time */
}

static void a_token_in_use_lives_on_and_a_jwt_does_not(void **state)
{
    sim_rig *rig = *state;
    for (int is_jwt = 0; is_jwt <= 1; is_jwt++) {
        yr_fake_auth_expire_tokens(rig->fake);
        yr_fake_auth_options_of(rig->fake)->is_jwt = is_jwt == 1;
        yr_fake_auth_options_of(rig->fake)->token_ttl_ms = 3000;
        size_t before = stats(rig)->logins;
        for (int i = 0; i < 30; i++) {
            assert_put(rig);
            yr_sim_run_for(rig->sim, SOON_MS);
        }
        size_t logins = stats(rig)->logins - before;
        assert_in_range(logins, is_jwt ? 6 : 1, is_jwt ? 12 : 2);
    }
}

static void a_change_of_users_costs_one_login_and_no_call(void **state) /* E78 */
{
    sim_rig *rig = *state;
    enum { CHANGES = 12 };
    yr_fake_auth_options_of(rig->fake)->is_jwt = true;
    yr_fake_auth_options_of(rig->fake)->cost_ms = 140;
    assert_put(rig);
    for (int i = 0; i < CHANGES; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "user%d", i);
        yr_fake_auth_set_user(rig->fake, name, "x");
        for (int k = 0; k < 5; k++) {
            assert_put(rig);
        }
    }
    assert_int_equal(stats(rig)->logins, 1 + CHANGES);
    assert_int_equal(stats(rig)->overlaps, 0);
}

/* ---- Passwords ---- */

static void a_wrong_password_is_said_at_once_and_not_tried_often(void **state) /* E79 */
{
    sim_rig *rig = *state;
    static const char refusal[] = "etcd refuses user alice: etcdserver: authentication failed, "
                                  "invalid user ID or password";
    etcd_answer answer = {0};
    yr_fake_auth_set_user(rig->fake, "alice", YR_CANARY_PASSWORD "-2");
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    assert_int_equal(put(rig, &answer), YURPC_UNAUTHENTICATED);
    assert_string_equal(answer.text, refusal);
    assert_string_equal(rig->connection_error, refusal);
    assert_false(rig->is_connected);
    assert_in_range(yr_sim_now_ms(rig->sim) - begun_ms, 0, 100);
    for (int i = 0; i < 600; i++) {
        assert_int_equal(put(rig, &answer), YURPC_UNAUTHENTICATED);
        yr_sim_run_for(rig->sim, 100);
    }
    assert_in_range(stats(rig)->logins, 2, 7); /* in 60 s */
    assert_int_equal(yr_fake_etcd_count_requests(rig->fake, "Put", 0), 0);
    yr_fake_auth_set_user(rig->fake, "alice", password_canary);
    yr_sim_run_for(rig->sim, YR_AUTH_REFUSED_MAX_MS + SOON_MS);
    assert_true(rig->is_connected);
    assert_put(rig);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0600), 0);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_corrected_password_file_heals_within_ten_seconds(void **state) /* E79 */
{
    sim_rig *rig = *state;
    yr_scratch scratch;
    char path[128];
    assert_ok(yr_scratch_init(&scratch, "yurpc-auth."));
    (void)snprintf(path, sizeof path, "%s/password", scratch.path);
    write_file(path, "wrong\n");
    yr_etcd_options options = as_alice;
    options.password = NULL;
    options.password_file = path;
    sim_rig_reopen(rig, &options);
    for (int64_t after_ms = 100; after_ms < 100000; after_ms = after_ms * 5 / 2) {
        etcd_answer answer = {0};
        assert_int_equal(put(rig, &answer), YURPC_UNAUTHENTICATED);
        size_t before = stats(rig)->logins;
        yr_sim_run_for(rig->sim, after_ms);
        assert_in_range(stats(rig)->logins - before, 0, (uintmax_t)after_ms / 10000 + 1);
        write_file(path, password_canary);
        assert_true(sim_rig_wait(rig, &rig->is_connected, YR_AUTH_REFUSED_MS));
        assert_put(rig);
        write_file(path, "the wrong one\n");
        yr_fake_auth_expire_tokens(rig->fake);
        yr_sim_run_for(rig->sim, YR_AUTH_REFUSED_MS);
    }
    assert_int_equal(unlink(path), 0);
    yr_sim_run_for(rig->sim, YR_AUTH_REFUSED_MAX_MS + SOON_MS);
    etcd_answer answer = {0};
    assert_int_equal(put(rig, &answer), YURPC_IO);
    assert_non_null(strstr(answer.text, "/password cannot be read: No such file"));
    write_file(path, password_canary);
    assert_true(sim_rig_wait(rig, &rig->is_connected, YR_AUTH_REFUSED_MS));
    yr_scratch_deinit(&scratch);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    sim_rig *rig = *state;
    static const struct {
        yr_etcd_options options;
        const char *text;
    } cases[] = {
        {{.username = "a"}, "no password: give a password or a password file"},
        {{.password = YR_CANARY_PASSWORD}, "no user: give the user, too"},
        {{.password_file = "/p"}, "no user: give the user, too"},
        {{.username = "a", .password = YR_CANARY_PASSWORD, .password_file = "/p"},
         "give one of them"},
        {{.username = "", .password = YR_CANARY_PASSWORD}, "is empty"},
        {{.username = "a", .password = YR_CANARY_PASSWORD, .tls = {.is_insecure = true}},
         "are not verified"},
        {{.username = "a", .password_file = "/dev/null"}, "is not a regular file"},
        {{.username = "a", .password = YR_CANARY_PASSWORD, .endpoints = "https://a:1,b:2"},
         "b:2 is not https"},
        {{.username = "a:p", .password = YR_CANARY_PASSWORD}, "holds a colon"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        yr_etcd *client = NULL;
        yurpc_error *error = NULL;
        const yr_etcd_events events = {NULL, NULL};
        assert_int_equal(
            yr_etcd_new(rig->io, &cases[i].options, &events, NULL, &client, &error),
            YURPC_INVALID);
        assert_non_null(strstr(yurpc_error_text(error), cases[i].text));
        yurpc_error_free(error);
    }
}

/* ---- With auth off, or with nobody ---- */

static void a_user_is_no_trouble_where_there_is_no_auth(void **state)
{
    sim_rig *rig = *state;
    yr_fake_auth_disable(rig->fake);
    assert_put(rig);
    assert_int_equal(stats(rig)->logins, 1);
    yr_fake_auth_enable(rig->fake);
    assert_put(rig);
    assert_put(rig);
    assert_int_equal(stats(rig)->logins, 2);
}

static void nobody_is_told_to_name_a_user_and_asks_once_a_second(void **state) /* E76 */
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    yr_fake_auth_disable(rig->fake);
    sim_rig_reopen(rig, &(yr_etcd_options){.endpoints = NULL});
    assert_put(rig);
    yr_fake_auth_enable(rig->fake);
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    while (yr_sim_now_ms(rig->sim) - begun_ms < 30000) {
        assert_int_equal(put(rig, &answer), YURPC_UNAUTHENTICATED);
        assert_string_equal(answer.text, "etcd wants a user, and none is configured: give a "
                                         "username and a password");
        yr_sim_run_for(rig->sim, 10);
    }
    assert_in_range(yr_fake_etcd_count_requests(rig->fake, NULL, begun_ms), 25, 31);
    yr_fake_auth_disable(rig->fake);
    yr_sim_run_for(rig->sim, YR_AUTH_NOBODY_MS);
    assert_put(rig);
    assert_put(rig);
}

/* ---- Permissions ---- */

static void a_call_that_is_denied_is_reported_and_not_repeated(void **state) /* E80 */
{
    sim_rig *rig = *state;
    watch_log watch;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("key")};
    assert_put(rig);
    watch_log_init(&watch, rig->client, &options);
    assert_true(sim_rig_wait_count(rig, &watch.created, 1, LIMIT_MS));
    yr_fake_auth_forbid(rig->fake, "alice");
    yr_fake_etcd_forget_requests(rig->fake);
    etcd_answer answer = {0};
    assert_int_equal(put(rig, &answer), YURPC_DENIED);
    assert_string_equal(answer.text, "etcdserver: permission denied");
    assert_int_equal(yr_fake_etcd_count_requests(rig->fake, NULL, 0), 1);
    yr_fake_etcd_put(rig->fake, "key", "by another", 0);
    assert_true(sim_rig_wait_count(rig, &watch.events, 1, LIMIT_MS)); /* as in etcd */
    yr_etcd_watch_stop(watch.watch);
}

/* ---- Streams ---- */

static void a_watch_after_expiry_is_taken_up_and_others_notice_nothing(void **state) /* E77 */
{
    sim_rig *rig = *state;
    for (int says_denied = 0; says_denied <= 1; says_denied++) {
        watch_log first;
        watch_log second;
        yr_etcd_watch_options options = {.key = yr_bytes_of_text("key")};
        yr_fake_auth_options_of(rig->fake)->says_denied = says_denied == 1;
        assert_put(rig);
        watch_log_init(&first, rig->client, &options);
        assert_true(sim_rig_wait_count(rig, &first.created, 1, LIMIT_MS));
        yr_sim_run_for(rig->sim, YR_AUTH_YOUNG_MS);
        yr_fake_auth_expire_tokens(rig->fake);
        size_t before = stats(rig)->logins;
        yr_fake_etcd_put(rig->fake, "key", "1", 0);
        watch_log_init(&second, rig->client, &options);
        assert_true(sim_rig_wait_count(rig, &second.created, 1, SOON_MS));
        yr_fake_etcd_put(rig->fake, "key", "2", 0);
        assert_true(sim_rig_wait_count(rig, &second.events, 1, SOON_MS));
        assert_true(sim_rig_wait_count(rig, &first.events, 2, SOON_MS));
        assert_int_equal(first.stale, 0);
        assert_int_equal(stats(rig)->logins - before, 1);
        yr_etcd_watch_stop(first.watch);
        yr_etcd_watch_stop(second.watch);
    }
}

static void a_watch_that_waits_in_vain_for_a_token_is_stale(void **state)
{
    sim_rig *rig = *state;
    watch_log first;
    watch_log second;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("key")};
    assert_put(rig);
    watch_log_init(&first, rig->client, &options);
    assert_true(sim_rig_wait_count(rig, &first.fresh, 1, LIMIT_MS));
    yr_fake_auth_set_user(rig->fake, "alice", YR_CANARY_PASSWORD "-2");
    watch_log_init(&second, rig->client, &options);
    assert_true(sim_rig_wait_count(rig, &first.stale, 1, SOON_MS));
    yr_fake_auth_set_user(rig->fake, "alice", password_canary);
    yr_fake_etcd_put(rig->fake, "key", "1", 0);
    assert_true(sim_rig_wait_count(rig, &first.fresh, 2, YR_AUTH_REFUSED_MS + SOON_MS));
    assert_int_equal(first.events, 1);
    /* A login that is not answered: as bad. */
    sim_rig_once(rig, "Authenticate", YR_FAKE_SILENT, 0, NULL);
    yr_fake_auth_expire_tokens(rig->fake);
    watch_log third;
    watch_log_init(&third, rig->client, &options);
    assert_true(sim_rig_wait_count(rig, &first.stale, 2, YR_WATCH_CREATE_MS + SOON_MS));
    assert_true(sim_rig_wait_count(rig, &first.fresh, 3,
                                   YR_AUTH_TIMEOUT_MS + YR_AUTH_REFUSED_MS + SOON_MS));
    yr_etcd_watch_stop(first.watch);
    yr_etcd_watch_stop(second.watch);
    yr_etcd_watch_stop(third.watch);
}

static void a_watch_that_is_denied_for_good_ends(void **state)
{
    sim_rig *rig = *state;
    watch_log watch;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("not mine")};
    assert_put(rig);
    yr_sim_run_for(rig->sim, YR_AUTH_YOUNG_MS);
    watch_log_init(&watch, rig->client, &options);
    assert_true(sim_rig_wait(rig, &watch.is_canceled, LIMIT_MS));
    assert_int_equal(watch.status, YURPC_DENIED);
    assert_in_range(stats(rig)->logins, 1, 2);
}

static void leases_live_on_where_keepalives_need_a_token(void **state)
{
    sim_rig *rig = *state;
    lease_log keepalive;
    yr_fake_auth_options_of(rig->fake)->guards_leases = true;
    yr_fake_auth_options_of(rig->fake)->token_ttl_ms = 5000;
    assert_put(rig);
    int64_t id = yr_fake_etcd_grant(rig->fake, 3);
    yr_etcd_lease lease = {id, 3, yr_io_now_ms(rig->io)};
    lease_log_init(&keepalive, rig->client, &lease);
    yr_sim_run_for(rig->sim, 60000);
    assert_false(keepalive.is_lost);
    assert_true(keepalive.renewals >= 55);
    assert_in_range(stats(rig)->logins, 1, 13);
    yr_etcd_keepalive_stop(keepalive.keepalive);
}

/* ---- Connections ---- */

static void a_token_is_in_no_compression_table(void **state)
{
    sim_rig *rig = *state;
    watch_log watch;
    lease_log keepalive;
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("key")};
    assert_put(rig);
    watch_log_init(&watch, rig->client, &options);
    yr_etcd_lease lease = {yr_fake_etcd_grant(rig->fake, 3), 3, yr_io_now_ms(rig->io)};
    lease_log_init(&keepalive, rig->client, &lease);
    assert_true(sim_rig_wait_count(rig, &keepalive.renewals, 2, LIMIT_MS));
    const yr_fake_stats *seen = yr_fake_server_stats(yr_fake_etcd_server(rig->fake, 0));
    assert_in_range(seen->tokens, 4, 10); /* the check, the put, and both streams */
    assert_int_equal(seen->open_tokens, 0);
    yr_etcd_watch_stop(watch.watch);
    yr_etcd_keepalive_stop(keepalive.keepalive);
}

static void a_token_outlives_its_connection(void **state)
{
    sim_rig *rig = *state;
    assert_put(rig);
    for (int i = 0; i < 5; i++) {
        yr_fake_etcd_drop_connections(rig->fake);
        yr_sim_run_for(rig->sim, 6000);
        assert_put(rig);
    }
    assert_int_equal(stats(rig)->logins, 1);
}

static void a_connection_lost_while_logging_in_is_no_refusal(void **state)
{
    sim_rig *rig = *state;
    sim_rig_once(rig, "Authenticate", YR_FAKE_DROP_BEFORE_APPLY, 0, NULL);
    sim_rig_once(rig, "Authenticate", YR_FAKE_DROP_AFTER_APPLY, 0, NULL);
    sim_rig_once(rig, "Authenticate", YR_FAKE_STATUS, 14, "etcdserver: request timed out");
    etcd_answer answer = {0};
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = LIMIT_MS;
    sim_rig_put(rig, &options, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
    assert_int_equal(answer.status, YURPC_OK);
    etcd_answer_clear(&answer);
}

static void a_login_does_not_wait_for_a_channel_that_was_left(void **state)
{
    sim_rig *rig = *state;
    lease_log keepalive;
    etcd_answer answer = {0};
    assert_put(rig);
    yr_etcd_lease lease = {yr_fake_etcd_grant(rig->fake, 3), 3, yr_io_now_ms(rig->io)};
    lease_log_init(&keepalive, rig->client, &lease);
    assert_true(sim_rig_wait_count(rig, &keepalive.renewals, 1, LIMIT_MS));
    yr_fake_auth_expire_tokens(rig->fake);
    sim_rig_once(rig, "Authenticate", YR_FAKE_SILENT, 0, NULL);
    sim_rig_once(rig, "LeaseKeepAlive", YR_FAKE_SILENT, 0, NULL);
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = LIMIT_MS;
    sim_rig_put(rig, &options, &answer);
    assert_true(sim_rig_wait(rig, &answer.is_done, 5 * SOON_MS));
    assert_int_equal(answer.status, YURPC_OK);
    assert_false(keepalive.is_lost);
    etcd_answer_clear(&answer);
    yr_etcd_keepalive_stop(keepalive.keepalive);
}

static void a_wiped_store_is_noticed_by_who_may_read_little(void **state)
{
    sim_rig *rig = *state;
    watch_log watch;
    for (int i = 0; i < 5; i++) {
        assert_put(rig);
    }
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("key"), .is_prefix = true};
    watch_log_init(&watch, rig->client, &options);
    assert_true(sim_rig_wait_count(rig, &watch.created, 1, LIMIT_MS));
    assert_ok(yr_fake_etcd_restart(rig->fake, true));
    yr_fake_auth_set_user(rig->fake, "alice", password_canary);
    yr_fake_auth_permit(rig->fake, "alice", "key");
    yr_fake_auth_enable(rig->fake);
    assert_true(sim_rig_wait(rig, &watch.is_canceled, LIMIT_MS));
    assert_int_equal(watch.status, YURPC_COMPACTED);
    assert_int_equal(rig->regressions, 1);
}

/* ---- What is said ---- */

typedef struct listener {
    char text[512];
    size_t warnings;
} listener;

static void hear(void *context, yurpc_log_level level, const char *component, const char *text)
{
    (void)component;
    listener *heard = context;
    if (level == YURPC_LOG_WARN && strstr(text, "plain text") != NULL) {
        heard->warnings++;
        (void)snprintf(heard->text, sizeof heard->text, "%s", text);
    }
}

static void a_password_in_plain_text_is_warned_of_once(void **state)
{
    sim_rig *rig = *state;
    listener heard = {.warnings = 0};
    yr_etcd_options options = as_alice;
    options.log = (yr_log){.fn = hear, .context = &heard, .level = YURPC_LOG_DEBUG};
    sim_rig_reopen(rig, &options);
    assert_put(rig);
    yr_fake_auth_expire_tokens(rig->fake);
    assert_put(rig);
    assert_int_equal(heard.warnings, 1);
    assert_string_equal(heard.text, "the password of user alice goes over the network in plain "
                                    "text: etcd:2379 is not https");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, sim_rig_tear_down)

/* Whether the server says that it has not seen it, or the connection breaks. */
static void a_login_that_was_not_done_is_not_repeated_without_pause(void **state)
{
    sim_rig *rig = *state;
    enum { MINUTE_MS = 60000, REFUSED_STREAM = 7, RECOVERY_MS = 10000 };
    static const yr_fake_rule rules[] = {
        {.method = "Authenticate", .action = YR_FAKE_RESET, .code = REFUSED_STREAM},
        {.method = "Authenticate", .action = YR_FAKE_DROP_BEFORE_APPLY},
        {.method = "Authenticate", .action = YR_FAKE_GOAWAY_ABOVE},
    };
    assert_put(rig);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        yr_fake_etcd_add_rule(rig->fake, &rules[i]);
        yr_fake_auth_expire_tokens(rig->fake);
        int64_t begun_ms = yr_sim_now_ms(rig->sim);
        etcd_answer answer = {0};
        sim_rig_put(rig, NULL, &answer);
        yr_sim_run_for(rig->sim, MINUTE_MS);
        size_t logins = yr_fake_etcd_count_requests(rig->fake, "Authenticate", begun_ms);
        print_message("%zu logins in a minute\n", logins);
        assert_in_range(logins, 10, 60);
        assert_true(answer.is_done);
        assert_int_not_equal(answer.status, YURPC_OK);
        yr_fake_etcd_clear_rules(rig->fake);
        yr_sim_run_for(rig->sim, RECOVERY_MS);
        assert_put(rig);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_wait_for_the_token),
        TEST(a_token_that_expired_is_exchanged_once_for_all),
        TEST(a_token_in_use_lives_on_and_a_jwt_does_not),
        TEST(a_change_of_users_costs_one_login_and_no_call),
        TEST(a_wrong_password_is_said_at_once_and_not_tried_often),
        TEST(a_corrected_password_file_heals_within_ten_seconds),
        TEST(options_that_make_no_sense_are_refused),
        TEST(a_user_is_no_trouble_where_there_is_no_auth),
        TEST(nobody_is_told_to_name_a_user_and_asks_once_a_second),
        TEST(a_call_that_is_denied_is_reported_and_not_repeated),
        TEST(a_watch_after_expiry_is_taken_up_and_others_notice_nothing),
        TEST(a_watch_that_waits_in_vain_for_a_token_is_stale),
        TEST(a_watch_that_is_denied_for_good_ends),
        TEST(leases_live_on_where_keepalives_need_a_token),
        TEST(a_token_is_in_no_compression_table),
        TEST(a_token_outlives_its_connection),
        TEST(a_connection_lost_while_logging_in_is_no_refusal),
        TEST(a_login_does_not_wait_for_a_channel_that_was_left),
        TEST(a_wiped_store_is_noticed_by_who_may_read_little),
        TEST(a_password_in_plain_text_is_warned_of_once),
        TEST(a_login_that_was_not_done_is_not_repeated_without_pause),
    };
    return cmocka_run_group_tests_name("etcd_auth", tests, NULL, NULL);
}
