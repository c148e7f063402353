#include "utf8.h"

#include <stdbool.h>
#include <stdint.h>

/* How the first byte tells the length; a smaller code point would be an overlong form. */
static const struct {
    unsigned char mask, lead;
    uint32_t min;
} forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

enum { FORM_COUNT = sizeof forms / sizeof forms[0] };

size_t cli_utf8_len(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t form = 0;
    while (form < FORM_COUNT && (bytes[0] & forms[form].mask) != forms[form].lead) {
        form++;
    }
    if (form == FORM_COUNT) {
        return 0;
    }
    uint32_t code = bytes[0] & (unsigned char)~forms[form].mask;
    for (size_t i = 1; i <= form; i++) {
        if ((bytes[i] & 0xc0) != 0x80) { /* the terminating NUL, too */
            return 0;
        }
        code = code << 6 | (bytes[i] & 0x3fU);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < forms[form].min || code > 0x10ffff || is_surrogate ? 0 : form + 1;
}
