/* What strangers wrote: by itself, in log lines, in errors. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

#define HOSTILE      \
    "a\n\x1b[2J\x9b" \
    "2J\xc2\x9b"     \
    "0m\xe2\x80\xa8\xff\x7f caf\xc3\xa9"
#define TAMED "a??[2J?2J?0m??? caf\xc3\xa9"

static void assert_copied(const char *in, const char *wanted)
{
    char text[512];
    size_t len = yr_text_copy(yr_bytes_of_text(in), text, sizeof text);
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
    assert_int_equal(yr_text_copy(yr_bytes("a\0b", 3), text, sizeof text), 3);
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
    assert_int_equal(yr_text_copy(yr_bytes_of_text("abcdefgh"), text, sizeof text), 5);
    assert_string_equal(text, "abcde");
    assert_int_equal(yr_text_copy(yr_bytes_of_text("abc\xe6\xb3\xa8"), text, sizeof text), 3);
    assert_string_equal(text, "abc");
}

static void it_can_be_tamed_where_it_is(void **state)
{
    (void)state;
    char text[] = HOSTILE;
    assert_int_equal(yr_text_copy(yr_bytes_of_text(text), text, sizeof text), strlen(TAMED));
    assert_string_equal(text, TAMED);
}

static void keep_line(void *context, yurpc_log_level level, const char *component,
                      const char *text)
{
    (void)level;
    (void)component;
    (void)snprintf(context, 2000, "%s", text);
}

static void a_log_line_is_one_line_whoever_wrote_it(void **state)
{
    (void)state;
    char line[2000] = "";
    yr_log log = {keep_line, line, YURPC_LOG_WARN};
    yr_log_write(&log, YURPC_LOG_WARN, "test", "key %s is skipped", HOSTILE);
    assert_string_equal(line, "key " TAMED " is skipped");
}

static void a_log_line_that_is_cut_is_still_utf8(void **state)
{
    (void)state;
    char text[1500];
    char line[2000] = "";
    for (size_t i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\xc3\xa9", 3);
    }
    yr_log log = {keep_line, line, YURPC_LOG_WARN};
    yr_log_write(&log, YURPC_LOG_WARN, "test", "%s", text);
    assert_int_equal(strlen(line), 999);
    assert_string_equal(line + 996, "\xc3\xa9?"); /* that byte was half a character */
}

static void an_error_is_one_line_whoever_wrote_it(void **state)
{
    (void)state;
    yurpc_error *error = yr_error_new(YURPC_REMOTE, -1, "it said %s", HOSTILE);
    assert_string_equal(yurpc_error_text(error), "it said " TAMED);
    yurpc_error_free(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_utf8_stays_as_it_is),
        cmocka_unit_test(what_could_forge_a_log_line_becomes_a_question_mark),
        cmocka_unit_test(invalid_utf8_becomes_question_marks),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(it_can_be_tamed_where_it_is),
        cmocka_unit_test(a_log_line_is_one_line_whoever_wrote_it),
        cmocka_unit_test(a_log_line_that_is_cut_is_still_utf8),
        cmocka_unit_test(an_error_is_one_line_whoever_wrote_it),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
