/**
 * @file
 * The hook through which the library says what it is doing. It never prints by itself.
 */
#ifndef YURPC_LOG_H
#define YURPC_LOG_H

#include <yurpc/export.h>

YURPC_BEGIN_DECLS

/** How much a message matters. */
typedef enum yurpc_log_level {
    YURPC_LOG_ERROR = 0, /**< something does not work and will not repair itself */
    YURPC_LOG_WARN = 1,  /**< something is wrong; the library is dealing with it */
    YURPC_LOG_INFO = 2,  /**< a change of state that an operator may want to see */
    YURPC_LOG_DEBUG = 3, /**< everything else */
} yurpc_log_level;

/**
 * Receives one message.
 *
 * A registry handle calls it on a thread of its own, one line at a time, so that it may take
 * its time: lines that find a thousand others waiting are dropped and counted. A host-driven
 * handle calls it inside its step, and an etcd client on its loop: there it must not block, and
 * must not call back. Warnings about the configuration come during the opening call.
 *
 * @param context    What was given with the hook.
 * @param level      How much it matters.
 * @param component  For example "etcd"; static.
 * @param text       One line without a newline; borrowed for the call.
 */
typedef void yurpc_log_fn(void *context, yurpc_log_level level, const char *component,
                          const char *text);

YURPC_END_DECLS

#endif /* YURPC_LOG_H */
