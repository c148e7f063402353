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

static yurpc_instance_spec a_spec(void)
{
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = SERVICE;
    spec.host = "10.0.0.5";
    spec.port = 8080;
    return spec;
}

static void assert_encodes(const yurpc_instance_spec *spec, bool is_draining,
                           const char *expected)
{
    yr_buf value;
    yr_buf_init(&value, YR_INSTANCE_VALUE_MAX);
    assert_ok(yr_instance_encode(spec, is_draining, &value));
    assert_string_equal(yr_buf_text(&value), expected);
    yr_buf_deinit(&value);
}

/* ---- Writing ---- */

static void a_value_has_the_bytes_of_the_contract(void **state)
{
    (void)state;
    yurpc_instance_spec spec = a_spec();
    assert_encodes(&spec, false, VALUE);

    spec.service = "com.yupi.example.common.service.UserService";
    spec.host = "localhost";
    assert_encodes(
        &spec, false,
        "{\"serviceName\":\"com.yupi.example.common.service.UserService\","
        "\"serviceVersion\":\"1.0\",\"serviceHost\":\"localhost\",\"servicePort\":8080,"
        "\"serviceGroup\":\"default\"}");
}

static void what_is_not_default_follows_the_five_fields(void **state)
{
    (void)state;
    yurpc_instance_spec spec = a_spec();
    const yurpc_metadata metadata[] = {{"zone", "eu-1"}, {"\"", "\x01\xc2\xa0\xe4\xb8\xad"}};
    spec.service = "a:b:2";
    spec.host = "::1";
    spec.port = 1;
    spec.group = "blue";
    spec.weight = 7;
    spec.metadata = metadata;
    spec.metadata_count = 2;
    assert_ok(yr_instance_spec_check(&spec, NULL));
    assert_encodes(&spec, true,
                   "{\"serviceName\":\"a:b\",\"serviceVersion\":\"2\",\"serviceHost\":\"::1\","
                   "\"servicePort\":1,\"serviceGroup\":\"blue\",\"weight\":7,"
                   "\"metadata\":{\"zone\":\"eu-1\",\"\\\"\":\"\\u0001\\u00a0\xe4\xb8\xad\"},"
                   "\"draining\":true}");

    spec = a_spec();
    spec.weight = YR_WEIGHT_DEFAULT;
    assert_encodes(&spec, false, VALUE);
}

/* ---- Checking ---- */

static void a_service_is_a_name_and_a_version(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "a:1.0"},
        {"a:1.0", "a:1.0"},
        {"a:2", "a:2"},
        {"a:b:c", "a:b:c"},
        {"com.acme.UserService", "com.acme.UserService:1.0"},
        {"\xe4\xb8\xad:1.0", "\xe4\xb8\xad:1.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *service = NULL;
        assert_ok(yr_service_parse(cases[i][0], &service, NULL));
        assert_string_equal(service, cases[i][1]);
        yr_free(service);
    }
}

static void a_bad_service_says_what_to_do(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {NULL, "the service '' is empty"},
        {"", "the service '' is empty"},
        {":1.0", "the service ':1.0' has no name before the colon"},
        {"a:", "the service 'a:' has no version behind the colon"},
        {":", "the service ':' has no name before the colon"},
        {"a/b:1.0", "the service 'a/b:1.0' contains a '/' or a blank"},
        {"a b", "the service 'a b' contains a '/' or a blank"},
        {"a:1/2", "the service 'a:1/2' contains a '/' or a blank"},
        {"a\n", "the service 'a?' contains control characters or is not UTF-8"},
        {"a\xff", "the service 'a?' contains control characters or is not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char expected[300];
        char *service = NULL;
        yurpc_error *error = NULL;
        (void)snprintf(expected, sizeof expected,
                       "%s: give name:version, for example com.acme.UserService:1.0",
                       cases[i][1]);
        assert_int_equal(yr_service_parse(cases[i][0], &service, &error), YURPC_INVALID);
        assert_string_equal(yurpc_error_text(error), expected);
        assert_null(service);
        yurpc_error_free(error);
    }
}

