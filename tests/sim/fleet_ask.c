/* What is, what is wanted, and what is believed: the fleet's questions. */
#include "base/bytes.h"
#include "registry/instance.h"
#include "sim/fleet_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        yr_fleet_must(len < sizeof list, "the list is too long");
    }
    return list;
}

const char *yr_fleet_registered(const yr_fleet *fleet, const char *service)
{
    static char list[LIST_LEN_MAX];
    char first[128];
    char end[128];
    yr_fleet_must(snprintf(first, sizeof first, "/rpc/%s/", service) > 0, "no service");
    yr_fleet_must(snprintf(end, sizeof end, "/rpc/%s0", service) > 0, "no service");
    yr_fake_span span = {yr_bytes_of_text(first), yr_bytes_of_text(end)};
    size_t len = 0;
    list[0] = '\0';
    const yr_fake_version *found = NULL;
    while ((found = yr_fake_store_next(yr_fake_etcd_store(fleet->etcd), &span, 0, found)) !=
           NULL) {
        yurpc_bytes node = yr_bytes_after(found->key, strlen(first));
        len += (size_t)snprintf(list + len, sizeof list - len, "%.*s ", (int)node.len,
                                (const char *)node.data);
        yr_fleet_must(len < sizeof list, "the list is too long");
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
            yr_fleet_must(snprintf(addresses[count++], 32, "10.0.0.1:%u ", wanted->port) > 0,
                          "");
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
        yr_fleet_must(len < sizeof list, "the list is too long");
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
    yr_fleet_must(snprintf(now->complaint, sizeof now->complaint, "%s: [%s], should be [%s]",
                           what, is, should) > 0,
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
    return is_wanted && !yurpc_instance_is_draining(instance) &&
           !yurpc_instance_is_suspect(instance);
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
    for (const yr_view *view = fleet->views; is_right && view != NULL; view = view->next) {
        bool is_of_service = view->watch != NULL && strcmp(view->service, now->service) == 0;
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
