/* The table of conditions: what each does when it begins, and undoes when it ends. */
#include "base/assert.h"
#include "condition_parts.h"

static const char *const unary_methods[] = {"Range", "Txn", "Put", "LeaseGrant", "LeaseRevoke"};
static const char *const all_methods[] = {
    "Range", "Txn", "Put", "LeaseGrant", "LeaseRevoke", "LeaseKeepAlive", "Watch"};

enum {
    UNARY_COUNT = sizeof(unary_methods) / sizeof(*unary_methods),
    ALL_COUNT = sizeof(all_methods) / sizeof(*all_methods),
};

static const char text_timed_out[] = "etcdserver: request timed out";

/* ---- Rules that last as long as the condition ---- */

static void add(yr_fake_etcd *fake, const void *self, yr_fake_rule rule)
{
    rule.owner = self;
    yr_fake_etcd_add_rule(fake, &rule);
}

static void begin_late_requests(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT],
                       .action = YR_FAKE_DELAY,
                       .number = (int64_t)(chance / ALL_COUNT % 4000)});
}

static void begin_late_answers(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = unary_methods[chance % UNARY_COUNT],
                       .action = YR_FAKE_DELAY_ANSWER,
                       .number = (int64_t)(chance / UNARY_COUNT % 4000)});
}

static void begin_late_beats(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = "LeaseKeepAlive",
                       .action = YR_FAKE_DELAY_ANSWER,
                       .number = (int64_t)(chance % 4000)});
}

static void begin_silence_to_requests(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT], .action = YR_FAKE_SILENT});
}

static void begin_statuses(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT],
                       .action = YR_FAKE_STATUS,
                       .code = (int)(1 + chance / ALL_COUNT % 16),
                       .text = "something went wrong"});
}

static void begin_unknown_outcomes(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = unary_methods[chance % UNARY_COUNT],
                       .action = YR_FAKE_STATUS_AFTER_APPLY,
                       .code = 14,
                       .text = text_timed_out});
}

static void begin_lost_requests(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT],
                       .action = YR_FAKE_DROP_BEFORE_APPLY});
}

static void begin_lost_answers(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT],
                       .action = YR_FAKE_DROP_AFTER_APPLY});
}

static void begin_overload(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    for (size_t i = 0; i < UNARY_COUNT; i++) {
        add(fake, self,
            (yr_fake_rule){.method = unary_methods[i],
                           .action = YR_FAKE_STATUS,
                           .code = 8,
                           .text = "etcdserver: too many requests"});
    }
}

static void begin_unknown_leases(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self,
        (yr_fake_rule){.method = "Txn",
                       .action = YR_FAKE_STATUS,
                       .code = 5,
                       .text = "etcdserver: requested lease not found"});
}

static void begin_short_ttl(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = "LeaseKeepAlive",
                       .action = YR_FAKE_TTL,
                       .number = (int64_t)(chance % 4) - 1});
}

static void begin_beats_that_lie(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self,
        (yr_fake_rule){.method = "LeaseKeepAlive", .action = YR_FAKE_TTL, .number = 3});
}

static void begin_refused_watches(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    static const char *const reasons[] = {
        "etcdserver: no leader", "etcdserver: permission denied", "",
        "rpc error: code = Unavailable desc = etcdserver: server stopped", "something new"};
    add(fake, self,
        (yr_fake_rule){.method = "Watch",
                       .action = YR_FAKE_CANCEL,
                       .text = reasons[chance % (sizeof(reasons) / sizeof(*reasons))]});
}

static void begin_doubled_events(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self, (yr_fake_rule){.method = "Events", .action = YR_FAKE_DUP_EVENTS});
}

static void begin_missing_events(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self, (yr_fake_rule){.method = "Events", .action = YR_FAKE_DROP_EVENTS});
}

static void begin_fragments(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = "Events",
                       .action = YR_FAKE_FRAGMENT,
                       .number = 1 + (int64_t)(chance % 3)});
}

/* ---- Rules about bytes, frames and answers ---- */

static void begin_resets(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    uint64_t rest = chance / ALL_COUNT;
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT],
                       .action = rest % 2 == 0 ? YR_FAKE_RESET : YR_FAKE_RESET_AFTER_APPLY,
                       .code = (int)(rest / 2 % 14)});
}

