#include "raft.h"

#include "grpc/call.h"
#include "watch.h"

#include <string.h>

enum {
    ELECTION_MS = 1500,  /* until the others have a new leader */
    NO_LEADER_MS = 3500, /* then streams that asked for a leader end */
    REQUEST_MS = 7000,
};

static const char text_no_leader[] = "etcdserver: no leader";

/* What a request cannot do without. */
typedef enum request_need {
    NEEDS_NOTHING,
    NEEDS_LEADER, /* the leader answers it */
    NEEDS_READ,   /* the leader confirms that the member's data are new enough */
    NEEDS_WRITE,
} request_need;

static request_need need_of(const char *name, const ProtobufCMessage *decoded)
{
    static const struct {
        const char *name;
        request_need need;
    } needs[] = {
        {"Put", NEEDS_WRITE},
        {"Txn", NEEDS_WRITE},
        {"DeleteRange", NEEDS_WRITE},
        {"Compact", NEEDS_WRITE},
        {"LeaseGrant", NEEDS_WRITE},
        {"LeaseRevoke", NEEDS_WRITE},
        {"LeaseKeepAlive", NEEDS_LEADER},
        {"LeaseTimeToLive", NEEDS_LEADER},
        {"LeaseLeases", NEEDS_READ},
        {"Range", NEEDS_READ},
    };
    if (strcmp(name, "Range") == 0) {
        const Etcdserverpb__RangeRequest *range = (const void *)decoded;
        return range->serializable ? NEEDS_NOTHING : NEEDS_READ;
    }
    for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++) {
        if (strcmp(needs[i].name, name) == 0) {
            return needs[i].need;
        }
    }
    return NEEDS_NOTHING;
}

/* ---- What waits ---- */

static void on_give_up(yr_fake_deferred *deferred)
{
    bool is_write = deferred->need == NEEDS_WRITE;
    if (deferred->call == NULL) {
        return;
    }
    if (is_write && !deferred->is_doomed) {
        yr_fake_call_end(deferred->call,
                         deferred->fake->options.is_34 ? YR_GRPC_UNKNOWN
                                                       : YR_GRPC_DEADLINE_EXCEEDED,
                         "context deadline exceeded");
    } else if (is_write && deferred->fake->is_leader_killed) {
        yr_fake_call_end(
            deferred->call, YR_GRPC_UNAVAILABLE,
            "etcdserver: request timed out, possibly due to previous leader failure");
    } else {
        yr_fake_call_end(deferred->call, YR_GRPC_UNAVAILABLE, "etcdserver: request timed out");
    }
}

/* A stream's requests are served one after the other: what is behind a doomed one waits. */
static bool is_behind_doomed(yr_fake_etcd *fake, const yr_fake_call *call)
{
    for (yr_list *link = fake->deferred.next; link != &fake->deferred; link = link->next) {
        yr_fake_deferred *deferred = YR_CONTAINER_OF(link, yr_fake_deferred, link);
        if (deferred->fn == on_give_up && deferred->is_doomed && deferred->call == call) {
            return true;
        }
    }
    return false;
}

bool yr_fake_raft_hold(const yr_fake_member *member, const char *name,
                       const ProtobufCMessage *decoded, const yr_fake_deferred *like)
{
    yr_fake_etcd *fake = member->fake;
    request_need need = need_of(name, decoded);
    bool is_electing = yr_timer_is_running(&fake->election);
    bool is_behind = like->call != NULL && is_behind_doomed(fake, like->call);
    if (need == NEEDS_NOTHING || (!member->is_cut && !is_electing && !is_behind)) {
        return false;
    }
    yr_fake_deferred held = *like;
    held.need = (int)need;
    bool is_lost = need == NEEDS_WRITE || (need == NEEDS_LEADER && !fake->is_leader_killed);
    held.is_doomed = is_behind || (!member->is_cut && is_lost);
    held.is_lucky = held.is_doomed && need == NEEDS_WRITE && fake->doomed_writes++ % 2 == 1;
    yr_fake_defer(fake, REQUEST_MS, on_give_up, &held);
    return true;
}