static void a_service_may_have_512_bytes(void **state)
{
    (void)state;
    char text[YR_SERVICE_LEN_MAX + 2];
    memset(text, 'a', sizeof text);
    text[YR_SERVICE_LEN_MAX - 4] = '\0'; /* and ":1.0" */
    char *service = NULL;
    assert_ok(yr_service_parse(text, &service, NULL));
    assert_int_equal(strlen(service), YR_SERVICE_LEN_MAX);
    yr_free(service);
    text[YR_SERVICE_LEN_MAX - 4] = 'a';
    text[YR_SERVICE_LEN_MAX - 3] = '\0';
    assert_int_equal(yr_service_parse(text, &service, NULL), YURPC_INVALID);
}

static void assert_refused(const yurpc_instance_spec *spec, const char *text)
{
    yurpc_error *error = NULL;
    assert_int_equal(yr_instance_spec_check(spec, &error), YURPC_INVALID);
    assert_string_equal(yurpc_error_text(error), text);
    yurpc_error_free(error);
}

static void a_bad_host_says_what_to_do(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {NULL, "the host '' is empty: give the name or address that consumers connect to"},
        {"", "the host '' is empty: give the name or address that consumers connect to"},
        {"a/b", "the host 'a/b' contains a '/', a blank, control characters, or is not UTF-8"},
        {"a b", "the host 'a b' contains a '/', a blank, control characters, or is not UTF-8"},
        {"a\t", "the host 'a?' contains a '/', a blank, control characters, or is not UTF-8"},
        {"[::1]", "the host '[::1]' contains brackets: give an IPv6 address without them"},
        {"10.0.0.5:80", "the host '10.0.0.5:80' contains a colon and is not an IPv6 address: "
                        "the port is a field of its own"},
        {"::1:g", "the host '::1:g' contains a colon and is not an IPv6 address: the port is a "
                  "field of its own"},
    };
    yurpc_instance_spec spec = a_spec();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        spec.host = cases[i][0];
        assert_refused(&spec, cases[i][1]);
    }
    static const char *const good[] = {"localhost",    "10.0.0.5",       "::1",
                                       "fe80::1%eth0", "::ffff:1.2.3.4", "a_b-c.d"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        spec.host = good[i];
        assert_ok(yr_instance_spec_check(&spec, NULL));
    }
}

static void bad_fields_say_what_to_do(void **state)
{
    (void)state;
    assert_refused(NULL, "the instance was not begun with YURPC_INSTANCE_SPEC_INIT");
    yurpc_instance_spec spec = a_spec();
    spec.size = 0;
    assert_refused(&spec, "the instance was not begun with YURPC_INSTANCE_SPEC_INIT");
    spec = a_spec();
    spec.port = 0;
    assert_refused(&spec, "the port is 0: give one from 1 to 65535");
    spec = a_spec();
    spec.group = "";
    assert_refused(&spec, "the group '' is empty: leave it out for the default group");
    spec.group = "a\n";
    assert_refused(&spec, "the group 'a?' contains control characters or is not UTF-8");
    spec = a_spec();
    spec.weight = 1001;
    assert_refused(&spec, "the weight 1001 is too large: give one from 1 to 1000");
    spec = a_spec();
    spec.service = "a/b";
    assert_refused(&spec, "the service 'a/b' contains a '/' or a blank: give name:version, for "
                          "example com.acme.UserService:1.0");
}

