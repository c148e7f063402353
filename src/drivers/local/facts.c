#include "drivers/local/facts.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <stdlib.h>

/* More than the largest file can hold, see store.c. */
static const size_t bytes_max = (size_t)512 << 20;

void yr_local_facts_init(yr_local_facts *facts)
{
    *facts = (yr_local_facts){0};
    yr_buf_init(&facts->bytes, bytes_max);
}

void yr_local_facts_deinit(yr_local_facts *facts)
{
    yr_free(facts->items);
    yr_buf_deinit(&facts->bytes);
    yr_local_facts_init(facts);
}

void yr_local_facts_clear(yr_local_facts *facts)
{
    facts->count = 0;
    yr_buf_clear(&facts->bytes);
}

yurpc_status yr_local_facts_append(yr_local_facts *facts, const yr_fact *fact)
{
    yr_fact *items = yr_grow(facts->items, facts->count, &facts->cap, sizeof *items);
    if (items == NULL) {
        return YURPC_NO_MEMORY;
    }
    facts->items = items;
    const yurpc_bytes parts[] = {fact->service, fact->node, fact->value};
    size_t len = parts[0].len + parts[1].len + parts[2].len;
    yurpc_status status = yr_buf_reserve(&facts->bytes, len);
    for (size_t i = 0; i < 3 && status == YURPC_OK; i++) {
        status = yr_buf_append(&facts->bytes, parts[i].data, parts[i].len);
    }
    if (status != YURPC_OK) {
        return status;
    }
    facts->items[facts->count++] = *fact;
    return YURPC_OK;
}

static int compare_revisions(const void *left, const void *right)
{
    const yr_fact *a = left;
    const yr_fact *b = right;
    return (a->revision > b->revision) - (a->revision < b->revision);
}

void yr_local_facts_settle(yr_local_facts *facts, bool by_revision)
{
    size_t at = 0; /* only now, because the bytes moved when they grew */
    for (size_t i = 0; i < facts->count; i++) {
        yurpc_bytes *const parts[] = {&facts->items[i].service, &facts->items[i].node,
                                      &facts->items[i].value};
        for (size_t part = 0; part < 3; part++) {
            parts[part]->data = facts->bytes.data + at;
            at += parts[part]->len;
        }
    }
    if (by_revision && facts->count > 1) {
        qsort(facts->items, facts->count, sizeof *facts->items, compare_revisions);
    }
}
