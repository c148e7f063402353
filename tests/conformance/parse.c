#include "parse.h"

#include "base/assert.h"
#include "kind.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WORD_LEN_MAX = 200,
    COUNT_MAX = 4 * 1024 * 1024,
};

typedef struct parser {
    yr_case_scope *scope;
    const char *at;
    const char *error; /* the first; then nothing is parsed any more */
    int index;         /* what # stands for; -1: itself */
} parser;

static void *allocate(size_t size)
{
    void *memory = calloc(1, size > 0 ? size : 1);
    YR_ASSERT(memory != NULL);
    return memory;
}

static void fail(parser *parsing, const char *error)
{
    if (parsing->error == NULL) {
        parsing->error = error;
    }
}

/* ---- Words ---- */

static void skip_space(parser *parsing)
{
    parsing->at += strspn(parsing->at, " \t\n");
}

/* Whether @p sign comes next; it is passed then. */
static bool accept(parser *parsing, char sign)
{
    skip_space(parsing);
    if (parsing->error != NULL || *parsing->at != sign) {
        return false;
    }
    parsing->at++;
    return true;
}

static void expect(parser *parsing, char sign, const char *error)
{
    if (!accept(parsing, sign)) {
        fail(parsing, error);
    }
}

/* What goes on up to a space or a sign of the grammar. */
static void take_word(parser *parsing, char *word)
{
    skip_space(parsing);
    size_t len = strcspn(parsing->at, " \t\n,:{}*");
    if (len == 0 || len >= WORD_LEN_MAX) {
        fail(parsing, "a word is missing, or is too long");
        len = 0;
    }
    memcpy(word, parsing->at, len);
    word[len] = '\0';
    parsing->at += len;
}

/* The N of "* N"; 1 when there is none. */
static size_t take_count(parser *parsing)
{
    char word[WORD_LEN_MAX];
    if (!accept(parsing, '*')) {
        return 1;
    }
    take_word(parsing, word);
    long count = strtol(word, NULL, 10);
    if (count <= 0 || count > COUNT_MAX) {
        fail(parsing, "a count is wrong");
        return 1;
    }
    return (size_t)count;
}

/* ---- Values ---- */

/* "text" with its escapes; gives its length. */
static size_t take_quoted(parser *parsing, char *text)
{
    size_t len = 0;
    while (*parsing->at != '"' && *parsing->at != '\0' && len < WORD_LEN_MAX - 1) {
        char sign = *parsing->at++;
        if (sign == '\\' && *parsing->at == '0') {
            parsing->at++;
            sign = '\0';
        } else if (sign == '\\' && *parsing->at == 'x') {
            char digits[3] = {0};
            memcpy(digits, parsing->at + 1, strnlen(parsing->at + 1, 2));
            sign = (char)strtol(digits, NULL, 16);
            parsing->at += 1 + strlen(digits);
        }
        text[len++] = sign;
    }
    expect(parsing, '"', "a quote is missing");
    return len;
}

/* ~key, ~ and ~end; gives its length. */
static size_t take_key(parser *parsing, char *text)
{
    char word[WORD_LEN_MAX];
    size_t len = strlen(parsing->scope->prefix);
    memcpy(text, parsing->scope->prefix, len);
    skip_space(parsing);
    if (*parsing->at == ',' || *parsing->at == '}' || *parsing->at == '\0') {
        return len;
    }
    take_word(parsing, word);
    if (strcmp(word, "end") == 0) {
        text[len - 1]++;
        return len;
    }
    for (const char *sign = word; *sign != '\0' && len < 2 * WORD_LEN_MAX - 16; sign++) {
        if (*sign == '#' && parsing->index >= 0) {
            len += (size_t)snprintf(text + len, 16, "%d", parsing->index);
        } else {
            text[len++] = *sign;
        }
    }
    return len;
}

static ProtobufCBinaryData take_bytes(parser *parsing)
{
    char text[2 * WORD_LEN_MAX];
    size_t len = 0;
    if (accept(parsing, '"')) {
        len = take_quoted(parsing, text);
    } else if (accept(parsing, '~')) {
        len = take_key(parsing, text);
    } else {
        fail(parsing, "bytes are \"…\" or ~key");
    }
    size_t count = take_count(parsing);
    uint8_t *data = allocate(len * count);
    for (size_t i = 0; i < count; i++) {
        memcpy(data + i * len, text, len);
    }
    return (ProtobufCBinaryData){.len = len * count, .data = data};
}

/* 12, -1, r, r+1, L1, S1 */
static int64_t take_number(parser *parsing)
{
    char word[WORD_LEN_MAX];
    char *end = NULL;
    take_word(parsing, word);
    int64_t id = yr_case_scope_lease_id(parsing->scope, word);
    if (id != 0) {
        return id;
    }
    const char *digits = word[0] == 'r' ? word + 1 : word;
    int64_t base = word[0] == 'r' ? parsing->scope->revision : 0;
    int64_t number = strtoll(digits, &end, 10);
    if (*end != '\0' || (end == digits && word[0] != 'r')) {
        fail(parsing, "a number is wrong");
    }
    return base + number;
}

