#include "registry/provider/claim.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "registry/provider/registration.h"

enum {
    BACKOFF_BASE_MS = 200,
    BACKOFF_CAP_MS = 60000,
    VALUE_LEN = 512, /* nearly all values fit */
};

/* In a piece of memory that is no larger than it has to be: there may be many claims. */
static yurpc_status encode(const yurpc_instance_spec *spec, char **ret_value)
{
    yr_buf buf;
    yr_buf_init(&buf, YR_INSTANCE_VALUE_MAX);
    yurpc_status status = yr_buf_reserve(&buf, VALUE_LEN);
    if (status == YURPC_OK) {
        status = yr_instance_encode(spec, false, &buf);
    }
    if (status == YURPC_OK) {
        *ret_value = yr_memdup0(buf.data, buf.len);
        status = *ret_value != NULL ? YURPC_OK : YURPC_NO_MEMORY;
    }
    yr_buf_deinit(&buf);
    return status;
}

yurpc_bytes yr_claim_draining_value(const yr_claim *claim, yr_arena *arena)
{
    static const char ending[] = ",\"draining\":true}"; /* the last field, if it is there */
    size_t len = strlen(claim->value) - 1;
    char *value = yr_arena_alloc(arena, len + sizeof ending);
    if (value == NULL) {
        return yr_bytes(NULL, 0);
    }
    memcpy(value, claim->value, len);
    memcpy(value + len, ending, sizeof ending);
    return yr_bytes(value, len + sizeof ending - 1);
}

static char *join_key(yurpc_bytes service, yurpc_bytes node)
{
    char *key = yr_calloc(1, service.len + 1 + node.len + 1);
    if (key != NULL) {
        memcpy(key, service.data, service.len);
        key[service.len] = '/';
        memcpy(key + service.len + 1, node.data, node.len);
    }
    return key;
}

yurpc_status yr_claim_new(const yurpc_instance_spec *spec, const char *service,
                          yr_claim **ret_claim)
{
    yurpc_status status = YURPC_NO_MEMORY;
    char *node = NULL;
    yr_claim *claim = yr_calloc(1, sizeof *claim);
    if (claim == NULL) {
        return YURPC_NO_MEMORY;
    }
    yr_list_init(&claim->link);
    yr_list_init(&claim->guard_link);
    yr_backoff_init(&claim->backoff, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    claim->is_taking = true;
    node = yr_node_new(spec->host, spec->port);
    if (node == NULL) {
        goto fail;
    }
    claim->key = join_key(yr_bytes_of_text(service), yr_bytes_of_text(node));
    if (claim->key == NULL) {
        goto fail;
    }
    claim->service = yr_bytes(claim->key, strlen(service));
    claim->node = yr_bytes(claim->key + strlen(service) + 1, strlen(node));
    status = encode(spec, &claim->value);
    if (status != YURPC_OK) {
        goto fail;
    }
    yr_free(node);
    *ret_claim = claim;
    return YURPC_OK;
fail:
    yr_free(node);
    yr_claim_free(claim);
    return status;
}

void yr_claim_free(yr_claim *claim)
{
    if (claim == NULL) {
        return;
    }
    yr_list_remove(&claim->link);
    yr_list_remove(&claim->guard_link);
    yr_free(claim->key);
    yr_free(claim->value);
    yr_free(claim);
}

static yr_claim_action next_wanted(const yr_claim *claim, bool has_session)
{
    switch (claim->known) {
    case YR_CLAIM_OURS:
    case YR_CLAIM_FOREIGN:
        return YR_CLAIM_REST;
    case YR_CLAIM_ABSENT:
    case YR_CLAIM_UNKNOWN:
        return has_session ? YR_CLAIM_ANNOUNCE : YR_CLAIM_REST;
    }
    return YR_CLAIM_REST;
}

bool yr_claim_is_out(const yr_claim *claim)
{
    return claim->registration == NULL && !claim->is_in_flight &&
           (claim->known == YR_CLAIM_ABSENT || claim->known == YR_CLAIM_FOREIGN);
}

bool yr_claim_needs_guard(const yr_claim *claim)
{
    return !claim->is_in_flight && (claim->known == YR_CLAIM_OURS ||
                                    claim->known == YR_CLAIM_FOREIGN || yr_claim_is_out(claim));
}

int64_t yr_claim_due_ms(const yr_claim *claim, int64_t now_ms)
{
    if (claim->is_in_flight) {
        return INT64_MAX;
    }
    if (claim->not_before_ms > now_ms) {
        return claim->not_before_ms;
    }
    return yr_claim_is_out(claim) ? claim->late_until_ms : INT64_MAX;
}

static yr_claim_action next_unwanted(const yr_claim *claim, bool has_session, int64_t now_ms)
{
    if (!has_session) {
        return YR_CLAIM_DONE; /* nobody keeps its lease alive: it goes by itself */
    }
    if (yr_claim_is_out(claim)) {
        return now_ms < claim->late_until_ms ? YR_CLAIM_REST : YR_CLAIM_DONE;
    }
    return claim->known == YR_CLAIM_OURS && !claim->is_drained ? YR_CLAIM_DRAIN
                                                               : YR_CLAIM_WITHDRAW;
}

yr_claim_action yr_claim_next(const yr_claim *claim, bool has_session, int64_t now_ms)
{
    if (claim->is_in_flight) {
        return YR_CLAIM_REST;
    }
    yr_claim_action action = claim->registration != NULL
                                 ? next_wanted(claim, has_session)
                                 : next_unwanted(claim, has_session, now_ms);
    bool is_free = action == YR_CLAIM_DONE;
    return is_free || now_ms >= claim->not_before_ms ? action : YR_CLAIM_REST;
}

void yr_claim_take_over(yr_claim *claim, yr_claim *fresh)
{
    char *value = claim->value;
    claim->value = fresh->value;
    fresh->value = value;
    claim->registration = fresh->registration;
    claim->registration->claim = claim;
    claim->known = YR_CLAIM_UNKNOWN;
    claim->is_replaced = claim->is_in_flight;
    claim->is_taking = true;
    claim->is_drained = false;
    claim->not_before_ms = 0;
    yr_backoff_reset(&claim->backoff);
    yr_claim_free(fresh);
}

void yr_claim_lose_session(yr_claim *claim)
{
    if (claim->known == YR_CLAIM_OURS || claim->known == YR_CLAIM_UNKNOWN) {
        claim->known = YR_CLAIM_ABSENT;
    }
    claim->not_before_ms = 0;
    claim->late_until_ms = 0; /* a put under that session fails, or goes with it */
}
