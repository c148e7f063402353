#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

#define SERVICE "com.acme.UserService:1.0"
#define NODE    "10.0.0.5:8080"
#define VALUE                                                                               \
    "{\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\",\"serviceHost\":" \
    "\"10.0.0.5\",\"servicePort\":8080,\"serviceGroup\":\"default\"}"

static yurpc_status decode(const char *node, yurpc_bytes value, yurpc_instance **ret_instance)
{
    return yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(node), value, 7,
                              ret_instance, NULL);
}

/* ---- Reading ---- */

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    yurpc_instance *one = NULL;
    assert_ok(decode(NODE, yr_bytes_of_text(VALUE), &one));
    assert_false(yr_instance_is_mismatch(one));
    assert_string_equal(yurpc_instance_name(one), "com.acme.UserService");
    assert_string_equal(yurpc_instance_version(one), "1.0");
    assert_string_equal(yurpc_instance_host(one), "10.0.0.5");
    assert_int_equal(yurpc_instance_port(one), 8080);
    assert_string_equal(yurpc_instance_address(one), NODE);
    assert_string_equal(yurpc_instance_group(one), "default");
    assert_int_equal(yurpc_instance_weight(one), 100);
    assert_false(yurpc_instance_is_draining(one));
    assert_int_equal(yurpc_instance_metadata_count(one), 0);
    assert_null(yurpc_instance_metadata_at(one, 0).key);
    assert_int_equal(yurpc_instance_revision(one), 7);
    assert_true(yr_bytes_equal(yr_instance_node(one), yr_bytes_of_text(NODE)));
    yr_instance_unref(one);
}

/* The value of section 1.2 of the contract with one part replaced: what the reader makes of it.
 * Each row of section 1.3 is here, and says where we decide otherwise than Java. */
typedef struct value_case {
    const char *value;
    const char
        *expected; /* "host port group weight [draining] [!] [key=value]…", or an error */
} value_case;

#define WITH(fields) "{\"serviceHost\":\"10.0.0.5\",\"servicePort\":8080" fields "}"
#define PORT(port)   "{\"serviceHost\":\"10.0.0.5\",\"servicePort\":" port "}"
#define HOST(host)   "{\"serviceHost\":" host ",\"servicePort\":8080}"
#define PLAIN        "10.0.0.5 8080 default 100"
#define NO_PORT      "servicePort is not a whole number from 1 to 65535"
#define NO_HOST      "serviceHost is not a text"
#define NO_JSON      "not JSON: " /* and jansson's words */
#define BAD_HOST     "serviceHost is empty, too long, or holds a character that no host has"

