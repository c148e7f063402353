#include "etcd.h"

#include "alloc.h"
#include "base/bytes.h"
#include "deferred.h"
#include "dispatch.h"
#include "raft.h"
#include "watch.h"

#include <stdio.h>
#include <string.h>

enum {
    FIRST_TERM = 2, /* of a cluster that was started once */
    RESTORED_TTL_S = 10,
};

static const uint64_t default_cluster_id = UINT64_C(0xcdf818194e3a8c32);
static const uint64_t first_member_id = UINT64_C(0x8e9e05c52164694d);

/* ---- The store's transactions and the leases' ends ---- */

void yr_fake_etcd_commit(yr_fake_etcd *fake)
{
    if (!yr_fake_store_is_dirty(fake->store)) {
        return;
    }
    size_t first = yr_fake_store_commit(fake->store);
    yr_fake_watch_notify(fake, first);
    if (fake->options.on_commit == NULL) {
        return;
    }
    size_t count = yr_fake_store_write_count(fake->store) - first;
    const yr_fake_version **writes = yr_fake_alloc(count * sizeof(const yr_fake_version *));
    for (size_t i = 0; i < count; i++) {
        writes[i] = yr_fake_store_write(fake->store, first + i);
    }
    fake->options.on_commit(fake->options.context, writes, count);
    yr_fake_release(writes);
}

void yr_fake_etcd_end_lease(yr_fake_etcd *fake, yr_fake_lease *lease)
{
    static const char zero[] = {'\0'};
    const yr_fake_span all = {{zero, 1}, {zero, 1}};
    const yr_fake_version *version = yr_fake_store_next(fake->store, &all, 0, NULL);
    while (version != NULL) {
        if (version->lease == lease->id) {
            const yr_fake_span one = {.key = version->key};
            (void)yr_fake_store_delete(fake->store, &one);
        }
        version = yr_fake_store_next(fake->store, &all, 0, version);
    }
    yr_fake_lease_remove(&fake->leases, lease);
    yr_fake_etcd_commit(fake);
}

/* The next look at or after @p at_ms. */
static int64_t look_at_ms(const yr_fake_etcd *fake, int64_t at_ms)
{
    int64_t since_ms = at_ms - fake->started_at_ms;
    int64_t steps = (since_ms + YR_FAKE_LEASE_LOOK_MS - 1) / YR_FAKE_LEASE_LOOK_MS;
    return fake->started_at_ms + steps * YR_FAKE_LEASE_LOOK_MS;
}

void yr_fake_etcd_plan_expiry(yr_fake_etcd *fake)
{
    const yr_fake_lease *first = yr_fake_leases_first(&fake->leases);
    if (first == NULL || !fake->is_running || !yr_fake_raft_can_expire(fake)) {
        yr_timer_stop(fake->io, &fake->expiry);
        return;
    }
    int64_t now_ms = yr_io_now_ms(fake->io);
    int64_t look_ms = look_at_ms(fake, first->expires_at_ms);
    if (look_ms <= now_ms) {
        look_ms = look_at_ms(fake, now_ms + 1); /* it was too much for this look */
    }
    yr_timer_start(fake->io, &fake->expiry, look_ms - now_ms);
}

static void on_look(void *context)
{
    yr_fake_etcd *fake = context;
    int64_t now_ms = yr_io_now_ms(fake->io);
    for (int i = 0; i < YR_FAKE_LEASE_SWEEP_MAX; i++) {
        yr_fake_lease *lease = yr_fake_leases_first(&fake->leases);
        if (lease == NULL || lease->expires_at_ms > now_ms) {
            break;
        }
        yr_fake_etcd_end_lease(fake, lease);
    }
    yr_fake_etcd_plan_expiry(fake);
}

/* ---- Life ---- */

