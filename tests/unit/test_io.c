/* Timers, tasks and work: the same tests in both worlds. */
#include "base/mem.h"
#include "net/io.h"
#include "net/uv/uv_io.h"
#include "sim/sim_io.h"
#include "yr_test.h"

#include <unistd.h>

enum { MANY = 1000 };

typedef struct world {
    yr_io *io;
    yr_sim *sim; /* NULL: the real world */
} world;

static int set_up_uv(void **state)
{
    static world w;
    w = (world){.sim = NULL};
    *state = &w;
    return yr_uv_io_new(&w.io, NULL) == YURPC_OK ? 0 : -1;
}

static int set_up_sim(void **state)
{
    static world w;
    w = (world){.sim = yr_sim_new(7)};
    w.io = yr_sim_host_io(yr_sim_host_new(w.sim, "host"));
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    world *w = *state;
    if (w->sim != NULL) {
        yr_sim_free(w->sim);
    } else {
        yr_uv_io_free(w->io);
    }
    return 0;
}

static void run_for(world *w, int64_t ms)
{
    if (w->sim != NULL) {
        yr_sim_run_for(w->sim, ms);
        return;
    }
    int64_t end_ms = yr_io_now_ms(w->io) + ms;
    bool is_over = false;
    do { /* one more turn at the end, though the machine let us sleep past it */
        usleep(500);
        is_over = yr_io_now_ms(w->io) >= end_ms;
        yr_uv_io_run(w->io, false);
    } while (!is_over);
}

/* ---- Timers ---- */

typedef struct alarm_clock {
    world *w;
    yr_timer timer;
    int fired;
    int64_t fired_ms;
    int restarts;              /* how often it starts itself anew, at once */
    struct alarm_clock *other; /* is stopped when this one fires */
    int *sequence;
    int place;
} alarm_clock;

static void on_alarm(void *context)
{
    alarm_clock *a = context;
    assert_false(yr_timer_is_running(&a->timer));
    a->fired++;
    a->fired_ms = yr_io_now_ms(a->w->io);
    a->place = a->sequence != NULL ? (*a->sequence)++ : 0;
    if (a->restarts > 0) {
        a->restarts--;
        yr_timer_start(a->w->io, &a->timer, 0);
    }
    if (a->other != NULL) {
        yr_timer_stop(a->w->io, &a->other->timer);
    }
}

static void alarm_init(alarm_clock *a, world *w)
{
    *a = (alarm_clock){.w = w};
    yr_timer_init(&a->timer, on_alarm, a);
}

static void a_timer_fires_once_at_its_time(void **state)
{
    world *w = *state;
    alarm_clock a;
    alarm_init(&a, w);
    int64_t begun_ms = yr_io_now_ms(w->io);
    yr_timer_start(w->io, &a.timer, 20);
    assert_true(yr_timer_is_running(&a.timer));
    run_for(w, 15);
    run_for(w, 65);
    assert_int_equal(a.fired, 1);
    assert_true(a.fired_ms >= begun_ms + 20);
    assert_false(yr_timer_is_running(&a.timer));
}

static void a_timer_started_anew_fires_at_the_new_time_only(void **state)
{
    world *w = *state;
    alarm_clock a;
    alarm_init(&a, w);
    int64_t begun_ms = yr_io_now_ms(w->io);
    yr_timer_start(w->io, &a.timer, 5);
    yr_timer_start(w->io, &a.timer, 40);
    run_for(w, 100);
    assert_int_equal(a.fired, 1);
    assert_true(a.fired_ms >= begun_ms + 40);
}

static void a_stopped_timer_does_not_fire(void **state)
{
    world *w = *state;
    alarm_clock a;
    alarm_init(&a, w);
    yr_timer_stop(w->io, &a.timer); /* does not run: nothing happens */
    yr_timer_start(w->io, &a.timer, 5);
    yr_timer_stop(w->io, &a.timer);
    run_for(w, 20);
    assert_int_equal(a.fired, 0);
}

static void a_timer_stopped_by_another_of_the_same_instant_does_not_fire(void **state)
{
    world *w = *state;
    alarm_clock a;
    alarm_clock b;
    alarm_init(&a, w);
    alarm_init(&b, w);
    a.other = &b;
    yr_timer_start(w->io, &a.timer, 5);
    yr_timer_start(w->io, &b.timer, 5);
    run_for(w, 20);
    assert_int_equal(a.fired, 1);
    assert_int_equal(b.fired, 0);
}

static alarm_clock many[MANY];
static int64_t many_due[MANY];

/* In a callback, where the clock stands still. */
static void start_many(void *context)
{
    world *w = context;
    for (int i = 0; i < MANY; i++) {
        yr_timer_start(w->io, &many[i].timer, many_due[i]);
    }
}

