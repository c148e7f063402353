#include "sim/sim_io.h"

#include "base/mem.h"
#include "sim/sim_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BEGIN_MS = 1000 * 1000, /* the clocks do not begin at 0, nor with one another */
    FIRST_PORT = 40000,
};

static const int64_t wall_begin_ms = 1800000000000;

/* ---- Chance ---- */

/* Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

uint64_t sim_network_below(yr_sim *sim, uint64_t bound)
{
    return split_mix(&sim->network_random) % bound;
}

int64_t sim_latency_ms(yr_sim *sim)
{
    uint64_t range = (uint64_t)(sim->latency_max_ms - sim->latency_min_ms) + 1;
    return sim->latency_min_ms + (int64_t)sim_network_below(sim, range);
}

uint64_t yr_sim_random(yr_sim *sim)
{
    return split_mix(&sim->test_random);
}

uint64_t yr_sim_random_below(yr_sim *sim, uint64_t bound)
{
    YR_ASSERT(bound > 0);
    return yr_sim_random(sim) % bound;
}

/* ---- Memory, trace ---- */

void *sim_alloc(size_t size)
{
    void *memory = calloc(1, size);
    YR_ASSERT(memory != NULL);
    return memory;
}

void sim_dealloc(void *memory)
{
    free(memory);
}

void sim_bury(yr_sim *sim, sim_grave *grave, void *memory)
{
    grave->memory = memory;
    yr_list_append(&sim->graves, &grave->link);
}

static void free_graves(yr_sim *sim)
{
    yr_list *link = yr_list_take_first(&sim->graves);
    while (link != NULL) {
        yr_free(YR_CONTAINER_OF(link, sim_grave, link)->memory);
        link = yr_list_take_first(&sim->graves);
    }
}

void yr_sim_set_trace(yr_sim *sim, yr_sim_trace_fn *fn, void *context)
{
    sim->trace = fn;
    sim->trace_context = context;
}

void sim_trace(const yr_sim_host *host, const char *format, ...)
{
    const yr_sim *sim = host->sim;
    if (sim->trace == NULL) {
        return;
    }
    char what[200];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(what, sizeof what, format, args);
    va_end(args);
    char line[300];
    (void)snprintf(line, sizeof line, "%8lld %s %s", (long long)(sim->now_ms - BEGIN_MS),
                   host->name, len >= 0 ? what : "?");
    sim->trace(sim->trace_context, line);
}

/* ---- Events ---- */

void sim_schedule(yr_sim *sim, sim_event *event, int64_t due_ms)
{
    yr_heap_remove(&sim->events, &event->node);
    yr_heap_insert(&sim->events, &event->node, due_ms > sim->now_ms ? due_ms : sim->now_ms);
}

void sim_unschedule(yr_sim *sim, sim_event *event)
{
    yr_heap_remove(&sim->events, &event->node);
}

/* The next event that is due until @p end_ms; false when there is none. */
static bool run_one(yr_sim *sim, int64_t end_ms)
{
    yr_heap_node *first = yr_heap_first(&sim->events);
    if (first == NULL || first->key > end_ms) {
        return false;
    }
    if (first->key > sim->now_ms) {
        sim->now_ms = first->key;
        sim->events_now = 0;
    }
    bool is_busy_loop = ++sim->events_now > YR_SIM_EVENTS_MAX;
    if (is_busy_loop) {
        fprintf(stderr, "sim: %d events at one instant, %lld ms: something loops\n",
                (int)YR_SIM_EVENTS_MAX, (long long)(sim->now_ms - BEGIN_MS));
    }
    YR_ASSERT(!is_busy_loop);
    sim_event *event = YR_CONTAINER_OF(first, sim_event, node);
    yr_heap_remove(&sim->events, first);
    event->fn(event->context);
    free_graves(sim);
    return true;
}

int64_t yr_sim_now_ms(const yr_sim *sim)
{
    return sim->now_ms;
}

static void advance_to(yr_sim *sim, int64_t end_ms)
{
    if (end_ms > sim->now_ms) {
        sim->now_ms = end_ms;
        sim->events_now = 0;
    }
}

void yr_sim_run_for(yr_sim *sim, int64_t ms)
{
    int64_t end_ms = sim->now_ms + ms;
    while (run_one(sim, end_ms)) {
    }
    advance_to(sim, end_ms);
}

bool yr_sim_run_until(yr_sim *sim, yr_sim_predicate *predicate, void *context, int64_t limit_ms)
{
    int64_t end_ms = sim->now_ms + limit_ms;
    while (!predicate(context)) {
        if (!run_one(sim, end_ms)) {
            advance_to(sim, end_ms);
            return predicate(context);
        }
    }
    return true;
}

void yr_sim_jump_wall(yr_sim *sim, int64_t ms)
{
    sim->wall_jumped_ms += ms;
}

