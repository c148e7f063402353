/*
 * From a message to one line of text, in the words of parse.h. Fields that have their default
 * are left out. A complete header, with the ids and the term that were seen before, is only
 * its revision: @r+1. How long a lease has left is rounded to 5 s.
 */
#ifndef YR_CONFORMANCE_PRINT_H
#define YR_CONFORMANCE_PRINT_H

#include "base/buf.h"
#include "scope.h"

#include <protobuf-c/protobuf-c.h>

/* Fails as yr_buf_append(). */
YURPC_NODISCARD yurpc_status yr_print_message(yr_case_scope *scope,
                                              const ProtobufCMessage *message, yr_buf *out);

#endif /* YR_CONFORMANCE_PRINT_H */
