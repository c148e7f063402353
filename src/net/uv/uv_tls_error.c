#include "net/uv/uv_tls_error.h"

#include "base/error.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

enum {
    NAME_SIZE = 128,  /* of a certificate's name in a text */
    NAMES_SIZE = 200, /* of all its names */
    DATE_SIZE = 32,
};

/* ---- What a certificate says, as text; cut when long ---- */

static void copy_out(BIO *bio, char *text, size_t size)
{
    int len = bio == NULL ? 0 : BIO_read(bio, text, (int)size - 1);
    text[len > 0 ? len : 0] = '\0';
    BIO_free(bio);
}

/* "CN=etcd-ca,O=acme" */
static void format_name(const X509_NAME *name, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && name != NULL) {
        (void)X509_NAME_print_ex(bio, name, 0,
                                 XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
    }
    copy_out(bio, text, size);
}

/* "Nov 22 23:10:05 2026 GMT" */
static void format_date(const ASN1_TIME *date, char *text, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && date != NULL) {
        (void)ASN1_TIME_print(bio, date);
    }
    copy_out(bio, text, size);
}

static void print_address(BIO *bio, const ASN1_OCTET_STRING *octets)
{
    const unsigned char *bytes = ASN1_STRING_get0_data(octets);
    int len = ASN1_STRING_length(octets);
    char text[INET6_ADDRSTRLEN];
    bool is_sound = (len == 4 || len == 16) &&
                    inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, sizeof text) != NULL;
    (void)BIO_printf(bio, "IP:%s", is_sound ? text : "something that is no address");
}

/* Whom the certificate is for: "DNS:*.acme.com, IP:10.0.0.1"; or why it is for nobody. */
static void format_names(const X509 *certificate, char *text, size_t size)
{
    GENERAL_NAMES *names =
        certificate == NULL ? NULL
                            : X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    int shown = 0;
    for (int i = 0; bio != NULL && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS && name->type != GEN_IPADD) {
            continue;
        }
        (void)BIO_printf(bio, "%s", shown++ > 0 ? ", " : "");
        if (name->type == GEN_DNS) {
            (void)BIO_printf(bio, "DNS:%.*s", ASN1_STRING_length(name->d.dNSName),
                             (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        } else {
            print_address(bio, name->d.iPAddress);
        }
    }
    GENERAL_NAMES_free(names);
    if (shown == 0 && bio != NULL) {
        (void)BIO_printf(bio, "nobody (it has no subjectAltName)");
    }
    copy_out(bio, text, size);
}

/* ---- We refuse ---- */

static yurpc_error *error_of_issuer(const yr_uv_session *session, const X509 *certificate)
{
    const char *ca_path = session->tls->ca.path;
    char issuer[NAME_SIZE];
    format_name(X509_get_issuer_name(certificate), issuer, sizeof issuer);
    return yr_error_new(YURPC_TLS, -1,
                        "the certificate of %s is issued by \"%s\", whom %s%s does not vouch "
                        "for: give the CA file of that server",
                        session->target, issuer,
                        ca_path != NULL ? "the CA file " : "the system's CA store",
                        ca_path != NULL ? ca_path : "");
}

static yurpc_error *error_of_name(const yr_uv_session *session, const X509 *certificate)
{
    char names[NAMES_SIZE];
    format_names(certificate, names, sizeof names);
    return yr_error_new(YURPC_TLS, -1,
                        "the certificate of %s is for %s, not for %s%s: use a name that is "
                        "in it, or have it issued for this one",
                        session->target, names,
                        session->is_address ? "IP:" : "DNS:", session->host);
}

static yurpc_error *error_of_time(const yr_uv_session *session, const X509 *certificate,
                                  bool is_expired)
{
    char subject[NAME_SIZE];
    char date[DATE_SIZE];
    format_name(X509_get_subject_name(certificate), subject, sizeof subject);
    format_date(is_expired ? X509_get0_notAfter(certificate) : X509_get0_notBefore(certificate),
                date, sizeof date);
    return is_expired
               ? yr_error_new(YURPC_TLS, -1,
                              "the certificate of %s (\"%s\") expired on %s: renew it",
                              session->target, subject, date)
               : yr_error_new(YURPC_TLS, -1,
                              "the certificate of %s (\"%s\") is not valid before %s: is "
                              "the clock of this machine right?",
                              session->target, subject, date);
}

yurpc_error *yr_uv_tls_error_of_verdict(const yr_uv_session *session, X509_STORE_CTX *store)
{
    int verdict = X509_STORE_CTX_get_error(store);
    const X509 *current = X509_STORE_CTX_get_current_cert(store);
    const X509 *leaf = X509_STORE_CTX_get0_cert(store);
    current = current != NULL ? current : leaf;
    switch (verdict) {
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE: /* a CA of the same name with another key */
        return error_of_issuer(session, current);
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return error_of_name(session, leaf);
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return error_of_time(session, current, true);
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return error_of_time(session, current, false);
    default:
        return yr_error_new(YURPC_TLS, -1, "the certificate of %s is not accepted: %s",
                            session->target, X509_verify_cert_error_string(verdict));
    }
}

/* ---- They refuse ---- */

/* @p why is what they said. */
static yurpc_error *error_of_our_certificate(const yr_uv_session *session, const char *why)
{
    const X509 *ours = SSL_get_certificate(session->ssl);
    if (ours == NULL) {
        return yr_error_new(YURPC_TLS, -1,
                            "%s wants a client certificate (%s): give a certificate file and "
                            "its key file",
                            session->target, why);
    }
    char subject[NAME_SIZE];
    char date[DATE_SIZE];
    format_name(X509_get_subject_name(ours), subject, sizeof subject);
    format_date(X509_get0_notAfter(ours), date, sizeof date);
    bool is_expired = X509_cmp_current_time(X509_get0_notAfter(ours)) < 0;
    return yr_error_new(YURPC_TLS, -1, "%s refuses our certificate %s (\"%s\", %s %s): %s",
                        session->target, session->tls->cert.path, subject,
                        is_expired ? "which expired on" : "valid until", date, why);
}

yurpc_error *yr_uv_tls_error_of_protocol(const yr_uv_session *session)
{
    return yr_error_new(YURPC_TLS, -1,
                        "%s speaks TLS but not HTTP/2 (ALPN h2): is it etcd, or a proxy that "
                        "cannot do gRPC?",
                        session->target);
}

static yurpc_error *error_of_alert(const yr_uv_session *session, int alert)
{
    const char *text = alert == SSL_AD_CERTIFICATE_REQUIRED /* which OpenSSL 3.0 cannot name */
                           ? "certificate required"
                           : SSL_alert_desc_string_long(alert);
    switch (alert) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return error_of_our_certificate(session, text);
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return yr_uv_tls_error_of_protocol(session);
    case SSL_AD_PROTOCOL_VERSION:
        return yr_error_new(YURPC_TLS, -1, "%s does not speak TLS 1.2 or newer",
                            session->target);
    default:
        break;
    }
    if (session->is_asked && SSL_get_certificate(session->ssl) == NULL) {
        return error_of_our_certificate(session, text);
    }
    return yr_error_new(YURPC_TLS, -1, "%s broke off TLS: %s", session->target, text);
}

