/*
 * The consumer's side: the services that are followed, each with its current snapshot.
 *
 * What the driver reports is collected in a batch and published as one snapshot when it is
 * complete. A lost connection changes nothing but the snapshot's mark as stale. Where there is
 * no connection to begin with, a list from disk stands in for the first one. Every few minutes
 * the registry is asked for the whole list again, because watches are known to lie.
 *
 * Loop-only, except reading the cells.
 */
#ifndef YR_REGISTRY_DIRECTORY_H
#define YR_REGISTRY_DIRECTORY_H

#include "base/map.h"
#include "registry/batch.h"
#include "registry/consumer/absence.h"
#include "registry/consumer/fallback.h"
#include "registry/consumer/finder.h"
#include "registry/consumer/mention.h"
#include "registry/core.h"

enum { YR_TELL_BURST = 5, YR_TELL_INTERVAL_MS = 200 }; /* 10 within any second */

typedef struct yr_directory {
    yr_core *core;
    yr_map entries;   /* by "name:version" */
    yr_finder finder; /* the same, for readers on any thread */
    yr_prober prober; /* of all of them */
} yr_directory;

/* One followed service. */
typedef struct yr_entry {
    yr_map_node map_node;
    yr_core *core;
    yr_directory *directory;
    char *service;
    uint32_t refs; /* loop-only */
    yr_follow *follow;
    yr_snapshot_cell *cell;
    yr_finder_item *found;
    yr_batch batch;
    yr_absences absences;
    yr_mentions mentions;
    bool has_list; /* a complete list has come */
    bool is_stale;
    bool is_cached;      /* what is published came from disk: there has been no list yet */
    int64_t opened_ms;   /* yr_io_boot_ms() */
    int64_t right_at_ms; /* the same, when a stale list was known to be right */
    bool is_reconciling; /* the next list was asked for by the timer */
    bool is_incomplete;  /* facts were dropped for lack of memory: the batch is void */
    bool is_cut;         /* facts were dropped, and that was said, because there are too many */
    yr_timer reconcile_timer;
    yr_pace tell_pace;     /* of telling that instances came or went */
    yr_timer tell_timer;   /* runs when that has to wait */
    yr_timer settle_timer; /* changes are in the batch, all of them */
    yr_fallback fallback;
    yr_list listeners;
    yr_list waiters;
} yr_entry;

/*
 * Told after each publication; of what comes and goes all the time YR_TELL_BURST times, then
 * every YR_TELL_INTERVAL_MS. Embedded in its owner.
 */
typedef struct yr_entry_listener {
    yr_list link;
    void (*on_published)(void *context);
    void *context;
} yr_entry_listener;

/* Waits for the first list. Embedded in its owner, who keeps it until done ran. */
typedef struct yr_entry_waiter {
    yr_list link;
    yr_entry *entry;
    yr_timer deadline;
    yr_done_fn *done;
    void *context;
} yr_entry_waiter;

void yr_directory_init(yr_directory *directory, yr_core *core);

/* Stops everything that is still followed; waiters end with YURPC_CLOSED. */
void yr_directory_deinit(yr_directory *directory);

/* Follow @p service ("name:version"), or share it. To be closed once. YURPC_NO_MEMORY; the
 * driver's errors. */
YURPC_NODISCARD yurpc_status yr_directory_open(yr_directory *directory, const char *service,
                                               yr_entry **ret_entry);
void yr_directory_close(yr_directory *directory, yr_entry *entry);

/* The connection was lost, or cannot be made. */
void yr_directory_on_disconnected(yr_directory *directory);

/* Call @p waiter's done when the first list is there (perhaps in this turn), or @p timeout_ms
 * has passed. */
void yr_entry_wait(yr_entry *entry, yr_entry_waiter *waiter, int64_t timeout_ms);

#endif /* YR_REGISTRY_DIRECTORY_H */
