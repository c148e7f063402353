#include "base/bytes.h"
#include "grpc/text.h"
#include "yr_test.h"

static void assert_copied(const char *in, const char *wanted)
{
    char text[YR_GRPC_TEXT_MAX + 1];
    size_t len = yr_grpc_text_copy(yr_bytes_of_text(in), text, sizeof text);
    assert_string_equal(text, wanted);
    assert_int_equal(len, strlen(wanted));
}

static void assert_decoded(const char *in, const char *wanted)
{
    char text[YR_GRPC_TEXT_MAX + 1];
    size_t len = yr_grpc_text_decode(yr_bytes_of_text(in), text, sizeof text);
    assert_string_equal(text, wanted);
    assert_int_equal(len, strlen(wanted));
}

static void valid_utf8_stays_as_it_is(void **state)
{
    (void)state;
    assert_copied("", "");
    assert_copied("plain", "plain");
    assert_copied("caf\xc3\xa9 \xe6\xb3\xa8 \xf0\x9f\x8d\xb5",
                  "caf\xc3\xa9 \xe6\xb3\xa8 \xf0\x9f\x8d\xb5");
}

static void what_could_forge_a_log_line_becomes_a_question_mark(void **state)
{
    (void)state;
    assert_copied("a\nb\rc\td\x1b[31m\x7f", "a?b?c?d?[31m?");
    assert_copied("\xc2\x85\xc2\x9b", "??");         /* C1: next line, and CSI */
    assert_copied("\xe2\x80\xa8\xe2\x80\xa9", "??"); /* line and paragraph separator */
    char text[8];
    assert_int_equal(yr_grpc_text_copy(yr_bytes("a\0b", 3), text, sizeof text), 3);
    assert_string_equal(text, "a?b");
}

static void invalid_utf8_becomes_question_marks(void **state)
{
    (void)state;
    assert_copied("\x80", "?");
    assert_copied("\xc3(", "?(");
    assert_copied("\xc0\xaf", "??");           /* overlong */
    assert_copied("\xe0\x80\xaf", "???");      /* overlong */
    assert_copied("\xed\xa0\x80", "???");      /* a surrogate */
    assert_copied("\xf4\x90\x80\x80", "????"); /* past the last code point */
    assert_copied("\xe6\xb3", "??");           /* cut */
    assert_copied("\xff\xfe", "??");
}

static void a_long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[6];
    assert_int_equal(yr_grpc_text_copy(yr_bytes_of_text("abcdefgh"), text, sizeof text), 5);
    assert_string_equal(text, "abcde");
    assert_int_equal(yr_grpc_text_copy(yr_bytes_of_text("abc\xe6\xb3\xa8"), text, sizeof text),
                     3);
    assert_string_equal(text, "abc");
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
        cmocka_unit_test(valid_utf8_stays_as_it_is),
        cmocka_unit_test(what_could_forge_a_log_line_becomes_a_question_mark),
        cmocka_unit_test(invalid_utf8_becomes_question_marks),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(percent_escapes_are_decoded),
        cmocka_unit_test(what_only_looks_like_an_escape_stays),
        cmocka_unit_test(a_decoded_text_is_short_however_long_it_came),
    };
    return cmocka_run_group_tests_name("grpc_text", tests, NULL, NULL);
}
