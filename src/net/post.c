#include "net/post.h"

yurpc_status yr_post_init(yr_post *post)
{
    if (pthread_mutex_init(&post->mutex, NULL) != 0) {
        return YURPC_NO_MEMORY;
    }
    yr_list_init(&post->tasks);
    return YURPC_OK;
}

void yr_post_deinit(yr_post *post)
{
    pthread_mutex_destroy(&post->mutex);
}

/* A mutex that is used as it should be cannot fail. */
static void lock(yr_post *post)
{
    int failed = pthread_mutex_lock(&post->mutex);
    YR_ASSERT(failed == 0);
}

static void unlock(yr_post *post)
{
    int failed = pthread_mutex_unlock(&post->mutex);
    YR_ASSERT(failed == 0);
}

bool yr_post_append(yr_post *post, yr_task *task, bool *ret_was_empty)
{
    lock(post);
    bool is_new = !task->is_posted;
    if (is_new) {
        *ret_was_empty = yr_list_is_empty(&post->tasks);
        yr_list_append(&post->tasks, &task->link);
        task->is_posted = true;
    }
    unlock(post);
    return is_new;
}

bool yr_post_remove(yr_post *post, yr_task *task)
{
    lock(post);
    bool was_posted = task->is_posted;
    if (was_posted) {
        yr_list_remove(&task->link); /* from the queue, or from a batch that was taken */
        task->is_posted = false;
    }
    unlock(post);
    return was_posted;
}

yr_task *yr_post_take_first(yr_post *post)
{
    lock(post);
    yr_list *link = yr_list_take_first(&post->tasks);
    yr_task *task = link != NULL ? YR_CONTAINER_OF(link, yr_task, link) : NULL;
    if (task != NULL) {
        task->is_posted = false;
    }
    unlock(post);
    return task;
}

bool yr_post_is_empty(yr_post *post)
{
    lock(post);
    bool is_empty = yr_list_is_empty(&post->tasks);
    unlock(post);
    return is_empty;
}

void yr_post_take_all(yr_post *post, yr_list *ret_tasks)
{
    yr_list_init(ret_tasks);
    lock(post);
    yr_list_move_all(ret_tasks, &post->tasks);
    unlock(post);
}
