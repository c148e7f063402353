/*
 * A schedule: what users do and what goes wrong, as data.
 *
 * It is drawn from a seed, or read from text, and can be played any number of times with the
 * same outcome (play.h). Each action carries its own chance, so that dropping others does not
 * change what it does: that is how a schedule that fails is made shorter (shrink.h).
 */
#ifndef YR_TESTS_SIM_SCHEDULES_SCHEDULE_H
#define YR_TESTS_SIM_SCHEDULES_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    YR_ACTIONS_MAX = 128,
    YR_WAIT_MAX_MS = 60000,
};

typedef struct yr_action {
    uint32_t index;   /* in the schedule as it was drawn */
    uint32_t kind;    /* in yr_action_kinds (actions.h) */
    uint32_t wait_ms; /* then so much time passes */
    uint64_t chance;  /* decides what the kind leaves open */
} yr_action;

typedef struct yr_schedule {
    uint64_t seed; /* of the world around the actions: members, latency, network */
    size_t count;
    yr_action actions[YR_ACTIONS_MAX];
} yr_schedule;

/* The schedule of @p seed. One in eight is gentle: short interruptions only, far apart. */
void yr_schedule_draw(yr_schedule *schedule, uint64_t seed);

/*
 * Keep only some actions: "3,7:0,12" are those drawn as numbers 3, 7 and 12, and number 7 is
 * not followed by a wait. False: that is no such list.
 */
bool yr_schedule_keep(yr_schedule *schedule, const char *list);

/* As text, one action a line; and back. False: @p file is not such a text. */
void yr_schedule_write(const yr_schedule *schedule, FILE *file);
bool yr_schedule_read(yr_schedule *schedule, FILE *file);

/* Any bytes are a schedule: for fuzzing. */
void yr_schedule_from_bytes(yr_schedule *schedule, const uint8_t *data, size_t size);

/* Print the arguments that play it again: "--seed 4 --only 3,7:0,12". */
void yr_schedule_print_arguments(const yr_schedule *schedule, FILE *file);

#endif /* YR_TESTS_SIM_SCHEDULES_SCHEDULE_H */
