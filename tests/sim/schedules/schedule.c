#include "sim/schedules/schedule.h"

#include "sim/schedules/actions.h"
#include "sim/schedules/chance.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    COUNT_MIN = 10,
    COUNT_RANGE = 61,
    WAIT_MS = 2000,
    GENTLE_WAIT_MIN_MS = 4000, /* longer than a lease: an interruption finds all well */
    GENTLE_WAIT_MS = 4000,
    CALM_ONE_IN = 100, /* waits that are long enough for X to pass, and to be quiet then */
    CALM_MIN_MS = 20000,
    CALM_MS = 15000,
    GENTLE_ONE_IN = 8,
    GENTLE_FIRST = 12, /* actions of users that begin a gentle schedule */
    GENTLE_THEN = 10,
};

/* ---- Drawing ---- */

static uint32_t draw_kind(uint64_t *state, yr_action_use use)
{
    uint64_t total = 0;
    for (size_t i = 0; i < yr_action_kind_count; i++) {
        total += yr_action_kinds[i].weight[use];
    }
    uint64_t drawn = yr_chance_below(state, total);
    uint32_t i = 0;
    while (drawn >= yr_action_kinds[i].weight[use]) {
        drawn -= yr_action_kinds[i].weight[use];
        i++;
    }
    return i;
}

static uint32_t draw_wait_ms(uint64_t *state, yr_action_use use)
{
    if (use == YR_USE_GENTLE) {
        return GENTLE_WAIT_MIN_MS + (uint32_t)yr_chance_below(state, GENTLE_WAIT_MS);
    }
    if (yr_chance_below(state, CALM_ONE_IN) == 0) {
        return CALM_MIN_MS + (uint32_t)yr_chance_below(state, CALM_MS);
    }
    return (uint32_t)yr_chance_below(state, WAIT_MS);
}

/* Every action by its own number alone, so that each can be drawn again without the others. */
static void draw_action(yr_action *action, uint64_t seed, uint32_t index, yr_action_use use)
{
    uint64_t state = seed;
    state = yr_chance_next(&state) + index;
    action->index = index;
    action->kind = draw_kind(&state, use);
    action->wait_ms = draw_wait_ms(&state, use);
    action->chance = yr_chance_next(&state);
}

static void draw_gentle(yr_schedule *schedule)
{
    schedule->count = GENTLE_FIRST + 1 + GENTLE_THEN;
    for (uint32_t i = 0; i < schedule->count; i++) {
        draw_action(&schedule->actions[i], schedule->seed, i,
                    i < GENTLE_FIRST ? YR_USE_USERS : YR_USE_GENTLE);
    }
    schedule->actions[GENTLE_FIRST].kind = yr_action_kind_find("hush");
}

void yr_schedule_draw(yr_schedule *schedule, uint64_t seed)
{
    uint64_t state = seed;
    (void)yr_chance_next(&state); /* is draw_action's */
    schedule->seed = seed;
    if (yr_chance_below(&state, GENTLE_ONE_IN) == 0) {
        draw_gentle(schedule);
        return;
    }
    schedule->count = COUNT_MIN + yr_chance_below(&state, COUNT_RANGE);
    for (uint32_t i = 0; i < schedule->count; i++) {
        draw_action(&schedule->actions[i], seed, i, YR_USE_WILD);
    }
}

void yr_schedule_from_bytes(yr_schedule *schedule, const uint8_t *data, size_t size)
{
    enum { HEAD = 2, EACH = 4, WAIT_STEP_MS = 100 };
    *schedule = (yr_schedule){.seed = 1};
    for (size_t i = 0; i < HEAD && i < size; i++) {
        schedule->seed = schedule->seed * 256 + data[i];
    }
    for (size_t at = HEAD; at + EACH <= size && schedule->count < YR_ACTIONS_MAX; at += EACH) {
        yr_action *action = &schedule->actions[schedule->count];
        action->index = (uint32_t)schedule->count++;
        action->kind = data[at] % (uint32_t)yr_action_kind_count;
        action->wait_ms = data[at + 1] * (uint32_t)WAIT_STEP_MS;
        action->chance = (uint64_t)data[at + 2] * 256 + data[at + 3];
    }
}

/* ---- Keeping ---- */

static bool read_number_of_base(const char **at, int base, uint64_t *ret_number)
{
    char *rest = NULL;
    errno = 0;
    unsigned long long number = strtoull(*at, &rest, base);
    if (errno != 0 || rest == *at) {
        return false;
    }
    *at = rest;
    *ret_number = number;
    return true;
}

