/*
 * Wakes the loop when the machine wakes up.
 *
 * epoll(2) sleeps by a clock that stands still while the machine is suspended: a timer that
 * became due meanwhile would be late by as much. The kernel has no event for waking up, but a
 * timerfd(2) with TFD_TIMER_CANCEL_ON_SET becomes readable whenever the wall clock was set,
 * which waking up does. A kernel or sandbox without it costs only that punctuality.
 */
#ifndef YR_NET_UV_RESUME_H
#define YR_NET_UV_RESUME_H

#include "net/uv/uv_world.h"

typedef struct yr_uv_resume yr_uv_resume;

/* NULL: it cannot be had here. */
yr_uv_resume *yr_uv_resume_new(yr_uv_io *io);

/* NULL is allowed. */
void yr_uv_resume_free(yr_uv_resume *resume);

#endif /* YR_NET_UV_RESUME_H */
