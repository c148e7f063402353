#include "net/uv/uv_tls_context.h"

#include "base/error.h"

#include <openssl/err.h>
#include <openssl/pem.h>

/* Never ask on the terminal, as OpenSSL does when there is no such function. */
static int no_password(char *text, int size, int is_writing, void *context)
{
    (void)is_writing;
    (void)context;
    if (size > 0) {
        text[0] = '\0';
    }
    return -1;
}

static yurpc_status fail(const yr_uv_pem *pem, const char *what, yurpc_error **ret_error)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return yr_error_set(ret_error, YURPC_TLS, -1, "TLS: the %s %s %s%s%s%s", pem->role,
                        pem->path, what, reason == NULL ? "" : " (",
                        reason == NULL ? "" : reason, reason == NULL ? "" : ")");
}

static BIO *open_pem(const yr_uv_pem *pem)
{
    ERR_clear_error();
    return BIO_new_mem_buf(pem->bytes.data, (int)pem->bytes.len);
}

/* The next certificate; NULL: there is none, and then whether the file ended in order. */
static X509 *next_certificate(BIO *bio, bool *ret_is_end)
{
    X509 *certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    unsigned long error = certificate == NULL ? ERR_peek_last_error() : 0;
    *ret_is_end =
        ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (*ret_is_end) {
        ERR_clear_error();
    }
    return certificate;
}

/* ---- Whom to trust ---- */

static yurpc_status trust_all(SSL_CTX *context, BIO *bio, const yr_uv_pem *ca,
                              yurpc_error **ret_error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(context);
    bool is_end = false;
    size_t count = 0;
    X509 *certificate = NULL;
    while ((certificate = next_certificate(bio, &is_end)) != NULL) {
        int is_added = X509_STORE_add_cert(store, certificate);
        X509_free(certificate);
        if (is_added != 1) {
            return fail(ca, "cannot be used", ret_error);
        }
        count++;
    }
    if (!is_end) {
        return fail(ca, "holds a certificate that cannot be read", ret_error);
    }
    return count == 0 ? fail(ca, "holds no certificate in PEM", ret_error) : YURPC_OK;
}

static yurpc_status set_trust(SSL_CTX *context, const yr_uv_pem *ca, yurpc_error **ret_error)
{
    if (ca->path == NULL) {
        return SSL_CTX_set_default_verify_paths(context) == 1
                   ? YURPC_OK
                   : yr_error_set(ret_error, YURPC_TLS, -1,
                                  "TLS: the system's CA certificates cannot be found; give a "
                                  "CA file");
    }
    BIO *bio = open_pem(ca);
    if (bio == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    yurpc_status status = trust_all(context, bio, ca, ret_error);
    BIO_free(bio);
    /* Who is named in the file is trusted for himself, as everywhere else in etcd's world. */
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
    return status;
}

/* ---- Who we are ---- */

static yurpc_status use_chain(SSL_CTX *context, BIO *bio, const yr_uv_pem *cert,
                              yurpc_error **ret_error)
{
    bool is_end = false;
    X509 *certificate = next_certificate(bio, &is_end);
    if (certificate == NULL) {
        return fail(cert, is_end ? "holds no certificate in PEM" : "cannot be read", ret_error);
    }
    int is_used = SSL_CTX_use_certificate(context, certificate);
    X509_free(certificate);
    if (is_used != 1) {
        return fail(cert, "cannot be used", ret_error);
    }
    while ((certificate = next_certificate(bio, &is_end)) != NULL) {
        if (SSL_CTX_add0_chain_cert(context, certificate) != 1) {
            X509_free(certificate);
            return fail(cert, "cannot be used", ret_error);
        }
    }
    return is_end ? YURPC_OK : fail(cert, "holds a certificate that cannot be read", ret_error);
}

static yurpc_status set_certificate(SSL_CTX *context, const yr_uv_pem *cert,
                                    yurpc_error **ret_error)
{
    BIO *bio = open_pem(cert);
    if (bio == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    yurpc_status status = use_chain(context, bio, cert, ret_error);
    BIO_free(bio);
    return status;
}

static yurpc_status set_key(SSL_CTX *context, const yr_uv_pem *cert, const yr_uv_pem *key,
                            yurpc_error **ret_error)
{
    BIO *bio = open_pem(key);
    if (bio == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    EVP_PKEY *parsed = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    BIO_free(bio);
    if (parsed == NULL) {
        return fail(key, "holds no key in PEM that can be read without a password", ret_error);
    }
    ERR_clear_error();
    int is_used = SSL_CTX_use_PrivateKey(context, parsed);
    EVP_PKEY_free(parsed);
    if (is_used == 1 && SSL_CTX_check_private_key(context) == 1) {
        return YURPC_OK;
    }
    return yr_error_set(ret_error, YURPC_TLS, -1,
                        "TLS: the key file %s is not the key of the certificate file %s",
                        key->path, cert->path);
}

/* ---- Rules ---- */

static bool set_rules(SSL_CTX *context)
{
    static const unsigned char protocols[] = {2, 'h', '2'};
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_CLEANSE_PLAINTEXT);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_alpn_protos(context, protocols, sizeof protocols) == 0;
}

yurpc_status yr_uv_tls_context_new(const yr_uv_pem *ca, const yr_uv_pem *cert,
                                   const yr_uv_pem *key, SSL_CTX **ret_context,
                                   yurpc_error **ret_error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL || !set_rules(context)) {
        SSL_CTX_free(context);
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    yurpc_status status = set_trust(context, ca, ret_error);
    if (status == YURPC_OK && cert->path != NULL) {
        status = set_certificate(context, cert, ret_error);
    }
    if (status == YURPC_OK && cert->path != NULL) {
        status = set_key(context, cert, key, ret_error);
    }
    ERR_clear_error();
    if (status != YURPC_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *ret_context = context;
    return YURPC_OK;
}
