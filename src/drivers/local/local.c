#include "drivers/local/local.h"

#include "base/assert.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/process.h"
#include "drivers/local/lock.h"
#include "drivers/local/operation.h"
#include "drivers/local/path.h"

#include <unistd.h>

enum { REOPEN_BASE_MS = 250, REOPEN_CAP_MS = 5000 };

bool yr_local_is_forked(const yr_driver *driver)
{
    return yr_process_id() != driver->pid;
}

/* ---- The state of the file ---- */

static void report_damage(yr_driver *driver, uint64_t damaged)
{
    if (damaged != driver->damaged) {
        yr_log_write(&driver->log, YURPC_LOG_WARN, "local",
                     "%llu damaged rows were skipped in %s so far", (unsigned long long)damaged,
                     driver->file);
        driver->damaged = damaged;
    }
}

static void on_open(yr_driver *driver, uint64_t generation)
{
    bool is_another = driver->generation != generation;
    driver->generation = generation;
    yr_backoff_reset(&driver->backoff);
    yr_timer_stop(driver->io, &driver->reopen_timer);
    if (is_another && yr_local_notify_arm(&driver->notify, driver->file) != YURPC_OK) {
        yr_log_write(&driver->log, YURPC_LOG_WARN, "local",
                     "no inotify to be had: looking for changes ten times a second (see "
                     "fs.inotify.max_user_instances)");
    }
    if (!driver->is_connected) {
        driver->is_connected = true;
        yurpc_error_free(driver->error);
        driver->error = NULL;
        driver->events.on_connection(driver->context, true, NULL);
    }
    if (is_another && !driver->is_closing) {
        yr_local_session_renew(driver);
        yr_local_follows_list_all(driver);
    }
}

static void on_lost(yr_driver *driver, const yurpc_error *error)
{
    bool is_news = driver->is_connected || driver->error == NULL ||
                   yurpc_error_status(driver->error) != yurpc_error_status(error);
    driver->is_connected = false;
    if (!yr_timer_is_running(&driver->reopen_timer)) {
        int64_t wait_ms = yr_backoff_next_ms(&driver->backoff, yr_io_random(driver->io));
        yr_timer_start(driver->io, &driver->reopen_timer, wait_ms);
    }
    if (!is_news) {
        return;
    }
    yurpc_error_free(driver->error);
    driver->error = yr_error_copy(error);
    driver->events.on_connection(driver->context, false, driver->error);
    if (!driver->is_closing) {
        yr_local_follows_go_stale(driver, driver->error);
    }
}

static void on_visited(void *context, const yr_local_outcome *outcome)
{
    yr_driver *driver = context;
    report_damage(driver, outcome->damaged);
    if (driver->is_closing) {
        return;
    }
    if (outcome->is_open) {
        on_open(driver, outcome->generation);
    } else {
        on_lost(driver, outcome->error);
    }
}

static yurpc_status run_nothing(yr_local_job *job, const yr_local_visit *visit,
                                yurpc_error **ret_error)
{
    (void)job;
    (void)visit;
    (void)ret_error;
    return YURPC_OK;
}

static void on_nothing(yr_local_job *job, yurpc_status status, const yurpc_error *error)
{
    (void)job;
    (void)status;
    (void)error;
}

static void on_reopen(void *context)
{
    yr_driver *driver = context;
    if (driver->reopen.state == YR_LOCAL_JOB_IDLE &&
        yr_local_queue_add(&driver->queue, &driver->reopen, true) != YURPC_OK) {
        yr_timer_start(driver->io, &driver->reopen_timer, REOPEN_CAP_MS);
    }
}

static void on_notified(void *context)
{
    yr_local_follows_look(context);
}

/* ---- Opening ---- */

