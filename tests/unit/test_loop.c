/* Who runs a loop: its own thread, a host with poll(2), or a waiter. */
#include "base/bytes.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net_end.h"
#include "yr_test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { POSTERS = 4, POSTS = 500 };

/* Run @p fn on the loop of another thread, and wait until it returned. */
typedef struct visit {
    yr_task task;
    yr_wait wait;
    void (*fn)(void *context);
    void *context;
} visit;

static void on_visit(void *context)
{
    visit *one = context;
    one->fn(one->context);
    yr_wait_signal(&one->wait);
}

static void run_on(yr_loop *loop, void (*fn)(void *context), void *context)
{
    visit one = {.fn = fn, .context = context};
    yr_task_init(&one.task, on_visit, &one);
    yr_wait_init(&one.wait);
    assert_true(yr_io_post(yr_loop_io(loop), &one.task));
    assert_ok(yr_loop_wait(loop, &one.wait));
    yr_wait_deinit(&one.wait);
}

static yr_loop *new_loop(bool has_thread)
{
    yr_loop *loop = NULL;
    assert_ok(yr_loop_new(has_thread, &loop, NULL));
    return loop;
}

static void sleep_ms(long ms)
{
    const struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    assert_int_equal(nanosleep(&time, NULL), 0);
}

/* In a child with so many descriptors to spare; its exit code: 0 made, 1 refused as it should.
 */
static int make_loop_with(int spare)
{
    int next = dup(0);
    close(next);
    const struct rlimit few = {(rlim_t)(next + spare), (rlim_t)(next + spare)};
    yr_loop *loop = NULL;
    yurpc_error *error = NULL;
    if (next < 0 || setrlimit(RLIMIT_NOFILE, &few) != 0) {
        return 3;
    }
    yurpc_status status = yr_loop_new(true, &loop, &error);
    bool is_explained = yurpc_error_status(error) == status;
    yurpc_error_free(error);
    yr_loop_free(loop);
    if (status == YURPC_OK) {
        return 0;
    }
    if (spare > 0 && dup(0) != next) {
        return 4; /* a descriptor was left open */
    }
    return status == YURPC_IO && is_explained ? 1 : 2;
}

/* Must come first: what libuv does once per process is the hardest to survive. */
static void making_a_loop_survives_any_lack_of_descriptors(void **state)
{
    (void)state;
    int made = 0;
    for (int spare = 0; spare <= 16; spare++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            _exit(make_loop_with(spare));
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) <= 1);
        made += WEXITSTATUS(status) == 0 ? 1 : 0;
    }
    assert_true(made > 0 && made <= 16);
}

/* ---- Its own thread ---- */

typedef struct seen {
    yr_loop *loop;
    bool is_current;
    yurpc_status can_wait;
    sigset_t signals;
    char name[16];
} seen;

static void look_around(void *context)
{
    seen *s = context;
    s->is_current = yr_loop_is_current(s->loop);
    s->can_wait = yr_loop_check_wait(s->loop);
    pthread_sigmask(SIG_SETMASK, NULL, &s->signals);
    pthread_getname_np(pthread_self(), s->name, sizeof s->name);
}

static void the_thread_has_a_name_and_takes_no_signals(void **state)
{
    (void)state;
    seen s = {.loop = new_loop(true)};
    assert_false(yr_loop_is_current(s.loop));
    assert_ok(yr_loop_check_wait(s.loop));
    run_on(s.loop, look_around, &s);
    assert_true(s.is_current);
    assert_int_equal(s.can_wait, YURPC_WOULD_DEADLOCK);
    assert_string_equal(s.name, "yurpc");
    assert_int_equal(sigismember(&s.signals, SIGINT), 1);
    assert_int_equal(sigismember(&s.signals, SIGPIPE), 1);
    assert_int_equal(sigismember(&s.signals, SIGCHLD), 1);
    yr_loop_free(s.loop);
    sigset_t ours;
    pthread_sigmask(SIG_SETMASK, NULL, &ours);
    assert_int_equal(sigismember(&ours, SIGINT), 0);
}

