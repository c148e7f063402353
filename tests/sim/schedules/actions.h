/*
 * The actions of schedules: what users do (actions_users.c), and what goes wrong on the way to
 * the registry (actions_network.c) and in it (actions_registry.c). All that a kind leaves open
 * is drawn from the action's chance.
 */
#ifndef YR_TESTS_SIM_SCHEDULES_ACTIONS_H
#define YR_TESTS_SIM_SCHEDULES_ACTIONS_H

#include "sim/schedules/play.h"

/* Where kinds are drawn, each with its own weights. */
typedef enum yr_action_use {
    YR_USE_WILD,   /* all of them */
    YR_USE_USERS,  /* how a gentle schedule begins: nothing goes wrong */
    YR_USE_GENTLE, /* how it goes on: interruptions that nobody may notice */
    YR_USE_COUNT
} yr_action_use;

typedef struct yr_action_kind {
    const char *name; /* one word: schedules are written with it */
    void (*run)(yr_play *play);
    unsigned weight[YR_USE_COUNT];
} yr_action_kind;

extern const yr_action_kind yr_action_kinds[];
extern const size_t yr_action_kind_count;

/* yr_action_kind_count: there is none of that name. */
uint32_t yr_action_kind_find(const char *name);

/* ---- Users ---- */

void yr_act_toggle(yr_play *play);
void yr_act_update(yr_play *play);
void yr_act_restart_provider(yr_play *play);
void yr_act_restart_consumer(yr_play *play);
void yr_act_subscribe(yr_play *play);
void yr_act_hush(yr_play *play);

/* ---- Processes, machines and the network ---- */

void yr_act_cut(yr_play *play);
void yr_act_cut_one_way(yr_play *play);
void yr_act_isolate(yr_play *play);
void yr_act_spoil_member(yr_play *play);
void yr_act_heal(yr_play *play);
void yr_act_heal_process(yr_play *play);
void yr_act_reset(yr_play *play);
void yr_act_freeze(yr_play *play);
void yr_act_thaw(yr_play *play);
void yr_act_suspend(yr_play *play);
void yr_act_jump_wall(yr_play *play);
void yr_act_slow(yr_play *play);
void yr_act_blink_cut(yr_play *play);
void yr_act_blink_freeze(yr_play *play);

/* ---- The registry ---- */

void yr_act_stop_or_start(yr_play *play);
void yr_act_blink_stop(yr_play *play);
void yr_act_wipe(yr_play *play);
void yr_act_compact(yr_play *play);
void yr_act_drop_connections(yr_play *play);
void yr_act_silence(yr_play *play);
void yr_act_revoke_all(yr_play *play);
void yr_act_revoke_one(yr_play *play);
void yr_act_delete_key(yr_play *play);
void yr_act_put_key(yr_play *play);
void yr_act_beat_as_java(yr_play *play);
void yr_act_poison(yr_play *play);
void yr_act_delay_watches(yr_play *play);
void yr_act_spoil_request(yr_play *play);
void yr_act_expire_tokens(yr_play *play);
void yr_act_change_users(yr_play *play);
void yr_act_forbid(yr_play *play);
void yr_act_begin_condition(yr_play *play);
void yr_act_end_condition(yr_play *play);

#endif /* YR_TESTS_SIM_SCHEDULES_ACTIONS_H */
