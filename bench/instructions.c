/*
 * The hot paths of the library, each a few hundred times, to be counted by callgrind: how many
 * instructions of ours they take. Unlike times, these are the same on a busy machine.
 *
 * tools/instructions.py runs this, with the name of a path, and compares. A path is a function
 * path_NAME, which callgrind is told to count alone; what it works on is prepared before.
 */
#include "base/mem.h"
#include "canned_bytes.h"
#include "etcd/decode.h"
#include "etcd/encode.h"
#include "etcd/range_reader.h"
#include "names.h"
#include "registry/batch.h"
#include "registry/instance.h"
#include "registry/instance_value.h"
#include "registry/picker.h"
#include "registry/snapshot_reading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMES = 200,
    PICKS = 20000,       /* where a turn begins is random: it must not show */
    SERVICE_LEN = 10000, /* instances */
    LIST_LEN = 100,
    FRAME_HEAD_LEN = 9,
    GRPC_HEAD_LEN = 5,
    NODE_SIZE = YR_HOST_SIZE + 8,
};

/* Counted alone, so it must be a function of its own. */
#if defined(__clang__) /* which does not clone */
#    define PATH __attribute__((noinline)) static bool
#else
#    define PATH __attribute__((noinline, noclone)) static bool
#endif

/* What the paths work on. */
typedef struct subject {
    char values[TIMES][YR_VALUE_SIZE];
    yurpc_bytes value_bytes[TIMES];
    char nodes[TIMES][NODE_SIZE];
    yurpc_bytes node_bytes[TIMES];
    yr_batch batch;
    yr_batch hundred; /* changes, not yet settled */
    yr_snapshot_cell *cell;
    yurpc_picker *picker;
    yr_canned_list list;
    uint8_t *range; /* a RangeResponse of LIST_LEN */
    size_t range_len;
    uint8_t *storm; /* a WatchResponse with one event */
    size_t storm_len;
    yr_canned_message beat;
    size_t seen;
} subject;

static const yurpc_bytes service = {YR_SERVICE, sizeof(YR_SERVICE) - 1};

/* ---- The paths ---- */

PATH path_scan_value(subject *self)
{
    yr_instance_view view;
    for (size_t i = 0; i < TIMES; i++) {
        if (!yr_instance_scan(self->value_bytes[i], &view)) {
            return false;
        }
    }
    return true;
}

PATH path_decode_instance(subject *self)
{
    for (size_t i = 0; i < TIMES; i++) {
        yurpc_instance *instance = NULL;
        if (yr_instance_decode(service, self->node_bytes[i], self->value_bytes[i], 1, &instance,
                               NULL) != YURPC_OK) {
            return false;
        }
        yr_instance_unref(instance);
    }
    return true;
}

PATH path_encode_value(subject *self)
{
    yr_buf out;
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = YR_SERVICE;
    spec.host = "10.1.2.3";
    spec.port = YR_PORT;
    yr_buf_init(&out, YR_INSTANCE_VALUE_MAX);
    for (size_t i = 0; i < TIMES; i++) {
        yr_buf_clear(&out);
        if (yr_instance_encode(&spec, false, &out) != YURPC_OK) {
            return false;
        }
    }
    self->seen += out.len;
    yr_buf_deinit(&out);
    return true;
}

static bool put_change(yr_batch *batch, yurpc_bytes node, yurpc_bytes value, int64_t revision)
{
    yurpc_instance *instance = NULL;
    return yr_instance_decode(service, node, value, revision, &instance, NULL) == YURPC_OK &&
           yr_batch_take_put(batch, instance) == YURPC_OK;
}

static bool publish(subject *self, yr_batch *batch)
{
    yr_batch_result settled = {.count = 0};
    yurpc_snapshot *next = NULL;
    const yurpc_snapshot *now = yr_snapshot_cell_current(self->cell);
    bool is_fine =
        yr_batch_settle(batch, now, NULL, &settled) == YURPC_OK &&
        yr_snapshot_apply(now, settled.changes, settled.count, false, &next) == YURPC_OK;
    if (is_fine) {
        yr_snapshot_cell_take(self->cell, next);
    }
    yr_free(settled.changes);
    yr_batch_clear(batch);
    return is_fine;
}

