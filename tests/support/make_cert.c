/*
 * make_cert OUT NAME [names=SAN] [issuer=OTHER] [ca] [from=S] [until=S]: a certificate in
 * OUT.pem and OUT.key, for tests that are not in C. S is in seconds from now.
 */
#include "certs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATH_SIZE = 1024 };

static void load(yr_cert *cert, const char *prefix)
{
    char cert_path[PATH_SIZE];
    char key_path[PATH_SIZE];
    (void)snprintf(cert_path, sizeof cert_path, "%s.pem", prefix);
    (void)snprintf(key_path, sizeof key_path, "%s.key", prefix);
    yr_cert_read(cert, cert_path, key_path);
}

/* What stands behind @p name in "name=value"; NULL: it is another word. */
static const char *value_of(const char *word, const char *name)
{
    size_t len = strlen(name);
    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

static bool read_word(const char *word, yr_cert_options *options, yr_cert *issuer)
{
    const char *value = NULL;
    if (strcmp(word, "ca") == 0) {
        options->is_ca = true;
    } else if ((value = value_of(word, "names")) != NULL) {
        options->names = value;
    } else if ((value = value_of(word, "issuer")) != NULL) {
        load(issuer, value);
        options->issuer = issuer;
    } else if ((value = value_of(word, "from")) != NULL) {
        options->from_s = strtol(value, NULL, 10);
    } else if ((value = value_of(word, "until")) != NULL) {
        options->until_s = strtol(value, NULL, 10);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    yr_cert issuer = {.x509 = NULL};
    yr_cert cert;
    char cert_path[PATH_SIZE];
    char key_path[PATH_SIZE];
    if (argc < 3) {
        (void)fprintf(stderr, "usage: make_cert OUT NAME [WORD...]\n");
        return 2;
    }
    yr_cert_options options = {.name = argv[2]};
    for (int i = 3; i < argc; i++) {
        if (!read_word(argv[i], &options, &issuer)) {
            (void)fprintf(stderr, "make_cert: what is %s?\n", argv[i]);
            return 2;
        }
    }
    yr_cert_init(&cert, &options);
    (void)snprintf(cert_path, sizeof cert_path, "%s.pem", argv[1]);
    (void)snprintf(key_path, sizeof key_path, "%s.key", argv[1]);
    yr_cert_write(&cert, cert_path, key_path);
    yr_cert_deinit(&cert);
    yr_cert_deinit(&issuer);
    return 0;
}
