/*
 * The fake etcd's faults and rules, in the simulated world. What it does when it is healthy,
 * tests/conformance holds against real ones.
 */
#include "base/bytes.h"
#include "etcdserverpb.pb-c.h"
#include "fake/alloc.h"
#include "fake/etcd.h"
#include "grpc/call.h"
#include "sim/sim_io.h"
#include "wire.h"
#include "yr_test.h"

#include <string.h>

enum {
    PORT = 2379,
    SOON_MS = 100, /* more than a request and its answer take */
    NONE = -1,     /* the call has not ended */
};

typedef struct world {
    yr_sim *sim;
    yr_sim_host *server;
    yr_sim_host *client;
    yr_fake_etcd *fake;
    yr_wire *wire;
    size_t commits; /* that the witness saw */
    size_t writes;
    size_t wipes;
} world;

static void count_commit(void *context, const yr_fake_version *const *writes, size_t count)
{
    (void)writes;
    world *here = context;
    here->commits += count > 0;
    here->writes += count;
    here->wipes += count == 0;
}

static void run_one_ms(void *context)
{
    yr_sim_run_for(context, 1);
}

static int set_up(void **state)
{
    world *here = yr_fake_alloc(sizeof(*here));
    here->sim = yr_sim_new(1);
    here->server = yr_sim_host_new(here->sim, "etcd");
    here->client = yr_sim_host_new(here->sim, "client");
    const yr_fake_etcd_options options = {.on_commit = count_commit, .context = here};
    assert_ok(
        yr_fake_etcd_new(yr_sim_host_io(here->server), "etcd", PORT, &options, &here->fake));
    here->wire = yr_wire_new(&(yr_wire_options){
        .io = yr_sim_host_io(here->client),
        .host = "etcd",
        .port = PORT,
        .turn = run_one_ms,
        .context = here->sim,
    });
    *state = here;
    return 0;
}

static int tear_down(void **state)
{
    world *here = *state;
    yr_wire_free(here->wire);
    yr_fake_etcd_free(here->fake);
    yr_sim_free(here->sim);
    yr_fake_release(here);
    return 0;
}

/* ---- Calls ---- */

static ProtobufCBinaryData binary(const char *text)
{
    union {
        const char *borrowed;
        uint8_t *writable;
    } data = {.borrowed = text};
    return (ProtobufCBinaryData){.len = strlen(text), .data = data.writable};
}

static yurpc_bytes pack(const ProtobufCMessage *message)
{
    static uint8_t packed[1024];
    assert_true(protobuf_c_message_get_packed_size(message) <= sizeof(packed));
    return yr_bytes(packed, protobuf_c_message_pack(message, packed));
}

static yr_wire_call *begin_put(world *here, const char *key, int64_t lease)
{
    Etcdserverpb__PutRequest request = ETCDSERVERPB__PUT_REQUEST__INIT;
    request.key = binary(key);
    request.value = binary("v");
    request.lease = lease;
    yurpc_bytes message = pack(&request.base);
    return yr_wire_open(here->wire, "/etcdserverpb.KV/Put", &message);
}

/* How a call ended within a time; NONE: not yet. */
static int code_of(yr_wire_call *call, int64_t ms)
{
    int code = 0;
    const char *text = NULL;
    return yr_wire_await_end(call, ms, &code, &text) ? code : NONE;
}

static int put(world *here, const char *key)
{
    yr_wire_call *call = begin_put(here, key, 0);
    int code = code_of(call, SOON_MS);
    yr_wire_close(call);
    return code;
}

static yr_wire_call *open_watch(world *here, bool may_fragment)
{
    yr_wire_call *call = yr_wire_open(here->wire, "/etcdserverpb.Watch/Watch", NULL);
    Etcdserverpb__WatchCreateRequest create = ETCDSERVERPB__WATCH_CREATE_REQUEST__INIT;
    create.key = binary("a");
    create.range_end = binary("z");
    create.fragment = may_fragment;
    Etcdserverpb__WatchRequest request = ETCDSERVERPB__WATCH_REQUEST__INIT;
    request.request_case = ETCDSERVERPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST;
    request.create_request = &create;
    assert_true(yr_wire_send(call, pack(&request.base)));
    return call;
}

