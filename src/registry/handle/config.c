#include "registry/handle/config.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/misspelling.h"
#include "base/properties.h"
#include "base/utf8.h"
#include "registry/consumer/allow_list.h"
#include "registry/handle/driver_table.h"
#include "registry/runtime_dir.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX           "rpc.registryConfig"
#define FILE_VARIABLE    "YURPC_CONFIG"
#define REGISTRY_DEFAULT "etcd"
#define CACHE_DIR_NONE   "none"

enum {
    TEXT_LEN_MAX = 4096,
    LABEL_LEN_MAX = 300,
    WARNINGS_MAX = 20, /* about one file */
    DIGITS_MAX = 18,   /* of a number that surely fits in 63 bits */
};

typedef enum setting_kind {
    SETTING_TEXT,   /* char * */
    SETTING_NUMBER, /* int64_t; given as uint32_t, 0: not given */
    SETTING_SWITCH, /* bool; given as bool, false: not given */
} setting_kind;

/* What can be set, where, and where it goes. */
typedef struct setting_rule {
    const char *key; /* under PREFIX */
    const char *variable;
    const char *field; /* of yurpc_registry_config */
    setting_kind kind;
    size_t given;    /* offset in yurpc_registry_config */
    size_t settled;  /* offset in yr_config */
    bool is_bare;    /* a text of which blanks at the end are no part */
    bool is_negated; /* a switch whose fields say the opposite of its key */
    const char *unit;
    int64_t min;
    int64_t max;
    int64_t number_default;
    int64_t scale; /* from the unit to the field's */
} setting_rule;

#define FIELDS(name, settled_name)                                  \
    .field = #name, .given = offsetof(yurpc_registry_config, name), \
    .settled = offsetof(yr_config, settled_name)

static const setting_rule rules[] = {
    {.key = "registry",
     .variable = "YURPC_REGISTRY",
     FIELDS(registry, registry),
     .is_bare = true},
    {.key = "address", .variable = "YURPC_ADDRESS", FIELDS(address, address), .is_bare = true},
    {.key = "username", .variable = "YURPC_USERNAME", FIELDS(username, username)},
    {.key = "password", .variable = "YURPC_PASSWORD", FIELDS(password, password)},
    {.key = "passwordFile",
     .variable = "YURPC_PASSWORD_FILE",
     FIELDS(password_file, password_file)},
    {.key = "tlsCaFile", .variable = "YURPC_TLS_CA_FILE", FIELDS(tls_ca_file, tls.ca_file)},
    {.key = "tlsCertFile",
     .variable = "YURPC_TLS_CERT_FILE",
     FIELDS(tls_cert_file, tls.cert_file)},
    {.key = "tlsKeyFile", .variable = "YURPC_TLS_KEY_FILE", FIELDS(tls_key_file, tls.key_file)},
    {.key = "tlsInsecure",
     .variable = "YURPC_TLS_INSECURE",
     FIELDS(is_tls_insecure, tls.is_insecure),
     .kind = SETTING_SWITCH},
    {.key = "cacheDir", .variable = "YURPC_CACHE_DIR", FIELDS(cache_dir, cache_dir)},
    {.key = "protection",
     .variable = "YURPC_PROTECTION",
     FIELDS(is_unprotected, is_unprotected),
     .kind = SETTING_SWITCH,
     .is_negated = true},
    {.key = "allowedHosts",
     .variable = "YURPC_ALLOWED_HOSTS",
     FIELDS(allowed_hosts, allowed_hosts)},
    {.key = "timeout",
     .variable = "YURPC_TIMEOUT",
     FIELDS(timeout_ms, timeout_ms),
     .kind = SETTING_NUMBER,
     .unit = "milliseconds",
     .min = YR_TIMEOUT_MIN_MS,
     .max = YR_TIMEOUT_MAX_MS,
     .number_default = YR_TIMEOUT_DEFAULT_MS,
     .scale = 1},
    {.key = "ttl",
     .variable = "YURPC_TTL",
     FIELDS(ttl_s, ttl_ms),
     .kind = SETTING_NUMBER,
     .unit = "seconds",
     .min = YR_TTL_MIN_S,
     .max = YR_TTL_MAX_S,
     .number_default = YR_TTL_DEFAULT_S,
     .scale = 1000},
};

