/* The provider's side on a driver that does and answers just what a test says. */
#include "base/error.h"
#include "registry/provider/provider.h"
#include "sim/sim_io.h"
#include "yr_test.h"

#include <string.h>

enum { SESSION = 7, LATER_MS = 1000, LONG_MS = 10000, PENDING_MAX = 8 };

/* What was asked of the driver and is not answered yet. */
typedef struct asked {
    yr_session_fn *session_done;
    void *session_context;
    yr_announced_fn *announced; /* of one announcement: no test asks for more */
    void *announced_context;
    yr_done_fn *withdrawn[PENDING_MAX];
    void *withdrawn_context[PENDING_MAX];
    size_t withdrawals;
    size_t announcements;
    size_t sessions;
    size_t follows;
    yr_announce_mode mode;
    yurpc_status withdraw_now; /* answered inside the call, as for lack of memory; OK: not */
    yurpc_status follow_now;
} asked;

static asked at;

static void open_session(yr_driver *driver, int64_t deadline_ms, yr_session_fn *done,
                         void *context)
{
    (void)driver;
    (void)deadline_ms;
    at.sessions++;
    at.session_done = done;
    at.session_context = context;
}

static void announce(yr_driver *driver, const yr_announce_request *request,
                     yr_announced_fn *done, void *context)
{
    (void)driver;
    assert_int_equal(request->count, 1);
    at.announcements++;
    at.mode = request->mode;
    at.announced = done;
    at.announced_context = context;
}

static void withdraw(yr_driver *driver, yurpc_bytes service, yurpc_bytes node,
                     int64_t deadline_ms, yr_done_fn *done, void *context)
{
    (void)driver;
    (void)service;
    (void)node;
    (void)deadline_ms;
    if (at.withdraw_now != YURPC_OK) {
        at.withdrawals++;
        done(context, at.withdraw_now, NULL);
        return;
    }
    assert_in_range(at.withdrawals, 0, PENDING_MAX - 1);
    at.withdrawn[at.withdrawals] = done;
    at.withdrawn_context[at.withdrawals++] = context;
}

static yurpc_status follow(yr_driver *driver, const yr_scope *scope,
                           const yr_follow_events *events, void *context,
                           yr_follow **ret_follow)
{
    static char one;
    (void)driver;
    (void)scope;
    (void)events;
    (void)context;
    at.follows++;
    if (at.follow_now == YURPC_OK) {
        *ret_follow = (yr_follow *)(void *)&one;
    }
    return at.follow_now;
}

static void unfollow(yr_follow *one)
{
    (void)one;
}

static const yr_driver_ops ops = {.open_session = open_session,
                                  .announce = announce,
                                  .withdraw = withdraw,
                                  .follow = follow,
                                  .unfollow = unfollow,
                                  .relist = unfollow};

typedef struct scene {
    yr_sim *sim;
    yr_core core;
    yr_provider provider;
} scene;

static void begin(scene *now)
{
    at = (asked){.announced = NULL};
    *now = (scene){.sim = yr_sim_new(1)};
    now->core.io = yr_sim_host_io(yr_sim_host_new(now->sim, "host"));
    now->core.ops = &ops;
    now->core.timeout_ms = 1000;
    now->core.ttl_ms = 30000;
    now->core.reconcile_ms = 300000;
    yr_provider_init(&now->provider, &now->core);
}

static void answer_withdrawn(size_t index, yurpc_status status)
{
    yr_done_fn *withdrawn = at.withdrawn[index];
    at.withdrawn[index] = NULL;
    withdrawn(at.withdrawn_context[index], status, NULL);
}

/* As a driver does that is closed: whatever is open ends. */
static void end(scene *now)
{
    now->provider.is_closing = true;
    for (size_t i = 0; i < PENDING_MAX; i++) {
        if (at.withdrawn[i] != NULL) {
            answer_withdrawn(i, YURPC_CANCELED);
        }
    }
    if (at.announced != NULL) {
        at.announced(at.announced_context, 0, YURPC_CANCELED, NULL);
    }
    yr_provider_deinit(&now->provider);
    yr_sim_free(now->sim);
}

static yurpc_registration *registration_of(uint16_t port)
{
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = "s:1.0";
    spec.host = "h";
    spec.port = port;
    yurpc_registration *registration = NULL;
    assert_ok(yr_registration_new(&spec, NULL, NULL, &registration));
    return registration;
}

static void run_for(scene *now, int64_t ms)
{
    yr_sim_run_for(now->sim, ms);
}

static void answer_session(scene *now)
{
    run_for(now, 1);
    const yr_session session = {.id = SESSION, .ttl_ms = 30000};
    at.session_done(at.session_context, &session, NULL);
    run_for(now, 1);
}

static void answer_announced(scene *now, yurpc_status status)
{
    yr_announced_fn *announced = at.announced;
    at.announced = NULL;
    announced(at.announced_context, 0, status, NULL);
    run_for(now, 1);
}

/* A registration of port 1, in the registry. */
static yurpc_registration *register_one(scene *now)
{
    yurpc_registration *registration = registration_of(1);
    assert_ok(yr_provider_add(&now->provider, &registration, 1, NULL));
    answer_session(now);
    answer_announced(now, YURPC_OK);
    assert_int_equal(yurpc_registration_get_state(registration), YURPC_REGISTERED);
    return registration;
}

typedef struct outcome {
    bool is_done;
    yurpc_status status;
} outcome;

static void on_left(void *context, yurpc_status status, const yurpc_error *error)
{
    outcome *left = context;
    (void)error;
    assert_false(left->is_done);
    *left = (outcome){true, status};
}

