/*
 * Java's .properties files: `key=value`, `key: value` or `key value`; `#` and `!` begin a
 * comment line; a backslash at the end of a line continues it; \t \n \r \f \uXXXX are
 * characters, any other escaped character is itself; blanks before a value do not belong to
 * it, blanks behind it do.
 *
 * As java.util.Properties, with five differences. Java reads ISO-8859-1; here a file that is
 * valid UTF-8 is read as UTF-8, and any other as ISO-8859-1, so that both kinds of editor
 * work. A byte order mark at the start is skipped. NUL (raw or \u0000) and half a surrogate
 * pair are errors, as they cannot be text here. A backslash alone on the last line is nothing,
 * where Java mostly makes it an entry with neither key nor value. Each entry knows its line.
 *
 * Everything read is wiped from memory when freed: such files hold passwords.
 */
#ifndef YR_BASE_PROPERTIES_H
#define YR_BASE_PROPERTIES_H

#include <yurpc/bytes.h>
#include <yurpc/error.h>

#include <stddef.h>

enum {
    YR_PROPERTIES_FILE_MAX = 1 << 20,
    YR_PROPERTIES_LINE_MAX = 1 << 16, /* with its continuations */
};

/* An entry: UTF-8, borrowed. */
typedef struct yr_property {
    const char *key;
    const char *value;
    unsigned line; /* on which it begins, from 1 */
} yr_property;

typedef struct yr_properties yr_properties;

/*
 * Read @p text; @p name stands for it in errors ("NAME:LINE: what is wrong"). YURPC_INVALID:
 * malformed; YURPC_TOO_LARGE: the text or a line; YURPC_NO_MEMORY.
 */
YURPC_NODISCARD yurpc_status yr_properties_parse(const char *name, yurpc_bytes text,
                                                 yr_properties **ret_properties,
                                                 yurpc_error **ret_error);

/* The same for a file, which must be a regular one. As above, and YURPC_IO. */
YURPC_NODISCARD yurpc_status yr_properties_load(const char *path,
                                                yr_properties **ret_properties,
                                                yurpc_error **ret_error);

/* Wipes and frees. NULL is allowed. */
void yr_properties_free(yr_properties *properties);

/* Entries in the order of the file, duplicates included: the last one counts, as in Java. */
size_t yr_properties_count(const yr_properties *properties);
yr_property yr_properties_at(const yr_properties *properties, size_t index);

#endif /* YR_BASE_PROPERTIES_H */