#undef FIELDS

enum { SETTING_COUNT = sizeof rules / sizeof *rules };

/* The weakest first. */
typedef enum value_source {
    SOURCE_DEFAULT,
    SOURCE_FILE,
    SOURCE_ENVIRONMENT,
    SOURCE_CALLER,
} value_source;

/* What was found for a setting, and where: the words with which an error begins. */
typedef struct found_value {
    const char *text; /* NULL: nowhere. Borrowed from caller, environment or file */
    value_source source;
    char number[DIGITS_MAX + 3]; /* backs `text` when the caller gave a number */
    char label[LABEL_LEN_MAX];
} found_value;

typedef struct config_loader {
    const yurpc_registry_config *given;
    yr_log log;
    yr_properties *properties; /* NULL: no file */
    const char *file;
    found_value values[SETTING_COUNT];
    yurpc_error **ret_error;
} config_loader;

/* ---- Where values come from, the weakest first: a later one replaces an earlier one ---- */

/* The setting's name in @p key, which may be written PREFIX.name, PREFIX[name] or
 * PREFIX['name'], as hutool reads them; empty: @p key is another's. */
static yurpc_bytes name_in_key(const char *key)
{
    static const size_t prefix_len = sizeof PREFIX - 1;
    yurpc_bytes none = {NULL, 0};
    /* In any case of letters: that a name is close to one of ours shall be noticed. */
    if (strncasecmp(key, PREFIX, prefix_len) != 0) {
        return none;
    }
    const char *name = key + prefix_len;
    size_t len = strlen(name);
    if (name[0] == '.') {
        return yr_bytes(name + 1, len - 1);
    }
    if (len < 2 || name[0] != '[' || name[len - 1] != ']') {
        return none;
    }
    bool is_quoted = len >= 4 && name[1] == '\'' && name[len - 2] == '\'';
    return is_quoted ? yr_bytes(name + 2, len - 4) : yr_bytes(name + 1, len - 2);
}

static void warn_of_key(const config_loader *loader, yr_property property, yurpc_bytes name)
{
    const setting_rule *nearest = NULL;
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        size_t edits = yr_misspelling(name, rules[i].key);
        if (edits < least) {
            least = edits;
            nearest = &rules[i];
        }
    }
    if (nearest != NULL) {
        yr_log_write(&loader->log, YURPC_LOG_WARN, "config",
                     "%s:%u: there is no key %.100s; did you mean " PREFIX ".%s?", loader->file,
                     property.line, property.key, nearest->key);
    } else {
        yr_log_write(&loader->log, YURPC_LOG_WARN, "config", "%s:%u: there is no key %.100s",
                     loader->file, property.line, property.key);
    }
}

/* The rule of exactly that name, spelt as in the file; SETTING_COUNT: none. */
static size_t find_rule(const char *key, yurpc_bytes name)
{
    if (strncmp(key, PREFIX, sizeof PREFIX - 1) != 0) {
        return SETTING_COUNT;
    }
    size_t i = 0;
    while (i < SETTING_COUNT && !yr_bytes_equal(name, yr_bytes_of_text(rules[i].key))) {
        i++;
    }
    return i;
}

