/* TLS and mutual TLS with a real etcd: what works, and what is said when it does not. */
#include "base/bytes.h"
#include "certs.h"
#include "rig.h"
#include "scratch.h"
#include "yr_test.h"

#include <yurpc/etcd.h>

#include <stdio.h>
#include <string.h>

enum { PATH_SIZE = 256, HOUR_S = 3600 };

typedef struct cert_files {
    char cert[PATH_SIZE];
    char key[PATH_SIZE];
} cert_files;

static yr_scratch scratch = {.lock = -1};
static yr_cert ca;
static yr_cert other_ca;
static cert_files ca_files;
static cert_files other_ca_files;
static cert_files server_files;
static cert_files client_files;
static cert_files stranger_files;
static cert_files expired_files;
static yr_engine *plain_engine;
static yr_engine *tls_engine;
static yr_engine *mutual_engine;

/* ---- Certificates and engines ---- */

static void set_paths(cert_files *files, const char *name)
{
    (void)snprintf(files->cert, PATH_SIZE, "%s/%s.pem", scratch.path, name);
    (void)snprintf(files->key, PATH_SIZE, "%s/%s.key", scratch.path, name);
}

static void make_ca(yr_cert *cert, cert_files *files, const char *name)
{
    set_paths(files, name);
    yr_cert_init(cert, &(yr_cert_options){.name = name, .is_ca = true});
    yr_cert_write(cert, files->cert, files->key);
}

static void make_cert(cert_files *files, const char *file_name, const yr_cert_options *options)
{
    yr_cert cert;
    set_paths(files, file_name);
    yr_cert_init(&cert, options);
    yr_cert_write(&cert, files->cert, files->key);
    yr_cert_deinit(&cert);
}

static void make_certs(void)
{
    make_ca(&ca, &ca_files, "ca");
    make_ca(&other_ca, &other_ca_files, "other-ca");
    make_cert(&server_files, "server",
              &(yr_cert_options){
                  .name = "etcd", .names = "DNS:localhost,IP:127.0.0.1", .issuer = &ca});
    make_cert(&client_files, "client", &(yr_cert_options){.name = "provider", .issuer = &ca});
    make_cert(&stranger_files, "stranger",
              &(yr_cert_options){.name = "stranger", .issuer = &other_ca});
    make_cert(
        &expired_files, "expired",
        &(yr_cert_options){
            .name = "provider", .issuer = &ca, .from_s = -2L * HOUR_S, .until_s = -HOUR_S});
}

static int start_tls_engine(const char *version, const cert_files *files, bool is_mutual,
                            yr_engine **ret_engine)
{
    char cert[PATH_SIZE + 32];
    char key[PATH_SIZE + 32];
    char trusted[PATH_SIZE + 32];
    (void)snprintf(cert, sizeof cert, "--cert-file=%s", files->cert);
    (void)snprintf(key, sizeof key, "--key-file=%s", files->key);
    (void)snprintf(trusted, sizeof trusted, "--trusted-ca-file=%s", ca_files.cert);
    const char *const arguments[] = {cert, key, is_mutual ? trusted : NULL,
                                     "--client-cert-auth", NULL};
    const yr_engine_options options = {.arguments = arguments, .is_tls = true};
    return yr_engine_start_etcd(version, &options, ret_engine) == YURPC_OK ? 0 : 1;
}

static int start_engines(int argc, char **argv)
{
    int status = rig_start_engine(argc, argv, &plain_engine);
    if (status == 0 && yr_scratch_init(&scratch, "yurpc-tls.") != YURPC_OK) {
        status = 1;
    }
    if (status == 0) {
        make_certs();
        status =
            start_tls_engine(yr_engine_path(plain_engine), &server_files, false, &tls_engine);
    }
    return status == 0 ? start_tls_engine(yr_engine_path(plain_engine), &server_files, true,
                                          &mutual_engine)
                       : status;
}

static void stop_engines(void)
{
    yr_engine_free(plain_engine);
    yr_engine_free(tls_engine);
    yr_engine_free(mutual_engine);
    yr_cert_deinit(&ca);
    yr_cert_deinit(&other_ca);
    yr_scratch_deinit(&scratch);
}

/* ---- Clients ---- */

static const yr_tls_options with_ca = {.ca_file = ca_files.cert};

static const yr_tls_options with_cert = {
    .ca_file = ca_files.cert, .cert_file = client_files.cert, .key_file = client_files.key};

static void address_of(const yr_engine *engine, const char *scheme, const char *host,
                       char text[PATH_SIZE])
{
    (void)snprintf(text, PATH_SIZE, "%s%s:%u", scheme, host, (unsigned)yr_engine_port(engine));
}

