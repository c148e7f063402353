#include "base/mem.h"
#include "registry/provider/claim.h"
#include "registry/provider/registration.h"
#include "yr_test.h"

#include <string.h>

static const yurpc_instance_spec spec = {
    .size = sizeof spec, .service = "com.acme.User:1.0", .host = "10.0.0.5", .port = 8080};

static yurpc_registration somebody;

static yr_claim *make(void)
{
    yr_claim *claim = NULL;
    assert_ok(yr_claim_new(&spec, "com.acme.User:1.0", &claim));
    claim->registration = &somebody;
    return claim;
}

static void a_claim_has_the_key_and_both_values_of_its_instance(void **state)
{
    (void)state;
    yr_claim *claim = make();
    assert_string_equal(claim->key, "com.acme.User:1.0/10.0.0.5:8080");
    assert_int_equal(claim->service.len, strlen("com.acme.User:1.0"));
    assert_memory_equal(claim->node.data, "10.0.0.5:8080", claim->node.len);
    assert_string_equal(claim->value,
                        "{\"serviceName\":\"com.acme.User\",\"serviceVersion\":\"1.0\","
                        "\"serviceHost\":\"10.0.0.5\",\"servicePort\":8080,"
                        "\"serviceGroup\":\"default\"}");
    yr_arena arena;
    yr_arena_init(&arena, 4096);
    yurpc_bytes draining = yr_claim_draining_value(claim, &arena);
    assert_int_equal(draining.len, strlen(draining.data));
    assert_string_equal(draining.data,
                        "{\"serviceName\":\"com.acme.User\",\"serviceVersion\":\"1.0\","
                        "\"serviceHost\":\"10.0.0.5\",\"servicePort\":8080,"
                        "\"serviceGroup\":\"default\",\"draining\":true}");
    yr_arena_deinit(&arena);
    yr_claim_free(claim);
}

typedef struct row {
    yr_claim_known known;
    yr_claim_action next;
    bool is_wanted;
    bool has_session;
    bool is_drained;
} row;

static void what_is_next_follows_from_wanted_and_known(void **state)
{
    (void)state;
    static const row rows[] = {
        {YR_CLAIM_ABSENT, YR_CLAIM_REST, true, false, false},
        {YR_CLAIM_ABSENT, YR_CLAIM_ANNOUNCE, true, true, false},
        {YR_CLAIM_UNKNOWN, YR_CLAIM_ANNOUNCE, true, true, false},
        {YR_CLAIM_OURS, YR_CLAIM_REST, true, true, false},
        {YR_CLAIM_FOREIGN, YR_CLAIM_REST, true, true, false},
        {YR_CLAIM_ABSENT, YR_CLAIM_DONE, false, true, false},
        {YR_CLAIM_FOREIGN, YR_CLAIM_DONE, false, true, false},
        {YR_CLAIM_OURS, YR_CLAIM_DRAIN, false, true, false},
        {YR_CLAIM_OURS, YR_CLAIM_WITHDRAW, false, true, true},
        {YR_CLAIM_UNKNOWN, YR_CLAIM_WITHDRAW, false, true, false},
        {YR_CLAIM_OURS, YR_CLAIM_DONE, false, false, false},
        {YR_CLAIM_UNKNOWN, YR_CLAIM_DONE, false, false, false},
    };
    yr_claim *claim = make();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        claim->registration = rows[i].is_wanted ? &somebody : NULL;
        claim->known = rows[i].known;
        claim->is_drained = rows[i].is_drained;
        assert_int_equal(yr_claim_next(claim, rows[i].has_session, 0), rows[i].next);
    }
    yr_claim_free(claim);
}

static void nothing_is_begun_while_an_operation_is_under_way(void **state)
{
    (void)state;
    yr_claim *claim = make();
    claim->is_in_flight = true;
    assert_int_equal(yr_claim_next(claim, true, 0), YR_CLAIM_REST);
    yr_claim_free(claim);
}

static void a_failed_claim_waits_but_is_freed_at_once_when_it_is_done(void **state)
{
    (void)state;
    yr_claim *claim = make();
    claim->not_before_ms = 100;
    assert_int_equal(yr_claim_next(claim, true, 99), YR_CLAIM_REST);
    assert_int_equal(yr_claim_next(claim, true, 100), YR_CLAIM_ANNOUNCE);
    claim->registration = NULL;
    assert_int_equal(yr_claim_next(claim, true, 99), YR_CLAIM_DONE);
    yr_claim_free(claim);
}

static void a_lost_session_takes_what_was_ours_and_nothing_else(void **state)
{
    (void)state;
    yr_claim *claim = make();
    claim->known = YR_CLAIM_OURS;
    yr_claim_lose_session(claim);
    assert_int_equal(claim->known, YR_CLAIM_ABSENT);
    claim->known = YR_CLAIM_FOREIGN;
    yr_claim_lose_session(claim);
    assert_int_equal(claim->known, YR_CLAIM_FOREIGN);
    yr_claim_free(claim);
}

static void a_new_registration_takes_an_unwanted_claim_over(void **state)
{
    (void)state;
    yr_claim *old = make();
    old->registration = NULL;
    old->is_in_flight = true;
    old->is_drained = true;
    old->is_taking = false;
    yr_claim *fresh = make();
    char *value = fresh->value;
    yr_claim_take_over(old, fresh);
    assert_ptr_equal(old->value, value);
    assert_ptr_equal(old->registration, &somebody);
    assert_ptr_equal(somebody.claim, old);
    assert_true(old->is_replaced); /* what is under way is about the old value */
    assert_true(old->is_taking);
    assert_false(old->is_drained);
    assert_int_equal(old->known, YR_CLAIM_UNKNOWN);
    yr_claim_free(old);
}

static void making_one_survives_every_allocation_failure(void **state)
{
    (void)state;
    for (long allowed = 0;; allowed++) {
        yr_claim *claim = NULL;
        yr_mem_fail_after(allowed);
        yurpc_status status = yr_claim_new(&spec, "com.acme.User:1.0", &claim);
        yr_mem_fail_after(-1);
        if (status == YURPC_OK) {
            yr_claim_free(claim);
            assert_true(allowed > 3);
            return;
        }
        assert_int_equal(status, YURPC_NO_MEMORY);
        assert_null(claim);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claim_has_the_key_and_both_values_of_its_instance),
        cmocka_unit_test(what_is_next_follows_from_wanted_and_known),
        cmocka_unit_test(nothing_is_begun_while_an_operation_is_under_way),
        cmocka_unit_test(a_failed_claim_waits_but_is_freed_at_once_when_it_is_done),
        cmocka_unit_test(a_lost_session_takes_what_was_ours_and_nothing_else),
        cmocka_unit_test(a_new_registration_takes_an_unwanted_claim_over),
        cmocka_unit_test(making_one_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
