/* Counting the nodes of each service, page by page, from the keys alone. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/etcd/etcd_driver.h"
#include "drivers/etcd/key.h"

#include <stdlib.h>

enum { SERVICES_MAX = 1000000 };

typedef struct counted {
    char *service;
    uint64_t count;
} counted;

typedef struct listing {
    yr_driver *driver;
    int64_t ends_ms;
    yr_service_fn *each;
    yr_done_fn *done;
    void *context;
    counted *services;
    size_t count;
    size_t cap;
    int64_t revision;
    char *page_key; /* NULL: the first page */
    size_t page_key_len;
} listing;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const counted *)a)->service, ((const counted *)b)->service);
}

static void end(listing *all, yurpc_status status, const yurpc_error *error)
{
    if (status == YURPC_OK && all->count > 1) {
        qsort(all->services, all->count, sizeof *all->services, by_name);
    }
    for (size_t i = 0; i < all->count; i++) {
        if (status == YURPC_OK) {
            all->each(all->context, yr_bytes_of_text(all->services[i].service),
                      all->services[i].count);
        }
        yr_free(all->services[i].service);
    }
    all->done(all->context, status, error);
    yr_free(all->services);
    yr_free(all->page_key);
    yr_free(all);
}

static yurpc_status count_key(listing *all, yurpc_bytes key)
{
    yurpc_bytes service;
    yurpc_bytes node;
    if (!yr_key_split(key, &service, &node)) {
        return YURPC_OK; /* somebody else's */
    }
    /* Keys come in order, so those of a service come together. */
    counted *last = all->count > 0 ? &all->services[all->count - 1] : NULL;
    if (last != NULL && yr_bytes_equal(service, yr_bytes_of_text(last->service))) {
        last->count++;
        return YURPC_OK;
    }
    if (all->count == SERVICES_MAX) {
        return YURPC_TOO_LARGE;
    }
    counted *services = yr_grow(all->services, all->count, &all->cap, sizeof *services);
    if (services == NULL) {
        return YURPC_NO_MEMORY;
    }
    all->services = services;
    char *copy = yr_memdup0(service.data, service.len);
    if (copy == NULL) {
        return YURPC_NO_MEMORY;
    }
    all->services[all->count++] = (counted){copy, 1};
    return YURPC_OK;
}

static void list_page(listing *all);

static void on_page(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    listing *all = context;
    if (error != NULL) {
        end(all, yurpc_error_status(error), error);
        return;
    }
    all->revision = all->revision != 0 ? all->revision : reply->revision;
    for (size_t i = 0; i < reply->kv_count; i++) {
        yurpc_status status = count_key(all, reply->kvs[i].key);
        if (status != YURPC_OK) {
            end(all, status, NULL);
            return;
        }
    }
    if (!reply->has_more || reply->kv_count == 0) {
        end(all, YURPC_OK, NULL);
        return;
    }
    yurpc_bytes last = reply->kvs[reply->kv_count - 1].key;
    char *next = yr_memdup0(last.data, last.len); /* with its NUL: the next key */
    if (next == NULL) {
        end(all, YURPC_NO_MEMORY, NULL);
        return;
    }
    yr_free(all->page_key);
    all->page_key = next;
    all->page_key_len = last.len + 1;
    list_page(all);
}

static void list_page(listing *all)
{
    static const char behind[] = "/rpc0"; /* '0' follows '/' */
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.limit = all->driver->page_len;
    options.is_keys_only = true;
    options.revision = all->revision;
    options.range_end = yr_bytes(behind, sizeof behind - 1);
    int64_t left = all->ends_ms - yr_io_now_ms(all->driver->io);
    options.timeout_ms = left > 1 ? (uint32_t)left : 1;
    yurpc_bytes first = all->page_key != NULL ? yr_bytes(all->page_key, all->page_key_len)
                                              : yr_bytes_of_text(YR_KEY_ROOT);
    yurpc_etcd_op range = {.kind = YURPC_ETCD_RANGE, .key = first, .options = &options};
    yr_etcd_call *call = NULL;
    yurpc_status status = yr_etcd_do(all->driver->client, &range, on_page, all, &call);
    if (status != YURPC_OK) {
        end(all, status, NULL);
    }
}

void yr_etcd_driver_list_services(yr_driver *driver, int64_t deadline_ms, yr_service_fn *each,
                                  yr_done_fn *done, void *context)
{
    listing *all = yr_calloc(1, sizeof *all);
    if (all == NULL) {
        done(context, YURPC_NO_MEMORY, NULL);
        return;
    }
    *all = (listing){.driver = driver,
                     .ends_ms = yr_io_now_ms(driver->io) + deadline_ms,
                     .each = each,
                     .done = done,
                     .context = context};
    list_page(all);
}
