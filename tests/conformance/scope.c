#include "scope.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void yr_case_scope_begin(yr_case_scope *scope, const char *name)
{
    int len = snprintf(scope->prefix, sizeof(scope->prefix), "%s/", name);
    YR_ASSERT(len > 0 && (size_t)len < sizeof(scope->prefix));
    scope->case_number++;
    scope->lease_count = 0;
    scope->is_started = false;
}

static const yr_scope_lease *add(yr_case_scope *scope, yr_scope_lease lease)
{
    YR_ASSERT(scope->lease_count < YR_SCOPE_LEASES_MAX);
    scope->leases[scope->lease_count] = lease;
    return &scope->leases[scope->lease_count++];
}

int64_t yr_case_scope_lease_id(yr_case_scope *scope, const char *name)
{
    char *end = NULL;
    long number = strtol(name + 1, &end, 10);
    if ((name[0] != 'L' && name[0] != 'S') || number <= 0 || number > 99 || *end != '\0') {
        return 0;
    }
    for (size_t i = 0; i < scope->lease_count; i++) {
        if (scope->leases[i].name == name[0] && scope->leases[i].number == number) {
            return scope->leases[i].id;
        }
    }
    if (name[0] == 'S') {
        return 0;
    }
    int64_t id = INT64_C(0x1000000) + (int64_t)scope->case_number * 100 + number;
    return add(scope, (yr_scope_lease){'L', (int)number, id})->id;
}

const yr_scope_lease *yr_case_scope_lease_name(yr_case_scope *scope, int64_t id)
{
    int chosen_by_server = 0;
    for (size_t i = 0; i < scope->lease_count; i++) {
        if (scope->leases[i].id == id) {
            return &scope->leases[i];
        }
        chosen_by_server += scope->leases[i].name == 'S';
    }
    return add(scope, (yr_scope_lease){'S', chosen_by_server + 1, id});
}
