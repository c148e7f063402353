/*
 * One run of one program, seen from inside its process.
 */
#ifndef YR_SAMPLE_H
#define YR_SAMPLE_H

#include <yurpc/yurpc.h>

#include <stdbool.h>

typedef struct yr_work yr_work;

typedef struct yr_sample {
    const yr_work *work;
    const char *address;   /* of the registry; empty: the work has none */
    const char *cache_dir; /* NULL: what is measured is the registry, and no disk */
} yr_sample;

/* Tell the parent a figure. */
void yr_report(const char *figure, double value);

/* Say on stderr what went wrong; gives false. @p error may be NULL, and is freed. */
bool yr_fail(const yr_sample *self, const char *what, yurpc_error *error);

/* Open the registry of the work; NULL: it has said why. @p ttl_s 0: the default. */
yurpc_registry *yr_sample_open(const yr_sample *self, uint32_t ttl_s);

/* Follow the service of all works (names.h), and see that @p count instances are there. */
yurpc_service *yr_sample_discover(const yr_sample *self, yurpc_registry *registry,
                                  size_t count);

#endif /* YR_SAMPLE_H */
