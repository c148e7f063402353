/*
 * The witness: what really happened to the keys of the registry, revision by revision, as etcd
 * itself remembers it. It is read before etcd is made to forget, and at the end.
 */
#ifndef FAULTS_HISTORY_H
#define FAULTS_HISTORY_H

#include <yurpc/etcd.h>

enum { HISTORY_MAX = 8192, HISTORY_KEY_MAX = 96 };

typedef struct history_event {
    int64_t revision;
    bool is_delete;
    int64_t lease;                 /* of a put */
    char address[HISTORY_KEY_MAX]; /* "10.0.0.1:8080" */
} history_event;

typedef struct history {
    size_t count;
    int64_t next; /* the first revision that was not read */
    history_event events[HISTORY_MAX];
} history;

/* From now on. */
bool history_begin(history *history, yurpc_etcd *etcd);

/*
 * Read on up to now; false: etcd could not be asked (then nothing is lost: ask again). With
 * @p is_compacting etcd is then made to forget what was read.
 */
bool history_read(history *history, yurpc_etcd *etcd, bool is_compacting);

/* Whether @p address was written at exactly @p revision. */
bool history_has_put(const history *history, const char *address, int64_t revision);

/* Whether @p address was deleted after @p revision. */
bool history_has_delete_after(const history *history, const char *address, int64_t revision);

#endif /* FAULTS_HISTORY_H */
