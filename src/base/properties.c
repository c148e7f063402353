#include "base/properties.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where an entry's texts begin in `texts`. */
typedef struct entry_places {
    uint32_t key_at;
    uint32_t value_at;
    uint32_t line;
} entry_places;

struct yr_properties {
    yr_buf entries; /* of entry_places */
    yr_buf texts;   /* reserved once, so that no copy of a password is left behind */
};

typedef struct properties_parser {
    const char *name;
    yurpc_bytes left; /* of the text */
    bool is_latin1;
    unsigned line_next; /* the number of the line at which `left` begins */
    unsigned line;      /* on which the logical line began */
    yr_buf logical;     /* the logical line: continued lines joined, escapes still there */
    yr_properties *properties;
    yurpc_error **ret_error;
} properties_parser;

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static bool is_line_end(uint8_t c)
{
    return c == '\n' || c == '\r';
}

static yurpc_status fail_at(properties_parser *parser, yurpc_status status, const char *what)
{
    return yr_error_set(parser->ret_error, status, -1, "%s:%u: %s", parser->name, parser->line,
                        what);
}

/* ---- Lines ---- */

/* The next natural line without its end, which is \n, \r or \r\n. */
static yurpc_bytes take_natural_line(properties_parser *parser)
{
    const uint8_t *data = parser->left.data;
    size_t len = 0;
    while (len < parser->left.len && !is_line_end(data[len])) {
        len++;
    }
    size_t end = len;
    if (end < parser->left.len) {
        end += data[end] == '\r' && end + 1 < parser->left.len && data[end + 1] == '\n' ? 2 : 1;
    }
    parser->left = yr_bytes_after(parser->left, end);
    parser->line_next++;
    return yr_bytes(data, len);
}

static yurpc_bytes without_leading_blanks(yurpc_bytes line)
{
    const uint8_t *data = line.data;
    size_t blanks = 0;
    while (blanks < line.len && is_blank(data[blanks])) {
        blanks++;
    }
    return blanks > 0 ? yr_bytes_after(line, blanks) : line;
}

/* Whether an odd number of backslashes ends the line: the last one escapes the line's end. */
static bool is_continued(yurpc_bytes line)
{
    const uint8_t *data = line.data;
    size_t backslashes = 0;
    while (backslashes < line.len && data[line.len - 1 - backslashes] == '\\') {
        backslashes++;
    }
    return backslashes % 2 == 1;
}

/*
 * Put the next logical line into `logical`; left empty when there is none. A comment may also
 * stand where nothing but continued empty lines came before, as in Java.
 */
static yurpc_status take_logical_line(properties_parser *parser)
{
    yr_buf_clear(&parser->logical);
    bool is_open = true;
    while (parser->left.len > 0 && (is_open || parser->logical.len == 0)) {
        bool is_empty = parser->logical.len == 0;
        if (is_empty) {
            parser->line = parser->line_next;
        }
        yurpc_bytes line = without_leading_blanks(take_natural_line(parser));
        const uint8_t *data = line.data;
        if (is_empty && (line.len == 0 || data[0] == '#' || data[0] == '!')) {
            continue;
        }
        is_open = is_continued(line);
        yurpc_status status =
            yr_buf_append(&parser->logical, line.data, is_open ? line.len - 1 : line.len);
        if (status == YURPC_TOO_LARGE) {
            return fail_at(parser, status, "the line is longer than 65536 bytes");
        }
        if (status != YURPC_OK) {
            return yr_error_set_status(parser->ret_error, status);
        }
    }
    return YURPC_OK;
}

/* ---- Keys and values ---- */

/* The length of the key at the start of @p line: to the first separator that is not escaped. */
static size_t key_len(yurpc_bytes line)
{
    const uint8_t *data = line.data;
    size_t len = 0;
    while (len < line.len && data[len] != '=' && data[len] != ':' && !is_blank(data[len])) {
        len += data[len] == '\\' && len + 1 < line.len ? 2 : 1;
    }
    return len;
}

