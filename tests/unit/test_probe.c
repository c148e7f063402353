/* Probing hosts, in the simulated world. */
#include "base/mem.h"
#include "registry/consumer/probe.h"
#include "sim/sim_io.h"
#include "yr_test.h"

enum { PORT = 80, PROBES = 100 };

typedef struct asked {
    yr_probe probe;
    yr_io *io;
    size_t answers;
    bool is_refused;
    int64_t at_ms;
} asked;

typedef struct setting {
    yr_sim *sim;
    yr_io *io;
    yr_sim_host *target;
    yr_prober prober;
    yr_listener *listener;
    size_t accepted;
    size_t open_max;
    asked asked[PROBES];
} setting;

static void on_answer(void *context, bool is_refused)
{
    asked *one = context;
    one->answers++;
    one->is_refused = is_refused;
    one->at_ms = yr_io_now_ms(one->io);
}

static void on_accept(void *context, yr_stream *stream)
{
    setting *it = context;
    it->accepted++;
    yr_stream_close(stream);
}

static setting *set(void)
{
    setting *it = yr_calloc(1, sizeof *it);
    assert_non_null(it);
    it->sim = yr_sim_new(7);
    it->io = yr_sim_host_io(yr_sim_host_new(it->sim, "asker"));
    it->target = yr_sim_host_new(it->sim, "target");
    yr_prober_init(&it->prober, it->io);
    for (size_t i = 0; i < PROBES; i++) {
        it->asked[i].io = it->io;
        yr_probe_init(&it->asked[i].probe, &it->prober, on_answer, &it->asked[i]);
    }
    return it;
}

static void end(setting *it)
{
    for (size_t i = 0; i < PROBES; i++) {
        yr_probe_stop(&it->asked[i].probe);
    }
    yr_prober_deinit(&it->prober);
    yr_listener_close(it->listener);
    yr_sim_run_for(it->sim, 100);
    yr_sim_free(it->sim);
    yr_free(it);
}

static void listen(setting *it)
{
    assert_ok(
        yr_io_listen(yr_sim_host_io(it->target), "target", PORT, on_accept, it, &it->listener));
}

static void a_host_where_nobody_listens_refuses(void **state)
{
    (void)state;
    setting *it = set();
    yr_probe_begin(&it->asked[0].probe, "target", PORT);
    yr_sim_run_for(it->sim, YR_PROBE_SPREAD_MS + 50);
    assert_int_equal(it->asked[0].answers, 1);
    assert_true(it->asked[0].is_refused);
    end(it);
}

static void a_host_that_accepts_is_left_at_once(void **state)
{
    (void)state;
    setting *it = set();
    listen(it);
    yr_probe_begin(&it->asked[0].probe, "target", PORT);
    yr_sim_run_for(it->sim, YR_PROBE_SPREAD_MS + 50);
    assert_int_equal(it->asked[0].answers, 1);
    assert_false(it->asked[0].is_refused);
    assert_int_equal(it->accepted, 1);
    end(it);
}

static void silence_and_unknown_names_prove_nothing(void **state)
{
    (void)state;
    setting *it = set();
    yr_sim_cut_host(it->target);
    yr_probe_begin(&it->asked[0].probe, "target", PORT);
    yr_probe_begin(&it->asked[1].probe, "nobody", PORT);
    yr_sim_run_for(it->sim, YR_PROBE_SPREAD_MS + YR_PROBE_TIMEOUT_MS + 50);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(it->asked[i].answers, 1);
        assert_false(it->asked[i].is_refused);
    }
    end(it);
}

static void many_probes_are_paced(void **state)
{
    (void)state;
    setting *it = set();
    for (size_t i = 0; i < PROBES; i++) {
        yr_probe_begin(&it->asked[i].probe, "target", PORT);
    }
    yr_sim_run_for(it->sim, YR_PROBE_SPREAD_MS + PROBES * YR_PROBE_INTERVAL_MS + 50);
    for (size_t i = 0; i < PROBES; i++) {
        assert_int_equal(it->asked[i].answers, 1);
        if (i >= 20) { /* no more than 20 in any second, beside the burst */
            int64_t took = it->asked[i].at_ms - it->asked[i - 20].at_ms;
            assert_true(took >= 1000 - YR_PROBE_BURST * YR_PROBE_INTERVAL_MS - 20);
        }
    }
    end(it);
}

static void no_more_than_some_are_under_way_at_once(void **state)
{
    (void)state;
    setting *it = set();
    yr_sim_cut_host(it->target);
    for (size_t i = 0; i < PROBES; i++) {
        yr_probe_begin(&it->asked[i].probe, "target", PORT);
    }
    for (int i = 0; i < 10000; i++) {
        yr_sim_run_for(it->sim, 1);
        it->open_max = it->prober.active > it->open_max ? it->prober.active : it->open_max;
    }
    assert_int_equal(it->open_max, YR_PROBE_ACTIVE_MAX);
    end(it);
}

static void a_stopped_probe_never_answers_and_makes_room(void **state)
{
    (void)state;
    setting *it = set();
    yr_sim_cut_host(it->target);
    for (size_t i = 0; i < YR_PROBE_ACTIVE_MAX + 1u; i++) {
        yr_probe_begin(&it->asked[i].probe, "target", PORT);
    }
    yr_sim_run_for(it->sim, YR_PROBE_SPREAD_MS + 400);
    assert_int_equal(it->prober.active, YR_PROBE_ACTIVE_MAX);
    for (size_t i = 0; i < YR_PROBE_ACTIVE_MAX; i++) {
        yr_probe_stop(&it->asked[i].probe);
    }
    yr_sim_heal_all(it->sim);
    yr_sim_run_for(it->sim, 200);
    for (size_t i = 0; i < YR_PROBE_ACTIVE_MAX; i++) {
        assert_int_equal(it->asked[i].answers, 0);
    }
    assert_int_equal(it->asked[YR_PROBE_ACTIVE_MAX].answers, 1);
    assert_int_equal(it->prober.active, 0);
    end(it);
}

static void without_memory_a_probe_ends_and_proves_nothing(void **state)
{
    (void)state;
    setting *it = set();
    yr_probe_begin(&it->asked[0].probe, "target", PORT);
    yr_mem_fail_after(0);
    yr_sim_run_for(it->sim, YR_PROBE_SPREAD_MS + 50);
    yr_mem_fail_after(-1);
    assert_int_equal(it->asked[0].answers, 1);
    assert_false(it->asked[0].is_refused);
    end(it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_where_nobody_listens_refuses),
        cmocka_unit_test(a_host_that_accepts_is_left_at_once),
        cmocka_unit_test(silence_and_unknown_names_prove_nothing),
        cmocka_unit_test(many_probes_are_paced),
        cmocka_unit_test(no_more_than_some_are_under_way_at_once),
        cmocka_unit_test(a_stopped_probe_never_answers_and_makes_room),
        cmocka_unit_test(without_memory_a_probe_ends_and_proves_nothing),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
