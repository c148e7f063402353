/*
 * Conditions: what can be wrong with the fake etcd for a while, each with a name, a beginning
 * and an end. For whoever wants to go through all of it, or to pick by chance.
 *
 *     size_t one = yr_sim_random_below(sim, yr_fake_condition_count);
 *     printf("begin: %s\n", yr_fake_conditions[one].name);
 *     yr_fake_condition_begin(fake, one, yr_sim_random(sim));
 *     …
 *     yr_fake_condition_end(fake, one);
 *
 * Any number of them may be on at once, in any order. When all have ended the server is well
 * again, and its clients must be, too, within their bounds.
 */
#ifndef YR_FAKE_CONDITIONS_H
#define YR_FAKE_CONDITIONS_H

#include "fake/etcd.h"

enum { YR_FAKE_CONDITIONS_MAX = 96 };

typedef struct yr_fake_condition {
    const char *name; /* unique, a short sentence: "requests are answered late" */

    /*
     * The server says what is not so (events are missing or old, a lost lease is renewed). Who
     * believed it is put right by the next complete list, and not earlier.
     */
    bool is_lie;

    /* The server may refuse in words that no client should soon try again (not allowed, not
     * known): it comes back when its own pause for such a case is over. */
    bool is_verdict;

    /* @p chance chooses what it leaves open: which method, how long, how much. */
    void (*begin)(yr_fake_etcd *fake, const void *self, uint64_t chance);
    void (*end)(yr_fake_etcd *fake, const void *self); /* NULL: its rules go, and that is all */
} yr_fake_condition;

extern const yr_fake_condition yr_fake_conditions[];
extern const size_t yr_fake_condition_count;

/* One that is on is ended first; ending one that is not on does nothing. */
void yr_fake_condition_begin(yr_fake_etcd *fake, size_t index, uint64_t chance);
void yr_fake_condition_end(yr_fake_etcd *fake, size_t index);
bool yr_fake_condition_is_on(const yr_fake_etcd *fake, size_t index);
void yr_fake_conditions_end_all(yr_fake_etcd *fake);

/* The index of the one of that name; it must exist. */
size_t yr_fake_condition_find(const char *name);

#endif /* YR_FAKE_CONDITIONS_H */
