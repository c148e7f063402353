/* The fake etcd's Lease service. */
#include "grpc/call.h"
#include "service.h"

static const char text_unknown[] = "etcdserver: requested lease not found";

/* Ids that the server chooses begin here: unlike any that a test would write. */
static const int64_t first_own_id = INT64_C(0x7587000000000000);

int64_t yr_fake_etcd_grant(yr_fake_etcd *fake, int64_t ttl_s)
{
    do {
        fake->last_lease_id = fake->last_lease_id == 0 ? first_own_id : fake->last_lease_id + 1;
    } while (yr_fake_lease_find(&fake->leases, fake->last_lease_id) != NULL);
    (void)yr_fake_lease_grant(&fake->leases, fake->last_lease_id, ttl_s,
                              yr_io_now_ms(fake->io));
    yr_fake_etcd_plan_expiry(fake);
    return fake->last_lease_id;
}

void yr_fake_lease_service_grant(yr_fake_turn *turn)
{
    const Etcdserverpb__LeaseGrantRequest *request = (const void *)turn->request;
    yr_fake_etcd *fake = turn->fake;
    if (request->id != 0 && yr_fake_lease_find(&fake->leases, request->id) != NULL) {
        yr_fake_turn_refuse(turn, YR_GRPC_FAILED_PRECONDITION,
                            "etcdserver: lease already exists");
        return;
    }
    if (request->ttl > YR_FAKE_LEASE_TTL_MAX_S) {
        yr_fake_turn_refuse(turn, YR_GRPC_OUT_OF_RANGE, "etcdserver: too large lease TTL");
        return;
    }
    if (fake->is_full) {
        yr_fake_turn_refuse(turn, YR_GRPC_RESOURCE_EXHAUSTED,
                            "etcdserver: mvcc: database space exceeded");
        return;
    }
    int64_t id = request->id;
    if (id == 0) {
        id = yr_fake_etcd_grant(fake, request->ttl);
    } else {
        (void)yr_fake_lease_grant(&fake->leases, id, request->ttl, yr_io_now_ms(fake->io));
        yr_fake_etcd_plan_expiry(fake);
    }
    Etcdserverpb__LeaseGrantResponse response = ETCDSERVERPB__LEASE_GRANT_RESPONSE__INIT;
    response.header = yr_fake_turn_header(turn);
    response.id = id;
    response.ttl = yr_fake_lease_find(&fake->leases, id)->ttl_s;
    yr_fake_turn_answer(turn, &response.base);
}

void yr_fake_lease_service_revoke(yr_fake_turn *turn)
{
    const Etcdserverpb__LeaseRevokeRequest *request = (const void *)turn->request;
    yr_fake_lease *lease = yr_fake_lease_find(&turn->fake->leases, request->id);
    if (lease == NULL) {
        yr_fake_turn_refuse(turn, YR_GRPC_NOT_FOUND, text_unknown);
        return;
    }
    yr_fake_etcd_end_lease(turn->fake, lease);
    yr_fake_etcd_plan_expiry(turn->fake);
    Etcdserverpb__LeaseRevokeResponse response = ETCDSERVERPB__LEASE_REVOKE_RESPONSE__INIT;
    response.header = yr_fake_turn_header(turn);
    yr_fake_turn_answer(turn, &response.base);
}

void yr_fake_lease_service_keep_alive(yr_fake_turn *turn)
{
    const Etcdserverpb__LeaseKeepAliveRequest *request = (const void *)turn->request;
    int64_t now_ms = yr_io_now_ms(turn->fake->io);
    yr_fake_lease *lease = yr_fake_lease_find(&turn->fake->leases, request->id);
    Etcdserverpb__LeaseKeepAliveResponse response =
        ETCDSERVERPB__LEASE_KEEP_ALIVE_RESPONSE__INIT;
    response.header = yr_fake_turn_header(turn);
    response.id = request->id;
    /* One that is past its time, though the server has not looked yet, stays lost. */
    if (lease != NULL && lease->expires_at_ms > now_ms) {
        yr_fake_lease_renew(lease, now_ms);
        yr_fake_etcd_plan_expiry(turn->fake);
        response.ttl = lease->ttl_s;
    }
    yr_fake_turn_answer(turn, &response.base);
}

/* The keys that hang on a lease. */
static void fill_keys(yr_fake_turn *turn, Etcdserverpb__LeaseTimeToLiveResponse *response)
{
    static const char first[] = {'\0'};
    const yr_fake_span all = {{first, 1}, {first, 1}};
    const yr_fake_store *store = turn->fake->store;
    const yr_fake_version *version = NULL;
    size_t count = 0;
    while ((version = yr_fake_store_next(store, &all, 0, version)) != NULL) {
        count += version->lease == response->id;
    }
    response->keys = yr_fake_turn_alloc(turn, (count + 1) * sizeof(*response->keys));
    while ((version = yr_fake_store_next(store, &all, 0, version)) != NULL) {
        if (version->lease == response->id) {
            response->keys[response->n_keys++] = yr_fake_binary(version->key);
        }
    }
}

void yr_fake_lease_service_time_to_live(yr_fake_turn *turn)
{
    const Etcdserverpb__LeaseTimeToLiveRequest *request = (const void *)turn->request;
    const yr_fake_lease *lease = yr_fake_lease_find(&turn->fake->leases, request->id);
    Etcdserverpb__LeaseTimeToLiveResponse response =
        ETCDSERVERPB__LEASE_TIME_TO_LIVE_RESPONSE__INIT;
    response.header = yr_fake_turn_header(turn);
    response.id = request->id;
    response.ttl = -1;
    if (lease != NULL) {
        /* Whole seconds; a moment has always passed. */
        int64_t left_ms = lease->expires_at_ms - yr_io_now_ms(turn->fake->io) - 1;
        response.ttl = left_ms > 0 ? left_ms / 1000 : 0;
        response.granted_ttl = lease->ttl_s;
    }
    if (lease != NULL && request->keys) {
        fill_keys(turn, &response);
    }
    yr_fake_turn_answer(turn, &response.base);
}

void yr_fake_lease_service_leases(yr_fake_turn *turn)
{
    const yr_fake_leases *leases = &turn->fake->leases;
    Etcdserverpb__LeaseLeasesResponse response = ETCDSERVERPB__LEASE_LEASES_RESPONSE__INIT;
    response.header = yr_fake_turn_header(turn);
    response.leases =
        yr_fake_turn_alloc(turn, (leases->count + 1) * sizeof(Etcdserverpb__LeaseStatus *));
    for (yr_list *link = leases->all.next; link != &leases->all; link = link->next) {
        const yr_fake_lease *lease = YR_CONTAINER_OF(link, yr_fake_lease, link);
        Etcdserverpb__LeaseStatus *status = yr_fake_turn_alloc(turn, sizeof(*status));
        etcdserverpb__lease_status__init(status);
        status->id = lease->id;
        response.leases[response.n_leases++] = status;
    }
    yr_fake_turn_answer(turn, &response.base);
}
