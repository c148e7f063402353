/*
 * Announcing many records: transactions of up to 128 puts, a few in flight. A chunk whose
 * transaction cannot be done as a whole is done record by record, so that one bad record, or
 * one conflict, fails alone.
 */
#include "base/bytes.h"
#include "base/error.h"
#include "base/mem.h"
#include "drivers/etcd/key.h"
#include "drivers/etcd/node_op.h"

enum {
    CHUNK_OPS_MAX = 128,          /* etcd's limit of operations in a transaction */
    CHUNK_BYTES_MAX = 512 * 1024, /* well below etcd's limit of 1.5 MiB a request */
    CHUNKS_IN_FLIGHT_MAX = 4,
};

typedef struct announced_record {
    const char *key; /* in the texts */
    const char *value;
    size_t value_len;
} announced_record;

typedef struct announce {
    yr_driver *driver;
    yr_announce_mode mode;
    int64_t lease;
    int64_t ends_ms;
    yr_announced_fn *done;
    void *context;
    size_t count;
    size_t next;      /* the first record not sent */
    size_t pending;   /* records not done */
    size_t in_flight; /* chunks */
    yr_task begin_task;
    char *texts; /* all keys and values, each with a NUL behind it */
    announced_record records[];
} announce;

typedef struct chunk {
    announce *owner;
    size_t first;
    size_t count;
} chunk;

typedef struct single {
    announce *owner;
    size_t index;
} single;

static void announce_free(announce *all)
{
    if (all != NULL) {
        yr_free(all->texts);
        yr_free(all);
    }
}

/* The last record frees @p all. */
static void record_done(announce *all, size_t index, yurpc_status status,
                        const yurpc_error *error)
{
    yurpc_error *made = NULL;
    if (status != YURPC_OK && error == NULL) {
        made = yr_error_new(status, -1, "%s: %s", all->records[index].key,
                            yurpc_status_text(status));
        error = made;
    }
    yr_announced_fn *done = all->done;
    void *context = all->context;
    if (--all->pending == 0) {
        announce_free(all);
    }
    done(context, index, status, error);
    yurpc_error_free(made);
}

static void records_done(announce *all, size_t first, size_t count, yurpc_status status,
                         const yurpc_error *error)
{
    for (size_t i = 0; i < count; i++) {
        record_done(all, first + i, status, error);
    }
}

/* ---- One by one ---- */

static void on_single(void *context, yurpc_status status, const yurpc_error *error)
{
    single *one = context;
    announce *all = one->owner;
    size_t index = one->index;
    yr_free(one);
    record_done(all, index, status, error);
}

static yr_node_rule rule_of(yr_announce_mode mode)
{
    switch (mode) {
    case YR_ANNOUNCE_TAKE:
        return YR_NODE_ANY;
    case YR_ANNOUNCE_IF_FREE:
        return YR_NODE_FREE_OR_OURS;
    case YR_ANNOUNCE_IF_OURS:
        return YR_NODE_OURS;
    }
    return YR_NODE_OURS;
}

static yurpc_status begin_single(announce *all, size_t index)
{
    const announced_record *record = &all->records[index];
    yr_node_change change = {.rule = rule_of(all->mode),
                             .absent = YURPC_NOT_FOUND,
                             .key = record->key,
                             .value = yr_bytes(record->value, record->value_len),
                             .lease = all->lease,
                             .deadline_ms = all->ends_ms - yr_io_now_ms(all->driver->io)};
    single *one = yr_calloc(1, sizeof *one);
    if (one == NULL) {
        return YURPC_NO_MEMORY;
    }
    *one = (single){all, index};
    yurpc_status status = yr_node_op_begin(all->driver, &change, on_single, one);
    if (status != YURPC_OK) {
        yr_free(one);
    }
    return status;
}

static void begin_singles(announce *all, size_t first, size_t count)
{
    for (size_t i = first; i < first + count; i++) {
        yurpc_status status = begin_single(all, i);
        if (status != YURPC_OK) {
            record_done(all, i, status, NULL);
        }
    }
}

/* ---- Chunks ---- */

static void send_chunks(announce *all);

static void on_chunk(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    chunk *sent = context;
    announce *all = sent->owner;
    size_t first = sent->first;
    size_t count = sent->count;
    yr_free(sent);
    all->in_flight--;
    send_chunks(all); /* before records are done: the last of them frees all */
    yurpc_status status = yurpc_error_status(error);
    if (status == YURPC_LEASE_LOST) {
        yr_etcd_driver_lose_session(all->driver, all->lease, error);
    }
    bool is_separable = status == YURPC_OK ? !reply->is_succeeded
                                           : count > 1 && !yr_status_is_retriable(status) &&
                                                 status != YURPC_CANCELED;
    if (is_separable) {
        begin_singles(all, first, count);
    } else {
        records_done(all, first, count, status, error);
    }
}

