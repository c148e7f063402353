#include "goal.h"

#include <stdlib.h>
#include <string.h>

/* Whether @p text begins with @p word; if so, go behind it. */
static bool skip(const char **text, const char *word)
{
    size_t len = strlen(word);
    while (**text == ' ' || **text == ',') {
        ++*text;
    }
    if (strncmp(*text, word, len) != 0) {
        return false;
    }
    *text += len;
    return true;
}

/* One part: false when it is none. */
static bool judge_part(const char **goal, yr_outcome outcome, yr_verdict *ret_verdict)
{
    bool is_most = skip(goal, "<=");
    if (!is_most && !skip(goal, ">=")) {
        return false;
    }
    char *end = NULL;
    double limit = strtod(*goal, &end);
    double value = outcome.median;
    bool is_known = outcome.is_there;
    *goal = end;
    if (skip(goal, "bare")) {
        value = outcome.to_bare;
        is_known = value > 0;
    } else if (skip(goal, "Go")) {
        value = outcome.to_go;
        is_known = value > 0;
    }
    bool is_met = is_most ? value <= limit : value >= limit;
    *ret_verdict = is_met ? YR_VERDICT_MET : YR_VERDICT_MISSED;
    *ret_verdict = is_known ? *ret_verdict : YR_VERDICT_NONE;
    return true;
}

yr_verdict yr_goal_judge(const char *goal, yr_outcome outcome)
{
    yr_verdict all = YR_VERDICT_NONE;
    yr_verdict part = YR_VERDICT_NONE;
    while (goal != NULL && judge_part(&goal, outcome, &part)) {
        all = part > all ? part : all;
    }
    return all;
}

const char *yr_verdict_text(yr_verdict verdict)
{
    switch (verdict) {
    case YR_VERDICT_MET:
        return "met";
    case YR_VERDICT_MISSED:
        return "MISSED";
    case YR_VERDICT_NONE:
        break;
    }
    return "";
}
