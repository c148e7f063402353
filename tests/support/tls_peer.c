#include "tls_peer.h"

#include "yr_test.h"

#include <yurpc/status.h>

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *context)
{
    const tls_peer *peer = context;
    (void)ssl;
    size_t len = strlen(peer->protocol);
    for (unsigned i = 0; i < in_len; i += 1U + in[i]) {
        if (in[i] == len && memcmp(in + i + 1, peer->protocol, len) == 0) {
            *out = in + i + 1;
            *out_len = in[i];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void tls_peer_init(tls_peer *peer, const tls_peer_options *options)
{
    *peer = (tls_peer){.protocol = options->protocol};
    peer->context = SSL_CTX_new(TLS_server_method());
    assert_non_null(peer->context);
    assert_int_equal(SSL_CTX_use_certificate(peer->context, options->cert->x509), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(peer->context, options->cert->key), 1);
    assert_int_equal(SSL_CTX_set_min_proto_version(peer->context, TLS1_VERSION), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(peer->context, options->version_max), 1);
    if (options->version_max != 0 && options->version_max < TLS1_2_VERSION) {
        SSL_CTX_set_security_level(peer->context, 0);
    }
    if (options->client_ca != NULL) {
        SSL_CTX_set_verify(peer->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                           NULL);
        assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(peer->context),
                                             options->client_ca->x509),
                         1);
    }
    if (options->protocol != NULL) {
        SSL_CTX_set_alpn_select_cb(peer->context, choose_protocol, peer);
    }
    peer->ssl = SSL_new(peer->context);
    assert_non_null(peer->ssl);
    SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(peer->ssl);
}

void tls_peer_deinit(tls_peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    *peer = (tls_peer){.ssl = NULL};
}

static void note_open(tls_peer *peer)
{
    const char *name = SSL_get_servername(peer->ssl, TLSEXT_NAMETYPE_host_name);
    peer->is_open = true;
    (void)snprintf(peer->server_name, sizeof peer->server_name, "%s", name ? name : "");
}

static void note_plain(tls_peer *peer, const char *data, size_t len)
{
    for (size_t i = 0; i < len && peer->received + i < sizeof peer->plain; i++) {
        peer->plain[peer->received + i] = data[i];
    }
    peer->received += len;
}

void tls_peer_feed(tls_peer *peer, yurpc_bytes bytes)
{
    char data[4096];
    size_t len = 0;
    int result = 1;
    ERR_clear_error();
    assert_int_equal(BIO_write_ex(SSL_get_rbio(peer->ssl), bytes.data, bytes.len, &len), 1);
    if (!peer->is_open && !peer->is_failed) {
        result = SSL_do_handshake(peer->ssl);
        if (result == 1) {
            note_open(peer);
        }
    }
    while (peer->is_open && (result = SSL_read_ex(peer->ssl, data, sizeof data, &len)) == 1) {
        note_plain(peer, data, len);
    }
    if (result != 1 && SSL_get_error(peer->ssl, result) == SSL_ERROR_SSL) {
        peer->is_failed = true;
    }
    ERR_clear_error();
}

void tls_peer_write(tls_peer *peer, const void *data, size_t len)
{
    size_t written = 0;
    assert_int_equal(SSL_write_ex(peer->ssl, data, len, &written), 1);
}

void tls_peer_finish(tls_peer *peer)
{
    (void)SSL_shutdown(peer->ssl);
}

yurpc_bytes tls_peer_output(tls_peer *peer)
{
    char *data = NULL;
    long len = BIO_get_mem_data(SSL_get_wbio(peer->ssl), &data);
    return (yurpc_bytes){data, len > 0 ? (size_t)len : 0};
}

void tls_peer_output_sent(tls_peer *peer)
{
    (void)BIO_reset(SSL_get_wbio(peer->ssl));
}