/* What a watch says next, in few words. */
typedef struct notice {
    bool has_come;
    bool is_created;
    bool is_canceled;
    bool has_more; /* a fragment */
    int64_t compact_revision;
    size_t events;
    char reason[64];
} notice;

static notice next_notice(yr_wire_call *call, int64_t ms)
{
    yurpc_bytes message;
    if (!yr_wire_take(call, ms, &message)) {
        return (notice){0};
    }
    Etcdserverpb__WatchResponse *response =
        etcdserverpb__watch_response__unpack(NULL, message.len, message.data);
    assert_non_null(response);
    notice seen = {
        .has_come = true,
        .is_created = response->created,
        .is_canceled = response->canceled,
        .has_more = response->fragment,
        .compact_revision = response->compact_revision,
        .events = response->n_events,
    };
    (void)strncpy(seen.reason, response->cancel_reason, sizeof(seen.reason) - 1);
    etcdserverpb__watch_response__free_unpacked(response, NULL);
    return seen;
}

static yr_wire_call *open_keepalive(world *here)
{
    return yr_wire_open(here->wire, "/etcdserverpb.Lease/LeaseKeepAlive", NULL);
}

/* The TTL that a keepalive is answered with; NONE: no answer. */
static int64_t keep_alive(yr_wire_call *call, int64_t lease)
{
    Etcdserverpb__LeaseKeepAliveRequest request = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
    request.id = lease;
    yurpc_bytes message = pack(&request.base);
    if (!yr_wire_send(call, message) || !yr_wire_take(call, SOON_MS, &message)) {
        return NONE;
    }
    Etcdserverpb__LeaseKeepAliveResponse *response =
        etcdserverpb__lease_keep_alive_response__unpack(NULL, message.len, message.data);
    assert_non_null(response);
    int64_t ttl_s = response->ttl;
    etcdserverpb__lease_keep_alive_response__free_unpacked(response, NULL);
    return ttl_s;
}

static void add_rule(world *here, yr_fake_rule rule)
{
    yr_fake_etcd_add_rule(here->fake, &rule);
}

static bool has(world *here, const char *key)
{
    return yr_fake_etcd_get(here->fake, key) != NULL;
}

/* ---- Rules ---- */

static void a_rule_hits_the_requests_it_names(void **state)
{
    world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Put",
                                  .nth = 2,
                                  .times = 1,
                                  .action = YR_FAKE_STATUS,
                                  .code = YR_GRPC_UNAVAILABLE,
                                  .text = "no"});
    assert_int_equal(put(here, "a"), 0);
    assert_int_equal(put(here, "b"), YR_GRPC_UNAVAILABLE);
    assert_int_equal(put(here, "c"), 0);
    assert_true(has(here, "a"));
    assert_false(has(here, "b"));
    assert_true(has(here, "c"));
}

static void a_rule_without_times_hits_until_it_is_cleared(void **state)
{
    world *here = *state;
    add_rule(here, (yr_fake_rule){.action = YR_FAKE_STATUS, .code = 8, .text = "too many"});
    assert_int_equal(put(here, "a"), 8);
    assert_int_equal(put(here, "a"), 8);
    yr_fake_etcd_clear_rules(here->fake);
    assert_int_equal(put(here, "a"), 0);
}

static void the_first_rule_that_hits_decides(void **state)
{
    world *here = *state;
    add_rule(here,
             (yr_fake_rule){
                 .method = "Put", .times = 1, .action = YR_FAKE_STATUS, .code = 1, .text = ""});
    add_rule(here,
             (yr_fake_rule){.method = "Put", .action = YR_FAKE_STATUS, .code = 2, .text = ""});
    assert_int_equal(put(here, "a"), 1);
    assert_int_equal(put(here, "a"), 2);
}

