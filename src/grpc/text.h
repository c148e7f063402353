/*
 * Text from a peer, made fit to be shown: UTF-8 without control characters, and short.
 */
#ifndef YR_GRPC_TEXT_H
#define YR_GRPC_TEXT_H

#include <yurpc/bytes.h>

enum { YR_GRPC_TEXT_MAX = 512 }; /* bytes of a peer's text that are kept */

/*
 * Copy @p bytes into @p ret_text, at most @p size - 1 bytes and a NUL, cut between characters.
 * What is a control character or no UTF-8 becomes '?'. Returns the length.
 */
size_t yr_grpc_text_copy(yurpc_bytes bytes, char *ret_text, size_t size);

/*
 * The same after percent-decoding, as grpc-message needs it. A '%' without two hexadecimal
 * digits stands for itself.
 */
size_t yr_grpc_text_decode(yurpc_bytes bytes, char *ret_text, size_t size);

#endif /* YR_GRPC_TEXT_H */
