/* What goes wrong in the simulated world. */
#include "sim/sim_world.h"

#include <string.h>

void yr_sim_set_latency(yr_sim *sim, int64_t min_ms, int64_t max_ms)
{
    YR_ASSERT(min_ms >= 0 && max_ms >= min_ms);
    sim->latency_min_ms = min_ms;
    sim->latency_max_ms = max_ms;
}

void yr_sim_set_splitting(yr_sim *sim, bool is_on)
{
    sim->is_splitting = is_on;
}

/* ---- Cuts ---- */

bool sim_is_cut(const yr_sim_host *from, const yr_sim_host *to)
{
    if (from == to) {
        return false;
    }
    return from->is_isolated || to->is_isolated || from->sim->is_cut[from->index][to->index];
}

/* What was kept back on its way to @p host is sent again. */
static void release_streams(yr_sim_host *host)
{
    for (yr_list *link = host->streams.next; link != &host->streams; link = link->next) {
        sim_stream_release(YR_CONTAINER_OF(link, sim_stream, link), sim_latency_ms(host->sim));
    }
}

void yr_sim_cut_one_way(yr_sim_host *from, yr_sim_host *to)
{
    sim_trace(from, "is cut off on its way to %s", to->name);
    from->sim->is_cut[from->index][to->index] = true;
}

void yr_sim_cut(yr_sim_host *a, yr_sim_host *b)
{
    yr_sim_cut_one_way(a, b);
    yr_sim_cut_one_way(b, a);
}

void yr_sim_cut_host(yr_sim_host *host)
{
    sim_trace(host, "is cut off");
    host->is_isolated = true;
}

void yr_sim_heal(yr_sim_host *a, yr_sim_host *b)
{
    sim_trace(a, "is healed with %s", b->name);
    a->sim->is_cut[a->index][b->index] = false;
    a->sim->is_cut[b->index][a->index] = false;
    release_streams(a);
    release_streams(b);
}

void yr_sim_heal_host(yr_sim_host *host)
{
    host->is_isolated = false;
    for (size_t i = 0; i < host->sim->host_count; i++) {
        yr_sim_heal(host, host->sim->hosts[i]);
    }
}

void yr_sim_heal_all(yr_sim *sim)
{
    memset(sim->is_cut, 0, sizeof sim->is_cut);
    for (size_t i = 0; i < sim->host_count; i++) {
        sim->hosts[i]->is_isolated = false;
    }
    for (size_t i = 0; i < sim->host_count; i++) {
        sim_trace(sim->hosts[i], "is healed");
        release_streams(sim->hosts[i]);
    }
}

/* ---- Connections and processes ---- */

void yr_sim_reset_connections(yr_sim_host *host)
{
    sim_trace(host, "loses its connections");
    yr_list *link = host->streams.next;
    while (link != &host->streams) {
        sim_stream *stream = YR_CONTAINER_OF(link, sim_stream, link);
        link = link->next;
        bool is_owned = stream->state == STREAM_OPEN || stream->state == STREAM_WAITING;
        if (stream->peer != NULL && is_owned) {
            sim_stream_break(stream, true, false);
        } else if (stream->state == STREAM_BACKLOG) {
            sim_stream_break(stream, false, false);
            sim_stream_drop(stream);
        }
    }
}

void yr_sim_set_refusing(yr_sim_host *host, bool is_refusing)
{
    sim_trace(host, is_refusing ? "refuses connections" : "takes connections");
    host->is_refusing = is_refusing;
}

void yr_sim_freeze(yr_sim_host *host)
{
    sim_trace(host, "is frozen");
    host->is_frozen = true;
}

void yr_sim_thaw(yr_sim_host *host)
{
    sim_trace(host, "is thawed");
    host->is_frozen = false;
    for (yr_list *link = host->streams.next; link != &host->streams; link = link->next) {
        sim_stream_release(YR_CONTAINER_OF(link, sim_stream, link), 0);
    }
    sim_wake_host(host); /* the timers behind what has arrived, as the real loop does it */
}

void yr_sim_kill(yr_sim_host *host)
{
    sim_trace(host, "is killed");
    host->is_dead = true;
    bool is_in_order = sim_network_below(host->sim, 2) == 0;
    yr_list *link = host->streams.next;
    while (link != &host->streams) {
        sim_stream *stream = YR_CONTAINER_OF(link, sim_stream, link);
        link = link->next;
        if (stream->state == STREAM_ARRIVING) {
            continue; /* its SYN will be refused */
        }
        sim_stream_break(stream, false, is_in_order);
        yr_list_remove(&stream->unsent);
        if (stream->state == STREAM_BACKLOG) {
            sim_stream_drop(stream);
        }
    }
}

bool yr_sim_is_dead(const yr_sim_host *host)
{
    return host->is_dead;
}