/* The first that waits and need not any longer; NULL: none. */
static yr_fake_deferred *find_ready(yr_fake_etcd *fake)
{
    for (yr_list *link = fake->deferred.next; link != &fake->deferred; link = link->next) {
        yr_fake_deferred *deferred = YR_CONTAINER_OF(link, yr_fake_deferred, link);
        bool is_ready = !deferred->is_doomed || deferred->is_lucky;
        if (deferred->fn == on_give_up && is_ready && !deferred->member->is_cut) {
            return deferred;
        }
    }
    return NULL;
}

/* There is a leader: do what has waited for it. */
static void do_what_waited(yr_fake_etcd *fake)
{
    yr_fake_deferred *deferred = NULL;
    while ((deferred = find_ready(fake)) != NULL) {
        if (deferred->is_lucky) {
            yr_fake_deferred unanswered = *deferred;
            unanswered.call = NULL;
            deferred->is_lucky = false;
            deferred->redo(&unanswered);
            continue;
        }
        yr_list_remove(&deferred->link);
        if (deferred->call != NULL) { /* else its client has given it up */
            deferred->redo(deferred);
        }
        yr_fake_deferred_drop(deferred);
    }
}

/* ---- Members ---- */

static bool is_well(const yr_fake_member *member)
{
    return !member->is_silent && !member->is_down && !member->is_isolated;
}

static void end_for_no_leader(void *context, yr_fake_call *call)
{
    (void)context;
    const char *leader = yr_fake_call_header(call, "hasleader");
    if (leader != NULL && strcmp(leader, "true") == 0) {
        yr_fake_call_end(call, YR_GRPC_UNAVAILABLE, text_no_leader);
    }
}

static void on_no_leader(void *context)
{
    const yr_fake_member *member = context;
    yr_fake_server_each_call(member->server, end_for_no_leader, NULL);
}

bool yr_fake_raft_refuses(const yr_fake_member *member, const yr_fake_call *call)
{
    const char *leader = yr_fake_call_header(call, "hasleader");
    return leader != NULL && strcmp(leader, "true") == 0 && member->is_cut &&
           yr_io_now_ms(member->fake->io) - member->cut_ms >= ELECTION_MS;
}

static void set_cut(yr_fake_member *member, bool is_cut)
{
    yr_fake_etcd *fake = member->fake;
    if (member->is_cut == is_cut) {
        return;
    }
    member->is_cut = is_cut;
    if (is_cut) {
        member->cut_ms = yr_io_now_ms(fake->io);
        member->behind_revision = yr_fake_store_revision(fake->store);
        yr_timer_start(fake->io, &member->no_leader, NO_LEADER_MS);
        return;
    }
    yr_timer_stop(fake->io, &member->no_leader);
    int64_t known = member->behind_revision;
    member->behind_revision = 0;
    yr_fake_watch_catch_up(member, yr_fake_store_write_from(fake->store, known + 1));
}

static void elect(yr_fake_etcd *fake)
{
    for (size_t i = 1; i <= fake->member_count; i++) {
        size_t next = (fake->leader + i) % fake->member_count;
        if (is_well(&fake->members[next])) {
            fake->leader = next;
            break;
        }
    }
    fake->raft_term++;
    yr_fake_leases_renew_all(&fake->leases, yr_io_now_ms(fake->io));
}

static void on_election(void *context)
{
    yr_fake_etcd *fake = context;
    elect(fake);
    yr_fake_etcd_plan_expiry(fake);
    do_what_waited(fake);
}

static bool has_majority(const yr_fake_etcd *fake)
{
    size_t well = 0;
    for (size_t i = 0; i < fake->member_count; i++) {
        well += is_well(&fake->members[i]);
    }
    return 2 * well > fake->member_count;
}

