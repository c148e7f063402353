#include "base/bytes.h"
#include "base/mem.h"
#include "grpc/headers.h"
#include "yr_test.h"

#include <stdio.h>

enum { LEN_MAX = 1000, TEXT_MAX = 600 };

typedef struct response {
    yr_grpc_headers headers;
    yr_grpc_end end;
    char text[TEXT_MAX];
} response;

static void begin(response *r)
{
    yr_grpc_headers_init(&r->headers, LEN_MAX);
    yr_grpc_headers_begin(&r->headers);
}

static void add(response *r, const char *name, const char *value)
{
    assert_ok(
        yr_grpc_headers_add(&r->headers, yr_bytes_of_text(name), yr_bytes_of_text(value)));
}

static void begin_good(response *r)
{
    begin(r);
    add(r, ":status", "200");
    add(r, "content-type", "application/grpc");
}

/* The end of the call that these headers mean. */
static void finish(response *r)
{
    yurpc_error *text = NULL;
    yr_grpc_headers_end(&r->headers, &r->end, &text);
    (void)snprintf(r->text, sizeof r->text, "%s", r->end.message);
    yurpc_error_free(text);
    yr_grpc_headers_deinit(&r->headers);
}

static void the_trailers_status_is_the_calls(void **state)
{
    (void)state;
    response r;
    begin_good(&r);
    assert_true(yr_grpc_headers_allow_messages(&r.headers));
    yr_grpc_headers_begin(&r.headers);
    add(&r, "grpc-status", "5");
    add(&r, "grpc-message", "etcdserver: requested lease not found");
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_NOT_FOUND);
    assert_true(r.end.is_remote);
    assert_false(r.end.is_transport);
    assert_string_equal(r.text, "etcdserver: requested lease not found");
}

static void a_status_in_the_headers_is_not_the_trailers(void **state)
{
    (void)state;
    response r;
    begin_good(&r);
    add(&r, "grpc-status", "0");
    yr_grpc_headers_begin(&r.headers);
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_INTERNAL);
    assert_false(r.end.is_remote);
}

static void trailers_only_are_enough(void **state)
{
    (void)state;
    response r;
    begin_good(&r);
    add(&r, "grpc-status", "12");
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_UNIMPLEMENTED);
    assert_string_equal(r.text, "");
}

static void a_status_that_is_no_number_is_unknown(void **state)
{
    (void)state;
    static const char *const bad[] = {"-1", "abc", "", "1x", " 1", "00", "07", "12345", "0x1"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        response r;
        begin_good(&r);
        add(&r, "grpc-status", bad[i]);
        finish(&r);
        assert_int_equal(r.end.code, YR_GRPC_UNKNOWN);
        assert_non_null(strstr(r.text, "grpc-status"));
    }
}

static void a_status_sent_twice_is_unknown(void **state)
{
    (void)state;
    response r;
    begin_good(&r);
    add(&r, "grpc-status", "0");
    add(&r, "grpc-status", "0");
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_UNKNOWN);
}

static void a_code_we_do_not_know_is_unknown_and_named(void **state)
{
    (void)state;
    response r;
    begin_good(&r);
    add(&r, "grpc-status", "99");
    add(&r, "grpc-message", "new");
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_UNKNOWN);
    assert_non_null(strstr(r.text, "99: new"));
}

