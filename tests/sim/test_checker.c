/*
 * The checker of schedules, checked: each invariant is broken on purpose in a schedule that is
 * right, and that is what the verdict says. And: schedules are data, and can be shrunk.
 */
#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "sim/schedules/actions.h"
#include "sim/schedules/shrink.h"
#include "yr_test.h"

#include <string.h>

#define SERVICE "com.acme.Nobody:1.0" /* that nobody really follows */

enum { SEED = 3 };

/* A schedule without actions, whose first provider and consumer know one another when all has
 * settled. */
static yr_verdict play(void (*sabotage)(void *context, yr_play *play))
{
    const yr_schedule nothing = {.seed = SEED};
    const yr_play_options options = {.is_counting = true, .on_settled = sabotage};
    return yr_play_run(&nothing, &options);
}

static void assert_broken(void (*sabotage)(void *context, yr_play *play), yr_invariant expected)
{
    yr_verdict verdict = play(sabotage);
    if (verdict.broken != expected) {
        print_message("%s: %s\n", yr_invariant_name(verdict.broken), verdict.text);
    }
    assert_int_equal(verdict.broken, expected);
    assert_true(expected == YR_HOLDS || strlen(verdict.text) > 0);
}

static void when_nothing_is_broken_all_hold(void **state)
{
    (void)state;
    assert_broken(NULL, YR_HOLDS);
}

/* ---- I1 ---- */

static void tell_what_is_not(void *context, yr_play *play)
{
    (void)context;
    yr_view *view = play->processes[YR_PLAY_PROVIDERS]->views[0];
    (void)strcpy(view->told, "10.0.0.1:1 ");
}

static void miscount(void *context, yr_play *play)
{
    (void)context;
    play->processes[0]->registry->core.counters.registered++;
}

static void what_is_told_and_is_not_breaks_convergence(void **state)
{
    (void)state;
    assert_broken(tell_what_is_not, YR_CONVERGENCE);
    assert_broken(miscount, YR_CONVERGENCE);
}

/* ---- I2 ---- */

static void leave_a_key(void *context, yr_play *play)
{
    (void)context;
    yr_fake_etcd_put(play->fleet->etcd, "/rpc/com.acme.Ghost:1.0/10.0.0.1:1", "{}", 0);
    yr_sim_run_for(play->fleet->sim, 1);
}

static void leave_leases(void *context, yr_play *play)
{
    (void)context;
    for (int i = 0; i < YR_FLEET_PROCESSES_MAX; i++) {
        (void)yr_fake_etcd_grant(play->fleet->etcd, 1000);
    }
}

static void a_key_without_a_lease_and_leases_of_nobody_are_ghosts(void **state)
{
    (void)state;
    assert_broken(leave_a_key, YR_NO_GHOST);
    assert_broken(leave_leases, YR_NO_GHOST);
}

/* ---- I3, I4 ---- */

static const char value[] =
    "{\"serviceName\":\"com.acme.Nobody\",\"serviceVersion\":\"1.0\","
    "\"serviceHost\":\"10.0.0.1\",\"servicePort\":50,\"serviceGroup\":\"default\"}";
static const char other_value[] =
    "{\"serviceName\":\"com.acme.Nobody\",\"serviceVersion\":\"1.0\","
    "\"serviceHost\":\"10.0.0.1\",\"servicePort\":50,\"serviceGroup\":\"other\"}";
static const char key[] = "/rpc/" SERVICE "/10.0.0.1:50";

/* The key is put twice and deleted; the revision of the first. */
static int64_t make_history(yr_play *play)
{
    yr_fake_etcd *etcd = play->fleet->etcd;
    yr_fake_etcd_put(etcd, key, value, 0);
    int64_t first = yr_fake_etcd_revision(etcd);
    yr_fake_etcd_put(etcd, key, other_value, 0);
    return first;
}

/* Doctored: the first consumer is told of the instance with that value at that revision. */
static void tell(yr_play *play, yurpc_event_kind kind, const char *told, int64_t revision)
{
    yurpc_instance *instance = NULL;
    assert_ok(yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text("10.0.0.1:50"),
                                 yr_bytes_of_text(told), revision, &instance, NULL));
    static yr_view view;
    view = *play->processes[YR_PLAY_PROVIDERS]->views[0];
    view.service = SERVICE;
    const yr_fleet_observer *observer = play->fleet->observer;
    observer->on_event(observer->context, &view, kind, instance);
    yr_instance_unref(instance);
}

