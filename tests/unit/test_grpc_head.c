#include "base/mem.h"
#include "grpc/conn.h"
#include "grpc/head.h"
#include "yr_test.h"

#include <string.h>

static const nghttp2_nv *find(const yr_grpc_head *head, const char *name)
{
    for (size_t i = 0; i < head->count; i++) {
        if (strcmp((const char *)head->fields[i].name, name) == 0) {
            return &head->fields[i];
        }
    }
    return NULL;
}

static void assert_field(const yr_grpc_head *head, const char *name, const char *value)
{
    const nghttp2_nv *field = find(head, name);
    assert_non_null(field);
    assert_string_equal((const char *)field->value, value);
    assert_int_equal(field->valuelen, strlen(value));
}

static void a_head_has_what_grpc_asks_for(void **state)
{
    (void)state;
    yr_grpc_request request = {.path = "/a.B/C"};
    yr_grpc_head *head = NULL;
    assert_ok(yr_grpc_head_new("host:1", false, &request, &head));
    assert_field(head, ":method", "POST");
    assert_field(head, ":scheme", "http");
    assert_field(head, ":path", "/a.B/C");
    assert_field(head, ":authority", "host:1");
    assert_field(head, "te", "trailers");
    assert_field(head, "content-type", "application/grpc");
    assert_int_equal(strncmp((const char *)find(head, "user-agent")->value, "yurpc/", 6), 0);
    assert_null(find(head, "grpc-timeout"));
    yr_grpc_head_set_timeout(head, 1500);
    assert_field(head, "grpc-timeout", "1500m");
    yr_grpc_head_free(head);
}

static void metadata_is_copied_and_a_secret_is_not_indexed(void **state)
{
    (void)state;
    char value[] = "leader";
    const yr_grpc_header headers[] = {{"hasleader", value, false}, {"token", "s3cret", true}};
    yr_grpc_request request = {.path = "/", .headers = headers, .header_count = 2};
    yr_grpc_head *head = NULL;
    assert_ok(yr_grpc_head_new("host:1", false, &request, &head));
    value[0] = 'X';
    assert_field(head, "hasleader", "leader");
    assert_field(head, "token", "s3cret");
    assert_int_equal(find(head, "hasleader")->flags & NGHTTP2_NV_FLAG_NO_INDEX, 0);
    assert_int_not_equal(find(head, "token")->flags & NGHTTP2_NV_FLAG_NO_INDEX, 0);
    yr_grpc_head_free(head);
}

static void a_header_that_http_forbids_is_refused(void **state)
{
    (void)state;
    const yr_grpc_header bad[] = {{"Token", "x", false},
                                  {"a b", "x", false},
                                  {"", "x", false},
                                  {"token", "a\nb: c", true},
                                  {"token", "a\rb", true}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        yr_grpc_request request = {.path = "/", .headers = &bad[i], .header_count = 1};
        yr_grpc_head *head = NULL;
        assert_int_equal(yr_grpc_head_new("host:1", false, &request, &head), YURPC_INVALID);
        assert_null(head);
    }
}

static void headers_past_the_limit_are_refused(void **state)
{
    (void)state;
    static char value[YR_GRPC_HEADER_LIST_MAX + 1];
    memset(value, 'v', sizeof value - 1);
    const yr_grpc_header header = {"big", value, false};
    yr_grpc_request request = {.path = "/", .headers = &header, .header_count = 1};
    yr_grpc_head *head = NULL;
    assert_int_equal(yr_grpc_head_new("host:1", false, &request, &head), YURPC_TOO_LARGE);
}

static void without_memory_there_is_no_head(void **state)
{
    (void)state;
    yr_grpc_request request = {.path = "/"};
    yr_grpc_head *head = NULL;
    yr_mem_fail_after(0);
    yurpc_status status = yr_grpc_head_new("host:1", false, &request, &head);
    yr_mem_fail_after(-1);
    assert_int_equal(status, YURPC_NO_MEMORY);
}

static void a_timeout_has_at_most_eight_digits_and_is_never_zero(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } map[] = {
        {-5, "1m"},
        {0, "1m"},
        {1, "1m"},
        {5000, "5000m"},
        {99999999, "99999999m"},
        {100000000, "100000S"},
        {100000001, "100001S"},
        {INT64_C(99999999) * 1000, "99999999S"},
        {INT64_C(99999999) * 1000 + 1, "1666667M"},
        {INT64_C(99999999) * 60000 + 1, "1666667H"},
        {INT64_MAX, "99999999H"},
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        char text[YR_GRPC_TIMEOUT_SIZE];
        yr_grpc_timeout_format(map[i].ms, text);
        assert_string_equal(text, map[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_has_what_grpc_asks_for),
        cmocka_unit_test(metadata_is_copied_and_a_secret_is_not_indexed),
        cmocka_unit_test(a_header_that_http_forbids_is_refused),
        cmocka_unit_test(headers_past_the_limit_are_refused),
        cmocka_unit_test(without_memory_there_is_no_head),
        cmocka_unit_test(a_timeout_has_at_most_eight_digits_and_is_never_zero),
    };
    return cmocka_run_group_tests_name("grpc_head", tests, NULL, NULL);
}
