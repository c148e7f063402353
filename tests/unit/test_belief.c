#include "base/bytes.h"
#include "registry/provider/belief.h"
#include "registry/provider/registration.h"
#include "sim/sim_io.h"
#include "yr_test.h"

enum { SESSION = 7, PAST = 6, STRANGER = 99 };

/* Nobody watches our keys here. */
static yurpc_status follow_nothing(yr_driver *driver, const yr_scope *scope,
                                   const yr_follow_events *events, void *context,
                                   yr_follow **ret_follow)
{
    (void)driver;
    (void)scope;
    (void)events;
    (void)context;
    (void)ret_follow;
    return YURPC_NO_MEMORY;
}

static const yr_driver_ops ops = {.follow = follow_nothing};

typedef struct scene {
    yr_sim *sim;
    yr_core core;
    yr_provider provider;
    yurpc_registration *registration;
    yr_claim *claim;
} setting;

static void begin(setting *scene, bool is_wanted)
{
    *scene = (setting){.sim = yr_sim_new(1)};
    scene->core.io = yr_sim_host_io(yr_sim_host_new(scene->sim, "host"));
    scene->core.ops = &ops;
    yr_provider_init(&scene->provider, &scene->core);
    scene->provider.session.id = SESSION;
    scene->provider.past_sessions[0] = PAST;
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = "s:1.0";
    spec.host = "h";
    spec.port = 1;
    assert_ok(yr_registration_new(&spec, NULL, NULL, &scene->registration));
    scene->claim = scene->registration->claim;
    scene->claim->known = YR_CLAIM_OURS;
    scene->claim->is_taking = false;
    assert_ok(yr_provider_add(&scene->provider, &scene->registration, 1, NULL));
    if (!is_wanted) {
        yr_provider_forget(&scene->provider, scene->registration);
    }
}

static void end(setting *scene)
{
    yr_provider_deinit(&scene->provider);
    yr_sim_free(scene->sim);
}

typedef struct row {
    int64_t owner;
    yr_claim_known known;
    bool is_wanted;
    bool is_put;
    bool is_our_value;
} row;

static yr_claim_known hear(const row *heard)
{
    setting scene;
    begin(&scene, heard->is_wanted);
    const char *value = heard->is_our_value ? scene.claim->value : "{}";
    yr_fact fact = {.kind = YR_FACT_PUT,
                    .service = scene.claim->service,
                    .node = scene.claim->node,
                    .value = yr_bytes_of_text(value),
                    .owner = heard->owner};
    yr_belief_heard(&scene.provider, scene.claim, heard->is_put ? &fact : NULL);
    yr_claim_known known = scene.claim->known;
    end(&scene);
    return known;
}

static void what_is_heard_of_a_key_of_ours_changes_what_is_known(void **state)
{
    (void)state;
    static const row rows[] = {
        {SESSION, YR_CLAIM_OURS, true, true, true},
        {SESSION, YR_CLAIM_ABSENT, true, true, false}, /* overwritten: to be repaired */
        {0, YR_CLAIM_ABSENT, true, true, true},        /* made permanent: to be repaired */
        {PAST, YR_CLAIM_ABSENT, true, true, true},     /* would go with the old lease */
        {STRANGER, YR_CLAIM_FOREIGN, true, true, true},
        {0, YR_CLAIM_ABSENT, true, false, false},
        /* On its way out, it has to be removed whatever its value is. */
        {SESSION, YR_CLAIM_OURS, false, true, true},
        {SESSION, YR_CLAIM_OURS, false, true, false},
        {PAST, YR_CLAIM_UNKNOWN, false, true, true},
        {0, YR_CLAIM_FOREIGN, false, true, true},
        {STRANGER, YR_CLAIM_FOREIGN, false, true, true},
        {0, YR_CLAIM_ABSENT, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        /* The row is in the figure, so that a failure names it. */
        assert_int_equal(10 * i + hear(&rows[i]), 10 * i + rows[i].known);
    }
}

static void what_is_heard_during_an_operation_only_raises_doubt(void **state)
{
    (void)state;
    setting scene;
    begin(&scene, true);
    scene.claim->is_in_flight = true;
    yr_belief_heard(&scene.provider, scene.claim, NULL);
    assert_int_equal(scene.claim->known, YR_CLAIM_OURS);
    assert_true(scene.claim->is_doubtful);
    scene.claim->is_in_flight = false;
    end(&scene);
}

static void a_conflict_is_counted_once_and_told(void **state)
{
    (void)state;
    setting scene;
    begin(&scene, true);
    yr_fact fact = {.kind = YR_FACT_PUT, .value = yr_bytes_of_text("{}"), .owner = STRANGER};
    yr_belief_heard(&scene.provider, scene.claim, &fact);
    yr_belief_heard(&scene.provider, scene.claim, &fact);
    assert_int_equal(scene.core.counters.conflicts, 1);
    assert_int_equal(yurpc_registration_get_state(scene.registration), YURPC_CONFLICT_STATE);
    end(&scene);
}

static void a_fresh_registration_takes_over_whatever_is_heard_before(void **state)
{
    (void)state;
    setting scene;
    begin(&scene, true);
    scene.claim->known = YR_CLAIM_UNKNOWN;
    scene.claim->is_taking = true;
    yr_fact fact = {.kind = YR_FACT_PUT, .value = yr_bytes_of_text("{}"), .owner = STRANGER};
    yr_belief_heard(&scene.provider, scene.claim, &fact);
    assert_int_equal(yr_claim_next(scene.claim, true, 0), YR_CLAIM_ANNOUNCE);
    assert_true(scene.claim->is_taking);
    assert_int_equal(yurpc_registration_get_state(scene.registration), YURPC_REGISTERING);
    end(&scene);
}

static void an_answer_about_a_former_value_proves_nothing(void **state)
{
    (void)state;
    setting scene;
    begin(&scene, true);
    scene.claim->is_replaced = true;
    yr_belief_announced(&scene.provider, scene.claim, SESSION, YURPC_OK, NULL);
    assert_int_equal(scene.claim->known, YR_CLAIM_UNKNOWN);
    assert_false(scene.claim->is_replaced);
    end(&scene);
}

static void an_answer_under_a_session_that_is_over_leaves_nothing(void **state)
{
    (void)state;
    setting scene;
    begin(&scene, true);
    yr_belief_announced(&scene.provider, scene.claim, PAST, YURPC_OK, NULL);
    assert_int_equal(scene.claim->known, YR_CLAIM_ABSENT);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_heard_of_a_key_of_ours_changes_what_is_known),
        cmocka_unit_test(what_is_heard_during_an_operation_only_raises_doubt),
        cmocka_unit_test(a_conflict_is_counted_once_and_told),
        cmocka_unit_test(a_fresh_registration_takes_over_whatever_is_heard_before),
        cmocka_unit_test(an_answer_about_a_former_value_proves_nothing),
        cmocka_unit_test(an_answer_under_a_session_that_is_over_leaves_nothing),
    };
    return cmocka_run_group_tests_name("belief", tests, NULL, NULL);
}
