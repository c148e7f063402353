#include "etcd/history.h"
#include "yr_test.h"

#include <string.h>

static yr_header header(int64_t revision, uint64_t term)
{
    return (yr_header){
        .cluster_id = 1, .member_id = 7, .revision = revision, .raft_term = term};
}

/* An answer to a request that was sent just now. */
static yr_history_verdict judge(yr_history *history, yr_header header, bool is_linearizable)
{
    yr_history sent = *history;
    return yr_history_judge(history, &header, &sent, is_linearizable);
}

static int set_up(void **state)
{
    static yr_history history;
    memset(&history, 0, sizeof history);
    assert_int_equal(judge(&history, header(100, 5), false), YR_HISTORY_GOOD);
    *state = &history;
    return 0;
}

static void another_cluster_is_foreign(void **state)
{
    yr_header foreign = header(500, 9);
    foreign.cluster_id = 2;
    assert_int_equal(judge(*state, foreign, true), YR_HISTORY_FOREIGN);
    assert_int_equal(((yr_history *)*state)->seen.revision, 100);
}

static void a_lower_revision_of_a_linearizable_answer_is_a_regression_once(void **state)
{
    assert_int_equal(judge(*state, header(1, 5), true), YR_HISTORY_REGRESSED);
    assert_int_equal(judge(*state, header(1, 5), true), YR_HISTORY_GOOD);
    assert_int_equal(judge(*state, header(2, 5), true), YR_HISTORY_GOOD);
}

static void a_lower_term_of_the_same_member_is_a_regression(void **state)
{
    assert_int_equal(judge(*state, header(100, 2), true), YR_HISTORY_REGRESSED);
}

static void a_member_that_lags_is_none(void **state)
{
    yr_header other = header(100, 2);
    other.member_id = 8;
    assert_int_equal(judge(*state, header(90, 5), false), YR_HISTORY_GOOD);
    assert_int_equal(judge(*state, header(90, 4), false), YR_HISTORY_GOOD);
    assert_int_equal(judge(*state, other, true), YR_HISTORY_GOOD);
    assert_int_equal(((yr_history *)*state)->seen.revision, 100);
}

static void an_answer_that_was_overtaken_is_none(void **state)
{
    yr_history *history = *state;
    yr_history sent = *history;
    assert_int_equal(judge(history, header(120, 5), true), YR_HISTORY_GOOD);
    yr_header late = header(110, 5);
    assert_int_equal(yr_history_judge(history, &late, &sent, true), YR_HISTORY_GOOD);
    assert_int_equal(history->seen.revision, 120);
}

static void an_answer_from_before_a_break_says_nothing(void **state)
{
    yr_history *history = *state;
    yr_history sent = *history;
    assert_int_equal(judge(history, header(1, 2), true), YR_HISTORY_REGRESSED);
    yr_header old = header(101, 5);
    assert_int_equal(yr_history_judge(history, &old, &sent, true), YR_HISTORY_GOOD);
    assert_int_equal(history->seen.revision, 1);
}

static void a_missing_header_says_nothing(void **state)
{
    assert_int_equal(judge(*state, (yr_header){0}, true), YR_HISTORY_GOOD);
    assert_int_equal(((yr_history *)*state)->seen.revision, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(another_cluster_is_foreign, set_up),
        cmocka_unit_test_setup(a_lower_revision_of_a_linearizable_answer_is_a_regression_once,
                               set_up),
        cmocka_unit_test_setup(a_lower_term_of_the_same_member_is_a_regression, set_up),
        cmocka_unit_test_setup(a_member_that_lags_is_none, set_up),
        cmocka_unit_test_setup(an_answer_that_was_overtaken_is_none, set_up),
        cmocka_unit_test_setup(an_answer_from_before_a_break_says_nothing, set_up),
        cmocka_unit_test_setup(a_missing_header_says_nothing, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
