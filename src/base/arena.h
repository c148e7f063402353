/*
 * A bump allocator: many small pieces, freed together, with a hard ceiling.
 *
 * For what belongs to one decoded message. Pieces are aligned for any type.
 */
#ifndef YR_BASE_ARENA_H
#define YR_BASE_ARENA_H

#include <yurpc/bytes.h>
#include <yurpc/status.h>

typedef struct yr_arena_chunk yr_arena_chunk;

typedef struct yr_arena {
    yr_arena_chunk *chunks; /* newest first; only the newest has room */
    size_t size;            /* bytes taken from the system */
    size_t size_max;
    yurpc_status failure; /* why the last yr_arena_alloc() gave NULL; YURPC_OK: none did */
} yr_arena;

/* Make @p arena empty. Allocates nothing and cannot fail. */
void yr_arena_init(yr_arena *arena, size_t size_max);

/* Free everything; @p arena is as after yr_arena_init(). */
void yr_arena_deinit(yr_arena *arena);

/* A zeroed piece; NULL when @c failure says so (YURPC_NO_MEMORY, YURPC_TOO_LARGE). */
void *yr_arena_alloc(yr_arena *arena, size_t size);

/* The same for @p count things of @p size; an overflow is YURPC_TOO_LARGE. */
void *yr_arena_alloc_array(yr_arena *arena, size_t count, size_t size);

/* A copy with a NUL behind it; NULL as yr_arena_alloc(). */
char *yr_arena_dup0(yr_arena *arena, yurpc_bytes bytes);

#endif /* YR_BASE_ARENA_H */
