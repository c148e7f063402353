#include "lease.h"

#include "alloc.h"

void yr_fake_leases_init(yr_fake_leases *leases)
{
    yr_list_init(&leases->all);
    leases->count = 0;
}

void yr_fake_leases_clear(yr_fake_leases *leases)
{
    while (!yr_list_is_empty(&leases->all)) {
        yr_fake_lease_remove(leases, YR_CONTAINER_OF(leases->all.next, yr_fake_lease, link));
    }
}

yr_fake_lease *yr_fake_lease_find(const yr_fake_leases *leases, int64_t id)
{
    for (yr_list *link = leases->all.next; link != &leases->all; link = link->next) {
        yr_fake_lease *lease = YR_CONTAINER_OF(link, yr_fake_lease, link);
        if (lease->id == id) {
            return lease;
        }
    }
    return NULL;
}

yr_fake_lease *yr_fake_lease_grant(yr_fake_leases *leases, int64_t id, int64_t ttl_s,
                                   int64_t now_ms)
{
    YR_ASSERT(ttl_s <= YR_FAKE_LEASE_TTL_MAX_S);
    yr_fake_lease *lease = yr_fake_alloc(sizeof(*lease));
    lease->id = id;
    lease->ttl_s = ttl_s < YR_FAKE_LEASE_TTL_MIN_S ? YR_FAKE_LEASE_TTL_MIN_S : ttl_s;
    yr_fake_lease_renew(lease, now_ms);
    yr_list_append(&leases->all, &lease->link);
    leases->count++;
    return lease;
}

void yr_fake_lease_renew(yr_fake_lease *lease, int64_t now_ms)
{
    lease->expires_at_ms = now_ms + lease->ttl_s * 1000;
}

void yr_fake_lease_remove(yr_fake_leases *leases, yr_fake_lease *lease)
{
    yr_list_remove(&lease->link);
    leases->count--;
    yr_fake_release(lease);
}

void yr_fake_leases_renew_all(yr_fake_leases *leases, int64_t now_ms)
{
    for (yr_list *link = leases->all.next; link != &leases->all; link = link->next) {
        yr_fake_lease_renew(YR_CONTAINER_OF(link, yr_fake_lease, link), now_ms);
    }
}

yr_fake_lease *yr_fake_leases_first(const yr_fake_leases *leases)
{
    yr_fake_lease *first = NULL;
    for (yr_list *link = leases->all.next; link != &leases->all; link = link->next) {
        yr_fake_lease *lease = YR_CONTAINER_OF(link, yr_fake_lease, link);
        if (first == NULL || lease->expires_at_ms < first->expires_at_ms) {
            first = lease;
        }
    }
    return first;
}
