/*
 * Whether so much of a service vanishes that rather the registry is to blame: the pure
 * decision.
 *
 * It counts who vanished without goodbye within the last TTL, less who came meanwhile, so that
 * neither a flapping instance nor a rolling restart adds up to a disappearance.
 */
#ifndef YR_REGISTRY_PROTECTION_H
#define YR_REGISTRY_PROTECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    YR_PROTECTION_MIN = 3, /* fewer are no mass */
    YR_PROTECTION_SLICES = 16,
};

typedef struct yr_protection {
    int64_t slice_ms; /* the window is kept in slices */
    int64_t newest;   /* number of the slice of now */
    size_t vanished[YR_PROTECTION_SLICES];
} yr_protection;

void yr_protection_init(yr_protection *protection, int64_t window_ms);

void yr_protection_vanished(yr_protection *protection, int64_t now_ms, size_t count);

/* As many stand for others that vanished: the oldest. */
void yr_protection_came(yr_protection *protection, int64_t now_ms, size_t count);

/* Whether, beside @p present instances that are there, a mass is missing. */
bool yr_protection_is_mass(yr_protection *protection, int64_t now_ms, size_t present);

/* Whether it would be a mass if all @p present vanished, too. */
bool yr_protection_may_be_mass(yr_protection *protection, int64_t now_ms, size_t present);

#endif /* YR_REGISTRY_PROTECTION_H */