static const value_case values[] = {
    {VALUE, PLAIN},
    /* Unknown fields of any kind are ignored. */
    {WITH(",\"zone\":{\"a\":[1,{\"b\":null}]},\"version\":7"), PLAIN},
    /* Missing fields. Java makes nulls of the three that matter, and fails later. */
    {WITH(""), PLAIN},
    {"{\"servicePort\":8080}", NO_HOST},
    {"{\"serviceHost\":\"10.0.0.5\"}", NO_PORT},
    {"{}", NO_HOST},
    /* Explicit null is as missing; Java lets it override the default. */
    {WITH(",\"serviceGroup\":null,\"serviceVersion\":null,\"serviceName\":null"), PLAIN},
    {HOST("null"), NO_HOST},
    {PORT("null"), NO_PORT},
    /* Ports as Java accepts them. */
    {PORT("8080"), PLAIN},
    {PORT("\"8080\""), PLAIN},
    {PORT("\" 8080 \""), PLAIN},
    {PORT("8080.0"), PLAIN},
    {PORT("808e1"), PLAIN},
    {PORT("1"), "10.0.0.5 1 default 100 !"},
    {PORT("65535"), "10.0.0.5 65535 default 100 !"},
    /* Ports that Java accepts and we do not: nobody writes them, and some it gets wrong. */
    {PORT("\"8,080\""), NO_PORT},
    {PORT("\"8080L\""), NO_PORT},
    {PORT("\"0x1F90\""), NO_PORT},
    {PORT("8080.7"), NO_PORT},
    {PORT("true"), NO_PORT},
    {PORT("99999999999"), NO_PORT},
    {PORT("\"99999999999999999999\""), NO_PORT},
    {PORT("\"\""), NO_PORT},
    {PORT("\"  \""), NO_PORT},
    {PORT("\"8 080\""), NO_PORT},
    {PORT("\"abc\""), NO_PORT},
    {PORT("\"-1\""), NO_PORT},
    {PORT("\"+80\""), NO_PORT},
    {PORT("[]"), NO_PORT},
    {PORT("{}"), NO_PORT},
    {PORT("0"), NO_PORT},
    {PORT("-0"), NO_PORT},
    {PORT("-1"), NO_PORT},
    {PORT("65536"), NO_PORT},
    {PORT("0.5"), NO_PORT},
    {PORT("\"65536\""), NO_PORT},
    {PORT("1e400"), NO_JSON},
    {PORT("NaN"), NO_JSON},
    /* A name or version of another kind is not the key's; the key's is used. */
    {WITH(",\"serviceName\":\"com.acme.UserService\",\"serviceVersion\":\"1.0\""), PLAIN},
    {WITH(",\"serviceName\":\"Other\""), PLAIN " !"},
    {WITH(",\"serviceVersion\":\"2.0\""), PLAIN " !"},
    {WITH(",\"serviceName\":7,\"serviceVersion\":1.0"), PLAIN},
    /* A group of another kind is as missing; Java takes its text. */
    {WITH(",\"serviceGroup\":\"blue\""), "10.0.0.5 8080 blue 100"},
    {WITH(",\"serviceGroup\":\"\""), "10.0.0.5 8080  100"},
    {WITH(",\"serviceGroup\":7"), PLAIN},
    /* Names in snake case, and in no other case. */
    {"{\"service_name\":\"com.acme.UserService\",\"service_version\":\"1.0\",\"service_host\":"
     "\"10.0.0.5\",\"service_port\":8080,\"service_group\":\"blue\"}",
     "10.0.0.5 8080 blue 100"},
    {"{\"SERVICEHOST\":\"10.0.0.5\",\"servicePort\":8080}", NO_HOST},
    {"{\"service-host\":\"10.0.0.5\",\"servicePort\":8080}", NO_HOST},
    /* The last of duplicates. */
    {WITH(",\"servicePort\":1,\"serviceHost\":\"h\""), "h 1 default 100 !"},
    {WITH(",\"servicePort\":\"x\""), NO_PORT},
    /* Around the object. */
    {"\xef\xbb\xbf" VALUE, PLAIN},
    {" \t\r\n" VALUE " and so on", PLAIN},
    {VALUE VALUE, PLAIN},
    /* No object. */
    {"", NO_JSON},
    {"  ", NO_JSON},
    {"null", NO_JSON},
    {"7", NO_JSON},
    {"\"a\"", NO_JSON},
    {"[]", "not a JSON object"},
    {"[" VALUE "]", "not a JSON object"},
    {"10.0.0.5:8080", NO_JSON},
    {"{\"serviceHost\":\"10.0.0.5\"", NO_JSON},
    /* What hutool reads though it is no JSON, and we do not: nobody writes it. */
    {"{serviceHost:\"10.0.0.5\",servicePort:8080}", NO_JSON},
    {"{'serviceHost':'10.0.0.5','servicePort':8080}", NO_JSON},
    /* Hosts. */
    {HOST("\"::1\""), "::1 8080 default 100 !"},
    {HOST("\"[::1]\""), "::1 8080 default 100 !"},
    {HOST("\"\\u0068\""), "h 8080 default 100 !"},
    {HOST("\"\xe4\xb8\xad\""), "\xe4\xb8\xad 8080 default 100 !"},
    {HOST("\"%00\""), "%00 8080 default 100 !"},
    {HOST("\"..\""), ".. 8080 default 100 !"},
    {HOST("\"\""), BAD_HOST},
    {HOST("\"[]\""), BAD_HOST},
    {HOST("\"a/b\""), BAD_HOST},
    {HOST("\"a b\""), BAD_HOST},
    {HOST("\" a\""), BAD_HOST},
    {HOST("\"a\\n\""), BAD_HOST},
    {HOST("\"a\\u007f\""), BAD_HOST},
    {HOST("7"), NO_HOST},
    {HOST("[\"a\"]"), NO_HOST},
    {HOST("\"a\\u0000b\""), NO_JSON},
    {HOST("\"a\xff\""), NO_JSON},
    {HOST("\"\\ud800\""), NO_JSON},
    /* Weights are clamped, and of any other kind as missing. */
    {WITH(",\"weight\":7"), "10.0.0.5 8080 default 7"},
    {WITH(",\"weight\":7.9"), "10.0.0.5 8080 default 7"},
    {WITH(",\"weight\":1000"), "10.0.0.5 8080 default 1000"},
    {WITH(",\"weight\":1001"), "10.0.0.5 8080 default 1000"},
    {WITH(",\"weight\":1e308"), "10.0.0.5 8080 default 1000"},
    {WITH(",\"weight\":0"), "10.0.0.5 8080 default 1"},
    {WITH(",\"weight\":-1e308"), "10.0.0.5 8080 default 1"},
    {WITH(",\"weight\":0.5"), "10.0.0.5 8080 default 1"},
    {WITH(",\"weight\":\"7\""), PLAIN},
    {WITH(",\"weight\":null"), PLAIN},
    /* Draining is exactly true. */
    {WITH(",\"draining\":true"), PLAIN " draining"},
    {WITH(",\"draining\":false"), PLAIN},
    {WITH(",\"draining\":1"), PLAIN},
    {WITH(",\"draining\":\"true\""), PLAIN},
    /* Metadata: texts under names, in order; the rest does not count. */
    {WITH(",\"metadata\":{\"z\":\"1\",\"a\":\"\"}"), PLAIN " z=1 a="},
    {WITH(",\"metadata\":{\"z\":1,\"\":\"x\",\"y\":null,\"a\":\"b\",\"q\":{}}"), PLAIN " a=b"},
    {WITH(",\"metadata\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}"), PLAIN " a=3 b=2"},
    {WITH(",\"metadata\":[\"a\"]"), PLAIN},
    {WITH(",\"metadata\":\"a\""), PLAIN},
    {WITH(",\"metadata\":{}"), PLAIN},
};

