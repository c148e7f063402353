/* The files of TLS: read, renewed, refused. */
#include "base/mem.h"
#include "tls_world.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void assert_peer_sees(const tls_world *w, const char *name)
{
    char text[64] = "";
    assert_true(w->session.is_open && w->peer.is_open);
    X509 *theirs = SSL_get1_peer_certificate(w->peer.ssl);
    assert_non_null(theirs);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(theirs), NID_commonName, text,
                                          sizeof text) > 0);
    X509_free(theirs);
    assert_string_equal(text, name);
}

static void files_are_read_again_for_each_connection(void **state)
{
    tls_world *w = *state;
    tls_world_write_cert(w, "first", 0, 0);
    tls_world_open_with_cert(w);
    tls_world_connect_local(w, 0, true);
    assert_peer_sees(w, "first");
    const SSL_CTX *context = yr_uv_tls_of(w->tls)->context;
    tls_world_connect_local(w, 0, true);
    assert_peer_sees(w, "first");
    assert_ptr_equal(yr_uv_tls_of(w->tls)->context, context); /* not parsed again */
    tls_world_write_cert(w, "second", 0, 0);
    tls_world_connect_local(w, 0, true);
    assert_peer_sees(w, "second");
    assert_int_equal(w->line_count, 1);
    assert_string_equal(w->lines[0], "the certificate files were read anew");
}