static void tell_in_order(void *context, yr_play *play)
{
    (void)context;
    int64_t first = make_history(play);
    tell(play, YURPC_EVENT_UP, value, first);
    tell(play, YURPC_EVENT_CHANGED, other_value, first + 1);
    yr_fake_etcd_delete(play->fleet->etcd, key);
    tell(play, YURPC_EVENT_DOWN, other_value, first + 1);
    yr_sim_run_for(play->fleet->sim, YR_PLAY_RECOVERY_MS);
}

static void tell_what_was_not_written(void *context, yr_play *play)
{
    (void)context;
    tell(play, YURPC_EVENT_UP, other_value, make_history(play));
}

static void tell_backwards(void *context, yr_play *play)
{
    (void)context;
    int64_t first = make_history(play);
    tell(play, YURPC_EVENT_UP, other_value, first + 1);
    tell(play, YURPC_EVENT_CHANGED, value, first);
}

static void tell_again_after_the_end(void *context, yr_play *play)
{
    (void)context;
    int64_t first = make_history(play);
    tell(play, YURPC_EVENT_UP, other_value, first + 1);
    yr_fake_etcd_delete(play->fleet->etcd, key);
    tell(play, YURPC_EVENT_DOWN, other_value, first + 1);
    tell(play, YURPC_EVENT_UP, other_value, first + 1);
}

static void what_was_not_written_or_goes_back_is_not_monotone(void **state)
{
    (void)state;
    assert_broken(tell_in_order, YR_HOLDS);
    assert_broken(tell_what_was_not_written, YR_MONOTONE);
    assert_broken(tell_backwards, YR_MONOTONE);
    assert_broken(tell_again_after_the_end, YR_MONOTONE);
}

static void remove_what_stands(void *context, yr_play *play)
{
    (void)context;
    int64_t first = make_history(play);
    tell(play, YURPC_EVENT_UP, other_value, first + 1);
    tell(play, YURPC_EVENT_DOWN, other_value, first + 1);
}

static void what_stands_and_is_removed_is_a_false_removal(void **state)
{
    (void)state;
    assert_broken(remove_what_stands, YR_NO_FALSE_REMOVAL);
}

/* A new epoch: all of the old one has ended, and its revisions come again. */
static void begin_anew(void *context, yr_play *play)
{
    (void)context;
    int64_t first = make_history(play);
    tell(play, YURPC_EVENT_UP, other_value, first + 1);
    assert_ok(yr_fake_etcd_restart(play->fleet->etcd, true));
    tell(play, YURPC_EVENT_DOWN, other_value, first + 1);
    yr_fake_etcd_put(play->fleet->etcd, key, value, 0);
    tell(play, YURPC_EVENT_UP, value, yr_fake_etcd_revision(play->fleet->etcd));
    yr_fake_etcd_delete(play->fleet->etcd, key);
    tell(play, YURPC_EVENT_DOWN, value, 2);
    yr_checker_fail(&play->checker, YR_PROMISES, "it came to the end");
}

static void after_a_wipe_revisions_may_come_again(void **state)
{
    (void)state;
    yr_verdict verdict = play(begin_anew);
    assert_string_equal(verdict.text, "it came to the end");
}

/* ---- I5 ---- */

static void write_something(void *context)
{
    yr_play *play = context;
    yr_fake_etcd_put(play->fleet->etcd, "/elsewhere", "", 0);
}

static void write_later(void *context, yr_play *play)
{
    (void)context;
    static yr_timer timer;
    yr_timer_init(&timer, write_something, play);
    yr_timer_start(yr_sim_host_io(play->fleet->etcd_host), &timer, 1);
}

/* One more client, which the checker does not expect, for each of its own. */
static void ask_too_much(void *context, yr_play *play)
{
    (void)context;
    enum { MORE = 12 };
    for (int i = 0; i < MORE; i++) {
        yr_process *process = yr_fleet_start(play->fleet, "another");
        yr_process_register(process, "com.acme.Another:1.0", (uint16_t)(1 + i));
    }
    yr_sim_run_for(play->fleet->sim, 1000);
}

