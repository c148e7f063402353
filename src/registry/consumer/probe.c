#include "registry/consumer/probe.h"

#include "base/error.h"

/* Begin what may be begun. */
static void pump(void *context);

void yr_prober_init(yr_prober *prober, yr_io *io)
{
    *prober = (yr_prober){.io = io};
    yr_list_init(&prober->waiting);
    yr_pace_init(&prober->pace, YR_PROBE_BURST, YR_PROBE_INTERVAL_MS);
    yr_timer_init(&prober->timer, pump, prober);
}

void yr_prober_deinit(yr_prober *prober)
{
    YR_ASSERT(prober->active == 0 && yr_list_is_empty(&prober->waiting));
    yr_timer_stop(prober->io, &prober->timer);
}

/* In a turn of its own: whoever is told of an end may stop any probe. */
static void pump_in(yr_prober *prober, int64_t delay_ms)
{
    if (!yr_timer_is_running(&prober->timer)) {
        yr_timer_start(prober->io, &prober->timer, delay_ms);
    }
}

static void probe_close(yr_probe *probe)
{
    if (probe->stream != NULL) {
        yr_stream_close(probe->stream);
        probe->stream = NULL;
        probe->prober->active--;
        pump_in(probe->prober, 0);
    }
}

static void probe_ended(yr_probe *probe, bool is_refused)
{
    probe_close(probe);
    probe->fn(probe->context, is_refused);
}

static void on_open(void *context)
{
    probe_ended(context, false);
}

static void on_data(void *context, yurpc_bytes bytes)
{
    (void)context; /* never: it is closed when it opens */
    (void)bytes;
}

static void on_end(void *context, const yurpc_error *error)
{
    probe_ended(context, yr_error_is_refused(error));
}

static void probe_connect(yr_probe *probe)
{
    static const yr_stream_events events = {
        .on_open = on_open, .on_data = on_data, .on_end = on_end};
    yr_prober *prober = probe->prober;
    const yr_connect_options options = {
        .host = probe->host,
        .port = probe->port,
        .timeout_ms = YR_PROBE_TIMEOUT_MS,
        .is_minor =
            true}; /* names that nobody answers for must not keep us from the registry */
    if (yr_io_connect(prober->io, &options, &events, probe, &probe->stream) != YURPC_OK) {
        probe->fn(probe->context, false);
        return;
    }
    prober->active++;
}

static void pump(void *context)
{
    yr_prober *prober = context;
    while (prober->active < YR_PROBE_ACTIVE_MAX && !yr_list_is_empty(&prober->waiting)) {
        int64_t wait_ms = yr_pace_take(&prober->pace, yr_io_now_ms(prober->io));
        if (wait_ms > 0) {
            pump_in(prober, wait_ms);
            return;
        }
        yr_list *first = yr_list_take_first(&prober->waiting);
        YR_ASSERT(first != NULL); /* said to the optimiser, which sees another way */
        probe_connect(YR_CONTAINER_OF(first, yr_probe, link));
    }
}

void yr_probe_init(yr_probe *probe, yr_prober *prober, yr_probe_fn *fn, void *context)
{
    *probe = (yr_probe){.prober = prober, .fn = fn, .context = context};
    yr_list_init(&probe->link);
}

void yr_probe_begin(yr_probe *probe, const char *host, uint16_t port)
{
    yr_prober *prober = probe->prober;
    bool is_first = prober->active == 0 && yr_list_is_empty(&prober->waiting);
    probe->host = host;
    probe->port = port;
    yr_list_append(&prober->waiting, &probe->link);
    if (is_first) {
        pump_in(prober, (int64_t)(yr_io_random(prober->io) % (YR_PROBE_SPREAD_MS + 1)));
    } else {
        pump_in(prober, 0);
    }
}

void yr_probe_stop(yr_probe *probe)
{
    yr_list_remove(&probe->link);
    probe_close(probe);
}
