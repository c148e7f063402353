#include "base/bytes.h"
#include "base/mem.h"
#include "registry/batch.h"
#include "registry/instance.h"
#include "yr_test.h"

#include <stdio.h>

#define SERVICE "s:1.0"

static const yurpc_instance *decoded(unsigned port, const char *more, int64_t revision)
{
    char node[32];
    char value[256];
    snprintf(node, sizeof node, "h:%u", port);
    snprintf(value, sizeof value,
             "{\"serviceName\":\"s\",\"serviceVersion\":\"1.0\",\"serviceHost\":\"h\","
             "\"servicePort\":%u,\"serviceGroup\":\"default\"%s}",
             port, more);
    yurpc_instance *made = NULL;
    assert_ok(yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(node),
                                 yr_bytes_of_text(value), revision, &made, NULL));
    return made;
}

static const yurpc_instance *instance(unsigned port, unsigned weight, int64_t revision)
{
    char more[32];
    snprintf(more, sizeof more, ",\"weight\":%u", weight);
    return decoded(port, more, revision);
}

static const yurpc_instance *draining(unsigned port, int64_t revision)
{
    return decoded(port, ",\"draining\":true", revision);
}

/* Settle @p batch against *current, apply it, and give the changes as text. */
static const char *settle(yr_batch *batch, yurpc_snapshot **current)
{
    static char text[1024];
    yr_batch_result result;
    assert_ok(yr_batch_settle(batch, *current, NULL, &result));
    size_t len = 0;
    text[0] = '\0';
    for (size_t i = 0; i < result.count; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s ",
                                result.changes[i].instance != NULL ? "+" : "-",
                                (int)result.changes[i].node.len,
                                (const char *)result.changes[i].node.data);
    }
    yurpc_snapshot *next = NULL;
    assert_ok(yr_snapshot_apply(*current, result.changes, result.count, false, &next));
    yr_free(result.changes);
    yr_snapshot_unref(*current);
    *current = next;
    yr_batch_clear(batch);
    return text;
}

typedef struct setting {
    yr_batch batch;
    yurpc_snapshot *current;
} setting;

static setting set(void)
{
    setting made;
    yr_batch_init(&made.batch);
    assert_ok(yr_snapshot_apply(NULL, NULL, 0, false, &made.current));
    return made;
}

static void end(setting *made)
{
    yr_batch_deinit(&made->batch);
    yr_snapshot_unref(made->current);
}

static void changes_come_out_ordered_and_the_last_word_counts(void **state)
{
    (void)state;
    setting made = set();
    assert_ok(yr_batch_take_put(&made.batch, instance(3, 1, 2)));
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 3)));
    assert_ok(yr_batch_delete(&made.batch, yr_bytes_of_text("h:3")));
    assert_ok(yr_batch_take_put(&made.batch, instance(2, 1, 5)));
    assert_string_equal(settle(&made.batch, &made.current), "+h:1 +h:2 ");
    end(&made);
}

static void an_equal_value_is_no_change_whatever_its_revision(void **state)
{
    (void)state;
    setting made = set();
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 2)));
    assert_string_equal(settle(&made.batch, &made.current), "+h:1 ");
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 9)));
    assert_string_equal(settle(&made.batch, &made.current), "");
    end(&made);
}

static void an_older_revision_does_not_overwrite_a_newer_one(void **state)
{
    (void)state;
    setting made = set();
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 9)));
    assert_string_equal(settle(&made.batch, &made.current), "+h:1 ");
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 2, 8)));
    assert_string_equal(settle(&made.batch, &made.current), "");
    end(&made);
}

/* A registry that was wiped, and a provider that was back before anybody looked. */
static void what_follows_a_list_that_went_back_is_not_outdated(void **state)
{
    (void)state;
    setting made = set();
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 500)));
    assert_string_equal(settle(&made.batch, &made.current), "+h:1 ");
    made.batch.is_list = true;
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 3)));
    assert_string_equal(settle(&made.batch, &made.current), "+h:1 ");
    assert_int_equal(yurpc_instance_revision(yurpc_snapshot_at(made.current, 0)), 3);
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 2, 5)));
    assert_string_equal(settle(&made.batch, &made.current), "+h:1 ");
    end(&made);
}

static void what_only_gets_its_revision_counts_as_unchanged(void **state)
{
    (void)state;
    setting made = set();
    yr_batch_result result;
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 0))); /* from disk */
    assert_ok(yr_batch_take_put(&made.batch, instance(2, 1, 7)));
    settle(&made.batch, &made.current);
    made.batch.is_list = true;
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 8)));
    assert_ok(yr_batch_take_put(&made.batch, instance(2, 1, 9)));
    assert_ok(yr_batch_settle(&made.batch, made.current, NULL, &result));
    assert_int_equal(result.count, 1);
    assert_int_equal(result.renewed, 1);
    assert_int_equal(result.unchanged, 2);
    yr_free(result.changes);
    end(&made);
}

