/*
 * The host on which a fleet's instances say they are: what it does when somebody connects.
 */
#ifndef YR_TESTS_SIM_PORTS_H
#define YR_TESTS_SIM_PORTS_H

#include "sim/sim_io.h"

enum { YR_PORTS_MAX = 64 }; /* ports 1 … that answer */

typedef enum yr_ports_kind {
    YR_PORTS_UNKNOWN, /* there is no such host */
    YR_PORTS_ANSWER,
    YR_PORTS_REFUSE,
    YR_PORTS_SILENT,
} yr_ports_kind;

typedef struct yr_ports {
    yr_sim_host *host; /* NULL: unknown */
    yr_listener *listeners[YR_PORTS_MAX];
    size_t accepted;
} yr_ports;

/* Of host 10.0.0.1. */
void yr_ports_init(yr_ports *ports, yr_sim *sim, yr_ports_kind kind);

/* Before the sim is freed. */
void yr_ports_deinit(yr_ports *ports);

#endif /* YR_TESTS_SIM_PORTS_H */
