#include "certs.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

enum { DAY_S = 24 * 3600, PATH_SIZE = 1024 };

static void must(bool is_so, const char *what)
{
    if (!is_so) {
        (void)fprintf(stderr, "certs: cannot %s\n", what);
        abort();
    }
}

static void add_extension(X509 *x509, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, x509, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(x509, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

static void set_identity(X509 *x509, const yr_cert_options *options)
{
    uint64_t serial = 0;
    must(RAND_bytes((unsigned char *)&serial, sizeof serial) == 1, "get a serial number");
    must(X509_set_version(x509, X509_VERSION_3) == 1, "set a version");
    must(ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1) == 1, "number it");
    must(X509_NAME_add_entry_by_txt(X509_get_subject_name(x509), "CN", MBSTRING_UTF8,
                                    (const unsigned char *)options->name, -1, -1, 0) == 1,
         "name it");
    bool is_default = options->from_s == 0 && options->until_s == 0;
    must(X509_gmtime_adj(X509_getm_notBefore(x509), is_default ? -DAY_S : options->from_s) &&
             X509_gmtime_adj(X509_getm_notAfter(x509), is_default ? DAY_S : options->until_s),
         "date it");
}

void yr_cert_init(yr_cert *cert, const yr_cert_options *options)
{
    cert->key = EVP_EC_gen("P-256");
    cert->x509 = X509_new();
    must(cert->key != NULL && cert->x509 != NULL, "make a key");
    const yr_cert *issuer = options->issuer != NULL ? options->issuer : cert;
    set_identity(cert->x509, options);
    must(X509_set_issuer_name(cert->x509, X509_get_subject_name(issuer->x509)) == 1 &&
             X509_set_pubkey(cert->x509, cert->key) == 1,
         "fill in a certificate");
    add_extension(cert->x509, issuer->x509, NID_basic_constraints,
                  options->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    add_extension(cert->x509, issuer->x509, NID_key_usage,
                  options->is_ca ? "critical,keyCertSign" : "critical,digitalSignature");
    if (!options->is_ca) { /* etcd uses its own as a client's, too, towards itself */
        add_extension(cert->x509, issuer->x509, NID_ext_key_usage, "serverAuth,clientAuth");
    }
    if (options->names != NULL) {
        add_extension(cert->x509, issuer->x509, NID_subject_alt_name, options->names);
    }
    must(X509_sign(cert->x509, issuer->key, EVP_sha256()) > 0, "sign");
}

void yr_cert_deinit(yr_cert *cert)
{
    X509_free(cert->x509);
    EVP_PKEY_free(cert->key);
    *cert = (yr_cert){.x509 = NULL};
}

/* A file that is nobody else's, and becomes @p path when it is whole. */
static FILE *open_new(const char *path, char new_path[PATH_SIZE])
{
    (void)snprintf(new_path, PATH_SIZE, "%s.XXXXXX", path);
    int fd = mkstemp(new_path);
    must(fd >= 0, new_path);
    FILE *file = fdopen(fd, "w");
    must(file != NULL, new_path);
    return file;
}

static void close_new(FILE *file, const char *new_path, const char *path)
{
    must(fclose(file) == 0 && rename(new_path, path) == 0, path);
}

void yr_cert_write(const yr_cert *cert, const char *cert_path, const char *key_path)
{
    char new_path[PATH_SIZE];
    if (cert_path != NULL) {
        FILE *file = open_new(cert_path, new_path);
        must(PEM_write_X509(file, cert->x509) == 1, cert_path);
        close_new(file, new_path, cert_path);
    }
    if (key_path != NULL) {
        FILE *file = open_new(key_path, new_path);
        must(PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL) == 1, key_path);
        close_new(file, new_path, key_path);
    }
}

void yr_cert_read(yr_cert *cert, const char *cert_path, const char *key_path)
{
    FILE *file = fopen(cert_path, "re");
    must(file != NULL, cert_path);
    cert->x509 = PEM_read_X509(file, NULL, NULL, NULL);
    must(fclose(file) == 0 && cert->x509 != NULL, cert_path);
    file = fopen(key_path, "re");
    must(file != NULL, key_path);
    cert->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    must(fclose(file) == 0 && cert->key != NULL, key_path);
}