static void a_list_removes_what_it_does_not_name_and_may_go_back(void **state)
{
    (void)state;
    setting made = set();
    for (unsigned port = 1; port < 6; port++) {
        assert_ok(yr_batch_take_put(&made.batch, instance(port, 1, 10)));
    }
    settle(&made.batch, &made.current);
    made.batch.is_list = true; /* of a registry that was wiped: revisions begin anew */
    assert_ok(yr_batch_take_put(&made.batch, instance(2, 1, 1)));
    assert_ok(yr_batch_take_put(&made.batch, instance(4, 7, 2)));
    assert_ok(yr_batch_take_put(&made.batch, instance(6, 1, 3)));
    /* The second is equal: it comes for its revision. */
    assert_string_equal(settle(&made.batch, &made.current), "-h:1 +h:2 -h:3 +h:4 -h:5 +h:6 ");
    assert_ok(yr_batch_take_put(&made.batch, instance(2, 8, 4)));
    assert_string_equal(settle(&made.batch, &made.current), "+h:2 ");
    made.batch.is_list = true;
    assert_string_equal(settle(&made.batch, &made.current), "-h:2 -h:4 -h:6 ");
    end(&made);
}

static void deleting_what_is_not_there_is_no_change(void **state)
{
    (void)state;
    setting made = set();
    assert_ok(yr_batch_delete(&made.batch, yr_bytes_of_text("h:1")));
    assert_string_equal(settle(&made.batch, &made.current), "");
    end(&made);
}

static void every_allocation_failure_is_returned_and_leaks_nothing(void **state)
{
    (void)state;
    bool is_done = false;
    for (long allowed = 0; !is_done; allowed++) {
        setting made = set();
        const yurpc_instance *first = instance(1, 1, 1);
        yr_batch_result result = {.changes = NULL};
        yr_mem_fail_after(allowed);
        yurpc_status status = yr_batch_take_put(&made.batch, first);
        status =
            status == YURPC_OK ? yr_batch_delete(&made.batch, yr_bytes_of_text("h:2")) : status;
        status = status == YURPC_OK ? yr_batch_settle(&made.batch, made.current, NULL, &result)
                                    : status;
        yr_mem_fail_after(-1);
        is_done = status == YURPC_OK;
        assert_true(is_done || status == YURPC_NO_MEMORY);
        yr_free(result.changes);
        end(&made);
    }
}

/* What became of h:1 in @p batch, which deletes it in the end. */
static bool has_drained(yr_batch *batch, const yurpc_snapshot *current)
{
    yr_batch_result result;
    assert_ok(yr_batch_settle(batch, current, NULL, &result));
    assert_int_equal(result.count, 1);
    assert_null(result.changes[0].instance);
    bool answer = result.changes[0].has_drained;
    yr_free(result.changes);
    yr_batch_clear(batch);
    return answer;
}

static void who_had_announced_to_leave_is_told_from_who_had_not(void **state)
{
    (void)state;
    setting made = set();
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 1)));
    settle(&made.batch, &made.current);
    assert_ok(yr_batch_delete(&made.batch, yr_bytes_of_text("h:1")));
    assert_false(has_drained(&made.batch, made.current));
    made.batch.is_list = true;
    assert_false(has_drained(&made.batch, made.current));
    /* Announced and gone within one batch. */
    assert_ok(yr_batch_take_put(&made.batch, draining(1, 2)));
    assert_ok(yr_batch_delete(&made.batch, yr_bytes_of_text("h:1")));
    assert_true(has_drained(&made.batch, made.current));
    /* Announced before. */
    assert_ok(yr_batch_take_put(&made.batch, draining(1, 2)));
    settle(&made.batch, &made.current);
    assert_ok(yr_batch_delete(&made.batch, yr_bytes_of_text("h:1")));
    assert_true(has_drained(&made.batch, made.current));
    made.batch.is_list = true;
    assert_true(has_drained(&made.batch, made.current));
    /* Announced, but then it stayed. */
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 3)));
    assert_ok(yr_batch_delete(&made.batch, yr_bytes_of_text("h:1")));
    assert_false(has_drained(&made.batch, made.current));
    end(&made);
}

static void a_node_that_was_deleted_has_no_revision_to_be_older_than(void **state)
{
    (void)state;
    setting made = set();
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 1, 9)));
    settle(&made.batch, &made.current);
    static const uint64_t seed[2] = {1, 2};
    yr_map absent;
    yr_map_node node;
    yr_map_init(&absent, seed);
    yr_map_insert(&absent, &node, yr_bytes_of_text("h:1"));
    assert_ok(yr_batch_take_put(&made.batch, instance(1, 2, 3)));
    yr_batch_result result;
    assert_ok(yr_batch_settle(&made.batch, made.current, &absent, &result));
    assert_int_equal(result.count, 1);
    yr_free(result.changes);
    yr_map_deinit(&absent);
    end(&made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_come_out_ordered_and_the_last_word_counts),
        cmocka_unit_test(an_equal_value_is_no_change_whatever_its_revision),
        cmocka_unit_test(an_older_revision_does_not_overwrite_a_newer_one),
        cmocka_unit_test(what_follows_a_list_that_went_back_is_not_outdated),
        cmocka_unit_test(what_only_gets_its_revision_counts_as_unchanged),
        cmocka_unit_test(a_list_removes_what_it_does_not_name_and_may_go_back),
        cmocka_unit_test(deleting_what_is_not_there_is_no_change),
        cmocka_unit_test(who_had_announced_to_leave_is_told_from_who_had_not),
        cmocka_unit_test(a_node_that_was_deleted_has_no_revision_to_be_older_than),
        cmocka_unit_test(every_allocation_failure_is_returned_and_leaks_nothing),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