static void connect_too_often(void *context, yr_play *play)
{
    (void)context;
    const yr_traffic storm = {.ms = 20000, .clients = 5, .endpoints = 1, .connects = 200};
    const yr_traffic calm = {.ms = 20000, .clients = 5, .endpoints = 1, .connects = 10};
    yr_checker_judge_traffic(&play->checker, &calm);
    assert_int_equal(play->checker.verdict.broken, YR_HOLDS);
    yr_checker_judge_traffic(&play->checker, &storm);
}

/* Tokens that expire explain some of what is asked for, but not logins without end. */
static void log_in_too_often(void *context, yr_play *play)
{
    (void)context;
    yr_traffic traffic = {.ms = 20000,
                          .clients = 5,
                          .endpoints = 1,
                          .requests = 110,
                          .requests_most = 45,
                          .logins = 15,
                          .logins_then = 3};
    yr_checker_judge_traffic(&play->checker, &traffic);
    assert_int_equal(play->checker.verdict.broken, YR_HOLDS);
    traffic.logins = 26;
    yr_checker_judge_traffic(&play->checker, &traffic);
}

static void who_writes_asks_or_connects_for_no_reason_is_not_quiet(void **state)
{
    (void)state;
    assert_broken(write_later, YR_QUIET);
    assert_broken(ask_too_much, YR_QUIET);
    assert_broken(connect_too_often, YR_QUIET);
    assert_broken(log_in_too_often, YR_QUIET);
}

/* ---- I6 ---- */

static void *leak;

static void leave_a_block(void *context, yr_play *play)
{
    (void)context;
    (void)play;
    leak = yr_calloc(1, 1);
}

static void on_end(void *context, const yurpc_error *error)
{
    (void)context;
    (void)error;
}

static void on_data(void *context, yurpc_bytes bytes)
{
    (void)context;
    (void)bytes;
}

static void on_open(void *context)
{
    (void)context;
}

static yr_stream *stream;

static void leave_a_stream(void *context, yr_play *play)
{
    (void)context;
    static const yr_stream_events events = {
        .on_open = on_open, .on_data = on_data, .on_end = on_end};
    const yr_connect_options options = {.host = "etcd", .port = 2379, .timeout_ms = 1000};
    yr_process *process = play->processes[YR_PLAY_PROVIDERS + 1];
    assert_ok(yr_io_connect(yr_sim_host_io(process->host), &options, &events, NULL, &stream));
    yr_sim_run_for(play->fleet->sim, 1000);
    yr_sim_load load = yr_sim_host_load(process->host);
    yr_checker_judge_load(&play->checker, process, &play->bases[YR_PLAY_PROVIDERS + 1], &load);
    yr_stream_close(stream);
}

static void blocks_and_streams_that_are_left_are_found(void **state)
{
    (void)state;
    assert_broken(leave_a_block, YR_RESOURCES);
    yr_free(leak);
    assert_broken(leave_a_stream, YR_RESOURCES);
}

/* ---- I7, I8 ---- */

static void tell_state(yr_play *play, yurpc_registration_state before, size_t endings,
                       yurpc_registration_state state)
{
    const yr_life life = {.process = play->processes[0], .state = before, .endings = endings};
    play->fleet->observer->on_state(play->fleet->observer->context, &life, state);
}

static void register_twice(void *context, yr_play *play)
{
    (void)context;
    tell_state(play, YURPC_REGISTERING, 0, YURPC_REGISTERED);
    tell_state(play, YURPC_REGISTERED, 0, YURPC_LOST);
    assert_int_equal(play->checker.verdict.broken, YR_HOLDS);
    tell_state(play, YURPC_REGISTERED, 0, YURPC_REGISTERED);
}

static void lose_what_was_not(void *context, yr_play *play)
{
    (void)context;
    tell_state(play, YURPC_REGISTERING, 0, YURPC_LOST);
}

static void tell_after_the_end(void *context, yr_play *play)
{
    (void)context;
    tell_state(play, YURPC_GONE, 1, YURPC_REGISTERED);
}

