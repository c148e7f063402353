#include "conditions.h"

#include "base/assert.h"
#include "service.h"

#include <string.h>

void yr_fake_condition_begin(yr_fake_etcd *fake, size_t index, uint64_t chance)
{
    YR_ASSERT(index < yr_fake_condition_count && index < YR_FAKE_CONDITIONS_MAX);
    yr_fake_condition_end(fake, index);
    const yr_fake_condition *condition = &yr_fake_conditions[index];
    fake->has_condition[index] = true;
    condition->begin(fake, condition, chance);
}

void yr_fake_condition_end(yr_fake_etcd *fake, size_t index)
{
    YR_ASSERT(index < yr_fake_condition_count);
    const yr_fake_condition *condition = &yr_fake_conditions[index];
    if (!fake->has_condition[index]) {
        return;
    }
    fake->has_condition[index] = false;
    yr_fake_etcd_remove_rules(fake, condition);
    if (condition->end != NULL) {
        condition->end(fake, condition);
    }
}

bool yr_fake_condition_is_on(const yr_fake_etcd *fake, size_t index)
{
    YR_ASSERT(index < yr_fake_condition_count);
    return fake->has_condition[index];
}

void yr_fake_conditions_end_all(yr_fake_etcd *fake)
{
    for (size_t i = 0; i < yr_fake_condition_count; i++) {
        yr_fake_condition_end(fake, i);
    }
}

size_t yr_fake_condition_find(const char *name)
{
    size_t i = 0;
    while (i < yr_fake_condition_count && strcmp(yr_fake_conditions[i].name, name) != 0) {
        i++;
    }
    YR_ASSERT(i < yr_fake_condition_count);
    return i;
}