static void no_signal_disposition_is_touched(void **state)
{
    (void)state;
    struct sigaction before[32];
    for (int number = 1; number < 32; number++) {
        assert_int_equal(sigaction(number, NULL, &before[number]), 0);
    }
    seen s = {.loop = new_loop(true)};
    run_on(s.loop, look_around, &s);
    yr_loop_free(s.loop);
    for (int number = 1; number < 32; number++) {
        struct sigaction after;
        assert_int_equal(sigaction(number, NULL, &after), 0);
        assert_true(after.sa_handler == before[number].sa_handler);
    }
}

typedef struct poster {
    yr_loop *loop;
    pthread_t thread;
    yr_task tasks[POSTS];
    int ran;
    int next; /* the index that has to come next */
} poster;

typedef struct posted {
    poster *poster;
    int index;
} posted;

static posted posted_contexts[POSTERS][POSTS];

static void on_posted(void *context)
{
    posted *one = context;
    assert_int_equal(one->index, one->poster->next);
    one->poster->next++;
    one->poster->ran++;
}

static void *post_all(void *context)
{
    poster *p = context;
    for (int i = 0; i < POSTS; i++) {
        assert_true(yr_io_post(yr_loop_io(p->loop), &p->tasks[i]));
    }
    return NULL;
}

static void do_nothing(void *context)
{
    (void)context;
}

static void posts_of_four_threads_all_run_in_their_order(void **state)
{
    (void)state;
    static poster posters[POSTERS];
    yr_loop *loop = new_loop(true);
    for (int p = 0; p < POSTERS; p++) {
        posters[p] = (poster){.loop = loop};
        for (int i = 0; i < POSTS; i++) {
            posted_contexts[p][i] = (posted){&posters[p], i};
            yr_task_init(&posters[p].tasks[i], on_posted, &posted_contexts[p][i]);
        }
    }
    for (int p = 0; p < POSTERS; p++) {
        assert_int_equal(pthread_create(&posters[p].thread, NULL, post_all, &posters[p]), 0);
    }
    for (int p = 0; p < POSTERS; p++) {
        assert_int_equal(pthread_join(posters[p].thread, NULL), 0);
    }
    run_on(loop, do_nothing, NULL); /* behind all of them */
    yr_loop_free(loop);
    for (int p = 0; p < POSTERS; p++) {
        assert_int_equal(posters[p].ran, POSTS);
    }
}

typedef struct counter {
    yr_task task;
    _Atomic int ran;
    _Atomic int accepted;
    yr_loop *loop;
} counter;

static void on_count(void *context)
{
    atomic_fetch_add(&((counter *)context)->ran, 1);
}

static void *post_one_often(void *context)
{
    counter *c = context;
    for (int i = 0; i < POSTS; i++) {
        if (yr_io_post(yr_loop_io(c->loop), &c->task)) {
            atomic_fetch_add(&c->accepted, 1);
        }
    }
    return NULL;
}

static void one_task_posted_by_many_runs_as_often_as_it_was_accepted(void **state)
{
    (void)state;
    counter c = {.loop = new_loop(true)};
    yr_task_init(&c.task, on_count, &c);
    pthread_t threads[POSTERS];
    for (int p = 0; p < POSTERS; p++) {
        assert_int_equal(pthread_create(&threads[p], NULL, post_one_often, &c), 0);
    }
    for (int p = 0; p < POSTERS; p++) {
        assert_int_equal(pthread_join(threads[p], NULL), 0);
    }
    run_on(c.loop, do_nothing, NULL);
    yr_loop_free(c.loop);
    assert_true(c.ran > 0);
    assert_int_equal(c.ran, c.accepted);
}

/* ---- Freed in a callback ---- */

typedef struct freeing {
    yr_loop *loop;
    yr_task task;
    yr_timer timer;
    sem_t done;
    bool is_still_there;
} freeing;