/* Each a batch of its own, as changes come that are far apart. */
PATH path_apply_change(subject *self)
{
    for (size_t i = 0; i < TIMES; i++) {
        if (!put_change(&self->batch, self->node_bytes[i], self->value_bytes[i],
                        100 + (int64_t)i) ||
            !publish(self, &self->batch)) {
            return false;
        }
    }
    return true;
}

PATH path_settle_hundred(subject *self)
{
    yr_batch_result settled = {.count = 0};
    bool is_fine = yr_batch_settle(&self->hundred, yr_snapshot_cell_current(self->cell), NULL,
                                   &settled) == YURPC_OK &&
                   settled.count == LIST_LEN;
    yr_free(settled.changes);
    return is_fine;
}

PATH path_acquire_release(subject *self)
{
    for (size_t i = 0; i < PICKS; i++) {
        self->seen += yr_snapshot_cell_acquire(self->cell) != NULL;
        yr_snapshot_cell_release();
    }
    return true;
}

PATH path_pick(subject *self)
{
    for (size_t i = 0; i < PICKS; i++) {
        const yurpc_snapshot *now = yr_snapshot_cell_acquire(self->cell);
        self->seen += yr_picker_pick(self->picker, now) != NULL;
        yr_snapshot_cell_release();
    }
    return true;
}

PATH path_encode_put(subject *self)
{
    yr_buf out;
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = 4711;
    yurpc_etcd_op op = {.kind = YURPC_ETCD_PUT, .options = &options};
    yr_buf_init(&out, YR_ETCD_REQUEST_MAX);
    for (size_t i = 0; i < TIMES; i++) {
        op.key = self->node_bytes[i];
        op.value = self->value_bytes[i];
        yr_buf_clear(&out);
        if (yr_encode_op(&op, &out) != YURPC_OK) {
            return false;
        }
    }
    self->seen += out.len;
    yr_buf_deinit(&out);
    return true;
}

static void count_kvs(void *context, const yurpc_etcd_kv *kvs, size_t count)
{
    subject *self = context;
    (void)kvs;
    self->seen += count;
}

PATH path_read_range(subject *self)
{
    yr_range_reader reader;
    yr_reply *reply = NULL;
    yr_grpc_part part = {.bytes = {self->range, self->range_len},
                         .message_len = self->range_len,
                         .is_first = true,
                         .is_last = true};
    yr_range_reader_init(&reader, count_kvs, self);
    bool is_fine = yr_range_reader_add(&reader, &part) == YURPC_OK &&
                   yr_range_reader_finish(&reader, &reply) == YURPC_OK;
    yr_reply_free(reply);
    yr_range_reader_deinit(&reader);
    return is_fine;
}

PATH path_decode_event(subject *self)
{
    const size_t head = FRAME_HEAD_LEN + GRPC_HEAD_LEN;
    yurpc_bytes message = {self->storm + head, self->storm_len - head};
    for (size_t i = 0; i < TIMES; i++) {
        yr_watch_message *decoded = NULL;
        if (yr_decode_watch(message, &decoded) != YURPC_OK) {
            return false;
        }
        self->seen += decoded->event_count;
        yr_watch_message_free(decoded);
    }
    return true;
}

PATH path_keepalive(subject *self)
{
    yr_buf out;
    yr_keepalive_answer answer;
    yurpc_bytes message = {self->beat.head + GRPC_HEAD_LEN,
                           self->beat.head_len - GRPC_HEAD_LEN};
    yr_buf_init(&out, YR_ETCD_REQUEST_MAX);
    for (size_t i = 0; i < TIMES; i++) {
        yr_buf_clear(&out);
        if (yr_encode_lease_keepalive(4711, &out) != YURPC_OK ||
            yr_decode_keepalive(message, &answer) != YURPC_OK) {
            return false;
        }
        self->seen += (size_t)answer.ttl_s;
    }
    yr_buf_deinit(&out);
    return true;
}

/* ---- Preparing them ---- */

