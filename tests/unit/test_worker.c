/* The end of a worker, beside whoever posts to it. */
#include "net/worker.h"
#include "yr_test.h"

#include <dlfcn.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 200 };

/* ---- Semaphores: the one who ends the worker is held up where it would wake it ---- */

static _Thread_local bool is_held_up;
static bool was_freed_early;
static atomic_bool may_go_on; /* the worker, out of the task that keeps it awake */
static atomic_bool is_destroyed;

typedef int semaphore_fn(sem_t *semaphore);

static semaphore_fn *real(const char *name)
{
    semaphore_fn *found = NULL;
    void *symbol = dlsym(RTLD_NEXT, name);
    memcpy(&found, &symbol, sizeof found);
    return found;
}

__attribute__((visibility("default"))) int sem_post(sem_t *semaphore)
{
    if (is_held_up) {
        atomic_store(&may_go_on, true);
        for (int i = 0; i < PATIENCE_MS && !atomic_load(&is_destroyed); i++) {
            usleep(1000);
        }
        if (atomic_load(&is_destroyed)) {
            was_freed_early = true; /* it would write to freed memory */
            return 0;
        }
    }
    return real("sem_post")(semaphore);
}

__attribute__((visibility("default"))) int sem_destroy(sem_t *semaphore)
{
    int result = real("sem_destroy")(semaphore);
    atomic_store(&is_destroyed, true);
    return result;
}

/* ---- The worker ---- */

static atomic_bool has_begun;

static void stay_awake(void *context)
{
    (void)context;
    atomic_store(&has_begun, true);
    while (!atomic_load(&may_go_on)) {
        usleep(1000);
    }
}

static void a_worker_is_not_freed_under_whoever_posts_to_it(void **state)
{
    (void)state;
    yr_worker *worker = NULL;
    yr_task task;
    yr_task_init(&task, stay_awake, NULL);
    assert_ok(yr_worker_new(&worker));
    assert_true(yr_worker_post(worker, &task));
    while (!atomic_load(&has_begun)) {
        usleep(1000);
    }
    is_held_up = true;
    yr_worker_end(worker);
    is_held_up = false;
    while (!atomic_load(&is_destroyed)) {
        usleep(1000); /* it ends by itself, or the test's deadline comes */
    }
    assert_true(atomic_load(&may_go_on)); /* else nothing was held up */
    assert_false(was_freed_early);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worker_is_not_freed_under_whoever_posts_to_it),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
