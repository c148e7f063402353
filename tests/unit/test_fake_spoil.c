/* The fake etcd's rules about bytes, frames and events: what a client sees of each. */
#include "base/bytes.h"
#include "fake_world.h"
#include "grpc/call.h"
#include "yr_test.h"

#include <string.h>

static void add_rule(yr_fake_world *here, yr_fake_rule rule)
{
    yr_fake_etcd_clear_rules(here->fake);
    yr_fake_etcd_add_rule(here->fake, &rule);
}

static void a_request_is_spoiled_before_or_after_it_is_done(void **state)
{
    enum { CANCEL = 8, REFUSED = 7, CALM = 11 };
    static const struct {
        yr_fake_rule rule;
        int code;
        bool is_done;
    } cases[] = {
        {{.action = YR_FAKE_RESET, .code = REFUSED}, YR_GRPC_UNAVAILABLE, false},
        {{.action = YR_FAKE_RESET, .code = CANCEL}, YR_GRPC_CANCELLED, false},
        {{.action = YR_FAKE_RESET_AFTER_APPLY, .code = CANCEL}, YR_GRPC_CANCELLED, true},
        {{.action = YR_FAKE_RESET, .code = CALM}, YR_GRPC_RESOURCE_EXHAUSTED, false},
        {{.action = YR_FAKE_GOAWAY_ABOVE, .number = -1, .text = "x"},
         YR_GRPC_UNAVAILABLE,
         false},
        {{.action = YR_FAKE_GOAWAY_BELOW, .number = 5, .text = "x"}, YR_GRPC_OK, true},
        {{.action = YR_FAKE_PAGE, .code = 502, .text = "<p>"}, YR_GRPC_UNAVAILABLE, false},
        {{.action = YR_FAKE_PAGE, .code = 401, .text = "<p>"}, YR_GRPC_UNAUTHENTICATED, false},
        {{.action = YR_FAKE_HUGE_HEADERS, .number = 40000}, YR_GRPC_RESOURCE_EXHAUSTED, false},
        {{.action = YR_FAKE_RAW_DATA, .bytes = {"\x07", 1}}, YR_GRPC_INTERNAL, false},
        {{.action = YR_FAKE_RAW_MESSAGE, .bytes = {"\xff", 1}}, YR_GRPC_OK, false},
        {{.action = YR_FAKE_RAW_FRAMES, .bytes = {"garbage, garbage", 16}},
         YR_GRPC_UNAVAILABLE,
         false},
        {{.action = YR_FAKE_RAW_STATUS, .text = "abc"}, YR_GRPC_UNKNOWN, false},
        {{.action = YR_FAKE_RAW_STATUS}, YR_GRPC_INTERNAL, false},
        {{.action = YR_FAKE_DROP_IN_ANSWER, .number = 3}, YR_GRPC_UNAVAILABLE, true},
        {{.action = YR_FAKE_SETTINGS, .code = 4, .number = 100000}, YR_GRPC_OK, true},
    };
    yr_fake_world *here = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char key[] = {(char)('a' + (char)i), '\0'};
        yr_fake_rule rule = cases[i].rule;
        rule.method = "Put";
        add_rule(here, rule);
        assert_int_equal(yr_fake_world_put(here, key), cases[i].code);
        assert_int_equal(yr_fake_world_has(here, key), cases[i].is_done);
        yr_wire_disconnect(here->wire);
        yr_fake_etcd_clear_rules(here->fake);
        assert_int_equal(yr_fake_world_put(here, "well"), YR_GRPC_OK);
    }
}

static void a_keepalive_may_be_answered_twice_or_for_another_lease(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 30);
    yr_wire_call *stream = yr_fake_open_keepalive(here->wire);
    yurpc_bytes second;
    add_rule(here, (yr_fake_rule){.method = "LeaseKeepAlive", .action = YR_FAKE_DUP_ANSWER});
    assert_int_equal(yr_fake_keep_alive(stream, lease), 30);
    assert_true(yr_wire_take(stream, YR_SOON_MS, &second));
    add_rule(here, (yr_fake_rule){.method = "LeaseKeepAlive",
                                  .action = YR_FAKE_FOREIGN_ANSWER,
                                  .number = 7});
    assert_int_equal(yr_fake_keep_alive(stream, lease), 7);
    assert_true(yr_wire_take(stream, YR_SOON_MS, &second));
}

