/*
 * A message from a peer, made fit to be shown, and short.
 */
#ifndef YR_GRPC_TEXT_H
#define YR_GRPC_TEXT_H

#include <yurpc/bytes.h>

enum { YR_GRPC_TEXT_MAX = 512 }; /* bytes of a peer's text that are kept */

/*
 * yr_text_copy() after percent-decoding, as grpc-message needs it. A '%' without two
 * hexadecimal digits stands for itself.
 */
size_t yr_grpc_text_decode(yurpc_bytes bytes, char *ret_text, size_t size);

#endif /* YR_GRPC_TEXT_H */
