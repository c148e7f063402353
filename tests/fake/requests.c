#include "requests.h"

#include "alloc.h"
#include "etcdserverpb.pb-c.h"

#include <string.h>

enum { FORGET_COUNT = YR_FAKE_REQUESTS_MAX / 10 }; /* at once, so that it is seldom */

static yurpc_bytes copy_of(ProtobufCBinaryData data)
{
    return yr_fake_copy((yurpc_bytes){data.data, data.len});
}

/* ---- The fields that most tests want ---- */

static void take_range(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__RangeRequest *range = (const void *)message;
    request->key = copy_of(range->key);
    request->range_end = copy_of(range->range_end);
    request->revision = range->revision;
}

static void take_put(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__PutRequest *put = (const void *)message;
    request->key = copy_of(put->key);
    request->value = copy_of(put->value);
    request->lease = put->lease;
}

static void take_delete(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__DeleteRangeRequest *removal = (const void *)message;
    request->key = copy_of(removal->key);
    request->range_end = copy_of(removal->range_end);
}

static void take_compact(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__CompactionRequest *compaction = (const void *)message;
    request->revision = compaction->revision;
}

static void take_grant(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__LeaseGrantRequest *grant = (const void *)message;
    request->lease = grant->id;
    request->ttl_s = grant->ttl;
}

static void take_revoke(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__LeaseRevokeRequest *revoke = (const void *)message;
    request->lease = revoke->id;
}

static void take_keepalive(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__LeaseKeepAliveRequest *keepalive = (const void *)message;
    request->lease = keepalive->id;
}

static void take_time_to_live(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__LeaseTimeToLiveRequest *time = (const void *)message;
    request->lease = time->id;
}

static void take_watch(yr_fake_request *request, const ProtobufCMessage *message)
{
    const Etcdserverpb__WatchRequest *watch = (const void *)message;
    if (watch->request_case == ETCDSERVERPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST) {
        request->key = copy_of(watch->create_request->key);
        request->range_end = copy_of(watch->create_request->range_end);
        request->revision = watch->create_request->start_revision;
    }
}

static const struct {
    const ProtobufCMessageDescriptor *descriptor;
    void (*take)(yr_fake_request *request, const ProtobufCMessage *message);
} takers[] = {
    {&etcdserverpb__range_request__descriptor, take_range},
    {&etcdserverpb__put_request__descriptor, take_put},
    {&etcdserverpb__delete_range_request__descriptor, take_delete},
    {&etcdserverpb__compaction_request__descriptor, take_compact},
    {&etcdserverpb__lease_grant_request__descriptor, take_grant},
    {&etcdserverpb__lease_revoke_request__descriptor, take_revoke},
    {&etcdserverpb__lease_keep_alive_request__descriptor, take_keepalive},
    {&etcdserverpb__lease_time_to_live_request__descriptor, take_time_to_live},
    {&etcdserverpb__watch_request__descriptor, take_watch},
};

/* ---- Remembering ---- */

static void forget(yr_fake_requests *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const yr_fake_request *request = &requests->all[i];
        yr_fake_release(request->message.data);
        yr_fake_release(request->key.data);
        yr_fake_release(request->range_end.data);
        yr_fake_release(request->value.data);
    }
    requests->count -= count;
    memmove(requests->all, requests->all + count, requests->count * sizeof(*requests->all));
}

void yr_fake_requests_add(yr_fake_requests *requests, const yr_fake_request *request,
                          const ProtobufCMessage *decoded)
{
    if (requests->count == YR_FAKE_REQUESTS_MAX) {
        forget(requests, FORGET_COUNT);
    }
    requests->all = yr_fake_grow(requests->all, requests->count, sizeof(*requests->all));
    yr_fake_request *added = &requests->all[requests->count++];
    *added = *request;
    added->message = yr_fake_copy(request->message);
    for (size_t i = 0; i < sizeof(takers) / sizeof(takers[0]); i++) {
        if (takers[i].descriptor == decoded->descriptor) {
            takers[i].take(added, decoded);
        }
    }
}

void yr_fake_requests_clear(yr_fake_requests *requests)
{
    if (requests->all != NULL) {
        forget(requests, requests->count);
    }
    yr_fake_release(requests->all);
    requests->all = NULL;
}