bool yr_fake_raft_can_expire(const yr_fake_etcd *fake)
{
    return fake->has_quorum && !yr_timer_is_running(&fake->election);
}

void yr_fake_raft_update(yr_fake_etcd *fake)
{
    bool had_quorum = fake->has_quorum;
    fake->has_quorum = has_majority(fake);
    if (fake->has_quorum && !had_quorum) {
        elect(fake);
    }
    for (size_t i = 0; i < fake->member_count; i++) {
        set_cut(&fake->members[i], !fake->has_quorum || fake->members[i].is_isolated);
    }
    const yr_fake_member *leader = &fake->members[fake->leader];
    if (!fake->has_quorum || is_well(leader)) {
        yr_timer_stop(fake->io, &fake->election);
    } else if (!yr_timer_is_running(&fake->election)) {
        fake->is_leader_killed = leader->is_down;
        yr_timer_start(fake->io, &fake->election, ELECTION_MS);
    }
    yr_fake_etcd_plan_expiry(fake);
    if (yr_fake_raft_can_expire(fake)) {
        do_what_waited(fake);
    }
}

void yr_fake_raft_reset(yr_fake_etcd *fake)
{
    for (size_t i = 0; i < fake->member_count; i++) {
        yr_fake_member *member = &fake->members[i];
        member->is_down = false;
        member->is_isolated = false;
        member->is_cut = false;
        member->behind_revision = 0;
        yr_timer_stop(fake->io, &member->no_leader);
    }
    fake->has_quorum = true;
    yr_timer_stop(fake->io, &fake->election);
}

void yr_fake_raft_add(yr_fake_member *member)
{
    yr_timer_init(&member->no_leader, on_no_leader, member);
}

void yr_fake_raft_init(yr_fake_etcd *fake)
{
    fake->has_quorum = true;
    yr_timer_init(&fake->election, on_election, fake);
}

void yr_fake_raft_deinit(yr_fake_etcd *fake)
{
    yr_timer_stop(fake->io, &fake->election);
    for (size_t i = 0; i < fake->member_count; i++) {
        yr_timer_stop(fake->io, &fake->members[i].no_leader);
    }
}

/* ---- From outside ---- */

static yr_fake_member *member_at(yr_fake_etcd *fake, size_t member)
{
    YR_ASSERT(member < fake->member_count);
    return &fake->members[member];
}

size_t yr_fake_etcd_leader(const yr_fake_etcd *fake)
{
    return fake->leader;
}

void yr_fake_etcd_set_member_silent(yr_fake_etcd *fake, size_t member, bool is_silent)
{
    member_at(fake, member)->is_silent = is_silent;
    yr_fake_server_set_silent(fake->members[member].server, is_silent);
    yr_fake_raft_update(fake);
}

void yr_fake_etcd_set_member_down(yr_fake_etcd *fake, size_t member, bool is_down)
{
    yr_fake_member *changed = member_at(fake, member);
    if (changed->is_down == is_down || !fake->is_running) {
        return;
    }
    changed->is_down = is_down;
    if (is_down) {
        yr_fake_server_stop_listening(changed->server);
        yr_fake_server_drop_all(changed->server);
    } else {
        yurpc_status status = yr_fake_server_listen(changed->server);
        YR_ASSERT(status == YURPC_OK);
    }
    yr_fake_raft_update(fake);
}

void yr_fake_etcd_set_member_isolated(yr_fake_etcd *fake, size_t member, bool is_isolated)
{
    member_at(fake, member)->is_isolated = is_isolated;
    yr_fake_raft_update(fake);
}

void yr_fake_etcd_set_quorum(yr_fake_etcd *fake, bool has_quorum)
{
    for (size_t i = 0; i < fake->member_count; i++) {
        fake->members[i].is_isolated = !has_quorum;
    }
    yr_fake_raft_update(fake);
}