/* Drained, and its withdrawal is next. */
static void leave_and_drain(scene *now, yurpc_registration *registration, outcome *left)
{
    yr_provider_leave(&now->provider, registration, on_left, left);
    run_for(now, 1);
    assert_int_equal(at.mode, YR_ANNOUNCE_IF_OURS);
    answer_announced(now, YURPC_OK);
}

static void a_withdrawal_that_fails_inside_the_call_is_tried_again(void **state)
{
    (void)state;
    scene now;
    begin(&now);
    yurpc_registration *registration = register_one(&now);
    at.withdraw_now = YURPC_NO_MEMORY;
    outcome left = {.is_done = false};
    leave_and_drain(&now, registration, &left);
    run_for(&now, LATER_MS);
    assert_in_range(at.withdrawals, 2, 100);
    at.withdraw_now = YURPC_OK;
    at.withdrawals = 0;
    run_for(&now, LONG_MS); /* more than the longest backoff */
    assert_int_equal(at.withdrawals, 1);
    answer_withdrawn(0, YURPC_OK);
    run_for(&now, 1);
    assert_true(left.is_done);
    run_for(&now, YR_CLAIM_LATE_MS);
    assert_int_equal(now.provider.claims.count, 0);
    end(&now);
}

static void one_address_twice_is_refused_while_it_is_being_withdrawn_too(void **state)
{
    (void)state;
    scene now;
    begin(&now);
    outcome left = {.is_done = false};
    leave_and_drain(&now, register_one(&now), &left);
    yurpc_registration *both[] = {registration_of(1), registration_of(1)};
    assert_int_equal(yr_provider_add(&now.provider, both, 2, NULL), YURPC_EXISTS);
    assert_int_equal(now.core.counters.registrations, 1); /* the one that is leaving */
    assert_ok(yr_provider_add(&now.provider, both, 1, NULL));
    assert_true(left.is_done); /* its wish is overtaken */
    yr_registration_free(both[1]);
    end(&now);
}

static void our_own_key_is_watched_as_soon_as_that_can_be(void **state)
{
    (void)state;
    scene now;
    begin(&now);
    at.follow_now = YURPC_NO_MEMORY;
    register_one(&now);
    run_for(&now, LATER_MS);
    assert_in_range(at.follows, 2, 100);
    at.follow_now = YURPC_OK;
    run_for(&now, LATER_MS);
    size_t follows = at.follows;
    run_for(&now, LONG_MS);
    assert_int_equal(at.follows, follows); /* it is */
    end(&now);
}

static void what_was_never_registered_leaves_at_once(void **state)
{
    (void)state;
    scene now;
    begin(&now);
    yurpc_registration *registration = registration_of(1);
    assert_ok(yr_provider_add(&now.provider, &registration, 1, NULL));
    run_for(&now, 1);
    for (int i = 0; i < 10; i++) { /* the registry is away */
        yurpc_error *error = NULL;
        assert_int_equal(yr_error_set_status(&error, YURPC_UNAVAILABLE), YURPC_UNAVAILABLE);
        yr_session_fn *done = at.session_done;
        if (done != NULL) {
            at.session_done = NULL;
            done(at.session_context, NULL, error);
        }
        yurpc_error_free(error);
        run_for(&now, 2000);
    }
    now.provider.not_before_ms = yr_io_now_ms(now.core.io) + 5000;
    outcome left = {.is_done = false};
    yr_provider_leave(&now.provider, registration, on_left, &left);
    run_for(&now, 1);
    assert_true(left.is_done);
    assert_ok(left.status);
    end(&now);
}

static void leaving_twice_is_leaving_once(void **state)
{
    (void)state;
    scene now;
    begin(&now);
    yurpc_registration *registration = register_one(&now);
    outcome left = {.is_done = false};
    yr_provider_leave(&now.provider, registration, on_left, &left);
    yr_provider_leave(&now.provider, registration, NULL, NULL);
    run_for(&now, 1);
    answer_announced(&now, YURPC_OK);
    answer_withdrawn(0, YURPC_OK);
    run_for(&now, 1);
    assert_true(left.is_done);
    assert_int_equal(now.core.counters.registrations, 0);
    end(&now);
}

/* Each lease is lost as soon as it is used: a server that does not know what it granted. */
static void leases_that_do_not_hold_are_not_opened_without_pause(void **state)
{
    (void)state;
    scene now;
    begin(&now);
    yurpc_registration *registration = registration_of(1);
    assert_ok(yr_provider_add(&now.provider, &registration, 1, NULL));
    for (int ms = 0; ms < 10000; ms += 5) {
        if (at.session_done != NULL) {
            yr_session_fn *done = at.session_done;
            const yr_session session = {.id = ms + 1, .ttl_ms = 30000};
            at.session_done = NULL;
            done(at.session_context, &session, NULL);
        }
        if (at.announced != NULL) {
            yr_provider_on_session_lost(&now.provider, NULL);
            answer_announced(&now, YURPC_LEASE_LOST);
        }
        run_for(&now, 5);
    }
    assert_in_range(at.sessions, 3, 20);
    end(&now);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_withdrawal_that_fails_inside_the_call_is_tried_again),
        cmocka_unit_test(one_address_twice_is_refused_while_it_is_being_withdrawn_too),
        cmocka_unit_test(our_own_key_is_watched_as_soon_as_that_can_be),
        cmocka_unit_test(what_was_never_registered_leaves_at_once),
        cmocka_unit_test(leaving_twice_is_leaving_once),
        cmocka_unit_test(leases_that_do_not_hold_are_not_opened_without_pause),
    };
    return cmocka_run_group_tests_name("provider", tests, NULL, NULL);
}