yurpc_status yr_fake_etcd_add_member(yr_fake_etcd *fake, yr_io *io, const char *host,
                                     uint16_t port)
{
    YR_ASSERT(fake->member_count < YR_FAKE_MEMBERS_MAX);
    yr_fake_member *member = &fake->members[fake->member_count];
    member->fake = fake;
    member->id = first_member_id + fake->member_count;
    yurpc_status status =
        yr_fake_server_new(io != NULL ? io : fake->io, host, port, &yr_fake_dispatch_handlers,
                           member, &member->server);
    if (status != YURPC_OK) {
        return status;
    }
    yr_fake_raft_add(member);
    fake->member_count++;
    size_t len = strlen(fake->address);
    bool is_ipv6 = strchr(host, ':') != NULL;
    (void)snprintf(fake->address + len, sizeof(fake->address) - len, "%shttp://%s%s%s:%u",
                   len > 0 ? "," : "", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "",
                   (unsigned)yr_fake_server_port(member->server));
    return YURPC_OK;
}

static yr_fake_store *make_store(const yr_fake_etcd *fake)
{
    yr_fake_store *store = yr_fake_store_new();
    if (fake->options.is_34) {
        yr_fake_store_forget_deletions_at_border(store);
    }
    return store;
}

yurpc_status yr_fake_etcd_new(yr_io *io, const char *host, uint16_t port,
                              const yr_fake_etcd_options *options, yr_fake_etcd **ret_fake)
{
    yr_fake_etcd *fake = yr_fake_alloc(sizeof(*fake));
    fake->io = io;
    if (options != NULL) {
        fake->options = *options;
    }
    if (fake->options.cluster_id == 0) {
        fake->options.cluster_id = default_cluster_id;
    }
    fake->is_running = true;
    fake->raft_term = FIRST_TERM;
    fake->store = make_store(fake);
    fake->started_at_ms = yr_io_now_ms(io);
    yr_fake_leases_init(&fake->leases);
    yr_fake_auth_clear(&fake->auth);
    yr_timer_init(&fake->expiry, on_look, fake);
    yr_list_init(&fake->watch_streams);
    yr_list_init(&fake->deferred);
    yr_fake_raft_init(fake);
    yurpc_status status = yr_fake_etcd_add_member(fake, io, host, port);
    if (status != YURPC_OK) {
        goto fail;
    }
    *ret_fake = fake;
    return YURPC_OK;
fail:
    yr_fake_etcd_free(fake);
    return status;
}

void yr_fake_etcd_free(yr_fake_etcd *fake)
{
    if (fake == NULL) {
        return;
    }
    for (size_t i = 0; i < fake->member_count; i++) {
        yr_fake_server_free(fake->members[i].server);
    }
    yr_fake_deferred_clear(fake);
    yr_timer_stop(fake->io, &fake->expiry);
    yr_fake_raft_deinit(fake);
    yr_fake_leases_clear(&fake->leases);
    yr_fake_store_free(fake->store);
    yr_fake_script_clear(&fake->script);
    yr_fake_requests_clear(&fake->requests);
    yr_fake_release(fake);
}

size_t yr_fake_etcd_member_count(const yr_fake_etcd *fake)
{
    return fake->member_count;
}

yr_fake_server *yr_fake_etcd_server(yr_fake_etcd *fake, size_t member)
{
    YR_ASSERT(member < fake->member_count);
    return fake->members[member].server;
}

const char *yr_fake_etcd_address(const yr_fake_etcd *fake)
{
    return fake->address;
}

/* ---- Faults of the server ---- */

void yr_fake_etcd_drop_connections(yr_fake_etcd *fake)
{
    for (size_t i = 0; i < fake->member_count; i++) {
        yr_fake_server_drop_all(fake->members[i].server);
    }
}

void yr_fake_etcd_stop(yr_fake_etcd *fake)
{
    if (!fake->is_running) {
        return;
    }
    fake->is_running = false;
    for (size_t i = 0; i < fake->member_count; i++) {
        yr_fake_server_stop_listening(fake->members[i].server);
    }
    yr_fake_etcd_drop_connections(fake);
    yr_fake_deferred_clear(fake);
    yr_fake_etcd_plan_expiry(fake);
}

