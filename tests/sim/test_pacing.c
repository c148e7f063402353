/* What many clients do together: never all at the same moment. */
#include "base/mem.h"
#include "sim/fleet.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERVICE "com.acme.UserService:1.0"

static const char flapping_key[] = "/rpc/" SERVICE "/10.0.0.1:9";

enum {
    CLIENTS = 200,
    PROVIDERS = 50,
    SETTLE_MS = 10000,
    RECOVERY_MS = 10000,
    HALF_SECOND_MS = 500,
    REFUSED_MS = 600 * 1000,
};

static uint64_t seeds = 10;

/* Whether the request is the first of its method on its connection since @p since_ms. */
static bool is_first(const yr_fleet *fleet, size_t index, int64_t since_ms)
{
    const yr_fake_request *request = yr_fake_etcd_request(fleet->etcd, index);
    while (index > 0) {
        const yr_fake_request *before = yr_fake_etcd_request(fleet->etcd, --index);
        if (before->at_ms < since_ms) {
            return true;
        }
        if (before->conn == request->conn && strcmp(before->method, request->method) == 0) {
            return false;
        }
    }
    return true;
}

/* The most connections whose first request of @p method came within the same half second since
 * @p since_ms; all of them in @p ret_total. */
static size_t peak(const yr_fleet *fleet, const char *method, int64_t since_ms,
                   size_t *ret_total)
{
    static int64_t times[YR_FAKE_REQUESTS_MAX];
    size_t count = 0;
    size_t most = 0;
    size_t first = 0;
    for (size_t i = 0; i < yr_fake_etcd_request_count(fleet->etcd); i++) {
        const yr_fake_request *request = yr_fake_etcd_request(fleet->etcd, i);
        if (request->at_ms < since_ms || strcmp(request->method, method) != 0 ||
            !is_first(fleet, i, since_ms)) {
            continue;
        }
        times[count++] = request->at_ms;
        while (times[first] + HALF_SECOND_MS <= times[count - 1]) {
            first++;
        }
        most = count - first > most ? count - first : most;
    }
    *ret_total = count;
    return most;
}

/* A fleet of clients that are connected, and have been for a while: each with a lease of
 * @p ttl_ms, or (0) without. */
static yr_fleet *clients(uint64_t seed, size_t members, int64_t ttl_ms)
{
    yr_fleet *fleet = yr_fleet_new(seed, false);
    fleet->ttl_ms = ttl_ms;
    for (size_t i = 1; i < members; i++) {
        yr_fleet_add_member(fleet);
    }
    static char names[CLIENTS][16];
    for (size_t i = 0; i < CLIENTS; i++) {
        (void)snprintf(names[i], sizeof names[i], "client-%zu", i);
        yr_process *client = yr_fleet_start(fleet, names[i]);
        if (ttl_ms > 0) {
            yr_process_register(client, SERVICE, (uint16_t)(i + 1));
        } else {
            yr_process_follow(client, SERVICE);
        }
    }
    yr_sim_run_for(fleet->sim, SETTLE_MS);
    return fleet;
}

/* The share, in percent, of the clients that came back within the same half second. */
static size_t peak_of_reconnecting(yr_fleet *fleet, int64_t since_ms)
{
    size_t total = 0;
    yr_sim_run_for(fleet->sim, RECOVERY_MS);
    size_t most = peak(fleet, "Status", since_ms, &total);
    assert_in_range(total, CLIENTS, CLIENTS + CLIENTS / 20);
    return most * 100 / CLIENTS;
}

static void after_an_outage_of_ten_seconds_no_half_of_the_clients_comes_back_together(
    void **state)
{
    (void)state;
    size_t worst = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        for (size_t members = 1; members <= 3; members += 2) {
            yr_fleet *fleet = clients(seed, members, 0);
            yr_fake_etcd_stop(fleet->etcd);
            yr_sim_run_for(fleet->sim, 10000);
            int64_t since = yr_sim_now_ms(fleet->sim);
            assert_ok(yr_fake_etcd_start(fleet->etcd));
            size_t share = peak_of_reconnecting(fleet, since);
            assert_in_range(share, 1, 50);
            worst = share > worst ? share : worst;
            yr_fleet_free(fleet);
        }
    }
    printf("after 10 s: at most %zu %% of %d clients in half a second\n", worst, CLIENTS);
}

