#include "registry/provider/guard.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

enum {
    NODE_LEN_MAX = YR_HOST_LEN_MAX + 8, /* no node of ours is longer */
    WIDEN_PAUSE_MS = 50,
    WIDEN_MAX_MS = 2000,
};

typedef struct yr_guard {
    yr_map_node map_node; /* key: service */
    yr_guards *guards;
    char *service;
    yr_follow *follow;  /* NULL: could not be begun */
    bool is_wide;       /* follows the whole service */
    yr_list claims;     /* that the follow tells of */
    yr_list waiting;    /* until it is wide */
    size_t claim_count; /* of both */
    yr_timer widen_timer;
    int64_t widen_by_ms;
    size_t count_then;  /* claims when the timer was started */
    uint64_t list;      /* the number of the list being received, or received last */
    yr_timer ask_timer; /* never inside the follow's own callback */
} yr_guard;

static void schedule_reconcile(yr_guards *guards)
{
    yr_timer_start(guards->core->io, &guards->reconcile_timer,
                   yr_core_reconcile_delay_ms(guards->core));
}

static void on_reconcile(void *context)
{
    yr_guards *guards = context;
    const yr_core *core = guards->core;
    yr_map_node *node = NULL;
    while ((node = yr_map_next(&guards->by_service, node)) != NULL) {
        yr_guard *guard = YR_CONTAINER_OF(node, yr_guard, map_node);
        if (guard->follow != NULL) {
            core->ops->relist(guard->follow);
        }
    }
    if (guards->by_service.count > 0) {
        schedule_reconcile(guards);
    }
}

void yr_guards_init(yr_guards *guards, yr_core *core, const yr_map *claims, yr_heard_fn *heard,
                    void *context)
{
    *guards = (yr_guards){.core = core, .claims = claims, .heard = heard, .context = context};
    yr_map_init(&guards->by_service, core->map_seed);
    yr_timer_init(&guards->reconcile_timer, on_reconcile, guards);
}

static void unfollow(yr_guard *guard)
{
    if (guard->follow != NULL) {
        guard->guards->core->ops->unfollow(guard->follow);
        guard->follow = NULL;
    }
}

static void on_ask(void *context)
{
    const yr_guard *guard = context;
    if (guard->follow != NULL) {
        guard->guards->core->ops->relist(guard->follow);
    }
}

static void guard_free(yr_guard *guard)
{
    unfollow(guard);
    yr_timer_stop(guard->guards->core->io, &guard->ask_timer);
    yr_timer_stop(guard->guards->core->io, &guard->widen_timer);
    yr_map_remove(&guard->guards->by_service, &guard->map_node);
    yr_free(guard->service);
    yr_free(guard);
}

void yr_guards_deinit(yr_guards *guards)
{
    guards->is_closed = true;
    yr_timer_stop(guards->core->io, &guards->reconcile_timer);
    yr_map_node *node = NULL;
    while ((node = yr_map_next(&guards->by_service, NULL)) != NULL) {
        yr_guard *found = YR_CONTAINER_OF(node, yr_guard, map_node);
        yr_list *link = NULL;
        yr_list_move_all(&found->claims, &found->waiting);
        while ((link = yr_list_take_first(&found->claims)) != NULL) {
            YR_CONTAINER_OF(link, yr_claim, guard_link)->guard = NULL;
        }
        guard_free(found);
    }
    yr_map_deinit(&guards->by_service);
}

static yr_claim *find_claim(const yr_guard *guard, yurpc_bytes node)
{
    char key[YR_SERVICE_LEN_MAX + 1 + NODE_LEN_MAX];
    size_t service_len = strlen(guard->service);
    if (service_len > YR_SERVICE_LEN_MAX || node.len > NODE_LEN_MAX) {
        return NULL;
    }
    memcpy(key, guard->service, service_len);
    key[service_len] = '/';
    memcpy(key + service_len + 1, node.data, node.len);
    yr_map_node *found =
        yr_map_find(guard->guards->claims, yr_bytes(key, service_len + 1 + node.len));
    if (found == NULL) {
        return NULL;
    }
    yr_claim *claim = YR_CONTAINER_OF(found, yr_claim, map_node);
    return claim->guard == guard ? claim : NULL;
}

/* Whoever was not named by a complete list is absent. */
static void report_absent(yr_guard *guard)
{
    yr_list *link = guard->claims.next;
    while (link != &guard->claims) {
        yr_claim *claim = YR_CONTAINER_OF(link, yr_claim, guard_link);
        link = link->next;
        if (claim->list_seen == guard->list) {
            continue;
        }
        if (claim->is_excused) {
            yr_guards_ask(guard->guards, claim);
            claim->is_excused = false;
        } else {
            guard->guards->heard(guard->guards->context, claim, NULL);
        }
    }
}

/* How a key is now, counts; how it was in between (its old lease's end, our own put) does not.
 */
static bool is_overtaken(const yr_facts *facts, size_t index)
{
    for (size_t later = index + 1; later < facts->count; later++) {
        if (yr_bytes_equal(facts->facts[later].node, facts->facts[index].node)) {
            return true;
        }
    }
    return false;
}

