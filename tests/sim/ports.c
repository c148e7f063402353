#include "sim/ports.h"

#include <stdio.h>
#include <stdlib.h>

static const char name[] = "10.0.0.1";

static void on_accept(void *context, yr_stream *stream)
{
    yr_ports *ports = context;
    ports->accepted++;
    yr_stream_close(stream);
}

void yr_ports_init(yr_ports *ports, yr_sim *sim, yr_ports_kind kind)
{
    *ports = (yr_ports){.accepted = 0};
    if (kind == YR_PORTS_UNKNOWN) {
        return;
    }
    ports->host = yr_sim_host_new(sim, name);
    if (kind == YR_PORTS_SILENT) {
        yr_sim_cut_host(ports->host);
    }
    for (uint16_t i = 0; kind == YR_PORTS_ANSWER && i < YR_PORTS_MAX; i++) {
        if (yr_io_listen(yr_sim_host_io(ports->host), name, (uint16_t)(i + 1), on_accept, ports,
                         &ports->listeners[i]) != YURPC_OK) {
            fprintf(stderr, "a simulated port does not listen\n");
            abort();
        }
    }
}

void yr_ports_deinit(yr_ports *ports)
{
    for (size_t i = 0; i < YR_PORTS_MAX; i++) {
        yr_listener_close(ports->listeners[i]);
    }
}
