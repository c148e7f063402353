/* What goes wrong in the registry, and what strangers do there. */
#include "sim/schedules/actions.h"
#include "support/canary.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    BLINK_MS = YR_FLEET_TTL_MS / 3,
    STRANGER_TTL_S = 4,
    JAVA_PORT = 100,
    POISON_PORT = 101,
};

/* ---- The server as a whole ---- */

static void start(yr_play *play)
{
    if (yr_fake_etcd_start(play->fleet->etcd) != YURPC_OK) {
        abort();
    }
}

void yr_act_stop_or_start(yr_play *play)
{
    if (play->is_stopped) {
        start(play);
    } else {
        yr_fake_etcd_stop(play->fleet->etcd);
    }
    play->is_stopped = !play->is_stopped;
}

void yr_act_blink_stop(yr_play *play)
{
    if (play->is_stopped) {
        return;
    }
    yr_fake_etcd_stop(play->fleet->etcd);
    yr_sim_run_for(play->fleet->sim, (int64_t)yr_play_draw(play, BLINK_MS));
    start(play);
}

void yr_act_wipe(yr_play *play)
{
    /* Data that was wiped twice may look as if nothing had happened. */
    play->was_lied_to = true;
    if (!play->is_stopped && yr_fake_etcd_restart(play->fleet->etcd, true) != YURPC_OK) {
        abort();
    }
}

void yr_act_compact(yr_play *play)
{
    yr_fake_etcd_compact(play->fleet->etcd, 0);
}

void yr_act_drop_connections(yr_play *play)
{
    yr_fake_etcd_drop_connections(play->fleet->etcd);
}

void yr_act_silence(yr_play *play)
{
    yr_fake_etcd_set_silent(play->fleet->etcd, yr_play_draw(play, 2) == 0);
}

/* ---- Leases and keys ---- */

void yr_act_revoke_all(yr_play *play)
{
    yr_fake_etcd_revoke_all(play->fleet->etcd);
}

void yr_act_revoke_one(yr_play *play)
{
    const yr_fake_leases *leases = yr_fake_etcd_leases(play->fleet->etcd);
    if (leases->count == 0) {
        return;
    }
    yr_list *link = leases->all.next;
    for (uint64_t skip = yr_play_draw(play, leases->count); skip > 0; skip--) {
        link = link->next;
    }
    yr_fake_etcd_revoke(play->fleet->etcd, YR_CONTAINER_OF(link, yr_fake_lease, link)->id);
}

enum { KEY_MAX = 128 };

static void write_key(char key[KEY_MAX], const char *service, unsigned port)
{
    if (snprintf(key, KEY_MAX, "/rpc/%s/10.0.0.1:%u", service, port) < 0) {
        abort();
    }
}

/* A key of ours that is there: a stranger's permanent key stays for ever, and rightly so. */
static bool draw_key(yr_play *play, char key[KEY_MAX])
{
    write_key(key, yr_play_services[yr_play_draw(play, YR_PLAY_SERVICES)],
              (unsigned)(1 + yr_play_draw(play, YR_PLAY_PORTS)));
    return yr_fake_etcd_get(play->fleet->etcd, key) != NULL;
}

void yr_act_delete_key(yr_play *play)
{
    char key[KEY_MAX];
    if (draw_key(play, key)) {
        yr_fake_etcd_delete(play->fleet->etcd, key);
    }
}

void yr_act_put_key(yr_play *play)
{
    char key[KEY_MAX];
    if (draw_key(play, key)) {
        yr_fake_etcd_put(play->fleet->etcd, key, "{}", 0);
    }
}

static void put_with_lease(yr_play *play, const char *key, const char *value)
{
    int64_t lease = yr_fake_etcd_grant(play->fleet->etcd, STRANGER_TTL_S);
    yr_fake_etcd_put(play->fleet->etcd, key, value, lease);
}

/* A Java node beats: on an address of its own, or on one of ours. */
void yr_act_beat_as_java(yr_play *play)
{
    bool is_own = yr_play_draw(play, 2) == 0 || play->checker.is_hushed;
    unsigned port = is_own ? JAVA_PORT : (unsigned)(1 + yr_play_draw(play, YR_PLAY_PORTS));
    char key[KEY_MAX];
    char value[256];
    write_key(key, yr_play_services[0], port);
    if (snprintf(value, sizeof value,
                 "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\","
                 "\"serviceHost\":\"10.0.0.1\",\"servicePort\":%u,"
                 "\"serviceGroup\":\"default\"}",
                 port) < 0) {
        abort();
    }
    if (!play->is_stopped) {
        put_with_lease(play, key, value);
    }
}

