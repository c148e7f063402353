#include "base/arena.h"

#include "base/assert.h"
#include "base/mem.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    CHUNK_MIN = 960, /* with its head, what malloc has at hand; most messages are small */
    CHUNK_MAX = 1024 * 1024, /* chunks double up to this; a larger piece gets its own */
    ALIGNMENT = _Alignof(max_align_t),
};

struct yr_arena_chunk {
    yr_arena_chunk *next;
    size_t used;
    size_t cap;
    _Alignas(max_align_t) unsigned char data[];
};

void yr_arena_init(yr_arena *arena, size_t size_max)
{
    YR_ASSERT(size_max <= SIZE_MAX / 2); /* so that rounding up cannot overflow */
    arena->chunks = NULL;
    arena->size = 0;
    arena->size_max = size_max;
    arena->failure = YURPC_OK;
}

void yr_arena_deinit(yr_arena *arena)
{
    while (arena->chunks != NULL) {
        yr_arena_chunk *chunk = arena->chunks;
        arena->chunks = chunk->next;
        yr_free(chunk);
    }
    yr_arena_init(arena, arena->size_max);
}

static void *fail(yr_arena *arena, yurpc_status status)
{
    arena->failure = status;
    return NULL;
}

/* What the next chunk may hold: doubling, but not past the ceiling if @p size fits below it. */
static size_t next_cap(const yr_arena *arena, size_t size, size_t room)
{
    size_t cap = arena->chunks == NULL ? CHUNK_MIN : arena->chunks->cap * 2;
    cap = cap > CHUNK_MAX ? CHUNK_MAX : cap;
    cap = cap < CHUNK_MIN ? CHUNK_MIN : cap;
    cap = cap > room ? room : cap;
    return cap < size ? size : cap;
}

static yr_arena_chunk *add_chunk(yr_arena *arena, size_t size)
{
    size_t room = arena->size_max - arena->size;
    if (size > room) {
        return fail(arena, YURPC_TOO_LARGE);
    }
    size_t cap = next_cap(arena, size, room);
    yr_arena_chunk *chunk = yr_realloc(NULL, sizeof *chunk + cap);
    if (chunk == NULL) {
        return fail(arena, YURPC_NO_MEMORY);
    }
    chunk->used = 0;
    chunk->cap = cap;
    chunk->next = arena->chunks;
    arena->chunks = chunk;
    arena->size += cap;
    return chunk;
}

void *yr_arena_alloc(yr_arena *arena, size_t size)
{
    if (size > arena->size_max) {
        return fail(arena, YURPC_TOO_LARGE);
    }
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    yr_arena_chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->cap - chunk->used < size) {
        chunk = add_chunk(arena, size);
    }
    if (chunk == NULL) {
        return NULL;
    }
    void *piece = chunk->data + chunk->used;
    chunk->used += size;
    return memset(piece, 0, size);
}

void *yr_arena_alloc_array(yr_arena *arena, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return fail(arena, YURPC_TOO_LARGE);
    }
    return yr_arena_alloc(arena, count * size);
}

char *yr_arena_dup0(yr_arena *arena, yurpc_bytes bytes)
{
    char *copy = bytes.len == SIZE_MAX ? fail(arena, YURPC_TOO_LARGE)
                                       : yr_arena_alloc(arena, bytes.len + 1);
    if (copy != NULL && bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return copy;
}