static bool read_number(const char **at, uint64_t *ret_number)
{
    return read_number_of_base(at, 10, ret_number);
}

static const yr_action *find_action(const yr_schedule *schedule, uint64_t index)
{
    for (size_t i = 0; i < schedule->count; i++) {
        if (schedule->actions[i].index == index) {
            return &schedule->actions[i];
        }
    }
    return NULL;
}

bool yr_schedule_keep(yr_schedule *schedule, const char *list)
{
    yr_schedule kept = {.seed = schedule->seed};
    const char *at = list;
    while (*at != '\0') {
        uint64_t index = 0;
        uint64_t wait_ms = 0;
        bool is_number = read_number(&at, &index);
        const yr_action *action = is_number ? find_action(schedule, index) : NULL;
        if (action == NULL || kept.count == YR_ACTIONS_MAX) {
            return false;
        }
        kept.actions[kept.count] = *action;
        if (*at == ':') {
            at++;
            if (!read_number(&at, &wait_ms) || wait_ms > YR_WAIT_MAX_MS) {
                return false;
            }
            kept.actions[kept.count].wait_ms = (uint32_t)wait_ms;
        }
        kept.count++;
        if (*at != ',' && *at != '\0') {
            return false;
        }
        at += *at == ',';
    }
    *schedule = kept;
    return true;
}

void yr_schedule_print_arguments(const yr_schedule *schedule, FILE *file)
{
    static yr_schedule drawn;
    yr_schedule_draw(&drawn, schedule->seed);
    fprintf(file, "--seed %" PRIu64, schedule->seed);
    if (schedule->count == drawn.count) {
        return;
    }
    fprintf(file, " --only ");
    for (size_t i = 0; i < schedule->count; i++) {
        const yr_action *action = &schedule->actions[i];
        fprintf(file, "%s%u", i > 0 ? "," : "", action->index);
        const yr_action *before = find_action(&drawn, action->index);
        if (before != NULL && before->wait_ms != action->wait_ms) {
            fprintf(file, ":%u", action->wait_ms);
        }
    }
}

/* ---- Text ---- */

void yr_schedule_write(const yr_schedule *schedule, FILE *file)
{
    fprintf(file, "seed %" PRIu64 "\n", schedule->seed);
    for (size_t i = 0; i < schedule->count; i++) {
        const yr_action *action = &schedule->actions[i];
        fprintf(file, "%u %s %016" PRIx64 " %u\n", action->index,
                yr_action_kinds[action->kind].name, action->chance, action->wait_ms);
    }
}

/* The kind of the name at @p at, up to a blank. */
static bool read_kind(const char **at, uint32_t *ret_kind)
{
    char name[64];
    size_t begin = strspn(*at, " ");
    size_t len = strcspn(*at + begin, " \n");
    if (len == 0 || len >= sizeof name) {
        return false;
    }
    memcpy(name, *at + begin, len);
    name[len] = '\0';
    *at += begin + len;
    *ret_kind = yr_action_kind_find(name);
    return *ret_kind < yr_action_kind_count;
}

static bool read_line(yr_schedule *schedule, const char *line)
{
    static const char seed[] = "seed ";
    enum { HEX = 16 };
    const char *at = line;
    uint64_t index = 0;
    uint64_t wait_ms = 0;
    yr_action action = {.index = 0};
    if (strncmp(line, seed, sizeof seed - 1) == 0) {
        at += sizeof seed - 1;
        return read_number(&at, &schedule->seed);
    }
    if (!read_number(&at, &index) || !read_kind(&at, &action.kind) ||
        !read_number_of_base(&at, HEX, &action.chance) || !read_number(&at, &wait_ms) ||
        index > UINT32_MAX || wait_ms > YR_WAIT_MAX_MS || schedule->count == YR_ACTIONS_MAX) {
        return false;
    }
    action.index = (uint32_t)index;
    action.wait_ms = (uint32_t)wait_ms;
    schedule->actions[schedule->count++] = action;
    return true;
}

bool yr_schedule_read(yr_schedule *schedule, FILE *file)
{
    char line[256];
    *schedule = (yr_schedule){.seed = 0};
    while (fgets(line, sizeof line, file) != NULL) {
        bool is_remark = line[0] == '#' || line[0] == '\n';
        if (!is_remark && !read_line(schedule, line)) {
            fprintf(stderr, "not a line of a schedule: %s", line);
            return false;
        }
    }
    return schedule->count > 0;
}
