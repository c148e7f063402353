#include "sim/fleet.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

#include <stdio.h>
#include <stdlib.h>

static const char etcd_name[] = "etcd";
static char driver_name[] = "etcd";
static char etcd_address[] = "http://etcd:2379";

/* A test that cannot go on says so and ends. */
static void must(bool claim, const char *what)
{
    if (!claim) {
        fprintf(stderr, "the simulated fleet: %s\n", what);
        abort();
    }
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
    static const char *const levels[] = {"ERROR", "WARN", "INFO", "DEBUG"};
    if (process->fleet->is_loud) {
        printf("%8lld %s %s %s: %s\n", (long long)yr_sim_now_ms(process->fleet->sim),
               process->name, levels[level], component, text);
    }
}

yr_fleet *yr_fleet_new(uint64_t seed, bool is_loud)
{
    yr_fleet *fleet = yr_calloc(1, sizeof *fleet);
    must(fleet != NULL, "no memory");
    fleet->is_loud = is_loud;
    fleet->sim = yr_sim_new(seed);
    if (is_loud) {
        yr_sim_set_trace(fleet->sim, on_trace, NULL);
    }
    fleet->etcd_host = yr_sim_host_new(fleet->sim, etcd_name);
    must(yr_fake_etcd_new(yr_sim_host_io(fleet->etcd_host), etcd_name, 2379, NULL,
                          &fleet->etcd) == YURPC_OK,
         "the fake etcd does not listen");
    return fleet;
}

/* ---- Processes ---- */

yr_process *yr_fleet_start(yr_fleet *fleet, const char *name)
{
    must(fleet->process_count < YR_FLEET_PROCESSES_MAX, "too many processes");
    yr_process *process = yr_calloc(1, sizeof *process);
    must(process != NULL, "no memory");
    process->fleet = fleet;
    process->name = name;
    process->host = yr_sim_host_new(fleet->sim, name);
    yr_io *io = yr_sim_host_io(process->host);
    yr_config config = {.registry = driver_name,
                        .address = etcd_address,
                        .timeout_ms = 10000,
                        .ttl_ms = YR_FLEET_TTL_MS,
                        .log = {.fn = on_log, .context = process, .level = YURPC_LOG_DEBUG}};
    must(yr_registry_new(io, &config, &yr_driver_etcd, &process->registry, NULL) == YURPC_OK,
         "a registry cannot be opened");
    yr_registry_set_reconcile_ms(process->registry, YR_FLEET_RECONCILE_MS);
    must(yr_executor_new(io, false, &process->executor) == YURPC_OK, "no executor");
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
    for (size_t i = 0; i < process->view_count; i++) {
        yr_view *view = &process->views[i];
        yr_subscription_detach(view->watch);
        yr_subscription_free(view->watch);
        yr_directory_close(&process->registry->directory, view->entry);
        yr_free(view->told);
        view->told = NULL;
    }
    process->view_count = 0;
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX; i++) {
        process->wanted[i].registration = NULL;
    }
    yr_executor_release(process->executor);
    process->executor = NULL;
    yr_registry_close(process->registry, on_closed, process);
}

void yr_process_close(yr_process *process)
{
    if (process->registry == NULL || process->executor == NULL) {
        return;
    }
    yr_sim_thaw(process->host);
    begin_close(process);
    int64_t begun = yr_sim_now_ms(process->fleet->sim);
    bool is_in_time =
        yr_sim_run_until(process->fleet->sim, is_closed, process, YR_CLOSE_MS + 500);
    must(is_in_time, "closing takes too long");
    must(yr_sim_now_ms(process->fleet->sim) - begun <= YR_CLOSE_MS + 500, "closing is late");
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
    yr_sim_thaw(process->host);
    yr_sim_reset_connections(process->host);
    yr_sim_cut_host(process->host);
    begin_close(process);
}

void yr_fleet_free(yr_fleet *fleet)
{
    for (size_t i = 0; i < fleet->process_count; i++) {
        yr_process *process = fleet->processes[i];
        if (process->executor != NULL) {
            yr_process_close(process);
        }
        must(yr_sim_run_until(fleet->sim, is_closed, process, 10000), "closing never ends");
    }
    yr_fake_etcd_free(fleet->etcd);
    yr_sim_run_for(fleet->sim, 10);
    yr_sim_free(fleet->sim);
    for (size_t i = 0; i < fleet->process_count; i++) {
        yr_free(fleet->processes[i]);
    }
    yr_free(fleet);
}

/* ---- Providers ---- */

static void on_state(void *context, yurpc_registration_state state, const yurpc_error *error)
{
    yr_wanted *wanted = context;
    (void)error;
    wanted->losses += state == YURPC_LOST;
    wanted->conflicts += state == YURPC_CONFLICT_STATE;
}