void yr_sim_suspend(yr_sim *sim, int64_t ms)
{
    advance_to(sim, sim->now_ms + ms); /* what became due meanwhile happens late */
}

/* ---- A host's turn ---- */

void sim_wake_host(yr_sim_host *host)
{
    sim_schedule(host->sim, &host->turn, host->sim->now_ms);
}

void sim_begin_turn(yr_sim_host *host)
{
    YR_ASSERT(!host->is_in_turn);
    host->is_in_turn = true;
}

void sim_end_turn(yr_sim_host *host)
{
    yr_list batch; /* what on_drain writes goes out in the next turn */
    yr_list_init(&batch);
    yr_list_move_all(&batch, &host->unsent);
    yr_list *link = yr_list_take_first(&batch);
    while (link != NULL) {
        sim_stream_send(YR_CONTAINER_OF(link, sim_stream, unsent));
        link = yr_list_take_first(&batch);
    }
    host->is_in_turn = false;
    if (!yr_list_is_empty(&host->unsent)) {
        sim_wake_host(host);
    }
}

static void on_turn(void *context)
{
    yr_sim_host *host = context;
    if (host->is_frozen || host->is_dead) {
        return; /* thawing plans it anew */
    }
    sim_trace(host, "has a turn");
    sim_begin_turn(host);
    yr_io_run_posted(&host->io);
    yr_io_run_timers(&host->io); /* at its end it plans the next turn, by timers_changed() */
    sim_end_turn(host);
}

/* ---- The table ---- */

static yr_sim_host *host_of(yr_io *io)
{
    return YR_CONTAINER_OF(io, yr_sim_host, io);
}

static int64_t now_ms(const yr_io *io)
{
    return ((const yr_sim_host *)(const void *)io)->sim->now_ms;
}

static int64_t boot_ms(yr_io *io)
{
    return now_ms(io);
}

static int64_t wall_ms(yr_io *io)
{
    const yr_sim *sim = host_of(io)->sim;
    return wall_begin_ms + sim->now_ms + sim->wall_jumped_ms;
}

static uint64_t random_bits(yr_io *io)
{
    return split_mix(&host_of(io)->random);
}

static void wake(yr_io *io)
{
    sim_wake_host(host_of(io));
}

static void timers_changed(yr_io *io)
{
    /* A turn too early does no harm, one too late would: only ever plan it earlier. */
    yr_sim_host *host = host_of(io);
    int64_t due_ms = yr_io_next_timer_ms(io);
    if (due_ms != INT64_MAX && (!host->turn.node.is_in || due_ms < host->turn.node.key)) {
        sim_schedule(host->sim, &host->turn, due_ms);
    }
}

static void close_listener(yr_listener *base)
{
    sim_listener *listener = (sim_listener *)(void *)base;
    sim_trace(listener->host, "stops listening on port %u", (unsigned)base->port);
    yr_list_remove(&listener->link);
    sim_bury(listener->host->sim, &listener->grave, listener);
}

sim_listener *sim_find_listener(const yr_sim_host *host, uint16_t port)
{
    for (yr_list *link = host->listeners.next; link != &host->listeners; link = link->next) {
        sim_listener *listener = YR_CONTAINER_OF(link, sim_listener, link);
        if (listener->listener.port == port) {
            return listener;
        }
    }
    return NULL;
}

static yurpc_status listen_on(yr_io *io, const char *address, uint16_t port, yr_accept_fn *fn,
                              void *context, yr_listener **ret_listener)
{
    yr_sim_host *host = host_of(io);
    if (address[0] == '\0') {
        return YURPC_INVALID;
    }
    while (port == 0) {
        uint16_t next = host->next_port++;
        port = sim_find_listener(host, next) == NULL ? next : 0;
    }
    if (sim_find_listener(host, port) != NULL) {
        return YURPC_EXISTS;
    }
    sim_listener *listener = yr_calloc(1, sizeof *listener);
    if (listener == NULL) {
        return YURPC_NO_MEMORY;
    }
    *listener =
        (sim_listener){{close_listener, port}, .host = host, .fn = fn, .context = context};
    yr_list_append(&host->listeners, &listener->link);
    sim_trace(host, "listens on port %u", (unsigned)port);
    *ret_listener = &listener->listener;
    return YURPC_OK;
}

static yurpc_status watch_fd(yr_io *io, int fd, int events, yr_fd_fn *fn, void *context,
                             yr_fd_watch **ret_watch)
{
    (void)io;
    (void)fd;
    (void)events;
    (void)fn;
    (void)context;
    (void)ret_watch;
    return YURPC_UNSUPPORTED;
}

static void finish_work(void *context)
{
    yr_work *work = context;
    work->done(work->context);
}