static yurpc_bytes write_node(char node[NODE_SIZE], size_t index)
{
    char host[YR_HOST_SIZE];
    yr_name_host(index, host);
    int len = snprintf(node, NODE_SIZE, "%s:%d", host, YR_PORT);
    return (yurpc_bytes){node, (size_t)len};
}

static bool fill_service(subject *self)
{
    bool is_fine = yr_snapshot_cell_new(&self->cell) == YURPC_OK &&
                   yurpc_picker_new(YURPC_PICK_ROUND_ROBIN, &self->picker) == YURPC_OK;
    yr_batch_init(&self->batch);
    yr_batch_init(&self->hundred);
    self->batch.is_list = true;
    for (size_t i = 0; is_fine && i < SERVICE_LEN; i++) {
        char node[NODE_SIZE];
        char value[YR_VALUE_SIZE];
        is_fine =
            put_change(&self->batch, write_node(node, i), yr_name_value(i, 100, value), 1);
    }
    is_fine = is_fine && publish(self, &self->batch);
    self->batch.is_list = false;
    for (size_t i = 0; is_fine && i < TIMES; i++) {
        size_t index = i * 7919 % SERVICE_LEN;
        self->node_bytes[i] = write_node(self->nodes[i], index);
        self->value_bytes[i] = yr_name_value(index, 50, self->values[i]);
        if (i < LIST_LEN) {
            is_fine = put_change(&self->hundred, self->node_bytes[i], self->value_bytes[i], 2);
        }
    }
    return is_fine;
}

static bool write_range(subject *self)
{
    static const char all[] = {1 << 3 | 2, 1, '!', 2 << 3 | 2, 1, '~'}; /* RangeRequest */
    yr_canned_message message = yr_canned_range(&self->list, (yurpc_bytes){all, sizeof(all)});
    size_t head_len = message.head_len - GRPC_HEAD_LEN;
    self->range_len = head_len + message.bulk.len + message.tail_len;
    self->range = malloc(self->range_len);
    if (self->range == NULL) {
        return false;
    }
    memcpy(self->range, message.head + GRPC_HEAD_LEN, head_len);
    memcpy(self->range + head_len, message.bulk.data, message.bulk.len);
    memcpy(self->range + head_len + message.bulk.len, message.tail, message.tail_len);
    return true;
}

static bool prepare(subject *self)
{
    static const char lease[] = "\10\347\44"; /* LeaseKeepAliveRequest of 4711 */
    self->beat = yr_canned_lease((yurpc_bytes){lease, sizeof(lease) - 1});
    if (!yr_canned_list_init(&self->list, LIST_LEN) || !write_range(self)) {
        return false;
    }
    self->storm = yr_canned_storm(&self->list, 1, 1, 1, &self->storm_len);
    return self->storm != NULL && fill_service(self);
}

static void clean_up(subject *self)
{
    yr_batch_deinit(&self->batch);
    yr_batch_deinit(&self->hundred);
    yr_snapshot_cell_free(self->cell);
    yurpc_picker_free(self->picker);
    yr_canned_list_deinit(&self->list);
    free(self->range);
    free(self->storm);
}

int main(int argc, char **argv)
{
    static subject self;
    static const struct {
        const char *name;
        bool (*run)(subject *self);
    } paths[] = {
        {"scan_value", path_scan_value},
        {"decode_instance", path_decode_instance},
        {"encode_value", path_encode_value},
        {"settle_hundred", path_settle_hundred},
        {"apply_change", path_apply_change},
        {"acquire_release", path_acquire_release},
        {"pick", path_pick},
        {"encode_put", path_encode_put},
        {"read_range", path_read_range},
        {"decode_event", path_decode_event},
        {"keepalive", path_keepalive},
    };
    bool is_fine = prepare(&self);
    for (size_t i = 0; is_fine && i < sizeof(paths) / sizeof(paths[0]); i++) {
        bool is_wanted = argc < 2 || strcmp(argv[1], paths[i].name) == 0;
        is_fine = !is_wanted || paths[i].run(&self);
        if (!is_fine) {
            (void)fprintf(stderr, "%s has failed\n", paths[i].name);
        }
    }
    clean_up(&self);
    return is_fine ? 0 : 1;
}
