#include "base/mem.h"
#include "registry/instance.h"
#include "registry/slab.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

static void pieces_are_zero_aligned_and_apart(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    static unsigned char *pieces[COUNT];
    static uint16_t places[COUNT];
    yr_slab *slab = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = 1 + i % 200;
        pieces[i] = yr_slab_take(&slab, size, &places[i]);
        assert_non_null(pieces[i]);
        assert_true(places[i] > 0 && (uintptr_t)pieces[i] % 8 == 0);
        for (size_t at = 0; at < size; at++) {
            assert_int_equal(pieces[i][at], 0);
        }
        memset(pieces[i], (int)(i % 255) + 1, size);
    }
    yr_slab_leave(&slab);
    assert_null(slab);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(pieces[i][i % 200], i % 255 + 1);
        yr_slab_give_back(pieces[i], places[i]);
    }
}

static void a_slab_lives_as_long_as_one_of_its_pieces(void **state)
{
    (void)state;
    uint16_t first_at = 0;
    uint16_t second_at = 0;
    yr_slab *slab = NULL;
    yr_mem_count_blocks();
    char *first = yr_slab_take(&slab, 100, &first_at);
    char *second = yr_slab_take(&slab, 100, &second_at);
    assert_int_equal(yr_mem_blocks(), 1);
    yr_slab_give_back(first, first_at);
    yr_slab_leave(&slab);
    assert_int_equal(yr_mem_blocks(), 1);
    second[99] = 'x';
    yr_slab_give_back(second, second_at);
    assert_int_equal(yr_mem_blocks(), 0);
}

static void one_that_nobody_took_from_is_freed_when_it_is_left(void **state)
{
    (void)state;
    yr_slab *slab = NULL;
    yr_slab_leave(&slab);
    assert_null(slab);
}

static void without_memory_the_slab_stays_as_it_is(void **state)
{
    (void)state;
    uint16_t at = 0;
    yr_slab *slab = NULL;
    yr_mem_fail_after(0);
    void *piece = yr_slab_take(&slab, 100, &at);
    yr_mem_fail_after(-1);
    assert_null(piece);
    assert_null(slab);
    assert_int_equal(at, 0);
    assert_null(yr_slab_take(&slab, YR_SLAB_PIECE_MAX + 1, &at));
}

static void a_record_too_large_for_a_slab_is_made_alone(void **state)
{
    (void)state;
    static char value[3000];
    int len =
        snprintf(value, sizeof value,
                 "{\"serviceName\":\"s\",\"serviceVersion\":\"1.0\",\"serviceHost\":\"h\","
                 "\"servicePort\":1,\"serviceGroup\":\"");
    memset(value + len, 'g', 2000);
    memcpy(value + len + 2000, "\"}", 2);
    yr_instance_source source = {yr_bytes_of_text("s:1.0"), yr_bytes_of_text("h:1"),
                                 yr_bytes(value, (size_t)len + 2002), 7};
    yr_slab *slab = NULL;
    yurpc_instance *large = NULL;
    yurpc_instance *small = NULL;
    assert_ok(yr_instance_decode_in(&slab, &source, &large, NULL));
    assert_null(slab);
    source.value = yr_bytes_of_text("{\"serviceHost\":\"h\",\"servicePort\":1}");
    assert_ok(yr_instance_decode_in(&slab, &source, &small, NULL));
    assert_non_null(slab);
    assert_int_equal(strlen(yurpc_instance_group(large)), 2000);
    assert_string_equal(yurpc_instance_group(small), "default");
    yr_slab_leave(&slab);
    yr_instance_unref(large);
    yr_instance_unref(small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_are_zero_aligned_and_apart),
        cmocka_unit_test(a_slab_lives_as_long_as_one_of_its_pieces),
        cmocka_unit_test(one_that_nobody_took_from_is_freed_when_it_is_left),
        cmocka_unit_test(without_memory_the_slab_stays_as_it_is),
        cmocka_unit_test(a_record_too_large_for_a_slab_is_made_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