static void describe(const yurpc_instance *one, char *out, size_t size)
{
    int len =
        snprintf(out, size, "%s %u %s %u%s%s", yurpc_instance_host(one),
                 yurpc_instance_port(one), yurpc_instance_group(one),
                 yurpc_instance_weight(one), yurpc_instance_is_draining(one) ? " draining" : "",
                 yr_instance_is_mismatch(one) ? " !" : "");
    for (size_t i = 0; i < yurpc_instance_metadata_count(one); i++) {
        yurpc_metadata entry = yurpc_instance_metadata_at(one, i);
        len += snprintf(out + len, size - (size_t)len, " %s=%s", entry.key, entry.value);
    }
}

static void decode_and_describe(const char *node, const char *value, char *out, size_t size)
{
    yurpc_instance *one = NULL;
    yurpc_error *error = NULL;
    yurpc_status status = yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(node),
                                             yr_bytes_of_text(value), 7, &one, &error);
    assert_int_equal(yurpc_error_status(error), status);
    if (status != YURPC_OK) {
        assert_int_equal(status, YURPC_INVALID);
        (void)snprintf(out, size, "%s", yurpc_error_text(error));
        yurpc_error_free(error);
        return;
    }
    assert_string_equal(yurpc_instance_name(one), "com.acme.UserService");
    assert_string_equal(yurpc_instance_version(one), "1.0");
    describe(one, out, size);
    yr_instance_unref(one);
}

static void values_are_read_as_leniently_as_java_does_within_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char actual[400];
        decode_and_describe(NODE, values[i].value, actual, sizeof actual);
        if (strcmp(values[i].expected, NO_JSON) == 0) {
            actual[strlen(NO_JSON)] = '\0';
        }
        if (strcmp(actual, values[i].expected) != 0) {
            print_error("%s\n", values[i].value);
        }
        assert_string_equal(actual, values[i].expected);
    }
}

