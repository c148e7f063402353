#include "base/bytes.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "yr_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

static yurpc_status parse(const char *text, yr_json **ret_root)
{
    return yr_json_parse(yr_bytes_of_text(text), ret_root, NULL);
}

/* ---- Reading ---- */

static void members_and_elements_are_found(void **state)
{
    (void)state;
    yr_json *root = NULL;
    assert_ok(parse("{\"a\":\"x\",\"b\":[1,2.5,true,null,{}],\"c\":false,\"a\":\"y\"}", &root));
    assert_int_equal(yr_json_get_kind(root), YR_JSON_OBJECT);
    assert_string_equal(yr_json_text(yr_json_member(root, "a")).data, "y");
    assert_null(yr_json_member(root, "d"));
    assert_null(yr_json_member(NULL, "d"));
    assert_int_equal(yr_json_get_kind(NULL), YR_JSON_NULL);
    assert_null(yr_json_text(root).data);
    assert_null(yr_json_text(NULL).data);

    const yr_json *list = yr_json_member(root, "b");
    static const yr_json_kind kinds[] = {YR_JSON_NUMBER, YR_JSON_NUMBER, YR_JSON_BOOL,
                                         YR_JSON_NULL, YR_JSON_OBJECT};
    assert_int_equal(yr_json_get_kind(list), YR_JSON_ARRAY);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(yr_json_get_kind(yr_json_element(list, i)), kinds[i]);
    }
    assert_null(yr_json_element(list, 5));
    assert_null(yr_json_element(root, 0));
    assert_true(yr_json_number(yr_json_element(list, 0)) == 1.0);
    assert_true(yr_json_number(yr_json_element(list, 1)) == 2.5);
    assert_true(yr_json_number(yr_json_element(list, 2)) == 0.0);
    assert_true(yr_json_is_true(yr_json_element(list, 2)));
    assert_false(yr_json_is_true(yr_json_member(root, "c")));
    assert_false(yr_json_is_true(NULL));
    yr_json_free(root);
}

static void members_come_in_the_order_of_the_text(void **state)
{
    (void)state;
    yr_json *root = NULL;
    assert_ok(parse("{\"z\":1,\"a\":2,\"m\":3}", &root));
    char names[8] = "";
    size_t len = 0;
    for (const yr_json_cursor *at = yr_json_next(root, NULL); at != NULL;
         at = yr_json_next(root, at)) {
        names[len] = ((const char *)yr_json_cursor_name(at).data)[0];
        len++;
        assert_true(yr_json_number(yr_json_cursor_value(at)) == (double)len);
    }
    assert_string_equal(names, "zam");
    assert_null(yr_json_next(NULL, NULL));
    assert_null(yr_json_next(yr_json_member(root, "z"), NULL));
    yr_json_free(root);
}

static void what_is_no_json_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "  ",
        "null",
        "1",
        "\"a\"",
        "{",
        "[1,",
        "{\"a\"}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":\"\x01\"}",
        "{\"a\":nan}",
        "{\"a\":1e400}",
        "{\"a\":\"\\u0000\"}",
        "{\"a\\u0000\":1}",
        "{\"a\":\"\xff\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":\"\xc0\x80\"}",
        "{\"a\":\"\\x\"}",
        "plain text",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        yr_json *root = NULL;
        yurpc_error *error = NULL;
        yurpc_status status = yr_json_parse(yr_bytes_of_text(texts[i]), &root, &error);
        assert_int_equal(status, YURPC_INVALID);
        assert_int_equal(yurpc_error_status(error), YURPC_INVALID);
        assert_null(root);
        yurpc_error_free(error);
    }
    yr_json *root = NULL;
    assert_int_equal(yr_json_parse(yr_bytes(NULL, 0), &root, NULL), YURPC_INVALID);
    assert_int_equal(yr_json_parse(yr_bytes("{\"a\":\"\0\"}", 9), &root, NULL), YURPC_INVALID);
}

static void what_follows_the_end_is_not_looked_at(void **state)
{
    (void)state;
    yr_json *root = NULL;
    assert_ok(parse("{\"a\":1} and so on {\xff", &root));
    yr_json_free(root);
    assert_ok(yr_json_parse(yr_bytes("[]\0\0", 4), &root, NULL));
    yr_json_free(root);
}

enum { STACK_SIZE = 1 << 16 };

static yurpc_status parse_nested(size_t depth)
{
    char *text = yr_calloc(2, depth + 1);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    yr_json *root = NULL;
    yurpc_status status = yr_json_parse(yr_bytes(text, depth * 2), &root, NULL);
    if (status == YURPC_OK) {
        yr_json_free(root);
    }
    yr_free(text);
    return status;
}

static void *parse_deep_text(void *context)
{
    yurpc_status *status = context;
    status[0] = parse_nested(YR_JSON_DEPTH_MAX);
    status[1] = parse_nested(YR_JSON_DEPTH_MAX + 1);
    status[2] = parse_nested(100000);
    return NULL;
}

static void deep_nesting_is_refused_on_a_small_stack(void **state)
{
    (void)state;
    yurpc_status status[3];
    pthread_t thread;
    pthread_attr_t attributes;
    assert_int_equal(pthread_attr_init(&attributes), 0);
    assert_int_equal(pthread_attr_setstacksize(&attributes, STACK_SIZE), 0);
    assert_int_equal(pthread_create(&thread, &attributes, parse_deep_text, status), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pthread_attr_destroy(&attributes), 0);
    assert_ok(status[0]);
    assert_int_equal(status[1], YURPC_INVALID);
    assert_int_equal(status[2], YURPC_INVALID);

    yr_json *root = NULL;
    char brackets[300];
    memset(brackets, '[', sizeof brackets);
    memcpy(brackets, "{\"\\\"", 4);
    memcpy(brackets + sizeof brackets - 5, "\":1}", 5);
    assert_ok(parse(brackets, &root)); /* in a string they are not nesting */
    yr_json_free(root);
}

