/*
 * From text to a message:
 *
 *     {key: ~a, lease: L1, start_revision: r-2, success: {…} * 129, value: "x" * 1000}
 *
 * ~a is the key "a" of the case, ~ its prefix, ~end the end of the range of that prefix; "…"
 * is text as it is, with \0 and \xNN; r+1 counts revisions from the case's begin. A field that
 * is given twice is repeated; so is one with * N, and # in its keys becomes 0, 1, …
 */
#ifndef YR_CONFORMANCE_PARSE_H
#define YR_CONFORMANCE_PARSE_H

#include "scope.h"

#include <protobuf-c/protobuf-c.h>

/*
 * NULL: the text is wrong, and *@p ret_error (static) says how. Free with
 * protobuf_c_message_free_unpacked().
 */
ProtobufCMessage *yr_parse_message(yr_case_scope *scope,
                                   const ProtobufCMessageDescriptor *descriptor,
                                   const char *text, const char **ret_error);

#endif /* YR_CONFORMANCE_PARSE_H */
