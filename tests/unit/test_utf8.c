#include "base/bytes.h"
#include "base/utf8.h"
#include "yr_test.h"

#include <string.h>

/* Whether @p point is read as it was written, and every proper prefix of it is malformed. */
static bool survives(uint32_t point)
{
    uint8_t text[YR_UTF8_LEN_MAX];
    size_t len = yr_utf8_encode(point, text);
    uint32_t back = UINT32_MAX;
    size_t cut = 1;
    while (cut < len && yr_utf8_decode(text, cut, &back) == 0) {
        cut++;
    }
    return cut == len && yr_utf8_decode(text, len, &back) == len && back == point;
}

static void every_code_point_survives_the_round_trip(void **state)
{
    (void)state;
    for (uint32_t point = 0; point <= 0x10ffff; point++) {
        if (point == 0xd800) {
            point = 0xe000;
        }
        assert_int_equal(survives(point) ? point : UINT32_MAX, point);
    }
}

static void malformed_text_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "\x80",             /* a continuation alone */
        "\xc3",             /* cut off */
        "\xc3(",            /* no continuation */
        "\xc0\x80",         /* overlong NUL */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong */
        "\xf0\x8f\xbf\xbf", /* overlong */
        "\xed\xa0\x80",     /* a surrogate */
        "\xed\xbf\xbf",
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
        "12345678\xff",
        "1234567\xc3",
        ("12345678\xe4\xb8\xad"
         "1\xff"),
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(yr_utf8_is_valid(yr_bytes_of_text(texts[i])));
        assert_false(yr_utf8_is_plain(yr_bytes_of_text(texts[i])));
    }
}

static void plain_text_has_no_controls(void **state)
{
    (void)state;
    assert_true(yr_utf8_is_valid(yr_bytes(NULL, 0)));
    assert_true(yr_utf8_is_plain(yr_bytes_of_text("com.\xe4\xb8\xad\xe6\x96\x87 ~")));
    assert_true(yr_utf8_is_valid(yr_bytes("a\0b", 3)));
    assert_false(yr_utf8_is_plain(yr_bytes("a\0b", 3)));
    assert_true(yr_utf8_is_valid(yr_bytes_of_text("a\x1f\x7f")));
    assert_false(yr_utf8_is_plain(yr_bytes_of_text("a\x1f")));
    assert_false(yr_utf8_is_plain(yr_bytes_of_text("a\x7f")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_survives_the_round_trip),
        cmocka_unit_test(malformed_text_is_refused),
        cmocka_unit_test(plain_text_has_no_controls),
    };
    return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