static void a_status_after_apply_is_a_lie(void **state)
{
    world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Put",
                                  .action = YR_FAKE_STATUS_AFTER_APPLY,
                                  .code = YR_GRPC_UNAVAILABLE,
                                  .text = "request timed out"});
    assert_int_equal(put(here, "a"), YR_GRPC_UNAVAILABLE);
    assert_true(has(here, "a"));
}

static void a_delayed_request_is_done_later_even_without_its_call(void **state)
{
    world *here = *state;
    add_rule(here, (yr_fake_rule){
                       .method = "Put", .times = 2, .action = YR_FAKE_DELAY, .number = 1000});
    yr_wire_call *kept = begin_put(here, "a", 0);
    yr_wire_call *dropped = begin_put(here, "b", 0);
    assert_int_equal(code_of(kept, 900), NONE);
    assert_false(has(here, "a"));
    yr_wire_close(dropped);
    assert_int_equal(code_of(kept, 200), 0);
    assert_true(has(here, "a"));
    assert_true(has(here, "b"));
}

static void a_delayed_answer_is_to_what_was_done_at_once(void **state)
{
    world *here = *state;
    add_rule(here,
             (yr_fake_rule){
                 .method = "Put", .times = 1, .action = YR_FAKE_DELAY_ANSWER, .number = 1000});
    yr_wire_call *call = begin_put(here, "a", 0);
    assert_int_equal(code_of(call, 900), NONE);
    assert_true(has(here, "a"));
    assert_int_equal(code_of(call, 200), 0);
}

static void a_silent_rule_swallows_the_request(void **state)
{
    world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Put", .times = 1, .action = YR_FAKE_SILENT});
    yr_wire_call *call = begin_put(here, "a", 0);
    assert_int_equal(code_of(call, 5000), NONE);
    assert_false(has(here, "a"));
    assert_int_equal(put(here, "b"), 0); /* the connection is well */
}

static void a_connection_is_lost_before_after_or_behind_the_answer(void **state)
{
    world *here = *state;
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
        assert_int_equal(put(here, key), cases[i].code);
        assert_int_equal(has(here, key), cases[i].is_done);
        yr_sim_run_for(here->sim, SOON_MS);
        assert_int_equal(yr_fake_server_stats(server)->connections_open, 0);
        yr_wire_disconnect(here->wire);
    }
}

static void a_keepalive_may_lie_about_the_lease(void **state)
{
    world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 10);
    yr_wire_call *call = open_keepalive(here);
    assert_int_equal(keep_alive(call, lease), 10);
    assert_int_equal(yr_fake_etcd_revoke(here->fake, lease), 1);
    assert_int_equal(keep_alive(call, lease), 0);
    add_rule(here,
             (yr_fake_rule){.method = "LeaseKeepAlive", .action = YR_FAKE_TTL, .number = 10});
    assert_int_equal(keep_alive(call, lease), 10);
}

static void a_watch_may_be_cancelled_as_soon_as_it_is_created(void **state)
{
    world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Watch",
                                  .action = YR_FAKE_CANCEL,
                                  .number = 77,
                                  .text = "etcdserver: no leader"});
    yr_wire_call *call = open_watch(here, false);
    assert_true(next_notice(call, SOON_MS).is_created);
    notice canceled = next_notice(call, SOON_MS);
    assert_true(canceled.is_canceled);
    assert_int_equal(canceled.compact_revision, 77);
    assert_string_equal(canceled.reason, "etcdserver: no leader");
    assert_int_equal(yr_fake_etcd_watch_count(here->fake), 0);
}