static void forget_an_end(void *context, yr_play *play)
{
    (void)context;
    yr_wanted *wanted = yr_process_register(play->processes[2], SERVICE, 1);
    yr_life *life = wanted->life;
    yr_process_unregister(play->processes[2], wanted);
    yr_sim_run_for(play->fleet->sim, YR_PLAY_RECOVERY_MS);
    assert_int_equal(life->endings, 1);
    life->endings = 0;
}

static void freshen_twice(void *context, yr_play *play)
{
    (void)context;
    const yr_fleet_observer *observer = play->fleet->observer;
    observer->on_event(observer->context, play->processes[YR_PLAY_PROVIDERS]->views[0],
                       YURPC_EVENT_FRESH, NULL);
}

static void callbacks_out_of_order_are_found(void **state)
{
    (void)state;
    assert_broken(register_twice, YR_CALLBACKS);
    assert_broken(lose_what_was_not, YR_CALLBACKS);
    assert_broken(tell_after_the_end, YR_CALLBACKS);
    assert_broken(forget_an_end, YR_CALLBACKS);
    assert_broken(freshen_twice, YR_CALLBACKS);
}

static void return_late(void *context, yr_play *play)
{
    (void)context;
    const yr_fleet_observer *observer = play->fleet->observer;
    const yr_process *process = play->processes[0];
    yr_fleet_call call = {.what = "discover()", .limit_ms = 1000};
    call.begun_ms = yr_fleet_call_age_ms(&call, process);
    yr_sim_run_for(play->fleet->sim, 1000);
    observer->on_call_end(observer->context, process, &call);
    assert_int_equal(play->checker.verdict.broken, YR_HOLDS);
    yr_sim_run_for(play->fleet->sim, YR_FLEET_LATE_MS + 1);
    observer->on_call_end(observer->context, process, &call);
}

static void a_call_that_returns_late_is_found(void **state)
{
    (void)state;
    assert_broken(return_late, YR_DEADLINES);
}

/* ---- The promises ---- */

static void notice(void *context, yr_play *play)
{
    (void)context;
    play->checker.is_hushed = true;
    int64_t first = make_history(play);
    tell(play, YURPC_EVENT_UP, other_value, first + 1);
}

/* Leases live on after those who held them. */
static void outlive(void *context, yr_play *play)
{
    (void)context;
    yr_process_register(play->processes[SEED % YR_PLAY_PROVIDERS], yr_play_services[0], 1);
    yr_sim_run_for(play->fleet->sim, 1000);
    yr_list *link = yr_fake_etcd_leases(play->fleet->etcd)->all.next;
    yr_fake_lease *lease = YR_CONTAINER_OF(link, yr_fake_lease, link);
    lease->ttl_s = 100; /* from its next renewal on */
    yr_sim_run_for(play->fleet->sim, 2000);
}

static void what_is_noticed_or_removed_too_late_breaks_a_promise(void **state)
{
    (void)state;
    assert_broken(notice, YR_PROMISES);
    assert_broken(outlive, YR_PROMISES);
}

/* ---- Schedules as data ---- */

static void a_schedule_survives_text(void **state)
{
    (void)state;
    enum { SEEDS = 50 };
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        static yr_schedule drawn;
        static yr_schedule again;
        yr_schedule_draw(&drawn, seed);
        FILE *file = tmpfile();
        assert_non_null(file);
        yr_schedule_write(&drawn, file);
        rewind(file);
        assert_true(yr_schedule_read(&again, file));
        (void)fclose(file);
        assert_int_equal(again.seed, drawn.seed);
        assert_int_equal(again.count, drawn.count);
        for (size_t i = 0; i < drawn.count; i++) {
            assert_int_equal(again.actions[i].kind, drawn.actions[i].kind);
            assert_int_equal(again.actions[i].chance, drawn.actions[i].chance);
            assert_int_equal(again.actions[i].wait_ms, drawn.actions[i].wait_ms);
        }
    }
}

static void what_is_kept_is_what_was_drawn(void **state)
{
    (void)state;
    static yr_schedule drawn;
    static yr_schedule kept;
    yr_schedule_draw(&drawn, SEED);
    kept = drawn;
    assert_true(yr_schedule_keep(&kept, "1,4:0,7:250"));
    assert_int_equal(kept.count, 3);
    assert_int_equal(kept.actions[1].chance, drawn.actions[4].chance);
    assert_int_equal(kept.actions[0].wait_ms, drawn.actions[1].wait_ms);
    assert_int_equal(kept.actions[1].wait_ms, 0);
    assert_int_equal(kept.actions[2].wait_ms, 250);
    assert_false(yr_schedule_keep(&kept, "1,x"));
    assert_false(yr_schedule_keep(&kept, "2"));
    assert_false(yr_schedule_keep(&kept, "1:70000"));
}