static void begin_goaways(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    uint64_t rest = chance / ALL_COUNT;
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT],
                       .action = rest % 2 == 0 ? YR_FAKE_GOAWAY_ABOVE : YR_FAKE_GOAWAY_BELOW,
                       .code = (int)(rest / 2 % 12),
                       .number = (int64_t)(rest / 24 % 400) - 200,
                       .text = "going"});
}

static void begin_pages(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    static const int codes[] = {502, 503, 429, 401, 404, 200, 504, 301};
    bool is_all = chance % 2 == 0;
    add(fake, self,
        (yr_fake_rule){.method = is_all ? NULL : all_methods[chance / 2 % ALL_COUNT],
                       .action = YR_FAKE_PAGE,
                       .code = codes[chance / 16 % (sizeof(codes) / sizeof(*codes))],
                       .text = "<html><body><h1>Bad Gateway</h1></body></html>"});
}

static void begin_huge_headers(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = all_methods[chance % ALL_COUNT],
                       .action = YR_FAKE_HUGE_HEADERS,
                       .number = 40000});
}

static void begin_nonsense(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    static const yr_fake_rule nonsense[] = {
        {.action = YR_FAKE_RAW_DATA, .bytes = {"\1\0\0\0\1x", 6}}, /* compressed */
        {.action = YR_FAKE_RAW_DATA, .bytes = {"\7\0\0\0\1x", 6}},
        {.action = YR_FAKE_RAW_DATA, .bytes = {"\0\xff\xff\xff\xff", 5}}, /* 4 GiB to come */
        {.action = YR_FAKE_RAW_DATA, .bytes = {"\0\0\0\0\2x", 6}},        /* cut short */
        {.action = YR_FAKE_RAW_DATA,
         .bytes = {"\0\0\0\0\0\0\0\0\0\0", 10}}, /* two empty ones */
        {.action = YR_FAKE_RAW_DATA},
        {.action = YR_FAKE_RAW_MESSAGE, .bytes = {"\xff\xff\xff", 3}},
        {.action = YR_FAKE_RAW_MESSAGE, .bytes = {"\x0a\x7f", 2}},
        {.action = YR_FAKE_RAW_MESSAGE, .bytes = {"<html>", 6}},
        {.action = YR_FAKE_RAW_MESSAGE},
        {.action = YR_FAKE_RAW_FRAMES, .bytes = {"\0\0\4\3\0\0\0\0\0\0\0\0\0", 13}},
        {.action = YR_FAKE_RAW_FRAMES, .bytes = {"SSH-2.0-x\r\n", 11}},
        {.action = YR_FAKE_RAW_STATUS, .text = "abc"},
        {.action = YR_FAKE_RAW_STATUS, .text = "-1"},
        {.action = YR_FAKE_RAW_STATUS, .text = "99"},
        {.action = YR_FAKE_RAW_STATUS},
    };
    yr_fake_rule rule = nonsense[chance / ALL_COUNT % (sizeof(nonsense) / sizeof(*nonsense))];
    rule.method = all_methods[chance % ALL_COUNT];
    add(fake, self, rule);
}

static void begin_half_answers(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    static const char *const methods[] = {"Range", "Txn", "LeaseGrant", "LeaseKeepAlive",
                                          "Events"};
    add(fake, self,
        (yr_fake_rule){.method = methods[chance % (sizeof(methods) / sizeof(*methods))],
                       .action = YR_FAKE_DROP_IN_ANSWER,
                       .number = (int64_t)(chance / 8 % 40)});
}

/* ---- Rules about keepalives ---- */

static void begin_doubled_beats(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self, (yr_fake_rule){.method = "LeaseKeepAlive", .action = YR_FAKE_DUP_ANSWER});
}

static void begin_foreign_beats(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = "LeaseKeepAlive",
                       .action = YR_FAKE_FOREIGN_ANSWER,
                       .number = (int64_t)(chance % 3) - 1});
}

/* ---- Rules about watches ---- */

static void begin_watches_refused_at_once(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    static const char *const reasons[] = {
        "etcdserver: permission denied", "etcdserver: no leader",
        "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token", "new"};
    add(fake, self,
        (yr_fake_rule){.method = "Watch",
                       .action = YR_FAKE_REFUSE_WATCH,
                       .text = reasons[chance % (sizeof(reasons) / sizeof(*reasons))]});
}

static void begin_watches_cut(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = "Watch",
                       .action = YR_FAKE_CREATED_THEN_CUT,
                       .number = (int64_t)(chance % 3)});
}