static void bytes_that_end_a_c_string_are_refused(void **state)
{
    (void)state;
    static const char value[] = HOST("\"a\0b\"");
    yurpc_instance *one = NULL;
    assert_int_equal(decode(NODE, yr_bytes(value, sizeof value - 1), &one), YURPC_INVALID);
    yurpc_bytes node = yr_bytes("10.0.0.5\0:8080", 14);
    assert_int_equal(yr_instance_decode(yr_bytes_of_text(SERVICE), node,
                                        yr_bytes_of_text(VALUE), 7, &one, NULL),
                     YURPC_INVALID);
    assert_null(one);
}

/* ---- Keys ---- */

typedef struct key_case {
    const char *node;
    const char *expected; /* the address, with ! for a mismatch; or an error */
} key_case;

#define NO_PAIR     "its key is not host:port"
#define NO_KEY_HOST "the host in its key is not valid"
#define NO_KEY_PORT "the port in its key is not a number from 1 to 65535"

static const key_case keys[] = {
    {"10.0.0.5:8080", "ok"},
    {"10.0.0.5:8081", "mismatch"},
    {"10.0.0.6:8080", "mismatch"},
    {"localhost:1", "mismatch"},
    {"h:65535", "mismatch"},
    {"::1:80", "mismatch"},
    {"[::1]:80", "mismatch"},
    {"fe80::1%eth0:80", "mismatch"},
    {"[10.0.0.5]:8080", "ok"},
    {"a.b-c_d:80", "mismatch"},
    {"%00:80", "mismatch"},
    {"..:80", "mismatch"},
    {"\xe4\xb8\xad:80", "mismatch"},
    {"http:80:80", "mismatch"},
    {"", NO_PAIR},
    {"config", NO_PAIR},
    {"10.0.0.5", NO_PAIR},
    {"8080", NO_PAIR},
    {":8080", NO_KEY_HOST},
    {":", NO_KEY_HOST},
    {"[]:80", NO_KEY_HOST},
    {"a/b:80", NO_KEY_HOST},
    {"/:80", NO_KEY_HOST},
    {"x/10.0.0.5:8080", NO_KEY_HOST},
    {"a b:80", NO_KEY_HOST},
    {" h:80", NO_KEY_HOST},
    {"a\n:80", NO_KEY_HOST},
    {"a\x7f:80", NO_KEY_HOST},
    {"a\x1b[31m:80", NO_KEY_HOST},
    {"\xff:80", NO_KEY_HOST},
    {"\xc0\x80:80", NO_KEY_HOST},
    {"h:", NO_KEY_PORT},
    {"h:0", NO_KEY_PORT},
    {"h:-1", NO_KEY_PORT},
    {"h:+1", NO_KEY_PORT},
    {"h:080", NO_KEY_PORT},
    {"h:65536", NO_KEY_PORT},
    {"h:100000", NO_KEY_PORT},
    {"h:4294967376", NO_KEY_PORT},
    {"h:abc", NO_KEY_PORT},
    {"h:80 ", NO_KEY_PORT},
    {"h: 80", NO_KEY_PORT},
    {"h:8e3", NO_KEY_PORT},
    {"h:0x50", NO_KEY_PORT},
    {"h:80/", NO_KEY_PORT},
};

static void keys_are_host_and_port_or_skipped(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char actual[400];
        decode_and_describe(keys[i].node, VALUE, actual, sizeof actual);
        if (strcmp(keys[i].expected, "ok") == 0) {
            assert_string_equal(actual, PLAIN);
        } else if (strcmp(keys[i].expected, "mismatch") == 0) {
            assert_string_equal(actual, PLAIN " !");
        } else {
            assert_string_equal(actual, keys[i].expected);
        }
    }
}

static void the_key_is_the_identity_and_the_value_the_address(void **state)
{
    (void)state;
    yurpc_instance *one = NULL;
    assert_ok(
        decode("a:1", yr_bytes_of_text("{\"serviceHost\":\"::2\",\"servicePort\":2}"), &one));
    assert_true(yr_instance_is_mismatch(one));
    assert_true(yr_bytes_equal(yr_instance_node(one), yr_bytes_of_text("a:1")));
    assert_string_equal(yurpc_instance_host(one), "::2");
    assert_string_equal(yurpc_instance_address(one), "[::2]:2");
    yr_instance_unref(one);
}

