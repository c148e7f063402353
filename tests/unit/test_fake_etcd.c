/*
 * The fake etcd's faults as a whole, its leases on the clock, and what can be asked of it. What
 * it does when it is healthy, tests/conformance holds against real ones.
 */
#include "base/bytes.h"
#include "fake_world.h"
#include "grpc/call.h"
#include "yr_test.h"

/* ---- Leases ---- */

static void a_lease_ends_at_the_first_look_after_its_time(void **state)
{
    yr_fake_world *here = *state;
    yr_sim_run_for(here->sim, 300);
    int64_t lease = yr_fake_etcd_grant(here->fake, 3); /* until 3,300 ms */
    yr_fake_etcd_put(here->fake, "a", "1", lease);
    yr_sim_run_for(here->sim, 3150);
    assert_true(yr_fake_world_has(here, "a"));
    yr_sim_run_for(here->sim, 50); /* 3,500 ms */
    assert_false(yr_fake_world_has(here, "a"));
    assert_int_equal(yr_fake_etcd_leases(here->fake)->count, 0);
}

static void mass_expiry_is_spread_over_looks(void **state)
{
    yr_fake_world *here = *state;
    for (int i = 0; i < YR_FAKE_LEASE_SWEEP_MAX + 1; i++) {
        (void)yr_fake_etcd_grant(here->fake, 2);
    }
    yr_sim_run_for(here->sim, 2000);
    assert_int_equal(yr_fake_etcd_leases(here->fake)->count, 1);
    yr_sim_run_for(here->sim, 500);
    assert_int_equal(yr_fake_etcd_leases(here->fake)->count, 0);
}

/* ---- The server as a whole ---- */

static void a_stopped_server_refuses_and_a_started_one_has_its_data(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 5);
    yr_wire_call *first = yr_fake_world_begin_put(here, "a", lease);
    assert_int_equal(yr_fake_code_of(first, YR_SOON_MS), 0);
    yr_sim_run_for(here->sim, 4000);
    yr_fake_etcd_stop(here->fake);
    yr_sim_run_for(here->sim, 20000); /* the lease waits */
    yr_wire_disconnect(here->wire);
    assert_int_equal(yr_fake_world_put(here, "b"), YR_GRPC_UNAVAILABLE);
    yr_wire_disconnect(here->wire);

    assert_ok(yr_fake_etcd_start(here->fake));
    assert_int_equal(yr_fake_world_put(here, "b"), 0);
    assert_true(yr_fake_world_has(here, "a"));
    yr_sim_run_for(here->sim, 4500); /* it has its full time again */
    assert_true(yr_fake_world_has(here, "a"));
    yr_sim_run_for(here->sim, 1000);
    assert_false(yr_fake_world_has(here, "a"));
}

static void a_wiped_server_begins_anew(void **state)
{
    yr_fake_world *here = *state;
    (void)yr_fake_etcd_grant(here->fake, 60);
    yr_fake_etcd_put(here->fake, "a", "1", 0);
    assert_int_equal(yr_fake_etcd_revision(here->fake), 2);
    assert_ok(yr_fake_etcd_restart(here->fake, true));
    assert_int_equal(yr_fake_etcd_revision(here->fake), 1);
    assert_int_equal(yr_fake_etcd_leases(here->fake)->count, 0);
    assert_false(yr_fake_world_has(here, "a"));
    assert_int_equal(here->wipes, 1);
}

static void what_is_delayed_dies_with_the_server(void **state)
{
    yr_fake_world *here = *state;
    const yr_fake_rule delay = {.method = "Put", .action = YR_FAKE_DELAY, .number = 1000};
    yr_fake_etcd_add_rule(here->fake, &delay);
    yr_wire_call *call = yr_fake_world_begin_put(here, "a", 0);
    assert_int_equal(yr_fake_code_of(call, YR_SOON_MS), YR_NONE);
    assert_ok(yr_fake_etcd_restart(here->fake, false));
    yr_sim_run_for(here->sim, 2000);
    assert_false(yr_fake_world_has(here, "a"));
    assert_int_equal(yr_fake_code_of(call, 0), YR_GRPC_UNAVAILABLE);
}

static void a_silent_server_answers_when_it_speaks_again(void **state)
{
    yr_fake_world *here = *state;
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
    yr_fake_etcd_set_silent(here->fake, true);
    yr_wire_call *call = yr_fake_world_begin_put(here, "b", 0);
    assert_int_equal(yr_fake_code_of(call, 1000), YR_NONE);
    assert_false(yr_fake_world_has(here, "b"));
    yr_fake_etcd_set_silent(here->fake, false);
    assert_int_equal(yr_fake_code_of(call, YR_SOON_MS), 0);
    assert_true(yr_fake_world_has(here, "b"));
}

static void a_connection_made_during_silence_is_served_afterwards(void **state)
{
    yr_fake_world *here = *state;
    yr_fake_etcd_set_silent(here->fake, true);
    yr_wire_call *call = yr_fake_world_begin_put(here, "a", 0);
    assert_int_equal(yr_fake_code_of(call, 1000), YR_NONE);
    yr_fake_etcd_set_silent(here->fake, false);
    assert_int_equal(yr_fake_code_of(call, YR_SOON_MS), 0);
}

static void lost_connections_can_be_made_again(void **state)
{
    yr_fake_world *here = *state;
    yr_wire_call *watch = yr_fake_open_watch(here->wire, false);
    assert_true(yr_fake_next_notice(watch, YR_SOON_MS).is_created);
    yr_fake_etcd_drop_connections(here->fake);
    assert_int_equal(yr_fake_code_of(watch, YR_SOON_MS), YR_GRPC_UNAVAILABLE);
    assert_int_equal(yr_fake_etcd_watch_count(here->fake), 0);
    yr_wire_disconnect(here->wire);
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
}

