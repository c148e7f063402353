#include "etcd/history.h"

static bool has_regressed(const yr_header *header, const yr_header *sent)
{
    return header->revision < sent->revision ||
           (header->member_id == sent->member_id && header->raft_term < sent->raft_term);
}

yr_history_verdict yr_history_judge(yr_history *history, const yr_header *header,
                                    const yr_history *sent, bool is_linearizable)
{
    yr_header *seen = &history->seen;
    if (header->cluster_id == 0) {
        return YR_HISTORY_GOOD; /* the header was left out: nothing is told */
    }
    if (seen->cluster_id == 0) {
        *seen = *header;
        return YR_HISTORY_GOOD;
    }
    if (header->cluster_id != seen->cluster_id) {
        return YR_HISTORY_FOREIGN;
    }
    if (sent->breaks != history->breaks) {
        return YR_HISTORY_GOOD;
    }
    if (is_linearizable && has_regressed(header, &sent->seen)) {
        *seen = *header;
        history->breaks++;
        return YR_HISTORY_REGRESSED;
    }
    if (header->revision > seen->revision) {
        seen->revision = header->revision;
    }
    if (header->member_id != seen->member_id) {
        seen->member_id = header->member_id;
        seen->raft_term = header->raft_term;
    } else if (header->raft_term > seen->raft_term) {
        seen->raft_term = header->raft_term;
    }
    return YR_HISTORY_GOOD;
}
