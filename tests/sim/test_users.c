/* Providers and consumers that are users of etcd, or ought to be, on the virtual clock. */
#include "fake/auth.h"
#include "sim/fleet.h"
#include "support/canary.h"
#include "yr_test.h"

#include <string.h>

#define SERVICE "com.acme.UserService:1.0"

enum { SOON_MS = 1000, MINUTE_MS = 60000 };

static char alice[] = "alice";
static char password[] = YR_CANARY_PASSWORD;

/* A fleet whose etcd wants users, and whose processes are alice. */
static yr_fleet *fleet_of_users(void)
{
    yr_fleet *fleet = yr_fleet_new(1, false);
    fleet->username = alice;
    fleet->password = password;
    yr_fake_auth_set_user(fleet->etcd, alice, password);
    yr_fake_auth_permit(fleet->etcd, alice, "/rpc/");
    yr_fake_auth_enable(fleet->etcd);
    return fleet;
}

static size_t requests_without_keepalives(yr_fleet *fleet, int64_t since_ms)
{
    return yr_fake_etcd_count_requests(fleet->etcd, NULL, since_ms) -
           yr_fake_etcd_count_requests(fleet->etcd, "LeaseKeepAlive", since_ms);
}

/* E77: nobody notices that tokens come and go. */
static void tokens_expire_and_nobody_notices(void **state)
{
    (void)state;
    for (int is_jwt = 0; is_jwt <= 1; is_jwt++) {
        yr_fleet *fleet = fleet_of_users();
        yr_fake_auth_options_of(fleet->etcd)->token_ttl_ms = 3 * SOON_MS;
        yr_fake_auth_options_of(fleet->etcd)->cost_ms = 140;
        yr_fake_auth_options_of(fleet->etcd)->is_jwt = is_jwt == 1;
        yr_process *provider = yr_fleet_start(fleet, "provider");
        yr_process *consumer = yr_fleet_start(fleet, "consumer");
        yr_wanted *first = yr_process_register(provider, SERVICE, 1);
        yr_view *view = yr_process_follow(consumer, SERVICE);
        assert_null(yr_fleet_settle(fleet, SERVICE, 3 * SOON_MS));
        size_t stales = view->stales;
        for (uint16_t port = 2; port < 8; port++) {
            yr_sim_run_for(fleet->sim, 10 * SOON_MS);
            yr_process_register(provider, SERVICE, port);
            assert_null(yr_fleet_settle(fleet, SERVICE, 2 * SOON_MS));
        }
        assert_int_equal(first->losses, 0);
        assert_int_equal(view->stales, stales);
        assert_int_equal(view->downs, 0);
        assert_int_equal(yr_fake_auth_stats_of(fleet->etcd)->overlaps, 0);
        yr_fleet_free(fleet);
    }
}

/* E79 */
static void a_user_whose_password_was_changed_asks_seldom_and_comes_back(void **state)
{
    (void)state;
    yr_fleet *fleet = fleet_of_users();
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_process_register(provider, SERVICE, 1);
    yr_view *view = yr_process_follow(consumer, SERVICE);
    assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
    yr_fake_auth_set_user(fleet->etcd, alice, YR_CANARY_PASSWORD "!");
    yr_process_register(provider, SERVICE, 2);
    yr_sim_run_for(fleet->sim, SOON_MS);
    yr_fake_etcd_drop_connections(fleet->etcd);
    int64_t begun_ms = yr_sim_now_ms(fleet->sim);
    size_t logins = yr_fake_auth_stats_of(fleet->etcd)->logins;
    yr_sim_run_for(fleet->sim, MINUTE_MS);
    /* The lease lives on, for keepalives need no token; the list is as it was. */
    assert_string_equal(yr_fleet_registered(fleet, SERVICE), "10.0.0.1:1 ");
    assert_string_equal(yr_view_list(view), "10.0.0.1:1 ");
    assert_in_range(yr_fake_auth_stats_of(fleet->etcd)->logins - logins, 1, 2 * 6);
    assert_in_range(requests_without_keepalives(fleet, begun_ms), 1, 30);
    yr_fake_auth_set_user(fleet->etcd, alice, password);
    assert_null(yr_fleet_settle(fleet, SERVICE, MINUTE_MS + SOON_MS));
    yr_fleet_free(fleet);
}

