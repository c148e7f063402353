/*
 * The value of an instance as read: views into its text, before they become a record.
 *
 * Two readers fill the same view. The scanner takes only what Yu-RPC nodes and we write: the
 * five fields in their order, without escapes, then weight and draining. Everything else is
 * for the JSON reader, which is lenient as the contract (1.3) says. Where the scanner accepts,
 * both give the same view: that is fuzzed.
 */
#ifndef YR_REGISTRY_INSTANCE_VALUE_H
#define YR_REGISTRY_INSTANCE_VALUE_H

#include "base/json.h"

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stdint.h>

/* Texts are valid UTF-8 without NUL; data is NULL where the value says nothing. */
typedef struct yr_instance_view {
    yurpc_bytes name;
    yurpc_bytes version;
    yurpc_bytes host; /* never NULL; not checked further */
    yurpc_bytes group;
    uint16_t port;   /* 1 … 65535 */
    uint16_t weight; /* 1 … YR_WEIGHT_MAX */
    bool is_draining;
    const yr_json *metadata; /* NULL: none. Members with an empty name, or that are no strings,
                                do not count */
} yr_instance_view;

/* The one-pass scanner: false when @p value is not of the canonical form. Borrows from it. */
bool yr_instance_scan(yurpc_bytes value, yr_instance_view *ret_view);

/* The JSON reader. The view borrows from *@p ret_root, to be freed with yr_json_free().
 * YURPC_INVALID: the text says why; YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_instance_read_json(yurpc_bytes value,
                                                   yr_instance_view *ret_view,
                                                   yr_json **ret_root, yurpc_error **ret_error);

/* The next member of @p metadata that counts, after @p cursor (NULL: the first). */
const yr_json_cursor *yr_instance_next_metadata(const yr_json *metadata,
                                                const yr_json_cursor *cursor);

#endif /* YR_REGISTRY_INSTANCE_VALUE_H */
