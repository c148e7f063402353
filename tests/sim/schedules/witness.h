/*
 * The witness: all that was ever written under the services of a play, in order. After the
 * data was wiped or restored a new epoch begins, in which revisions may come again.
 */
#ifndef YR_TESTS_SIM_SCHEDULES_WITNESS_H
#define YR_TESTS_SIM_SCHEDULES_WITNESS_H

#include "fake/etcd.h"

#include <yurpc/instance.h>

typedef struct yr_deed {
    uint32_t epoch;
    int64_t revision;
    bool is_deletion;
    char *service; /* "name:version" */
    char *node;    /* "host:port" */
    char *value;
    size_t value_len;
} yr_deed;

typedef struct yr_witness {
    yr_deed *deeds;
    size_t count;
    uint32_t epoch;
    const yr_fake_etcd *fake; /* where a new epoch's data is; NULL: not yet known */
} yr_witness;

void yr_witness_init(yr_witness *witness);
void yr_witness_deinit(yr_witness *witness);

/* As yr_fake_etcd_options.on_commit; the context is the witness. */
void yr_witness_on_commit(void *context, const yr_fake_version *const *writes, size_t count);

/* What a consumer can know of an instance. */
typedef struct yr_sighting {
    const char *service;
    const yurpc_instance *instance;
} yr_sighting;

/* The first epoch, from @p epoch on, in which the instance was written just so at its revision;
 * in the first of them not before @p revision_min. False: there is none. */
bool yr_witness_find(const yr_witness *witness, const yr_sighting *seen, uint32_t epoch,
                     int64_t revision_min, uint32_t *ret_epoch);

/* Whether the instance's node was deleted, or overwritten with what is no instance, since it
 * was as seen in @p epoch; or all was replaced. */
bool yr_witness_saw_end(const yr_witness *witness, const yr_sighting *seen, uint32_t epoch);

#endif /* YR_TESTS_SIM_SCHEDULES_WITNESS_H */