static void timers_fire_in_the_order_of_time_then_of_starting(void **state)
{
    world *w = *state;
    int sequence = 0;
    uint64_t random = 42;
    for (int i = 0; i < MANY; i++) {
        alarm_init(&many[i], w);
        many[i].sequence = &sequence;
        random = random * 6364136223846793005U + 1442695040888963407U;
        many_due[i] = (int64_t)(random >> 33) % 20;
    }
    yr_task task;
    yr_task_init(&task, start_many, w);
    assert_true(yr_io_post(w->io, &task));
    for (int i = 0; i < MANY && sequence < MANY; i++) {
        run_for(w, 10);
    }
    assert_int_equal(sequence, MANY);
    for (int i = 0; i < MANY; i++) {
        for (int j = i + 1; j < MANY; j++) {
            assert_true((many[i].place < many[j].place) == (many_due[i] <= many_due[j]));
        }
    }
}

static void a_timer_that_starts_itself_at_once_lets_others_run(void **state)
{
    world *w = *state;
    alarm_clock a;
    alarm_clock b;
    alarm_init(&a, w);
    alarm_init(&b, w);
    a.restarts = 50;
    yr_timer_start(w->io, &a.timer, -5); /* negative is 0 */
    yr_timer_start(w->io, &b.timer, 1);
    for (int i = 0; i < MANY && a.fired + b.fired < 52; i++) {
        run_for(w, 10);
    }
    assert_int_equal(a.fired, 51);
    assert_int_equal(b.fired, 1);
}

static void a_timer_for_ever_does_not_overflow(void **state)
{
    world *w = *state;
    alarm_clock a;
    alarm_init(&a, w);
    yr_timer_start(w->io, &a.timer, INT64_MAX);
    run_for(w, 5);
    assert_int_equal(a.fired, 0);
    assert_true(yr_timer_is_running(&a.timer));
    yr_timer_stop(w->io, &a.timer);
}

/* ---- Tasks ---- */

typedef struct errand {
    world *w;
    yr_task task;
    int ran;
    int *sequence;
    int place;
    int reposts;          /* how often it posts itself again */
    struct errand *other; /* is taken back when this one runs */
    bool could_unpost;
} errand;

static void on_errand(void *context)
{
    errand *e = context;
    e->ran++;
    e->place = e->sequence != NULL ? (*e->sequence)++ : 0;
    if (e->reposts > 0) {
        e->reposts--;
        assert_true(yr_io_post(e->w->io, &e->task)); /* it has begun: it can be posted */
    }
    if (e->other != NULL) {
        e->could_unpost = yr_io_unpost(e->w->io, &e->other->task);
    }
}

static void errand_init(errand *e, world *w)
{
    *e = (errand){.w = w};
    yr_task_init(&e->task, on_errand, e);
}

static void tasks_run_later_in_the_order_of_posting(void **state)
{
    world *w = *state;
    int sequence = 0;
    errand e[3];
    for (int i = 0; i < 3; i++) {
        errand_init(&e[i], w);
        e[i].sequence = &sequence;
    }
    assert_true(yr_io_post(w->io, &e[1].task));
    assert_true(yr_io_post(w->io, &e[0].task));
    assert_true(yr_io_post(w->io, &e[2].task));
    assert_int_equal(sequence, 0);
    run_for(w, 2);
    assert_int_equal(e[1].place, 0);
    assert_int_equal(e[0].place, 1);
    assert_int_equal(e[2].place, 2);
}

static void a_posted_task_is_not_posted_twice(void **state)
{
    world *w = *state;
    errand e;
    errand_init(&e, w);
    assert_true(yr_io_post(w->io, &e.task));
    assert_false(yr_io_post(w->io, &e.task));
    run_for(w, 2);
    assert_int_equal(e.ran, 1);
    assert_true(yr_io_post(w->io, &e.task));
    run_for(w, 2);
    assert_int_equal(e.ran, 2);
}

static void a_task_may_post_itself_and_timers_still_run(void **state)
{
    world *w = *state;
    errand e;
    alarm_clock a;
    errand_init(&e, w);
    alarm_init(&a, w);
    e.reposts = 50;
    assert_true(yr_io_post(w->io, &e.task));
    yr_timer_start(w->io, &a.timer, 1);
    for (int i = 0; i < 5000 && (e.ran < 51 || a.fired < 1); i++) {
        run_for(w, 1);
    }
    assert_int_equal(e.ran, 51);
    assert_int_equal(a.fired, 1);
}

static void a_task_taken_back_does_not_run(void **state)
{
    world *w = *state;
    errand a;
    errand b;
    errand_init(&a, w);
    errand_init(&b, w);
    assert_false(yr_io_unpost(w->io, &a.task));
    assert_true(yr_io_post(w->io, &a.task));
    assert_true(yr_io_unpost(w->io, &a.task));
    run_for(w, 2);
    assert_int_equal(a.ran, 0);

    a.other = &b; /* also out of the batch that is running */
    assert_true(yr_io_post(w->io, &a.task));
    assert_true(yr_io_post(w->io, &b.task));
    run_for(w, 2);
    assert_true(a.could_unpost);
    assert_int_equal(a.ran, 1);
    assert_int_equal(b.ran, 0);
    assert_true(yr_io_post(w->io, &b.task));
    run_for(w, 2);
    assert_int_equal(b.ran, 1);
}

