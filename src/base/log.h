/* Logging through the hook of one handle. Credentials never get here. */
#ifndef YR_BASE_LOG_H
#define YR_BASE_LOG_H

#include <yurpc/log.h>

/* A copy travels to each part of a handle. A zeroed one is silent. */
typedef struct yr_log {
    yurpc_log_fn *fn;
    void *context;
    yurpc_log_level level; /* messages above it are dropped */
} yr_log;

/* One line; control characters become '?'. Cut at 1,000 bytes. */
void yr_log_write(const yr_log *log, yurpc_log_level level, const char *component,
                  const char *format, ...) YURPC_PRINTF(4, 5);

#endif /* YR_BASE_LOG_H */