static int take_enum(parser *parsing, const ProtobufCEnumDescriptor *descriptor)
{
    char word[WORD_LEN_MAX];
    take_word(parsing, word);
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(descriptor, word);
    if (value == NULL) {
        fail(parsing, "an enum has no such name");
        return 0;
    }
    return value->value;
}

/* ---- Messages ---- */

static ProtobufCMessage *take_message(parser *parsing,
                                      const ProtobufCMessageDescriptor *descriptor);

/* Parse one value of the field to where it belongs. */
/* The same with a NUL behind; takes @p bytes. */
static char *text_of(ProtobufCBinaryData bytes)
{
    char *text = calloc(1, bytes.len + 1);
    YR_ASSERT(text != NULL);
    if (bytes.len > 0) {
        memcpy(text, bytes.data, bytes.len);
    }
    free(bytes.data);
    return text;
}

static void take_value(parser *parsing, const ProtobufCFieldDescriptor *field, void *place)
{
    switch (yr_field_kind_of(field)) {
    case YR_KIND_MESSAGE:
        *(ProtobufCMessage **)place = take_message(parsing, field->descriptor);
        break;
    case YR_KIND_BYTES:
        *(ProtobufCBinaryData *)place = take_bytes(parsing);
        break;
    case YR_KIND_NUMBER:
        *(int64_t *)place = take_number(parsing);
        break;
    case YR_KIND_ENUM:
        *(int *)place = take_enum(parsing, field->descriptor);
        break;
    case YR_KIND_BOOL: {
        char word[WORD_LEN_MAX];
        take_word(parsing, word);
        *(protobuf_c_boolean *)place = strcmp(word, "true") == 0;
        break;
    }
    case YR_KIND_TEXT: {
        ProtobufCBinaryData bytes = take_bytes(parsing);
        *(char **)place = text_of(bytes);
        break;
    }
    case YR_KIND_NONE:
        fail(parsing, "a field has a type that requests do not have");
        break;
    }
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    static const size_t sizes[] = {
        [YR_KIND_NONE] = sizeof(int64_t),
        [YR_KIND_NUMBER] = sizeof(int64_t),
        [YR_KIND_BOOL] = sizeof(protobuf_c_boolean),
        [YR_KIND_ENUM] = sizeof(int),
        [YR_KIND_TEXT] = sizeof(char *),
        [YR_KIND_BYTES] = sizeof(ProtobufCBinaryData),
        [YR_KIND_MESSAGE] = sizeof(ProtobufCMessage *),
    };
    return sizes[yr_field_kind_of(field)];
}

/* Room for one more value of a repeated field. */
static void *append_value(const ProtobufCFieldDescriptor *field, char *message)
{
    size_t size = size_of(field);
    size_t *count = (void *)(message + field->quantifier_offset);
    void **array = (void *)(message + field->offset);
    char *grown = realloc(*array, (*count + 1) * size);
    YR_ASSERT(grown != NULL);
    *array = grown;
    memset(grown + *count * size, 0, size);
    return grown + (*count)++ * size;
}

static void take_repeated(parser *parsing, const ProtobufCFieldDescriptor *field, char *message)
{
    const char *start = parsing->at;
    size_t count = 1;
    for (size_t i = 0; i < count && parsing->error == NULL; i++) {
        parsing->at = start;
        parsing->index = (int)i;
        take_value(parsing, field, append_value(field, message));
        parsing->index = -1;
        count = take_count(parsing);
    }
}

static void take_field(parser *parsing, ProtobufCMessage *message)
{
    char word[WORD_LEN_MAX];
    take_word(parsing, word);
    expect(parsing, ':', "a colon is missing");
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, word);
    if (field == NULL) {
        fail(parsing, "a message has no such field");
        return;
    }
    char *base = (char *)message;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        take_repeated(parsing, field, base);
        return;
    }
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        *(uint32_t *)(void *)(base + field->quantifier_offset) = field->id;
    }
    take_value(parsing, field, base + field->offset);
}

static ProtobufCMessage *take_message(parser *parsing,
                                      const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = allocate(descriptor->sizeof_message);
    descriptor->message_init(message);
    expect(parsing, '{', "a brace is missing");
    while (parsing->error == NULL && !accept(parsing, '}')) {
        take_field(parsing, message);
        (void)accept(parsing, ',');
    }
    return message;
}

ProtobufCMessage *yr_parse_message(yr_case_scope *scope,
                                   const ProtobufCMessageDescriptor *descriptor,
                                   const char *text, const char **ret_error)
{
    parser parsing = {.scope = scope, .at = text, .index = -1};
    ProtobufCMessage *message = take_message(&parsing, descriptor);
    skip_space(&parsing);
    if (*parsing.at != '\0') {
        fail(&parsing, "something follows the message");
    }
    if (parsing.error != NULL) {
        *ret_error = parsing.error;
        protobuf_c_message_free_unpacked(message, NULL);
        return NULL;
    }
    return message;
}
