/* The fake etcd's store and leases: the model must be right before anything is tested on it. */
#include "base/bytes.h"
#include "fake/lease.h"
#include "fake/store.h"
#include "yr_test.h"

#include <string.h>

static void put(yr_fake_store *store, const char *key, const char *value)
{
    yr_fake_store_put(store, yr_bytes_of_text(key), yr_bytes_of_text(value), 0);
    (void)yr_fake_store_commit(store);
}

static int64_t remove_keys(yr_fake_store *store, const char *key, yurpc_bytes end)
{
    const yr_fake_span span = {yr_bytes_of_text(key), end};
    int64_t count = yr_fake_store_delete(store, &span);
    (void)yr_fake_store_commit(store);
    return count;
}

static const yr_fake_version *find(const yr_fake_store *store, const char *key,
                                   int64_t revision)
{
    return yr_fake_store_find(store, yr_bytes_of_text(key), revision);
}

/* "key=value key=value" of a span at a revision. */
static const char *list(const yr_fake_store *store, yr_fake_span span, int64_t revision)
{
    static char text[256];
    text[0] = '\0';
    const yr_fake_version *version = NULL;
    while ((version = yr_fake_store_next(store, &span, revision, version)) != NULL) {
        (void)strncat(text, text[0] != '\0' ? " " : "", 2);
        (void)strncat(text, version->key.data, version->key.len);
        (void)strncat(text, "=", 2);
        (void)strncat(text, version->value.data, version->value.len);
    }
    return text;
}

static yr_fake_span span(const char *key, const char *end)
{
    return (yr_fake_span){yr_bytes_of_text(key), yr_bytes_of_text(end)};
}

static void a_new_store_is_empty_and_at_revision_one(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    assert_int_equal(yr_fake_store_revision(store), 1);
    assert_null(find(store, "a", 0));
    assert_int_equal(yr_fake_store_write_count(store), 0);
    yr_fake_store_free(store);
}

static void a_key_counts_its_writes_since_it_was_created(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    put(store, "k", "1");
    put(store, "k", "2");
    const yr_fake_version *now = find(store, "k", 0);
    assert_int_equal(now->create_revision, 2);
    assert_int_equal(now->mod_revision, 3);
    assert_int_equal(now->version, 2);

    assert_int_equal(remove_keys(store, "k", (yurpc_bytes){0}), 1);
    assert_null(find(store, "k", 0));
    put(store, "k", "3");
    now = find(store, "k", 0);
    assert_int_equal(now->create_revision, 5);
    assert_int_equal(now->version, 1);
    yr_fake_store_free(store);
}

static void the_past_stays_readable(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    put(store, "a", "1"); /* 2 */
    put(store, "b", "1"); /* 3 */
    put(store, "a", "2"); /* 4 */
    (void)remove_keys(store, "b", (yurpc_bytes){0});
    assert_string_equal(list(store, span("a", "z"), 1), "");
    assert_string_equal(list(store, span("a", "z"), 2), "a=1");
    assert_string_equal(list(store, span("a", "z"), 3), "a=1 b=1");
    assert_string_equal(list(store, span("a", "z"), 4), "a=2 b=1");
    assert_string_equal(list(store, span("a", "z"), 0), "a=2");
    yr_fake_store_free(store);
}

static void spans_are_one_key_a_range_or_all_that_follow(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    put(store, "b/1", "x");
    put(store, "a", "x");
    put(store, "b/2", "x");
    put(store, "c", "x");
    put(store, "b/", "x");
    assert_string_equal(list(store, span("b/", ""), 0), "b/=x");
    assert_string_equal(list(store, span("b/", "b0"), 0), "b/=x b/1=x b/2=x");
    assert_string_equal(list(store, span("b/2", "b/1"), 0), "");
    const yr_fake_span rest = {yr_bytes_of_text("b/2"), {"\0", 1}};
    assert_string_equal(list(store, rest, 0), "b/2=x c=x");
    yr_fake_store_free(store);
}

static void a_transaction_reads_its_own_writes_and_has_one_revision(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    assert_false(yr_fake_store_is_dirty(store));
    yr_fake_store_put(store, yr_bytes_of_text("a"), yr_bytes_of_text("1"), 0);
    yr_fake_store_put(store, yr_bytes_of_text("b"), yr_bytes_of_text("1"), 7);
    assert_true(yr_fake_store_is_dirty(store));
    assert_int_equal(yr_fake_store_revision(store), 1);
    assert_string_equal(list(store, span("a", "z"), 0), "a=1 b=1");
    assert_int_equal(yr_fake_store_commit(store), 0);
    assert_int_equal(yr_fake_store_revision(store), 2);
    assert_int_equal(find(store, "a", 0)->mod_revision, 2);
    assert_int_equal(find(store, "b", 0)->mod_revision, 2);
    assert_int_equal(find(store, "b", 0)->lease, 7);
    assert_int_equal(yr_fake_store_commit(store), 2); /* nothing written: no new revision */
    assert_int_equal(yr_fake_store_revision(store), 2);
    yr_fake_store_free(store);
}