static void events_may_be_doubled_or_dropped(void **state)
{
    world *here = *state;
    yr_wire_call *call = open_watch(here, false);
    assert_true(next_notice(call, SOON_MS).is_created);
    add_rule(here,
             (yr_fake_rule){.method = "Events", .times = 1, .action = YR_FAKE_DUP_EVENTS});
    add_rule(here,
             (yr_fake_rule){
                 .method = "Events", .nth = 2, .times = 1, .action = YR_FAKE_DROP_EVENTS});
    yr_fake_etcd_put(here->fake, "a", "1", 0);
    assert_int_equal(next_notice(call, SOON_MS).events, 1);
    assert_int_equal(next_notice(call, SOON_MS).events, 1);
    yr_fake_etcd_put(here->fake, "b", "1", 0);
    assert_false(next_notice(call, SOON_MS).has_come);
    yr_fake_etcd_put(here->fake, "c", "1", 0);
    assert_int_equal(next_notice(call, SOON_MS).events, 1);
}

static void events_may_come_in_fragments_where_the_watch_allows_it(void **state)
{
    world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 10);
    yr_fake_etcd_put(here->fake, "a", "1", lease);
    yr_fake_etcd_put(here->fake, "b", "1", lease);
    yr_fake_etcd_put(here->fake, "c", "1", lease);
    yr_wire_call *plain = open_watch(here, false);
    yr_wire_call *split = open_watch(here, true);
    assert_true(next_notice(plain, SOON_MS).is_created);
    assert_true(next_notice(split, SOON_MS).is_created);
    add_rule(here, (yr_fake_rule){.method = "Events", .action = YR_FAKE_FRAGMENT, .number = 2});
    assert_int_equal(yr_fake_etcd_revoke(here->fake, lease), 1);
    assert_int_equal(next_notice(plain, SOON_MS).events, 3);
    notice first = next_notice(split, SOON_MS);
    notice second = next_notice(split, SOON_MS);
    assert_int_equal(first.events, 2);
    assert_true(first.has_more);
    assert_int_equal(second.events, 1);
    assert_false(second.has_more);
}

/* ---- Leases ---- */

static void a_lease_ends_at_the_first_look_after_its_time(void **state)
{
    world *here = *state;
    yr_sim_run_for(here->sim, 300);
    int64_t lease = yr_fake_etcd_grant(here->fake, 3); /* until 3,300 ms */
    yr_fake_etcd_put(here->fake, "a", "1", lease);
    yr_sim_run_for(here->sim, 3150);
    assert_true(has(here, "a"));
    yr_sim_run_for(here->sim, 50); /* 3,500 ms */
    assert_false(has(here, "a"));
    assert_int_equal(yr_fake_etcd_leases(here->fake)->count, 0);
}

static void mass_expiry_is_spread_over_looks(void **state)
{
    world *here = *state;
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
    world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 5);
    yr_wire_call *first = begin_put(here, "a", lease);
    assert_int_equal(code_of(first, SOON_MS), 0);
    yr_sim_run_for(here->sim, 4000);
    yr_fake_etcd_stop(here->fake);
    yr_sim_run_for(here->sim, 20000); /* the lease waits */
    yr_wire_disconnect(here->wire);
    assert_int_equal(put(here, "b"), YR_GRPC_UNAVAILABLE);
    yr_wire_disconnect(here->wire);

    assert_ok(yr_fake_etcd_start(here->fake));
    assert_int_equal(put(here, "b"), 0);
    assert_true(has(here, "a"));
    yr_sim_run_for(here->sim, 4500); /* it has its full time again */
    assert_true(has(here, "a"));
    yr_sim_run_for(here->sim, 1000);
    assert_false(has(here, "a"));
}

static void a_wiped_server_begins_anew(void **state)
{
    world *here = *state;
    (void)yr_fake_etcd_grant(here->fake, 60);
    yr_fake_etcd_put(here->fake, "a", "1", 0);
    assert_int_equal(yr_fake_etcd_revision(here->fake), 2);
    assert_ok(yr_fake_etcd_restart(here->fake, true));
    assert_int_equal(yr_fake_etcd_revision(here->fake), 1);
    assert_int_equal(yr_fake_etcd_leases(here->fake)->count, 0);
    assert_false(has(here, "a"));
    assert_int_equal(here->wipes, 1);
}

