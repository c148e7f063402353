#include "net/uv/uv_tls_session.h"

#include "base/error.h"
#include "net/uv/uv_tls_error.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* ---- What the peer has to prove ---- */

static yr_uv_session *session_of_store(X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    return SSL_get_app_data(ssl);
}

static int on_verdict(int is_good, X509_STORE_CTX *store)
{
    yr_uv_session *session = session_of_store(store);
    if (is_good == 0 && session->error == NULL) {
        session->error = yr_uv_tls_error_of_verdict(session, store);
    }
    return is_good;
}

static int on_asked(SSL *ssl, void *context)
{
    (void)ssl;
    ((yr_uv_session *)context)->is_asked = true;
    return 1;
}

/* The host as certificates name it: "localhost." is "localhost", "fe80::1%eth0" is "fe80::1".
 */
static yurpc_status set_host(yr_uv_session *session, const char *host, uint16_t port)
{
    struct sockaddr_storage address;
    size_t len = strlen(host);
    if (len > YR_HOST_MAX) {
        return YURPC_INVALID;
    }
    session->is_address = yr_address_parse(host, port, &address);
    if (session->is_address) {
        len = strcspn(host, "%");
    } else if (len > 0 && host[len - 1] == '.') {
        len--;
    }
    /* OpenSSL would check no name at all; or take any name below that domain. */
    if (len == 0 || host[0] == '.') {
        return YURPC_INVALID;
    }
    memcpy(session->host, host, len);
    session->host[len] = '\0';
    X509_VERIFY_PARAM *rules = SSL_get0_param(session->ssl);
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    bool is_set = session->is_address
                      ? X509_VERIFY_PARAM_set1_ip_asc(rules, session->host) == 1
                      : X509_VERIFY_PARAM_set1_host(rules, session->host, len) == 1 &&
                            SSL_set_tlsext_host_name(session->ssl, session->host) == 1;
    return is_set ? YURPC_OK : YURPC_NO_MEMORY;
}

/* ---- Life ---- */

static yurpc_status make_ssl(yr_uv_session *session)
{
    session->ssl = SSL_new(yr_uv_tls_refresh(session->tls));
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    if (session->ssl == NULL || session->in == NULL || session->out == NULL) {
        BIO_free(session->in);
        BIO_free(session->out);
        return YURPC_NO_MEMORY;
    }
    SSL_set_bio(session->ssl, session->in, session->out);
    (void)SSL_set_app_data(session->ssl, session);
    SSL_set_verify(session->ssl, session->tls->is_insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER,
                   session->tls->is_insecure ? NULL : on_verdict);
    SSL_set_cert_cb(session->ssl, on_asked, session);
    SSL_set_connect_state(session->ssl);
    return YURPC_OK;
}

yurpc_status yr_uv_session_init(yr_uv_session *session, yr_uv_tls *tls, const char *host,
                                uint16_t port)
{
    *session = (yr_uv_session){.tls = tls};
    ERR_clear_error();
    yurpc_status status = make_ssl(session);
    if (status == YURPC_OK) {
        status = set_host(session, host, port);
    }
    if (status != YURPC_OK) {
        yr_uv_session_deinit(session);
        return status;
    }
    yr_address_format_host(host, port, session->target);
    if (tls->is_insecure) {
        yr_log_write(&tls->log, YURPC_LOG_WARN, "tls",
                     "nothing proves who answers at %s: certificates are not verified",
                     session->target);
    }
    return YURPC_OK;
}

void yr_uv_session_deinit(yr_uv_session *session)
{
    SSL_free(session->ssl);
    yurpc_error_free(session->error);
    *session = (yr_uv_session){.tls = NULL};
}

/* ---- Bytes ---- */

static void fail(yr_uv_session *session)
{
    if (session->error == NULL) {
        session->error = yr_uv_tls_error_of_failure(session);
    }
    ERR_clear_error();
}

yurpc_status yr_uv_session_feed(yr_uv_session *session, yurpc_bytes bytes)
{
    size_t len = 0;
    if (!session->has_input) {
        session->has_input = true;
        session->first = *(const unsigned char *)bytes.data;
    }
    return BIO_write_ex(session->in, bytes.data, bytes.len, &len) == 1 ? YURPC_OK
                                                                       : YURPC_NO_MEMORY;
}

static bool has_chosen_http2(const SSL *ssl)
{
    const unsigned char *protocol = NULL;
    unsigned len = 0;
    SSL_get0_alpn_selected(ssl, &protocol, &len);
    return len == 2 && memcmp(protocol, "h2", 2) == 0;
}

bool yr_uv_session_advance(yr_uv_session *session)
{
    if (session->is_open) {
        return true;
    }
    ERR_clear_error();
    int result = SSL_do_handshake(session->ssl);
    if (result != 1) {
        if (SSL_get_error(session->ssl, result) == SSL_ERROR_WANT_READ) {
            return true;
        }
        fail(session);
        return false;
    }
    if (!has_chosen_http2(session->ssl)) {
        session->error = yr_uv_tls_error_of_protocol(session);
        return false;
    }
    session->is_open = true;
    return true;
}

yr_uv_session_event yr_uv_session_read(yr_uv_session *session, yurpc_bytes *ret_bytes)
{
    size_t len = 0;
    ERR_clear_error();
    int result = SSL_read_ex(session->ssl, session->tls->plain, YR_UV_TLS_RECORD_MAX, &len);
    if (result == 1) {
        session->is_heard = true;
        *ret_bytes = (yurpc_bytes){session->tls->plain, len};
        return YR_UV_SESSION_DATA;
    }
    switch (SSL_get_error(session->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return YR_UV_SESSION_IDLE;
    case SSL_ERROR_ZERO_RETURN:
        return YR_UV_SESSION_END;
    default:
        fail(session);
        return YR_UV_SESSION_FAILED;
    }
}

yurpc_status yr_uv_session_write(yr_uv_session *session, yurpc_bytes bytes)
{
    size_t len = 0;
    ERR_clear_error();
    /* Into memory all of it is written, or there was no memory. */
    if (SSL_write_ex(session->ssl, bytes.data, bytes.len, &len) == 1) {
        return YURPC_OK;
    }
    fail(session);
    return YURPC_NO_MEMORY;
}

void yr_uv_session_finish(yr_uv_session *session)
{
    ERR_clear_error();
    (void)SSL_shutdown(session->ssl); /* a courtesy: FIN says it, too */
    ERR_clear_error();
}

yurpc_bytes yr_uv_session_output(yr_uv_session *session)
{
    char *data = NULL;
    long len = BIO_get_mem_data(session->out, &data);
    return (yurpc_bytes){data, len > 0 ? (size_t)len : 0};
}

void yr_uv_session_output_sent(yr_uv_session *session)
{
    (void)BIO_reset(session->out);
}