static void ipv6_agrees_with_its_key_however_it_is_written(void **state)
{
    (void)state;
    static const char *const nodes[] = {"::1:8080", "[::1]:8080"};
    static const char *const hosts[] = {HOST("\"::1\""), HOST("\"[::1]\"")};
    for (size_t i = 0; i < 4; i++) {
        yurpc_instance *one = NULL;
        assert_ok(decode(nodes[i % 2], yr_bytes_of_text(hosts[i / 2]), &one));
        assert_false(yr_instance_is_mismatch(one));
        assert_string_equal(yurpc_instance_address(one), "[::1]:8080");
        yr_instance_unref(one);
    }
}

static void the_version_follows_the_last_colon(void **state)
{
    (void)state;
    yurpc_instance *one = NULL;
    assert_ok(yr_instance_decode(yr_bytes_of_text("a:b:2"), yr_bytes_of_text("10.0.0.5:8080"),
                                 yr_bytes_of_text(WITH("")), 7, &one, NULL));
    assert_string_equal(yurpc_instance_name(one), "a:b");
    assert_string_equal(yurpc_instance_version(one), "2");
    yr_instance_unref(one);
    one = NULL;
    assert_int_equal(yr_instance_decode(yr_bytes_of_text("ab"), yr_bytes_of_text(NODE),
                                        yr_bytes_of_text(WITH("")), 7, &one, NULL),
                     YURPC_INVALID);
    assert_null(one);
}

/* ---- Sizes and sharing ---- */

static void a_value_at_the_limit_is_read_and_one_past_it_is_not(void **state)
{
    (void)state;
    char *value = yr_calloc(1, YR_INSTANCE_VALUE_MAX + 2);
    memset(value, ' ', YR_INSTANCE_VALUE_MAX + 1);
    memcpy(value, VALUE, strlen(VALUE));
    yurpc_instance *one = NULL;
    assert_ok(decode(NODE, yr_bytes(value, YR_INSTANCE_VALUE_MAX), &one));
    yr_instance_unref(one);
    one = NULL;
    assert_int_equal(decode(NODE, yr_bytes(value, YR_INSTANCE_VALUE_MAX + 1), &one),
                     YURPC_TOO_LARGE);
    assert_null(one);
    yr_free(value);
}

/* The longest of everything at once: places of 16 bits must still hold. */
static void long_texts_are_kept_whole(void **state)
{
    (void)state;
    enum { GROUP_LEN = 30000, META_LEN = 30000 };
    yr_buf value;
    yr_buf_init(&value, YR_INSTANCE_VALUE_MAX);
    char host[YR_HOST_LEN_MAX + 2];
    memset(host, 'h', sizeof host);
    assert_ok(yr_buf_append_format(&value, "{\"serviceHost\":\"%.*s\",\"servicePort\":65535,",
                                   YR_HOST_LEN_MAX, host));
    assert_ok(yr_buf_append_format(&value, "\"serviceGroup\":\"%0*d\",", GROUP_LEN, 7));
    assert_ok(yr_buf_append_format(&value, "\"metadata\":{\"k\":\"%0*d\"}}", META_LEN, 9));
    char node[YR_HOST_LEN_MAX + 10];
    (void)snprintf(node, sizeof node, "%.*s:65535", YR_HOST_LEN_MAX, host);
    yurpc_instance *one = NULL;
    assert_ok(decode(node, yr_bytes(value.data, value.len), &one));
    assert_false(yr_instance_is_mismatch(one));
    assert_string_equal(yurpc_instance_address(one), node);
    assert_int_equal(strlen(yurpc_instance_group(one)), GROUP_LEN);
    assert_int_equal(yurpc_instance_group(one)[GROUP_LEN - 1], '7');
    assert_int_equal(strlen(yurpc_instance_metadata_at(one, 0).value), META_LEN);
    assert_int_equal(yurpc_instance_metadata_at(one, 0).value[META_LEN - 1], '9');
    yr_instance_unref(one);
    yr_buf_deinit(&value);

    one = NULL;
    char line[400];
    (void)snprintf(line, sizeof line, "{\"serviceHost\":\"%.*s\",\"servicePort\":1}",
                   YR_HOST_LEN_MAX + 1, host);
    assert_int_equal(decode(NODE, yr_bytes_of_text(line), &one), YURPC_INVALID);
    (void)snprintf(line, sizeof line, "%.*s:1", YR_HOST_LEN_MAX + 1, host);
    assert_int_equal(decode(line, yr_bytes_of_text(VALUE), &one), YURPC_INVALID);
}

