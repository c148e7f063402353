#include "net/uv/uv_resume.h"

#include "base/mem.h"
#include "net/uv/uv_fd.h"

#include <stdint.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const time_t never_s = (time_t)1 << 33; /* in the year 2242 */

struct yr_uv_resume {
    int fd;
    yr_uv_fd *watch;
};

/* Only its being cancelled is of interest. */
static bool arm(int fd)
{
    const struct itimerspec never = {.it_value = {.tv_sec = never_s}};
    return timerfd_settime(fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) == 0;
}

static void on_set(void *context, int events)
{
    yr_uv_resume *resume = context;
    uint64_t expirations = 0;
    (void)events;
    /* ECANCELED is what it says; until it is read, it stays readable. */
    ssize_t len = read(resume->fd, &expirations, sizeof expirations);
    if (len >= 0 || !arm(resume->fd)) {
        yr_uv_fd_set(resume->watch, 0, on_set, resume); /* rather deaf than spinning */
    }
}

yr_uv_resume *yr_uv_resume_new(yr_uv_io *io)
{
    yr_uv_resume *resume = yr_calloc(1, sizeof *resume);
    if (resume == NULL) {
        return NULL;
    }
    resume->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (resume->fd < 0 || !arm(resume->fd) ||
        yr_uv_fd_new(io, resume->fd, &resume->watch) != 0) {
        yr_uv_resume_free(resume);
        return NULL;
    }
    yr_uv_fd_set(resume->watch, YR_FD_READABLE, on_set, resume);
    return resume;
}

void yr_uv_resume_free(yr_uv_resume *resume)
{
    if (resume == NULL) {
        return;
    }
    yr_uv_fd_free(resume->watch);
    if (resume->fd >= 0) {
        close(resume->fd);
    }
    yr_free(resume);
}
