#include "base/process.h"
#include "yr_test.h"

#include <pthread.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

static void this_process_knows_itself(void **state)
{
    (void)state;
    assert_int_equal(yr_process_id(), getpid());
    assert_int_equal(yr_process_id(), getpid());
}

static int exit_code_of(pid_t child)
{
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_child_is_not_taken_for_its_parent_nor_for_its_own(void **state)
{
    (void)state;
    pid_t parent = yr_process_id();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_right = yr_process_id() == getpid() && yr_process_id() != parent;
        pid_t grandchild = fork();
        if (grandchild == 0) {
            _exit(yr_process_id() == getpid() ? 0 : 1);
        }
        int status = -1;
        is_right = is_right && waitpid(grandchild, &status, 0) == grandchild && status == 0;
        _exit(is_right && yr_process_id() == getpid() ? 0 : 1);
    }
    assert_int_equal(exit_code_of(child), 0);
    assert_int_equal(yr_process_id(), parent);
}

static void *ask(void *context)
{
    pid_t *ret_id = context;
    *ret_id = yr_process_id();
    return NULL;
}

static void threads_that_ask_first_agree(void **state)
{
    (void)state;
    pid_t child = fork(); /* where nobody has asked yet */
    assert_true(child >= 0);
    if (child == 0) {
        enum { THREADS = 4 };
        pthread_t threads[THREADS];
        pid_t ids[THREADS] = {0};
        int wrong = 0;
        for (int i = 0; i < THREADS; i++) {
            wrong += pthread_create(&threads[i], NULL, ask, &ids[i]) != 0;
        }
        for (int i = 0; i < THREADS; i++) {
            wrong += pthread_join(threads[i], NULL) != 0 || ids[i] != getpid();
        }
        _exit(wrong == 0 ? 0 : 1);
    }
    assert_int_equal(exit_code_of(child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_ask_first_agree),
        cmocka_unit_test(this_process_knows_itself),
        cmocka_unit_test(a_child_is_not_taken_for_its_parent_nor_for_its_own),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
