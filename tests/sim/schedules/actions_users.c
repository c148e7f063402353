/* What users do: register, change, leave; follow and stop following; start programs anew. */
#include "sim/schedules/actions.h"

#include <string.h>

static const char *draw_service(yr_play *play)
{
    return yr_play_services[yr_play_draw(play, 4) == 0 ? 1 : 0];
}

static yr_process *draw_provider(yr_play *play)
{
    return play->processes[yr_play_draw(play, YR_PLAY_PROVIDERS)];
}

static bool is_frozen(const yr_process *process)
{
    return process->frozen_at_ms != 0; /* and calls nothing */
}

static yr_wanted *find_wanted(yr_process *process, const char *service, uint16_t port)
{
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX; i++) {
        yr_wanted *wanted = &process->wanted[i];
        if (wanted->registration != NULL && wanted->port == port &&
            strcmp(wanted->service, service) == 0) {
            return wanted;
        }
    }
    return NULL;
}

static bool has_room(const yr_process *process)
{
    for (size_t i = 0; i < YR_FLEET_WANTED_MAX; i++) {
        if (process->wanted[i].registration == NULL) {
            return true;
        }
    }
    return false;
}

/* Register, or leave. */
void yr_act_toggle(yr_play *play)
{
    yr_process *process = draw_provider(play);
    const char *service = draw_service(play);
    uint16_t port = (uint16_t)(1 + yr_play_draw(play, YR_PLAY_PORTS));
    bool is_waiting = yr_play_draw(play, 4) == 0;
    yr_wanted *wanted = find_wanted(process, service, port);
    if (is_frozen(process)) {
        return;
    }
    if (wanted != NULL) {
        if (wanted->life->call.what == NULL) { /* else register() has not returned */
            yr_process_unregister(process, wanted);
        }
    } else if (has_room(process)) {
        (is_waiting ? yr_process_enrol : yr_process_register)(process, service, port);
    }
}

/* Leave, and register the same address with another value at once. */
void yr_act_update(yr_play *play)
{
    yr_process *process = draw_provider(play);
    yr_wanted *wanted = &process->wanted[yr_play_draw(play, YR_FLEET_WANTED_MAX)];
    if (is_frozen(process) || wanted->registration == NULL || wanted->life->call.what != NULL) {
        return;
    }
    yr_wanted before = *wanted;
    yr_process_unregister(process, wanted);
    if (yr_process_try_register(process, before.service, before.port,
                                before.weight % 1000 + 1) == NULL) {
        yr_play_remark(play, "no memory");
    }
}

/* In its place a new process, of the same name; half of them are killed. False: no more room.
 */
static bool restart(yr_play *play, size_t which)
{
    yr_process *process = play->processes[which];
    if (play->fleet->process_count + 1 >= YR_FLEET_PROCESSES_MAX) {
        return false;
    }
    if (yr_play_draw(play, 2) == 0) {
        yr_play_remark(play, "it is closed");
        yr_process_close(process);
    } else {
        yr_play_remark(play, "it is killed");
        yr_process_kill(process);
    }
    yr_play_start(play, which);
    return true;
}

void yr_act_restart_provider(yr_play *play)
{
    (void)restart(play, yr_play_draw(play, YR_PLAY_PROVIDERS));
}

static void follow(yr_play *play, yr_process *process, const char *service)
{
    (yr_play_draw(play, 2) == 0 ? yr_process_discover : yr_process_follow)(process, service);
}

void yr_act_restart_consumer(yr_play *play)
{
    size_t which = YR_PLAY_PROVIDERS + yr_play_draw(play, YR_PLAY_CONSUMERS);
    if (restart(play, which)) {
        follow(play, play->processes[which], yr_play_services[0]);
    }
}

/* Follow a service, or stop following it. Mostly the one with more to see is followed. */
void yr_act_subscribe(yr_play *play)
{
    size_t which = YR_PLAY_PROVIDERS + yr_play_draw(play, YR_PLAY_CONSUMERS);
    const char *service = yr_play_services[yr_play_draw(play, YR_PLAY_SERVICES)];
    yr_process *process = play->processes[which];
    if (is_frozen(process)) {
        return;
    }
    for (size_t i = 0; i < YR_FLEET_FOLLOWED_MAX; i++) {
        yr_view *view = process->views[i];
        if (view == NULL || strcmp(view->service, service) != 0) {
            continue;
        }
        if (view->call.what == NULL) { /* else discover() has not returned */
            yr_process_unfollow(view);
        }
        return;
    }
    follow(play, process, service);
}

/* From here on nothing may be noticed, as long as only gentle actions follow. */
void yr_act_hush(yr_play *play)
{
    play->checker.is_hushed = yr_play_calm_down(play);
}
