#include "script.h"

#include "alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

static const char *copy_text(const char *text)
{
    return text != NULL ? yr_fake_copy(yr_bytes_of_text(text)).data : NULL;
}

void yr_fake_script_add(yr_fake_script *script, const yr_fake_rule *rule)
{
    YR_ASSERT(script->count < YR_FAKE_RULES_MAX);
    yr_fake_script_rule *added = &script->rules[script->count++];
    added->rule = *rule;
    added->rule.method = copy_text(rule->method);
    added->rule.text = copy_text(rule->text);
    added->rule.bytes = yr_fake_copy(rule->bytes);
    added->seen = 0;
}

static void free_rule(const yr_fake_rule *rule)
{
    yr_fake_release(rule->method);
    yr_fake_release(rule->text);
    yr_fake_release(rule->bytes.data);
}

void yr_fake_script_clear(yr_fake_script *script)
{
    for (size_t i = 0; i < script->count; i++) {
        free_rule(&script->rules[i].rule);
    }
    script->count = 0;
}

void yr_fake_script_remove(yr_fake_script *script, const void *owner)
{
    size_t kept = 0;
    for (size_t i = 0; i < script->count; i++) {
        if (script->rules[i].rule.owner == owner) {
            free_rule(&script->rules[i].rule);
        } else {
            script->rules[kept++] = script->rules[i];
        }
    }
    script->count = kept;
}

/* Whether the rule is about this method, and its turn has come; counts. */
static bool does_hit(yr_fake_script_rule *scripted, const char *method)
{
    const yr_fake_rule *rule = &scripted->rule;
    if (rule->method == NULL ? strcmp(method, "Events") == 0
                             : strcmp(rule->method, method) != 0) {
        return false;
    }
    uint64_t number = ++scripted->seen;
    uint64_t first = rule->nth > 0 ? rule->nth : 1;
    return number >= first && (rule->times == 0 || number < first + rule->times);
}

const yr_fake_rule *yr_fake_script_match(yr_fake_script *script, const char *method)
{
    const yr_fake_rule *hit = NULL;
    for (size_t i = 0; i < script->count; i++) {
        if (does_hit(&script->rules[i], method) && hit == NULL) {
            hit = &script->rules[i].rule;
        }
    }
    return hit;
}
