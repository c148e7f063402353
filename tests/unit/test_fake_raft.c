/* The fake etcd's members: a lost majority, a lost leader, one that is cut off; a full disk. */
#include "base/bytes.h"
#include "etcdserverpb.pb-c.h"
#include "fake_world.h"
#include "grpc/call.h"
#include "yr_test.h"

#include <string.h>

enum { MEMBERS = 3, NO_LEADER_MS = 3500, REQUEST_MS = 7000, ELECTION_MS = 1500 };

static const char *const names[] = {"etcd", "etcd-1", "etcd-2"};

/* A world whose cluster has three members, on a host each; the wire leads to the last. */
static int set_up(void **state)
{
    (void)yr_fake_world_set_up(state);
    yr_fake_world *here = *state;
    for (size_t i = 1; i < MEMBERS; i++) {
        yr_io *io = yr_sim_host_io(yr_sim_host_new(here->sim, names[i]));
        assert_ok(yr_fake_etcd_add_member(here->fake, io, names[i], YR_FAKE_PORT));
    }
    yr_wire_free(here->wire);
    here->wire = yr_fake_world_connect(here, names[MEMBERS - 1]);
    assert_int_equal(yr_fake_world_put(here, "before"), 0);
    return 0;
}

static void assert_ends(yr_wire_call *call, int64_t ms, int code, const char *text)
{
    int is_code = YR_NONE;
    const char *is_text = NULL;
    assert_true(yr_wire_await_end(call, ms, &is_code, &is_text));
    assert_int_equal(is_code, code);
    assert_non_null(strstr(is_text, text));
    yr_wire_close(call);
}

static yr_wire_call *begin_range(yr_fake_world *here, bool is_serializable)
{
    static uint8_t key[] = "before";
    static uint8_t packed[64];
    Etcdserverpb__RangeRequest request = ETCDSERVERPB__RANGE_REQUEST__INIT;
    request.key = (ProtobufCBinaryData){sizeof key - 1, key};
    request.serializable = is_serializable;
    yurpc_bytes message = yr_bytes(packed, etcdserverpb__range_request__pack(&request, packed));
    return yr_wire_open(here->wire, "/etcdserverpb.KV/Range", &message);
}

static void without_a_majority_what_must_be_decided_fails_after_seven_seconds(void **state)
{
    yr_fake_world *here = *state;
    yr_fake_etcd_set_quorum(here->fake, false);
    int64_t begun_ms = yr_sim_now_ms(here->sim);
    yr_wire_call *put = yr_fake_world_begin_put(here, "a", 0);
    yr_wire_call *range = begin_range(here, false);
    yr_wire_call *serializable = begin_range(here, true);
    assert_int_equal(yr_fake_code_of(serializable, YR_SOON_MS), 0);
    yr_wire_close(serializable);
    assert_ends(put, 2 * REQUEST_MS, YR_GRPC_DEADLINE_EXCEEDED, "context deadline exceeded");
    assert_in_range(yr_sim_now_ms(here->sim) - begun_ms, REQUEST_MS, REQUEST_MS + YR_SOON_MS);
    assert_ends(range, YR_SOON_MS, YR_GRPC_UNAVAILABLE, "etcdserver: request timed out");
    assert_false(yr_fake_world_has(here, "a"));
    yr_wire_call *late = yr_fake_world_begin_put(here, "b", 0);
    assert_int_equal(yr_fake_code_of(late, NO_LEADER_MS), YR_NONE);
    yr_fake_etcd_set_quorum(here->fake, true);
    assert_int_equal(yr_fake_code_of(late, YR_SOON_MS), 0);
    assert_true(yr_fake_world_has(here, "b"));
}

