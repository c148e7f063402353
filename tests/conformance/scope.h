/*
 * What the names in a case stand for, so that the same text comes out whatever server is asked:
 * keys have the case's own prefix, revisions count from where the case began, leases have
 * names.
 */
#ifndef YR_CONFORMANCE_SCOPE_H
#define YR_CONFORMANCE_SCOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    YR_SCOPE_LEASES_MAX = 16,
    YR_SCOPE_PREFIX_LEN_MAX = 80,
};

typedef struct yr_scope_lease {
    char name; /* what is written before the number: 'L' is chosen by us, 'S' by the server */
    int number;
    int64_t id;
} yr_scope_lease;

typedef struct yr_case_scope {
    char prefix[YR_SCOPE_PREFIX_LEN_MAX]; /* of all keys: "case/" */
    uint64_t case_number;                 /* makes lease ids differ between cases */
    bool is_started;                      /* the next header tells where the case begins */
    uint64_t cluster_id;                  /* of all cases */
    uint64_t member_id;
    int64_t revision;
    uint64_t raft_term;
    yr_scope_lease leases[YR_SCOPE_LEASES_MAX];
    size_t lease_count;
} yr_case_scope;

/* Begin a case. */
void yr_case_scope_begin(yr_case_scope *scope, const char *name);

/* The id of "L1", "L2", …, or of an "S1" that came up before; 0: unknown. */
int64_t yr_case_scope_lease_id(yr_case_scope *scope, const char *name);

/* The name of a lease; one that the server chose gets one. */
const yr_scope_lease *yr_case_scope_lease_name(yr_case_scope *scope, int64_t id);

#endif /* YR_CONFORMANCE_SCOPE_H */