yurpc_status yr_fake_etcd_start(yr_fake_etcd *fake)
{
    if (fake->is_running) {
        return YURPC_OK;
    }
    for (size_t i = 0; i < fake->member_count; i++) {
        yurpc_status status = yr_fake_server_listen(fake->members[i].server);
        if (status != YURPC_OK) {
            return status;
        }
    }
    fake->is_running = true;
    yr_fake_raft_reset(fake);
    fake->raft_term++;
    fake->started_at_ms = yr_io_now_ms(fake->io);
    yr_fake_leases_renew_all(&fake->leases, fake->started_at_ms);
    yr_fake_etcd_plan_expiry(fake);
    return YURPC_OK;
}

/* Tell the witness that all is gone, and then what is there. */
static void report_anew(const yr_fake_etcd *fake)
{
    static const char zero[] = {'\0'};
    const yr_fake_span all = {{zero, 1}, {zero, 1}};
    if (fake->options.on_commit == NULL) {
        return;
    }
    fake->options.on_commit(fake->options.context, NULL, 0);
    const yr_fake_version *version = NULL;
    while ((version = yr_fake_store_next(fake->store, &all, 0, version)) != NULL) {
        fake->options.on_commit(fake->options.context, &version, 1);
    }
}

/* After data were put back: a lease for each key that names one, and no other. */
static void restore_leases(yr_fake_etcd *fake)
{
    static const char zero[] = {'\0'};
    const yr_fake_span all = {{zero, 1}, {zero, 1}};
    yr_fake_leases now;
    yr_fake_leases_init(&now);
    const yr_fake_version *version = NULL;
    while ((version = yr_fake_store_next(fake->store, &all, 0, version)) != NULL) {
        if (version->lease != 0 && yr_fake_lease_find(&now, version->lease) == NULL) {
            const yr_fake_lease *old = yr_fake_lease_find(&fake->leases, version->lease);
            (void)yr_fake_lease_grant(&now, version->lease,
                                      old != NULL ? old->ttl_s : RESTORED_TTL_S,
                                      yr_io_now_ms(fake->io));
        }
    }
    yr_fake_leases_clear(&fake->leases);
    while (now.count > 0) {
        yr_fake_lease *lease = YR_CONTAINER_OF(now.all.next, yr_fake_lease, link);
        (void)yr_fake_lease_grant(&fake->leases, lease->id, lease->ttl_s,
                                  yr_io_now_ms(fake->io));
        yr_fake_lease_remove(&now, lease);
    }
}

yurpc_status yr_fake_etcd_restore(yr_fake_etcd *fake, int64_t revision)
{
    yr_fake_etcd_stop(fake);
    yr_fake_store_restore(fake->store, revision);
    restore_leases(fake);
    report_anew(fake);
    return yr_fake_etcd_start(fake);
}

yurpc_status yr_fake_etcd_restart(yr_fake_etcd *fake, bool is_wiped)
{
    yr_fake_etcd_stop(fake);
    if (is_wiped) {
        yr_fake_leases_clear(&fake->leases);
        yr_fake_store_free(fake->store);
        fake->store = make_store(fake);
        fake->raft_term = FIRST_TERM - 1;
        yr_fake_auth_clear(&fake->auth);
        if (fake->options.on_commit != NULL) {
            fake->options.on_commit(fake->options.context, NULL, 0);
        }
    }
    return yr_fake_etcd_start(fake);
}

void yr_fake_etcd_set_silent(yr_fake_etcd *fake, bool is_silent)
{
    for (size_t i = 0; i < fake->member_count; i++) {
        fake->members[i].is_silent = false; /* it is not of one alone */
        yr_fake_server_set_silent(fake->members[i].server, is_silent);
    }
    yr_fake_raft_update(fake);
}

/* ---- Its data ---- */

int64_t yr_fake_etcd_revision(const yr_fake_etcd *fake)
{
    return yr_fake_store_revision(fake->store);
}

const yr_fake_store *yr_fake_etcd_store(const yr_fake_etcd *fake)
{
    return fake->store;
}

const yr_fake_leases *yr_fake_etcd_leases(const yr_fake_etcd *fake)
{
    return &fake->leases;
}

