/* What fuzz targets share: claims that must hold, and an input that is read piece by piece. */
#ifndef YR_FUZZ_H
#define YR_FUZZ_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The target. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A claim that does not hold is a finding. */
static inline void require(bool claim)
{
    if (!claim) {
        abort();
    }
}

/* What is left of an input. Past its end it gives zeros and empty pieces. */
typedef struct fuzz_input {
    const uint8_t *at;
    size_t left;
} fuzz_input;

static inline uint8_t fuzz_byte(fuzz_input *in)
{
    if (in->left == 0) {
        return 0;
    }
    in->left--;
    return *in->at++;
}

static inline uint32_t fuzz_number(fuzz_input *in, size_t bytes)
{
    uint32_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        number = number << 8 | fuzz_byte(in);
    }
    return number;
}

/* The next @p len bytes, or as many as there are. */
static inline yurpc_bytes fuzz_piece(fuzz_input *in, size_t len)
{
    len = len < in->left ? len : in->left;
    yurpc_bytes piece = yr_bytes(in->at, len);
    in->at += len;
    in->left -= len;
    return piece;
}

/* A copy as a C string, up to the first NUL; the input itself need not end with one. */
static inline char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    require(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    return text;
}

#endif /* YR_FUZZ_H */