/* E76 */
static void nobody_asks_etcd_once_a_second_when_auth_is_switched_on(void **state)
{
    (void)state;
    yr_fleet *fleet = yr_fleet_new(1, false);
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    for (uint16_t port = 1; port < 5; port++) {
        yr_process_register(provider, SERVICE, port);
    }
    yr_view *view = yr_process_follow(consumer, SERVICE);
    assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
    yr_fake_auth_enable(fleet->etcd);
    yr_fake_etcd_drop_connections(fleet->etcd);
    yr_process_register(provider, SERVICE, 5);
    yr_sim_run_for(fleet->sim, 5 * SOON_MS);
    int64_t begun_ms = yr_sim_now_ms(fleet->sim);
    size_t warnings = provider->warnings + consumer->warnings;
    yr_sim_run_for(fleet->sim, MINUTE_MS);
    assert_in_range(requests_without_keepalives(fleet, begun_ms), 2, 2 * 60);
    assert_in_range(provider->warnings + consumer->warnings - warnings, 0, 2);
    assert_string_equal(yr_view_list(view), "10.0.0.1:1 10.0.0.1:2 10.0.0.1:3 10.0.0.1:4 ");
    yr_fake_auth_disable(fleet->etcd);
    assert_null(yr_fleet_settle(fleet, SERVICE, 10 * SOON_MS));
    yr_fleet_free(fleet);
}

/* E80 */
static void a_right_that_was_revoked_is_not_asked_for_without_pause(void **state)
{
    (void)state;
    yr_fleet *fleet = fleet_of_users();
    yr_process *provider = yr_fleet_start(fleet, "provider");
    yr_process *consumer = yr_fleet_start(fleet, "consumer");
    yr_process_register(provider, SERVICE, 1);
    yr_view *view = yr_process_follow(consumer, SERVICE);
    assert_null(yr_fleet_settle(fleet, SERVICE, SOON_MS));
    yr_fake_auth_forbid(fleet->etcd, alice);
    yr_process_register(provider, SERVICE, 2);
    yr_sim_run_for(fleet->sim, 10 * SOON_MS);
    int64_t begun_ms = yr_sim_now_ms(fleet->sim);
    size_t logins = yr_fake_auth_stats_of(fleet->etcd)->logins;
    yr_sim_run_for(fleet->sim, MINUTE_MS);
    assert_in_range(requests_without_keepalives(fleet, begun_ms), 1, 60);
    assert_int_equal(yr_fake_auth_stats_of(fleet->etcd)->logins, logins);
    assert_string_equal(yr_view_list(view), "10.0.0.1:1 ");
    yr_fake_auth_permit(fleet->etcd, alice, "/rpc/");
    assert_null(yr_fleet_settle(fleet, SERVICE, MINUTE_MS + SOON_MS));
    yr_fleet_free(fleet);
}

/* Etcds from 3.5.28 on end keepalives, too, whose token has expired. */
static void a_lease_that_needs_tokens_is_kept(void **state)
{
    (void)state;
    yr_fleet *fleet = fleet_of_users();
    yr_fake_auth_options_of(fleet->etcd)->guards_leases = true;
    yr_fake_auth_options_of(fleet->etcd)->says_denied = true;
    yr_fake_auth_options_of(fleet->etcd)->is_jwt = true;
    yr_fake_auth_options_of(fleet->etcd)->token_ttl_ms = 7 * SOON_MS;
    yr_wanted *wanted = yr_process_register(yr_fleet_start(fleet, "provider"), SERVICE, 1);
    yr_sim_run_for(fleet->sim, 2 * MINUTE_MS);
    assert_int_equal(wanted->losses, 0);
    assert_string_equal(yr_fleet_registered(fleet, SERVICE), "10.0.0.1:1 ");
    yr_fleet_free(fleet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_expire_and_nobody_notices),
        cmocka_unit_test(a_user_whose_password_was_changed_asks_seldom_and_comes_back),
        cmocka_unit_test(nobody_asks_etcd_once_a_second_when_auth_is_switched_on),
        cmocka_unit_test(a_right_that_was_revoked_is_not_asked_for_without_pause),
        cmocka_unit_test(a_lease_that_needs_tokens_is_kept),
    };
    return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