size_t yr_fake_etcd_key_count(const yr_fake_etcd *fake, const char *prefix)
{
    static const char zero[] = {'\0'};
    const yr_fake_span from = {yr_bytes_of_text(prefix), {zero, 1}};
    const yr_fake_version *version = NULL;
    size_t count = 0;
    while ((version = yr_fake_store_next(fake->store, &from, 0, version)) != NULL &&
           yr_bytes_have_prefix(version->key, from.key)) {
        count++;
    }
    return count;
}

const yr_fake_version *yr_fake_etcd_get(const yr_fake_etcd *fake, const char *key)
{
    return yr_fake_store_find(fake->store, yr_bytes_of_text(key), 0);
}

void yr_fake_etcd_put(yr_fake_etcd *fake, const char *key, const char *value, int64_t lease)
{
    YR_ASSERT(lease == 0 || yr_fake_lease_find(&fake->leases, lease) != NULL);
    yr_fake_store_put(fake->store, yr_bytes_of_text(key), yr_bytes_of_text(value), lease);
    yr_fake_etcd_commit(fake);
}

void yr_fake_etcd_delete(yr_fake_etcd *fake, const char *key)
{
    const yr_fake_span one = {.key = yr_bytes_of_text(key)};
    (void)yr_fake_store_delete(fake->store, &one);
    yr_fake_etcd_commit(fake);
}

size_t yr_fake_etcd_revoke(yr_fake_etcd *fake, int64_t lease)
{
    yr_fake_lease *found = yr_fake_lease_find(&fake->leases, lease);
    if (found == NULL) {
        return 0;
    }
    yr_fake_etcd_end_lease(fake, found);
    yr_fake_etcd_plan_expiry(fake);
    return 1;
}

size_t yr_fake_etcd_revoke_all(yr_fake_etcd *fake)
{
    size_t count = fake->leases.count;
    while (fake->leases.count > 0) {
        yr_list *first = fake->leases.all.next;
        yr_fake_etcd_end_lease(fake, YR_CONTAINER_OF(first, yr_fake_lease, link));
    }
    yr_fake_etcd_plan_expiry(fake);
    return count;
}

void yr_fake_etcd_set_full(yr_fake_etcd *fake, bool is_full)
{
    fake->is_full = is_full;
}

void yr_fake_etcd_compact(yr_fake_etcd *fake, int64_t revision)
{
    int64_t border = revision != 0 ? revision : yr_fake_store_revision(fake->store);
    if (border > yr_fake_store_compacted(fake->store)) {
        yr_fake_store_compact(fake->store, border);
    }
}

/* ---- Rules and requests ---- */

void yr_fake_etcd_add_rule(yr_fake_etcd *fake, const yr_fake_rule *rule)
{
    yr_fake_script_add(&fake->script, rule);
}

void yr_fake_etcd_clear_rules(yr_fake_etcd *fake)
{
    yr_fake_script_clear(&fake->script);
}

void yr_fake_etcd_remove_rules(yr_fake_etcd *fake, const void *owner)
{
    yr_fake_script_remove(&fake->script, owner);
}

size_t yr_fake_etcd_request_count(const yr_fake_etcd *fake)
{
    return fake->requests.count;
}

const yr_fake_request *yr_fake_etcd_request(const yr_fake_etcd *fake, size_t index)
{
    YR_ASSERT(index < fake->requests.count);
    return &fake->requests.all[index];
}

size_t yr_fake_etcd_count_requests(const yr_fake_etcd *fake, const char *method,
                                   int64_t since_ms)
{
    size_t count = 0;
    for (size_t i = 0; i < fake->requests.count; i++) {
        const yr_fake_request *request = &fake->requests.all[i];
        count += (method == NULL || strcmp(request->method, method) == 0) &&
                 request->at_ms >= since_ms;
    }
    return count;
}

const yr_fake_request *yr_fake_etcd_last_request(const yr_fake_etcd *fake, const char *method)
{
    for (size_t i = fake->requests.count; i > 0; i--) {
        const yr_fake_request *request = &fake->requests.all[i - 1];
        if (strcmp(request->method, method) == 0) {
            return request;
        }
    }
    return NULL;
}

void yr_fake_etcd_forget_requests(yr_fake_etcd *fake)
{
    yr_fake_requests_clear(&fake->requests);
}
