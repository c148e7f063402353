/* The fake etcd's rules: each fault, and what it leaves behind. */
#include "fake_world.h"
#include "grpc/call.h"
#include "yr_test.h"

static void add_rule(yr_fake_world *here, yr_fake_rule rule)
{
    yr_fake_etcd_add_rule(here->fake, &rule);
}

static void a_rule_hits_the_requests_it_names(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Put",
                                  .nth = 2,
                                  .times = 1,
                                  .action = YR_FAKE_STATUS,
                                  .code = YR_GRPC_UNAVAILABLE,
                                  .text = "no"});
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
    assert_int_equal(yr_fake_world_put(here, "b"), YR_GRPC_UNAVAILABLE);
    assert_int_equal(yr_fake_world_put(here, "c"), 0);
    assert_true(yr_fake_world_has(here, "a"));
    assert_false(yr_fake_world_has(here, "b"));
    assert_true(yr_fake_world_has(here, "c"));
}

static void a_rule_without_times_hits_until_it_is_cleared(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here, (yr_fake_rule){.action = YR_FAKE_STATUS, .code = 8, .text = "too many"});
    assert_int_equal(yr_fake_world_put(here, "a"), 8);
    assert_int_equal(yr_fake_world_put(here, "a"), 8);
    yr_fake_etcd_clear_rules(here->fake);
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
}

static void the_first_rule_that_hits_decides(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here,
             (yr_fake_rule){
                 .method = "Put", .times = 1, .action = YR_FAKE_STATUS, .code = 1, .text = ""});
    add_rule(here,
             (yr_fake_rule){.method = "Put", .action = YR_FAKE_STATUS, .code = 2, .text = ""});
    assert_int_equal(yr_fake_world_put(here, "a"), 1);
    assert_int_equal(yr_fake_world_put(here, "a"), 2);
}

static void a_status_after_apply_is_a_lie(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Put",
                                  .action = YR_FAKE_STATUS_AFTER_APPLY,
                                  .code = YR_GRPC_UNAVAILABLE,
                                  .text = "request timed out"});
    assert_int_equal(yr_fake_world_put(here, "a"), YR_GRPC_UNAVAILABLE);
    assert_true(yr_fake_world_has(here, "a"));
}

static void a_delayed_request_is_done_later_even_without_its_call(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here, (yr_fake_rule){
                       .method = "Put", .times = 2, .action = YR_FAKE_DELAY, .number = 1000});
    yr_wire_call *kept = yr_fake_world_begin_put(here, "a", 0);
    yr_wire_call *dropped = yr_fake_world_begin_put(here, "b", 0);
    assert_int_equal(yr_fake_code_of(kept, 900), YR_NONE);
    assert_false(yr_fake_world_has(here, "a"));
    yr_wire_close(dropped);
    assert_int_equal(yr_fake_code_of(kept, 200), 0);
    assert_true(yr_fake_world_has(here, "a"));
    assert_true(yr_fake_world_has(here, "b"));
}

static void a_delayed_answer_is_to_what_was_done_at_once(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here,
             (yr_fake_rule){
                 .method = "Put", .times = 1, .action = YR_FAKE_DELAY_ANSWER, .number = 1000});
    yr_wire_call *call = yr_fake_world_begin_put(here, "a", 0);
    assert_int_equal(yr_fake_code_of(call, 900), YR_NONE);
    assert_true(yr_fake_world_has(here, "a"));
    assert_int_equal(yr_fake_code_of(call, 200), 0);
}

static void a_silent_rule_swallows_the_request(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Put", .times = 1, .action = YR_FAKE_SILENT});
    yr_wire_call *call = yr_fake_world_begin_put(here, "a", 0);
    assert_int_equal(yr_fake_code_of(call, 5000), YR_NONE);
    assert_false(yr_fake_world_has(here, "a"));
    assert_int_equal(yr_fake_world_put(here, "b"), 0); /* the connection is well */
}

static void a_connection_is_lost_before_after_or_behind_the_answer(void **state)
{
    yr_fake_world *here = *state;
    static const struct {
        yr_fake_action action;
        bool is_done;
        int code;
    } cases[] = {
        {YR_FAKE_DROP_BEFORE_APPLY, false, YR_GRPC_UNAVAILABLE},
        {YR_FAKE_DROP_AFTER_APPLY, true, YR_GRPC_UNAVAILABLE},
        {YR_FAKE_DROP_AFTER_ANSWER, true, 0},
    };
    yr_fake_server *server = yr_fake_etcd_server(here->fake, 0);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char key[] = {(char)('a' + (char)i), '\0'};
        yr_fake_etcd_clear_rules(here->fake);
        add_rule(here,
                 (yr_fake_rule){.method = "Put", .action = cases[i].action, .number = 10});
        assert_int_equal(yr_fake_world_put(here, key), cases[i].code);
        assert_int_equal(yr_fake_world_has(here, key), cases[i].is_done);
        yr_sim_run_for(here->sim, YR_SOON_MS);
        assert_int_equal(yr_fake_server_stats(server)->connections_open, 0);
        yr_wire_disconnect(here->wire);
    }
}

