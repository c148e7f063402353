/* What a peer's text becomes is short, and holds no control character, whatever it was. */
#include "base/bytes.h"
#include "base/text.h"
#include "grpc/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const char *text, size_t len, size_t size)
{
    if (len >= size || strlen(text) != len) {
        abort();
    }
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            abort();
        }
    }
    char again[YR_GRPC_TEXT_MAX + 1]; /* what is fit to be shown stays as it is */
    if (yr_text_copy(yr_bytes(text, len), again, sizeof again) != len ||
        memcmp(text, again, len) != 0) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[YR_GRPC_TEXT_MAX + 1];
    char short_text[8];
    check(text, yr_text_copy(yr_bytes(data, size), text, sizeof text), sizeof text);
    check(text, yr_grpc_text_decode(yr_bytes(data, size), text, sizeof text), sizeof text);
    check(short_text, yr_text_copy(yr_bytes(data, size), short_text, sizeof short_text),
          sizeof short_text);
    return 0;
}