static void free_loop_and_look(void *context)
{
    freeing *f = context;
    yr_loop_free(f->loop);
    f->is_still_there = yr_loop_is_current(f->loop) && yr_io_now_ms(yr_loop_io(f->loop)) >= 0;
    sem_post(&f->done);
}

static void a_loop_may_be_freed_inside_a_callback_on_its_thread(void **state)
{
    (void)state;
    freeing f = {.loop = new_loop(true)};
    sem_init(&f.done, 0, 0);
    yr_task_init(&f.task, free_loop_and_look, &f);
    assert_true(yr_io_post(yr_loop_io(f.loop), &f.task));
    assert_int_equal(sem_wait(&f.done), 0);
    assert_true(f.is_still_there);
    sem_destroy(&f.done);
    sleep_ms(20); /* only so that a leak checker sees the thread's end */
}

static void a_loop_may_be_freed_inside_a_callback_of_a_step(void **state)
{
    (void)state;
    freeing f = {.loop = new_loop(false)};
    sem_init(&f.done, 0, 0);
    yr_timer_init(&f.timer, free_loop_and_look, &f);
    yr_timer_start(yr_loop_io(f.loop), &f.timer, 0);
    yr_loop_step(f.loop);
    assert_true(f.is_still_there);
    assert_false(yr_loop_is_current(f.loop));
    sem_destroy(&f.done);
}

/* ---- Driven by a host ---- */

static void on_flag(void *context)
{
    *(bool *)context = true;
}

/* What a host does: sleep in poll(2), and step. */
static void poll_until(yr_loop *loop, const bool *is_so)
{
    for (int i = 0; i < 1000 && !*is_so; i++) {
        struct pollfd fd = {yr_loop_fd(loop), POLLIN, 0};
        assert_true(poll(&fd, 1, yr_loop_timeout_ms(loop)) >= 0);
        yr_loop_step(loop);
    }
    assert_true(*is_so);
}

/* On a loop that the test drives: an open connection, and the listener that it came by. */
static yr_listener *connect_ends(yr_loop *loop, net_end *client, net_end *server)
{
    yr_io *io = yr_loop_io(loop);
    yr_listener *listener = NULL;
    assert_ok(yr_io_listen(io, "127.0.0.1", 0, net_end_accept, server, &listener));
    assert_ok(net_end_connect(client, io, "127.0.0.1", yr_listener_port(listener), 5000));
    poll_until(loop, &client->is_open);
    return listener;
}

static void a_host_sees_timers(void **state)
{
    (void)state;
    yr_loop *loop = new_loop(false);
    yr_loop_step(loop); /* the first one is always due: it arms what a new loop has */
    assert_int_equal(yr_loop_timeout_ms(loop), -1);
    bool is_fired = false;
    yr_timer timer;
    yr_timer_init(&timer, on_flag, &is_fired);
    yr_timer_start(yr_loop_io(loop), &timer, 50);
    int timeout_ms = yr_loop_timeout_ms(loop);
    assert_true(timeout_ms > 0 && timeout_ms <= 50);
    yr_loop_step(loop);
    assert_false(is_fired);
    poll_until(loop, &is_fired);

    /* The host was away for long: a timer counts from when it was started all the same. */
    sleep_ms(60);
    is_fired = false;
    yr_timer_start(yr_loop_io(loop), &timer, 40);
    yr_loop_step(loop);
    assert_false(is_fired);
    sleep_ms(45);
    assert_int_equal(yr_loop_timeout_ms(loop), 0);
    yr_loop_step(loop);
    assert_true(is_fired);
    yr_loop_free(loop);
}

typedef struct late_post {
    yr_loop *loop;
    yr_task *task;
} late_post;

static void *post_later(void *context)
{
    const late_post *late = context;
    sleep_ms(20);
    assert_true(yr_io_post(yr_loop_io(late->loop), late->task));
    return NULL;
}

