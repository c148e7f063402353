#include "base/error.h"
#include "base/mem.h"
#include "yr_test.h"

#include <string.h>

static void an_error_tells_what_it_was_given(void **state)
{
    (void)state;
    yurpc_error *error = yr_error_new(YURPC_REMOTE, 14, "port %d", 2379);
    assert_int_equal(yurpc_error_status(error), YURPC_REMOTE);
    assert_int_equal(yurpc_error_remote_code(error), 14);
    assert_string_equal(yurpc_error_text(error), "port 2379");
    yurpc_error *copy = yr_error_copy(error);
    yurpc_error_free(error);
    assert_int_equal(yurpc_error_status(copy), YURPC_REMOTE);
    assert_int_equal(yurpc_error_remote_code(copy), 14);
    assert_string_equal(yurpc_error_text(copy), "port 2379");
    yurpc_error_free(copy);
}

static void that_a_connection_was_refused_is_for_the_inside_only(void **state)
{
    (void)state;
    yurpc_error *error = yr_error_new(YURPC_UNAVAILABLE, YR_ERROR_REFUSED, "refused");
    yurpc_error *copy = yr_error_copy(error);
    assert_true(yr_error_is_refused(error));
    assert_true(yr_error_is_refused(copy));
    assert_int_equal(yurpc_error_remote_code(error), -1);
    assert_false(yr_error_is_refused(NULL));
    yurpc_error_free(error);
    yurpc_error_free(copy);
    error = yr_error_new(YURPC_UNAVAILABLE, -1, "refused");
    assert_false(yr_error_is_refused(error));
    yurpc_error_free(error);
}

static void no_error_is_success(void **state)
{
    (void)state;
    assert_int_equal(yurpc_error_status(NULL), YURPC_OK);
    assert_string_equal(yurpc_error_text(NULL), "success");
    assert_int_equal(yurpc_error_remote_code(NULL), -1);
    assert_false(yurpc_error_is_retriable(NULL));
    assert_null(yr_error_copy(NULL));
    yurpc_error_free(NULL);
}

static void control_characters_cannot_forge_a_line(void **state)
{
    (void)state;
    yurpc_error *error = yr_error_new(YURPC_INVALID, -1, "a\nb\x1b[31m\x7f%s", "\tc \xc3\xa9");
    assert_string_equal(yurpc_error_text(error), "a?b?[31m??c \xc3\xa9");
    yurpc_error_free(error);
}

static void a_long_text_is_cut(void **state)
{
    (void)state;
    char text[2 * YR_ERROR_TEXT_MAX];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    yurpc_error *error = yr_error_new(YURPC_INVALID, -1, "%s", text);
    assert_int_equal(strlen(yurpc_error_text(error)), YR_ERROR_TEXT_MAX - 1);
    yurpc_error_free(error);
}

static void without_memory_there_is_still_an_error(void **state)
{
    (void)state;
    yr_mem_fail_after(0);
    yurpc_error *error = yr_error_new(YURPC_INVALID, -1, "anything");
    yurpc_error *copy = yr_error_copy(error);
    yr_mem_fail_after(-1);
    assert_int_equal(yurpc_error_status(error), YURPC_NO_MEMORY);
    assert_string_equal(yurpc_error_text(error), "out of memory");
    assert_int_equal(yurpc_error_status(copy), YURPC_NO_MEMORY);
    assert_true(yurpc_error_is_retriable(error));
    yurpc_error_free(error);
    yurpc_error_free(copy);
}

static void set_returns_the_status_and_wants_no_place(void **state)
{
    (void)state;
    yurpc_error *error = NULL;
    assert_int_equal(yr_error_set(NULL, YURPC_TIMEOUT, -1, "ignored"), YURPC_TIMEOUT);
    assert_int_equal(yr_error_set_status(&error, YURPC_TIMEOUT), YURPC_TIMEOUT);
    assert_string_equal(yurpc_error_text(error), yurpc_status_text(YURPC_TIMEOUT));
    yurpc_error_free(error);
}

static void only_what_may_pass_is_retriable(void **state)
{
    (void)state;
    const yurpc_status passing[] = {YURPC_NO_MEMORY,      YURPC_UNAVAILABLE, YURPC_TIMEOUT,
                                    YURPC_LEASE_LOST,     YURPC_COMPACTED,   YURPC_EXHAUSTED,
                                    YURPC_UNKNOWN_OUTCOME};
    int retriable = 0;
#define XX(name, value, text)                                             \
    assert_string_equal(yurpc_status_name(YURPC_##name), "YURPC_" #name); \
    assert_string_equal(yurpc_status_text(YURPC_##name), text);           \
    assert_int_equal(YURPC_##name, value);                                \
    retriable += yr_status_is_retriable(YURPC_##name) ? 1 : 0;
    YURPC_STATUS_MAP(XX)
#undef XX
    assert_int_equal(retriable, sizeof passing / sizeof *passing);
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++) {
        assert_true(yr_status_is_retriable(passing[i]));
    }
    assert_string_equal(yurpc_status_name((yurpc_status)1), "YURPC_UNKNOWN");
    assert_string_equal(yurpc_status_text((yurpc_status)1), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_tells_what_it_was_given),
        cmocka_unit_test(that_a_connection_was_refused_is_for_the_inside_only),
        cmocka_unit_test(no_error_is_success),
        cmocka_unit_test(control_characters_cannot_forge_a_line),
        cmocka_unit_test(a_long_text_is_cut),
        cmocka_unit_test(without_memory_there_is_still_an_error),
        cmocka_unit_test(set_returns_the_status_and_wants_no_place),
        cmocka_unit_test(only_what_may_pass_is_retriable),
    };
    return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