static void begin_watches_compacted(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self,
        (yr_fake_rule){.method = "Watch",
                       .action = YR_FAKE_CANCEL,
                       .text = "",
                       .number = yr_fake_etcd_revision(fake)});
}

static void begin_events_first(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self, (yr_fake_rule){.method = "Watch", .action = YR_FAKE_EVENTS_FIRST});
}

/* As etcd's grpc-proxy does. */
static void begin_own_numbers(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)chance;
    add(fake, self, (yr_fake_rule){.method = "Watch", .action = YR_FAKE_OWN_NUMBER});
}

static void begin_old_events(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = "Events",
                       .action = YR_FAKE_OLD_EVENTS,
                       .number = 1 + (int64_t)(chance % 20)});
}

/* Every second message, so that one overtakes the other. */
static void begin_overtaken_events(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    for (uint32_t nth = 1; nth < 20; nth += 2) {
        add(fake, self,
            (yr_fake_rule){.method = "Events",
                           .nth = nth,
                           .times = 1,
                           .action = YR_FAKE_DELAY,
                           .number = (int64_t)(chance % 1000)});
    }
}

static void begin_early_progress(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    add(fake, self,
        (yr_fake_rule){.method = "Events",
                       .action = YR_FAKE_EARLY_PROGRESS,
                       .number = (int64_t)(chance % 1000)});
}

static void begin_cancels(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    bool is_compacted = chance % 2 == 0;
    add(fake, self,
        (yr_fake_rule){.method = "Events",
                       .action = YR_FAKE_CANCEL,
                       .text = is_compacted ? "" : "etcdserver: mvcc: something",
                       .number = is_compacted ? yr_fake_etcd_revision(fake) : 0});
}

/* ---- The server, its members, its data ---- */

static void begin_stop(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_stop(fake);
}

static void end_stop(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    yurpc_status status = yr_fake_etcd_start(fake);
    YR_ASSERT(status == YURPC_OK);
}

static void begin_silence(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_set_silent(fake, true);
}

static void end_silence(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    yr_fake_etcd_set_silent(fake, false);
}

static void begin_drop(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_drop_connections(fake);
}

static void begin_no_quorum(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_set_quorum(fake, false);
}

static void begin_isolation(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    yr_fake_etcd_set_member_isolated(fake, chance % yr_fake_etcd_member_count(fake), true);
}

static void end_isolation(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    yr_fake_etcd_set_quorum(fake, true);
}

static void begin_frozen_leader(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_set_member_silent(fake, yr_fake_etcd_leader(fake), true);
}

static void begin_frozen_member(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    yr_fake_etcd_set_member_silent(fake, chance % yr_fake_etcd_member_count(fake), true);
}

static void end_frozen(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    for (size_t i = 0; i < yr_fake_etcd_member_count(fake); i++) {
        yr_fake_etcd_set_member_silent(fake, i, false);
    }
}

static void begin_dead_leader(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_set_member_down(fake, yr_fake_etcd_leader(fake), true);
}

static void end_dead(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    for (size_t i = 0; i < yr_fake_etcd_member_count(fake); i++) {
        yr_fake_etcd_set_member_down(fake, i, false);
    }
}

static void begin_full(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_set_full(fake, true);
}

static void end_full(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    yr_fake_etcd_set_full(fake, false);
}

static void begin_wipe(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yurpc_status status = yr_fake_etcd_restart(fake, true);
    YR_ASSERT(status == YURPC_OK);
}

static void begin_restore(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    int64_t oldest = yr_fake_store_compacted(yr_fake_etcd_store(fake)) + 1;
    int64_t newest = yr_fake_etcd_revision(fake);
    int64_t span = newest > oldest ? newest - oldest : 1;
    int64_t back = 1 + (int64_t)(chance % (uint64_t)(span < 20 ? span : 20));
    if (newest - back >= oldest) {
        yurpc_status status = yr_fake_etcd_restore(fake, newest - back);
        YR_ASSERT(status == YURPC_OK);
    }
}

static void begin_compaction(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    yr_fake_etcd_compact(fake, 0);
}

static void begin_revocation(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    (void)chance;
    (void)yr_fake_etcd_revoke_all(fake);
}

/* ---- The table ---- */