static void without_a_leader_streams_that_ask_for_one_end(void **state)
{
    yr_fake_world *here = *state;
    yr_wire_call *watch = yr_fake_open_watch(here->wire, false);
    assert_true(yr_fake_next_notice(watch, YR_SOON_MS).is_created);
    yr_fake_etcd_set_quorum(here->fake, false);
    assert_int_equal(yr_fake_code_of(watch, NO_LEADER_MS - YR_SOON_MS), YR_NONE);
    assert_ends(watch, 2 * YR_SOON_MS, YR_GRPC_UNAVAILABLE, "etcdserver: no leader");
    yr_wire_call *again = yr_fake_open_keepalive(here->wire);
    assert_ends(again, YR_SOON_MS, YR_GRPC_UNAVAILABLE, "etcdserver: no leader");
    yr_fake_etcd_set_quorum(here->fake, true);
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
}

/* V10: the dead live as long as the majority is away, and a TTL more. */
static void leases_stand_still_without_a_majority_and_then_have_their_full_time(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 5);
    yr_fake_etcd_put(here->fake, "k", "v", lease);
    yr_sim_run_for(here->sim, 4000);
    yr_fake_etcd_set_quorum(here->fake, false);
    yr_sim_run_for(here->sim, 40000);
    assert_true(yr_fake_world_has(here, "k"));
    yr_fake_etcd_set_quorum(here->fake, true);
    yr_sim_run_for(here->sim, 4900);
    assert_true(yr_fake_world_has(here, "k"));
    yr_sim_run_for(here->sim, 1100);
    assert_false(yr_fake_world_has(here, "k"));
}

/* V7 */
static void what_went_through_a_killed_leader_has_an_unknown_outcome(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 10);
    yr_sim_run_for(here->sim, 8000);
    assert_int_equal(yr_fake_etcd_leader(here->fake), 0);
    yr_fake_etcd_set_member_down(here->fake, 0, true);
    yr_wire_call *first = yr_fake_world_begin_put(here, "a", 0);
    yr_wire_call *second = yr_fake_world_begin_put(here, "b", 0);
    assert_int_equal(yr_fake_code_of(first, ELECTION_MS), YR_NONE);
    yr_sim_run_for(here->sim, YR_SOON_MS);
    assert_int_equal(yr_fake_etcd_leader(here->fake), 1);
    assert_int_equal(yr_fake_world_put(here, "c"), 0);
    assert_ends(first, REQUEST_MS, YR_GRPC_UNAVAILABLE, "due to previous leader failure");
    assert_ends(second, YR_SOON_MS, YR_GRPC_UNAVAILABLE, "due to previous leader failure");
    assert_false(yr_fake_world_has(here, "a"));
    assert_true(yr_fake_world_has(here, "b"));
    assert_int_equal(yr_fake_leases_first(yr_fake_etcd_leases(here->fake))->id, lease);
    yr_fake_etcd_set_member_down(here->fake, 0, false);
    yr_wire *back = yr_fake_world_connect(here, names[0]);
    yr_wire *before = here->wire;
    here->wire = back;
    assert_int_equal(yr_fake_world_put(here, "d"), 0);
    here->wire = before;
    yr_wire_free(back);
}

/* V8 */
static void a_keepalive_behind_a_stopped_leader_blocks_and_a_new_stream_does_not(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 30);
    yr_wire_call *stream = yr_fake_open_keepalive(here->wire);
    assert_int_equal(yr_fake_keep_alive(stream, lease), 30);
    yr_fake_etcd_set_member_silent(here->fake, 0, true);
    assert_int_equal(yr_fake_keep_alive(stream, lease), YR_NONE);
    yr_sim_run_for(here->sim, 2 * ELECTION_MS);
    yr_wire_call *fresh = yr_fake_open_keepalive(here->wire);
    assert_int_equal(yr_fake_keep_alive(fresh, lease), 30);
    assert_int_equal(yr_fake_keep_alive(stream, lease), YR_NONE); /* behind the first */
    assert_int_equal(yr_fake_code_of(stream, REQUEST_MS - 3 * ELECTION_MS), YR_NONE);
    assert_ends(stream, REQUEST_MS, YR_GRPC_UNAVAILABLE, "etcdserver: request timed out");
    yr_fake_etcd_set_member_silent(here->fake, 0, false);
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
}

