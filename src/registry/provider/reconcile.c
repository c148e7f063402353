#include "registry/provider/reconcile.h"

#include "base/mem.h"
#include "registry/provider/announcing.h"
#include "registry/provider/belief.h"

enum {
    PAUSE_MS = 100,        /* before another try when memory was short */
    WITHDRAWALS_MAX = 256, /* under way at once */
};

typedef struct withdrawal {
    yr_provider *provider;
    yr_claim *claim;
} withdrawal;

static void on_withdrawn(void *context, yurpc_status status, const yurpc_error *error)
{
    withdrawal *ended = context;
    yr_provider *provider = ended->provider;
    yr_claim *claim = ended->claim;
    yr_free(ended);
    provider->withdrawing--;
    claim->is_in_flight = false;
    yr_provider_heard(provider, status);
    yr_belief_withdrawn(provider, claim, status, error);
}

static yurpc_status withdraw(yr_provider *provider, yr_claim *claim)
{
    yr_core *core = provider->core;
    withdrawal *begun = yr_calloc(1, sizeof *begun);
    if (begun == NULL) {
        return YURPC_NO_MEMORY;
    }
    *begun = (withdrawal){provider, claim};
    claim->is_in_flight = true;
    claim->is_doubtful = false;
    provider->withdrawing++;
    yr_list_append(&provider->rest, &claim->link); /* before: it may end inside the call */
    core->ops->withdraw(core->driver, claim->service, claim->node, yr_core_attempt_ms(core),
                        on_withdrawn, begun);
    return YURPC_OK;
}

typedef struct yr_plan {
    yr_list take;
    yr_list if_free;
    yr_list drain;
    size_t take_count;
    size_t if_free_count;
    size_t drain_count;
    bool wants_session;
    int64_t next_ms; /* when a claim may be tried again; INT64_MAX: not by time */
} yr_plan;

/* Nothing is to be done with @p claim now, but perhaps later, or when something is heard. */
static void rest(yr_provider *provider, yr_plan *plan, yr_claim *claim, int64_t now)
{
    int64_t due = yr_claim_due_ms(claim, now);
    if (yr_claim_needs_guard(claim) && yr_guards_add(&provider->guards, claim) != YURPC_OK) {
        due = now + PAUSE_MS; /* nobody would tell: try again */
    }
    plan->next_ms = due < plan->next_ms ? due : plan->next_ms;
    yr_list_append(due != INT64_MAX ? &provider->todo : &provider->rest, &claim->link);
}

static void plan_claim(yr_provider *provider, yr_plan *plan, yr_claim *claim, int64_t now)
{
    bool is_wanted = claim->registration != NULL && claim->known != YR_CLAIM_FOREIGN;
    plan->wants_session = plan->wants_session || is_wanted;
    if (yr_claim_is_out(claim)) {
        yr_provider_claim_left(provider, claim);
    }
    switch (yr_claim_next(claim, provider->session.id != 0, now)) {
    case YR_CLAIM_REST:
        rest(provider, plan, claim, now);
        return;
    case YR_CLAIM_ANNOUNCE:
        yr_list_append(claim->is_taking ? &plan->take : &plan->if_free, &claim->link);
        *(claim->is_taking ? &plan->take_count : &plan->if_free_count) += 1;
        return;
    case YR_CLAIM_DRAIN:
        yr_list_append(&plan->drain, &claim->link);
        plan->drain_count++;
        return;
    case YR_CLAIM_WITHDRAW:
        if (provider->withdrawing < WITHDRAWALS_MAX && withdraw(provider, claim) == YURPC_OK) {
            return;
        }
        plan->next_ms = provider->withdrawing > 0 ? plan->next_ms : now + PAUSE_MS;
        yr_list_append(&provider->todo, &claim->link);
        return;
    case YR_CLAIM_DONE:
        yr_provider_claim_done(provider, claim);
        return;
    }
}

void yr_reconcile_announce(yr_provider *provider, yr_list *batch, size_t count,
                           yr_announce_mode mode, bool is_draining)
{
    yr_claim_done_fn *drained = provider->is_closing ? yr_belief_parted : yr_belief_drained;
    while (count > 0) {
        yr_list part;
        yr_list_init(&part);
        size_t part_count = count < YR_ANNOUNCE_BATCH_MAX ? count : YR_ANNOUNCE_BATCH_MAX;
        for (size_t i = 0; i < part_count; i++) {
            yr_list *link = batch->next;
            yr_list_remove(link);
            yr_list_append(&part, link);
        }
        count -= part_count;
        if (yr_announcing_begin(provider, &part, part_count, mode, is_draining,
                                is_draining ? drained : yr_belief_announced) != YURPC_OK) {
            provider->not_before_ms = yr_io_now_ms(provider->core->io) + PAUSE_MS;
        }
    }
}

void yr_reconcile(yr_provider *provider)
{
    yr_core *core = provider->core;
    int64_t now = yr_io_now_ms(core->io);
    if (provider->is_closing) {
        return;
    }
    if (now < provider->not_before_ms) {
        yr_timer_start(core->io, &provider->retry_timer, provider->not_before_ms - now);
        return;
    }
    yr_plan plan = {.next_ms = INT64_MAX};
    yr_list_init(&plan.take);
    yr_list_init(&plan.if_free);
    yr_list_init(&plan.drain);
    yr_list todo;
    yr_list_init(&todo);
    yr_list_move_all(&todo, &provider->todo);
    yr_list *link = NULL;
    while ((link = yr_list_take_first(&todo)) != NULL) {
        plan_claim(provider, &plan, YR_CONTAINER_OF(link, yr_claim, link), now);
    }
    yr_reconcile_announce(provider, &plan.take, plan.take_count, YR_ANNOUNCE_TAKE, false);
    yr_reconcile_announce(provider, &plan.if_free, plan.if_free_count, YR_ANNOUNCE_IF_FREE,
                          false);
    yr_reconcile_announce(provider, &plan.drain, plan.drain_count, YR_ANNOUNCE_IF_OURS, true);
    if (plan.wants_session) {
        yr_provider_open_session(provider);
    }
    if (provider->not_before_ms > now && provider->not_before_ms < plan.next_ms) {
        plan.next_ms = provider->not_before_ms;
    }
    if (plan.next_ms != INT64_MAX) {
        yr_timer_start(core->io, &provider->retry_timer, plan.next_ms - now);
    }
}
