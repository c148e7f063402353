/* The etcd client when frames, answers and whole connections are wrong, on a virtual clock. */
#include "base/bytes.h"
#include "fake/conditions.h"
#include "sim/etcd_rig.h"
#include "yr_test.h"

#include <string.h>

enum {
    LIMIT_MS = 20000,
    TIMEOUT_MS = 3000,
    RECOVERY_MS = 10000,
    REFUSED_STREAM = 7,
    INADEQUATE_SECURITY = 12,
    HTTP_1_1 = 13,
};

static size_t put_count(sim_rig *rig)
{
    return yr_fake_etcd_count_requests(rig->fake, "Put", 0);
}

static void add_rule(sim_rig *rig, yr_fake_rule rule)
{
    rule.method = rule.method != NULL ? rule.method : "Put";
    yr_fake_etcd_clear_rules(rig->fake);
    yr_fake_etcd_add_rule(rig->fake, &rule);
}

static void put(sim_rig *rig, etcd_answer *answer)
{
    sim_rig_put(rig, NULL, answer);
    assert_true(sim_rig_wait(rig, &answer->is_done, LIMIT_MS));
}

static void assert_well(sim_rig *rig)
{
    etcd_answer answer = {0};
    yr_fake_etcd_clear_rules(rig->fake);
    assert_true(sim_rig_wait(rig, &rig->is_connected, RECOVERY_MS));
    put(rig, &answer);
    assert_int_equal(answer.status, YURPC_OK);
    etcd_answer_clear(&answer);
}

/* G95 */
static void a_reset_leaves_the_outcome_of_a_write_open_unless_it_was_refused(void **state)
{
    sim_rig *rig = *state;
    for (int code = 0; code <= HTTP_1_1; code++) {
        etcd_answer answer = {0};
        size_t before = put_count(rig);
        add_rule(rig,
                 (yr_fake_rule){.times = 1, .action = YR_FAKE_RESET_AFTER_APPLY, .code = code});
        put(rig, &answer);
        bool is_refused = code == REFUSED_STREAM;
        yurpc_status wanted =
            code == INADEQUATE_SECURITY ? YURPC_DENIED : YURPC_UNKNOWN_OUTCOME;
        assert_int_equal(answer.status, is_refused ? YURPC_OK : wanted);
        assert_int_equal(put_count(rig) - before, is_refused ? 2 : 1);
        etcd_answer_clear(&answer);
        assert_well(rig);
    }
}

/* G95: what was refused is repeated, but not as fast as it can be refused. */
static void a_server_that_refuses_every_stream_is_not_hammered(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    add_rule(rig, (yr_fake_rule){.action = YR_FAKE_RESET, .code = REFUSED_STREAM});
    put(rig, &answer);
    assert_int_equal(answer.status, YURPC_UNAVAILABLE);
    assert_in_range(put_count(rig), 3, 15);
    etcd_answer_clear(&answer);
    assert_well(rig);
}

/* G93 */
static void a_call_above_a_goaway_is_repeated_and_one_below_is_answered(void **state)
{
    sim_rig *rig = *state;
    for (int code = 0; code <= 11; code += 11) {
        etcd_answer answer = {0};
        size_t before = put_count(rig);
        add_rule(rig, (yr_fake_rule){.times = 1,
                                     .action = YR_FAKE_GOAWAY_ABOVE,
                                     .code = code,
                                     .number = -1,
                                     .text = "too_many_pings"});
        put(rig, &answer);
        assert_int_equal(answer.status, YURPC_OK);
        assert_int_equal(put_count(rig) - before, 2);
        before = put_count(rig);
        add_rule(rig, (yr_fake_rule){.times = 1,
                                     .action = YR_FAKE_GOAWAY_BELOW,
                                     .code = code,
                                     .number = 0,
                                     .text = "going"});
        put(rig, &answer);
        assert_int_equal(answer.status, YURPC_OK);
        assert_int_equal(put_count(rig) - before, 1);
        etcd_answer_clear(&answer);
        assert_well(rig);
    }
}

/* G94, G96, G97, G99 – G103, G106, B26: whatever the wire does, no call outlives its deadline.
 */
static void no_call_outlives_its_deadline_whatever_the_wire_does(void **state)
{
    enum { CHANCES = 20 };
    static const char *const names[] = {
        "the server speaks something else",
        "connections are closed at once",
        "no settings are sent",
        "settings are not acknowledged",
        "pings are not answered",
        "windows are never opened",
        "bytes come in pieces",
        "settings are hard",
        "connections are full of noise",
        "connections are told to go away",
        "streams are reset",
        "answers break off",
        "answers are nonsense",
        "headers are huge",
        "a proxy answers with a page",
    };
    sim_rig *rig = *state;
    for (size_t i = 0; i < CHANCES * sizeof names / sizeof *names; i++) {
        size_t index = yr_fake_condition_find(names[i / CHANCES]);
        etcd_answer answer = {0};
        yr_fake_condition_begin(rig->fake, index, i * 7919);
        for (int k = 0; k < 3; k++) {
            int64_t begun_ms = yr_sim_now_ms(rig->sim);
            put(rig, &answer);
            assert_in_range(yr_sim_now_ms(rig->sim) - begun_ms, 0, TIMEOUT_MS);
        }
        yr_fake_condition_end(rig->fake, index);
        yr_sim_run_for(rig->sim, RECOVERY_MS);
        put(rig, &answer);
        assert_int_equal(answer.status, YURPC_OK);
        etcd_answer_clear(&answer);
    }
}