static void a_member_that_is_cut_off_tells_later_what_it_missed(void **state)
{
    yr_fake_world *here = *state;
    yr_wire *other = yr_fake_world_connect(here, names[1]);
    yr_wire_call *behind = yr_fake_open_watch(here->wire, false);
    yr_wire_call *ahead = yr_fake_open_watch(other, false);
    assert_true(yr_fake_next_notice(behind, YR_SOON_MS).is_created);
    assert_true(yr_fake_next_notice(ahead, YR_SOON_MS).is_created);
    yr_fake_etcd_set_member_isolated(here->fake, MEMBERS - 1, true);
    yr_fake_etcd_put(here->fake, "a", "v", 0);
    assert_int_equal(yr_fake_next_notice(ahead, YR_SOON_MS).events, 1);
    assert_false(yr_fake_next_notice(behind, YR_SOON_MS).has_come);
    yr_fake_etcd_set_member_isolated(here->fake, MEMBERS - 1, false);
    assert_int_equal(yr_fake_next_notice(behind, YR_SOON_MS).events, 1);
    yr_wire_free(other);
}

static void a_full_server_deletes_and_keeps_alive_but_does_not_write(void **state)
{
    yr_fake_world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 30);
    yr_fake_etcd_set_full(here->fake, true);
    assert_int_equal(yr_fake_world_put(here, "a"), YR_GRPC_RESOURCE_EXHAUSTED);
    yr_wire_call *stream = yr_fake_open_keepalive(here->wire);
    assert_int_equal(yr_fake_keep_alive(stream, lease), 30);
    yr_fake_etcd_set_full(here->fake, false);
    assert_int_equal(yr_fake_world_put(here, "a"), 0);
}

static void restored_data_are_those_of_their_revision(void **state)
{
    yr_fake_world *here = *state;
    int64_t kept = yr_fake_etcd_grant(here->fake, 30);
    yr_fake_etcd_put(here->fake, "kept", "old", kept);
    int64_t revision = yr_fake_etcd_revision(here->fake);
    yr_fake_etcd_put(here->fake, "kept", "new", 0);
    yr_fake_etcd_put(here->fake, "later", "v", 0);
    (void)yr_fake_etcd_grant(here->fake, 30);
    assert_int_equal(yr_fake_etcd_revoke(here->fake, kept), 1);
    size_t wipes = here->wipes;
    assert_ok(yr_fake_etcd_restore(here->fake, revision));
    assert_int_equal(yr_fake_etcd_revision(here->fake), revision);
    assert_int_equal(yr_fake_etcd_get(here->fake, "kept")->lease, kept);
    assert_memory_equal(yr_fake_etcd_get(here->fake, "kept")->value.data, "old", 3);
    assert_false(yr_fake_world_has(here, "later"));
    assert_int_equal(yr_fake_etcd_leases(here->fake)->count, 1);
    assert_int_equal(here->wipes, wipes + 1);
    assert_int_equal(yr_fake_etcd_key_count(here->fake, ""), 2);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, yr_fake_world_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_majority_what_must_be_decided_fails_after_seven_seconds),
        TEST(without_a_leader_streams_that_ask_for_one_end),
        TEST(leases_stand_still_without_a_majority_and_then_have_their_full_time),
        TEST(what_went_through_a_killed_leader_has_an_unknown_outcome),
        TEST(a_keepalive_behind_a_stopped_leader_blocks_and_a_new_stream_does_not),
        TEST(a_member_that_is_cut_off_tells_later_what_it_missed),
        TEST(a_full_server_deletes_and_keeps_alive_but_does_not_write),
        TEST(restored_data_are_those_of_their_revision),
    };
    return cmocka_run_group_tests_name("fake_raft", tests, NULL, NULL);
}