static void do_work(void *context)
{
    yr_work *work = context;
    yr_io *io = work->io;
    work->run(work->context);
    yr_task_init(&work->run_task, finish_work, work);
    (void)yr_io_post(io, &work->run_task); /* is not posted: it has just run */
}

static yurpc_status begin_work(yr_io *io, yr_work *work)
{
    work->io = io;
    yr_task_init(&work->run_task, do_work, work);
    (void)yr_io_post(io, &work->run_task);
    return YURPC_OK;
}

static const yr_io_ops sim_ops = {
    .now_ms = now_ms,
    .boot_ms = boot_ms,
    .wall_ms = wall_ms,
    .random = random_bits,
    .wake = wake,
    .timers_changed = timers_changed,
    .connect = sim_connect,
    .listen = listen_on,
    .watch_fd = watch_fd,
    .work = begin_work,
};

/* ---- Life ---- */

yr_sim *yr_sim_new(uint64_t seed)
{
    yr_sim *sim = sim_alloc(sizeof *sim);
    uint64_t state = seed;
    sim->network_random = split_mix(&state);
    sim->test_random = split_mix(&state);
    sim->now_ms = BEGIN_MS;
    sim->latency_min_ms = 1;
    sim->latency_max_ms = 5;
    yr_heap_init(&sim->events);
    yr_list_init(&sim->graves);
    return sim;
}

static void drop_streams(yr_sim_host *host)
{
    /* Ends that arrived but that nobody took are the world's own. */
    yr_list *link = host->streams.next;
    while (link != &host->streams) {
        sim_stream *stream = YR_CONTAINER_OF(link, sim_stream, link);
        link = link->next;
        bool was_left_open =
            stream->state != STREAM_ARRIVING && stream->state != STREAM_BACKLOG;
        if (was_left_open) {
            fprintf(stderr, "sim: a stream of %s with %s was not closed\n", host->name,
                    stream->peer_name);
        }
        YR_ASSERT(!was_left_open);
        sim_stream_drop(stream);
    }
}

static void free_host(yr_sim_host *host)
{
    YR_ASSERT(yr_list_is_empty(&host->listeners));
    yr_io_deinit(&host->io);
    sim_dealloc(host->name);
    sim_dealloc(host);
}

void yr_sim_free(yr_sim *sim)
{
    if (sim == NULL) {
        return;
    }
    for (size_t i = 0; i < sim->host_count;
         i++) { /* before any host: the heap links them all */
        drop_streams(sim->hosts[i]);
    }
    for (size_t i = 0; i < sim->host_count; i++) {
        free_host(sim->hosts[i]);
    }
    free_graves(sim);
    sim_dealloc(sim);
}

yr_sim_host *yr_sim_host_new(yr_sim *sim, const char *name)
{
    YR_ASSERT(sim->host_count < YR_SIM_HOSTS_MAX);
    yr_sim_host *host = sim_alloc(sizeof *host);
    yurpc_status status = yr_io_init(&host->io, &sim_ops);
    YR_ASSERT(status == YURPC_OK);
    size_t name_size = strlen(name) + 1;
    host->name = sim_alloc(name_size);
    memcpy(host->name, name, name_size);
    host->sim = sim;
    host->index = sim->host_count;
    host->random = split_mix(&sim->network_random);
    host->turn = (sim_event){.fn = on_turn, .context = host};
    host->next_port = FIRST_PORT;
    yr_list_init(&host->streams);
    yr_list_init(&host->listeners);
    yr_list_init(&host->unsent);
    sim->hosts[sim->host_count++] = host;
    return host;
}

yr_io *yr_sim_host_io(yr_sim_host *host)
{
    return &host->io;
}

const char *yr_sim_host_name(const yr_sim_host *host)
{
    return host->name;
}

static size_t count_timers(const yr_heap_node *node)
{
    size_t count = 0;
    for (; node != NULL; node = node->next) {
        count += 1 + count_timers(node->child);
    }
    return count;
}

yr_sim_load yr_sim_host_load(const yr_sim_host *host)
{
    yr_sim_load load = {.connects = host->connects, .writes = host->writes};
    load.timers = count_timers(host->io.timers.root);
    for (const yr_list *link = host->streams.next; link != &host->streams; link = link->next) {
        load.streams++;
    }
    return load;
}

yr_sim_host *sim_find_host(yr_sim_host *from, const char *name)
{
    yr_sim *sim = from->sim;
    if (strcmp(name, "localhost") == 0 || strcmp(name, "127.0.0.1") == 0) {
        return from;
    }
    for (size_t i = sim->host_count; i > 0; i--) { /* the last one: a name may be used again */
        if (strcmp(sim->hosts[i - 1]->name, name) == 0) {
            return sim->hosts[i - 1];
        }
    }
    return NULL;
}
