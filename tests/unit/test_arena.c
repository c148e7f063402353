#include "base/arena.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "yr_test.h"

#include <string.h>

static void pieces_are_apart_aligned_and_zeroed(void **state)
{
    (void)state;
    yr_arena arena;
    yr_arena_init(&arena, 10000000);
    unsigned char *before = NULL;
    for (size_t size = 1; size < 3000; size += 7) {
        unsigned char *piece = yr_arena_alloc(&arena, size);
        assert_non_null(piece);
        assert_int_equal((uintptr_t)piece % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++) {
            assert_int_equal(piece[i], 0);
        }
        memset(piece, 0xaa, size);
        assert_ptr_not_equal(piece, before);
        before = piece;
    }
    yr_arena_deinit(&arena);
    assert_int_equal(arena.size, 0);
}

static void the_ceiling_holds_and_is_named(void **state)
{
    (void)state;
    yr_arena arena;
    yr_arena_init(&arena, 10000);
    assert_null(yr_arena_alloc(&arena, 10001));
    assert_int_equal(arena.failure, YURPC_TOO_LARGE);
    assert_null(yr_arena_alloc_array(&arena, SIZE_MAX / 2, 3));
    size_t taken = 0;
    while (yr_arena_alloc(&arena, 16) != NULL) {
        taken += 16;
    }
    assert_in_range(taken, 9900, 10000);
    assert_true(arena.size <= 10000);
    assert_int_equal(arena.failure, YURPC_TOO_LARGE);
    yr_arena_deinit(&arena);
}

static void copies_end_with_a_nul(void **state)
{
    (void)state;
    yr_arena arena;
    yr_arena_init(&arena, 10000);
    assert_string_equal(yr_arena_dup0(&arena, yr_bytes("abcd", 3)), "abc");
    assert_string_equal(yr_arena_dup0(&arena, yr_bytes(NULL, 0)), "");
    yr_arena_deinit(&arena);
}

static void lack_of_memory_is_told_from_lack_of_room(void **state)
{
    (void)state;
    yr_arena arena;
    yr_arena_init(&arena, 10000);
    yr_mem_fail_after(0);
    void *piece = yr_arena_alloc(&arena, 1);
    yr_mem_fail_after(-1);
    assert_null(piece);
    assert_int_equal(arena.failure, YURPC_NO_MEMORY);
    assert_non_null(yr_arena_alloc(&arena, 1));
    yr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_apart_aligned_and_zeroed),
        cmocka_unit_test(the_ceiling_holds_and_is_named),
        cmocka_unit_test(copies_end_with_a_nul),
        cmocka_unit_test(lack_of_memory_is_told_from_lack_of_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
