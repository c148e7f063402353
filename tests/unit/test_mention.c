#include "base/bytes.h"
#include "base/mem.h"
#include "registry/consumer/mention.h"
#include "yr_test.h"

#include <stdio.h>

static const uint64_t seed[2] = {1, 2};

static bool take(yr_mentions *mentions, const char *node, const char *value)
{
    return yr_mentions_take(mentions, yr_bytes_of_text(node), yr_bytes_of_text(value));
}

static void each_value_of_each_node_is_mentioned_once(void **state)
{
    (void)state;
    yr_mentions mentions;
    yr_mentions_init(&mentions, seed);
    assert_true(take(&mentions, "a:1", "x"));
    assert_true(take(&mentions, "a:1", "y"));
    assert_true(take(&mentions, "b:1", "x"));
    assert_false(take(&mentions, "a:1", "x"));
    assert_false(take(&mentions, "a:1", "y"));
    assert_false(take(&mentions, "b:1", "x"));
    yr_mentions_deinit(&mentions);
}

static void there_is_an_end_to_it(void **state)
{
    (void)state;
    yr_mentions mentions;
    yr_mentions_init(&mentions, seed);
    for (int i = 0; i < YR_MENTIONS_MAX + 10; i++) {
        char node[16];
        assert_true(snprintf(node, sizeof node, "a:%d", i) > 0);
        assert_true(take(&mentions, node, "x") == (i < YR_MENTIONS_MAX));
    }
    yr_mentions_deinit(&mentions);
}

static void without_memory_it_is_rather_mentioned_twice(void **state)
{
    (void)state;
    yr_mentions mentions;
    yr_mentions_init(&mentions, seed);
    yr_mem_fail_after(0);
    assert_true(take(&mentions, "a:1", "x"));
    assert_true(take(&mentions, "a:1", "x"));
    yr_mem_fail_after(-1);
    assert_true(take(&mentions, "a:1", "x"));
    assert_false(take(&mentions, "a:1", "x"));
    yr_mentions_deinit(&mentions);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_of_each_node_is_mentioned_once),
        cmocka_unit_test(there_is_an_end_to_it),
        cmocka_unit_test(without_memory_it_is_rather_mentioned_twice),
    };
    return cmocka_run_group_tests_name("mention", tests, NULL, NULL);
}