static void a_keepalive_may_lie_about_the_lease(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 10);
    yr_wire_call *call = yr_fake_open_keepalive(here->wire);
    assert_int_equal(yr_fake_keep_alive(call, lease), 10);
    assert_int_equal(yr_fake_etcd_revoke(here->fake, lease), 1);
    assert_int_equal(yr_fake_keep_alive(call, lease), 0);
    add_rule(here,
             (yr_fake_rule){.method = "LeaseKeepAlive", .action = YR_FAKE_TTL, .number = 10});
    assert_int_equal(yr_fake_keep_alive(call, lease), 10);
}

static void a_watch_may_be_cancelled_as_soon_as_it_is_created(void **state)
{
    yr_fake_world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Watch",
                                  .action = YR_FAKE_CANCEL,
                                  .number = 77,
                                  .text = "etcdserver: no leader"});
    yr_wire_call *call = yr_fake_open_watch(here->wire, false);
    assert_true(yr_fake_next_notice(call, YR_SOON_MS).is_created);
    yr_fake_notice canceled = yr_fake_next_notice(call, YR_SOON_MS);
    assert_true(canceled.is_canceled);
    assert_int_equal(canceled.compact_revision, 77);
    assert_string_equal(canceled.reason, "etcdserver: no leader");
    assert_int_equal(yr_fake_etcd_watch_count(here->fake), 0);
}

static void events_may_be_doubled_or_dropped(void **state)
{
    yr_fake_world *here = *state;
    yr_wire_call *call = yr_fake_open_watch(here->wire, false);
    assert_true(yr_fake_next_notice(call, YR_SOON_MS).is_created);
    add_rule(here,
             (yr_fake_rule){.method = "Events", .times = 1, .action = YR_FAKE_DUP_EVENTS});
    add_rule(here,
             (yr_fake_rule){
                 .method = "Events", .nth = 2, .times = 1, .action = YR_FAKE_DROP_EVENTS});
    yr_fake_etcd_put(here->fake, "a", "1", 0);
    assert_int_equal(yr_fake_next_notice(call, YR_SOON_MS).events, 1);
    assert_int_equal(yr_fake_next_notice(call, YR_SOON_MS).events, 1);
    yr_fake_etcd_put(here->fake, "b", "1", 0);
    assert_false(yr_fake_next_notice(call, YR_SOON_MS).has_come);
    yr_fake_etcd_put(here->fake, "c", "1", 0);
    assert_int_equal(yr_fake_next_notice(call, YR_SOON_MS).events, 1);
}

static void events_may_come_in_fragments_where_the_watch_allows_it(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 10);
    yr_fake_etcd_put(here->fake, "a", "1", lease);
    yr_fake_etcd_put(here->fake, "b", "1", lease);
    yr_fake_etcd_put(here->fake, "c", "1", lease);
    yr_wire_call *plain = yr_fake_open_watch(here->wire, false);
    yr_wire_call *split = yr_fake_open_watch(here->wire, true);
    assert_true(yr_fake_next_notice(plain, YR_SOON_MS).is_created);
    assert_true(yr_fake_next_notice(split, YR_SOON_MS).is_created);
    add_rule(here, (yr_fake_rule){.method = "Events", .action = YR_FAKE_FRAGMENT, .number = 2});
    assert_int_equal(yr_fake_etcd_revoke(here->fake, lease), 1);
    assert_int_equal(yr_fake_next_notice(plain, YR_SOON_MS).events, 3);
    yr_fake_notice first = yr_fake_next_notice(split, YR_SOON_MS);
    yr_fake_notice second = yr_fake_next_notice(split, YR_SOON_MS);
    assert_int_equal(first.events, 2);
    assert_true(first.has_more);
    assert_int_equal(second.events, 1);
    assert_false(second.has_more);
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, yr_fake_world_set_up, yr_fake_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_rule_hits_the_requests_it_names),
        TEST(a_rule_without_times_hits_until_it_is_cleared),
        TEST(the_first_rule_that_hits_decides),
        TEST(a_status_after_apply_is_a_lie),
        TEST(a_delayed_request_is_done_later_even_without_its_call),
        TEST(a_delayed_answer_is_to_what_was_done_at_once),
        TEST(a_silent_rule_swallows_the_request),
        TEST(a_connection_is_lost_before_after_or_behind_the_answer),
        TEST(a_keepalive_may_lie_about_the_lease),
        TEST(a_watch_may_be_cancelled_as_soon_as_it_is_created),
        TEST(events_may_be_doubled_or_dropped),
        TEST(events_may_come_in_fragments_where_the_watch_allows_it),
    };
    return cmocka_run_group_tests_name("fake_rules", tests, NULL, NULL);
}