static yurpc_status read_file(config_loader *loader)
{
    const char *file = loader->given->file;
    if (file == NULL) {
        file = secure_getenv(FILE_VARIABLE);
    }
    if (file == NULL || file[0] == '\0') {
        return YURPC_OK;
    }
    loader->file = file;
    yurpc_status status = yr_properties_load(file, &loader->properties, loader->ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    size_t warnings = 0;
    for (size_t i = 0; i < yr_properties_count(loader->properties); i++) {
        yr_property property = yr_properties_at(loader->properties, i);
        yurpc_bytes name = name_in_key(property.key);
        size_t rule = find_rule(property.key, name);
        if (rule < SETTING_COUNT) {
            found_value *value = &loader->values[rule];
            value->text = property.value;
            value->source = SOURCE_FILE;
            (void)snprintf(value->label, sizeof value->label, "%.200s:%u: %s", file,
                           property.line, property.key);
        } else if (name.len > 0 && warnings < WARNINGS_MAX) {
            warn_of_key(loader, property, name);
            warnings++;
        }
    }
    return YURPC_OK;
}

static void read_environment(config_loader *loader)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        const char *text = secure_getenv(rules[i].variable);
        if (text != NULL && text[0] != '\0') {
            found_value *value = &loader->values[i];
            value->text = text;
            value->source = SOURCE_ENVIRONMENT;
            (void)snprintf(value->label, sizeof value->label, "environment variable %s",
                           rules[i].variable);
        }
    }
}

/* What the caller says; NULL: nothing. A number is written into @p value. */
static const char *given_text(const yurpc_registry_config *given, const setting_rule *rule,
                              found_value *value)
{
    const char *field = (const char *)given + rule->given;
    uint32_t number = 0;
    bool is_on = false;
    switch (rule->kind) {
    case SETTING_TEXT: {
        const char *text = NULL;
        memcpy(&text, field, sizeof text);
        return text;
    }
    case SETTING_NUMBER:
        memcpy(&number, field, sizeof number);
        (void)snprintf(value->number, sizeof value->number, "%" PRIu32, number);
        return number != 0 ? value->number : NULL;
    case SETTING_SWITCH:
        memcpy(&is_on, field, sizeof is_on);
        return !is_on ? NULL : rule->is_negated ? "false" : "true";
    }
    return NULL;
}

static void read_given(config_loader *loader)
{
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        found_value *value = &loader->values[i];
        const char *text = given_text(loader->given, &rules[i], value);
        if (text != NULL) {
            value->text = text;
            value->source = SOURCE_CALLER;
            (void)snprintf(value->label, sizeof value->label, "%s", rules[i].field);
        }
    }
}

/* ---- What they mean ---- */

static size_t len_without_blanks(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t')) {
        len--;
    }
    return len;
}

/* Decimal digits and nothing else; -1: anything else, or too large. */
static int64_t parse_number(const char *text, size_t len)
{
    if (len == 0 || len > DIGITS_MAX) {
        return -1;
    }
    int64_t number = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }
        number = number * 10 + (text[i] - '0');
    }
    return number;
}

static yurpc_status settle_number(const config_loader *loader, size_t id, int64_t *ret_number)
{
    const found_value *value = &loader->values[id];
    const setting_rule *rule = &rules[id];
    if (value->text == NULL) {
        *ret_number = rule->number_default * rule->scale;
        return YURPC_OK;
    }
    /* Blanks at the end are invisible in a file, and Java drops them from numbers. */
    int64_t number = parse_number(value->text, len_without_blanks(value->text));
    if (number < rule->min || number > rule->max) {
        return yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                            "%s: '%.40s' is not a number of %s between %" PRId64
                            " and %" PRId64,
                            value->label, value->text, rule->unit, rule->min, rule->max);
    }
    *ret_number = number * rule->scale;
    return YURPC_OK;
}

static yurpc_status settle_switch(const config_loader *loader, size_t id, bool *ret_is_on)
{
    const found_value *value = &loader->values[id];
    if (value->text == NULL) {
        return YURPC_OK;
    }
    yurpc_bytes text = yr_bytes(value->text, len_without_blanks(value->text));
    bool is_true = yr_bytes_equal(text, yr_bytes_of_text("true"));
    if (!is_true && !yr_bytes_equal(text, yr_bytes_of_text("false"))) {
        return yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                            "%s: '%.40s' is neither true nor false", value->label, value->text);
    }
    *ret_is_on = is_true != rules[id].is_negated;
    return YURPC_OK;
}

