#include "net_end.h"

#include "base/bytes.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

enum { BLOCK = 64 * 1024 };

static void close_if_asked(net_end *end, const char *callback)
{
    if (end->close_in != NULL && strcmp(end->close_in, callback) == 0) {
        net_end_close(end);
    }
}

static void pump(net_end *end)
{
    static const char block[BLOCK];
    size_t len = end->pump < sizeof block ? end->pump : sizeof block;
    if (len > 0) {
        end->pump -= len;
        assert_ok(yr_stream_write(end->stream, yr_bytes(block, len)));
    }
}

static void on_open(void *context)
{
    net_end *end = context;
    assert_non_null(end->stream);
    assert_false(end->is_open || end->is_ended);
    end->is_open = true;
    pump(end);
    close_if_asked(end, "open");
}

uint64_t net_end_hash(uint64_t hash, yurpc_bytes bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ ((const uint8_t *)bytes.data)[i]) * 0x100000001b3U + 1;
    }
    return hash;
}

static void on_data(void *context, yurpc_bytes bytes)
{
    net_end *end = context;
    assert_non_null(end->stream);
    assert_false(end->is_ended);
    assert_true(bytes.len > 0);
    for (size_t i = 0; i < bytes.len && end->received + i < sizeof end->first; i++) {
        end->first[end->received + i] = ((const char *)bytes.data)[i];
    }
    end->received += bytes.len;
    end->hash = net_end_hash(end->hash, bytes);
    end->calls++;
    if (end->is_echoing) {
        assert_ok(yr_stream_write(end->stream, bytes));
    }
    close_if_asked(end, "data");
}

static void on_drain(void *context)
{
    net_end *end = context;
    assert_non_null(end->stream);
    assert_false(end->is_ended);
    end->drains++;
    pump(end);
    close_if_asked(end, "drain");
}

static void on_end(void *context, const yurpc_error *error)
{
    net_end *end = context;
    assert_non_null(end->stream);
    assert_false(end->is_ended);
    end->is_ended = true;
    end->end_status = yurpc_error_status(error);
    assert_true(snprintf(end->end_text, sizeof end->end_text, "%s", yurpc_error_text(error)) >
                0);
    close_if_asked(end, "end");
}

const yr_stream_events net_end_events = {on_open, on_data, on_drain, on_end};

yurpc_status net_end_connect(net_end *end, yr_io *io, const char *host, uint16_t port,
                             int64_t timeout_ms)
{
    const yr_connect_options options = {
        .host = host, .port = port, .timeout_ms = timeout_ms, .tls = end->tls};
    return yr_io_connect(io, &options, &net_end_events, end, &end->stream);
}

void net_end_accept(void *context, yr_stream *stream)
{
    net_end *end = context;
    assert_null(end->stream);
    end->stream = stream;
    yr_stream_accept(stream, &net_end_events, end);
}

void net_end_write(net_end *end, const char *text)
{
    assert_ok(yr_stream_write(end->stream, yr_bytes_of_text(text)));
}

void net_end_close(net_end *end)
{
    yr_stream *stream = end->stream;
    end->stream = NULL;
    yr_stream_close(stream);
}
