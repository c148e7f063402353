/* What goes wrong with processes, machines and the network between them and the registry. */
#include "sim/schedules/actions.h"

enum {
    BLINK_MS = YR_FLEET_TTL_MS / 3, /* an interruption that is shorter goes unnoticed */
    SLEEP_MS = 8000,
    SLOW_MS = 150,
    HOUR_MS = 3600 * 1000,
};

static yr_process *draw_process(yr_play *play)
{
    return play->processes[yr_play_draw(play, YR_PLAY_PROCESSES)];
}

static yr_sim_host *draw_member(yr_play *play)
{
    yr_fleet *fleet = play->fleet;
    size_t which = yr_play_draw(play, fleet->other_count + 1);
    return which == 0 ? fleet->etcd_host : fleet->other_hosts[which - 1];
}

void yr_act_cut(yr_play *play)
{
    yr_process *process = draw_process(play);
    yr_sim_cut(process->host, draw_member(play));
}

void yr_act_cut_one_way(yr_play *play)
{
    yr_sim_host *process = draw_process(play)->host;
    yr_sim_host *member = draw_member(play);
    if (yr_play_draw(play, 2) == 0) {
        yr_sim_cut_one_way(member, process);
    } else {
        yr_sim_cut_one_way(process, member);
    }
}

/* A process without any network. */
void yr_act_isolate(yr_play *play)
{
    yr_sim_cut_host(draw_process(play)->host);
}

/* Another member hears nobody, or refuses everybody, or loses its connections. */
void yr_act_spoil_member(yr_play *play)
{
    yr_fleet *fleet = play->fleet;
    if (fleet->other_count == 0) {
        return;
    }
    yr_sim_host *other = fleet->other_hosts[yr_play_draw(play, fleet->other_count)];
    switch (yr_play_draw(play, 3)) {
    case 0:
        yr_sim_cut_host(other);
        return;
    case 1:
        yr_sim_set_refusing(other, true);
        return;
    default:
        yr_sim_reset_connections(other);
    }
}

void yr_act_heal(yr_play *play)
{
    yr_fleet_heal(play->fleet);
}

void yr_act_heal_process(yr_play *play)
{
    yr_sim_heal_host(draw_process(play)->host);
}

void yr_act_reset(yr_play *play)
{
    yr_sim_reset_connections(draw_process(play)->host);
}

void yr_act_freeze(yr_play *play)
{
    yr_process_freeze(draw_process(play));
}

void yr_act_thaw(yr_play *play)
{
    yr_process_thaw(draw_process(play));
}

/* The machines sleep, shorter or longer than a lease lives. */
void yr_act_suspend(yr_play *play)
{
    yr_fleet_suspend(play->fleet, (int64_t)yr_play_draw(play, SLEEP_MS));
}

/* Somebody sets the clock, by up to an hour, back or forth: nothing may depend on it. */
void yr_act_jump_wall(yr_play *play)
{
    int64_t jump_ms = (int64_t)yr_play_draw(play, 2 * HOUR_MS + 1) - HOUR_MS;
    yr_sim_jump_wall(play->fleet->sim, jump_ms);
}

void yr_act_slow(yr_play *play)
{
    int64_t least_ms = (int64_t)yr_play_draw(play, SLOW_MS);
    yr_sim_set_latency(play->fleet->sim, least_ms,
                       least_ms + (int64_t)yr_play_draw(play, SLOW_MS));
}

/* ---- Short interruptions ---- */

void yr_act_blink_cut(yr_play *play)
{
    yr_sim_host *process = draw_process(play)->host;
    yr_sim_host *member = draw_member(play);
    yr_sim_cut(process, member);
    yr_sim_run_for(play->fleet->sim, (int64_t)yr_play_draw(play, BLINK_MS));
    yr_sim_heal(process, member);
}

void yr_act_blink_freeze(yr_play *play)
{
    yr_process *process = draw_process(play);
    yr_process_freeze(process);
    yr_sim_run_for(play->fleet->sim, (int64_t)yr_play_draw(play, BLINK_MS));
    yr_process_thaw(process);
}
