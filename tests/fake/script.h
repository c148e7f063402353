/* The fake etcd's rules: which request is to meet which fault. */
#ifndef YR_FAKE_SCRIPT_H
#define YR_FAKE_SCRIPT_H

#include "fake/etcd.h"

typedef struct yr_fake_script_rule {
    yr_fake_rule rule;
    uint64_t seen; /* requests of its method so far */
} yr_fake_script_rule;

typedef struct yr_fake_script {
    yr_fake_script_rule rules[YR_FAKE_RULES_MAX];
    size_t count;
} yr_fake_script;

void yr_fake_script_add(yr_fake_script *script, const yr_fake_rule *rule);
void yr_fake_script_clear(yr_fake_script *script);
void yr_fake_script_remove(yr_fake_script *script, const void *owner);

/* Count one request of @p method, and give the first rule that hits it; NULL: none. */
const yr_fake_rule *yr_fake_script_match(yr_fake_script *script, const char *method);

#endif /* YR_FAKE_SCRIPT_H */
