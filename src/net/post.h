/*
 * The queue through which other threads reach the loop. It has the only mutex of the library.
 */
#ifndef YR_NET_POST_H
#define YR_NET_POST_H

#include "net/io.h"

#include <pthread.h>

typedef struct yr_post {
    pthread_mutex_t mutex;
    yr_list tasks;
} yr_post;

YURPC_NODISCARD yurpc_status yr_post_init(yr_post *post);
void yr_post_deinit(yr_post *post);

/* Append; *@p ret_was_empty tells whether the loop has to be woken. False: posted already. */
bool yr_post_append(yr_post *post, yr_task *task, bool *ret_was_empty);

/* Remove; false when @p task was not posted. */
bool yr_post_remove(yr_post *post, yr_task *task);

/* The first task, not posted any more, so that it may be posted again; NULL when there is none.
 */
yr_task *yr_post_take_first(yr_post *post);

bool yr_post_is_empty(yr_post *post);

/* Take all, in order, into @p ret_tasks (a list head, which is initialised here). */
void yr_post_take_all(yr_post *post, yr_list *ret_tasks);

#endif /* YR_NET_POST_H */
