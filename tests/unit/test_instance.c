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

static yurpc_status decode(const char *node, yurpc_bytes value, yurpc_instance **ret_instance,
                           bool *ret_is_mismatch)
{
    return yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(node), value, 7,
                              ret_instance, ret_is_mismatch, NULL);
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

/* ---- Reading ---- */

static void what_was_written_is_read_back(void **state)
{
    (void)state;
    yurpc_instance *one = NULL;
    bool is_mismatch = true;
    assert_ok(decode(NODE, yr_bytes_of_text(VALUE), &one, &is_mismatch));
    assert_false(is_mismatch);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_has_the_bytes_of_the_contract),
        cmocka_unit_test(what_is_not_default_follows_the_five_fields),
        cmocka_unit_test(what_was_written_is_read_back),
    };
    return cmocka_run_group_tests_name("instance", tests, NULL, NULL);
}
