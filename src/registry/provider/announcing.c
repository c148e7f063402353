#include "registry/provider/announcing.h"

#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

typedef struct announcing {
    yr_provider *provider;
    yr_claim_done_fn *done;
    int64_t session_id;
    size_t pending;
    yr_claim *claims[];
} announcing;

static void on_announced(void *context, size_t index, yurpc_status status,
                         const yurpc_error *error)
{
    announcing *batch = context;
    yr_provider *provider = batch->provider;
    yr_claim *claim = batch->claims[index];
    yr_claim_done_fn *done = batch->done;
    int64_t session_id = batch->session_id;
    if (--batch->pending == 0) {
        yr_free(batch);
    }
    claim->is_in_flight = false;
    yr_provider_heard(provider, status);
    done(provider, claim, session_id, status, error);
}

/* What is to be put for each claim of @p batch; draining values are in @p arena. */
static yurpc_status fill_items(yr_announcement *items, const yr_list *batch, bool is_draining,
                               yr_arena *arena)
{
    for (yr_list *link = batch->next; link != batch; link = link->next) {
        const yr_claim *claim = YR_CONTAINER_OF(link, yr_claim, link);
        yurpc_bytes value = is_draining ? yr_claim_draining_value(claim, arena)
                                        : yr_bytes_of_text(claim->value);
        if (value.data == NULL) {
            return arena->failure;
        }
        *items++ = (yr_announcement){claim->service, claim->node, value};
    }
    return YURPC_OK;
}

yurpc_status yr_announcing_begin(yr_provider *provider, yr_list *batch, size_t count,
                                 yr_announce_mode mode, bool is_draining,
                                 yr_claim_done_fn *done)
{
    yr_core *core = provider->core;
    yr_arena arena;
    yr_arena_init(&arena, count * 2 * YR_INSTANCE_VALUE_MAX);
    announcing *made = yr_calloc(1, sizeof *made + count * sizeof(yr_claim *));
    yr_announcement *items = yr_calloc(count, sizeof *items);
    if (made == NULL || items == NULL ||
        fill_items(items, batch, is_draining, &arena) != YURPC_OK) {
        yr_free(made);
        yr_free(items);
        yr_arena_deinit(&arena);
        yr_list_move_all(&provider->todo, batch);
        return YURPC_NO_MEMORY;
    }
    *made = (announcing){.provider = provider,
                         .done = done,
                         .session_id = provider->session.id,
                         .pending = count};
    int64_t late_until_ms = yr_io_now_ms(core->io) + YR_CLAIM_LATE_MS;
    for (size_t i = 0; i < count; i++) {
        yr_claim *claim = YR_CONTAINER_OF(batch->next, yr_claim, link);
        yr_list_remove(&claim->link);
        made->claims[i] = claim;
        claim->is_in_flight = true;
        claim->is_doubtful = false;
        claim->late_until_ms = late_until_ms;
        yr_list_append(&provider->rest, &claim->link);
    }
    const yr_announce_request request = {
        .mode = mode, .items = items, .count = count, .deadline_ms = yr_core_attempt_ms(core)};
    core->ops->announce(core->driver, &request, on_announced, made);
    yr_free(items);
    yr_arena_deinit(&arena);
    return YURPC_OK;
}
