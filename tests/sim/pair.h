/* The smallest fleet: a provider of port 1, and a consumer that sees it. */
#ifndef YR_SIM_PAIR_H
#define YR_SIM_PAIR_H

#include "sim/fleet.h"

#define SERVICE "com.acme.UserService:1.0"

typedef struct yr_pair {
    yr_fleet *fleet;
    yr_process *provider;
    yr_process *consumer;
    yr_wanted *wanted; /* the provider's registration */
    yr_view *view;     /* the consumer's */
} yr_pair;

/* The registration's key in etcd. */
extern const char yr_pair_key[];

/* @p members of etcd. */
yr_pair yr_pair_new(uint64_t seed, size_t members);

void yr_pair_free(yr_pair *pair);

void yr_pair_run_for(const yr_pair *pair, int64_t ms);

#endif /* YR_SIM_PAIR_H */