void yr_act_poison(yr_play *play)
{
    static const char *const values[] = {
        "not json", "",    "[]", "{\"serviceName\":1}", "{\"servicePort\":99999}",
        "\xff\xfe", "null"};
    char key[KEY_MAX];
    write_key(key, yr_play_services[0], POISON_PORT);
    if (!play->is_stopped) {
        put_with_lease(play, key, values[yr_play_draw(play, sizeof values / sizeof *values)]);
    }
}

/* ---- Requests ---- */

static void add_rule(yr_play *play, const yr_fake_rule *rule)
{
    enum { RULES_MAX = YR_FAKE_RULES_MAX / 2 }; /* the rest is for conditions */
    if (play->rules_added < RULES_MAX) {
        play->rules_added++;
        yr_fake_etcd_add_rule(play->fleet->etcd, rule);
    }
}

/* Much happens between a list and its watch, and its first events come in pieces. */
void yr_act_delay_watches(yr_play *play)
{
    yr_fake_rule rule = {.method = "Watch",
                         .times = 2,
                         .action = YR_FAKE_DELAY,
                         .number = (int64_t)yr_play_draw(play, 1500)};
    add_rule(play, &rule);
    yr_fake_rule pieces = {
        .method = "Events", .times = 5, .action = YR_FAKE_FRAGMENT, .number = 1};
    add_rule(play, &pieces);
}

/* One request of a random kind goes wrong in a random way. */
void yr_act_spoil_request(yr_play *play)
{
    static const char *const methods[] = {"Range",       "Txn",   "LeaseGrant",
                                          "LeaseRevoke", "Watch", "LeaseKeepAlive"};
    static const yr_fake_action actions[] = {
        YR_FAKE_STATUS,
        YR_FAKE_STATUS_AFTER_APPLY,
        YR_FAKE_DELAY,
        YR_FAKE_DELAY_ANSWER,
        YR_FAKE_SILENT,
        YR_FAKE_DROP_BEFORE_APPLY,
        YR_FAKE_DROP_AFTER_APPLY,
    };
    yr_fake_rule rule = {
        .method = methods[yr_play_draw(play, sizeof methods / sizeof *methods)],
        .nth = 1 + (uint32_t)yr_play_draw(play, 3),
        .times = 1 + (uint32_t)yr_play_draw(play, 2),
        .action = actions[yr_play_draw(play, sizeof actions / sizeof *actions)],
        .number = (int64_t)yr_play_draw(play, 4000),
        .code = 14,
        .text = "etcdserver: request timed out"};
    add_rule(play, &rule);
}

/* ---- Users, where there are any ---- */

void yr_act_expire_tokens(yr_play *play)
{
    if (play->has_users) {
        yr_fake_auth_expire_tokens(play->fleet->etcd);
    }
}

/* Of others: but a JWT is of a state of all users. */
void yr_act_change_users(yr_play *play)
{
    if (play->has_users) {
        yr_fake_auth_set_user(play->fleet->etcd, "somebody", YR_CANARY_PASSWORD);
    }
}

/* Until somebody sets it right. */
void yr_act_forbid(yr_play *play)
{
    yr_play_set_users(play, yr_play_draw(play, 2) == 0);
}

/* ---- Conditions: all that the fake knows to be wrong for a while ---- */

void yr_act_begin_condition(yr_play *play)
{
    size_t which = yr_play_draw(play, yr_fake_condition_count);
    yr_play_remark(play, yr_fake_conditions[which].name);
    play->was_lied_to = play->was_lied_to || yr_fake_conditions[which].is_lie;
    yr_fake_condition_begin(play->fleet->etcd, which, yr_play_draw(play, UINT64_MAX));
}

void yr_act_end_condition(yr_play *play)
{
    size_t on[YR_FAKE_CONDITIONS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < yr_fake_condition_count; i++) {
        if (yr_fake_condition_is_on(play->fleet->etcd, i)) {
            on[count++] = i;
        }
    }
    if (count > 0) {
        size_t which = on[yr_play_draw(play, count)];
        yr_play_remark(play, yr_fake_conditions[which].name);
        yr_fake_condition_end(play->fleet->etcd, which);
    }
}
