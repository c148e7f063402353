/* The small parts of the command that read and write text, with what others may have written.
 */
#include "address.h"
#include "json.h"
#include "session.h"
#include "table.h"
#include "utf8.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What @p write puts out for @p text, to be freed. */
static char *written(void (*write)(FILE *, const char *), const char *text)
{
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    assert_non_null(file);
    write(file, text);
    assert_int_equal(fclose(file), 0);
    return out;
}

static void assert_written(void (*write)(FILE *, const char *), const char *text,
                           const char *wanted)
{
    char *out = written(write, text);
    assert_string_equal(out, wanted);
    free(out);
}

static void utf8_of_every_length_is_recognised(void **state)
{
    (void)state;
    assert_int_equal(cli_utf8_len("a"), 1);
    assert_int_equal(cli_utf8_len("\x7f"), 1);
    assert_int_equal(cli_utf8_len("\xc2\x80"), 2);
    assert_int_equal(cli_utf8_len("\xe4\xb8\xad"), 3);
    assert_int_equal(cli_utf8_len("\xf0\x9f\x98\x80"), 4);
    assert_int_equal(cli_utf8_len("\xf4\x8f\xbf\xbf"), 4);
}

static void what_is_no_utf8_is_not(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xe0\x9f\xbf",
        "\xe4\xb8",
        "\xed\xa0\x80",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98",
        "\xc2\x41",
        "\xff",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(cli_utf8_len(bad[i]), 0);
    }
}

static void json_strings_are_escaped(void **state)
{
    (void)state;
    assert_written(cli_json_string, "", "\"\"");
    assert_written(cli_json_string, "a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    assert_written(cli_json_string, "\b\t\n\f\r\x01\x1f\x7f",
                   "\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\"");
    assert_written(cli_json_string, "\xe4\xb8\xad\xf0\x9f\x98\x80",
                   "\"\xe4\xb8\xad\xf0\x9f\x98\x80\"");
    assert_written(cli_json_string, "\xff\xe4\xb8", "\"\\ufffd\\ufffd\\ufffd\"");
}

static void nothing_printed_commands_the_terminal(void **state)
{
    (void)state;
    assert_written(cli_print_text, "a b\xe4\xb8\xad", "a b\xe4\xb8\xad");
    assert_written(cli_print_text, "\033[2J\n\x7f", "?[2J??");
    assert_written(cli_print_text,
                   "\xc2\x9b"
                   "2J\xc2\xa0",
                   "?2J\xc2\xa0");
    assert_written(cli_print_text, "\xff\xc2", "??");
}

static void addresses_are_read(void **state)
{
    (void)state;
    cli_address address;
    assert_true(cli_address_parse("10.0.0.5:8080", &address));
    assert_string_equal(address.host, "10.0.0.5");
    assert_int_equal(address.port, 8080);
    assert_true(cli_address_parse("[fe80::1]:65535", &address));
    assert_string_equal(address.host, "fe80::1");
    assert_int_equal(address.port, 65535);
    assert_true(cli_address_parse("db.example:1", &address));
    assert_string_equal(address.host, "db.example");
}

static void a_bad_address_leaves_the_result_alone(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      ":1",    "a:",   "a:0",     "a:65536",
                                      "a:1x",  "::1:1", "[]:1", "[::1]80", "[::1:1",
                                      "a/b:1", "[a]:1", "a:+1", "a: 1",    "a:00000000001"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cli_address address = {.port = 7};
        assert_false(cli_address_parse(bad[i], &address));
        assert_int_equal(address.port, 7);
    }
}

static void loopback_is_recognised(void **state)
{
    (void)state;
    assert_true(cli_host_is_loopback("localhost"));
    assert_true(cli_host_is_loopback("LocalHost"));
    assert_true(cli_host_is_loopback("127.0.0.1"));
    assert_true(cli_host_is_loopback("127.9.9.9"));
    assert_true(cli_host_is_loopback("::1"));
    assert_true(cli_host_is_loopback("0.0.0.0"));
    assert_true(cli_host_is_loopback("::"));
    assert_false(cli_host_is_loopback("10.0.0.127"));
    assert_false(cli_host_is_loopback("localhost.example"));
}

static void assert_age(int64_t age_ms, const char *expected)
{
    char text[64];
    cli_format_age(age_ms, text, sizeof text);
    assert_string_equal(text, expected);
}

static void ages_are_said_in_round_numbers(void **state)
{
    (void)state;
    assert_age(0, "0 s old");
    assert_age(119999, "119 s old");
    assert_age(120000, "2 min old");
    assert_age(7199999, "119 min old");
    assert_age(7200000, "2 h old");
    assert_age(INT64_C(172800000), "2 d old");
    assert_age(-1, "of unknown age");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_of_every_length_is_recognised),
        cmocka_unit_test(what_is_no_utf8_is_not),
        cmocka_unit_test(json_strings_are_escaped),
        cmocka_unit_test(nothing_printed_commands_the_terminal),
        cmocka_unit_test(addresses_are_read),
        cmocka_unit_test(a_bad_address_leaves_the_result_alone),
        cmocka_unit_test(loopback_is_recognised),
        cmocka_unit_test(ages_are_said_in_round_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
