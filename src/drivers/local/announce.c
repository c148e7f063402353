#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/local/operation.h"
#include "registry/instance.h"

typedef struct yr_local_item {
    size_t service_len;
    size_t node_len;
    size_t value_len;
    yurpc_status status;
    yurpc_error *error; /* NULL: that of the whole */
} yr_local_item;

typedef struct yr_local_announcing {
    yr_local_operation operation;
    yr_announced_fn *done;
    yr_announce_mode mode;
    int64_t session; /* 0: none was open */
    yr_local_ours ours;
    size_t count;
    yr_local_item *items;
    char *bytes; /* of all items, one behind the other */
} yr_local_announcing;

static void free_announcing(yr_local_operation *operation)
{
    yr_local_announcing *announcing =
        YR_CONTAINER_OF(operation, yr_local_announcing, operation);
    for (size_t i = 0; announcing->items != NULL && i < announcing->count; i++) {
        yurpc_error_free(announcing->items[i].error);
    }
    yr_free(announcing->items);
    yr_free(announcing->bytes);
    yr_free(announcing);
}

/* Whether the mode allows to put the record, given what is there. */
static yurpc_status judge(const yr_local_announcing *announcing, const yr_local_found *found,
                          yurpc_error **ret_error)
{
    if (announcing->mode == YR_ANNOUNCE_TAKE) {
        return YURPC_OK;
    }
    bool is_absent = !found->is_there || found->is_damaged;
    bool is_free = is_absent || found->owner == 0;
    if (announcing->mode == YR_ANNOUNCE_IF_FREE && is_free) {
        return YURPC_OK;
    }
    if (is_absent) {
        return yr_error_set(ret_error, YURPC_NOT_FOUND, -1, "the node is not registered");
    }
    if (!yr_local_ours_have(&announcing->ours, found->owner)) {
        return yr_error_set(ret_error, YURPC_CONFLICT, -1,
                            "another process has registered the node");
    }
    return YURPC_OK;
}

/* Put one record. A failure of the file is returned; one of the record alone stays with it. */
static yurpc_status announce_one(const yr_local_announcing *announcing, yr_local_store *store,
                                 yr_local_state *state, yr_local_item *item, const char *bytes)
{
    yr_local_key key;
    yr_local_found found;
    yurpc_bytes service = yr_bytes(bytes, item->service_len);
    yurpc_bytes node = yr_bytes(bytes + item->service_len, item->node_len);
    yurpc_bytes value = yr_bytes(bytes + item->service_len + item->node_len, item->value_len);
    item->status = yr_local_key_make(service, node, &key, &item->error);
    if (item->status == YURPC_OK && value.len > YR_INSTANCE_VALUE_MAX) {
        item->status = yr_error_set(&item->error, YURPC_TOO_LARGE, -1,
                                    "the value has %zu bytes, at most %d can be registered",
                                    value.len, (int)YR_INSTANCE_VALUE_MAX);
    }
    if (item->status != YURPC_OK) {
        return YURPC_OK;
    }
    item->status = yr_local_record_find(store, &key, &found, &item->error);
    if (item->status != YURPC_OK) {
        return item->status;
    }
    item->status = judge(announcing, &found, &item->error);
    if (item->status != YURPC_OK) {
        return YURPC_OK;
    }
    item->status =
        yr_local_record_put(store, state, &key, value, announcing->session, &item->error);
    return item->status;
}

static yurpc_status announce_all(yr_local_announcing *announcing, yr_local_store *store,
                                 yr_local_state *state, yurpc_error **ret_error)
{
    const char *bytes = announcing->bytes;
    for (size_t i = 0; i < announcing->count; i++) {
        yr_local_item *item = &announcing->items[i];
        yurpc_status status = announce_one(announcing, store, state, item, bytes);
        if (status != YURPC_OK) {
            *ret_error = yr_error_copy(item->error);
            return status;
        }
        bytes += item->service_len + item->node_len + item->value_len;
    }
    return YURPC_OK;
}

