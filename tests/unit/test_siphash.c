#include "base/bytes.h"
#include "base/siphash.h"
#include "yr_test.h"

/* The key of the published vectors: the bytes 0 … 15. */
static const uint64_t seed[2] = {0x0706050403020100U, 0x0f0e0d0c0b0a0908U};

/*
 * SipHash-1-3 of the bytes 0, 1, 2, … n-1. Taken from a plain transcription of the paper that
 * gives the published vector of SipHash-2-4 with the rounds of that.
 */
static void the_hash_is_siphash_1_3(void **state)
{
    (void)state;
    const uint64_t expected[] = {
        0xabac0158050fc4dcU, 0xc9f49bf37d57ca93U, 0x82cb9b024dc7d44dU, 0x8bf80ab8e7ddf7fbU,
        0xcf75576088d38328U, 0xdef9d52f49533b67U, 0xc50d2b50c59f22a7U, 0xd3927d989bb11140U,
        0x369095118d299a8eU, 0x25a48eb36c063de4U, 0x79de85ee92ff097fU, 0x70c118c1f94dc352U,
        0x78a384b157b4d9a2U, 0x306f760c1229ffa7U, 0x605aa111c0f95d34U, 0xd320d86d2a519956U,
        0xcc4fdd1a7d908b66U,
    };
    uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    for (size_t len = 0; len < sizeof expected / sizeof *expected; len++) {
        assert_true(yr_siphash(seed, yr_bytes(bytes, len)) == expected[len]);
    }
    assert_true(yr_siphash(seed, yr_bytes(bytes, 63)) == 0x9d199062b7bbb3a8U);
    assert_true(yr_siphash(seed, yr_bytes(bytes, 300)) == 0x4016a23bda5a2224U);
    assert_true(yr_siphash(seed, yr_bytes(NULL, 0)) == expected[0]);
}

static void the_place_in_memory_does_not_matter(void **state)
{
    (void)state;
    char bytes[64 + 8];
    uint64_t first = 0;
    for (size_t shift = 0; shift < 8; shift++) {
        for (size_t i = 0; i < 61; i++) {
            bytes[shift + i] = (char)(i * 7);
        }
        uint64_t hash = yr_siphash(seed, yr_bytes(bytes + shift, 61));
        first = shift == 0 ? hash : first;
        assert_true(hash == first);
    }
}

static void similar_keys_spread_evenly_and_the_seed_matters(void **state)
{
    (void)state;
    const uint64_t other[2] = {seed[0], seed[1] ^ 1};
    int buckets[64] = {0};
    int same = 0;
    for (uint32_t i = 0; i < 64 * 1000; i++) {
        uint64_t hash = yr_siphash(seed, yr_bytes(&i, sizeof i));
        buckets[hash & 63]++;
        same += hash == yr_siphash(other, yr_bytes(&i, sizeof i)) ? 1 : 0;
    }
    for (size_t i = 0; i < 64; i++) {
        assert_true(buckets[i] > 850 && buckets[i] < 1150);
    }
    assert_int_equal(same, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(the_place_in_memory_does_not_matter),
        cmocka_unit_test(similar_keys_spread_evenly_and_the_seed_matters),
    };
    return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
