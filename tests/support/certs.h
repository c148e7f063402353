/*
 * Certificates for tests, made while they run: nothing that expires lies in the tree.
 *
 * Keys are of P-256. What cannot be made ends the program: link yr_test_tls.
 */
#ifndef YR_CERTS_H
#define YR_CERTS_H

#include <stdbool.h>

#include <openssl/ssl.h>

typedef struct yr_cert {
    X509 *x509;
    EVP_PKEY *key;
} yr_cert;

typedef struct yr_cert_options {
    const char *name;      /* the common name */
    const char *names;     /* subjectAltName, as "DNS:localhost,IP:127.0.0.1"; NULL: none */
    const yr_cert *issuer; /* NULL: signed by itself */
    bool is_ca;
    long from_s;  /* from now; 0 with until_s 0: a day ago to a day ahead */
    long until_s; /* from now */
} yr_cert_options;

void yr_cert_init(yr_cert *cert, const yr_cert_options *options);
void yr_cert_deinit(yr_cert *cert);

/* Write PEM files in one rename each, readable by nobody else. NULL: not that one. */
void yr_cert_write(const yr_cert *cert, const char *cert_path, const char *key_path);

/* What was written. */
void yr_cert_read(yr_cert *cert, const char *cert_path, const char *key_path);

#endif /* YR_CERTS_H */