yr_wanted *yr_process_register(yr_process *process, const char *service, uint16_t port)
{
    yr_wanted *slot = NULL;
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX && slot == NULL; i++) {
        slot = process->wanted[i].registration == NULL ? &process->wanted[i] : NULL;
    }
    must(slot != NULL, "too many registrations");
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = service;
    spec.host = "10.0.0.1";
    spec.port = port;
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = on_state;
    options.context = slot;
    *slot = (yr_wanted){.port = port};
    must(snprintf(slot->service, sizeof slot->service, "%s", service) > 0, "no service");
    yurpc_registration *registration = NULL;
    must(yr_registration_new(&spec, &options, NULL, &registration) == YURPC_OK,
         "no registration");
    must(yr_provider_add(&process->registry->provider, &registration, 1, NULL) == YURPC_OK,
         "the address is registered already");
    slot->registration = registration;
    return slot;
}

void yr_process_unregister(yr_process *process, yr_wanted *wanted)
{
    yr_provider_leave(&process->registry->provider, wanted->registration, YR_CLOSE_MS, NULL,
                      NULL);
    wanted->registration = NULL;
}

/* ---- Consumers ---- */

static void tell(yr_view *view, const char *address, bool is_up)
{
    char *at = strstr(view->told, address);
    size_t len = strlen(address);
    must((at == NULL) == is_up, is_up ? "an instance came up twice" : "an unknown one went");
    if (!is_up) {
        memmove(at, at + len, strlen(at + len) + 1);
        return;
    }
    /* In the order of addresses, to be compared as text. */
    size_t told_len = strlen(view->told);
    view->told = yr_realloc(view->told, told_len + len + 1);
    must(view->told != NULL, "no memory");
    char *before = view->told;
    while (*before != '\0' && strncmp(before, address, len) < 0) {
        before = strchr(before, ' ') + 1;
    }
    memmove(before + len, before, told_len - (size_t)(before - view->told) + 1);
    memcpy(before, address, len);
}

static void on_event(void *context, const yurpc_event *event)
{
    yr_view *view = context;
    view->stales += event->kind == YURPC_EVENT_STALE;
    for (size_t i = 0; i < event->count; i++) {
        char address[64];
        must(snprintf(address, sizeof address, "%s ",
                      yurpc_instance_address(event->instances[i])) > 0,
             "no address");
        view->ups += event->kind == YURPC_EVENT_UP;
        view->downs += event->kind == YURPC_EVENT_DOWN;
        view->changes += event->kind == YURPC_EVENT_CHANGED;
        if (event->kind == YURPC_EVENT_UP || event->kind == YURPC_EVENT_DOWN) {
            tell(view, address, event->kind == YURPC_EVENT_UP);
        }
        if (view->process->fleet->is_loud) {
            printf("%8lld %s %s %s\n", (long long)yr_sim_now_ms(view->process->fleet->sim),
                   view->process->name, yurpc_event_kind_name(event->kind), address);
        }
    }
}

yr_view *yr_process_follow(yr_process *process, const char *service)
{
    must(process->view_count < YR_FLEET_FOLLOWED_MAX, "too many services");
    yr_view *view = &process->views[process->view_count++];
    *view = (yr_view){.process = process, .service = service, .told = yr_strdup("")};
    must(view->told != NULL, "no memory");
    must(yr_directory_open(&process->registry->directory, service, &view->entry) == YURPC_OK,
         "the service cannot be followed");
    must(yr_subscription_new(view->entry, process->executor, on_event, view, &view->watch) ==
             YURPC_OK,
         "no watch");
    return view;
}

/* ---- Questions ---- */

enum { LIST_LEN_MAX = 4096 };

const char *yr_view_list(const yr_view *view)
{
    static char list[LIST_LEN_MAX];
    size_t len = 0;
    list[0] = '\0';
    const yurpc_snapshot *now = yr_snapshot_cell_current(view->entry->cell);
    for (size_t i = 0; i < yurpc_snapshot_count(now); i++) {
        len += (size_t)snprintf(list + len, sizeof list - len, "%s ",
                                yurpc_instance_address(yurpc_snapshot_at(now, i)));
        must(len < sizeof list, "the list is too long");
    }
    return list;
}

const char *yr_fleet_registered(const yr_fleet *fleet, const char *service)
{
    static char list[LIST_LEN_MAX];
    char first[128];
    char end[128];
    must(snprintf(first, sizeof first, "/rpc/%s/", service) > 0, "no service");
    must(snprintf(end, sizeof end, "/rpc/%s0", service) > 0, "no service");
    yr_fake_span span = {yr_bytes_of_text(first), yr_bytes_of_text(end)};
    size_t len = 0;
    list[0] = '\0';
    const yr_fake_version *found = NULL;
    while ((found = yr_fake_store_next(yr_fake_etcd_store(fleet->etcd), &span, 0, found)) !=
           NULL) {
        yurpc_bytes node = yr_bytes_after(found->key, strlen(first));
        len += (size_t)snprintf(list + len, sizeof list - len, "%.*s ", (int)node.len,
                                (const char *)node.data);
        must(len < sizeof list, "the list is too long");
    }
    return list;
}

static int by_port(const void *a, const void *b)
{
    return strcmp(a, b);
}

