#include "base/mem.h"
#include "sim/fleet_parts.h"
#include "support/canary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char etcd_name[] = "etcd";
static char driver_name[] = "etcd";
static const char *const other_names[] = {"etcd-2", "etcd-3", "etcd-4"};

void yr_fleet_must(bool claim, const char *what)
{
    if (!claim) {
        fprintf(stderr, "the simulated fleet: %s\n", what);
        abort();
    }
}

void *yr_fleet_alloc(size_t size)
{
    void *memory = calloc(1, size);
    yr_fleet_must(memory != NULL, "no memory");
    return memory;
}

static void on_trace(void *context, const char *line)
{
    (void)context;
    printf("%s\n", line);
}

static void on_log(void *context, yurpc_log_level level, const char *component,
                   const char *text)
{
    yr_process *process = context;
    static const char back[] = "from revision ";
    const char *was = strstr(text, back);
    const char *is = was == NULL ? NULL : strstr(was, " to ");
    yr_canary_check(text);
    yr_fleet_must(is == NULL || strtoll(is + strlen(" to "), NULL, 10) <
                                    strtoll(was + strlen(back), NULL, 10),
                  text); /* what is said to go back has gone back */
    process->warnings += level <= YURPC_LOG_WARN;
    static const char *const levels[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    if (process->fleet->is_loud) {
        printf("%8lld %s %s %s: %s\n", (long long)yr_sim_now_ms(process->fleet->sim),
               process->name, levels[level], component, text);
    }
}

yr_fleet *yr_fleet_new_with(uint64_t seed, bool is_loud, const yr_fake_etcd_options *options)
{
    yr_fleet *fleet = yr_fleet_alloc(sizeof *fleet);
    fleet->is_loud = is_loud;
    fleet->ttl_ms = YR_FLEET_TTL_MS;
    fleet->sim = yr_sim_new(seed);
    if (is_loud) {
        yr_sim_set_trace(fleet->sim, on_trace, NULL);
    }
    fleet->etcd_host = yr_sim_host_new(fleet->sim, etcd_name);
    yr_fleet_must(yr_fake_etcd_new(yr_sim_host_io(fleet->etcd_host), etcd_name, 2379, options,
                                   &fleet->etcd) == YURPC_OK,
                  "the fake etcd does not listen");
    yr_fleet_must(
        snprintf(fleet->address, sizeof fleet->address, "http://%s:2379", etcd_name) > 0, "");
    return fleet;
}

yr_fleet *yr_fleet_new(uint64_t seed, bool is_loud)
{
    return yr_fleet_new_with(seed, is_loud, NULL);
}

void yr_fleet_add_member(yr_fleet *fleet)
{
    yr_fleet_must(fleet->process_count == 0, "too late for a member");
    yr_fleet_must(fleet->other_count < sizeof other_names / sizeof *other_names,
                  "too many members");
    const char *name = other_names[fleet->other_count];
    yr_sim_host *host = yr_sim_host_new(fleet->sim, name);
    fleet->other_hosts[fleet->other_count++] = host;
    yr_fleet_must(yr_fake_etcd_add_member(fleet->etcd, yr_sim_host_io(host), name, 2379) ==
                      YURPC_OK,
                  "the new member does not listen");
    size_t len = strlen(fleet->address);
    yr_fleet_must(snprintf(fleet->address + len, sizeof fleet->address - len, ",http://%s:2379",
                           name) > 0,
                  "");
}

/* ---- Processes ---- */

yr_process *yr_fleet_start(yr_fleet *fleet, const char *name)
{
    yr_fleet_must(fleet->process_count < YR_FLEET_PROCESSES_MAX, "too many processes");
    yr_process *process = yr_fleet_alloc(sizeof *process);
    process->fleet = fleet;
    process->name = name;
    process->host = yr_sim_host_new(fleet->sim, name);
    yr_io *io = yr_sim_host_io(process->host);
    yr_config config = {.registry = driver_name,
                        .address = fleet->address,
                        .username = fleet->username,
                        .password = fleet->password,
                        .cache_dir = fleet->cache_dir,
                        .timeout_ms = YR_FLEET_TIMEOUT_MS,
                        .ttl_ms = fleet->ttl_ms,
                        .log = {.fn = on_log, .context = process, .level = YURPC_LOG_DEBUG}};
    yr_fleet_must(yr_registry_new(io, &config, &yr_driver_etcd, &process->registry, NULL) ==
                      YURPC_OK,
                  "a registry cannot be opened");
    yr_registry_set_reconcile_ms(process->registry, YR_FLEET_RECONCILE_MS);
    yr_fleet_must(yr_executor_new(io, false, &process->executor) == YURPC_OK, "no executor");
    fleet->processes[fleet->process_count++] = process;
    return process;
}

static void on_closed(void *context)
{
    yr_process *process = context;
    process->registry = NULL;
}

static bool is_closed(void *context)
{
    const yr_process *process = context;
    return process->registry == NULL;
}

static void begin_close(yr_process *process)
{
    yr_process_leave_all(process);
    yr_executor_unref(process->executor);
    process->executor = NULL;
    yr_registry_close(process->registry, on_closed, process);
}

void yr_process_close(yr_process *process)
{
    if (process->registry == NULL || process->executor == NULL) {
        return;
    }
    enum { LATEST_MS = 10000 };
    yr_process_thaw(process);
    yr_fleet_call call;
    yr_fleet_call_begin(&call, process, "close()", YR_CLOSE_MS);
    begin_close(process);
    yr_fleet_must(yr_sim_run_until(process->fleet->sim, is_closed, process, LATEST_MS),
                  "closing never ends");
    yr_fleet_call_end(&call, process);
    process->is_dead = true;
}

void yr_process_kill(yr_process *process)
{
    if (process->is_dead) {
        return;
    }
    /* Seen from outside this is a SIGKILL: connections break and nothing more is heard. Inside,
     * the objects are closed as usual, behind a wall. */
    process->is_dead = true;
    yr_process_thaw(process);
    yr_sim_reset_connections(process->host);
    yr_sim_cut_host(process->host);
    begin_close(process);
}

void yr_process_freeze(yr_process *process)
{
    if (process->frozen_at_ms == 0) {
        process->frozen_at_ms = yr_sim_now_ms(process->fleet->sim);
    }
    yr_sim_freeze(process->host);
}

void yr_process_thaw(yr_process *process)
{
    if (process->frozen_at_ms != 0) {
        process->frozen_ms += yr_sim_now_ms(process->fleet->sim) - process->frozen_at_ms;
        process->frozen_at_ms = 0;
    }
    yr_sim_thaw(process->host);
}

void yr_fleet_free(yr_fleet *fleet)
{
    for (size_t i = 0; i < fleet->process_count; i++) {
        yr_process *process = fleet->processes[i];
        if (process->executor != NULL) {
            yr_process_close(process);
        }
        yr_fleet_must(yr_sim_run_until(fleet->sim, is_closed, process, 10000),
                      "closing never ends");
    }
    yr_fake_etcd_free(fleet->etcd);
    yr_sim_run_for(fleet->sim, 10);
    yr_sim_free(fleet->sim);
    while (fleet->views != NULL) {
        yr_view *view = fleet->views;
        fleet->views = view->next;
        free(view);
    }
    while (fleet->lives != NULL) {
        yr_life *life = fleet->lives;
        fleet->lives = life->next;
        free(life);
    }
    for (size_t i = 0; i < fleet->process_count; i++) {
        free(fleet->processes[i]);
    }
    free(fleet);
}

/* ---- Blocking calls ---- */

static int64_t awake_ms(const yr_process *process)
{
    int64_t now = yr_sim_now_ms(process->fleet->sim);
    int64_t frozen = process->frozen_at_ms != 0 ? now - process->frozen_at_ms : 0;
    return now - frozen - process->frozen_ms;
}

int64_t yr_fleet_call_age_ms(const yr_fleet_call *call, const yr_process *process)
{
    return awake_ms(process) - call->begun_ms;
}

void yr_fleet_call_begin(yr_fleet_call *call, const yr_process *process, const char *what,
                         int64_t limit_ms)
{
    *call = (yr_fleet_call){what, awake_ms(process), limit_ms};
}

void yr_fleet_call_end(yr_fleet_call *call, const yr_process *process)
{
    const yr_fleet_observer *observer = process->fleet->observer;
    if (observer != NULL) {
        observer->on_call_end(observer->context, process, call);
    } else {
        yr_fleet_must(yr_fleet_call_age_ms(call, process) <= call->limit_ms + YR_FLEET_LATE_MS,
                      "a call takes too long");
    }
    call->what = NULL;
}

/* ---- Healing ---- */

void yr_fleet_suspend(yr_fleet *fleet, int64_t ms)
{
    for (size_t i = 0; i < fleet->process_count; i++) {
        yr_process *process = fleet->processes[i];
        process->frozen_ms += process->frozen_at_ms == 0 ? ms : 0;
    }
    yr_sim_suspend(fleet->sim, ms);
}

void yr_fleet_heal(yr_fleet *fleet)
{
    yr_fake_etcd_set_silent(fleet->etcd, false);
    yr_sim_heal_host(fleet->etcd_host);
    for (size_t i = 0; i < fleet->other_count; i++) {
        yr_sim_heal_host(fleet->other_hosts[i]);
        yr_sim_set_refusing(fleet->other_hosts[i], false);
    }
    for (size_t i = 0; i < fleet->process_count; i++) {
        yr_process *process = fleet->processes[i];
        if (process->is_dead) {
            yr_sim_cut_host(process->host);
        } else {
            yr_sim_heal_host(process->host);
            yr_process_thaw(process);
        }
    }
}