static yurpc_status open_driver(yr_io *io, const yr_driver_config *config,
                                const yr_driver_events *events, void *context,
                                yr_driver **ret_driver, yurpc_error **ret_error)
{
    if (config->ttl_ms < YR_LOCAL_TTL_MIN_MS) {
        return yr_error_set(ret_error, YURPC_INVALID, -1, "a TTL of %lld ms is too short: %d",
                            (long long)config->ttl_ms, (int)YR_LOCAL_TTL_MIN_MS);
    }
    char *file = NULL;
    yurpc_status status = yr_local_path_resolve(config->address, &file, ret_error);
    if (status != YURPC_OK) {
        return status;
    }
    yr_driver *driver = yr_calloc(1, sizeof *driver);
    if (driver == NULL) {
        yr_free(file);
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    driver->io = io;
    driver->log = config->log;
    driver->pid = yr_process_id();
    driver->file = file;
    driver->ttl_ms = config->ttl_ms;
    driver->events = *events;
    driver->context = context;
    driver->reopen = (yr_local_job){.run = run_nothing, .done = on_nothing};
    yr_list_init(&driver->operations);
    yr_backoff_init(&driver->backoff, REOPEN_BASE_MS, REOPEN_CAP_MS);
    yr_timer_init(&driver->reopen_timer, on_reopen, driver);
    yr_local_queue_init(&driver->queue, io, file, on_visited, driver);
    yr_local_notify_init(&driver->notify, io, on_notified, driver);
    yr_local_session_init(driver);
    yr_local_follows_init(driver);
    on_reopen(driver);
    *ret_driver = driver;
    return YURPC_OK;
}

/* ---- Closing ---- */

static yurpc_status run_ending(yr_local_job *job, const yr_local_visit *visit,
                               yurpc_error **ret_error)
{
    yr_driver *driver = YR_CONTAINER_OF(job, yr_driver, ending);
    yurpc_status status = YURPC_OK;
    if (driver->session.id != 0) {
        status = yr_local_lease_end(visit->store, driver->session.id, driver->session.lock_fd,
                                    ret_error);
        driver->session.lock_fd = -1;
    }
    visit->store->is_broken = true; /* closes it here rather than on the loop */
    return status;
}

/* Uses nothing of the loop: it may be gone. */
static void driver_free(yr_driver *driver)
{
    yr_local_operations_free(driver);
    yr_local_queue_deinit(&driver->queue);
    yr_local_follows_free(driver);
    yurpc_error_free(driver->error);
    yr_free(driver->file);
    yr_free(driver);
}

static void on_closed_task(void *context)
{
    yr_driver *driver = context;
    if (yr_local_operations_are_open(driver)) { /* begun after closing: they come first */
        yr_io_post(driver->io, &driver->closed_task);
        return;
    }
    void (*on_closed)(void *) = driver->on_closed;
    void *closed_context = driver->closed_context;
    driver_free(driver);
    on_closed(closed_context);
}

static void on_ending(yr_local_job *job, yurpc_status status, const yurpc_error *error)
{
    yr_driver *driver = YR_CONTAINER_OF(job, yr_driver, ending);
    yr_timer_stop(driver->io, &driver->close_timer);
    if (driver->session.lock_fd >= 0) {
        yr_local_lock_drop(driver->file, driver->session.id, driver->session.lock_fd);
    }
    if (status != YURPC_OK && driver->session.id != 0) {
        yr_log_write(&driver->log, YURPC_LOG_WARN, "local",
                     "the session could not be ended, others will find it dead: %s",
                     yurpc_error_text(error));
    }
    yr_io_post(driver->io, &driver->closed_task);
}

/* The worker came back after its user had gone, and perhaps the loop. */
static void on_orphaned(void *context)
{
    driver_free(context);
}

/* The disk or another process holds up the worker: the user does not wait for it. */
static void on_close_deadline(void *context)
{
    yr_driver *driver = context;
    if (driver->ending.state == YR_LOCAL_JOB_WAITING && driver->session.lock_fd >= 0) {
        yr_local_lock_drop(driver->file, driver->session.id, driver->session.lock_fd);
        driver->session.lock_fd = -1;
    }
    yr_local_operations_end(driver);
    void (*on_closed)(void *) = driver->on_closed;
    void *closed_context = driver->closed_context;
    yr_local_queue_orphan(&driver->queue, on_orphaned); /* the driver may be gone now */
    on_closed(closed_context);
}

static void close_driver(yr_driver *driver, int64_t deadline_ms,
                         void (*on_closed)(void *context), void *context)
{
    if (yr_local_is_forked(driver)) {
        return; /* all of it is the parent's, and there is no loop to tell on */
    }
    YR_ASSERT(!driver->is_closing);
    driver->is_closing = true;
    driver->on_closed = on_closed;
    driver->closed_context = context;
    yr_timer_stop(driver->io, &driver->reopen_timer);
    yr_local_queue_cancel(&driver->queue, &driver->reopen);
    yr_local_notify_deinit(&driver->notify);
    yr_local_session_stop(driver);
    yr_local_follows_stop(driver);
    yr_local_operations_cancel(driver);
    yr_timer_init(&driver->close_timer, on_close_deadline, driver);
    yr_task_init(&driver->closed_task, on_closed_task, driver);
    driver->ending =
        (yr_local_job){.run = run_ending, .done = on_ending, .wait_max_ms = deadline_ms / 2};
    yr_timer_start(driver->io, &driver->close_timer, deadline_ms);
    yurpc_status status = yr_local_queue_add(&driver->queue, &driver->ending, true);
    YR_ASSERT(status == YURPC_OK); /* nothing waits any more */
}

const yr_driver_ops yr_driver_local = {
    .version = YR_DRIVER_VERSION,
    .name = "local",
    .ttl_min_ms = YR_LOCAL_TTL_MIN_MS,
    .open = open_driver,
    .close = close_driver,
    .open_session = yr_local_open_session,
    .announce = yr_local_announce,
    .withdraw = yr_local_withdraw,
    .remove = yr_local_remove,
    .list_services = yr_local_list_services,
    .follow = yr_local_follow,
    .unfollow = yr_local_unfollow,
    .relist = yr_local_relist,
};
