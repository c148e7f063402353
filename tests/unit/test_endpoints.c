#include "base/mem.h"
#include "etcd/endpoints.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

static void assert_first(const char *text, const char *host, uint16_t port, const char *name)
{
    yr_endpoints endpoints;
    assert_ok(yr_endpoints_init(&endpoints, text, false, 0, NULL));
    assert_string_equal(yr_endpoints_first(&endpoints)->host, host);
    assert_int_equal(yr_endpoints_first(&endpoints)->port, port);
    assert_string_equal(yr_endpoints_first(&endpoints)->name, name);
    yr_endpoints_deinit(&endpoints);
}

static void every_form_is_understood(void **state)
{
    (void)state;
    assert_first(NULL, "localhost", 2379, "localhost:2379");
    assert_first("", "localhost", 2379, "localhost:2379");
    assert_first("http://10.0.0.1:2380", "10.0.0.1", 2380, "10.0.0.1:2380");
    assert_first("http://10.0.0.1:2380/", "10.0.0.1", 2380, "10.0.0.1:2380");
    assert_first("etcd-0.etcd_x", "etcd-0.etcd_x", 2379, "etcd-0.etcd_x:2379");
    assert_first("host:1", "host", 1, "host:1");
    assert_first("[::1]", "::1", 2379, "[::1]:2379");
    assert_first("http://[fe80::1%eth0]:65535", "fe80::1%eth0", 65535, "[fe80::1%eth0]:65535");
    assert_first(" http://a:1 , b:2 ", "a", 1, "a:1");
}

static void assert_refused(const char *text, yurpc_status status, const char *part)
{
    yr_endpoints endpoints;
    yurpc_error *error = NULL;
    assert_int_equal(yr_endpoints_init(&endpoints, text, false, 0, &error), status);
    if (strstr(yurpc_error_text(error), part) == NULL) {
        fail_msg("\"%s\" does not contain \"%s\"", yurpc_error_text(error), part);
    }
    yurpc_error_free(error);
}

static void a_wrong_one_is_named_with_a_right_one(void **state)
{
    (void)state;
    assert_refused("a:1,b:x", YURPC_INVALID, "etcd endpoint 2, \"b:x\": the port must be");
    assert_refused("a:1,b:x", YURPC_INVALID, "http://127.0.0.1:2379");
    assert_refused("a:0", YURPC_INVALID, "from 1 to 65535");
    assert_refused("a:65536", YURPC_INVALID, "from 1 to 65535");
    assert_refused("a:99999999999999999999", YURPC_INVALID, "from 1 to 65535");
    assert_refused("a:", YURPC_INVALID, "the port must be");
    assert_refused(":1", YURPC_INVALID, "not a host");
    assert_refused("https://.:1", YURPC_INVALID, "not a host");
    assert_refused("a,,b", YURPC_INVALID, "endpoint 2, \"\": it is empty");
    assert_refused("a,", YURPC_INVALID, "it is empty");
    assert_refused("http://", YURPC_INVALID, "not a host");
    assert_refused("::1:2379", YURPC_INVALID, "in brackets");
    assert_refused("[::1", YURPC_INVALID, "bracket is not closed");
    assert_refused("[::1]2379", YURPC_INVALID, "must follow the bracket");
    assert_refused("[127.0.0.1]:1", YURPC_INVALID, "not a host");
    assert_refused("[]:1", YURPC_INVALID, "not a host");
    assert_refused("http://a/v3", YURPC_INVALID, "must not have a path");
    assert_refused("unix:///tmp/etcd", YURPC_INVALID, "scheme must be http or https");
    assert_refused("httpss://a:1", YURPC_INVALID, "scheme must be http or https");
    assert_refused("a b:1", YURPC_INVALID, "not a host");
}

