/*
 * What is measured: works, each of which becomes a few rows of the table.
 *
 * A work has programs. Each repetition runs every program once, in a fresh process, in order;
 * so what is ours and what it is compared with are never far apart in time. A program reports
 * figures by name; a row names one of ours and, where there are some, its yardsticks.
 */
#ifndef YR_WORK_H
#define YR_WORK_H

#include "sample.h"

#include <stddef.h>

typedef enum yr_backend {
    YR_BACKEND_NONE = 0,
    YR_BACKEND_ETCD = 1,
    YR_BACKEND_LOCAL = 2,
    YR_BACKEND_CANNED = 3, /* looks like etcd (canned.h) */
} yr_backend;

typedef struct yr_program {
    const char *name; /* its figures are called NAME.FIGURE */
    /* In a process of its own; false: it has said why on stderr. NULL: it is a program of its
     * own (peer.h) */
    bool (*run)(yr_sample *self);
    bool is_helper; /* only other programs start it */
} yr_program;

enum { YR_PROGRAMS_MAX = 6 };

typedef struct yr_row {
    const char *what;      /* "wall" */
    const char *unit;      /* "ms" */
    const char *ours;      /* "yurpc.wall_ms"; NULL: only the yardstick is measured */
    const char *bare;      /* "bare.wall_ms"; NULL: there is no yardstick */
    const char *go;        /* "go.wall_ms"; NULL: the peer has nothing like it */
    const char *yardstick; /* what the yardstick does; NULL: there is none */
    const char *goal;      /* "<= 1.5 bare, <= 0.2 Go" (goal.h); NULL: there is none */
} yr_row;

struct yr_work {
    const char *name;   /* "discover.etcd.100000" */
    yr_backend backend; /* a registry of its own is there while it runs */
    size_t count;       /* instances that it is about */
    bool is_apart;      /* measured only when it is named: it takes long */
    bool is_filled;     /* they are in the registry before it begins */
    size_t changes;     /* of these, when a canned server is asked for a storm */
    int runs;
    yr_program programs[YR_PROGRAMS_MAX]; /* up to one without a name */
    const yr_row *rows;
    size_t row_count;
};

/* One list for each work_*.c. */
typedef struct yr_works {
    const yr_work *works;
    size_t count;
} yr_works;

extern const yr_works yr_works_echo;
extern const yr_works yr_works_discover;
extern const yr_works yr_works_canned;
extern const yr_works yr_works_range;
extern const yr_works yr_works_apply;
extern const yr_works yr_works_pick;
extern const yr_works yr_works_change;
extern const yr_works yr_works_change_local;
extern const yr_works yr_works_burst;
extern const yr_works yr_works_register;
extern const yr_works yr_works_beat;
extern const yr_works yr_works_memory;
extern const yr_works yr_works_scale_instances;
extern const yr_works yr_works_scale_services;
extern const yr_works yr_works_scale_follow;
extern const yr_works yr_works_scale_register;
extern const yr_works yr_works_scale_units;
extern const yr_works yr_works_scale_fleet;
extern const yr_works yr_works_process;

#endif /* YR_WORK_H */
