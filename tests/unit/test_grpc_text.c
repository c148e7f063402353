#include "base/bytes.h"
#include "grpc/text.h"
#include "yr_test.h"

static void assert_decoded(const char *in, const char *wanted)
{
    char text[YR_GRPC_TEXT_MAX + 1];
    size_t len = yr_grpc_text_decode(yr_bytes_of_text(in), text, sizeof text);
    assert_string_equal(text, wanted);
    assert_int_equal(len, strlen(wanted));
}

static void percent_escapes_are_decoded(void **state)
{
    (void)state;
    assert_decoded("50%25 of %C3%A9%c3%a9", "50% of \xc3\xa9\xc3\xa9");
    assert_decoded("no%0Anewline%00", "no?newline?");
    assert_decoded("%ff", "?");
}

static void what_only_looks_like_an_escape_stays(void **state)
{
    (void)state;
    assert_decoded("%", "%");
    assert_decoded("%4", "%4");
    assert_decoded("%zz%4g", "%zz%4g");
    assert_decoded("100%", "100%");
    assert_decoded("%%41", "%A");
}

static void a_decoded_text_is_short_however_long_it_came(void **state)
{
    (void)state;
    static char in[8192];
    char text[YR_GRPC_TEXT_MAX + 1];
    memset(in, 'x', sizeof in);
    assert_int_equal(yr_grpc_text_decode(yr_bytes(in, sizeof in), text, sizeof text),
                     YR_GRPC_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percent_escapes_are_decoded),
        cmocka_unit_test(what_only_looks_like_an_escape_stays),
        cmocka_unit_test(a_decoded_text_is_short_however_long_it_came),
    };
    return cmocka_run_group_tests_name("grpc_text", tests, NULL, NULL);
}
