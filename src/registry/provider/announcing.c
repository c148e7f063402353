#include "registry/provider/announcing.h"

#include "base/bytes.h"
#include "base/mem.h"

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

yurpc_status yr_announcing_begin(yr_provider *provider, yr_list *batch, size_t count,
                                 yr_announce_mode mode, bool is_draining,
                                 yr_claim_done_fn *done)
{
    yr_core *core = provider->core;
    announcing *made = yr_calloc(1, sizeof *made + count * sizeof(yr_claim *));
    yr_announcement *items = yr_calloc(count, sizeof *items);
    if (made == NULL || items == NULL) {
        yr_free(made);
        yr_free(items);
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
        const char *value = is_draining ? claim->draining_value : claim->value;
        items[i] = (yr_announcement){claim->service, claim->node, yr_bytes_of_text(value)};
    }
    const yr_announce_request request = {
        .mode = mode, .items = items, .count = count, .deadline_ms = yr_core_attempt_ms(core)};
    core->ops->announce(core->driver, &request, on_announced, made);
    yr_free(items);
    return YURPC_OK;
}
