/*
 * What only the inside of the library shows: one change of a service of COUNT instances, from
 * its value as etcd sends it until readers see it. Started by yurpc_bench:
 *
 *     yurpc_bench_inside --sample WORK inside ADDRESS COUNT CHANGES
 *
 * It takes the steps that the consumer's side takes for each change: decode, batch, settle,
 * apply, publish. The bytes are those that the library asks its allocator for meanwhile (the
 * linker puts us between the two).
 */
#include "base/mem.h"
#include "names.h"
#include "registry/batch.h"
#include "registry/instance.h"
#include "registry/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PORT_LEN_MAX = 6 };

/* ---- What is allocated ---- */

/* The names are the linker's: see --wrap. */
void *real_realloc(void *ptr, size_t size) __asm__("__real_yr_realloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_yr_calloc");
void *counting_realloc(void *ptr, size_t size) __asm__("__wrap_yr_realloc");
void *counting_calloc(size_t count, size_t size) __asm__("__wrap_yr_calloc");

static _Atomic size_t allocated;

void *counting_realloc(void *ptr, size_t size)
{
    allocated += size;
    return real_realloc(ptr, size);
}

void *counting_calloc(size_t count, size_t size)
{
    allocated += count * size;
    return real_calloc(count, size);
}

static int64_t read_cpu_ns(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ---- A change ---- */

typedef struct subject {
    size_t count;
    yr_batch batch;
    yr_snapshot_cell *cell;
    int64_t revision;
} subject;

static bool take_value(subject *self, size_t index, unsigned weight)
{
    char host[YR_HOST_SIZE];
    char node[YR_HOST_SIZE + PORT_LEN_MAX];
    char value[YR_VALUE_SIZE];
    yurpc_instance *instance = NULL;
    yr_name_host(index, host);
    int node_len = snprintf(node, sizeof(node), "%s:%d", host, YR_PORT);
    yurpc_bytes service = {YR_SERVICE, sizeof(YR_SERVICE) - 1};
    yurpc_bytes node_bytes = {node, (size_t)node_len};
    return yr_instance_decode(service, node_bytes, yr_name_value(index, weight, value),
                              ++self->revision, &instance, NULL) == YURPC_OK &&
           yr_batch_take_put(&self->batch, instance) == YURPC_OK;
}

static bool publish(subject *self)
{
    yr_batch_result settled = {.count = 0};
    yurpc_snapshot *next = NULL;
    const yurpc_snapshot *now = yr_snapshot_cell_current(self->cell);
    bool is_fine =
        yr_batch_settle(&self->batch, now, NULL, &settled) == YURPC_OK &&
        yr_snapshot_apply(now, settled.changes, settled.count, false, &next) == YURPC_OK;
    if (is_fine) {
        yr_snapshot_cell_take(self->cell, next);
    }
    yr_free(settled.changes);
    yr_batch_clear(&self->batch);
    return is_fine;
}

static bool prepare(subject *self)
{
    bool is_fine = yr_snapshot_cell_new(&self->cell) == YURPC_OK;
    self->batch.is_list = true;
    for (size_t i = 0; is_fine && i < self->count; i++) {
        is_fine = take_value(self, i, 100);
    }
    is_fine = is_fine && publish(self);
    self->batch.is_list = false;
    return is_fine;
}

/* Each elsewhere in the list, and another value than before. */
static bool change(subject *self, size_t round)
{
    size_t index = round * 7919 % self->count;
    return take_value(self, index, 101 + (unsigned)(round % 800)) && publish(self);
}

int main(int argc, char **argv)
{
    static subject self;
    if (argc != 7) {
        (void)fputs("yurpc_bench starts this\n", stderr);
        return 2;
    }
    size_t changes = strtoul(argv[6], NULL, 10);
    self.count = strtoul(argv[5], NULL, 10);
    yr_batch_init(&self.batch);
    bool is_fine = prepare(&self);
    for (size_t i = 0; is_fine && i < changes / 10; i++) {
        is_fine = change(&self, i);
    }
    size_t allocated_before = allocated;
    int64_t begin = read_cpu_ns();
    for (size_t i = 0; is_fine && i < changes; i++) {
        is_fine = change(&self, i + changes);
    }
    double cpu_us = (double)(read_cpu_ns() - begin) / 1e3;
    double bytes = (double)(allocated - allocated_before);
    yr_batch_deinit(&self.batch);
    yr_snapshot_cell_free(self.cell);
    if (!is_fine) {
        (void)fprintf(stderr, "%s: a change could not be applied\n", argv[2]);
        return 1;
    }
    (void)printf("apply_us %.9g\nbytes %.9g\n", cpu_us / (double)changes,
                 bytes / (double)changes);
    return 0;
}