static yurpc_status run_announcing(yr_local_job *job, const yr_local_visit *visit,
                                   yurpc_error **ret_error)
{
    yr_local_announcing *announcing = YR_CONTAINER_OF(job, yr_local_announcing, operation.job);
    yr_local_store *store = visit->store;
    if (announcing->session == 0) {
        return yr_error_set(ret_error, YURPC_LEASE_LOST, -1, "there is no session");
    }
    yr_local_state state;
    yurpc_status status = yr_local_change_begin(store, &state, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    int64_t before = state.revision;
    status = yr_local_lease_check(store, announcing->session, ret_error);
    if (status == YURPC_OK) {
        status = announce_all(announcing, store, &state, ret_error);
    }
    return yr_local_change_end(store, &state, before, status, ret_error);
}

static void answer_announcing(yr_local_operation *operation, yurpc_status status,
                              const yurpc_error *error)
{
    const yr_local_announcing *announcing =
        YR_CONTAINER_OF(operation, yr_local_announcing, operation);
    yr_driver *driver = operation->driver;
    for (size_t i = 0; i < announcing->count; i++) {
        const yr_local_item *item = &announcing->items[i];
        if (status != YURPC_OK) {
            announcing->done(operation->context, i, status, error);
        } else {
            announcing->done(operation->context, i, item->status, item->error);
        }
    }
    if (status == YURPC_LEASE_LOST && announcing->session != 0 && !driver->is_closing &&
        announcing->session == driver->session.id) {
        yr_local_session_lose(driver, error);
    }
}

static char *append(char *at, yurpc_bytes bytes)
{
    if (bytes.len > 0) {
        memcpy(at, bytes.data, bytes.len);
    }
    return at + bytes.len;
}

/* Copy the items; false: no memory. */
static bool copy_items(yr_local_announcing *announcing, const yr_announcement *items)
{
    size_t len = 0;
    for (size_t i = 0; i < announcing->count; i++) {
        len += items[i].service.len + items[i].node.len + items[i].value.len;
    }
    announcing->items = yr_calloc(announcing->count, sizeof *announcing->items);
    announcing->bytes = yr_calloc(1, len + 1);
    if (announcing->items == NULL || announcing->bytes == NULL) {
        return false;
    }
    char *at = announcing->bytes;
    for (size_t i = 0; i < announcing->count; i++) {
        const yurpc_bytes parts[] = {items[i].service, items[i].node, items[i].value};
        announcing->items[i].service_len = parts[0].len;
        announcing->items[i].node_len = parts[1].len;
        announcing->items[i].value_len = parts[2].len;
        for (size_t part = 0; part < 3; part++) {
            at = append(at, parts[part]);
        }
    }
    return true;
}

void yr_local_announce(yr_driver *driver, const yr_announce_request *request,
                       yr_announced_fn *done, void *context)
{
    size_t count = request->count;
    if (yr_local_is_forked(driver) || count == 0) {
        return;
    }
    yr_local_announcing *announcing = yr_calloc(1, sizeof *announcing);
    if (announcing != NULL) {
        announcing->count = count;
        if (!copy_items(announcing, request->items)) {
            free_announcing(&announcing->operation);
            announcing = NULL;
        }
    }
    if (announcing == NULL) {
        yr_local_operation_refuse(
            driver, &(yr_local_refusal){.announced = done, .count = count, .context = context});
        return;
    }
    announcing->operation.context = context;
    announcing->operation.free = free_announcing;
    announcing->operation.answer = answer_announcing;
    announcing->operation.job.run = run_announcing;
    announcing->operation.job.wants_reap = true;
    announcing->done = done;
    announcing->mode = request->mode;
    announcing->session = driver->session.id;
    announcing->ours = driver->session.ours;
    yr_local_operation_start(&announcing->operation, driver, request->deadline_ms);
}