static void equal_means_the_same_but_for_the_revision(void **state)
{
    (void)state;
    static const char *const others[] = {
        WITH(",\"serviceGroup\":\"blue\""),
        WITH(",\"weight\":99"),
        WITH(",\"draining\":true"),
        PORT("8081"),
        HOST("\"10.0.0.6\""),
        WITH(",\"metadata\":{\"a\":\"b\"}"),
    };
    yurpc_instance *one = NULL;
    yurpc_instance *same = NULL;
    assert_ok(decode(NODE, yr_bytes_of_text(VALUE), &one));
    assert_ok(yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(NODE),
                                 yr_bytes_of_text(WITH("")), 8, &same, NULL));
    assert_true(yr_instance_is_equal(one, same));
    assert_true(yr_instance_is_equal(one, one));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        yurpc_instance *other = NULL;
        assert_ok(decode(NODE, yr_bytes_of_text(others[i]), &other));
        assert_false(yr_instance_is_equal(one, other));
        yr_instance_unref(other);
    }
    assert_ptr_equal(yr_instance_ref(one), one);
    yr_instance_unref(one);
    assert_string_equal(yurpc_instance_host(one), "10.0.0.5");
    yr_instance_unref(one);
    yr_instance_unref(same);
    yr_instance_unref(NULL);
}

static void a_suspect_is_a_copy_that_says_so(void **state)
{
    (void)state;
    yurpc_instance *one = NULL;
    assert_ok(decode(NODE, yr_bytes_of_text(WITH(",\"metadata\":{\"a\":\"b\"}")), &one));
    assert_false(yurpc_instance_is_suspect(one));
    yr_mem_fail_after(0);
    assert_null(yr_instance_new_suspect(one));
    yr_mem_fail_after(-1);
    yurpc_instance *suspect = yr_instance_new_suspect(one);
    assert_non_null(suspect);
    assert_true(yurpc_instance_is_suspect(suspect));
    assert_false(yr_instance_is_equal(one, suspect)); /* it is a change */
    assert_int_equal(yurpc_instance_revision(suspect), yurpc_instance_revision(one));
    yr_instance_unref(one);
    assert_string_equal(yurpc_instance_address(suspect), NODE);
    assert_string_equal(yurpc_instance_metadata_at(suspect, 0).value, "b");
    yr_instance_unref(suspect);
}

static void no_memory_is_not_a_bad_value(void **state)
{
    (void)state;
    static const char *const texts[] = {VALUE, WITH(",\"metadata\":{\"a\":\"b\"}")};
    for (size_t i = 0; i < 2; i++) {
        yurpc_status status = YURPC_NO_MEMORY;
        for (long allowed = 0; status != YURPC_OK; allowed++) {
            yurpc_instance *one = NULL;
            yurpc_error *error = NULL;
            yr_mem_fail_after(allowed);
            status = yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(NODE),
                                        yr_bytes_of_text(texts[i]), 7, &one, &error);
            yr_mem_fail_after(-1);
            assert_true(status == YURPC_OK || status == YURPC_NO_MEMORY);
            assert_int_equal(one != NULL, status == YURPC_OK);
            yurpc_error_free(error);
            yr_instance_unref(one);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(values_are_read_as_leniently_as_java_does_within_reason),
        cmocka_unit_test(bytes_that_end_a_c_string_are_refused),
        cmocka_unit_test(keys_are_host_and_port_or_skipped),
        cmocka_unit_test(the_key_is_the_identity_and_the_value_the_address),
        cmocka_unit_test(ipv6_agrees_with_its_key_however_it_is_written),
        cmocka_unit_test(the_version_follows_the_last_colon),
        cmocka_unit_test(a_value_at_the_limit_is_read_and_one_past_it_is_not),
        cmocka_unit_test(long_texts_are_kept_whole),
        cmocka_unit_test(equal_means_the_same_but_for_the_revision),
        cmocka_unit_test(a_suspect_is_a_copy_that_says_so),
        cmocka_unit_test(no_memory_is_not_a_bad_value),
    };
    return cmocka_run_group_tests_name("instance", tests, NULL, NULL);
}