static void what_is_delayed_dies_with_the_server(void **state)
{
    world *here = *state;
    add_rule(here, (yr_fake_rule){.method = "Put", .action = YR_FAKE_DELAY, .number = 1000});
    yr_wire_call *call = begin_put(here, "a", 0);
    assert_int_equal(code_of(call, SOON_MS), NONE);
    assert_ok(yr_fake_etcd_restart(here->fake, false));
    yr_sim_run_for(here->sim, 2000);
    assert_false(has(here, "a"));
    assert_int_equal(code_of(call, 0), YR_GRPC_UNAVAILABLE);
}

static void a_silent_server_answers_when_it_speaks_again(void **state)
{
    world *here = *state;
    assert_int_equal(put(here, "a"), 0);
    yr_fake_etcd_set_silent(here->fake, true);
    yr_wire_call *call = begin_put(here, "b", 0);
    assert_int_equal(code_of(call, 1000), NONE);
    assert_false(has(here, "b"));
    yr_fake_etcd_set_silent(here->fake, false);
    assert_int_equal(code_of(call, SOON_MS), 0);
    assert_true(has(here, "b"));
}

static void a_connection_made_during_silence_is_served_afterwards(void **state)
{
    world *here = *state;
    yr_fake_etcd_set_silent(here->fake, true);
    yr_wire_call *call = begin_put(here, "a", 0);
    assert_int_equal(code_of(call, 1000), NONE);
    yr_fake_etcd_set_silent(here->fake, false);
    assert_int_equal(code_of(call, SOON_MS), 0);
}

static void lost_connections_can_be_made_again(void **state)
{
    world *here = *state;
    yr_wire_call *watch = open_watch(here, false);
    assert_true(next_notice(watch, SOON_MS).is_created);
    yr_fake_etcd_drop_connections(here->fake);
    assert_int_equal(code_of(watch, SOON_MS), YR_GRPC_UNAVAILABLE);
    assert_int_equal(yr_fake_etcd_watch_count(here->fake), 0);
    yr_wire_disconnect(here->wire);
    assert_int_equal(put(here, "a"), 0);
}

static void members_share_their_data(void **state)
{
    world *here = *state;
    yr_sim_host *second = yr_sim_host_new(here->sim, "etcd2");
    assert_ok(yr_fake_etcd_add_member(here->fake, yr_sim_host_io(second), "etcd2", PORT));
    assert_int_equal(yr_fake_etcd_member_count(here->fake), 2);
    assert_string_equal(yr_fake_etcd_address(here->fake), "http://etcd:2379,http://etcd2:2379");
    yr_wire *other = yr_wire_new(&(yr_wire_options){
        .io = yr_sim_host_io(here->client),
        .host = "etcd2",
        .port = PORT,
        .turn = run_one_ms,
        .context = here->sim,
    });
    world there = *here;
    there.wire = other;
    assert_int_equal(put(here, "a"), 0);
    yr_wire_call *watch = open_watch(&there, false);
    assert_true(next_notice(watch, SOON_MS).is_created);
    assert_int_equal(put(here, "b"), 0);
    assert_int_equal(next_notice(watch, SOON_MS).events, 1);
    assert_int_equal(yr_fake_etcd_last_request(here->fake, "Watch")->member, 1);
    yr_wire_free(other);
}

/* ---- What can be asked of it ---- */

static void requests_are_remembered_with_their_time(void **state)
{
    world *here = *state;
    int64_t asked_at_ms = yr_sim_now_ms(here->sim);
    assert_int_equal(put(here, "a"), 0);
    yr_wire_call *watch = open_watch(here, false);
    assert_true(next_notice(watch, SOON_MS).is_created);

    assert_int_equal(yr_fake_etcd_request_count(here->fake), 2);
    const yr_fake_request *first = yr_fake_etcd_request(here->fake, 0);
    assert_string_equal(first->method, "Put");
    assert_in_range(first->at_ms, asked_at_ms + 1, asked_at_ms + SOON_MS);
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
    world *here = *state;
    int64_t lease = yr_fake_etcd_grant(here->fake, 2);
    assert_int_equal(put(here, "a"), 0);
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
    world *here = *state;
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