static void bad_metadata_says_what_to_do(void **state)
{
    (void)state;
    yurpc_metadata metadata[YR_METADATA_MAX + 1];
    char names[YR_METADATA_MAX + 1][8];
    for (size_t i = 0; i < YR_METADATA_MAX + 1; i++) {
        (void)snprintf(names[i], sizeof names[i], "k%zu", i);
        metadata[i] = (yurpc_metadata){names[i], ""};
    }
    yurpc_instance_spec spec = a_spec();
    spec.metadata = metadata;
    spec.metadata_count = YR_METADATA_MAX;
    assert_ok(yr_instance_spec_check(&spec, NULL));
    spec.metadata_count = YR_METADATA_MAX + 1;
    assert_refused(&spec, "the metadata has more than 64 entries");
    spec.metadata_count = 2;
    metadata[1].key = "k0";
    assert_refused(&spec, "the metadata has a key twice");
    metadata[1].key = "";
    assert_refused(&spec, "the metadata has an entry without a key or a value");
    metadata[1] = (yurpc_metadata){"k", NULL};
    assert_refused(&spec, "the metadata has an entry without a key or a value");
    metadata[1] = (yurpc_metadata){"k", "\xff"};
    assert_refused(&spec, "the metadata is not UTF-8");
    spec.metadata = NULL;
    assert_refused(&spec, "the metadata is NULL but its count is not 0");
}

static void what_no_reader_would_read_is_not_written(void **state)
{
    (void)state;
    enum { LEN = YR_INSTANCE_VALUE_MAX / 6 };
    char *text = yr_calloc(1, LEN + 1);
    memset(text, 1, LEN); /* six bytes each, when written */
    yurpc_metadata metadata = {"k", text};
    yurpc_instance_spec spec = a_spec();
    spec.metadata = &metadata;
    spec.metadata_count = 1;
    assert_refused(&spec, "the instance takes more than 65536 bytes: give less metadata");
    text[LEN - 40] = '\0';
    assert_ok(yr_instance_spec_check(&spec, NULL));
    yr_free(text);
}

static void no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    static const yurpc_metadata metadata = {"a", "b\"\n"};
    yurpc_instance_spec spec = a_spec();
    spec.metadata = &metadata;
    spec.metadata_count = 1;
    yurpc_status status = YURPC_NO_MEMORY;
    for (long allowed = 0; status != YURPC_OK; allowed++) {
        yr_buf value;
        yr_buf_init(&value, YR_INSTANCE_VALUE_MAX);
        assert_ok(yr_buf_append_text(&value, "x"));
        yr_mem_fail_after(allowed);
        status = yr_instance_encode(&spec, true, &value);
        yr_mem_fail_after(-1);
        assert_true(status == YURPC_OK || (status == YURPC_NO_MEMORY && value.len == 1));
        yr_buf_deinit(&value);
    }
    static char text[YR_INSTANCE_VALUE_MAX / 4]; /* so long that its length has to be tried */
    memset(text, 'x', sizeof text - 1);
    yurpc_metadata long_metadata = {"a", text};
    spec.metadata = &long_metadata;
    yr_mem_fail_after(0);
    char *service = NULL;
    assert_int_equal(yr_service_parse("a", &service, NULL), YURPC_NO_MEMORY);
    assert_null(yr_node_new("h", 1));
    assert_int_equal(yr_instance_spec_check(&spec, NULL), YURPC_NO_MEMORY);
    yr_mem_fail_after(-1);
}

static void a_node_is_written_as_java_does(void **state)
{
    (void)state;
    char *node = yr_node_new("::1", 65535);
    assert_string_equal(node, "::1:65535");
    yr_free(node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_the_bytes_of_the_contract),
        cmocka_unit_test(what_is_not_default_follows_the_five_fields),
        cmocka_unit_test(a_service_is_a_name_and_a_version),
        cmocka_unit_test(a_bad_service_says_what_to_do),
        cmocka_unit_test(a_service_may_have_512_bytes),
        cmocka_unit_test(a_bad_host_says_what_to_do),
        cmocka_unit_test(bad_fields_say_what_to_do),
        cmocka_unit_test(bad_metadata_says_what_to_do),
        cmocka_unit_test(what_no_reader_would_read_is_not_written),
        cmocka_unit_test(no_memory_leaves_nothing_behind),
        cmocka_unit_test(a_node_is_written_as_java_does),
    };
    return cmocka_run_group_tests_name("instance_spec", tests, NULL, NULL);
}
