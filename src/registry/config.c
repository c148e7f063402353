#include "registry/config.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/properties.h"
#include "base/utf8.h"
#include "registry/driver_table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PREFIX           "rpc.registryConfig"
#define FILE_VARIABLE    "YURPC_CONFIG"
#define REGISTRY_DEFAULT "etcd"

enum {
    TEXT_LEN_MAX = 4096,
    LABEL_LEN_MAX = 300,
    NAME_LEN_MAX = 64, /* of keys that are compared with the known ones */
    DISTANCE_MAX = 3,  /* edits between a misspelt key and the one that was meant */
    WARNINGS_MAX = 20, /* about one file */
    DIGITS_MAX = 18,   /* of a number that surely fits in 63 bits */
};

typedef enum setting_id {
    SETTING_REGISTRY,
    SETTING_ADDRESS,
    SETTING_USERNAME,
    SETTING_PASSWORD,
    SETTING_TIMEOUT,
    SETTING_TTL,
    SETTING_COUNT,
} setting_id;

/* What can be set, and where. A text has no unit. */
typedef struct setting_rule {
    const char *key; /* under PREFIX */
    const char *variable;
    const char *field; /* of yurpc_registry_config */
    const char *unit;
    int64_t min;
    int64_t max;
    int64_t number_default;
    bool is_bare; /* a text of which blanks at the end are no part */
} setting_rule;

static const setting_rule rules[] = {
    [SETTING_REGISTRY] = {.key = "registry",
                          .variable = "YURPC_REGISTRY",
                          .field = "registry",
                          .is_bare = true},
    [SETTING_ADDRESS] = {.key = "address",
                         .variable = "YURPC_ADDRESS",
                         .field = "address",
                         .is_bare = true},
    [SETTING_USERNAME] = {.key = "username", .variable = "YURPC_USERNAME", .field = "username"},
    [SETTING_PASSWORD] = {.key = "password", .variable = "YURPC_PASSWORD", .field = "password"},
    [SETTING_TIMEOUT] = {.key = "timeout",
                         .variable = "YURPC_TIMEOUT",
                         .field = "timeout_ms",
                         .unit = "milliseconds",
                         .min = YR_TIMEOUT_MIN_MS,
                         .max = YR_TIMEOUT_MAX_MS,
                         .number_default = YR_TIMEOUT_DEFAULT_MS},
    [SETTING_TTL] = {.key = "ttl",
                     .variable = "YURPC_TTL",
                     .field = "ttl_s",
                     .unit = "seconds",
                     .min = YR_TTL_MIN_S,
                     .max = YR_TTL_MAX_S,
                     .number_default = YR_TTL_DEFAULT_S},
};

_Static_assert(sizeof rules / sizeof *rules == SETTING_COUNT, "one rule for each setting");

/* What was found for a setting, and where: the words with which an error begins. */
typedef struct found_value {
    const char *text;            /* NULL: nowhere. Borrowed from caller, environment or file */
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

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein distance, letters of either case being the same. */
static size_t edit_distance(yurpc_bytes name, const char *known)
{
    size_t known_len = strlen(known);
    size_t row[NAME_LEN_MAX + 1];
    if (name.len > NAME_LEN_MAX || known_len > NAME_LEN_MAX) {
        return SIZE_MAX;
    }
    for (size_t k = 0; k <= known_len; k++) {
        row[k] = k;
    }
    for (size_t i = 1; i <= name.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t k = 1; k <= known_len; k++) {
            size_t above = row[k];
            bool is_same = strncasecmp((const char *)name.data + i - 1, known + k - 1, 1) == 0;
            row[k] = min3(above + 1, row[k - 1] + 1, diagonal + (is_same ? 0 : 1));
            diagonal = above;
        }
    }
    return row[known_len];
}

