#include "sim/schedules/actions.h"

#include <string.h>

const yr_action_kind yr_action_kinds[] = {
    {"toggle", yr_act_toggle, {28, 20, 0}},
    {"update", yr_act_update, {8, 4, 0}},
    {"restart-provider", yr_act_restart_provider, {6, 1, 0}},
    {"restart-consumer", yr_act_restart_consumer, {3, 1, 0}},
    {"subscribe", yr_act_subscribe, {5, 4, 0}},
    {"hush", yr_act_hush, {0, 0, 0}},
    {"cut", yr_act_cut, {6, 0, 0}},
    {"cut-one-way", yr_act_cut_one_way, {4, 0, 0}},
    {"isolate", yr_act_isolate, {2, 0, 0}},
    {"spoil-member", yr_act_spoil_member, {4, 0, 0}},
    {"heal", yr_act_heal, {14, 0, 0}},
    {"heal-process", yr_act_heal_process, {6, 0, 0}},
    {"reset", yr_act_reset, {5, 0, 4}},
    {"freeze", yr_act_freeze, {3, 0, 0}},
    {"thaw", yr_act_thaw, {3, 0, 0}},
    {"suspend", yr_act_suspend, {1, 0, 0}},
    {"jump-wall", yr_act_jump_wall, {1, 0, 2}},
    {"slow", yr_act_slow, {2, 0, 0}},
    {"blink-cut", yr_act_blink_cut, {2, 0, 6}},
    {"blink-freeze", yr_act_blink_freeze, {1, 0, 3}},
    {"stop-or-start", yr_act_stop_or_start, {5, 0, 0}},
    {"blink-stop", yr_act_blink_stop, {2, 0, 4}},
    {"wipe", yr_act_wipe, {2, 0, 0}},
    {"compact", yr_act_compact, {5, 0, 2}},
    {"drop-connections", yr_act_drop_connections, {3, 0, 3}},
    {"silence", yr_act_silence, {4, 0, 0}},
    {"revoke-all", yr_act_revoke_all, {2, 0, 0}},
    {"revoke-one", yr_act_revoke_one, {3, 0, 0}},
    {"delete-key", yr_act_delete_key, {4, 0, 0}},
    {"put-key", yr_act_put_key, {4, 0, 0}},
    {"beat-as-java", yr_act_beat_as_java, {6, 2, 0}},
    {"poison", yr_act_poison, {2, 0, 0}},
    {"delay-watches", yr_act_delay_watches, {3, 0, 0}},
    {"spoil-request", yr_act_spoil_request, {10, 0, 0}},
    {"expire-tokens", yr_act_expire_tokens, {3, 0, 0}},
    {"change-users", yr_act_change_users, {3, 0, 0}},
    {"forbid", yr_act_forbid, {1, 0, 0}},
    {"begin-condition", yr_act_begin_condition, {10, 0, 0}},
    {"end-condition", yr_act_end_condition, {8, 0, 0}},
};

const size_t yr_action_kind_count = sizeof yr_action_kinds / sizeof *yr_action_kinds;

uint32_t yr_action_kind_find(const char *name)
{
    uint32_t i = 0;
    while (i < yr_action_kind_count && strcmp(yr_action_kinds[i].name, name) != 0) {
        i++;
    }
    return i;
}
