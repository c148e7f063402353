/*
 * Hearing at once that another process changed the registry's file, or that the file was
 * removed: inotify on the companion that every writer touches after a commit.
 */
#ifndef YR_LOCAL_NOTIFY_H
#define YR_LOCAL_NOTIFY_H

#include "net/io.h"

#include <stdbool.h>

typedef void yr_local_notified_fn(void *context);

typedef struct yr_local_notify {
    yr_io *io;
    yr_local_notified_fn *notified;
    void *context;
    int fd; /* -1: deaf */
    yr_fd_watch *watch;
} yr_local_notify;

void yr_local_notify_init(yr_local_notify *notify, yr_io *io, yr_local_notified_fn *notified,
                          void *context);

/*
 * Listen to @p file, which was just opened, and to no other any more. What happened before is
 * not told. Any failure leaves it deaf: then the file has to be looked at more often.
 */
YURPC_NODISCARD yurpc_status yr_local_notify_arm(yr_local_notify *notify, const char *file);

void yr_local_notify_deinit(yr_local_notify *notify);

#endif /* YR_LOCAL_NOTIFY_H */