static void warn_of_key(const config_loader *loader, yr_property property, yurpc_bytes name)
{
    const setting_rule *nearest = &rules[0];
    size_t nearest_distance = SIZE_MAX;
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        size_t distance = edit_distance(name, rules[i].key);
        if (distance < nearest_distance) {
            nearest_distance = distance;
            nearest = &rules[i];
        }
    }
    /* Of a short name more than half would be another word. */
    if (nearest_distance <= DISTANCE_MAX && nearest_distance <= name.len / 2) {
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
            (void)snprintf(value->label, sizeof value->label, "environment variable %s",
                           rules[i].variable);
        }
    }
}

static void read_given(config_loader *loader)
{
    const yurpc_registry_config *given = loader->given;
    const char *texts[SETTING_COUNT] = {
        [SETTING_REGISTRY] = given->registry,
        [SETTING_ADDRESS] = given->address,
        [SETTING_USERNAME] = given->username,
        [SETTING_PASSWORD] = given->password,
    };
    uint32_t numbers[SETTING_COUNT] = {
        [SETTING_TIMEOUT] = given->timeout_ms,
        [SETTING_TTL] = given->ttl_s,
    };
    for (size_t i = 0; i < SETTING_COUNT; i++) {
        found_value *value = &loader->values[i];
        if (numbers[i] != 0) {
            (void)snprintf(value->number, sizeof value->number, "%" PRIu32, numbers[i]);
            texts[i] = value->number;
        }
        if (texts[i] != NULL) {
            value->text = texts[i];
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

static yurpc_status settle_number(const config_loader *loader, setting_id id,
                                  int64_t *ret_number)
{
    const found_value *value = &loader->values[id];
    const setting_rule *rule = &rules[id];
    if (value->text == NULL) {
        *ret_number = rule->number_default;
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
    *ret_number = number;
    return YURPC_OK;
}

/* A copy of the text; NULL when there is none, or an empty one. */
static yurpc_status settle_text(const config_loader *loader, setting_id id, char **ret_text)
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
    *ret_text = copy;
    return YURPC_OK;
}

static yurpc_status settle_registry(const config_loader *loader, char **ret_registry)
{
    yurpc_status status = settle_text(loader, SETTING_REGISTRY, ret_registry);
    if (status != YURPC_OK) {
        return status;
    }
    if (*ret_registry == NULL) {
        *ret_registry = yr_strdup(REGISTRY_DEFAULT);
        return *ret_registry != NULL ? YURPC_OK
                                     : yr_error_set_status(loader->ret_error, YURPC_NO_MEMORY);
    }
    if (yr_driver_find(*ret_registry) != NULL) {
        return YURPC_OK;
    }
    return yr_error_set(
        loader->ret_error, YURPC_INVALID, -1, "%s: there is no registry '%.40s'; there are: %s",
        loader->values[SETTING_REGISTRY].label, *ret_registry, yr_driver_names());
}

static yurpc_status settle_all(const config_loader *loader, yr_config *config)
{
    int64_t ttl_s = 0;
    yurpc_status status = settle_registry(loader, &config->registry);
    if (status == YURPC_OK) {
        status = settle_text(loader, SETTING_ADDRESS, &config->address);
    }
    if (status == YURPC_OK) {
        status = settle_text(loader, SETTING_USERNAME, &config->username);
    }
    if (status == YURPC_OK) {
        status = settle_text(loader, SETTING_PASSWORD, &config->password);
    }
    if (status == YURPC_OK) {
        status = settle_number(loader, SETTING_TIMEOUT, &config->timeout_ms);
    }
    if (status == YURPC_OK) {
        status = settle_number(loader, SETTING_TTL, &ttl_s);
    }
    config->ttl_ms = ttl_s * 1000;
    return status;
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
    if (config->password != NULL) {
        explicit_bzero(config->password, strlen(config->password));
    }
    yr_free(config->password);
    yr_free(config->username);
    yr_free(config->address);
    yr_free(config->registry);
    yr_free(config);
}
