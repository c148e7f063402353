#include "base/bytes.h"
#include "grpc/deframer.h"
#include "yr_test.h"

enum { MESSAGE_MAX = 1000, OUT_MAX = 64 };

/* What came out: each message's bytes, a '|' behind each that is whole. */
typedef struct output {
    char text[OUT_MAX];
    size_t len;
} output;

static void take(output *out, const yr_grpc_part *part)
{
    assert_true(part->bytes.len <= part->message_len);
    if (part->bytes.len > 0) {
        memcpy(out->text + out->len, part->bytes.data, part->bytes.len);
    }
    out->len += part->bytes.len;
    if (part->is_last) {
        out->text[out->len++] = '|';
    }
}

static yurpc_status feed(yr_grpc_deframer *deframer, const void *data, size_t len, output *out)
{
    yurpc_bytes input = {data, len};
    bool has_part = true;
    while (has_part) {
        yr_grpc_part part;
        yurpc_status status = yr_grpc_deframer_next(deframer, &input, &part, &has_part);
        if (status != YURPC_OK) {
            return status;
        }
        if (has_part) {
            take(out, &part);
        }
    }
    assert_int_equal(input.len, 0);
    return YURPC_OK;
}

static const char three_messages[] = "\0\0\0\0\3abc\0\0\0\0\0\0\0\0\0\1d";
enum { THREE_LEN = sizeof three_messages - 1 };

static void messages_come_out_whole_wherever_the_bytes_are_split(void **state)
{
    (void)state;
    for (size_t first = 0; first <= THREE_LEN; first++) {
        for (size_t second = first; second <= THREE_LEN; second++) {
            yr_grpc_deframer deframer;
            output out = {.len = 0};
            yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
            assert_ok(feed(&deframer, three_messages, first, &out));
            assert_ok(feed(&deframer, three_messages + first, second - first, &out));
            assert_ok(feed(&deframer, three_messages + second, THREE_LEN - second, &out));
            assert_int_equal(out.len, 7);
            assert_memory_equal(out.text, "abc||d|", 7);
            assert_true(yr_grpc_deframer_is_between(&deframer));
        }
    }
}

static void the_parts_of_a_message_know_its_length_and_their_place(void **state)
{
    (void)state;
    yr_grpc_deframer deframer;
    yr_grpc_part part;
    bool has_part = false;
    yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
    yurpc_bytes input = {"\0\0\0\0\3a", 6};
    assert_ok(yr_grpc_deframer_next(&deframer, &input, &part, &has_part));
    assert_true(has_part);
    assert_true(part.is_first);
    assert_false(part.is_last);
    assert_int_equal(part.message_len, 3);
    assert_false(yr_grpc_deframer_is_between(&deframer));

    input = yr_bytes("bc", 2);
    assert_ok(yr_grpc_deframer_next(&deframer, &input, &part, &has_part));
    assert_true(has_part);
    assert_false(part.is_first);
    assert_true(part.is_last);
    assert_int_equal(part.bytes.len, 2);
}

static void an_empty_message_is_one_empty_part(void **state)
{
    (void)state;
    yr_grpc_deframer deframer;
    yr_grpc_part part;
    bool has_part = false;
    yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
    yurpc_bytes input = {"\0\0\0\0\0", 5};
    assert_ok(yr_grpc_deframer_next(&deframer, &input, &part, &has_part));
    assert_true(has_part);
    assert_true(part.is_first);
    assert_true(part.is_last);
    assert_int_equal(part.bytes.len, 0);
    assert_ok(yr_grpc_deframer_next(&deframer, &input, &part, &has_part));
    assert_false(has_part);
}

static void a_compressed_message_is_refused_at_its_first_byte(void **state)
{
    (void)state;
    const uint8_t flags[] = {1, 7, 0xff};
    for (size_t i = 0; i < sizeof flags; i++) {
        yr_grpc_deframer deframer;
        output out = {.len = 0};
        yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
        assert_int_equal(feed(&deframer, &flags[i], 1, &out), YURPC_PROTOCOL);
    }
}

static void a_message_past_the_limit_is_refused_before_its_bytes_come(void **state)
{
    (void)state;
    yr_grpc_deframer deframer;
    output out = {.len = 0};
    yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
    assert_ok(feed(&deframer, "\0\0\0\3\xe8", 5, &out)); /* 1000 is allowed */

    yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
    assert_int_equal(feed(&deframer, "\0\0\0\3\xe9", 5, &out), YURPC_TOO_LARGE);

    yr_grpc_deframer_init(&deframer, MESSAGE_MAX);
    assert_int_equal(feed(&deframer, "\0\xff\xff\xff\xff", 5, &out), YURPC_TOO_LARGE);
}

static void a_written_prefix_is_read_back(void **state)
{
    (void)state;
    uint8_t prefix[YR_GRPC_PREFIX_LEN];
    yr_grpc_prefix_encode(prefix, 0x01020304);
    assert_memory_equal(prefix, "\0\1\2\3\4", YR_GRPC_PREFIX_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_come_out_whole_wherever_the_bytes_are_split),
        cmocka_unit_test(the_parts_of_a_message_know_its_length_and_their_place),
        cmocka_unit_test(an_empty_message_is_one_empty_part),
        cmocka_unit_test(a_compressed_message_is_refused_at_its_first_byte),
        cmocka_unit_test(a_message_past_the_limit_is_refused_before_its_bytes_come),
        cmocka_unit_test(a_written_prefix_is_read_back),
    };
    return cmocka_run_group_tests_name("grpc_deframer", tests, NULL, NULL);
}