static void remember_revision(void *context, yr_play *play)
{
    int64_t *revision = context;
    *revision = yr_fake_etcd_revision(play->fleet->etcd) * 1000 * 1000 +
                yr_sim_now_ms(play->fleet->sim) % (1000 * 1000);
}

static void the_same_schedule_ends_in_the_same_way(void **state)
{
    (void)state;
    enum { FIRST = 10, COUNT = 10 };
    for (uint64_t seed = FIRST; seed < FIRST + COUNT; seed++) {
        static yr_schedule schedule;
        int64_t revisions[2] = {0};
        for (size_t i = 0; i < 2; i++) {
            yr_schedule_draw(&schedule, seed);
            const yr_play_options options = {.on_settled = remember_revision,
                                             .context = &revisions[i]};
            assert_int_equal(yr_play_run(&schedule, &options).broken, YR_HOLDS);
        }
        assert_true(revisions[0] > 0);
        assert_int_equal(revisions[0], revisions[1]);
    }
}

/* Fails when the actions 5 and 17 are there, and something else with either alone. */
static int fail_with_both(void *context, const yr_schedule *schedule)
{
    size_t *trials = context;
    bool has_5 = false;
    bool has_17 = false;
    (*trials)++;
    for (size_t i = 0; i < schedule->count; i++) {
        has_5 = has_5 || schedule->actions[i].index == 5;
        has_17 =
            has_17 || (schedule->actions[i].index == 17 && schedule->actions[i].wait_ms > 0);
    }
    return has_5 && has_17 ? YR_QUIET : has_5 ? YR_CALLBACKS : YR_HOLDS;
}

static void shrinking_leaves_what_fails_in_the_same_way(void **state)
{
    (void)state;
    enum { COUNT = 40, TRIALS_MAX = 500 };
    static yr_schedule schedule;
    schedule = (yr_schedule){.seed = SEED, .count = COUNT};
    for (uint32_t i = 0; i < COUNT; i++) {
        schedule.actions[i] = (yr_action){.index = i, .wait_ms = 100};
    }
    size_t trials = 0;
    size_t counted = yr_shrink(&schedule, YR_QUIET, fail_with_both, &trials, TRIALS_MAX);
    assert_int_equal(counted, trials);
    assert_in_range(trials, 1, TRIALS_MAX);
    assert_int_equal(schedule.count, 2);
    assert_int_equal(schedule.actions[0].index, 5);
    assert_int_equal(schedule.actions[0].wait_ms, 0);
    assert_int_equal(schedule.actions[1].index, 17);
    assert_int_equal(schedule.actions[1].wait_ms, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_nothing_is_broken_all_hold),
        cmocka_unit_test(what_is_told_and_is_not_breaks_convergence),
        cmocka_unit_test(a_key_without_a_lease_and_leases_of_nobody_are_ghosts),
        cmocka_unit_test(what_was_not_written_or_goes_back_is_not_monotone),
        cmocka_unit_test(what_stands_and_is_removed_is_a_false_removal),
        cmocka_unit_test(after_a_wipe_revisions_may_come_again),
        cmocka_unit_test(who_writes_asks_or_connects_for_no_reason_is_not_quiet),
        cmocka_unit_test(blocks_and_streams_that_are_left_are_found),
        cmocka_unit_test(callbacks_out_of_order_are_found),
        cmocka_unit_test(a_call_that_returns_late_is_found),
        cmocka_unit_test(what_is_noticed_or_removed_too_late_breaks_a_promise),
        cmocka_unit_test(a_schedule_survives_text),
        cmocka_unit_test(what_is_kept_is_what_was_drawn),
        cmocka_unit_test(the_same_schedule_ends_in_the_same_way),
        cmocka_unit_test(shrinking_leaves_what_fails_in_the_same_way),
    };
    return cmocka_run_group_tests_name("checker", tests, NULL, NULL);
}
