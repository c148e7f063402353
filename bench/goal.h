/*
 * What a figure should be: "<= 1.5 bare, <= 0.2 Go", "<= 5", ">= 0.5 bare".
 *
 * Without a name it is the figure itself that is compared; with one it is the ratio to what the
 * bare program, or the peer, has for it.
 */
#ifndef YR_GOAL_H
#define YR_GOAL_H

#include <stdbool.h>

typedef enum yr_verdict {
    YR_VERDICT_NONE = 0,   /* there is no goal, or nothing to compare with */
    YR_VERDICT_MET = 1,    /* as far as there was something to compare with */
    YR_VERDICT_MISSED = 2, /* in one part at least */
} yr_verdict;

/* What was measured. */
typedef struct yr_outcome {
    bool is_there;
    double median;
    double to_bare; /* ratios; 0: not known */
    double to_go;
} yr_outcome;

/* @p goal may be NULL. */
yr_verdict yr_goal_judge(const char *goal, yr_outcome outcome);

/* "met", "MISSED" or nothing. */
const char *yr_verdict_text(yr_verdict verdict);

#endif /* YR_GOAL_H */