static void a_host_sees_posts_of_other_threads(void **state)
{
    (void)state;
    yr_loop *loop = new_loop(false);
    bool is_run = false;
    yr_task task;
    yr_task_init(&task, on_flag, &is_run);
    late_post late = {loop, &task};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_later, &late), 0);
    poll_until(loop, &is_run);
    assert_int_equal(pthread_join(thread, NULL), 0);
    yr_loop_free(loop);
}

static void a_host_sees_connections_and_what_it_wrote_between_steps(void **state)
{
    (void)state;
    yr_loop *loop = new_loop(false);
    net_end client = {.stream = NULL};
    net_end server = {.is_echoing = true};
    yr_listener *listener = connect_ends(loop, &client, &server);
    for (int i = 0; i < 10 && yr_loop_timeout_ms(loop) == 0; i++) {
        yr_loop_step(loop);
    }
    assert_int_not_equal(yr_loop_timeout_ms(loop), 0);
    net_end_write(&client, "hello");
    assert_int_equal(yr_loop_timeout_ms(loop), 0);
    for (int i = 0; i < 1000 && client.received < 5; i++) {
        struct pollfd fd = {yr_loop_fd(loop), POLLIN, 0};
        assert_true(poll(&fd, 1, yr_loop_timeout_ms(loop)) >= 0);
        yr_loop_step(loop);
    }
    assert_int_equal(client.received, 5);
    net_end_close(&client);
    net_end_close(&server);
    yr_listener_close(listener);
    yr_loop_free(loop);
}

typedef struct signalling {
    yr_wait wait;
    yr_loop *loop;
    yurpc_status nested; /* what waiting inside the callback gave */
} signalling;

static void on_signal(void *context)
{
    signalling *s = context;
    s->nested = yr_loop_wait(s->loop, &s->wait);
    yr_loop_step(s->loop); /* does nothing in here */
    yr_wait_signal(&s->wait);
}

static void a_waiter_runs_the_loop_that_has_no_thread(void **state)
{
    (void)state;
    signalling s = {.loop = new_loop(false)};
    yr_wait_init(&s.wait);
    yr_timer timer;
    yr_timer_init(&timer, on_signal, &s);
    yr_timer_start(yr_loop_io(s.loop), &timer, 30);
    assert_ok(yr_loop_wait(s.loop, &s.wait));
    assert_int_equal(s.nested, YURPC_WOULD_DEADLOCK);
    yr_wait_deinit(&s.wait);
    yr_loop_free(s.loop);
}

static void step_outer_from_inner(void *context)
{
    yr_loop *const *loops = context;
    assert_true(yr_loop_is_current(loops[0]));
    assert_true(yr_loop_is_current(loops[1]));
    assert_int_equal(yr_loop_check_wait(loops[0]), YURPC_WOULD_DEADLOCK);
}

static void step_inner(void *context)
{
    yr_loop *const *loops = context;
    assert_true(yr_loop_is_current(loops[0]));
    assert_false(yr_loop_is_current(loops[1]));
    yr_loop_step(loops[1]);
    assert_true(yr_loop_is_current(loops[0]));
    assert_false(yr_loop_is_current(loops[1]));
}

static void a_loop_stepped_inside_anothers_callback_is_inside_both(void **state)
{
    (void)state;
    yr_loop *loops[] = {new_loop(false), new_loop(false)};
    yr_task outer;
    yr_task inner;
    yr_task_init(&outer, step_inner, loops);
    yr_task_init(&inner, step_outer_from_inner, loops);
    assert_true(yr_io_post(yr_loop_io(loops[0]), &outer));
    assert_true(yr_io_post(yr_loop_io(loops[1]), &inner));
    yr_loop_step(loops[0]);
    assert_false(yr_loop_is_current(loops[0]));
    yr_loop_free(loops[0]);
    yr_loop_free(loops[1]);
}

/* ---- Fork ---- */

