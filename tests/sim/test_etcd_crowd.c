/* Many clients of one etcd at the same moment. */
#include "base/bytes.h"
#include "fake/auth.h"
#include "sim/etcd_rig.h"
#include "support/canary.h"
#include "yr_test.h"

#include <string.h>

enum { CLIENTS = 200, LOGIN_COST_MS = 140 };

typedef struct crowd {
    yr_etcd *clients[CLIENTS];
    etcd_answer answers[CLIENTS];
    size_t closed;
} crowd;

static void on_crowd_closed(void *context)
{
    ((crowd *)context)->closed++;
}

static void crowd_puts(sim_rig *rig, crowd *all)
{
    yurpc_etcd_op_options options = YURPC_ETCD_OP_OPTIONS_INIT;
    options.timeout_ms = 120000;
    yurpc_etcd_op op = {YURPC_ETCD_PUT, yr_bytes_of_text("key"), yr_bytes_of_text("v"),
                        &options};
    for (int i = 0; i < CLIENTS; i++) {
        etcd_answer_clear(&all->answers[i]);
        assert_ok(
            yr_etcd_do(all->clients[i], &op, etcd_answer_on_reply, &all->answers[i], NULL));
    }
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(sim_rig_wait(rig, &all->answers[i].is_done, 120000));
        assert_string_equal(all->answers[i].text, "success");
    }
}

static void many_clients_whose_tokens_end_together_do_not_storm(void **state) /* E82 */
{
    sim_rig *rig = *state;
    static crowd all;
    memset(&all, 0, sizeof all);
    yr_fake_auth_set_user(rig->fake, "alice", YR_CANARY_PASSWORD);
    yr_fake_auth_permit(rig->fake, "alice", "key");
    yr_fake_auth_enable(rig->fake);
    yr_etcd_options options = {.endpoints = yr_fake_etcd_address(rig->fake),
                               .username = "alice",
                               .password = YR_CANARY_PASSWORD};
    const yr_etcd_events events = {NULL, NULL};
    for (int i = 0; i < CLIENTS; i++) {
        yr_io *io = yr_sim_host_io(rig->client_host);
        assert_ok(yr_etcd_new(io, &options, &events, NULL, &all.clients[i], NULL));
    }
    crowd_puts(rig, &all);
    size_t before = yr_fake_auth_stats_of(rig->fake)->logins;
    yr_fake_auth_options_of(rig->fake)->cost_ms = LOGIN_COST_MS;
    yr_fake_auth_expire_tokens(rig->fake);
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    crowd_puts(rig, &all);
    size_t logins = yr_fake_auth_stats_of(rig->fake)->logins - before;
    print_message("%d clients: %zu logins in %lld ms\n", CLIENTS, logins,
                  (long long)(yr_sim_now_ms(rig->sim) - begun_ms));
    assert_in_range(logins, CLIENTS, 3 * CLIENTS);
    assert_int_equal(yr_fake_auth_stats_of(rig->fake)->overlaps, 0);
    for (int i = 0; i < CLIENTS; i++) {
        etcd_answer_clear(&all.answers[i]);
        yr_etcd_close(all.clients[i], on_crowd_closed, &all);
    }
    yr_sim_run_for(rig->sim, 1000);
    assert_int_equal(all.closed, CLIENTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_clients_whose_tokens_end_together_do_not_storm,
                                        sim_rig_set_up_single, sim_rig_tear_down),
    };
    return cmocka_run_group_tests_name("etcd_crowd", tests, NULL, NULL);
}