static void a_pair_that_is_half_renewed_changes_nothing_and_is_said_once(void **state)
{
    tls_world *w = *state;
    yr_cert half;
    tls_world_write_cert(w, "first", 0, 0);
    tls_world_open_with_cert(w);
    yr_cert_init(&half, &(yr_cert_options){.name = "second", .issuer = &w->ca});
    yr_cert_write(&half, w->cert_path, NULL);
    for (int i = 0; i < 3; i++) {
        tls_world_connect_local(w, 0, true);
        assert_peer_sees(w, "first");
    }
    assert_int_equal(w->line_count, 1);
    assert_int_equal(w->levels[0], YURPC_LOG_ERROR);
    assert_non_null(strstr(w->lines[0], "is not the key of the certificate file"));
    assert_non_null(strstr(w->lines[0], "what was read before stays in use"));
    yr_cert_write(&half, NULL, w->key_path);
    tls_world_connect_local(w, 0, true);
    assert_peer_sees(w, "second");
    yr_cert_deinit(&half);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void a_file_that_is_gone_or_garbage_changes_nothing(void **state)
{
    tls_world *w = *state;
    tls_world_write_cert(w, "first", 0, 0);
    tls_world_open_with_cert(w);
    assert_int_equal(unlink(w->ca_path), 0);
    tls_world_connect_local(w, 0, true);
    assert_peer_sees(w, "first");
    assert_non_null(strstr(w->lines[0], "no such file or directory"));
    write_text(w->ca_path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    tls_world_connect_local(w, 0, true);
    assert_peer_sees(w, "first");
    assert_non_null(strstr(w->lines[1], "holds a certificate that cannot be read"));
    assert_int_equal(w->line_count, 2);
}

static void a_key_that_others_may_read_is_warned_of_once(void **state)
{
    tls_world *w = *state;
    tls_world_write_cert(w, "first", 0, 0);
    assert_int_equal(chmod(w->key_path, 0640), 0);
    tls_world_open_with_cert(w);
    tls_world_connect_local(w, 0, true);
    tls_world_connect_local(w, 0, true);
    assert_int_equal(w->line_count, 1);
    assert_int_equal(w->levels[0], YURPC_LOG_WARN);
    assert_non_null(strstr(w->lines[0], "others than its owner may read the key file "));
}

static void assert_unusable(tls_world *w, const yr_tls_options *options, yurpc_status status,
                            const char *part)
{
    yurpc_error *error = NULL;
    assert_int_equal(tls_world_open(w, options, &error), status);
    assert_null(w->tls);
    if (strstr(yurpc_error_text(error), part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, yurpc_error_text(error));
    }
    yurpc_error_free(error);
}

static void files_that_cannot_be_used_say_why(void **state)
{
    tls_world *w = *state;
    yr_tls_options pair = {.cert_file = w->cert_path, .key_file = w->key_path};
    assert_unusable(w, &(yr_tls_options){.cert_file = "a"}, YURPC_INVALID,
                    "only the certificate file is given");
    assert_unusable(w, &(yr_tls_options){.key_file = "a"}, YURPC_INVALID,
                    "only the key file is given");
    assert_unusable(w, &(yr_tls_options){.ca_file = "/none/ca.pem"}, YURPC_IO,
                    "cannot read the CA file /none/ca.pem: no such file or directory");
    assert_unusable(w, &(yr_tls_options){.ca_file = "/tmp"}, YURPC_IO, "it is not a file");
    assert_unusable(w, &(yr_tls_options){.ca_file = "/dev/zero"}, YURPC_IO, "is not a file");
    write_text(w->cert_path, "");
    assert_unusable(w, &(yr_tls_options){.ca_file = w->cert_path}, YURPC_TLS,
                    "holds no certificate in PEM");
    assert_int_equal(truncate(w->cert_path, YR_UV_PEM_MAX), 0);
    assert_unusable(w, &(yr_tls_options){.ca_file = w->cert_path}, YURPC_IO, "too large");
    tls_world_write_cert(w, "first", 0, 0);
    write_text(w->key_path, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED "
                            "PRIVATE KEY-----\n");
    assert_unusable(w, &pair, YURPC_TLS, "that can be read without a password");
}

static void lack_of_memory_leaves_nothing(void **state)
{
    tls_world *w = *state;
    tls_world_write_cert(w, "first", 0, 0);
    yr_tls_options options = {
        .ca_file = w->ca_path, .cert_file = w->cert_path, .key_file = w->key_path};
    long allowed = 0;
    for (; w->tls == NULL; allowed++) {
        yurpc_error *error = NULL;
        yr_mem_fail_after(allowed);
        yurpc_status status = tls_world_open(w, &options, &error);
        yr_mem_fail_after(-1);
        assert_true(status == YURPC_OK || status == YURPC_NO_MEMORY);
        assert_int_equal(yurpc_error_status(error), status);
        yurpc_error_free(error);
    }
    assert_true(allowed > 5);            /* the object, three paths, three files */
    for (long n = 0; n < allowed; n++) { /* renewing keeps what there is */
        yr_mem_fail_after(n);
        assert_non_null(yr_uv_tls_refresh(yr_uv_tls_of(w->tls)));
        yr_mem_fail_after(-1);
    }
    tls_world_connect_local(w, 0, true);
    assert_peer_sees(w, "first");
}

static void insecure_accepts_anybody_and_says_so_each_time(void **state)
{
    tls_world *w = *state;
    yr_cert cert;
    yr_cert_init(&cert, &(yr_cert_options){.name = "anybody", .from_s = -2, .until_s = -1});
    assert_ok(tls_world_open(w, &(yr_tls_options){.is_insecure = true}, NULL));
    for (size_t i = 0; i < 2; i++) {
        tls_world_connect(w, "localhost", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
        assert_true(w->session.is_open);
        assert_int_equal(w->line_count, i + 1);
        assert_int_equal(w->levels[i], YURPC_LOG_WARN);
        assert_non_null(strstr(w->lines[i], "nothing proves who answers at localhost:2379"));
    }
    yr_cert_deinit(&cert);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tls_world_set_up, tls_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_are_read_again_for_each_connection),
        TEST(a_pair_that_is_half_renewed_changes_nothing_and_is_said_once),
        TEST(a_file_that_is_gone_or_garbage_changes_nothing),
        TEST(a_key_that_others_may_read_is_warned_of_once),
        TEST(files_that_cannot_be_used_say_why),
        TEST(lack_of_memory_leaves_nothing),
        TEST(insecure_accepts_anybody_and_says_so_each_time),
    };
    return cmocka_run_group_tests_name("uv_tls", tests, NULL, NULL);
}
