/* The table of conditions: what each does when it begins, and undoes when it ends. */
#include "conditions.h"

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

/* ---- The table ---- */

const yr_fake_condition yr_fake_conditions[] = {
    {"requests are done late", false, begin_late_requests, NULL},
    {"requests are answered late", false, begin_late_answers, NULL},
    {"keepalives are answered late", false, begin_late_beats, NULL},
    {"requests are not answered", false, begin_silence_to_requests, NULL},
    {"requests fail", false, begin_statuses, NULL},
    {"requests are done and fail", false, begin_unknown_outcomes, NULL},
    {"requests cost the connection", false, begin_lost_requests, NULL},
    {"requests are done and cost the connection", false, begin_lost_answers, NULL},
    {"there are too many requests", false, begin_overload, NULL},
    {"no lease is known to transactions", false, begin_unknown_leases, NULL},
    {"keepalives say a short time, or that the lease is gone", false, begin_short_ttl, NULL},
    {"keepalives renew nothing and say they did", true, begin_beats_that_lie, NULL},
    {"watches are refused", false, begin_refused_watches, NULL},
    {"events come twice", false, begin_doubled_events, NULL},
    {"events are lost", true, begin_missing_events, NULL},
    {"events come in fragments", false, begin_fragments, NULL},
};

const size_t yr_fake_condition_count = sizeof(yr_fake_conditions) / sizeof(*yr_fake_conditions);