/* A client of @p endpoints that can do what clients do. */
static void expect_service(const char *endpoints, const yr_tls_options *tls)
{
    etcd_rig rig;
    watch_log watch = {.watch = NULL};
    etcd_answer answer = {0};
    rig_init_with(&rig, &(yr_etcd_options){.endpoints = endpoints, .tls = *tls});
    rig_watch_start(&rig, &watch, &(yr_etcd_watch_options){.key = yr_bytes_of_text("tls")});
    assert_true(rig_wait_count(&rig, &watch.created, 1));
    rig_put(&rig, "tls", "a value", 0);
    assert_true(rig_wait_count(&rig, &watch.events, 1));
    rig_do(&rig, YURPC_ETCD_RANGE, "tls", NULL, NULL, &answer);
    assert_int_equal(answer.reply->kv_count, 1);
    assert_memory_equal(answer.reply->kvs[0].value.data, "a value", 7);
    assert_true(rig.is_connected);
    etcd_answer_clear(&answer);
    yr_etcd_watch_stop(watch.watch);
    rig_deinit(&rig);
}

/*
 * A client of @p endpoints whose calls end with @p status and words with @p part in them, and
 * who knew it within the time of one attempt.
 */
static void expect_refusal(const char *endpoints, const yr_tls_options *tls,
                           yurpc_status status, const char *part)
{
    etcd_rig rig;
    etcd_answer answer = {0};
    rig_init_with(&rig, &(yr_etcd_options){.endpoints = endpoints, .tls = *tls});
    int64_t begun_ms = yr_io_boot_ms(rig.io);
    assert_true(rig_wait_count(&rig, &rig.connection_changes, 1));
    assert_true(yr_io_boot_ms(rig.io) - begun_ms < YR_ETCD_CONNECT_TIMEOUT_MS);
    assert_false(rig.is_connected);
    rig_do(&rig, YURPC_ETCD_RANGE, "tls", NULL, NULL, &answer);
    if (status == YURPC_TLS) { /* waiting would not help */
        assert_true(yr_io_boot_ms(rig.io) - begun_ms < YR_ETCD_CONNECT_TIMEOUT_MS);
    }
    if (strstr(answer.text, part) == NULL || strstr(rig.connection_error, part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\" or \"%s\"", part, answer.text, rig.connection_error);
    }
    assert_int_equal(answer.status, status);
    assert_int_equal(rig.connection_changes, 1); /* it was never connected */
    etcd_answer_clear(&answer);
    rig_deinit(&rig);
}

/* ---- Tests ---- */

static void a_client_with_the_ca_is_served_by_address_and_by_name(void **state)
{
    (void)state;
    char named[PATH_SIZE];
    char bare[PATH_SIZE];
    address_of(tls_engine, "https://", "localhost", named);
    address_of(tls_engine, "", "127.0.0.1", bare);
    expect_service(yr_engine_address(tls_engine), &with_ca);
    expect_service(named, &with_ca);
    expect_service(bare, &with_ca); /* without a scheme, but with a CA */
}

static void mixed_lists_are_served(void **state)
{
    (void)state;
    char text[2 * PATH_SIZE];
    (void)snprintf(text, sizeof text, "https://127.0.0.1:1,%s",
                   yr_engine_address(plain_engine));
    expect_service(text, &with_ca);
}

static void a_client_with_a_certificate_is_served(void **state)
{
    (void)state;
    expect_service(yr_engine_address(mutual_engine), &with_cert);
}

static void insecure_is_served_without_a_ca(void **state)
{
    (void)state;
    expect_service(yr_engine_address(tls_engine), &(yr_tls_options){.is_insecure = true});
}

static void another_ca_is_named_with_our_file(void **state)
{
    (void)state;
    char text[2 * PATH_SIZE];
    (void)snprintf(text, sizeof text, "is issued by \"CN=ca\", whom the CA file %s does not",
                   other_ca_files.cert);
    expect_refusal(yr_engine_address(tls_engine),
                   &(yr_tls_options){.ca_file = other_ca_files.cert}, YURPC_TLS, text);
    expect_refusal(yr_engine_address(tls_engine), &(yr_tls_options){.ca_file = NULL}, YURPC_TLS,
                   "is issued by \"CN=ca\", whom the system's CA store does not");
}

static void another_name_is_named_with_those_in_the_certificate(void **state)
{
    (void)state;
    yr_engine *engine = NULL;
    cert_files files;
    make_cert(&files, "elsewhere",
              &(yr_cert_options){
                  .name = "etcd", .names = "DNS:etcd.acme.com,IP:10.0.0.1", .issuer = &ca});
    assert_int_equal(start_tls_engine(yr_engine_path(plain_engine), &files, false, &engine), 0);
    expect_refusal(yr_engine_address(engine), &with_ca, YURPC_TLS,
                   "is for DNS:etcd.acme.com, IP:10.0.0.1, not for IP:127.0.0.1");
    yr_engine_free(engine);
}

