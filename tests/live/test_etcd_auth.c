/* Users and tokens on a real etcd. E76 … and V23 … are faults and facts of our catalogue. */
#include "base/bytes.h"
#include "etcd/client.h"
#include "rig.h"
#include "scratch.h"
#include "yr_test.h"

#include <yurpc/etcd.h>

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TOKEN_TTL_MS = 3000, EXPIRED_MS = TOKEN_TTL_MS + 2500, SOON_MS = 1500 };

static const char *version;
static yr_engine *engine;
static yr_scratch scratch; /* the keys of JWT */

static const yr_etcd_options as_root = {.username = "root", .password = "S3cr3t-root"};
static const yr_etcd_options as_user = {.username = "user", .password = "S3cr3t-canary-pw"};

/* ---- Setting up ---- */

/* Start a program; 0: it cannot be. */
static pid_t spawn(const char *const *arguments)
{
    union {
        const char *const *in;
        char *const *out;
    } list = {.in = arguments};
    pid_t pid = 0;
    posix_spawn_file_actions_t actions;
    assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int failure = posix_spawnp(&pid, arguments[0], &actions, NULL, list.out, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failure == 0 ? pid : 0;
}

/* Run a program and wait; whether it succeeded. */
static bool run(const char *const *arguments)
{
    int status = 1;
    pid_t pid = spawn(arguments);
    return pid != 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* etcdctl with what follows "auth", "user", … */
static bool ctl(const char *noun, const char *verb, const char *first, const char *second)
{
    char endpoints[96];
    (void)snprintf(endpoints, sizeof endpoints, "--endpoints=%s", yr_engine_address(engine));
    const char *arguments[] = {
        "etcdctl", endpoints, "--user=root:S3cr3t-root", noun, verb, first, second, NULL};
    return run(arguments);
}

static void must_ctl(const char *noun, const char *verb, const char *first, const char *second)
{
    assert_true(ctl(noun, verb, first, second));
}

static void add_users(void)
{
    char endpoints[96];
    (void)snprintf(endpoints, sizeof endpoints, "--endpoints=%s", yr_engine_address(engine));
    static const char *const commands[][7] = {
        {"user", "add", "root:S3cr3t-root"},
        {"user", "grant-role", "root", "root"},
        {"user", "add", "user:S3cr3t-canary-pw"},
        {"role", "add", "rpc"},
        {"role", "grant-permission", "rpc", "readwrite", "key", "kez"},
        {"user", "grant-role", "user", "rpc"},
    };
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        const char *arguments[10] = {"etcdctl", endpoints};
        memcpy(&arguments[2], commands[i], sizeof commands[i]);
        bool is_done = run(arguments);
        assert_true(is_done || i == 1); /* 3.4 has no role root until somebody adds it */
        if (!is_done) {
            const char *add[] = {"etcdctl", endpoints, "role", "add", "root", NULL};
            assert_true(run(add) && run(arguments));
        }
    }
}

static void enable(void)
{
    char endpoints[96];
    (void)snprintf(endpoints, sizeof endpoints, "--endpoints=%s", yr_engine_address(engine));
    const char *arguments[] = {"etcdctl", endpoints, "auth", "enable", NULL};
    assert_true(run(arguments));
}

static void start(const char *const *arguments)
{
    yr_engine_options options = {.arguments = arguments};
    assert_ok(yr_engine_start_etcd(version, &options, &engine));
    add_users();
}

static int set_up_open(void **state)
{
    static const char *const arguments[] = {"--auth-token-ttl=3", NULL};
    start(arguments);
    *state = NULL;
    return 0;
}

static int set_up(void **state)
{
    set_up_open(state);
    enable();
    return 0;
}

/* Tokens are JWTs, signed with a key that is made here. */
static int set_up_jwt(void **state)
{
    char key[128];
    char pub[128];
    char option[384];
    assert_ok(yr_scratch_init(&scratch, "yurpc-jwt."));
    (void)snprintf(key, sizeof key, "%s/key.pem", scratch.path);
    (void)snprintf(pub, sizeof pub, "%s/pub.pem", scratch.path);
    const char *make[] = {"openssl", "genrsa", "-traditional", "-out", key, "2048", NULL};
    const char *show[] = {"openssl", "rsa", "-in", key, "-pubout", "-out", pub, NULL};
    assert_true(run(make) && run(show));
    (void)snprintf(option, sizeof option,
                   "--auth-token=jwt,pub-key=%s,priv-key=%s,sign-method=RS256,ttl=60s", pub,
                   key);
    const char *arguments[] = {option, NULL};
    start(arguments);
    enable();
    *state = NULL;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    yr_engine_free(engine);
    engine = NULL;
    yr_scratch_deinit(&scratch);
    return 0;
}

/* A client of that user, with time for a server that computes passwords on a busy machine. */
static void rig_open(etcd_rig *rig, const yr_etcd_options *user)
{
    yr_etcd_options options = *user;
    options.timeout_ms = RIG_WAIT_MS;
    options.endpoints = yr_engine_address(engine);
    rig_init_with(rig, &options);
}

static void write_file(const char *path, const char *text)
{
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    assert_int_equal(write(file, text, strlen(text)), strlen(text));
    assert_int_equal(close(file), 0);
}

static yurpc_status put(etcd_rig *rig, const char *key, etcd_answer *answer)
{
    rig_do(rig, YURPC_ETCD_PUT, key, "1", NULL, answer);
    yurpc_status status = answer->status;
    return status;
}

static void assert_put(etcd_rig *rig, const char *key)
{
    etcd_answer answer = {0};
    (void)put(rig, key, &answer);
    assert_string_equal(answer.text, "success");
    etcd_answer_clear(&answer);
}

/* ---- Tokens ---- */

static void an_expired_token_is_exchanged_within_the_call(void **state) /* E77, V23 */
{
    (void)state;
    etcd_rig rig;
    watch_log first;
    watch_log second;
    lease_log keepalive;
    etcd_answer answer = {0};
    rig_open(&rig, &as_user);
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("key/"), .is_prefix = true};
    rig_watch_start(&rig, &first, &options);
    assert_true(rig_wait_count(&rig, &first.fresh, 1));
    int64_t id = (int64_t)(yr_io_random(rig.io) >> 1);
    rig_grant(&rig, id, 5, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    rig_keepalive_start(&rig, &keepalive, id, answer.reply->ttl_s);
    for (int round = 0; round < 2; round++) {
        rig_run_ms(&rig, EXPIRED_MS);
        int64_t begun_ms = yr_io_boot_ms(rig.io);
        rig_watch_start(&rig, &second, &options);
        assert_true(rig_wait_count(&rig, &second.created, 1));
        assert_put(&rig, "key/a");
        assert_true(yr_io_boot_ms(rig.io) - begun_ms < SOON_MS);
        assert_true(rig_wait_count(&rig, &second.events, 1));
        assert_true(rig_wait_count(&rig, &first.events, round + 1));
        assert_int_equal(first.stale, 0);
        yr_etcd_watch_stop(second.watch);
    }
    assert_false(keepalive.is_lost);
    assert_int_equal(rig.connection_changes, 1);
    etcd_answer_clear(&answer);
    rig_deinit(&rig);
}

static void adding_users_under_load_fails_no_call(void **state) /* E78, V25 */
{
    (void)state;
    enum { CHANGES = 5 };
    int puts = 0;
    etcd_rig rig;
    rig_open(&rig, &as_user);
    assert_put(&rig, "key/a");
    for (int i = 0; i < CHANGES; i++) {
        char user[32];
        char endpoints[96];
        int status = 1;
        (void)snprintf(user, sizeof user, "other%d:x", i);
        (void)snprintf(endpoints, sizeof endpoints, "--endpoints=%s",
                       yr_engine_address(engine));
        const char *add[] = {"etcdctl", endpoints, "--user=root:S3cr3t-root", "user", "add",
                             user,      NULL};
        pid_t pid = spawn(add);
        assert_int_not_equal(pid, 0);
        while (waitpid(pid, &status, WNOHANG) == 0) {
            assert_put(&rig, "key/a");
            puts++;
        }
        assert_int_equal(status, 0);
        assert_put(&rig, "key/a");
    }
    print_message("%d puts during %d changes, %d logins\n", puts, CHANGES,
                  (int)rig.client->auth.generation);
    assert_int_equal((int)rig.client->auth.generation, 1 + CHANGES);
    rig_deinit(&rig);
}

/* ---- Passwords and rights ---- */

static void a_wrong_password_is_told_with_the_connection(void **state)
{
    (void)state;
    etcd_rig rig;
    etcd_answer answer = {0};
    const yr_etcd_options wrong = {.username = "user", .password = "S3cr3t-wrong"};
    rig_open(&rig, &wrong);
    assert_int_equal(put(&rig, "key/a", &answer), YURPC_UNAUTHENTICATED);
    assert_string_equal(answer.text, "etcd refuses user user: etcdserver: authentication "
                                     "failed, invalid user ID or password");
    assert_false(rig.is_connected);
    assert_string_equal(rig.connection_error, answer.text);
    rig_deinit(&rig);
}

static void a_new_password_ends_the_old_ones_token(void **state) /* E79, V26 */
{
    (void)state;
    etcd_rig root;
    etcd_rig rig;
    etcd_answer answer = {0};
    char path[128];
    assert_ok(yr_scratch_init(&scratch, "yurpc-password."));
    (void)snprintf(path, sizeof path, "%s/password", scratch.path);
    write_file(path, "S3cr3t-canary-pw\n");
    const yr_etcd_options by_file = {.username = "user", .password_file = path};
    rig_open(&rig, &by_file);
    rig_open(&root, &as_root);
    assert_put(&rig, "key/a");
    lease_log keepalive;
    int64_t id = (int64_t)(yr_io_random(rig.io) >> 1);
    rig_grant(&rig, id, 5, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    rig_keepalive_start(&rig, &keepalive, id, answer.reply->ttl_s);
    must_ctl("user", "delete", "user", NULL);
    must_ctl("user", "add", "user:S3cr3t-2", NULL);
    must_ctl("user", "grant-role", "user", "rpc");
    assert_int_equal(put(&rig, "key/a", &answer), YURPC_UNAUTHENTICATED);
    /* The lease outlives both: keepalives need no token (V23). */
    assert_ok(yr_engine_restart(engine, false));
    rig_run_ms(&rig, 8000);
    assert_false(keepalive.is_lost);
    assert_true(keepalive.renewals >= 3);
    write_file(path, "S3cr3t-2\n");
    int64_t begun_ms = yr_io_boot_ms(rig.io);
    assert_true(rig_wait(&rig, &rig.is_connected));
    assert_true(yr_io_boot_ms(rig.io) - begun_ms < 2 * 10500); /* twice: machines are busy */
    assert_put(&rig, "key/a");
    etcd_answer_clear(&answer);
    rig_deinit(&root);
    rig_deinit(&rig);
}

static yurpc_status open_and_put(const char *username, const char *password, char text[256])
{
    yurpc_etcd *client = NULL;
    yurpc_error *error = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = yr_engine_address(engine);
    config.username = username;
    config.password = password;
    yurpc_status status = yurpc_etcd_open(&config, &client, &error);
    if (status == YURPC_OK) {
        status = yurpc_etcd_put(client, yr_bytes_of_text("key/a"), yr_bytes_of_text("1"), NULL,
                                NULL, &error);
        yurpc_etcd_close(client);
    }
    (void)snprintf(text, 256, "%s", yurpc_error_text(error));
    yurpc_error_free(error);
    return status;
}

static void the_public_client_logs_in(void **state)
{
    (void)state;
    char text[256];
    assert_int_equal(open_and_put("user", as_user.password, text), YURPC_OK);
    assert_int_equal(open_and_put("user", "S3cr3t-wrong", text), YURPC_UNAUTHENTICATED);
    assert_non_null(strstr(text, "etcd refuses user user: "));
    assert_int_equal(open_and_put("user", NULL, text), YURPC_INVALID);
    assert_non_null(strstr(text, "but no password"));
    assert_int_equal(open_and_put(NULL, NULL, text), YURPC_UNAUTHENTICATED);
    assert_non_null(strstr(text, "etcd wants a user"));
}

static void auth_that_is_switched_on_asks_for_a_user(void **state) /* E76, V24 */
{
    (void)state;
    etcd_rig nobody;
    etcd_rig rig;
    etcd_answer answer = {0};
    rig_init(&nobody, yr_engine_address(engine));
    rig_open(&rig, &as_user);
    assert_put(&nobody, "key/a");
    assert_put(&rig, "key/a"); /* a user is no trouble where there is no auth */
    enable();
    assert_put(&rig, "key/a");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(put(&nobody, "key/a", &answer), YURPC_UNAUTHENTICATED);
        assert_string_equal(answer.text, "etcd wants a user, and none is configured: give a "
                                         "username and a password");
    }
    must_ctl("auth", "disable", NULL, NULL);
    rig_run_ms(&nobody, SOON_MS);
    assert_put(&nobody, "key/a");
    assert_put(&rig, "key/a"); /* 3.4 refuses tokens that it gave while auth was on */
    rig_deinit(&nobody);
    rig_deinit(&rig);
}

static void a_right_that_is_revoked_denies_puts_and_ends_no_watch(void **state) /* E80, V26 */
{
    (void)state;
    etcd_rig root;
    etcd_rig rig;
    watch_log watch;
    watch_log late;
    etcd_answer answer = {0};
    rig_open(&rig, &as_user);
    rig_open(&root, &as_root);
    yr_etcd_watch_options options = {.key = yr_bytes_of_text("key/"), .is_prefix = true};
    rig_watch_start(&rig, &watch, &options);
    assert_true(rig_wait_count(&rig, &watch.created, 1));
    must_ctl("user", "revoke-role", "user", "rpc");
    assert_int_equal(put(&rig, "key/a", &answer), YURPC_DENIED);
    assert_string_equal(answer.text, "etcdserver: permission denied");
    assert_put(&root, "key/a");
    assert_true(rig_wait_count(&rig, &watch.events, 1));
    rig_watch_start(&rig, &late, &options);
    assert_true(rig_wait(&rig, &late.is_canceled));
    assert_int_equal(late.status, YURPC_DENIED);
    assert_int_equal((int)rig.client->auth.generation, 1);
    rig_deinit(&root);
    rig_deinit(&rig);
}

#define TEST(name, how) cmocka_unit_test_setup_teardown(name, how, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(an_expired_token_is_exchanged_within_the_call, set_up),
        TEST(adding_users_under_load_fails_no_call, set_up_jwt),
        TEST(a_wrong_password_is_told_with_the_connection, set_up),
        TEST(the_public_client_logs_in, set_up),
        TEST(a_new_password_ends_the_old_ones_token, set_up),
        TEST(auth_that_is_switched_on_asks_for_a_user, set_up_open),
        TEST(a_right_that_is_revoked_denies_puts_and_ends_no_watch, set_up),
    };
    version = argc > 1 ? argv[1] : "3.4";
    const char *ctl_version[] = {"etcdctl", "version", NULL};
    if (yr_engine_find_etcd(version) == NULL) {
        return yr_engine_skip(version);
    }
    if (!run(ctl_version)) {
        print_message("*** SKIPPED: there is no etcdctl (apt install etcd-client) ***\n");
        return YR_ENGINE_SKIP;
    }
    return cmocka_run_group_tests_name("etcd_auth", tests, NULL, NULL);
}