/* In the child; what it returns is its exit code: 0, or the number of what went wrong. */
static int use_in_child(yr_loop *loop)
{
    yr_wait wait;
    yr_wait_init(&wait);
    if (!yr_loop_is_forked(loop)) {
        return 1;
    }
    if (yr_loop_check_wait(loop) != YURPC_FORKED || yr_loop_wait(loop, &wait) != YURPC_FORKED) {
        return 2;
    }
    yr_loop_step(loop);
    yr_loop_free(loop);
    return 0;
}

static void a_forked_child_leaves_the_parents_loop_alone(void **state)
{
    (void)state;
    for (int has_thread = 0; has_thread < 2; has_thread++) {
        yr_loop *loop = new_loop(has_thread != 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(10); /* a hang is a failure, too */
            _exit(use_in_child(loop));
        }
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_false(yr_loop_is_forked(loop));
        run_on(loop, do_nothing, NULL); /* it still works */
        yr_loop_free(loop);
    }
}

static void a_forked_child_does_not_disturb_the_parents_connections(void **state)
{
    (void)state;
    yr_loop *loop = new_loop(false);
    net_end client = {.stream = NULL};
    net_end server = {.is_echoing = true};
    yr_listener *listener = connect_ends(loop, &client, &server);

    /* A child that lives on holds the same sockets. */
    int pipe_fds[2];
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char c = 0;
        alarm(10);
        close(pipe_fds[1]);
        yr_loop_free(loop);
        _exit(read(pipe_fds[0], &c, 1) == 0 ? 0 : 1);
    }
    close(pipe_fds[0]);
    net_end_write(&client, "hello");
    for (int i = 0; i < 1000 && client.received < 5; i++) {
        yr_loop_step(loop);
    }
    assert_int_equal(client.received, 5);
    net_end_close(&client); /* the server sees the end although the child has the socket */
    poll_until(loop, &server.is_ended);
    close(pipe_fds[1]);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    net_end_close(&server);
    yr_listener_close(listener);
    yr_loop_free(loop);
}

static void making_a_loop_survives_every_allocation_failure(void **state)
{
    (void)state;
    for (int has_thread = 0; has_thread < 2; has_thread++) {
        yurpc_status status = YURPC_NO_MEMORY;
        for (long allowed = 0; status != YURPC_OK; allowed++) {
            yr_loop *loop = NULL;
            yurpc_error *error = NULL;
            yr_mem_fail_after(allowed);
            status = yr_loop_new(has_thread != 0, &loop, &error);
            yr_mem_fail_after(-1);
            assert_true(status == YURPC_OK || status == YURPC_NO_MEMORY);
            assert_true((status == YURPC_OK) == (loop != NULL));
            assert_int_equal(yurpc_error_status(error), status);
            yurpc_error_free(error);
            yr_loop_free(loop);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(making_a_loop_survives_any_lack_of_descriptors),
        cmocka_unit_test(the_thread_has_a_name_and_takes_no_signals),
        cmocka_unit_test(no_signal_disposition_is_touched),
        cmocka_unit_test(posts_of_four_threads_all_run_in_their_order),
        cmocka_unit_test(one_task_posted_by_many_runs_as_often_as_it_was_accepted),
        cmocka_unit_test(a_loop_may_be_freed_inside_a_callback_on_its_thread),
        cmocka_unit_test(a_loop_may_be_freed_inside_a_callback_of_a_step),
        cmocka_unit_test(a_host_sees_timers),
        cmocka_unit_test(a_host_sees_posts_of_other_threads),
        cmocka_unit_test(a_host_sees_connections_and_what_it_wrote_between_steps),
        cmocka_unit_test(a_waiter_runs_the_loop_that_has_no_thread),
        cmocka_unit_test(a_loop_stepped_inside_anothers_callback_is_inside_both),
        cmocka_unit_test(a_forked_child_leaves_the_parents_loop_alone),
        cmocka_unit_test(a_forked_child_does_not_disturb_the_parents_connections),
        cmocka_unit_test(making_a_loop_survives_every_allocation_failure),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