static void a_missing_client_certificate_is_asked_for(void **state)
{
    (void)state;
    expect_refusal(yr_engine_address(mutual_engine), &with_ca, YURPC_TLS,
                   "wants a client certificate");
}

static void a_client_certificate_that_is_refused_is_named(void **state)
{
    (void)state;
    expect_refusal(yr_engine_address(mutual_engine),
                   &(yr_tls_options){.ca_file = ca_files.cert,
                                     .cert_file = stranger_files.cert,
                                     .key_file = stranger_files.key},
                   YURPC_TLS, "refuses our certificate");
    expect_refusal(yr_engine_address(mutual_engine),
                   &(yr_tls_options){.ca_file = ca_files.cert,
                                     .cert_file = expired_files.cert,
                                     .key_file = expired_files.key},
                   YURPC_TLS, "\"CN=provider\", which expired on");
}

static void the_other_scheme_is_suggested(void **state)
{
    (void)state;
    char text[PATH_SIZE];
    address_of(tls_engine, "http://", "127.0.0.1", text);
    expect_refusal(text, &with_ca, YURPC_UNAVAILABLE, "https://");
    address_of(plain_engine, "https://", "127.0.0.1", text);
    expect_refusal(text, &with_ca, YURPC_UNAVAILABLE, "http://");
}

static void the_public_client_is_served(void **state)
{
    (void)state;
    yurpc_etcd *client = NULL;
    yurpc_etcd_reply *reply = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = yr_engine_address(mutual_engine);
    config.tls_ca_file = ca_files.cert;
    config.tls_cert_file = client_files.cert;
    config.tls_key_file = client_files.key;
    assert_ok(yurpc_etcd_open(&config, &client, NULL));
    assert_ok(yurpc_etcd_status(client, &reply, NULL));
    assert_non_null(reply->version);
    yurpc_etcd_reply_free(reply);
    yurpc_etcd_close(client);
}

static void the_public_client_says_why_it_is_refused(void **state)
{
    (void)state;
    yurpc_etcd *client = NULL;
    yurpc_etcd_reply *reply = NULL;
    yurpc_error *error = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = yr_engine_address(mutual_engine);
    config.tls_ca_file = "/none/ca.pem";
    assert_int_equal(yurpc_etcd_open(&config, &client, &error), YURPC_IO);
    assert_non_null(strstr(yurpc_error_text(error), "/none/ca.pem: no such file"));
    yurpc_error_free(error);
    error = NULL;
    config.tls_ca_file = ca_files.cert;
    assert_ok(yurpc_etcd_open(&config, &client, NULL));
    assert_int_equal(yurpc_etcd_status(client, &reply, &error), YURPC_TLS);
    assert_non_null(strstr(yurpc_error_text(error), "wants a client certificate"));
    assert_false(yurpc_error_is_retriable(error));
    yurpc_error_free(error);
    yurpc_etcd_close(client);
}

/* Otherwise whoever answers would get the password. */
static void insecure_is_refused_with_a_user(void **state)
{
    (void)state;
    yr_loop *loop = NULL;
    yr_etcd *client = NULL;
    yurpc_error *error = NULL;
    const yr_etcd_events events = {NULL, NULL};
    yr_etcd_options options = {.endpoints = "https://127.0.0.1:1",
                               .tls = {.is_insecure = true},
                               .username = "root",
                               .password = "S3cr3t"};
    assert_ok(yr_loop_new(false, &loop, NULL));
    assert_int_equal(yr_etcd_new(yr_loop_io(loop), &options, &events, NULL, &client, &error),
                     YURPC_INVALID);
    assert_non_null(strstr(yurpc_error_text(error), "certificates are not verified"));
    yurpc_error_free(error);
    yr_loop_free(loop);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_with_the_ca_is_served_by_address_and_by_name),
        cmocka_unit_test(mixed_lists_are_served),
        cmocka_unit_test(a_client_with_a_certificate_is_served),
        cmocka_unit_test(insecure_is_served_without_a_ca),
        cmocka_unit_test(the_public_client_is_served),
        cmocka_unit_test(the_public_client_says_why_it_is_refused),
        cmocka_unit_test(insecure_is_refused_with_a_user),
        cmocka_unit_test(another_ca_is_named_with_our_file),
        cmocka_unit_test(another_name_is_named_with_those_in_the_certificate),
        cmocka_unit_test(a_missing_client_certificate_is_asked_for),
        cmocka_unit_test(a_client_certificate_that_is_refused_is_named),
        cmocka_unit_test(the_other_scheme_is_suggested),
    };
    int status = start_engines(argc, argv);
    if (status == 0) {
        status = cmocka_run_group_tests(tests, NULL, NULL);
    }
    stop_engines();
    return status;
}
