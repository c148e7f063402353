/*
 * Instances of a service that the registry does not name any more, but that consumers still
 * see: the protection against mass disappearance at work.
 *
 * Who vanishes without having drained is doubted for a moment: the registry tells of a mass one
 * by one. When it is a mass (protection.h) all who are doubted become suspect; else they are
 * gone. A suspect is gone when its host refuses connections (probe.h), or one TTL later,
 * counted anew whenever the registry comes back. Whoever is named again is an ordinary
 * instance.
 *
 * Loop-only.
 */
#ifndef YR_REGISTRY_ABSENCE_H
#define YR_REGISTRY_ABSENCE_H

#include "base/map.h"
#include "registry/batch.h"
#include "registry/consumer/probe.h"
#include "registry/consumer/protection.h"
#include "registry/core.h"

enum { YR_DOUBT_MS = 200 };

/* Put changes, ordered by node, into the cell. */
typedef yurpc_status yr_absences_publish_fn(void *context, const yr_snapshot_change *changes,
                                            size_t count);

/* Of one service. */
typedef struct yr_absences {
    yr_core *core;
    yr_prober *prober; /* borrowed */

    /* Set by the owner before the first use, borrowed. */
    const char *service;
    const yr_snapshot_cell *cell;
    yr_absences_publish_fn *publish;
    void *context;

    yr_protection protection;
    yr_map by_node;
    yr_list doubted;  /* the oldest first */
    yr_list suspects; /* the oldest first */
    yr_list gone;     /* not yet published */
    size_t suspect_count;
    yr_timer timer;
    bool is_stale;
} yr_absences;

/* The owner sets what it says above. */
void yr_absences_init(yr_absences *absences, yr_core *core, yr_prober *prober);
void yr_absences_deinit(yr_absences *absences);

/*
 * @p batch was settled into @p result: note who came, and take out of @p result who is not to
 * leave yet. Then publish the result, and update.
 */
void yr_absences_screen(yr_absences *absences, const yr_batch *batch, yr_batch_result *result);

/* See what becomes of the absent now, and publish that. */
void yr_absences_update(yr_absences *absences);

/* While the registry cannot be heard, it cannot name anybody again: suspects stay. */
void yr_absences_set_stale(yr_absences *absences, bool is_stale);

#endif /* YR_REGISTRY_ABSENCE_H */