/* What follows the key's separator: blanks, at most one of '=' and ':', blanks. */
static yurpc_bytes value_of(yurpc_bytes behind_key)
{
    yurpc_bytes value = without_leading_blanks(behind_key);
    const uint8_t *data = value.data;
    if (value.len > 0 && (data[0] == '=' || data[0] == ':')) {
        value = without_leading_blanks(yr_bytes_after(value, 1));
    }
    return value;
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The four digits behind a \u, or -1. */
static int32_t read_hex4(yurpc_bytes text)
{
    const uint8_t *data = text.data;
    if (text.len < 4) {
        return -1;
    }
    int32_t unit = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_value(data[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
    }
    return unit;
}

/* The code point of the \uXXXX, or of the pair of them, at the start of @p text. */
static yurpc_status read_unicode_escape(properties_parser *parser, yurpc_bytes text,
                                        uint32_t *ret_point, size_t *ret_len)
{
    int32_t unit = read_hex4(yr_bytes_after(text, 2));
    if (unit < 0) {
        return fail_at(parser, YURPC_INVALID, "\\u needs four hexadecimal digits");
    }
    if (unit == 0) {
        return fail_at(parser, YURPC_INVALID, "\\u0000 cannot be part of a text");
    }
    *ret_point = (uint32_t)unit;
    *ret_len = 6;
    if (unit < 0xd800 || unit > 0xdfff) {
        return YURPC_OK;
    }
    static const yurpc_bytes lead = {"\\u", 2};
    yurpc_bytes second = yr_bytes_after(text, 6);
    int32_t low =
        yr_bytes_have_prefix(second, lead) ? read_hex4(yr_bytes_after(second, 2)) : -1;
    if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) {
        return fail_at(parser, YURPC_INVALID,
                       "\\uD800 to \\uDFFF are characters only in pairs, high before low");
    }
    *ret_point = 0x10000 + (((uint32_t)unit - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    *ret_len = 12;
    return YURPC_OK;
}

static uint8_t unescaped(uint8_t c)
{
    switch (c) {
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 'f':
        return '\f';
    default:
        return c;
    }
}

/* Append a code point to the texts, for which there is room. */
static void put_point(properties_parser *parser, uint32_t point)
{
    uint8_t text[YR_UTF8_LEN_MAX];
    yurpc_status status =
        yr_buf_append(&parser->properties->texts, text, yr_utf8_encode(point, text));
    YR_ASSERT(status == YURPC_OK);
}

static void put_byte(properties_parser *parser, uint8_t byte)
{
    if (byte >= 0x80 && parser->is_latin1) {
        put_point(parser, byte);
        return;
    }
    yurpc_status status = yr_buf_append(&parser->properties->texts, &byte, 1);
    YR_ASSERT(status == YURPC_OK);
}

/* Append the character at the start of @p text, which may be escaped; its length there. */
static yurpc_status put_char(properties_parser *parser, yurpc_bytes text, size_t *ret_len)
{
    const uint8_t *data = text.data;
    bool is_escape = data[0] == '\\' && text.len > 1;
    if (data[0] == '\0') {
        return fail_at(parser, YURPC_INVALID, "a NUL byte: this is not a text file");
    }
    if (!is_escape || data[1] != 'u') {
        put_byte(parser, is_escape ? unescaped(data[1]) : data[0]);
        *ret_len = is_escape ? 2 : 1;
        return YURPC_OK;
    }
    uint32_t point = 0;
    yurpc_status status = read_unicode_escape(parser, text, &point, ret_len);
    if (status == YURPC_OK) {
        put_point(parser, point);
    }
    return status;
}

/* Append @p text to the texts, its escapes resolved, with a NUL behind. */
static yurpc_status put_text(properties_parser *parser, yurpc_bytes text, uint32_t *ret_at)
{
    *ret_at = (uint32_t)parser->properties->texts.len;
    while (text.len > 0) {
        size_t len = 0;
        yurpc_status status = put_char(parser, text, &len);
        if (status != YURPC_OK) {
            return status;
        }
        text = yr_bytes_after(text, len);
    }
    put_byte(parser, '\0');
    return YURPC_OK;
}

static yurpc_status put_entry(properties_parser *parser)
{
    yurpc_bytes line = yr_bytes(parser->logical.data, parser->logical.len);
    yurpc_bytes key = yr_bytes(line.data, key_len(line));
    entry_places entry = {.line = parser->line};
    yurpc_status status = put_text(parser, key, &entry.key_at);
    if (status == YURPC_OK) {
        status = put_text(parser, value_of(yr_bytes_after(line, key.len)), &entry.value_at);
    }
    if (status != YURPC_OK) {
        return status;
    }
    status = yr_buf_append(&parser->properties->entries, &entry, sizeof entry);
    return status == YURPC_OK ? status : yr_error_set_status(parser->ret_error, status);
}

/* ---- Whole texts ---- */

static yr_properties *properties_new(size_t text_len)
{
    yr_properties *properties = yr_calloc(1, sizeof *properties);
    if (properties == NULL) {
        return NULL;
    }
    yr_buf_init(&properties->entries, (text_len + 1) * sizeof(entry_places));
    /* A byte becomes at most two (ISO-8859-1 as UTF-8; an escape only gets shorter), and an
     * entry's two NULs take the room of its separator and line end, but for the last. */
    yr_buf_init(&properties->texts, text_len * 2 + 2);
    if (yr_buf_reserve(&properties->texts, text_len * 2 + 2) != YURPC_OK) {
        yr_properties_free(properties);
        return NULL;
    }
    return properties;
}

static yurpc_bytes without_bom(yurpc_bytes text)
{
    static const yurpc_bytes bom = {"\xef\xbb\xbf", 3};
    return yr_bytes_have_prefix(text, bom) ? yr_bytes_after(text, bom.len) : text;
}

static void buf_wipe(yr_buf *buf)
{
    if (buf->data != NULL) {
        explicit_bzero(buf->data, buf->cap);
    }
    yr_buf_deinit(buf);
}

static yurpc_status parse_lines(properties_parser *parser)
{
    /* Joining lines must not leave copies of a password behind either. */
    yurpc_status status = yr_buf_reserve(&parser->logical, parser->logical.len_max);
    if (status != YURPC_OK) {
        return yr_error_set_status(parser->ret_error, status);
    }
    while (parser->left.len > 0 && status == YURPC_OK) {
        status = take_logical_line(parser);
        if (status == YURPC_OK && parser->logical.len > 0) {
            status = put_entry(parser);
        }
    }
    return status;
}

yurpc_status yr_properties_parse(const char *name, yurpc_bytes text,
                                 yr_properties **ret_properties, yurpc_error **ret_error)
{
    if (text.len > YR_PROPERTIES_FILE_MAX) {
        return yr_error_set(ret_error, YURPC_TOO_LARGE, -1,
                            "%s: larger than %d bytes, which no configuration is", name,
                            YR_PROPERTIES_FILE_MAX);
    }
    properties_parser parser = {
        .name = name,
        .left = without_bom(text),
        .is_latin1 = !yr_utf8_is_valid(text),
        .line_next = 1,
        .properties = properties_new(text.len),
        .ret_error = ret_error,
    };
    if (parser.properties == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    yr_buf_init(&parser.logical, YR_PROPERTIES_LINE_MAX);
    yurpc_status status = parse_lines(&parser);
    buf_wipe(&parser.logical);
    if (status != YURPC_OK) {
        yr_properties_free(parser.properties);
        return status;
    }
    *ret_properties = parser.properties;
    return YURPC_OK;
}

/* ---- Files ---- */

static yurpc_status fail_io(const char *path, int number, yurpc_error **ret_error)
{
    char storage[128];
    return yr_error_set(ret_error, YURPC_IO, -1, "%s: cannot be read: %s", path,
                        strerror_r(number, storage, sizeof storage));
}

/* Read all of @p file, one byte over the limit at most, into @p out, which has the room. */
static yurpc_status read_all(int file, const char *path, yr_buf *out, yurpc_error **ret_error)
{
    while (out->len < out->cap) {
        ssize_t len = read(file, out->data + out->len, out->cap - out->len);
        if (len < 0 && errno == EINTR) {
            continue;
        }
        if (len < 0) {
            return fail_io(path, errno, ret_error);
        }
        if (len == 0) {
            break;
        }
        out->len += (size_t)len;
    }
    return YURPC_OK;
}

static yurpc_status load_file(int file, const char *path, yr_properties **ret_properties,
                              yurpc_error **ret_error)
{
    struct stat facts;
    if (fstat(file, &facts) != 0) {
        return fail_io(path, errno, ret_error);
    }
    if (!S_ISREG(facts.st_mode)) {
        return yr_error_set(ret_error, YURPC_IO, -1, "%s: not a regular file", path);
    }
    yr_buf text;
    yr_buf_init(&text, YR_PROPERTIES_FILE_MAX + 1);
    yurpc_status status = yr_buf_reserve(&text, text.len_max);
    if (status != YURPC_OK) {
        return yr_error_set_status(ret_error, status);
    }
    status = read_all(file, path, &text, ret_error);
    if (status == YURPC_OK) {
        status =
            yr_properties_parse(path, yr_bytes(text.data, text.len), ret_properties, ret_error);
    }
    buf_wipe(&text);
    return status;
}

yurpc_status yr_properties_load(const char *path, yr_properties **ret_properties,
                                yurpc_error **ret_error)
{
    /* Not blocking: opening a FIFO must not wait for its writer. */
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (file < 0) {
        return fail_io(path, errno, ret_error);
    }
    yurpc_status status = load_file(file, path, ret_properties, ret_error);
    (void)close(file);
    return status;
}

void yr_properties_free(yr_properties *properties)
{
    if (properties == NULL) {
        return;
    }
    buf_wipe(&properties->texts);
    yr_buf_deinit(&properties->entries);
    yr_free(properties);
}

size_t yr_properties_count(const yr_properties *properties)
{
    return properties->entries.len / sizeof(entry_places);
}

yr_property yr_properties_at(const yr_properties *properties, size_t index)
{
    YR_ASSERT(index < yr_properties_count(properties));
    entry_places entry;
    memcpy(&entry, properties->entries.data + index * sizeof entry, sizeof entry);
    const char *texts = (const char *)properties->texts.data;
    return (yr_property){texts + entry.key_at, texts + entry.value_at, entry.line};
}
