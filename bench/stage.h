/*
 * The registry that a work runs on: an etcd of its own, a file, in memory where the machine has
 * such a place, or a canned server; with instances in it where the work wants them.
 */
#ifndef YR_STAGE_H
#define YR_STAGE_H

#include "engine.h"
#include "run.h"
#include "scratch.h"

/* The program that fills a registry, stays until its input is closed, and is measured by none.
 */
#define YR_STAGE_FILLER "fill"

typedef struct yr_stage {
    char address[160];
    yr_engine *engine;
    yr_scratch scratch;
    yr_running helper; /* fills the registry, or is it */
} yr_stage;

/* @p etcd is its version or path. False: it has said why; the stage is to be ended all the
 * same. */
bool yr_stage_begin(yr_stage *stage, const yr_work *work, const char *etcd);

void yr_stage_end(yr_stage *stage);

/* What the filler does. */
bool yr_stage_fill(yr_sample *self);

#endif /* YR_STAGE_H */
