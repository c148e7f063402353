/* Chance that is data: a number, and all that is drawn from it. */
#ifndef YR_TESTS_SIM_SCHEDULES_CHANCE_H
#define YR_TESTS_SIM_SCHEDULES_CHANCE_H

#include <stdint.h>

/* Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014. */
static inline uint64_t yr_chance_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

/* 0 … @p bound - 1. */
static inline uint64_t yr_chance_below(uint64_t *state, uint64_t bound)
{
    return yr_chance_next(state) % bound;
}

#endif /* YR_TESTS_SIM_SCHEDULES_CHANCE_H */