/* ---- What else may be ---- */

static bool is_alert_or_handshake(unsigned char first)
{
    return first == SSL3_RT_ALERT || first == SSL3_RT_HANDSHAKE;
}

yurpc_error *yr_uv_tls_error_of_failure(const yr_uv_session *session)
{
    unsigned long error = ERR_peek_last_error();
    int reason = ERR_GET_REASON(error);
    if (session->has_input && !is_alert_or_handshake(session->first)) {
        return yr_error_new(YURPC_TLS, -1, "%s does not speak TLS: use http:// for it",
                            session->target);
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET &&
        reason <= SSL_AD_REASON_OFFSET + UINT8_MAX) {
        return error_of_alert(session, reason - SSL_AD_REASON_OFFSET);
    }
    if (reason == ERR_R_MALLOC_FAILURE) {
        return yr_error_new(YURPC_NO_MEMORY, -1, "out of memory");
    }
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_UNSUPPORTED_PROTOCOL) {
        return error_of_alert(session, SSL_AD_PROTOCOL_VERSION);
    }
    const char *text = ERR_reason_error_string(error);
    return yr_error_new(YURPC_TLS, -1, "TLS with %s failed: %s", session->target,
                        text != NULL ? text : "for an unknown reason");
}

yurpc_error *yr_uv_tls_error_of_end(const yr_uv_session *session, const yurpc_error *cause)
{
    const char *text = cause != NULL ? yurpc_error_text(cause) : "it closed the connection";
    if (!session->is_open && !session->has_input) {
        return yr_error_new(YURPC_UNAVAILABLE, -1,
                            "%s hung up when TLS began: does it speak TLS? if not, use "
                            "http:// for it (%s)",
                            session->target, text);
    }
    /* In TLS 1.3 the verdict on our certificate comes after the handshake, and may get lost. */
    if (session->is_asked && !session->is_heard) {
        return error_of_our_certificate(session, text);
    }
    if (!session->is_open) {
        return yr_error_new(YURPC_UNAVAILABLE, -1, "%s hung up in the TLS handshake (%s)",
                            session->target, text);
    }
    return cause != NULL ? yr_error_copy(cause)
                         : yr_error_new(YURPC_UNAVAILABLE, -1,
                                        "the connection with %s was cut off", session->target);
}