/* ---- Work, clocks, chance ---- */

typedef struct job {
    yr_work work;
    int ran;
    int done;
} job;

static void on_run(void *context)
{
    job *j = context;
    assert_int_equal(j->done, 0);
    j->ran++;
}

static void on_done(void *context)
{
    job *j = context;
    assert_int_equal(j->ran, 1);
    j->done++;
}

static void work_runs_and_then_is_done(void **state)
{
    world *w = *state;
    job j = {.ran = 0};
    j.work = (yr_work){.run = on_run, .done = on_done, .context = &j};
    assert_ok(yr_io_work(w->io, &j.work));
    assert_int_equal(j.done, 0);
    for (int i = 0; i < 5000 && j.done == 0; i++) {
        run_for(w, 1);
    }
    assert_int_equal(j.done, 1);
}

static void clocks_go_forward_and_chance_varies(void **state)
{
    world *w = *state;
    int64_t now_ms = yr_io_now_ms(w->io);
    int64_t boot_ms = yr_io_boot_ms(w->io);
    assert_true(yr_io_wall_ms(w->io) > 0);
    assert_int_not_equal(yr_io_random(w->io), yr_io_random(w->io));
    run_for(w, 10);
    assert_true(yr_io_now_ms(w->io) >= now_ms + 10);
    assert_true(yr_io_boot_ms(w->io) >= boot_ms + 9);
    /* One and the same: what one says later is not less. */
    now_ms = yr_io_now_ms(w->io);
    boot_ms = yr_io_boot_ms(w->io);
    assert_true(now_ms <= boot_ms && boot_ms <= yr_io_now_ms(w->io));
}

static void on_fd(void *context, int events)
{
    *(int *)context |= events;
}

static void a_foreign_descriptor_is_watched_in_the_real_world(void **state)
{
    world *w = *state;
    int fds[2];
    int seen = 0;
    yr_fd_watch *watch = NULL;
    assert_int_equal(pipe(fds), 0);
    yurpc_status status = yr_io_watch_fd(w->io, fds[0], YR_FD_READABLE, on_fd, &seen, &watch);
    if (w->sim != NULL) {
        assert_int_equal(status, YURPC_UNSUPPORTED);
        assert_null(watch);
    } else {
        assert_ok(status);
        run_for(w, 2);
        assert_int_equal(seen, 0);
        assert_int_equal(write(fds[1], "x", 1), 1);
        run_for(w, 5);
        assert_int_equal(seen, YR_FD_READABLE);
        yr_fd_watch *second = NULL;
        assert_int_not_equal(
            yr_io_watch_fd(w->io, fds[0], YR_FD_READABLE, on_fd, &seen, &second), YURPC_OK);
        yr_fd_watch_close(watch);
        seen = 0;
        run_for(w, 5);
        assert_int_equal(seen, 0);

        /* The writing end of a pipe that nobody reads is broken: that counts as ready. */
        close(fds[0]);
        assert_ok(yr_io_watch_fd(w->io, fds[1], YR_FD_WRITABLE, on_fd, &seen, &watch));
        run_for(w, 5);
        assert_int_equal(seen, YR_FD_WRITABLE);
        yr_fd_watch_close(watch);
        fds[0] = -1;
    }
    close(fds[0]);
    close(fds[1]);
}

#define BOTH(name)                                               \
    cmocka_unit_test_setup_teardown(name, set_up_uv, tear_down), \
        cmocka_unit_test_setup_teardown(name, set_up_sim, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(a_timer_fires_once_at_its_time),
        BOTH(a_timer_started_anew_fires_at_the_new_time_only),
        BOTH(a_stopped_timer_does_not_fire),
        BOTH(a_timer_stopped_by_another_of_the_same_instant_does_not_fire),
        BOTH(timers_fire_in_the_order_of_time_then_of_starting),
        BOTH(a_timer_that_starts_itself_at_once_lets_others_run),
        BOTH(a_timer_for_ever_does_not_overflow),
        BOTH(tasks_run_later_in_the_order_of_posting),
        BOTH(a_posted_task_is_not_posted_twice),
        BOTH(a_task_may_post_itself_and_timers_still_run),
        BOTH(a_task_taken_back_does_not_run),
        BOTH(work_runs_and_then_is_done),
        BOTH(clocks_go_forward_and_chance_varies),
        BOTH(a_foreign_descriptor_is_watched_in_the_real_world),
    };
    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
