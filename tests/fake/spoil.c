#include "spoil.h"

#include "alloc.h"
#include "base/bytes.h"
#include "deferred.h"
#include "etcdserverpb.pb-c.h"
#include "grpc/call.h"

#include <stdio.h>
#include <string.h>

enum {
    HEADER_VALUE_LEN = 1024,
    HEADERS_MAX = 60 /* nghttp2 sends no more than 64 KiB */,
    PREFIX_LEN = 5
};

static void on_finish_due(yr_fake_deferred *deferred)
{
    if (deferred->conn != NULL) {
        yr_fake_conn_finish(deferred->conn);
    }
}

/* GOAWAY, and FIN after rule->number ms (below 0: never). */
static void send_goaway(yr_fake_etcd *fake, yr_fake_call *call, int32_t last,
                        const yr_fake_rule *rule)
{
    yr_fake_conn *conn = yr_fake_call_conn(call);
    yr_fake_conn_send_goaway(conn, last, (uint32_t)rule->code, rule->text);
    if (rule->number >= 0) {
        yr_fake_defer(fake, rule->number, on_finish_due, &(yr_fake_deferred){.conn = conn});
    }
}

static void send_page(yr_fake_call *call, const yr_fake_rule *rule)
{
    char status[16];
    (void)snprintf(status, sizeof status, "%d", rule->code);
    const yr_fake_header headers[] = {{":status", status}, {"content-type", "text/html"}};
    yr_fake_call_send_raw_headers(call, headers, 2, false);
    yr_fake_call_send_raw(call, yr_bytes_of_text(rule->text));
    yr_fake_call_end_raw(call, NULL, 0);
}

static void send_huge_headers(yr_fake_call *call, int64_t len)
{
    char value[HEADER_VALUE_LEN + 1];
    yr_fake_header headers[HEADERS_MAX + 2] = {{":status", "200"},
                                               {"content-type", "application/grpc"}};
    size_t count = 2;
    memset(value, 'x', HEADER_VALUE_LEN);
    value[HEADER_VALUE_LEN] = '\0';
    for (; len > 0 && count < HEADERS_MAX; len -= HEADER_VALUE_LEN) {
        headers[count++] = (yr_fake_header){"x-filler", value};
    }
    yr_fake_call_send_raw_headers(call, headers, count, true);
}

static void end_well(yr_fake_call *call)
{
    yr_fake_call_end(call, YR_GRPC_OK, NULL);
}

void yr_fake_spoil_request(yr_fake_etcd *fake, yr_fake_call *call, const yr_fake_rule *rule)
{
    yr_fake_action action = rule->action;
    int32_t stream_id = yr_fake_call_stream_id(call);
    if (action == YR_FAKE_RESET) {
        yr_fake_call_reset(call, (uint32_t)rule->code);
    } else if (action == YR_FAKE_GOAWAY_ABOVE) {
        send_goaway(fake, call, stream_id > 2 ? stream_id - 2 : 0, rule);
    } else if (action == YR_FAKE_PAGE) {
        send_page(call, rule);
    } else if (action == YR_FAKE_HUGE_HEADERS) {
        send_huge_headers(call, rule->number);
    } else if (action == YR_FAKE_RAW_DATA) {
        yr_fake_call_send_raw(call, rule->bytes);
        end_well(call);
    } else if (action == YR_FAKE_RAW_MESSAGE) {
        yr_fake_call_send(call, rule->bytes);
    } else if (action == YR_FAKE_RAW_FRAMES) {
        yr_fake_conn_send_raw(yr_fake_call_conn(call), rule->bytes);
    } else if (action == YR_FAKE_RAW_STATUS) {
        const yr_fake_header trailer = {"grpc-status", rule->text};
        yr_fake_call_end_raw(call, &trailer, rule->text != NULL ? 1 : 0);
    }
}

void yr_fake_spoil_message(yr_fake_call *call, yurpc_bytes message, int64_t len)
{
    const uint8_t prefix[PREFIX_LEN] = {0, (uint8_t)(message.len >> 24),
                                        (uint8_t)(message.len >> 16),
                                        (uint8_t)(message.len >> 8), (uint8_t)message.len};
    size_t wanted = len < 0 ? 0 : (size_t)len;
    size_t of_prefix = wanted < PREFIX_LEN ? wanted : PREFIX_LEN;
    size_t rest = wanted - of_prefix;
    yr_fake_call_send_raw(call, yr_bytes(prefix, of_prefix));
    yr_fake_call_send_raw(call,
                          yr_bytes(message.data, rest < message.len ? rest : message.len));
    yr_fake_conn_finish(yr_fake_call_conn(call));
}

/* What a keepalive's answer says, with a TTL for another lease. */
static void send_foreign_answer(yr_fake_call *call, yurpc_bytes message, int64_t ttl_s)
{
    Etcdserverpb__LeaseKeepAliveResponse *response =
        etcdserverpb__lease_keep_alive_response__unpack(NULL, message.len, message.data);
    YR_ASSERT(response != NULL);
    response->id++;
    response->ttl = ttl_s;
    size_t len = etcdserverpb__lease_keep_alive_response__get_packed_size(response);
    uint8_t *packed = yr_fake_alloc(len + 1);
    (void)etcdserverpb__lease_keep_alive_response__pack(response, packed);
    yr_fake_call_send(call, yr_bytes(packed, len));
    yr_fake_release(packed);
    etcdserverpb__lease_keep_alive_response__free_unpacked(response, NULL);
}

bool yr_fake_spoil_answer(yr_fake_etcd *fake, yr_fake_call *call, const yr_fake_rule *rule,
                          yurpc_bytes message, bool is_unary)
{
    yr_fake_action action = rule->action;
    if (action == YR_FAKE_RESET_AFTER_APPLY) {
        yr_fake_call_reset(call, (uint32_t)rule->code);
        return true;
    }
    if (action == YR_FAKE_DROP_IN_ANSWER) {
        yr_fake_spoil_message(call, message, rule->number);
        return true;
    }
    if (action == YR_FAKE_DUP_ANSWER) {
        yr_fake_call_send(call, message);
    } else if (action == YR_FAKE_FOREIGN_ANSWER) {
        send_foreign_answer(call, message, rule->number);
    } else if (action == YR_FAKE_GOAWAY_BELOW) {
        send_goaway(fake, call, yr_fake_call_stream_id(call), rule);
    } else if (action == YR_FAKE_SETTINGS) {
        const yr_fake_setting setting = {rule->code, (uint32_t)rule->number};
        yr_fake_conn_send_settings(yr_fake_call_conn(call), &setting, 1);
    } else {
        return false;
    }
    yr_fake_call_send(call, message);
    if (is_unary) {
        end_well(call);
    }
    return true;
}
