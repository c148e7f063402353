#include "sim/fleet.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"

#include <stdio.h>
#include <stdlib.h>

static const char etcd_name[] = "etcd";
static char driver_name[] = "etcd";
static const char other_name[] = "etcd-2";

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
    process->warnings += level <= YURPC_LOG_WARN;
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
    must(snprintf(fleet->address, sizeof fleet->address, "http://%s:2379", etcd_name) > 0, "");
    return fleet;
}

void yr_fleet_add_member(yr_fleet *fleet)
{
    must(fleet->process_count == 0 && fleet->other_host == NULL, "too late for a member");
    fleet->other_host = yr_sim_host_new(fleet->sim, other_name);
    must(yr_fake_etcd_add_member(fleet->etcd, yr_sim_host_io(fleet->other_host), other_name,
                                 2379) == YURPC_OK,
         "the second member does not listen");
    must(snprintf(fleet->address, sizeof fleet->address, "http://%s:2379,http://%s:2379",
                  etcd_name, other_name) > 0,
         "");
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
                        .address = fleet->address,
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
    bool is_leaving = state == YURPC_DRAINING || state == YURPC_GONE;
    if (wanted->registration == NULL || is_leaving) {
        return; /* it leaves, or has left, and the slot may be another's */
    }
    must(state != YURPC_LOST || wanted->state == YURPC_REGISTERED ||
             wanted->state == YURPC_LOST,
         "what was not registered was lost");
    wanted->state = state;
    wanted->losses += state == YURPC_LOST;
    wanted->conflicts += state == YURPC_CONFLICT_STATE;
}

yr_wanted *yr_process_try_register(yr_process *process, const char *service, uint16_t port,
                                   uint32_t weight)
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
    spec.weight = weight;
    yurpc_register_options options = YURPC_REGISTER_OPTIONS_INIT;
    options.on_state = on_state;
    options.context = slot;
    *slot = (yr_wanted){.port = port, .weight = weight != 0 ? weight : 100};
    must(snprintf(slot->service, sizeof slot->service, "%s", service) > 0, "no service");
    yurpc_registration *registration = NULL;
    if (yr_registration_new(&spec, &options, NULL, &registration) != YURPC_OK) {
        return NULL;
    }
    must(yr_provider_add(&process->registry->provider, &registration, 1, NULL) == YURPC_OK,
         "the address is registered already");
    slot->registration = registration;
    return slot;
}

yr_wanted *yr_process_register(yr_process *process, const char *service, uint16_t port)
{
    yr_wanted *wanted = yr_process_try_register(process, service, port, 0);
    must(wanted != NULL, "no registration");
    return wanted;
}

void yr_process_unregister(yr_process *process, yr_wanted *wanted)
{
    yurpc_registration *registration = wanted->registration;
    wanted->registration = NULL;
    yr_provider_leave(&process->registry->provider, registration, YR_CLOSE_MS, NULL, NULL);
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
    must(told_len + len < sizeof view->told, "too much is told");
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
    if (event->kind == YURPC_EVENT_STALE || event->kind == YURPC_EVENT_FRESH) {
        must(view->is_told_stale == (event->kind == YURPC_EVENT_FRESH), "stale or fresh twice");
        view->is_told_stale = event->kind == YURPC_EVENT_STALE;
    }
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

yr_view *yr_process_try_follow(yr_process *process, const char *service)
{
    must(process->view_count < YR_FLEET_FOLLOWED_MAX, "too many services");
    yr_view *view = &process->views[process->view_count];
    yr_directory *directory = &process->registry->directory;
    *view = (yr_view){.process = process, .service = service};
    if (yr_directory_open(directory, service, &view->entry) != YURPC_OK) {
        return NULL;
    }
    if (yr_subscription_new(view->entry, process->executor, on_event, view, &view->watch) !=
        YURPC_OK) {
        yr_directory_close(directory, view->entry);
        return NULL;
    }
    process->view_count++;
    return view;
}

yr_view *yr_process_follow(yr_process *process, const char *service)
{
    yr_view *view = yr_process_try_follow(process, service);
    must(view != NULL, "the service cannot be followed");
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

/* Whether a living process wants an instance of the service there. */
static bool is_wanted_of(const yr_process *process, const yr_wanted *wanted,
                         const char *service)
{
    return !process->is_dead && wanted->registration != NULL &&
           strcmp(wanted->service, service) == 0;
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
    for (size_t i = 0; i < fleet->process_count * YR_FLEET_WANTED_MAX; i++) {
        const yr_process *process = fleet->processes[i / YR_FLEET_WANTED_MAX];
        const yr_wanted *wanted = &process->wanted[i % YR_FLEET_WANTED_MAX];
        if (is_wanted_of(process, wanted, service)) {
            must(snprintf(addresses[count++], 32, "10.0.0.1:%u ", wanted->port) > 0, "");
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

/* Whether a living process wants the instance just so. */
static bool is_as_wanted(const yr_fleet *fleet, const char *service,
                         const yurpc_instance *instance)
{
    bool is_wanted = false;
    for (size_t i = 0; i < fleet->process_count * YR_FLEET_WANTED_MAX; i++) {
        const yr_process *process = fleet->processes[i / YR_FLEET_WANTED_MAX];
        const yr_wanted *wanted = &process->wanted[i % YR_FLEET_WANTED_MAX];
        is_wanted = is_wanted || (is_wanted_of(process, wanted, service) &&
                                  wanted->port == yurpc_instance_port(instance) &&
                                  wanted->weight == yurpc_instance_weight(instance));
    }
    return is_wanted && !yurpc_instance_is_draining(instance);
}

static bool is_view_settled(settling *now, const yr_view *view, const char *wanted)
{
    const char *name = view->process->name;
    const yurpc_snapshot *list = yr_snapshot_cell_current(view->entry->cell);
    if (strcmp(yr_view_list(view), wanted) != 0) {
        return complain(now, name, yr_view_list(view), wanted);
    }
    if (strcmp(view->told, wanted) != 0) {
        return complain(now, name, view->told, wanted);
    }
    if (yurpc_snapshot_is_stale(list) || view->is_told_stale) {
        return complain(now, name, "stale", "fresh");
    }
    for (size_t i = 0; i < yurpc_snapshot_count(list); i++) {
        const yurpc_instance *one = yurpc_snapshot_at(list, i);
        if (!is_as_wanted(now->fleet, now->service, one)) {
            return complain(now, name, yurpc_instance_address(one), "with another value");
        }
    }
    return true;
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
    bool is_right = true;
    for (size_t i = 0; is_right && i < fleet->process_count * YR_FLEET_FOLLOWED_MAX; i++) {
        const yr_process *process = fleet->processes[i / YR_FLEET_FOLLOWED_MAX];
        const yr_view *view = &process->views[i % YR_FLEET_FOLLOWED_MAX];
        bool is_of_service = i % YR_FLEET_FOLLOWED_MAX < process->view_count &&
                             strcmp(view->service, now->service) == 0;
        is_right = !is_of_service || is_view_settled(now, view, wanted);
    }
    return is_right;
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
    if (fleet->other_host != NULL) {
        yr_sim_heal_host(fleet->other_host);
        yr_sim_set_refusing(fleet->other_host, false);
    }
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