/* A copy of the text; NULL when there is none, or an empty one. */
static yurpc_status settle_text(const config_loader *loader, size_t id, void *field)
{
    const found_value *value = &loader->values[id];
    if (value->text == NULL || value->text[0] == '\0') {
        return YURPC_OK;
    }
    size_t len = rules[id].is_bare ? len_without_blanks(value->text) : strlen(value->text);
    /* The text itself is not shown: it may be the password. */
    if (len > TEXT_LEN_MAX) {
        return yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                            "%s: the text is longer than %d bytes", value->label, TEXT_LEN_MAX);
    }
    if (!yr_utf8_is_plain(yr_bytes(value->text, len))) {
        return yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                            "%s: the text contains control characters or is not UTF-8",
                            value->label);
    }
    char *copy = yr_memdup0(value->text, len);
    if (copy == NULL) {
        return yr_error_set_status(loader->ret_error, YURPC_NO_MEMORY);
    }
    memcpy(field, &copy, sizeof copy);
    return YURPC_OK;
}

static yurpc_status settle_one(const config_loader *loader, size_t id, yr_config *config)
{
    void *field = (char *)config + rules[id].settled;
    switch (rules[id].kind) {
    case SETTING_TEXT:
        return settle_text(loader, id, field);
    case SETTING_NUMBER:
        return settle_number(loader, id, field);
    case SETTING_SWITCH:
        return settle_switch(loader, id, field);
    }
    return YURPC_INVALID;
}

/* Where the setting that fills this field of yr_config was found. */
static const found_value *found(const config_loader *loader, size_t settled)
{
    size_t i = 0;
    while (rules[i].settled != settled) {
        i++;
    }
    return &loader->values[i];
}

#define FOUND(loader, name) found((loader), offsetof(yr_config, name))

/* ---- What they mean together ---- */

static yurpc_status check_registry(const config_loader *loader, yr_config *config)
{
    if (config->registry == NULL) {
        config->registry = yr_strdup(REGISTRY_DEFAULT);
        return config->registry != NULL
                   ? YURPC_OK
                   : yr_error_set_status(loader->ret_error, YURPC_NO_MEMORY);
    }
    if (yr_driver_find(config->registry) != NULL) {
        return YURPC_OK;
    }
    return yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                        "%s: there is no registry '%.40s'; there are: %s",
                        FOUND(loader, registry)->label, config->registry, yr_driver_names());
}

static void drop_password(char **password)
{
    if (*password != NULL) {
        explicit_bzero(*password, strlen(*password));
        yr_free(*password);
        *password = NULL;
    }
}

/* A password or a file with it: the one from the stronger source. */
static yurpc_status check_password(const config_loader *loader, yr_config *config)
{
    if (config->password == NULL || config->password_file == NULL) {
        return YURPC_OK;
    }
    const found_value *text = FOUND(loader, password);
    const found_value *file = FOUND(loader, password_file);
    if (text->source == file->source) {
        return yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                            "%s: there is a password, too; give one of them", file->label);
    }
    drop_password(text->source < file->source ? &config->password : &config->password_file);
    return YURPC_OK;
}

static yurpc_status check_tls(const config_loader *loader, const yr_config *config)
{
    const yr_tls_options *tls = &config->tls;
    if ((tls->cert_file == NULL) != (tls->key_file == NULL)) {
        bool is_cert = tls->cert_file != NULL;
        return yr_error_set(
            loader->ret_error, YURPC_INVALID, -1,
            "%s: a certificate and its key go together: set %s, too",
            (is_cert ? FOUND(loader, tls.cert_file) : FOUND(loader, tls.key_file))->label,
            is_cert ? "tlsKeyFile" : "tlsCertFile");
    }
    bool has_credentials =
        config->username != NULL || config->password != NULL || config->password_file != NULL;
    if (tls->is_insecure && has_credentials) {
        return yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                            "%s: a password is not sent to a server whose certificate is not "
                            "verified; give tlsCaFile instead",
                            FOUND(loader, tls.is_insecure)->label);
    }
    return YURPC_OK;
}