static void an_http_status_becomes_its_grpc_code(void **state)
{
    (void)state;
    static const struct {
        const char *http;
        int code;
    } map[] = {
        {"400", YR_GRPC_INTERNAL},          {"401", YR_GRPC_UNAUTHENTICATED},
        {"403", YR_GRPC_PERMISSION_DENIED}, {"404", YR_GRPC_UNIMPLEMENTED},
        {"429", YR_GRPC_UNAVAILABLE},       {"502", YR_GRPC_UNAVAILABLE},
        {"503", YR_GRPC_UNAVAILABLE},       {"504", YR_GRPC_UNAVAILABLE},
        {"500", YR_GRPC_UNKNOWN},           {"418", YR_GRPC_UNKNOWN},
        {"301", YR_GRPC_UNKNOWN},           {"abc", YR_GRPC_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof map / sizeof map[0]; i++) {
        response r;
        begin(&r);
        add(&r, ":status", map[i].http);
        add(&r, "content-type", "text/html");
        assert_false(yr_grpc_headers_allow_messages(&r.headers));
        finish(&r);
        assert_int_equal(r.end.code, map[i].code);
        assert_false(r.end.is_remote);
        assert_non_null(strstr(r.text, "text/html"));
    }
}

static void a_page_with_status_200_is_no_grpc(void **state)
{
    (void)state;
    static const char *const types[] = {"text/html\n", "application/grpcx", "application/grp",
                                        "application/json"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        response r;
        begin(&r);
        add(&r, ":status", "200");
        add(&r, "content-type", types[i]);
        assert_false(yr_grpc_headers_allow_messages(&r.headers));
        finish(&r);
        assert_int_equal(r.end.code, YR_GRPC_UNKNOWN);
        assert_null(strchr(r.text, '\n'));
    }
}

static void the_content_type_may_name_a_codec(void **state)
{
    (void)state;
    static const char *const types[] = {"application/grpc", "application/grpc+proto",
                                        "application/grpc;charset=utf-8"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        response r;
        begin(&r);
        add(&r, ":status", "200");
        add(&r, "content-type", types[i]);
        assert_true(yr_grpc_headers_allow_messages(&r.headers));
        yr_grpc_headers_deinit(&r.headers);
    }
}

static void a_grpc_status_counts_more_than_an_http_status(void **state)
{
    (void)state;
    response r;
    begin(&r);
    add(&r, ":status", "503");
    add(&r, "grpc-status", "8");
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_RESOURCE_EXHAUSTED);
}

static void an_ok_inside_an_http_failure_is_no_success(void **state)
{
    (void)state;
    response r;
    begin(&r);
    add(&r, ":status", "502");
    add(&r, "grpc-status", "0");
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_UNAVAILABLE);
    assert_false(r.end.is_remote);
}

static void a_message_cannot_forge_a_log_line(void **state)
{
    (void)state;
    response r;
    begin_good(&r);
    add(&r, "grpc-status", "2");
    add(&r, "grpc-message", "oops%0A2026-11-22 INFO all is well%");
    finish(&r);
    assert_string_equal(r.text, "oops?2026-11-22 INFO all is well%");
}

static void a_block_past_its_limit_is_refused_and_counting_starts_anew(void **state)
{
    (void)state;
    response r;
    begin(&r);
    yurpc_bytes tiny = yr_bytes_of_text("x");
    int count = 0;
    while (yr_grpc_headers_add(&r.headers, tiny, tiny) == YURPC_OK) {
        count++;
    }
    assert_int_equal(count, LEN_MAX / 34);
    yr_grpc_headers_begin(&r.headers);
    assert_ok(yr_grpc_headers_add(&r.headers, tiny, tiny));
    yr_grpc_headers_deinit(&r.headers);
}

static void without_memory_only_the_text_is_lost(void **state)
{
    (void)state;
    response r;
    begin_good(&r);
    add(&r, "grpc-status", "5");
    yr_mem_fail_after(0);
    yurpc_status status = yr_grpc_headers_add(&r.headers, yr_bytes_of_text("grpc-message"),
                                              yr_bytes_of_text("gone"));
    yr_mem_fail_after(-1);
    assert_ok(status);
    finish(&r);
    assert_int_equal(r.end.code, YR_GRPC_NOT_FOUND);
    assert_string_equal(r.text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_trailers_status_is_the_calls),
        cmocka_unit_test(a_status_in_the_headers_is_not_the_trailers),
        cmocka_unit_test(trailers_only_are_enough),
        cmocka_unit_test(a_status_that_is_no_number_is_unknown),
        cmocka_unit_test(a_status_sent_twice_is_unknown),
        cmocka_unit_test(a_code_we_do_not_know_is_unknown_and_named),
        cmocka_unit_test(an_http_status_becomes_its_grpc_code),
        cmocka_unit_test(a_page_with_status_200_is_no_grpc),
        cmocka_unit_test(the_content_type_may_name_a_codec),
        cmocka_unit_test(a_grpc_status_counts_more_than_an_http_status),
        cmocka_unit_test(an_ok_inside_an_http_failure_is_no_success),
        cmocka_unit_test(a_message_cannot_forge_a_log_line),
        cmocka_unit_test(a_block_past_its_limit_is_refused_and_counting_starts_anew),
        cmocka_unit_test(without_memory_only_the_text_is_lost),
    };
    return cmocka_run_group_tests_name("grpc_headers", tests, NULL, NULL);
}
