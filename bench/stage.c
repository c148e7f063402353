#include "stage.h"

#include "canned.h"
#include "names.h"

#include <yurpc/etcd.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BATCH = 128,        /* etcd's limit of operations in a transaction */
    LEASE = 4711,       /* any: this etcd is nobody else's */
    LEASE_TTL_S = 3600, /* outlives every benchmark */
};

bool yr_stage_begin(yr_stage *stage, const yr_work *work, const char *etcd)
{
    *stage = (yr_stage){.scratch = {.lock = -1}};
    if (work->backend == YR_BACKEND_ETCD) {
        if (yr_engine_start_etcd(etcd, NULL, &stage->engine) != YURPC_OK) {
            (void)fprintf(stderr, "%s: etcd \"%s\" does not start\n", work->name, etcd);
            return false;
        }
        (void)snprintf(stage->address, sizeof(stage->address), "%s",
                       yr_engine_address(stage->engine));
    }
    if (work->backend == YR_BACKEND_LOCAL) {
        if (yr_scratch_init(&stage->scratch, "yurpc-bench.") != YURPC_OK) {
            (void)fprintf(stderr, "%s: no directory can be made\n", work->name);
            return false;
        }
        (void)snprintf(stage->address, sizeof(stage->address), "%s/registry.db",
                       stage->scratch.path);
    }
    double value = 0;
    if (work->backend == YR_BACKEND_CANNED) {
        bool is_there = yr_run_start(work, YR_CANNED, "", &stage->helper) &&
                        yr_run_await_line(&stage->helper, &value);
        (void)snprintf(stage->address, sizeof(stage->address), "http://127.0.0.1:%.0f", value);
        return is_there;
    }
    return !work->is_filled ||
           (yr_run_start(work, YR_STAGE_FILLER, stage->address, &stage->helper) &&
            yr_run_await_line(&stage->helper, &value));
}

void yr_stage_end(yr_stage *stage)
{
    if (!yr_run_finish(&stage->helper)) {
        (void)fprintf(stderr, "the program that fills or is the registry has failed\n");
    }
    yr_engine_free(stage->engine);
    yr_scratch_deinit(&stage->scratch);
}

/* ---- The filler ---- */

/* Instances @p first and on, at most a transaction of them. */
static yurpc_status put_batch(yurpc_etcd *client, size_t first, size_t count,
                              yurpc_error **ret_error)
{
    char keys[BATCH][YR_KEY_SIZE];
    char values[BATCH][YR_VALUE_SIZE];
    yurpc_etcd_op ops[BATCH];
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.lease = LEASE;
    for (size_t i = 0; i < count; i++) {
        ops[i] = (yurpc_etcd_op){
            .kind = YURPC_ETCD_PUT,
            .key = yr_name_key(first + i, keys[i]),
            .value = yr_name_value(first + i, 100, values[i]),
            .options = &options,
        };
    }
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.then_ops = ops;
    txn.then_count = count;
    yurpc_etcd_reply *reply = NULL;
    yurpc_status status = yurpc_etcd_txn(client, &txn, &reply, ret_error);
    yurpc_etcd_reply_free(reply);
    return status;
}

/* Without a provider: nobody fights for the keys when a benchmark writes them. */
static bool fill_etcd(const yr_sample *self)
{
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = self->address;
    config.timeout_ms = YR_SAMPLE_TIMEOUT_MS;
    yurpc_etcd *client = NULL;
    yurpc_etcd_reply *reply = NULL;
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_etcd_open(&config, &client, &error);
    if (status == YURPC_OK) {
        status = yurpc_etcd_lease_grant(client, LEASE, LEASE_TTL_S, &reply, &error);
        yurpc_etcd_reply_free(reply);
    }
    for (size_t at = 0; status == YURPC_OK && at < self->work->count; at += BATCH) {
        size_t left = self->work->count - at;
        status = put_batch(client, at, left < BATCH ? left : BATCH, &error);
    }
    yurpc_etcd_close(client);
    return status == YURPC_OK || yr_fail(self, "cannot fill etcd", error);
}

/* A file's records live as long as the process that registered them: this one. */
static yurpc_registry *fill_local(const yr_sample *self)
{
    size_t count = self->work->count;
    yurpc_registry *registry = yr_sample_open(self, 0);
    yurpc_instance_spec *specs = yr_name_specs(count);
    yurpc_registration **registrations = calloc(count, sizeof(yurpc_registration *));
    yurpc_error *error = NULL;
    if (registry != NULL && specs != NULL && registrations != NULL &&
        yurpc_registry_register_many(registry, specs, count, NULL, registrations, &error) !=
            YURPC_OK) {
        (void)yr_fail(self, "cannot fill the file", error);
        yurpc_registry_close(registry);
        registry = NULL;
    }
    free(specs);
    free(registrations);
    return registry;
}

bool yr_stage_fill(yr_sample *self)
{
    yurpc_registry *registry = NULL;
    if (self->work->backend == YR_BACKEND_LOCAL) {
        registry = fill_local(self);
        if (registry == NULL) {
            return false;
        }
    } else if (!fill_etcd(self)) {
        return false;
    }
    yr_report("filled", (double)self->work->count);
    char byte = 0;
    (void)!read(STDIN_FILENO, &byte, 1);
    yurpc_registry_close(registry);
    return true;
}
