/* TLS sessions in memory: who is believed, and what is said of those who are not. */
#include "base/bytes.h"
#include "tls_world.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

/* ---- The server's certificate ---- */

/* What the certificate says, whom we want, and the words of the refusal; NULL: accepted. */
typedef struct verdict_case {
    const char *what;
    const char *host;
    yr_cert_options cert;
    const char *refusal;
} verdict_case;

static const verdict_case verdicts[] = {
    {"exact", "etcd.acme.com", {.names = "DNS:etcd.acme.com"}, NULL},
    {"wildcard", "one.acme.com", {.names = "DNS:*.acme.com"}, NULL},
    {"wildcard of two labels",
     "a.one.acme.com",
     {.names = "DNS:*.acme.com"},
     "is for DNS:*.acme.com, not for DNS:a.one.acme.com"},
    {"address", "127.0.0.1", {.names = "IP:127.0.0.1"}, NULL},
    {"name whose only entry is an address",
     "localhost",
     {.names = "IP:127.0.0.1"},
     "is for IP:127.0.0.1, not for DNS:localhost"},
    {"address whose only entry is a name",
     "127.0.0.1",
     {.names = "DNS:127.0.0.1"},
     "is for DNS:127.0.0.1, not for IP:127.0.0.1"},
    {"common name only",
     "old.acme.com",
     {.name = "old.acme.com"},
     "is for nobody (it has no subjectAltName), not for DNS:old.acme.com"},
    {"trailing dot", "etcd.acme.com.", {.names = "DNS:etcd.acme.com"}, NULL},
    {"expired",
     "etcd.acme.com",
     {.names = "DNS:etcd.acme.com", .from_s = -2 * TLS_HOUR_S, .until_s = -TLS_HOUR_S},
     "expired on "},
    {"not yet valid",
     "etcd.acme.com",
     {.names = "DNS:etcd.acme.com", .from_s = TLS_HOUR_S, .until_s = 2 * TLS_HOUR_S},
     "is not valid before "},
    {"partial wildcard",
     "etcd1.acme.com",
     {.names = "DNS:etcd*.acme.com"},
     "is for DNS:etcd*.acme.com, not for DNS:etcd1.acme.com"},
    {"IPv6 address", "::1", {.names = "IP:::1"}, NULL},
    {"another IPv6 address",
     "::1",
     {.names = "IP:::2,DNS:a"},
     "is for IP:::2, DNS:a, not for IP:::1"},
    {"scoped IPv6 address", "fe80::1%1", {.names = "IP:fe80::1"}, NULL},
    {"another name",
     "etcd.acme.com",
     {.names = "DNS:etcd.evil.com,DNS:b.evil.com"},
     "is for DNS:etcd.evil.com, DNS:b.evil.com, not for DNS:etcd.acme.com"},
};

static void assert_verdict(tls_world *w, const verdict_case *one)
{
    yr_cert cert;
    yr_cert_options options = one->cert;
    options.name = options.name == NULL ? "etcd" : options.name;
    options.issuer = &w->ca;
    yr_cert_init(&cert, &options);
    tls_world_connect(w, one->host, &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    print_message("%s: %s\n", one->what, yurpc_error_text(w->session.error));
    if (one->refusal == NULL) {
        assert_null(w->session.error);
        assert_true(w->session.is_open);
    } else {
        tls_world_assert_error(w, one->refusal);
        assert_false(w->session.is_open);
        assert_int_equal(w->peer.received, 0);
    }
    yr_cert_deinit(&cert);
}

static void each_certificate_gets_its_verdict(void **state)
{
    tls_world *w = *state;
    tls_world_open_with_ca(w);
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        assert_verdict(w, &verdicts[i]);
    }
}