/* A lease that lives makes its owner wait for less long. */
static void nor_do_owners_of_leases_of_ten_seconds_after_half_of_that(void **state)
{
    (void)state;
    enum { TTL_MS = 10000 };
    size_t worst = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        yr_fleet *fleet = clients(seed, 1, TTL_MS);
        yr_fake_etcd_stop(fleet->etcd);
        yr_sim_run_for(fleet->sim, TTL_MS / 2);
        int64_t since = yr_sim_now_ms(fleet->sim);
        assert_ok(yr_fake_etcd_start(fleet->etcd));
        size_t share = peak_of_reconnecting(fleet, since);
        worst = share > worst ? share : worst;
        yr_fleet_free(fleet);
    }
    printf("after 5 s, T = 10 s: at most %zu %% of %d clients in half a second\n", worst,
           CLIENTS);
    assert_in_range(worst, 1, 50);
}

/* A server listens long before it serves, and then answers everybody at the same moment. */
static void a_server_that_lets_its_clients_wait_does_not_get_them_all_at_once(void **state)
{
    (void)state;
    size_t worst = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        yr_fleet *fleet = clients(seed, 1, 0);
        yr_fake_etcd_stop(fleet->etcd);
        yr_sim_run_for(fleet->sim, 10000);
        assert_ok(yr_fake_etcd_start(fleet->etcd));
        yr_fake_etcd_set_silent(fleet->etcd, true);
        yr_sim_run_for(fleet->sim, 2000);
        int64_t since = yr_sim_now_ms(fleet->sim);
        yr_fake_etcd_set_silent(fleet->etcd, false);
        yr_sim_run_for(fleet->sim, RECOVERY_MS);
        size_t total = 0;
        size_t most = peak(fleet, "Watch", since, &total);
        assert_in_range(total, CLIENTS, CLIENTS + CLIENTS / 20);
        assert_in_range(most, 1, CLIENTS / 2);
        worst = most > worst ? most : worst;
        yr_fleet_free(fleet);
    }
    printf("after a wait: at most %zu of %d clients watch again in half a second\n", worst,
           CLIENTS);
}

static void when_the_only_endpoint_restarts_no_half_of_its_clients_comes_back_together(
    void **state)
{
    (void)state;
    size_t worst = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        yr_fleet *fleet = clients(seed, 1, 0);
        int64_t since = yr_sim_now_ms(fleet->sim);
        yr_fake_etcd_drop_connections(fleet->etcd);
        size_t share = peak_of_reconnecting(fleet, since);
        assert_in_range(share, 1, 50);
        worst = share > worst ? share : worst;
        yr_fleet_free(fleet);
    }
    printf("at once: at most %zu %% of %d clients in half a second\n", worst, CLIENTS);
}

/* Attempts to connect, as the world's trace tells of them. */
typedef struct attempts {
    yr_fleet *fleet;
    size_t of_client[PROVIDERS];
    size_t in_half_second[REFUSED_MS / HALF_SECOND_MS + 1];
    int64_t since_ms;
} attempts;

static void on_line(void *context, const char *line)
{
    attempts *counted = context;
    const char *name = strstr(line, " client-");
    if (name == NULL || strstr(line, " connects to ") == NULL) {
        return;
    }
    unsigned long client = strtoul(name + strlen(" client-"), NULL, 10);
    int64_t at_ms = yr_sim_now_ms(counted->fleet->sim) - counted->since_ms;
    assert_true(client < PROVIDERS && at_ms <= REFUSED_MS);
    counted->of_client[client]++;
    counted->in_half_second[at_ms / HALF_SECOND_MS]++;
}