/* The default, where nothing is given; an absolute path, because programs change folders. */
static yurpc_status check_cache_dir(const config_loader *loader, yr_config *config)
{
    char *given = config->cache_dir;
    if (given != NULL && given[0] == '/') {
        return YURPC_OK;
    }
    config->cache_dir = NULL;
    if (given != NULL && strcmp(given, CACHE_DIR_NONE) == 0) {
        yr_free(given);
        return YURPC_OK;
    }
    if (given == NULL) {
        config->cache_dir = yr_cache_dir_new();
        return config->cache_dir != NULL
                   ? YURPC_OK
                   : yr_error_set_status(loader->ret_error, YURPC_NO_MEMORY);
    }
    config->cache_dir = yr_absolute_path_new(given);
    yr_free(given);
    return config->cache_dir != NULL
               ? YURPC_OK
               : yr_error_set(loader->ret_error, YURPC_INVALID, -1,
                              "%s: the current folder has no usable path: give an absolute one",
                              FOUND(loader, cache_dir)->label);
}

static yurpc_status check_allowed_hosts(const config_loader *loader, const yr_config *config)
{
    yr_allow_list *list = NULL;
    yurpc_error *error = NULL;
    if (config->allowed_hosts == NULL ||
        yr_allow_list_new(config->allowed_hosts, &list, &error) == YURPC_OK) {
        yr_allow_list_free(list);
        return YURPC_OK;
    }
    yurpc_status status =
        yr_error_set(loader->ret_error, yurpc_error_status(error), -1, "%s: %s",
                     FOUND(loader, allowed_hosts)->label, yurpc_error_text(error));
    yurpc_error_free(error);
    return status;
}

static yurpc_status settle_all(const config_loader *loader, yr_config *config)
{
    yurpc_status status = YURPC_OK;
    for (size_t i = 0; i < SETTING_COUNT && status == YURPC_OK; i++) {
        status = settle_one(loader, i, config);
    }
    if (status == YURPC_OK) {
        status = check_registry(loader, config);
    }
    if (status == YURPC_OK) {
        status = check_password(loader, config);
    }
    if (status == YURPC_OK) {
        status = check_cache_dir(loader, config);
    }
    if (status == YURPC_OK) {
        status = check_allowed_hosts(loader, config);
    }
    return status == YURPC_OK ? check_tls(loader, config) : status;
}

static yurpc_status settle(config_loader *loader, yr_config **ret_config)
{
    yr_config *config = yr_calloc(1, sizeof *config);
    if (config == NULL) {
        return yr_error_set_status(loader->ret_error, YURPC_NO_MEMORY);
    }
    config->is_host_driven = loader->given->is_host_driven;
    config->log = loader->log;
    yurpc_status status = settle_all(loader, config);
    if (status != YURPC_OK) {
        yr_config_free(config);
        return status;
    }
    *ret_config = config;
    return YURPC_OK;
}

yurpc_status yr_config_load(const yurpc_registry_config *given, yr_config **ret_config,
                            yurpc_error **ret_error)
{
    static const yurpc_registry_config nothing = YURPC_REGISTRY_CONFIG_INIT;
    if (given == NULL) {
        given = &nothing;
    }
    if (given->size < sizeof *given) {
        return yr_error_set(ret_error, YURPC_INVALID, -1,
                            "the configuration was not begun with YURPC_REGISTRY_CONFIG_INIT");
    }
    config_loader loader = {
        .given = given,
        .log = {given->log, given->log_context, given->log_level},
        .ret_error = ret_error,
    };
    yurpc_status status = read_file(&loader);
    if (status == YURPC_OK) {
        read_environment(&loader);
        read_given(&loader);
        status = settle(&loader, ret_config);
    }
    yr_properties_free(loader.properties);
    return status;
}

void yr_config_free(yr_config *config)
{
    if (config == NULL) {
        return;
    }
    drop_password(&config->password);
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        if (rules[i].kind == SETTING_TEXT) {
            char *text = NULL;
            memcpy(&text, (char *)config + rules[i].settled, sizeof text);
            yr_free(text);
        }
    }
    yr_free(config);
}
