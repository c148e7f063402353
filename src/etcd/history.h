/*
 * Whether an answer comes from the cluster and the history that the client knows.
 *
 * A data directory that was wiped or restored keeps its cluster and member ids; only revisions
 * and raft terms that go back betray it. They also seem to go back in good order: members lag
 * behind each other, a member that restarts replays its log, and answers overtake each other.
 * So an answer counts as a regression only if
 *  - it is linearizable (a write, or a read that is not serializable): the member had then
 *    applied everything that was committed when the request came in; and
 *  - it is below what had been seen before its request was sent: that had been committed; and,
 *    for the term, the same member gave it, since only that is promised.
 */
#ifndef YR_ETCD_HISTORY_H
#define YR_ETCD_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

/* The part of every answer that tells where it comes from. */
typedef struct yr_header {
    uint64_t cluster_id;
    uint64_t member_id;
    int64_t revision; /* 0: not told */
    uint64_t raft_term;
} yr_header;

typedef struct yr_history {
    yr_header seen;  /* cluster, the member that answered last, the highest of the others */
    uint32_t breaks; /* regressions so far */
} yr_history;

typedef enum yr_history_verdict {
    YR_HISTORY_GOOD,
    YR_HISTORY_FOREIGN,   /* of another cluster: to be thrown away */
    YR_HISTORY_REGRESSED, /* good, and the new truth; what was known before is void */
} yr_history_verdict;

/*
 * Judge @p header and remember what it says. @p sent is a copy of the history from when the
 * request was sent; an answer to a request from before a break says nothing and is good.
 */
yr_history_verdict yr_history_judge(yr_history *history, const yr_header *header,
                                    const yr_history *sent, bool is_linearizable);

#endif /* YR_ETCD_HISTORY_H */