static void on_facts(void *context, const yr_facts *facts)
{
    yr_guard *guard = context;
    if (facts->is_list && facts->is_first) {
        guard->list++;
    }
    for (size_t i = 0; i < facts->count; i++) {
        const yr_fact *fact = &facts->facts[i];
        yr_claim *claim = find_claim(guard, fact->node);
        if (claim == NULL || is_overtaken(facts, i)) {
            continue;
        }
        if (facts->is_list) {
            claim->list_seen = guard->list;
        }
        claim->is_excused = false;
        guard->guards->heard(guard->guards->context, claim,
                             fact->kind == YR_FACT_PUT ? fact : NULL);
    }
    if (facts->is_list && facts->is_last) {
        report_absent(guard);
    }
}

static void on_stale(void *context, bool is_stale, const yurpc_error *error)
{
    /* The lease decides how an interruption ends; the next list says how the keys are. */
    (void)context;
    (void)is_stale;
    (void)error;
}

static yurpc_status follow(yr_guard *guard, const yr_claim *claim, bool is_wide)
{
    static const yr_follow_events events = {.on_facts = on_facts, .on_stale = on_stale};
    yr_core *core = guard->guards->core;
    yr_scope scope = {.service = claim->service};
    if (!is_wide) {
        scope.node_first = claim->node;
        scope.node_last = claim->node;
    }
    yr_follow *begun = NULL;
    yurpc_status status = core->ops->follow(core->driver, &scope, &events, guard, &begun);
    if (status != YURPC_OK) {
        return status;
    }
    unfollow(guard);
    guard->follow = begun;
    guard->is_wide = is_wide;
    return YURPC_OK;
}

/*
 * Who registers many instances of a service does so within a moment, and needs not hear of each
 * of them: the whole service is followed when no more are added.
 */
static void widen_later(yr_guard *guard)
{
    yr_io *io = guard->guards->core->io;
    if (!yr_timer_is_running(&guard->widen_timer)) {
        guard->widen_by_ms = yr_io_now_ms(io) + WIDEN_MAX_MS;
        guard->count_then = guard->claim_count;
        yr_timer_start(io, &guard->widen_timer, WIDEN_PAUSE_MS);
    }
}

static void on_widen(void *context)
{
    yr_guard *guard = context;
    yr_io *io = guard->guards->core->io;
    bool is_growing = guard->claim_count != guard->count_then;
    if (yr_list_is_empty(&guard->waiting)) {
        return;
    }
    const yr_claim *claim = YR_CONTAINER_OF(guard->waiting.next, yr_claim, guard_link);
    if ((is_growing && yr_io_now_ms(io) < guard->widen_by_ms) ||
        follow(guard, claim, true) != YURPC_OK) {
        guard->count_then = guard->claim_count;
        yr_timer_start(io, &guard->widen_timer, WIDEN_PAUSE_MS);
        return;
    }
    yr_list_move_all(&guard->claims, &guard->waiting); /* its first list has to name all */
}

static yurpc_status guard_new(yr_guards *guards, const yr_claim *claim, yr_guard **ret_guard)
{
    yr_guard *made = yr_calloc(1, sizeof *made);
    if (made == NULL) {
        return YURPC_NO_MEMORY;
    }
    made->guards = guards;
    yr_list_init(&made->claims);
    yr_list_init(&made->waiting);
    yr_timer_init(&made->ask_timer, on_ask, made);
    yr_timer_init(&made->widen_timer, on_widen, made);
    made->service = yr_memdup0(claim->service.data, claim->service.len);
    if (made->service == NULL) {
        yr_free(made);
        return YURPC_NO_MEMORY;
    }
    yr_map_insert(&guards->by_service, &made->map_node, yr_bytes_of_text(made->service));
    if (!yr_timer_is_running(&guards->reconcile_timer)) {
        schedule_reconcile(guards);
    }
    *ret_guard = made;
    return YURPC_OK;
}

yurpc_status yr_guards_add(yr_guards *guards, yr_claim *claim)
{
    if (claim->guard != NULL || guards->is_closed) {
        return YURPC_OK;
    }
    yurpc_status status = YURPC_OK;
    yr_map_node *node = yr_map_find(&guards->by_service, claim->service);
    yr_guard *guard = node != NULL ? YR_CONTAINER_OF(node, yr_guard, map_node) : NULL;
    if (guard == NULL) {
        status = guard_new(guards, claim, &guard);
    }
    if (status != YURPC_OK) {
        return status;
    }
    bool is_begun = guard->follow == NULL;
    if (is_begun) {
        status = follow(guard, claim, false);
    }
    if (status != YURPC_OK) {
        guard_free(guard);
        return status;
    }
    bool is_covered = is_begun || guard->is_wide;
    yr_list_append(is_covered ? &guard->claims : &guard->waiting, &claim->guard_link);
    guard->claim_count++;
    claim->guard = guard;
    claim->list_seen = guard->list;
    /* Who is listed later than its key is put, needs no excuse. */
    claim->is_excused = is_covered && !is_begun;
    if (!is_covered) {
        widen_later(guard);
    }
    return YURPC_OK;
}

void yr_guards_excuse(yr_claim *claim)
{
    claim->is_excused = true;
}

void yr_guards_remove(yr_guards *guards, yr_claim *claim)
{
    (void)guards;
    yr_guard *guard = claim->guard;
    if (guard == NULL) {
        return;
    }
    yr_list_remove(&claim->guard_link);
    claim->guard = NULL;
    if (--guard->claim_count == 0) {
        guard_free(guard);
    }
}

void yr_guards_ask(yr_guards *guards, yr_claim *claim)
{
    yr_guard *guard = claim->guard;
    if (guard != NULL) {
        yr_timer_start(guards->core->io, &guard->ask_timer, 0);
    }
}