static void ten_minutes_of_refusal_cost_an_attempt_every_few_seconds_and_never_all_at_once(
    void **state)
{
    (void)state;
    static attempts counted;
    static char names[PROVIDERS][16];
    counted.fleet = yr_fleet_new(7, false);
    for (size_t i = 0; i < PROVIDERS; i++) {
        (void)snprintf(names[i], sizeof names[i], "client-%zu", i);
        yr_process_follow(yr_fleet_start(counted.fleet, names[i]), SERVICE);
    }
    yr_sim_run_for(counted.fleet->sim, SETTLE_MS);
    yr_fake_etcd_stop(counted.fleet->etcd);
    counted.since_ms = yr_sim_now_ms(counted.fleet->sim);
    yr_sim_set_trace(counted.fleet->sim, on_line, &counted);
    yr_sim_run_for(counted.fleet->sim, REFUSED_MS);
    yr_sim_set_trace(counted.fleet->sim, NULL, NULL);
    for (size_t i = 0; i < PROVIDERS; i++) {
        assert_in_range(counted.of_client[i], 190, 300);
    }
    size_t most = 0;
    size_t begun = SETTLE_MS / HALF_SECOND_MS; /* from then on their waits are long */
    for (size_t i = begun; i < sizeof counted.in_half_second / sizeof *counted.in_half_second;
         i++) {
        most = counted.in_half_second[i] > most ? counted.in_half_second[i] : most;
    }
    assert_in_range(most, 1, PROVIDERS / 2);
    printf("refused for 10 min: at most %zu of %d clients try in the same half second\n", most,
           PROVIDERS);
    yr_fleet_free(counted.fleet);
}

typedef struct stage {
    yr_fleet *fleet;
    yr_view *view;
} stage;

/* Providers with one instance each, and a consumer that sees them. */
static stage providers(uint64_t seed)
{
    static char names[PROVIDERS][16];
    stage made = {.fleet = yr_fleet_new(seed, false)};
    made.view = yr_process_follow(yr_fleet_start(made.fleet, "consumer"), SERVICE);
    for (size_t i = 0; i < PROVIDERS; i++) {
        (void)snprintf(names[i], sizeof names[i], "provider-%zu", i);
        yr_process_register(yr_fleet_start(made.fleet, names[i]), SERVICE, (uint16_t)(i + 1));
    }
    assert_null(yr_fleet_settle(made.fleet, SERVICE, SETTLE_MS));
    yr_sim_run_for(made.fleet->sim, SETTLE_MS);
    return made;
}

static void check_grants(const stage *scene, int64_t since_ms, size_t *worst)
{
    size_t total = 0;
    assert_null(yr_fleet_settle(scene->fleet, SERVICE, RECOVERY_MS));
    size_t most = peak(scene->fleet, "LeaseGrant", since_ms, &total);
    assert_int_equal(total, PROVIDERS);
    assert_int_equal(yr_fake_etcd_count_requests(scene->fleet->etcd, "LeaseGrant", since_ms),
                     PROVIDERS);
    assert_in_range(most, 1, PROVIDERS / 2);
    *worst = most > *worst ? most : *worst;
    assert_int_equal(scene->view->downs, 0);
}

static void providers_whose_leases_were_all_revoked_come_back_one_after_the_other(void **state)
{
    (void)state;
    size_t worst = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        stage scene = providers(seed);
        int64_t since = yr_sim_now_ms(scene.fleet->sim);
        assert_int_equal(yr_fake_etcd_revoke_all(scene.fleet->etcd), PROVIDERS);
        check_grants(&scene, since, &worst);
        yr_fleet_free(scene.fleet);
    }
    printf("revoked: at most %zu of %d grants in half a second\n", worst, PROVIDERS);
}

static void providers_of_a_wiped_registry_come_back_one_after_the_other(void **state)
{
    (void)state;
    size_t worst = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        stage scene = providers(seed);
        int64_t since = yr_sim_now_ms(scene.fleet->sim);
        assert_ok(yr_fake_etcd_restart(scene.fleet->etcd, true));
        check_grants(&scene, since, &worst);
        yr_fleet_free(scene.fleet);
    }
    printf("wiped: at most %zu of %d grants in half a second\n", worst, PROVIDERS);
}

static void an_interruption_that_is_jittered_costs_no_lease_and_no_event(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        stage scene = providers(seed);
        int64_t since = yr_sim_now_ms(scene.fleet->sim);
        for (int i = 0; i < 3; i++) {
            yr_fake_etcd_drop_connections(scene.fleet->etcd);
            yr_sim_run_for(scene.fleet->sim, RECOVERY_MS);
        }
        assert_int_equal(yr_fake_etcd_count_requests(scene.fleet->etcd, "LeaseGrant", since),
                         0);
        assert_int_equal(scene.view->downs + scene.view->changes, 0);
        assert_null(yr_fleet_settle(scene.fleet, SERVICE, 1));
        yr_fleet_free(scene.fleet);
    }
}

