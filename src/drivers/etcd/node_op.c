#include "drivers/etcd/node_op.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/etcd/key.h"

enum { LOOKS_MAX = 4 };

typedef struct node_op {
    yr_driver *driver;
    yr_node_rule rule;
    bool is_delete;
    bool has_acted; /* a change was sent: an absent node may be our doing */
    yurpc_status absent;
    char *key;
    char *value;
    size_t value_len;
    int64_t lease;
    int64_t ends_ms;
    int looks;
    yr_done_fn *done;
    void *context;
} node_op;

static void look(node_op *op);

static void node_op_free(node_op *op)
{
    yr_free(op->key);
    yr_free(op->value);
    yr_free(op);
}

static void end(node_op *op, yurpc_status status, const yurpc_error *error)
{
    yurpc_error *made = NULL;
    if (status != YURPC_OK && error == NULL) {
        made = status == YURPC_CONFLICT
                   ? yr_error_new(status, -1, "%s belongs to another process", op->key)
                   : yr_error_new(status, -1, "%s: %s", op->key, yurpc_status_text(status));
        error = made;
    }
    if (error != made && status == YURPC_NOT_FOUND) {
        status =
            YURPC_REMOTE; /* not of our key: etcd has no such answer to what is asked here */
    }
    yr_driver *driver = op->driver;
    if (status == YURPC_LEASE_LOST) {
        yr_etcd_driver_lose_session(driver, op->lease, error);
    }
    op->done(op->context, status, error);
    yurpc_error_free(made);
    node_op_free(op);
}

static uint32_t left_ms(const node_op *op)
{
    int64_t left = op->ends_ms - yr_io_now_ms(op->driver->io);
    return left > 1 ? (uint32_t)left : 1; /* 0 would mean the client's default */
}

static void on_acted(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    node_op *op = context;
    if (error != NULL) {
        end(op, yurpc_error_status(error), error);
    } else if (reply->is_succeeded) {
        end(op, YURPC_OK, NULL);
    } else {
        look(op); /* it changed since we looked */
    }
}

/* Change the node on the condition that its last write is that of @p mod_revision; 0: absent.
 */
static void act(node_op *op, int64_t mod_revision)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = op->lease;
    yurpc_bytes key = yr_bytes_of_text(op->key);
    yurpc_etcd_op change = {.kind = op->is_delete ? YURPC_ETCD_DELETE : YURPC_ETCD_PUT,
                            .key = key,
                            .value = yr_bytes(op->value, op->value_len),
                            .options = op->is_delete ? NULL : &options};
    yurpc_etcd_compare is_as_seen = {.key = key,
                                     .target = YURPC_ETCD_MOD_REVISION,
                                     .relation = YURPC_ETCD_EQUAL,
                                     .number = mod_revision};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.compares = &is_as_seen;
    txn.compare_count = 1;
    txn.then_ops = &change;
    txn.then_count = 1;
    txn.timeout_ms = left_ms(op);
    txn.is_idempotent = true;
    op->has_acted = true;
    yr_etcd_call *call = NULL;
    yurpc_status status = yr_etcd_txn(op->driver->client, &txn, on_acted, op, &call);
    if (status != YURPC_OK) {
        end(op, status, NULL);
    }
}

static bool is_allowed(const node_op *op, const yurpc_etcd_kv *kv)
{
    switch (op->rule) {
    case YR_NODE_ANY:
        return true;
    case YR_NODE_FREE_OR_OURS:
        return kv->lease == 0 || yr_etcd_driver_owns(op->driver, kv->lease);
    case YR_NODE_OURS:
        return yr_etcd_driver_owns(op->driver, kv->lease);
    }
    return false;
}

static void on_seen(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    node_op *op = context;
    if (error != NULL) {
        end(op, yurpc_error_status(error), error);
        return;
    }
    const yurpc_etcd_kv *kv = reply->kv_count > 0 ? &reply->kvs[0] : NULL;
    bool must_exist = op->is_delete || op->rule == YR_NODE_OURS;
    if (kv == NULL && must_exist) {
        end(op, op->is_delete && op->has_acted ? YURPC_OK : op->absent, NULL);
    } else if (kv != NULL && !is_allowed(op, kv)) {
        end(op, YURPC_CONFLICT, NULL);
    } else {
        act(op, kv != NULL ? kv->mod_revision : 0);
    }
}

static void look(node_op *op)
{
    if (op->looks++ == LOOKS_MAX) {
        end(op, YURPC_CONFLICT, NULL); /* others write it faster than we can */
        return;
    }
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.is_keys_only = true;
    options.timeout_ms = left_ms(op);
    yurpc_etcd_op range = {
        .kind = YURPC_ETCD_RANGE, .key = yr_bytes_of_text(op->key), .options = &options};
    yr_etcd_call *call = NULL;
    yurpc_status status = yr_etcd_do(op->driver->client, &range, on_seen, op, &call);
    if (status != YURPC_OK) {
        end(op, status, NULL);
    }
}

yurpc_status yr_node_op_begin(yr_driver *driver, const yr_node_change *change, yr_done_fn *done,
                              void *context)
{
    node_op *op = yr_calloc(1, sizeof *op);
    if (op == NULL) {
        return YURPC_NO_MEMORY;
    }
    *op = (node_op){.driver = driver,
                    .rule = change->rule,
                    .is_delete = change->is_delete,
                    .absent = change->absent,
                    .value_len = change->value.len,
                    .lease = change->lease,
                    .ends_ms = yr_io_now_ms(driver->io) + change->deadline_ms,
                    .done = done,
                    .context = context};
    op->key = yr_strdup(change->key);
    op->value = yr_memdup0(change->value.data, change->value.len);
    if (op->key == NULL || op->value == NULL) {
        node_op_free(op);
        return YURPC_NO_MEMORY;
    }
    look(op);
    return YURPC_OK;
}

/* ---- The operations that are one careful change ---- */

static void begin(yr_driver *driver, const yr_node_change *wanted, yurpc_bytes service,
                  yurpc_bytes node, yr_done_fn *done, void *context)
{
    yr_node_change change = *wanted;
    char *key = yr_key_new(service, node);
    change.key = key;
    yurpc_status status =
        key != NULL ? yr_node_op_begin(driver, &change, done, context) : YURPC_NO_MEMORY;
    yr_free(key);
    if (status != YURPC_OK) {
        done(context, status, NULL);
    }
}

void yr_etcd_driver_withdraw(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                             int64_t deadline_ms, yr_done_fn *done, void *context)
{
    yr_node_change change = {.rule = YR_NODE_OURS,
                             .is_delete = true,
                             .absent = YURPC_OK,
                             .deadline_ms = deadline_ms};
    begin(driver, &change, service, node, done, context);
}

void yr_etcd_driver_remove(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                           int64_t deadline_ms, yr_done_fn *done, void *context)
{
    yr_node_change change = {.rule = YR_NODE_ANY,
                             .is_delete = true,
                             .absent = YURPC_NOT_FOUND,
                             .deadline_ms = deadline_ms};
    begin(driver, &change, service, node, done, context);
}