static void each_endpoint_has_its_own_scheme(void **state)
{
    static const bool expected[2][4] = {{false, true, false, false}, {false, true, true, true}};
    (void)state;
    for (size_t is_tls = 0; is_tls < 2; is_tls++) {
        yr_endpoints endpoints;
        assert_ok(yr_endpoints_init(&endpoints, "http://a:1,https://b:2, c:3,[::1]",
                                    is_tls == 1, 0, NULL));
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(endpoints.items[i].is_tls, expected[is_tls][i]);
        }
        yr_endpoints_deinit(&endpoints);
        assert_ok(yr_endpoints_init(&endpoints, NULL, is_tls == 1, 0, NULL));
        assert_int_equal(yr_endpoints_first(&endpoints)->is_tls, is_tls);
        yr_endpoints_deinit(&endpoints);
    }
}

static void a_password_is_not_repeated(void **state)
{
    (void)state;
    yr_endpoints endpoints;
    yurpc_error *error = NULL;
    assert_int_equal(yr_endpoints_init(&endpoints, "http://root:S3cr3t@a:1", false, 0, &error),
                     YURPC_INVALID);
    assert_non_null(strstr(yurpc_error_text(error), "credentials"));
    assert_null(strstr(yurpc_error_text(error), "S3cr3t"));
    yurpc_error_free(error);
}

static void a_password_with_a_comma_is_not_repeated_either(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "http://root:S3cr3t,x@a:1", "http://root:x,S3cr3t,y@a:1", "a:1,root:x@b:2,c:S3cr3t"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        yr_endpoints endpoints;
        yurpc_error *error = NULL;
        assert_int_equal(yr_endpoints_init(&endpoints, texts[i], false, 0, &error),
                         YURPC_INVALID);
        assert_non_null(strstr(yurpc_error_text(error), "...@..."));
        assert_null(strstr(yurpc_error_text(error), "S3cr3t"));
        yurpc_error_free(error);
    }
}

static void there_are_at_most_64(void **state)
{
    (void)state;
    char text[400] = "";
    size_t len = 0;
    for (int i = 0; i < YR_ENDPOINTS_MAX; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%sa:1", i == 0 ? "" : ",");
    }
    yr_endpoints endpoints;
    assert_ok(yr_endpoints_init(&endpoints, text, false, 0, NULL));
    assert_int_equal(endpoints.count, YR_ENDPOINTS_MAX);
    yr_endpoints_deinit(&endpoints);
    (void)snprintf(text + len, sizeof text - len, ",a:1");
    assert_refused(text, YURPC_INVALID, "at most 64");
}

static void the_order_starts_at_random_and_goes_round(void **state)
{
    (void)state;
    static const char *const expected[] = {"c:3", "a:1", "b:2", "c:3"};
    yr_endpoints endpoints;
    assert_ok(yr_endpoints_init(&endpoints, "a:1,b:2,c:3", false, 5, NULL));
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(yr_endpoints_first(&endpoints)->name, expected[i]);
        yr_endpoints_rotate(&endpoints);
    }
    yr_endpoints_deinit(&endpoints);
    assert_ok(yr_endpoints_init(&endpoints, "a:1", false, UINT64_MAX, NULL));
    yr_endpoints_rotate(&endpoints);
    assert_string_equal(yr_endpoints_first(&endpoints)->name, "a:1");
    yr_endpoints_deinit(&endpoints);
}

static void lack_of_memory_leaves_nothing(void **state)
{
    (void)state;
    yurpc_status status = YURPC_NO_MEMORY;
    for (long n = 0; status == YURPC_NO_MEMORY; n++) {
        yr_endpoints endpoints;
        yr_mem_fail_after(n);
        status = yr_endpoints_init(&endpoints, "a:1,[::1]:2", false, 0, NULL);
        yr_mem_fail_after(-1);
        if (status == YURPC_OK) {
            assert_true(n >= 4);
            yr_endpoints_deinit(&endpoints);
        }
    }
    assert_ok(status);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_is_understood),
        cmocka_unit_test(a_wrong_one_is_named_with_a_right_one),
        cmocka_unit_test(each_endpoint_has_its_own_scheme),
        cmocka_unit_test(a_password_is_not_repeated),
        cmocka_unit_test(a_password_with_a_comma_is_not_repeated_either),
        cmocka_unit_test(there_are_at_most_64),
        cmocka_unit_test(the_order_starts_at_random_and_goes_round),
        cmocka_unit_test(lack_of_memory_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