const yr_fake_condition yr_fake_conditions[] = {
    {"requests are done late", false, false, begin_late_requests, NULL},
    {"requests are answered late", false, false, begin_late_answers, NULL},
    {"keepalives are answered late", false, false, begin_late_beats, NULL},
    {"requests are not answered", false, false, begin_silence_to_requests, NULL},
    {"requests fail", false, true, begin_statuses, NULL},
    {"requests are done and fail", false, false, begin_unknown_outcomes, NULL},
    {"requests cost the connection", false, false, begin_lost_requests, NULL},
    {"requests are done and cost the connection", false, false, begin_lost_answers, NULL},
    {"there are too many requests", false, false, begin_overload, NULL},
    {"no lease is known to transactions", false, false, begin_unknown_leases, NULL},
    {"keepalives say a short time, or that the lease is gone", false, false, begin_short_ttl,
     NULL},
    {"keepalives renew nothing and say they did", true, false, begin_beats_that_lie, NULL},
    {"watches are refused", false, false, begin_refused_watches, NULL},
    {"events come twice", false, false, begin_doubled_events, NULL},
    {"events are lost", true, false, begin_missing_events, NULL},
    {"events come in fragments", false, false, begin_fragments, NULL},
    {"streams are reset", false, true, begin_resets, NULL},
    {"connections are told to go away", false, false, begin_goaways, NULL},
    {"a proxy answers with a page", false, true, begin_pages, NULL},
    {"headers are huge", false, false, begin_huge_headers, NULL},
    {"answers are nonsense", false, true, begin_nonsense, NULL},
    {"answers break off", false, false, begin_half_answers, NULL},
    {"keepalives are answered twice", false, false, begin_doubled_beats, NULL},
    {"keepalives are answered for another lease, too", false, false, begin_foreign_beats, NULL},
    {"watches are refused at once", false, false, begin_watches_refused_at_once, NULL},
    {"watches are created and cut off", false, false, begin_watches_cut, NULL},
    {"watches are told that all is compacted", false, false, begin_watches_compacted, NULL},
    {"events come before their watch is created", true, false, begin_events_first, NULL},
    {"watches are numbered by the server", false, false, begin_own_numbers, NULL},
    {"old events come again", false, false, begin_old_events, NULL},
    {"events overtake each other", true, false, begin_overtaken_events, NULL},
    {"progress is told too early", true, false, begin_early_progress, NULL},
    {"watches are cancelled in place of events", false, false, begin_cancels, NULL},
    {"the server speaks something else", false, false, yr_fake_begin_greeting,
     yr_fake_end_greeting},
    {"connections are closed at once", false, false, yr_fake_begin_dropping,
     yr_fake_end_dropping},
    {"no settings are sent", false, false, yr_fake_begin_no_settings, yr_fake_end_no_settings},
    {"settings are not acknowledged", false, false, yr_fake_begin_no_settings_ack,
     yr_fake_end_no_settings_ack},
    {"pings are not answered", false, false, yr_fake_begin_no_ping_ack,
     yr_fake_end_no_ping_ack},
    {"windows are never opened", false, false, yr_fake_begin_no_window, yr_fake_end_no_window},
    {"bytes come in pieces", false, false, yr_fake_begin_pieces, yr_fake_end_pieces},
    {"settings are hard", false, false, yr_fake_begin_settings, yr_fake_end_settings},
    {"connections are full of noise", false, false, yr_fake_begin_noise, yr_fake_end_noise},
    {"the registry is down", false, false, begin_stop, end_stop},
    {"the registry is silent", false, false, begin_silence, end_silence},
    {"connections were dropped", false, false, begin_drop, NULL},
    {"there is no majority", false, false, begin_no_quorum, end_isolation},
    {"a member is cut off from the others", false, false, begin_isolation, end_isolation},
    {"the leader is frozen", false, false, begin_frozen_leader, end_frozen},
    {"a member is frozen", false, false, begin_frozen_member, end_frozen},
    {"the leader is dead", false, false, begin_dead_leader, end_dead},
    {"the disk is full", false, false, begin_full, end_full},
    {"the data were wiped", false, false, begin_wipe, NULL},
    {"the data are from a backup", false, false, begin_restore, NULL},
    {"history was compacted", false, false, begin_compaction, NULL},
    {"all leases were revoked", false, false, begin_revocation, NULL},
};

const size_t yr_fake_condition_count = sizeof(yr_fake_conditions) / sizeof(*yr_fake_conditions);