static void a_watch_may_be_refused_at_once_or_cut_behind_its_creation(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here,
             (yr_fake_rule){.method = "Watch", .action = YR_FAKE_REFUSE_WATCH, .text = "no"});
    yr_fake_notice notice =
        yr_fake_next_notice(yr_fake_open_watch(here->wire, false), YR_SOON_MS);
    assert_true(notice.is_created && notice.is_canceled);
    assert_string_equal(notice.reason, "no");
    add_rule(here, (yr_fake_rule){.method = "Watch", .action = YR_FAKE_CREATED_THEN_CUT});
    yr_wire_call *cut = yr_fake_open_watch(here->wire, false);
    assert_true(yr_fake_next_notice(cut, YR_SOON_MS).is_created);
    assert_int_equal(yr_fake_code_of(cut, YR_SOON_MS), YR_GRPC_UNAVAILABLE);
}

static void events_may_be_old_late_early_or_followed_by_a_cancel(void **state)
{
    yr_fake_world *here = *state;
    yr_fake_etcd_put(here->fake, "a", "1", 0);
    yr_fake_etcd_put(here->fake, "b", "2", 0);
    yr_wire_call *watch = yr_fake_open_watch(here->wire, false);
    assert_true(yr_fake_next_notice(watch, YR_SOON_MS).is_created);

    add_rule(here,
             (yr_fake_rule){.method = "Events", .action = YR_FAKE_OLD_EVENTS, .number = 2});
    yr_fake_etcd_put(here->fake, "c", "3", 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(yr_fake_next_notice(watch, YR_SOON_MS).events, 1);
    }
    assert_false(yr_fake_next_notice(watch, YR_SOON_MS).has_come);

    add_rule(here, (yr_fake_rule){
                       .method = "Events", .action = YR_FAKE_DELAY, .number = 50, .times = 1});
    yr_fake_etcd_put(here->fake, "d", "4", 0);
    yr_fake_etcd_put(here->fake, "e", "5", 0);
    int64_t before_ms = yr_sim_now_ms(here->sim);
    assert_int_equal(yr_fake_next_notice(watch, YR_SOON_MS).events, 1);
    assert_true(yr_sim_now_ms(here->sim) - before_ms < 50);
    assert_int_equal(yr_fake_next_notice(watch, YR_SOON_MS).events, 1);

    add_rule(here, (yr_fake_rule){
                       .method = "Events", .action = YR_FAKE_EARLY_PROGRESS, .number = 50});
    yr_fake_etcd_put(here->fake, "f", "6", 0);
    yr_fake_notice progress = yr_fake_next_notice(watch, YR_SOON_MS);
    assert_true(progress.has_come && progress.events == 0);
    assert_int_equal(yr_fake_next_notice(watch, YR_SOON_MS).events, 1);

    add_rule(here,
             (yr_fake_rule){
                 .method = "Events", .action = YR_FAKE_CANCEL, .number = 3, .text = "why"});
    yr_fake_etcd_put(here->fake, "g", "7", 0);
    yr_fake_notice canceled = yr_fake_next_notice(watch, YR_SOON_MS);
    assert_true(canceled.is_canceled);
    assert_int_equal(canceled.compact_revision, 3);
    assert_string_equal(canceled.reason, "why");
}

#define TEST(test) \
    cmocka_unit_test_setup_teardown(test, yr_fake_world_set_up, yr_fake_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_spoiled_before_or_after_it_is_done),
        TEST(a_keepalive_may_be_answered_twice_or_for_another_lease),
        TEST(a_watch_may_be_refused_at_once_or_cut_behind_its_creation),
        TEST(events_may_be_old_late_early_or_followed_by_a_cancel),
    };
    return cmocka_run_group_tests_name("fake_spoil", tests, NULL, NULL);
}