const char *yr_fleet_wanted(const yr_fleet *fleet, const char *service)
{
    static char list[LIST_LEN_MAX];
    char addresses[YR_FLEET_PROCESSES_MAX * YR_FLEET_WANTED_MAX][32];
    size_t count = 0;
    for (size_t i = 0; i < fleet->process_count; i++) {
        const yr_process *process = fleet->processes[i];
        for (size_t j = 0; j < YR_FLEET_WANTED_MAX && !process->is_dead; j++) {
            const yr_wanted *wanted = &process->wanted[j];
            if (wanted->registration != NULL && strcmp(wanted->service, service) == 0) {
                must(snprintf(addresses[count++], 32, "10.0.0.1:%u ", wanted->port) > 0, "");
            }
        }
    }
    qsort(addresses, count, sizeof *addresses, by_port);
    list[0] = '\0';
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(addresses[i], addresses[i - 1]) == 0) {
            continue; /* two want it, one has it */
        }
        len += (size_t)snprintf(list + len, sizeof list - len, "%s", addresses[i]);
        must(len < sizeof list, "the list is too long");
    }
    return list;
}

typedef struct expectation {
    yr_view *view;
    const char *list;
} expectation;

static bool is_met(void *context)
{
    const expectation *wanted = context;
    return strcmp(yr_view_list(wanted->view), wanted->list) == 0 &&
           strcmp(wanted->view->told, wanted->list) == 0;
}

bool yr_view_becomes(yr_view *view, const char *list, int64_t limit_ms)
{
    expectation wanted = {view, list};
    if (yr_sim_run_until(view->process->fleet->sim, is_met, &wanted, limit_ms)) {
        return true;
    }
    printf("expected [%s], listed [%s], told [%s]\n", list, yr_view_list(view), view->told);
    return false;
}

typedef struct settling {
    yr_fleet *fleet;
    const char *service;
    char complaint[3 * LIST_LEN_MAX];
} settling;

static bool complain(settling *now, const char *what, const char *is, const char *should)
{
    must(snprintf(now->complaint, sizeof now->complaint, "%s: [%s], should be [%s]", what, is,
                  should) > 0,
         "");
    return false;
}

static bool is_settled(void *context)
{
    settling *now = context;
    yr_fleet *fleet = now->fleet;
    const char *wanted = yr_fleet_wanted(fleet, now->service);
    const char *registered = yr_fleet_registered(fleet, now->service);
    if (strcmp(wanted, registered) != 0) {
        return complain(now, "the registry holds", registered, wanted);
    }
    for (size_t i = 0; i < fleet->process_count; i++) {
        yr_process *process = fleet->processes[i];
        for (size_t j = 0; j < process->view_count; j++) {
            yr_view *view = &process->views[j];
            if (strcmp(view->service, now->service) != 0) {
                continue;
            }
            if (strcmp(yr_view_list(view), wanted) != 0) {
                return complain(now, process->name, yr_view_list(view), wanted);
            }
            if (strcmp(view->told, wanted) != 0) {
                return complain(now, process->name, view->told, wanted);
            }
            if (yurpc_snapshot_is_stale(yr_snapshot_cell_current(view->entry->cell))) {
                return complain(now, process->name, "stale", "fresh");
            }
        }
    }
    return true;
}

const char *yr_fleet_settle(yr_fleet *fleet, const char *service, int64_t limit_ms)
{
    static settling now;
    now.fleet = fleet;
    now.service = service;
    bool is_done = yr_sim_run_until(fleet->sim, is_settled, &now, limit_ms);
    return is_done ? NULL : now.complaint;
}

void yr_fleet_describe(const yr_fleet *fleet)
{
    static const char *const known[] = {"absent", "unknown", "ours", "foreign"};
    for (size_t i = 0; i < fleet->process_count; i++) {
        const yr_process *process = fleet->processes[i];
        if (process->is_dead) {
            continue;
        }
        const yr_provider *provider = &process->registry->provider;
        printf("%s: session %llx%s\n", process->name, (unsigned long long)provider->session.id,
               provider->is_opening ? ", opening another" : "");
        yr_map_node *node = NULL;
        while ((node = yr_map_next(&provider->claims, node)) != NULL) {
            const yr_claim *claim = YR_CONTAINER_OF(node, yr_claim, map_node);
            printf("  %s: %s, %s%s%s%s\n", claim->key, known[claim->known],
                   claim->registration != NULL ? "wanted" : "unwanted",
                   claim->is_in_flight ? ", in flight" : "",
                   claim->is_doubtful ? ", doubtful" : "",
                   claim->guard != NULL ? "" : ", unguarded");
        }
    }
}

void yr_fleet_heal(yr_fleet *fleet)
{
    yr_fake_etcd_set_silent(fleet->etcd, false);
    yr_sim_heal_host(fleet->etcd_host);
    for (size_t i = 0; i < fleet->process_count; i++) {
        yr_process *process = fleet->processes[i];
        if (process->is_dead) {
            yr_sim_cut_host(process->host);
        } else {
            yr_sim_heal_host(process->host);
            yr_sim_thaw(process->host);
        }
    }
}