/* G107 */
static void a_page_of_a_proxy_has_the_status_that_grpc_gives_it(void **state)
{
    static const struct {
        int code;
        yurpc_status status;
    } cases[] = {{429, YURPC_UNAVAILABLE},     {502, YURPC_UNAVAILABLE},
                 {503, YURPC_UNAVAILABLE},     {504, YURPC_UNAVAILABLE},
                 {401, YURPC_UNAUTHENTICATED}, {403, YURPC_DENIED},
                 {404, YURPC_UNSUPPORTED}};
    sim_rig *rig = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        static const yurpc_etcd_op range = {.kind = YURPC_ETCD_RANGE, .key = {"key", 3}};
        etcd_answer answer = {0};
        add_rule(rig, (yr_fake_rule){.method = "Range",
                                     .action = YR_FAKE_PAGE,
                                     .code = cases[i].code,
                                     .text = "<html>\x1b[31mred</html>"});
        assert_ok(yr_etcd_do(rig->client, &range, etcd_answer_on_reply, &answer, NULL));
        assert_true(sim_rig_wait(rig, &answer.is_done, LIMIT_MS));
        assert_int_equal(answer.status, cases[i].status);
        assert_null(strchr(answer.text, '\x1b'));
        assert_true(strlen(answer.text) < 512);
        assert_well(rig);
    }
}

/* An empty message decodes; but no etcd leaves its header out. */
static void an_answer_without_a_header_is_not_believed(void **state)
{
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    add_rule(rig, (yr_fake_rule){.times = 1, .action = YR_FAKE_RAW_MESSAGE});
    put(rig, &answer);
    assert_int_equal(answer.status, YURPC_PROTOCOL);
    assert_well(rig);
}

/* G106, G96: all that is not etcd is named, and never costs more than the connect timeout. */
static void what_is_not_http2_is_quoted(void **state)
{
    static const char greeting[] = "SSH-2.0-OpenSSH_9.2p1\r\n";
    sim_rig *rig = *state;
    etcd_answer answer = {0};
    for (size_t i = 0; i < yr_fake_etcd_member_count(rig->fake); i++) {
        yr_fake_server_options(yr_fake_etcd_server(rig->fake, i))->greeting = greeting;
    }
    put(rig, &answer);
    assert_int_equal(answer.status, YURPC_UNAVAILABLE);
    assert_non_null(strstr(answer.text, "SSH-2.0-OpenSSH_9.2p1"));
    for (size_t i = 0; i < yr_fake_etcd_member_count(rig->fake); i++) {
        yr_fake_server_options(yr_fake_etcd_server(rig->fake, i))->greeting = NULL;
    }
    assert_true(sim_rig_wait(rig, &rig->is_connected, 5100));
    assert_well(rig);
}

/* G99: a put of 100 KB that the server never makes room for. */
static void a_write_that_finds_no_window_ends_and_the_others_live(void **state)
{
    static char value[100 * 1024];
    sim_rig *rig = *state;
    etcd_answer stuck = {0};
    etcd_answer small = {0};
    assert_true(sim_rig_wait(rig, &rig->is_connected, LIMIT_MS));
    for (size_t i = 0; i < yr_fake_etcd_member_count(rig->fake); i++) {
        yr_fake_server_options(yr_fake_etcd_server(rig->fake, i))->withholds_window = true;
    }
    yurpc_etcd_op op = {YURPC_ETCD_PUT, yr_bytes_of_text("big"), yr_bytes(value, sizeof value),
                        NULL};
    int64_t begun_ms = yr_sim_now_ms(rig->sim);
    static const yurpc_etcd_op range = {.kind = YURPC_ETCD_RANGE, .key = {"key", 3}};
    assert_ok(yr_etcd_do(rig->client, &op, etcd_answer_on_reply, &stuck, NULL));
    assert_ok(yr_etcd_do(rig->client, &range, etcd_answer_on_reply, &small, NULL));
    assert_true(sim_rig_wait(rig, &stuck.is_done, LIMIT_MS));
    assert_in_range(yr_sim_now_ms(rig->sim) - begun_ms, 0, TIMEOUT_MS);
    assert_int_equal(stuck.status, YURPC_TIMEOUT);
    for (size_t i = 0; i < yr_fake_etcd_member_count(rig->fake); i++) {
        yr_fake_server_options(yr_fake_etcd_server(rig->fake, i))->withholds_window = false;
    }
    yr_sim_run_for(rig->sim, 5000);
    assert_true(small.is_done);
    etcd_answer_clear(&small);
    assert_well(rig);
}

int main(void)
{
#define ON_SIM(test) cmocka_unit_test_setup_teardown(test, sim_rig_set_up, sim_rig_tear_down)
    const struct CMUnitTest tests[] = {
        ON_SIM(a_reset_leaves_the_outcome_of_a_write_open_unless_it_was_refused),
        ON_SIM(a_server_that_refuses_every_stream_is_not_hammered),
        ON_SIM(a_call_above_a_goaway_is_repeated_and_one_below_is_answered),
        ON_SIM(no_call_outlives_its_deadline_whatever_the_wire_does),
        ON_SIM(a_page_of_a_proxy_has_the_status_that_grpc_gives_it),
        ON_SIM(an_answer_without_a_header_is_not_believed),
        ON_SIM(what_is_not_http2_is_quoted),
        ON_SIM(a_write_that_finds_no_window_ends_and_the_others_live),
    };
#undef ON_SIM
    return cmocka_run_group_tests_name("etcd_wire", tests, NULL, NULL);
}
