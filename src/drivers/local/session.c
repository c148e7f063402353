#include "base/error.h"
#include "base/mem.h"
#include "drivers/local/lock.h"
#include "drivers/local/operation.h"

enum { RETRY_MAX_MS = 1000 };

static yr_driver *driver_of(yr_local_job *job)
{
    return YR_CONTAINER_OF(job, yr_driver, session.renewal);
}

static yurpc_status run_renewal(yr_local_job *job, const yr_local_visit *visit,
                                yurpc_error **ret_error)
{
    /* The session does not change while its renewal runs. */
    const yr_local_session *session = &driver_of(job)->session;
    return yr_local_lease_renew(visit->store, session->id, session->ttl_ms, ret_error);
}

static void on_renewed(yr_local_job *job, yurpc_status status, const yurpc_error *error)
{
    yr_driver *driver = driver_of(job);
    yr_local_session *session = &driver->session;
    if (driver->is_closing || session->id == 0) {
        return;
    }
    if (status == YURPC_OK) {
        session->renewed_ms = session->renewing_ms;
        yr_timer_start(driver->io, &session->timer, session->ttl_ms / 3);
        return;
    }
    int64_t age_ms = yr_io_boot_ms(driver->io) - session->renewed_ms;
    if (status == YURPC_LEASE_LOST || age_ms >= session->ttl_ms) {
        yr_local_session_lose(driver, error);
        return;
    }
    int64_t retry_ms = session->ttl_ms / 10;
    yr_timer_start(driver->io, &session->timer,
                   retry_ms < RETRY_MAX_MS ? retry_ms : RETRY_MAX_MS);
}

void yr_local_session_renew(yr_driver *driver)
{
    yr_local_session *session = &driver->session;
    if (session->id == 0 || session->renewal.state != YR_LOCAL_JOB_IDLE) {
        return;
    }
    yr_timer_stop(driver->io, &session->timer);
    session->renewing_ms = yr_io_boot_ms(driver->io);
    if (yr_local_queue_add(&driver->queue, &session->renewal, true) != YURPC_OK) {
        yr_timer_start(driver->io, &session->timer, RETRY_MAX_MS);
    }
}

static void on_timer(void *context)
{
    yr_local_session_renew(context);
}

void yr_local_session_init(yr_driver *driver)
{
    yr_local_session *session = &driver->session;
    session->lock_fd = -1;
    session->renewal.run = run_renewal;
    session->renewal.done = on_renewed;
    yr_timer_init(&session->timer, on_timer, driver);
}

void yr_local_session_begin(yr_driver *driver, int64_t id, int lock_fd, int64_t opened_ms)
{
    yr_local_session *session = &driver->session;
    session->id = id;
    session->lock_fd = lock_fd;
    session->ttl_ms = driver->ttl_ms;
    session->renewed_ms = opened_ms;
    session->renewal.wait_max_ms = driver->ttl_ms / 6;
    session->ours.ids[session->ours.count++ % YR_LOCAL_PAST_SESSIONS] = id;
    yr_timer_start(driver->io, &session->timer, session->ttl_ms / 3);
}

void yr_local_session_lose(yr_driver *driver, const yurpc_error *error)
{
    yr_local_session *session = &driver->session;
    yr_timer_stop(driver->io, &session->timer);
    /* If its row is still there, everybody sees now that it is dead. */
    yr_local_lock_drop(driver->file, session->id, session->lock_fd);
    session->id = 0;
    session->lock_fd = -1;
    driver->events.on_session_lost(driver->context, error);
}

void yr_local_session_stop(yr_driver *driver)
{
    yr_timer_stop(driver->io, &driver->session.timer);
    yr_local_queue_cancel(&driver->queue, &driver->session.renewal);
}

bool yr_local_ours_have(const yr_local_ours *ours, int64_t owner)
{
    size_t count = ours->count < YR_LOCAL_PAST_SESSIONS ? ours->count : YR_LOCAL_PAST_SESSIONS;
    for (size_t i = 0; i < count; i++) {
        if (ours->ids[i] == owner) {
            return true;
        }
    }
    return false;
}

/* ---- Opening a session ---- */

typedef struct yr_local_opening {
    yr_local_operation operation;
    yr_session_fn *done;
    int64_t id;
    int64_t opened_ms;
    int lock_fd;
} yr_local_opening;

static void free_opening(yr_local_operation *operation)
{
    yr_local_opening *opening = YR_CONTAINER_OF(operation, yr_local_opening, operation);
    /* Made, but too late to be wanted: without its lock it is dead. */
    if (opening->lock_fd >= 0) {
        yr_local_lock_drop(operation->driver->file, opening->id, opening->lock_fd);
    }
    yr_free(opening);
}

static yurpc_status run_opening(yr_local_job *job, const yr_local_visit *visit,
                                yurpc_error **ret_error)
{
    yr_local_opening *opening = YR_CONTAINER_OF(job, yr_local_opening, operation.job);
    return yr_local_lease_open(visit->store, opening->id, opening->operation.driver->ttl_ms,
                               &opening->lock_fd, ret_error);
}

static void answer_opening(yr_local_operation *operation, yurpc_status status,
                           const yurpc_error *error)
{
    yr_local_opening *opening = YR_CONTAINER_OF(operation, yr_local_opening, operation);
    yr_driver *driver = operation->driver;
    driver->session.is_opening = false;
    if (status != YURPC_OK) {
        opening->done(operation->context, NULL, error);
        return;
    }
    yr_local_session_begin(driver, opening->id, opening->lock_fd, opening->opened_ms);
    opening->lock_fd = -1;
    const yr_session session = {.id = opening->id, .ttl_ms = driver->ttl_ms};
    opening->done(operation->context, &session, NULL);
}

/* There is a session: say so, without touching it. */
static yurpc_status run_nothing(yr_local_job *job, const yr_local_visit *visit,
                                yurpc_error **ret_error)
{
    (void)job;
    (void)visit;
    return yr_error_set(ret_error, YURPC_EXISTS, -1, "this handle has a session already");
}

static void answer_exists(yr_local_operation *operation, yurpc_status status,
                          const yurpc_error *error)
{
    (void)status;
    const yr_local_opening *opening = YR_CONTAINER_OF(operation, yr_local_opening, operation);
    opening->done(operation->context, NULL, error);
}

void yr_local_open_session(yr_driver *driver, int64_t deadline_ms, yr_session_fn *done,
                           void *context)
{
    if (yr_local_is_forked(driver)) {
        return;
    }
    yr_local_opening *opening = yr_calloc(1, sizeof *opening);
    if (opening == NULL) {
        yr_local_operation_refuse(driver,
                                  &(yr_local_refusal){.session = done, .context = context});
        return;
    }
    bool is_second = driver->session.id != 0 || driver->session.is_opening;
    opening->operation.context = context;
    opening->operation.free = free_opening;
    opening->operation.answer = is_second ? answer_exists : answer_opening;
    opening->operation.job.run = is_second ? run_nothing : run_opening;
    opening->operation.job.wants_reap = !is_second;
    opening->done = done;
    opening->lock_fd = -1;
    opening->opened_ms = yr_io_boot_ms(driver->io);
    opening->id = (int64_t)(yr_io_random(driver->io) & INT64_MAX) | 1;
    driver->session.is_opening = driver->session.is_opening || !is_second;
    yr_local_operation_start(&opening->operation, driver, deadline_ms);
}