static void a_certificate_of_another_ca_is_refused_with_its_issuer_and_our_file(void **state)
{
    tls_world *w = *state;
    yr_cert cert;
    char text[512];
    tls_world_open_with_ca(w);
    yr_cert_init(&cert, &(yr_cert_options){
                            .name = "etcd", .names = "DNS:localhost", .issuer = &w->other_ca});
    tls_world_connect(w, "localhost", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    (void)snprintf(
        text, sizeof text,
        "the certificate of localhost:2379 is issued by \"CN=other CA\", whom the CA "
        "file %s does not vouch for",
        w->ca_path);
    tls_world_assert_error(w, text);
    yr_cert_deinit(&cert);
}

static void a_certificate_signed_by_itself_is_refused_unless_it_is_the_ca_file(void **state)
{
    tls_world *w = *state;
    yr_cert cert;
    tls_world_open_with_ca(w);
    yr_cert_init(&cert, &(yr_cert_options){.name = "lonely", .names = "DNS:localhost"});
    tls_world_connect(w, "localhost", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    tls_world_assert_error(w, "is issued by \"CN=lonely\"");
    yr_cert_write(&cert, w->ca_path, NULL);
    tls_world_connect(w, "localhost", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    assert_null(w->session.error);
    assert_true(w->session.is_open);
    yr_cert_deinit(&cert);
}

/* As in Go: whoever is named in the file is trusted for himself. */
static void a_ca_in_the_middle_is_enough_as_ca_file(void **state)
{
    tls_world *w = *state;
    yr_cert middle;
    yr_cert cert;
    yr_cert_init(&middle,
                 &(yr_cert_options){.name = "middle", .issuer = &w->ca, .is_ca = true});
    yr_cert_init(
        &cert, &(yr_cert_options){.name = "etcd", .names = "DNS:localhost", .issuer = &middle});
    yr_cert_write(&middle, w->ca_path, NULL);
    tls_world_open_with_ca(w);
    tls_world_connect(w, "localhost", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    assert_null(w->session.error);
    assert_true(w->session.is_open);
    yr_cert_deinit(&middle);
    yr_cert_deinit(&cert);
}

static void the_systems_cas_do_not_vouch_for_a_private_one(void **state)
{
    tls_world *w = *state;
    yr_cert cert;
    assert_ok(tls_world_open(w, &(yr_tls_options){.ca_file = NULL}, NULL));
    yr_cert_init(
        &cert, &(yr_cert_options){.name = "etcd", .names = "DNS:localhost", .issuer = &w->ca});
    tls_world_connect(w, "localhost", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    tls_world_assert_error(w, "whom the system's CA store does not vouch for");
    yr_cert_deinit(&cert);
}

static void the_name_is_sent_for_names_only(void **state)
{
    tls_world *w = *state;
    yr_cert cert;
    tls_world_open_with_ca(w);
    yr_cert_init(&cert, &(yr_cert_options){.name = "etcd",
                                           .names = "DNS:localhost,IP:127.0.0.1",
                                           .issuer = &w->ca});
    tls_world_connect(w, "localhost.", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    assert_string_equal(w->peer.server_name, "localhost");
    tls_world_connect(w, "127.0.0.1", &(tls_peer_options){.cert = &cert, .protocol = "h2"});
    assert_true(w->session.is_open);
    assert_string_equal(w->peer.server_name, "");
    yr_cert_deinit(&cert);
}

/* OpenSSL takes an empty name as: any name will do, and ".acme.com" as: any below it. */
static void a_host_without_a_name_is_no_host(void **state)
{
    tls_world *w = *state;
    char long_host[400];
    memset(long_host, 'a', sizeof long_host - 1);
    long_host[sizeof long_host - 1] = '\0';
    tls_world_open_with_ca(w);
    const char *const hosts[] = {"", ".", "..", ".acme.com", ".acme.com.", long_host};
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
        assert_int_equal(
            yr_uv_session_init(&w->session, yr_uv_tls_of(w->tls), hosts[i], TLS_PORT),
            YURPC_INVALID);
    }
}

/* ---- The protocol ---- */

static void a_server_that_does_not_choose_http2_is_refused(void **state)
{
    tls_world *w = *state;
    yr_cert cert;
    tls_world_open_with_ca(w);
    yr_cert_init(
        &cert, &(yr_cert_options){.name = "etcd", .names = "DNS:localhost", .issuer = &w->ca});
    tls_world_connect(w, "localhost", &(tls_peer_options){.cert = &cert});
    tls_world_assert_error(w, "speaks TLS but not HTTP/2");
    tls_world_connect(w, "localhost",
                      &(tls_peer_options){.cert = &cert, .protocol = "http/1.1"});
    tls_world_assert_error(w, "speaks TLS but not HTTP/2"); /* the server's alert */
    yr_cert_deinit(&cert);
}

static void tls_before_1_2_is_refused(void **state)
{
    tls_world *w = *state;
    tls_world_open_with_ca(w);
    tls_world_connect_local(w, TLS1_1_VERSION, false);
    tls_world_assert_error(w, "does not speak TLS 1.2 or newer");
    tls_world_connect_local(w, TLS1_2_VERSION, false);
    assert_true(w->session.is_open);
}

static void a_plain_server_is_told_from_one_of_tls(void **state)
{
    tls_world *w = *state;
    tls_world_open_with_ca(w);
    static const char *const greetings[] = {"HTTP/1.0 400 Bad Request\r\n", "SSH-2.0-x\r\n",
                                            "\0\0\6\4\0\0\0\0\0\0\5\0\0\x40\0"};
    static const size_t lens[] = {26, 11, 15};
    for (size_t i = 0; i < 3; i++) {
        assert_ok(yr_uv_session_init(&w->session, yr_uv_tls_of(w->tls), "localhost", TLS_PORT));
        assert_true(yr_uv_session_advance(&w->session));
        assert_ok(yr_uv_session_feed(&w->session, yr_bytes(greetings[i], lens[i])));
        assert_false(yr_uv_session_advance(&w->session));
        tls_world_assert_error(w, "localhost:2379 does not speak TLS: use http://");
        yr_uv_session_deinit(&w->session);
    }
}

static void bytes_travel_both_ways_and_end_in_order(void **state)
{
    tls_world *w = *state;
    yurpc_bytes bytes = {NULL, 0};
    tls_world_open_with_ca(w);
    tls_world_connect_local(w, 0, false);
    assert_ok(yr_uv_session_write(&w->session, yr_bytes("hello", 5)));
    tls_world_shake(w);
    assert_int_equal(w->peer.received, 5);
    assert_memory_equal(w->peer.plain, "hello", 5);
    assert_int_equal(yr_uv_session_read(&w->session, &bytes), YR_UV_SESSION_IDLE);
    tls_peer_write(&w->peer, "world", 5);
    tls_peer_finish(&w->peer);
    assert_ok(yr_uv_session_feed(&w->session, tls_peer_output(&w->peer)));
    assert_int_equal(yr_uv_session_read(&w->session, &bytes), YR_UV_SESSION_DATA);
    assert_int_equal(bytes.len, 5);
    assert_memory_equal(bytes.data, "world", 5);
    assert_int_equal(yr_uv_session_read(&w->session, &bytes), YR_UV_SESSION_END);
}

/* What the server has to say, to us; then what we have read of it. */
static yr_uv_session_event hear(tls_world *w, yurpc_bytes *ret_bytes)
{
    assert_ok(yr_uv_session_feed(&w->session, tls_peer_output(&w->peer)));
    tls_peer_output_sent(&w->peer);
    return yr_uv_session_read(&w->session, ret_bytes);
}

static void assert_both_still_talk(tls_world *w)
{
    yurpc_bytes bytes = {NULL, 0};
    size_t received = w->peer.received;
    assert_ok(yr_uv_session_write(&w->session, yr_bytes("hello", 5)));
    tls_world_shake(w);
    assert_int_equal(w->peer.received, received + 5);
    tls_peer_write(&w->peer, "world", 5);
    assert_int_equal(hear(w, &bytes), YR_UV_SESSION_DATA);
    assert_memory_equal(bytes.data, "world", 5);
}

static void renegotiation_is_declined(void **state)
{
    tls_world *w = *state;
    yurpc_bytes bytes = {NULL, 0};
    tls_world_open_with_ca(w);
    tls_world_connect_local(w, TLS1_2_VERSION, false);
    assert_int_equal(SSL_renegotiate(w->peer.ssl), 1);
    assert_int_equal(SSL_do_handshake(w->peer.ssl), 1); /* only asks */
    assert_true(tls_peer_output(&w->peer).len > 0);
    assert_int_equal(hear(w, &bytes), YR_UV_SESSION_IDLE);
    bytes = yr_uv_session_output(&w->session);
    assert_true(bytes.len > 0);
    assert_int_equal(*(const unsigned char *)bytes.data,
                     SSL3_RT_ALERT); /* and no ClientHello */
}

static void keys_may_change_under_way(void **state)
{
    tls_world *w = *state;
    tls_world_open_with_ca(w);
    tls_world_connect_local(w, TLS1_3_VERSION, false);
    assert_both_still_talk(w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(SSL_key_update(w->peer.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        tls_peer_write(&w->peer, "x", 1);
        yurpc_bytes bytes = {NULL, 0};
        assert_int_equal(hear(w, &bytes), YR_UV_SESSION_DATA);
        assert_both_still_talk(w);
    }
}

static void a_record_that_was_tampered_with_ends_it(void **state)
{
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    tls_world *w = *state;
    tls_world_open_with_ca(w);
    for (size_t i = 0; i < 2; i++) {
        char record[256];
        yurpc_bytes bytes = {NULL, 0};
        tls_world_connect_local(w, versions[i], false);
        assert_both_still_talk(w);
        tls_peer_write(&w->peer, "pay him 100", 11);
        yurpc_bytes sent = tls_peer_output(&w->peer);
        assert_true(sent.len < sizeof record);
        memcpy(record, sent.data, sent.len);
        record[sent.len - 1] ^= 1;
        assert_ok(yr_uv_session_feed(&w->session, yr_bytes(record, sent.len)));
        assert_int_equal(yr_uv_session_read(&w->session, &bytes), YR_UV_SESSION_FAILED);
        tls_world_assert_error(w, "TLS with localhost:2379 failed: ");
    }
}

/* ---- Our certificate ---- */

/* In TLS 1.3 the server judges after the handshake: the verdict is what is read first. */
static void read_verdict(tls_world *w, int version, const char *part)
{
    yurpc_bytes bytes = {NULL, 0};
    tls_world_connect_local(w, version, true);
    assert_int_equal(w->session.is_open, version == TLS1_3_VERSION);
    if (w->session.is_open) {
        assert_int_equal(yr_uv_session_read(&w->session, &bytes), YR_UV_SESSION_FAILED);
    }
    assert_false(w->peer.is_open);
    tls_world_assert_error(w, part);
}

static void a_missing_client_certificate_is_asked_for(void **state)
{
    tls_world *w = *state;
    tls_world_open_with_ca(w);
    read_verdict(w, TLS1_3_VERSION,
                 "localhost:2379 wants a client certificate (certificate required)");
    read_verdict(w, TLS1_2_VERSION, "localhost:2379 wants a client certificate");
}

static void a_refused_client_certificate_is_named(void **state)
{
    tls_world *w = *state;
    yr_cert cert;
    yr_cert_init(&cert, &(yr_cert_options){.name = "stranger", .issuer = &w->other_ca});
    yr_cert_write(&cert, w->cert_path, w->key_path);
    yr_cert_deinit(&cert);
    tls_world_open_with_cert(w);
    read_verdict(w, TLS1_3_VERSION, "localhost:2379 refuses our certificate ");
    tls_world_assert_error(w, "\"CN=stranger\", valid until ");
    read_verdict(w, TLS1_2_VERSION, "localhost:2379 refuses our certificate ");
}

static void an_expired_client_certificate_is_called_expired(void **state)
{
    tls_world *w = *state;
    tls_world_write_cert(w, "provider", -2 * TLS_HOUR_S, -TLS_HOUR_S);
    tls_world_open_with_cert(w);
    read_verdict(w, TLS1_3_VERSION, "\"CN=provider\", which expired on ");
    tls_world_assert_error(w, "certificate expired");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, tls_world_set_up, tls_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_certificate_gets_its_verdict),
        TEST(a_certificate_of_another_ca_is_refused_with_its_issuer_and_our_file),
        TEST(a_certificate_signed_by_itself_is_refused_unless_it_is_the_ca_file),
        TEST(a_ca_in_the_middle_is_enough_as_ca_file),
        TEST(the_systems_cas_do_not_vouch_for_a_private_one),
        TEST(the_name_is_sent_for_names_only),
        TEST(a_host_without_a_name_is_no_host),
        TEST(a_server_that_does_not_choose_http2_is_refused),
        TEST(tls_before_1_2_is_refused),
        TEST(a_plain_server_is_told_from_one_of_tls),
        TEST(bytes_travel_both_ways_and_end_in_order),
        TEST(renegotiation_is_declined),
        TEST(keys_may_change_under_way),
        TEST(a_record_that_was_tampered_with_ends_it),
        TEST(a_missing_client_certificate_is_asked_for),
        TEST(a_refused_client_certificate_is_named),
        TEST(an_expired_client_certificate_is_called_expired),
    };
    return cmocka_run_group_tests_name("uv_tls_session", tests, NULL, NULL);
}
