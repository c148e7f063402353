#include "base/bytes.h"
#include "grpc/greeting.h"
#include "yr_test.h"

#include <string.h>

static const char settings[] = {0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100};

static void assert_said(const yr_grpc_greeting *greeting, const char *what)
{
    yurpc_error *error = yr_grpc_greeting_error(greeting, "h:2379", false);
    assert_int_equal(yurpc_error_status(error), YURPC_PROTOCOL);
    assert_non_null(strstr(yurpc_error_text(error), what));
    yurpc_error_free(error);
}

static void settings_are_http2_in_any_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece <= sizeof settings; piece++) {
        yr_grpc_greeting greeting = {.len = 0};
        size_t at = 0;
        while (!greeting.is_http2) {
            assert_true(at < sizeof settings);
            size_t len = piece < sizeof settings - at ? piece : sizeof settings - at;
            yr_grpc_greeting_hear(&greeting, yr_bytes(settings + at, len));
            at += len;
        }
        assert_true(at >= 9 && !greeting.is_foreign);
    }
}

static void another_protocol_is_quoted_to_the_end_of_its_line(void **state)
{
    (void)state;
    yr_grpc_greeting greeting = {.len = 0};
    yr_grpc_greeting_hear(&greeting, yr_bytes_of_text("SSH-2.0"));
    assert_true(greeting.is_foreign && !greeting.is_whole && !greeting.is_http2);
    yr_grpc_greeting_hear(&greeting, yr_bytes_of_text("-x\r\nmore"));
    assert_true(greeting.is_whole);
    assert_said(&greeting, "(it said \"SSH-2.0-x\")");
}

static void a_line_that_is_too_long_is_cut(void **state)
{
    (void)state;
    yr_grpc_greeting greeting = {.len = 0};
    yr_grpc_greeting_hear(&greeting,
                          yr_bytes_of_text("HTTP/1.1 400 Bad Request, which is long"));
    assert_true(greeting.is_whole);
    assert_int_equal(greeting.len, YR_GRPC_GREETING_MAX);
    assert_said(&greeting, "\"HTTP/1.1 400 Bad Request, which \"");
}

static void tls_is_recognised(void **state)
{
    (void)state;
    static const char alert[] = {0x15, 3, 3, 0, 2, 2, 70};
    yr_grpc_greeting greeting = {.len = 0};
    yr_grpc_greeting_hear(&greeting, yr_bytes(alert, sizeof alert));
    assert_true(greeting.is_foreign);
    assert_said(&greeting, "speaks TLS: use https://");
}

static void who_says_nothing_may_want_tls(void **state)
{
    (void)state;
    yr_grpc_greeting greeting = {.len = 0};
    assert_said(&greeting,
                "without a word: is it etcd's client port, and does it want https://?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(settings_are_http2_in_any_pieces),
        cmocka_unit_test(another_protocol_is_quoted_to_the_end_of_its_line),
        cmocka_unit_test(a_line_that_is_too_long_is_cut),
        cmocka_unit_test(tls_is_recognised),
        cmocka_unit_test(who_says_nothing_may_want_tls),
    };
    return cmocka_run_group_tests_name("grpc greeting", tests, NULL, NULL);
}