/* A consumer's view of an instance that is put and deleted by hand. */
typedef struct flapping {
    yr_fleet *fleet;
    yr_view *view;
    size_t told[1000]; /* how many events there had been, every 10 ms of 10 s */
} flapping;

static flapping *watch_alone(void)
{
    flapping *it = yr_calloc(1, sizeof *it);
    assert_non_null(it);
    it->fleet = yr_fleet_new(3, false);
    it->view = yr_process_follow(yr_fleet_start(it->fleet, "consumer"), SERVICE);
    yr_sim_run_for(it->fleet->sim, SETTLE_MS);
    return it;
}

static void end_flapping(flapping *it)
{
    yr_fleet_free(it->fleet);
    yr_free(it);
}

static void put(const flapping *it, unsigned weight)
{
    char value[128];
    (void)snprintf(value, sizeof value,
                   "{\"serviceHost\":\"10.0.0.1\",\"servicePort\":9,\"weight\":%u}", weight);
    yr_fake_etcd_put(it->fleet->etcd, flapping_key, value, 0);
}

static void a_flapping_instance_is_told_ten_times_a_second_and_right_in_the_end(void **state)
{
    (void)state;
    flapping *it = watch_alone();
    size_t count = sizeof it->told / sizeof *it->told;
    for (size_t i = 0; i < count; i++) {
        if (i % 10 == 0) { /* up and down every 100 ms: 10 Hz */
            put(it, 1);
        } else if (i % 10 == 5) {
            yr_fake_etcd_delete(it->fleet->etcd, flapping_key);
        }
        yr_sim_run_for(it->fleet->sim, 10);
        it->told[i] = it->view->ups + it->view->downs;
        assert_true(i < 100 || it->told[i] - it->told[i - 100] <= 10);
    }
    assert_int_equal(it->told[1], 1); /* the first one at once */
    put(it, 1);
    assert_true(yr_view_becomes(it->view, "10.0.0.1:9 ", 300));
    yr_fake_etcd_delete(it->fleet->etcd, flapping_key);
    assert_true(yr_view_becomes(it->view, "", 300));
    end_flapping(it);
}

static void what_changes_its_value_is_told_at_once_however_often(void **state)
{
    (void)state;
    flapping *it = watch_alone();
    for (unsigned i = 0; i < 50; i++) {
        put(it, i + 1);
        yr_sim_run_for(it->fleet->sim, 10);
        assert_int_equal(it->view->changes, i);
    }
    end_flapping(it);
}

/* test_sim_pacing [SEEDS]: how many fleets meet each of it. */
int main(int argc, char **argv)
{
    if (argc > 1) {
        seeds = strtoull(argv[1], NULL, 10);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            after_an_outage_of_ten_seconds_no_half_of_the_clients_comes_back_together),
        cmocka_unit_test(nor_do_owners_of_leases_of_ten_seconds_after_half_of_that),
        cmocka_unit_test(a_server_that_lets_its_clients_wait_does_not_get_them_all_at_once),
        cmocka_unit_test(
            when_the_only_endpoint_restarts_no_half_of_its_clients_comes_back_together),
        cmocka_unit_test(
            ten_minutes_of_refusal_cost_an_attempt_every_few_seconds_and_never_all_at_once),
        cmocka_unit_test(providers_whose_leases_were_all_revoked_come_back_one_after_the_other),
        cmocka_unit_test(providers_of_a_wiped_registry_come_back_one_after_the_other),
        cmocka_unit_test(a_flapping_instance_is_told_ten_times_a_second_and_right_in_the_end),
        cmocka_unit_test(what_changes_its_value_is_told_at_once_however_often),
        cmocka_unit_test(an_interruption_that_is_jittered_costs_no_lease_and_no_event),
    };
    return cmocka_run_group_tests_name("pacing", tests, NULL, NULL);
}
