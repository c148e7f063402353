/* The scanner against the JSON reader: where the first accepts, both must give the same. */
#include "base/bytes.h"
#include "registry/instance.h"
#include "registry/instance_value.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { GENERATED = 40000, VALUE_MAX = 600 };

static uint64_t random_state = 1;

static uint32_t random_below(uint32_t bound)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % bound);
}

static size_t accepted;

static void assert_readers_agree(const char *text, size_t len)
{
    yurpc_bytes value = yr_bytes(text, len);
    yr_instance_view scanned;
    if (!yr_instance_scan(value, &scanned)) {
        return;
    }
    accepted++;
    yr_instance_view read;
    yr_json *root = NULL;
    if (yr_instance_read_json(value, &read, &root, NULL) != YURPC_OK) {
        fail_msg("scanned, but no JSON: %.*s", (int)len, text);
    }
    assert_true(yr_bytes_equal(scanned.name, read.name));
    assert_true(yr_bytes_equal(scanned.version, read.version));
    assert_true(yr_bytes_equal(scanned.host, read.host));
    assert_true(yr_bytes_equal(scanned.group, read.group));
    assert_int_equal(scanned.port, read.port);
    assert_int_equal(scanned.weight, read.weight);
    assert_int_equal(scanned.is_draining, read.is_draining);
    assert_null(scanned.metadata);
    assert_null(read.metadata);
    yr_json_free(root);
}

static void put_random_text(char *out, size_t size)
{
    static const char *const pieces[] = {"a",    "com.acme",     ".",        "\\n",
                                         "\\\"", "\xe4\xb8\xad", "\xff",     "\x7f",
                                         "\x01", "::1",          "\xc0\x80", " "};
    size_t len = 0;
    out[0] = '\0';
    for (uint32_t i = random_below(5); i > 0; i--) {
        /* Mostly the ones that need no escape, else the scanner would hardly ever run on. */
        const char *piece = pieces[random_below(random_below(20) == 0 ? 12 : 3)];
        len += (size_t)snprintf(out + len, size - len, "%s", piece);
    }
}

static size_t put_random_value(char *out)
{
    char texts[4][64];
    char extra[64] = "";
    for (size_t i = 0; i < 4; i++) {
        put_random_text(texts[i], sizeof texts[i]);
    }
    if (random_below(4) == 0) {
        (void)snprintf(extra, sizeof extra, ",\"weight\":%u", random_below(1100));
    }
    uint32_t port = random_below(10) == 0 ? random_below(200000) : 1 + random_below(65535);
    return (size_t)snprintf(out, VALUE_MAX,
                            "{\"serviceName\":\"%s\",\"serviceVersion\":\"%s\",\"serviceHost\":"
                            "\"%s\",\"servicePort\":%s%u,\"serviceGroup\":\"%s\"%s%s}",
                            texts[0], texts[1], texts[2], random_below(50) == 0 ? "0" : "",
                            port, texts[3], extra,
                            random_below(4) == 0 ? ",\"draining\":true" : "");
}

/* Change, insert, remove or cut: what a broken writer would send. */
static size_t mutate(char *value, size_t len)
{
    static const char bytes[] = "\"\\{}:,0129.eE+- \n\xef\xbb\xbf\x80tfn";
    size_t at = random_below((uint32_t)len);
    char byte = bytes[random_below(sizeof bytes)];
    switch (random_below(4)) {
    case 0:
        value[at] = byte;
        return len;
    case 1:
        memmove(value + at + 1, value + at, len - at);
        value[at] = byte;
        return len + 1;
    case 2:
        memmove(value + at, value + at + 1, len - at - 1);
        return len - 1;
    default:
        return at;
    }
}

static void readers_agree_on_random_and_broken_values(void **state)
{
    (void)state;
    for (int i = 0; i < GENERATED; i++) {
        char value[VALUE_MAX + 8];
        size_t len = put_random_value(value);
        assert_readers_agree(value, len);
        for (uint32_t k = random_below(4); k > 0 && len > 1; k--) {
            len = mutate(value, len);
            assert_readers_agree(value, len);
        }
    }
    /* Else the test would test nothing. */
    assert_true(accepted > GENERATED / 2);
}

static void the_scanner_takes_what_we_and_java_write(void **state)
{
    (void)state;
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = "com.acme.\xe4\xb8\xad:1.0";
    spec.host = "::1";
    spec.port = 65535;
    for (uint32_t i = 0; i < 4; i++) {
        yr_buf value;
        yr_buf_init(&value, YR_INSTANCE_VALUE_MAX);
        spec.weight = i % 2 == 0 ? 0 : 1000;
        assert_ok(yr_instance_encode(&spec, i / 2 == 1, &value));
        yr_instance_view view;
        assert_true(yr_instance_scan(yr_bytes(value.data, value.len), &view));
        assert_int_equal(view.port, 65535);
        assert_int_equal(view.weight, i % 2 == 0 ? 100 : 1000);
        assert_int_equal(view.is_draining, i / 2 == 1);
        /* Cut anywhere, it is not canonical any more. */
        for (size_t len = 0; len < value.len; len++) {
            assert_false(yr_instance_scan(yr_bytes(value.data, len), &view));
        }
        yr_buf_deinit(&value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_agree_on_random_and_broken_values),
        cmocka_unit_test(the_scanner_takes_what_we_and_java_write),
    };
    return cmocka_run_group_tests_name("instance_scan", tests, NULL, NULL);
}
