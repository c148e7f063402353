#include "drivers/local/notify.h"

#include "drivers/local/path.h"

#include <sys/inotify.h>
#include <unistd.h>

static const uint32_t gone = IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF;

void yr_local_notify_init(yr_local_notify *notify, yr_io *io, yr_local_notified_fn *notified,
                          void *context)
{
    *notify = (yr_local_notify){.io = io, .notified = notified, .context = context, .fd = -1};
}

void yr_local_notify_deinit(yr_local_notify *notify)
{
    yr_fd_watch_close(notify->watch);
    notify->watch = NULL;
    if (notify->fd >= 0) {
        close(notify->fd);
    }
    notify->fd = -1;
}

static void on_readable(void *context, int events)
{
    (void)events;
    yr_local_notify *notify = context;
    char ignored[4096]; /* whatever it was: look */
    ssize_t len = 0;
    do {
        len = read(notify->fd, ignored, sizeof ignored);
    } while (len == (ssize_t)sizeof ignored);
    notify->notified(notify->context);
}

yurpc_status yr_local_notify_arm(yr_local_notify *notify, const char *file)
{
    char sync[YR_LOCAL_PATH_MAX];
    yr_local_path_companion(file, "sync", sync);
    yr_local_notify_deinit(notify);
    notify->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (notify->fd < 0) {
        return YURPC_EXHAUSTED; /* each user has 128 of them */
    }
    yurpc_status status = YURPC_IO;
    if (inotify_add_watch(notify->fd, sync, IN_MODIFY | gone) >= 0 &&
        inotify_add_watch(notify->fd, file, gone) >= 0) {
        status = yr_io_watch_fd(notify->io, notify->fd, YR_FD_READABLE, on_readable, notify,
                                &notify->watch);
    }
    if (status != YURPC_OK) {
        yr_local_notify_deinit(notify);
    }
    return status;
}