/* What must hold of every node of a chunk; nothing when it is taken over anyway. */
static size_t fill_compare(const announce *all, yurpc_bytes key, yurpc_etcd_compare *compare)
{
    *compare = (yurpc_etcd_compare){.key = key, .relation = YURPC_ETCD_EQUAL};
    switch (all->mode) {
    case YR_ANNOUNCE_TAKE:
        return 0;
    case YR_ANNOUNCE_IF_FREE:
        compare->target = YURPC_ETCD_VERSION;
        compare->number = 0;
        return 1;
    case YR_ANNOUNCE_IF_OURS:
        compare->target = YURPC_ETCD_LEASE;
        compare->number = all->lease;
        return 1;
    }
    return 0;
}

static yurpc_status send_chunk(announce *all, chunk *sending)
{
    yurpc_etcd_compare compares[CHUNK_OPS_MAX];
    yurpc_etcd_op puts[CHUNK_OPS_MAX];
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = all->lease;
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.compares = compares;
    txn.then_ops = puts;
    for (size_t i = 0; i < sending->count; i++) {
        const announced_record *record = &all->records[sending->first + i];
        yurpc_bytes key = yr_bytes_of_text(record->key);
        txn.compare_count += fill_compare(all, key, &compares[txn.compare_count]);
        puts[txn.then_count++] =
            (yurpc_etcd_op){.kind = YURPC_ETCD_PUT,
                            .key = key,
                            .value = yr_bytes(record->value, record->value_len),
                            .options = &options};
    }
    int64_t left = all->ends_ms - yr_io_now_ms(all->driver->io);
    txn.timeout_ms = left > 1 ? (uint32_t)left : 1;
    txn.is_idempotent = true;
    yr_etcd_call *call = NULL;
    return yr_etcd_txn(all->driver->client, &txn, on_chunk, sending, &call);
}

static size_t chunk_len(const announce *all)
{
    size_t bytes = 0;
    size_t len = 0;
    while (all->next + len < all->count && len < CHUNK_OPS_MAX) {
        const announced_record *record = &all->records[all->next + len];
        bytes += 2 * strlen(record->key) + record->value_len;
        if (len > 0 && bytes > CHUNK_BYTES_MAX) {
            break;
        }
        len++;
    }
    return len;
}

static void send_chunks(announce *all)
{
    while (all->next < all->count && all->in_flight < CHUNKS_IN_FLIGHT_MAX) {
        chunk *sending = yr_calloc(1, sizeof *sending);
        size_t first = all->next;
        size_t len = chunk_len(all);
        all->next += len;
        yurpc_status status = YURPC_NO_MEMORY;
        if (sending != NULL) {
            *sending = (chunk){all, first, len};
            status = send_chunk(all, sending);
        }
        if (status == YURPC_OK) {
            all->in_flight++;
            continue;
        }
        yr_free(sending);
        bool is_last = all->pending == len;
        records_done(all, first, len, status, NULL);
        if (is_last) {
            return; /* and all is freed */
        }
    }
}

static void on_begin(void *context)
{
    announce *all = context;
    if (all->lease == 0) {
        records_done(all, 0, all->count, YURPC_LEASE_LOST, NULL);
        return;
    }
    send_chunks(all);
}

static size_t texts_size(const yr_announcement *items, size_t count)
{
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += yr_key_size(items[i].service, items[i].node) + items[i].value.len + 1;
    }
    return size;
}

static announce *announce_new(const yr_announcement *items, size_t count)
{
    announce *all = yr_calloc(1, sizeof *all + count * sizeof(announced_record));
    if (all == NULL) {
        return NULL;
    }
    all->count = count;
    all->texts = yr_calloc(1, texts_size(items, count));
    if (all->texts == NULL) {
        announce_free(all);
        return NULL;
    }
    char *text = all->texts;
    for (size_t i = 0; i < count; i++) {
        announced_record *record = &all->records[i];
        record->key = text;
        text += yr_key_write(items[i].service, items[i].node, text);
        record->value = text;
        record->value_len = items[i].value.len;
        if (record->value_len > 0) {
            memcpy(text, items[i].value.data, record->value_len);
        }
        text += record->value_len + 1;
    }
    return all;
}

void yr_etcd_driver_announce(yr_driver *driver, const yr_announce_request *request,
                             yr_announced_fn *done, void *context)
{
    announce *all = announce_new(request->items, request->count);
    if (all == NULL) {
        for (size_t i = 0; i < request->count; i++) {
            done(context, i, YURPC_NO_MEMORY, NULL);
        }
        return;
    }
    all->driver = driver;
    all->mode = request->mode;
    all->lease = driver->session.id;
    all->ends_ms = yr_io_now_ms(driver->io) + request->deadline_ms;
    all->done = done;
    all->context = context;
    all->pending = request->count;
    yr_task_init(&all->begin_task, on_begin, all);
    if (!yr_io_post(driver->io, &all->begin_task)) {
        YR_ASSERT(false); /* a fresh task is not posted */
    }
}
