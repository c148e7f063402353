#include "fake_world.h"

#include "base/bytes.h"
#include "etcdserverpb.pb-c.h"
#include "fake/alloc.h"
#include "yr_test.h"

#include <string.h>

static void count_commit(void *context, const yr_fake_version *const *writes, size_t count)
{
    (void)writes;
    yr_fake_world *world = context;
    world->commits += count > 0;
    world->writes += count;
    world->wipes += count == 0;
}

static void run_one_ms(void *context)
{
    yr_sim_run_for(context, 1);
}

yr_wire *yr_fake_world_connect(yr_fake_world *world, const char *host)
{
    return yr_wire_new(&(yr_wire_options){
        .io = yr_sim_host_io(world->client),
        .host = host,
        .port = YR_FAKE_PORT,
        .turn = run_one_ms,
        .context = world->sim,
    });
}

int yr_fake_world_set_up(void **state)
{
    yr_fake_world *world = yr_fake_alloc(sizeof(*world));
    world->sim = yr_sim_new(1);
    world->server = yr_sim_host_new(world->sim, "etcd");
    world->client = yr_sim_host_new(world->sim, "client");
    const yr_fake_etcd_options options = {.on_commit = count_commit, .context = world};
    assert_ok(yr_fake_etcd_new(yr_sim_host_io(world->server), "etcd", YR_FAKE_PORT, &options,
                               &world->fake));
    world->wire = yr_fake_world_connect(world, "etcd");
    *state = world;
    return 0;
}

int yr_fake_world_tear_down(void **state)
{
    yr_fake_world *world = *state;
    yr_wire_free(world->wire);
    yr_fake_etcd_free(world->fake);
    yr_sim_free(world->sim);
    yr_fake_release(world);
    return 0;
}

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

yr_wire_call *yr_fake_world_begin_put(yr_fake_world *world, const char *key, int64_t lease)
{
    Etcdserverpb__PutRequest request = ETCDSERVERPB__PUT_REQUEST__INIT;
    request.key = binary(key);
    request.value = binary("v");
    request.lease = lease;
    yurpc_bytes message = pack(&request.base);
    return yr_wire_open(world->wire, "/etcdserverpb.KV/Put", &message);
}

/* How a call ended within a time; YR_NONE: not yet. */
int yr_fake_code_of(yr_wire_call *call, int64_t ms)
{
    int code = 0;
    const char *text = NULL;
    return yr_wire_await_end(call, ms, &code, &text) ? code : YR_NONE;
}

int yr_fake_world_put(yr_fake_world *world, const char *key)
{
    yr_wire_call *call = yr_fake_world_begin_put(world, key, 0);
    int code = yr_fake_code_of(call, YR_SOON_MS);
    yr_wire_close(call);
    return code;
}

yr_wire_call *yr_fake_open_watch(yr_wire *wire, bool may_fragment)
{
    yr_wire_call *call = yr_wire_open(wire, "/etcdserverpb.Watch/Watch", NULL);
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

yr_fake_notice yr_fake_next_notice(yr_wire_call *call, int64_t ms)
{
    yurpc_bytes message;
    if (!yr_wire_take(call, ms, &message)) {
        return (yr_fake_notice){0};
    }
    Etcdserverpb__WatchResponse *response =
        etcdserverpb__watch_response__unpack(NULL, message.len, message.data);
    assert_non_null(response);
    yr_fake_notice seen = {
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

yr_wire_call *yr_fake_open_keepalive(yr_wire *wire)
{
    return yr_wire_open(wire, "/etcdserverpb.Lease/LeaseKeepAlive", NULL);
}

/* The TTL that a keepalive is answered with; YR_NONE: no answer. */
int64_t yr_fake_keep_alive(yr_wire_call *call, int64_t lease)
{
    Etcdserverpb__LeaseKeepAliveRequest request = ETCDSERVERPB__LEASE_KEEP_ALIVE_REQUEST__INIT;
    request.id = lease;
    yurpc_bytes message = pack(&request.base);
    if (!yr_wire_send(call, message) || !yr_wire_take(call, YR_SOON_MS, &message)) {
        return YR_NONE;
    }
    Etcdserverpb__LeaseKeepAliveResponse *response =
        etcdserverpb__lease_keep_alive_response__unpack(NULL, message.len, message.data);
    assert_non_null(response);
    int64_t ttl_s = response->ttl;
    etcdserverpb__lease_keep_alive_response__free_unpacked(response, NULL);
    return ttl_s;
}

bool yr_fake_world_has(yr_fake_world *world, const char *key)
{
    return yr_fake_etcd_get(world->fake, key) != NULL;
}
