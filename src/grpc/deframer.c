#include "grpc/deframer.h"

#include "base/bytes.h"

void yr_grpc_deframer_init(yr_grpc_deframer *deframer, size_t message_max)
{
    *deframer = (yr_grpc_deframer){.message_max = message_max};
}

void yr_grpc_prefix_encode(uint8_t ret_prefix[YR_GRPC_PREFIX_LEN], uint32_t len)
{
    ret_prefix[0] = 0; /* not compressed */
    ret_prefix[1] = (uint8_t)(len >> 24);
    ret_prefix[2] = (uint8_t)(len >> 16);
    ret_prefix[3] = (uint8_t)(len >> 8);
    ret_prefix[4] = (uint8_t)len;
}

static uint32_t prefix_decode_len(const uint8_t prefix[YR_GRPC_PREFIX_LEN])
{
    return (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 |
           prefix[4];
}

/* Gather the prefix, which any number of inputs may share. */
static yurpc_status deframer_take_prefix(yr_grpc_deframer *deframer, yurpc_bytes *input)
{
    size_t len = YR_GRPC_PREFIX_LEN - (size_t)deframer->prefix_len;
    if (len > input->len) {
        len = input->len;
    }
    if (len > 0) {
        memcpy(deframer->prefix + deframer->prefix_len, input->data, len);
        *input = yr_bytes_after(*input, len);
        deframer->prefix_len = (uint8_t)(deframer->prefix_len + len);
    }
    if (deframer->prefix_len > 0 && deframer->prefix[0] != 0) {
        return YURPC_PROTOCOL; /* we announced no compression */
    }
    if (deframer->prefix_len < YR_GRPC_PREFIX_LEN) {
        return YURPC_OK;
    }
    deframer->message_len = prefix_decode_len(deframer->prefix);
    deframer->left = deframer->message_len;
    return deframer->message_len > deframer->message_max ? YURPC_TOO_LARGE : YURPC_OK;
}

yurpc_status yr_grpc_deframer_next(yr_grpc_deframer *deframer, yurpc_bytes *input,
                                   yr_grpc_part *ret_part, bool *ret_has_part)
{
    if (deframer->prefix_len < YR_GRPC_PREFIX_LEN) {
        yurpc_status status = deframer_take_prefix(deframer, input);
        if (status != YURPC_OK) {
            return status;
        }
    }
    bool is_inside = deframer->prefix_len == YR_GRPC_PREFIX_LEN;
    if (!is_inside || (deframer->left > 0 && input->len == 0)) {
        *ret_has_part = false;
        return YURPC_OK;
    }

    uint32_t len = input->len < deframer->left ? (uint32_t)input->len : deframer->left;
    *ret_part = (yr_grpc_part){
        .bytes = {input->data, len},
        .message_len = deframer->message_len,
        .is_first = deframer->left == deframer->message_len,
        .is_last = deframer->left == len,
    };
    if (len > 0) {
        *input = yr_bytes_after(*input, len);
    }
    deframer->left -= len;
    if (deframer->left == 0) {
        deframer->prefix_len = 0;
    }
    *ret_has_part = true;
    return YURPC_OK;
}

bool yr_grpc_deframer_is_between(const yr_grpc_deframer *deframer)
{
    return deframer->prefix_len == 0;
}