/* jansson's allocations, made to fail by its own hook: this process is ours. */
static long jansson_allowed = -1;

static void *jansson_malloc(size_t size)
{
    if (jansson_allowed == 0) {
        return NULL;
    }
    jansson_allowed -= jansson_allowed > 0;
    return malloc(size);
}

static void no_memory_is_told_from_bad_text(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":\"some text that is long enough to grow a buffer, or two of them\","
        "\"b\":[1,2,3,4,5,6,7,8,9,10,{\"c\":null,\"d\":true}],\"e\":1.5,\"f\":{},\"g\":0,"
        "\"h\":0,\"i\":0,\"j\":0,\"k\":0}";
    json_set_alloc_funcs(jansson_malloc, free);
    yurpc_status status = YURPC_NO_MEMORY;
    long allowed = 0;
    for (; status != YURPC_OK; allowed++) {
        yr_json *root = NULL;
        yurpc_error *error = NULL;
        jansson_allowed = allowed;
        yr_mem_fail_after(0);
        status = yr_json_parse(yr_bytes_of_text(text), &root, &error);
        yr_mem_fail_after(-1);
        jansson_allowed = -1;
        if (status != YURPC_OK) {
            assert_string_equal(yurpc_error_text(error), "out of memory");
            assert_int_equal(status, YURPC_NO_MEMORY);
            assert_null(root);
        }
        yurpc_error_free(error);
        yr_json_free(root);
    }
    assert_true(allowed > 20);
    json_set_alloc_funcs(malloc, free);
}

/* ---- Writing ---- */

static void strings_are_escaped_as_hutool_does(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "\"\""},
        {"plain /<'\x7f", "\"plain /<'\x7f\""},
        {"\"\\", "\"\\\"\\\\\""},
        {"\b\t\n\f\r", "\"\\b\\t\\n\\f\\r\""},
        {"\x01\x0b\x1f", "\"\\u0001\\u000b\\u001f\""},
        {"\xc2\x80\xc2\xa0\xc2\xa1", "\"\\u0080\\u00a0\xc2\xa1\""},
        {"\xe1\xbf\xbf\xe2\x80\x80\xe2\x80\x90\xe2\x80\x91",
         "\"\xe1\xbf\xbf\\u2000\\u2010\xe2\x80\x91\""},
        {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xaf\xe2\x80\xb0",
         "\"\xe2\x80\xa7\\u2028\\u202f\xe2\x80\xb0\""},
        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xaf\xe2\x81\xb0",
         "\"\xe2\x81\xa5\\u2066\\u206f\xe2\x81\xb0\""},
        {"\xe4\xb8\xad\xf0\x9f\x98\x80", "\"\xe4\xb8\xad\xf0\x9f\x98\x80\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        yr_buf out;
        yr_buf_init(&out, 1000);
        assert_ok(yr_json_append_string(&out, yr_bytes_of_text(cases[i][0])));
        assert_string_equal(yr_buf_text(&out), cases[i][1]);
        yr_buf_deinit(&out);
    }
}

static void every_character_is_read_back_as_written(void **state)
{
    (void)state;
    yr_buf out;
    yr_buf_init(&out, 100);
    for (uint32_t point = 1; point <= 0x10ffff; point += point < 0x3000 ? 1 : 251) {
        if (point >= 0xd800 && point <= 0xdfff) {
            continue;
        }
        uint8_t text[YR_UTF8_LEN_MAX];
        size_t len = yr_utf8_encode(point, text);
        yr_buf_clear(&out);
        assert_ok(yr_buf_append_text(&out, "["));
        assert_ok(yr_json_append_string(&out, yr_bytes(text, len)));
        assert_ok(yr_buf_append_text(&out, "]"));
        yr_json *root = NULL;
        assert_ok(yr_json_parse(yr_bytes(out.data, out.len), &root, NULL));
        assert_true(
            yr_bytes_equal(yr_json_text(yr_json_element(root, 0)), yr_bytes(text, len)));
        yr_json_free(root);
    }
    yr_buf_deinit(&out);
}

static void a_string_without_room_changes_nothing(void **state)
{
    (void)state;
    static const char text[] = "a\"\x01\xc2\xa0 bc";
    enum { WRITTEN = sizeof "\"a\\\"\\u0001\\u00a0 bc\"" - 1 };
    for (size_t room = 0; room <= WRITTEN; room++) {
        yr_buf out;
        yr_buf_init(&out, 2 + room);
        assert_ok(yr_buf_append_text(&out, "[]"));
        yurpc_status status = yr_json_append_string(&out, yr_bytes_of_text(text));
        assert_int_equal(status, room < WRITTEN ? YURPC_TOO_LARGE : YURPC_OK);
        assert_int_equal(out.len, room < WRITTEN ? 2 : 2 + WRITTEN);
        yr_buf_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_and_elements_are_found),
        cmocka_unit_test(members_come_in_the_order_of_the_text),
        cmocka_unit_test(what_is_no_json_is_refused),
        cmocka_unit_test(what_follows_the_end_is_not_looked_at),
        cmocka_unit_test(deep_nesting_is_refused_on_a_small_stack),
        cmocka_unit_test(no_memory_is_told_from_bad_text),
        cmocka_unit_test(strings_are_escaped_as_hutool_does),
        cmocka_unit_test(every_character_is_read_back_as_written),
        cmocka_unit_test(a_string_without_room_changes_nothing),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