static void history_is_in_order_and_found_by_revision(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    put(store, "a", "1");
    put(store, "b", "1");
    assert_int_equal(remove_keys(store, "a", yr_bytes_of_text("c")), 2);
    assert_int_equal(yr_fake_store_write_count(store), 4);
    assert_int_equal(yr_fake_store_write_from(store, 1), 0);
    assert_int_equal(yr_fake_store_write_from(store, 3), 1);
    assert_int_equal(yr_fake_store_write_from(store, 4), 2);
    assert_int_equal(yr_fake_store_write_from(store, 5), 4);
    const yr_fake_version *last = yr_fake_store_write(store, 3);
    assert_int_equal(last->version, 0);
    assert_memory_equal(last->key.data, "b", 1);
    assert_int_equal(yr_fake_store_before(store, last)->mod_revision, 3);
    yr_fake_store_free(store);
}

static void compacting_hides_what_is_below(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    put(store, "a", "1");                            /* 2 */
    put(store, "b", "1");                            /* 3 */
    (void)remove_keys(store, "a", (yurpc_bytes){0}); /* 4 */
    yr_fake_store_compact(store, 3);
    assert_int_equal(yr_fake_store_compacted(store), 3);
    assert_false(yr_fake_store_is_visible(store, yr_fake_store_write(store, 0)));
    assert_true(yr_fake_store_is_visible(store, yr_fake_store_write(store, 1)));
    yr_fake_store_compact(store, 4);
    assert_true(yr_fake_store_is_visible(store, yr_fake_store_write(store, 2)));
    yr_fake_store_forget_deletions_at_border(store);
    assert_false(yr_fake_store_is_visible(store, yr_fake_store_write(store, 2)));
    assert_null(yr_fake_store_before(store, yr_fake_store_write(store, 2)));
    assert_string_equal(list(store, span("a", "z"), 0), "b=1");
    yr_fake_store_free(store);
}

static void many_keys_stay_in_order(void **state)
{
    (void)state;
    yr_fake_store *store = yr_fake_store_new();
    uint32_t number = 1;
    for (int i = 0; i < 2000; i++) {
        number = number * 1664525 + 1013904223;
        yr_fake_store_put(store, yr_bytes(&number, sizeof(number)), (yurpc_bytes){0}, 0);
    }
    (void)yr_fake_store_commit(store);
    const yr_fake_span all = {{"", 1}, {"", 1}};
    const yr_fake_version *previous = NULL;
    const yr_fake_version *version = NULL;
    size_t count = 0;
    while ((version = yr_fake_store_next(store, &all, 0, version)) != NULL) {
        assert_true(previous == NULL || yr_bytes_compare(previous->key, version->key) < 0);
        previous = version;
        count++;
    }
    assert_int_equal(count, 2000);
    yr_fake_store_free(store);
}

static void a_lease_has_at_least_two_seconds_and_expires_in_order(void **state)
{
    (void)state;
    yr_fake_leases leases;
    yr_fake_leases_init(&leases);
    assert_null(yr_fake_leases_first(&leases));
    yr_fake_lease *slow = yr_fake_lease_grant(&leases, 1, 10, 1000);
    yr_fake_lease *quick = yr_fake_lease_grant(&leases, 2, 0, 1000);
    assert_int_equal(quick->ttl_s, 2);
    assert_int_equal(quick->expires_at_ms, 3000);
    assert_ptr_equal(yr_fake_leases_first(&leases), quick);
    yr_fake_lease_renew(quick, 9500);
    assert_ptr_equal(yr_fake_leases_first(&leases), slow);
    yr_fake_leases_renew_all(&leases, 20000);
    assert_int_equal(slow->expires_at_ms, 30000);
    assert_int_equal(quick->expires_at_ms, 22000);
    assert_ptr_equal(yr_fake_lease_find(&leases, 1), slow);
    assert_null(yr_fake_lease_find(&leases, 3));
    yr_fake_lease_remove(&leases, slow);
    assert_null(yr_fake_lease_find(&leases, 1));
    assert_int_equal(leases.count, 1);
    yr_fake_leases_clear(&leases);
    assert_int_equal(leases.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_store_is_empty_and_at_revision_one),
        cmocka_unit_test(a_key_counts_its_writes_since_it_was_created),
        cmocka_unit_test(the_past_stays_readable),
        cmocka_unit_test(spans_are_one_key_a_range_or_all_that_follow),
        cmocka_unit_test(a_transaction_reads_its_own_writes_and_has_one_revision),
        cmocka_unit_test(history_is_in_order_and_found_by_revision),
        cmocka_unit_test(compacting_hides_what_is_below),
        cmocka_unit_test(many_keys_stay_in_order),
        cmocka_unit_test(a_lease_has_at_least_two_seconds_and_expires_in_order),
    };
    return cmocka_run_group_tests_name("fake_store", tests, NULL, NULL);
}
