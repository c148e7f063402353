#include "net/uv/uv_tls.h"

#include "base/error.h"
#include "base/mem.h"

#include <string.h>

#include <openssl/evp.h>

_Static_assert(YR_UV_TLS_DIGEST_LEN == 256 / 8, "SHA-256");

static void forget_files(yr_uv_tls *tls)
{
    yr_uv_pem_forget(&tls->ca);
    yr_uv_pem_forget(&tls->cert);
    yr_uv_pem_forget(&tls->key);
}

static void tls_free(yr_tls *base)
{
    yr_uv_tls *tls = yr_uv_tls_of(base);
    yr_uv_pem_deinit(&tls->ca);
    yr_uv_pem_deinit(&tls->cert);
    yr_uv_pem_deinit(&tls->key);
    SSL_CTX_free(tls->context);
    yurpc_error_free(tls->failure);
    yr_private_free(tls->plain);
    yr_free(tls);
}

/* ---- Reading ---- */

static yurpc_status read_files(yr_uv_tls *tls, yurpc_error **ret_error)
{
    yr_uv_pem *files[] = {&tls->ca, &tls->cert, &tls->key};
    yurpc_status status = YURPC_OK;
    for (size_t i = 0; i < 3 && status == YURPC_OK; i++) {
        status = yr_uv_pem_read(files[i], ret_error);
    }
    return status;
}

static bool add_to_digest(EVP_MD_CTX *state, const yr_uv_pem *pem)
{
    uint64_t len = pem->bytes.len;
    return EVP_DigestUpdate(state, &len, sizeof len) == 1 &&
           EVP_DigestUpdate(state, pem->bytes.data, pem->bytes.len) == 1;
}

static yurpc_status digest_files(const yr_uv_tls *tls, unsigned char *digest)
{
    EVP_MD_CTX *state = EVP_MD_CTX_new();
    bool is_done = state != NULL && EVP_DigestInit_ex(state, EVP_sha256(), NULL) == 1 &&
                   add_to_digest(state, &tls->ca) && add_to_digest(state, &tls->cert) &&
                   add_to_digest(state, &tls->key) &&
                   EVP_DigestFinal_ex(state, digest, NULL) == 1;
    EVP_MD_CTX_free(state);
    return is_done ? YURPC_OK : YURPC_NO_MEMORY;
}

static void warn_of_exposure(yr_uv_tls *tls)
{
    if (tls->key.is_exposed && !tls->is_exposure_known) {
        tls->is_exposure_known = true;
        yr_log_write(&tls->log, YURPC_LOG_WARN, "tls",
                     "others than its owner may read the key file %s: chmod 600 it",
                     tls->key.path);
    }
}

/* A new context if the files have changed. */
static yurpc_status update(yr_uv_tls *tls, yurpc_error **ret_error)
{
    unsigned char digest[YR_UV_TLS_DIGEST_LEN];
    yurpc_status status = read_files(tls, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    warn_of_exposure(tls);
    status = digest_files(tls, digest);
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    if (tls->context != NULL && memcmp(digest, tls->digest, sizeof digest) == 0) {
        return YURPC_OK;
    }
    SSL_CTX *context = NULL;
    status = yr_uv_tls_context_new(&tls->ca, &tls->cert, &tls->key, &context, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    if (tls->context != NULL) {
        yr_log_write(&tls->log, YURPC_LOG_INFO, "tls", "the certificate files were read anew");
    }
    SSL_CTX_free(tls->context);
    tls->context = context;
    memcpy(tls->digest, digest, sizeof digest);
    return YURPC_OK;
}

SSL_CTX *yr_uv_tls_refresh(yr_uv_tls *tls)
{
    yurpc_error *failure = NULL;
    yurpc_status status = update(tls, &failure);
    forget_files(tls);
    if (status != YURPC_OK && strcmp(yurpc_error_text(failure),
                                     yurpc_error_text(tls->failure)) != 0) { /* said once */
        yr_log_write(&tls->log, YURPC_LOG_ERROR, "tls", "%s; what was read before stays in use",
                     yurpc_error_text(failure));
    }
    yurpc_error_free(tls->failure);
    tls->failure = failure;
    return tls->context;
}

/* ---- Life ---- */

static yurpc_status copy_options(yr_uv_tls *tls, const yr_tls_options *options)
{
    yurpc_status status = yr_uv_pem_init(&tls->ca, "CA file", options->ca_file);
    if (status == YURPC_OK) {
        status = yr_uv_pem_init(&tls->cert, "certificate file", options->cert_file);
    }
    if (status == YURPC_OK) {
        status = yr_uv_pem_init(&tls->key, "key file", options->key_file);
    }
    return status;
}

yurpc_status yr_uv_tls_new(yr_io *io, const yr_tls_options *options, const yr_log *log,
                           yr_tls **ret_tls, yurpc_error **ret_error)
{
    (void)io;
    yr_uv_tls *tls = yr_calloc(1, sizeof *tls);
    /* A program that exits while our thread still runs must not lose OpenSSL under it. */
    if (tls == NULL || OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL) != 1) {
        yr_free(tls);
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    tls->tls.free = tls_free;
    tls->log = *log;
    tls->is_insecure = options->is_insecure;
    tls->plain = yr_private_realloc(NULL, YR_UV_TLS_RECORD_MAX);
    yurpc_status status = tls->plain == NULL ? YURPC_NO_MEMORY : copy_options(tls, options);
    status =
        status == YURPC_OK ? update(tls, ret_error) : yr_error_set_status(ret_error, status);
    forget_files(tls);
    if (status != YURPC_OK) {
        tls_free(&tls->tls);
        return status;
    }
    *ret_tls = &tls->tls;
    return YURPC_OK;
}
