#include "base/bytes.h"
#include "base/misspelling.h"
#include "yr_test.h"

static size_t edits(const char *word, const char *known)
{
    return yr_misspelling(yr_bytes_of_text(word), known);
}

static void each_letter_that_is_wrong_missing_or_too_many_counts(void **state)
{
    (void)state;
    assert_int_equal(edits("address", "address"), 0);
    assert_int_equal(edits("adress", "address"), 1);
    assert_int_equal(edits("addresses", "address"), 2);
    assert_int_equal(edits("adresse", "address"), 2);
    assert_int_equal(edits("time-out", "timeout"), 1);
}

static void upper_and_lower_case_are_the_same(void **state)
{
    (void)state;
    assert_int_equal(edits("ADDRESS", "address"), 0);
    assert_int_equal(edits("tlscafile", "tlsCaFile"), 0);
}

static void what_differs_much_is_another_word(void **state)
{
    (void)state;
    assert_true(edits("serializer", "address") == SIZE_MAX);
    assert_true(edits("addr", "address") == SIZE_MAX); /* 3 of 4 letters */
    assert_int_equal(edits("passwo", "password"), 2);
    assert_true(edits("", "ttl") == SIZE_MAX);
    assert_true(edits("a", "ttl") == SIZE_MAX);
}

static void a_word_without_end_is_none_of_ours(void **state)
{
    (void)state;
    static const char longest[] =
        "0123456789012345678901234567890123456789012345678901234567890123";
    yurpc_bytes word = yr_bytes_of_text(longest);
    assert_int_equal(word.len, 64);
    assert_int_equal(yr_misspelling(word, longest), 0);
    assert_true(edits("01234567890123456789012345678901234567890123456789012345678901234",
                      longest) == SIZE_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_letter_that_is_wrong_missing_or_too_many_counts),
        cmocka_unit_test(upper_and_lower_case_are_the_same),
        cmocka_unit_test(what_differs_much_is_another_word),
        cmocka_unit_test(a_word_without_end_is_none_of_ours),
    };
    return cmocka_run_group_tests_name("misspelling", tests, NULL, NULL);
}