static void members_share_their_data(void **state)
{
    yr_fake_world *here = *state;
    yr_sim_host *second = yr_sim_host_new(here->sim, "etcd2");
    assert_ok(
        yr_fake_etcd_add_member(here->fake, yr_sim_host_io(second), "etcd2", YR_FAKE_PORT));
    assert_int_equal(yr_fake_etcd_member_count(here->fake), 2);
    assert_string_equal(yr_fake_etcd_address(here->fake), "http://etcd:2379,http://etcd2:2379");
    yr_wire *other = yr_fake_world_connect(here, "etcd2");
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
    yr_wire_call *watch = yr_fake_open_watch(other, false);
    assert_true(yr_fake_next_notice(watch, YR_SOON_MS).is_created);
    assert_int_equal(yr_fake_world_put(here, "b"), 0);
    assert_int_equal(yr_fake_next_notice(watch, YR_SOON_MS).events, 1);
    assert_int_equal(yr_fake_etcd_last_request(here->fake, "Watch")->member, 1);
    yr_wire_free(other);
}

/* ---- What can be asked of it ---- */

static void requests_are_remembered_with_their_time(void **state)
{
    yr_fake_world *here = *state;
    int64_t asked_at_ms = yr_sim_now_ms(here->sim);
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
    yr_wire_call *watch = yr_fake_open_watch(here->wire, false);
    assert_true(yr_fake_next_notice(watch, YR_SOON_MS).is_created);

    assert_int_equal(yr_fake_etcd_request_count(here->fake), 2);
    const yr_fake_request *first = yr_fake_etcd_request(here->fake, 0);
    assert_string_equal(first->method, "Put");
    assert_in_range(first->at_ms, asked_at_ms + 1, asked_at_ms + YR_SOON_MS);
    assert_true(yr_bytes_equal(first->key, yr_bytes_of_text("a")));
    assert_true(yr_bytes_equal(first->value, yr_bytes_of_text("v")));
    assert_false(first->has_leader);
    const yr_fake_request *last = yr_fake_etcd_last_request(here->fake, "Watch");
    assert_true(yr_bytes_equal(last->range_end, yr_bytes_of_text("z")));
    assert_true(last->has_leader);
    assert_ptr_equal(last->conn, first->conn);

    assert_int_equal(yr_fake_etcd_count_requests(here->fake, NULL, 0), 2);
    assert_int_equal(yr_fake_etcd_count_requests(here->fake, "Put", 0), 1);
    int64_t now_ms = yr_sim_now_ms(here->sim);
    assert_int_equal(yr_fake_etcd_count_requests(here->fake, "Put", now_ms + 1), 0);
    yr_fake_etcd_forget_requests(here->fake);
    assert_int_equal(yr_fake_etcd_request_count(here->fake), 0);
    assert_null(yr_fake_etcd_last_request(here->fake, "Put"));
}

static void the_witness_sees_every_transaction(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 2);
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
    yr_fake_etcd_put(here->fake, "b", "1", lease);
    yr_fake_etcd_put(here->fake, "c", "1", lease);
    yr_fake_etcd_delete(here->fake, "a");
    yr_fake_etcd_delete(here->fake, "a"); /* nothing to delete: no transaction */
    assert_int_equal(here->commits, 4);
    yr_sim_run_for(here->sim, 3000); /* one that deletes both */
    assert_int_equal(here->commits, 5);
    assert_int_equal(here->writes, 6);
}

static void foreign_hands_reach_the_data(void **state)
{
    yr_fake_world *here = *state;
    int64_t first = yr_fake_etcd_grant(here->fake, 60);
    int64_t second = yr_fake_etcd_grant(here->fake, 60);
    yr_fake_etcd_put(here->fake, "a/1", "x", first);
    yr_fake_etcd_put(here->fake, "a/2", "x", second);
    yr_fake_etcd_put(here->fake, "b/1", "x", 0);
    assert_int_equal(yr_fake_etcd_key_count(here->fake, "a/"), 2);
    assert_int_equal(yr_fake_etcd_key_count(here->fake, ""), 3);
    assert_int_equal(yr_fake_etcd_revoke(here->fake, first), 1);
    assert_int_equal(yr_fake_etcd_revoke(here->fake, first), 0);
    assert_int_equal(yr_fake_etcd_revoke_all(here->fake), 1);
    assert_int_equal(yr_fake_etcd_key_count(here->fake, ""), 1);
    yr_fake_etcd_compact(here->fake, 0);
    yr_fake_etcd_compact(here->fake, 0);
    assert_int_equal(yr_fake_store_compacted(yr_fake_etcd_store(here->fake)),
                     yr_fake_etcd_revision(here->fake));
}

#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, yr_fake_world_set_up, yr_fake_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_lease_ends_at_the_first_look_after_its_time),
        TEST(mass_expiry_is_spread_over_looks),
        TEST(a_stopped_server_refuses_and_a_started_one_has_its_data),
        TEST(a_wiped_server_begins_anew),
        TEST(what_is_delayed_dies_with_the_server),
        TEST(a_silent_server_answers_when_it_speaks_again),
        TEST(a_connection_made_during_silence_is_served_afterwards),
        TEST(lost_connections_can_be_made_again),
        TEST(members_share_their_data),
        TEST(requests_are_remembered_with_their_time),
        TEST(the_witness_sees_every_transaction),
        TEST(foreign_hands_reach_the_data),
    };
    return cmocka_run_group_tests_name("fake_etcd", tests, NULL, NULL);
}
