/*
 * The framing of gRPC messages inside a byte stream: a flag, a length, the message.
 *
 * It holds no message: each piece of input is handed on as it came, so a message of any
 * length costs nothing here.
 *
 * Source: grpc/grpc doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 */
#ifndef YR_GRPC_DEFRAMER_H
#define YR_GRPC_DEFRAMER_H

#include "grpc/call.h"

#include <stddef.h>

enum { YR_GRPC_PREFIX_LEN = 5 };

typedef struct yr_grpc_deframer {
    size_t message_max;
    uint32_t message_len; /* of the message under way */
    uint32_t left;        /* how much of it has not come */
    uint8_t prefix[YR_GRPC_PREFIX_LEN];
    uint8_t prefix_len; /* how much of the prefix has come; all: inside the message */
} yr_grpc_deframer;

void yr_grpc_deframer_init(yr_grpc_deframer *deframer, size_t message_max);

/*
 * Take the next part off the front of *@p input. *@p ret_has_part is false when the input was
 * used up without one. YURPC_PROTOCOL: a compressed message, or no gRPC at all;
 * YURPC_TOO_LARGE: longer than the maximum. After a failure nothing more may be fed.
 */
YURPC_NODISCARD yurpc_status yr_grpc_deframer_next(yr_grpc_deframer *deframer,
                                                   yurpc_bytes *input, yr_grpc_part *ret_part,
                                                   bool *ret_has_part);

/* Whether the input so far ends where a message ends. */
bool yr_grpc_deframer_is_between(const yr_grpc_deframer *deframer);

/* Write the prefix of a message of @p len bytes. */
void yr_grpc_prefix_encode(uint8_t ret_prefix[YR_GRPC_PREFIX_LEN], uint32_t len);

#endif /* YR_GRPC_DEFRAMER_H */
