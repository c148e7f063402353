#include "registry/handle/log_relay.h"

#include "base/mem.h"
#include "registry/executor.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

struct yr_log_relay {
    yr_log sink;
    yr_executor *executor;
    atomic_uint waiting; /* lines */
    atomic_uint dropped; /* since the last line that was told */
    yr_task free_task;
};

typedef struct log_line {
    yr_task task;
    yr_log_relay *relay;
    yurpc_log_level level;
    const char *component;
    char text[];
} log_line;

/* ---- On the relay's thread ---- */

static void tell(const yr_log_relay *relay, yurpc_log_level level, const char *component,
                 const char *text)
{
    if (!yr_executor_is_muted(relay->executor)) {
        relay->sink.fn(relay->sink.context, level, component, text);
    }
}

static void on_line(void *context)
{
    log_line *line = context;
    yr_log_relay *relay = line->relay;
    tell(relay, line->level, line->component, line->text);
    atomic_fetch_sub(&relay->waiting, 1);
    yr_free(line);
    unsigned dropped = atomic_exchange(&relay->dropped, 0);
    if (dropped > 0) {
        char text[80];
        (void)snprintf(text, sizeof text, "%u lines were dropped: the log hook is too slow",
                       dropped);
        tell(relay, YURPC_LOG_WARN, "log", text);
    }
}

static void on_free(void *context)
{
    yr_log_relay *relay = context;
    yr_executor_unref(relay->executor);
    yr_free(relay);
}

/* ---- From outside ---- */

static void write_line(void *context, yurpc_log_level level, const char *component,
                       const char *text)
{
    yr_log_relay *relay = context;
    size_t size = strlen(text) + 1;
    log_line *line = atomic_load(&relay->waiting) < YR_LOG_LINES_MAX
                         ? yr_calloc(1, sizeof *line + size)
                         : NULL;
    if (line == NULL) {
        atomic_fetch_add(&relay->dropped, 1);
        return;
    }
    atomic_fetch_add(&relay->waiting, 1);
    line->relay = relay;
    line->level = level;
    line->component = component;
    memcpy(line->text, text, size);
    yr_task_init(&line->task, on_line, line);
    bool is_posted = yr_executor_post(relay->executor, &line->task);
    YR_ASSERT(is_posted);
}

yurpc_status yr_log_relay_new(const yr_log *sink, yr_log_relay **ret_relay)
{
    yr_log_relay *relay = yr_calloc(1, sizeof *relay);
    if (relay == NULL) {
        return YURPC_NO_MEMORY;
    }
    yurpc_status status = yr_executor_new(NULL, true, &relay->executor);
    if (status != YURPC_OK) {
        yr_free(relay);
        return status;
    }
    relay->sink = *sink;
    yr_task_init(&relay->free_task, on_free, relay);
    *ret_relay = relay;
    return YURPC_OK;
}

yr_log yr_log_relay_log(yr_log_relay *relay)
{
    return (yr_log){.fn = write_line, .context = relay, .level = relay->sink.level};
}

void yr_log_relay_free(yr_log_relay *relay, int64_t timeout_ms)
{
    if (relay == NULL) {
        return;
    }
    if (timeout_ms >= 0 && !yr_executor_is_current(relay->executor)) {
        yr_executor_finish(relay->executor, timeout_ms);
    }
    bool is_posted = yr_executor_post(relay->executor, &relay->free_task);
    YR_ASSERT(is_posted);
}
