#include "alloc.h"
#include "condition_parts.h"

#include <string.h>

enum { FLOOD_FRAMES = 5000, FRAME_MAX = 32 };

typedef void visit_fn(yr_fake_options *options, uint64_t chance);

/* All members, or one of them, as chance has it. */
static void each_server(yr_fake_etcd *fake, visit_fn *visit, uint64_t chance)
{
    size_t count = yr_fake_etcd_member_count(fake);
    bool is_all = chance % 3 != 0;
    for (size_t i = 0; i < count; i++) {
        if (is_all || i == chance / 3 % count) {
            visit(yr_fake_server_options(yr_fake_etcd_server(fake, i)), chance / 3);
        }
    }
}

static void every_server(yr_fake_etcd *fake, visit_fn *visit)
{
    for (size_t i = 0; i < yr_fake_etcd_member_count(fake); i++) {
        visit(yr_fake_server_options(yr_fake_etcd_server(fake, i)), 0);
    }
}

static void each_conn(yr_fake_etcd *fake, void (*visit)(yr_fake_conn *conn, const void *data),
                      const void *data)
{
    for (size_t i = 0; i < yr_fake_etcd_member_count(fake); i++) {
        yr_fake_conn *conn = yr_fake_server_newest(yr_fake_etcd_server(fake, i));
        for (; conn != NULL; conn = yr_fake_conn_older(conn)) {
            visit(conn, data);
        }
    }
}

/* ---- Something else than HTTP/2 ---- */

static void set_greeting(yr_fake_options *options, uint64_t chance)
{
    static const char *const greetings[] = {
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400 Bad Request",
        "SSH-2.0-OpenSSH_9.2p1\r\n", "-ERR unknown command\r\n", "\x15\x03\x01", ""};
    options->greeting = greetings[chance % (sizeof greetings / sizeof *greetings)];
}

static void clear_greeting(yr_fake_options *options, uint64_t chance)
{
    (void)chance;
    options->greeting = NULL;
}

void yr_fake_begin_greeting(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    each_server(fake, set_greeting, chance);
    yr_fake_etcd_drop_connections(fake);
}

void yr_fake_end_greeting(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    every_server(fake, clear_greeting);
}

/* ---- What it does not say ---- */

#define SWITCH(noun, field, after_begin, after_end)                                  \
    static void set_##noun(yr_fake_options *options, uint64_t chance)                \
    {                                                                                \
        (void)chance;                                                                \
        options->field = true;                                                       \
    }                                                                                \
    static void clear_##noun(yr_fake_options *options, uint64_t chance)              \
    {                                                                                \
        (void)chance;                                                                \
        options->field = false;                                                      \
    }                                                                                \
    void yr_fake_begin_##noun(yr_fake_etcd *fake, const void *self, uint64_t chance) \
    {                                                                                \
        (void)self;                                                                  \
        each_server(fake, set_##noun, chance);                                       \
        after_begin(fake);                                                           \
    }                                                                                \
    void yr_fake_end_##noun(yr_fake_etcd *fake, const void *self)                    \
    {                                                                                \
        (void)self;                                                                  \
        every_server(fake, clear_##noun);                                            \
        after_end(fake);                                                             \
    }

static void leave(yr_fake_etcd *fake)
{
    (void)fake;
}

SWITCH(dropping, drops_new, yr_fake_etcd_drop_connections, leave)
/* What was to be unsaid with other settings was not said either. */
SWITCH(no_settings, withholds_settings, yr_fake_etcd_drop_connections,
       yr_fake_etcd_drop_connections)
SWITCH(no_settings_ack, withholds_settings_ack, yr_fake_etcd_drop_connections, leave)
SWITCH(no_ping_ack, withholds_ping_ack, leave, leave)
/* What was not credited is lost for the connections of that time. */
SWITCH(no_window, withholds_window, leave, yr_fake_etcd_drop_connections)

/* ---- Small pieces ---- */

static void set_pieces(yr_fake_options *options, uint64_t chance)
{
    options->write_len_max = 1 + chance % 20;
}

static void clear_pieces(yr_fake_options *options, uint64_t chance)
{
    (void)chance;
    options->write_len_max = 0;
}

void yr_fake_begin_pieces(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    each_server(fake, set_pieces, chance);
}

void yr_fake_end_pieces(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    every_server(fake, clear_pieces);
}

/* ---- Settings ---- */

enum { TABLE_SIZE = 1, STREAMS = 3, WINDOW = 4, FRAME_SIZE = 5 };

static const yr_fake_setting hard[] = {{WINDOW, 0},  {WINDOW, 100},   {STREAMS, 0},
                                       {STREAMS, 1}, {TABLE_SIZE, 0}, {FRAME_SIZE, 16777215}};
static const yr_fake_setting usual[] = {
    {WINDOW, 65535}, {STREAMS, 100}, {TABLE_SIZE, 4096}, {FRAME_SIZE, 16384}};

static const yr_fake_setting *choose_setting(uint64_t chance)
{
    return &hard[chance % (sizeof hard / sizeof *hard)];
}

static void set_settings(yr_fake_options *options, uint64_t chance)
{
    options->settings = choose_setting(chance);
    options->setting_count = 1;
}

static void clear_settings(yr_fake_options *options, uint64_t chance)
{
    (void)chance;
    options->settings = NULL;
    options->setting_count = 0;
}

static void send_hard(yr_fake_conn *conn, const void *setting)
{
    yr_fake_conn_send_settings(conn, setting, 1);
}

static void send_usual(yr_fake_conn *conn, const void *none)
{
    (void)none;
    yr_fake_conn_send_settings(conn, usual, sizeof usual / sizeof *usual);
}

void yr_fake_begin_settings(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    each_server(fake, set_settings, chance);
    each_conn(fake, send_hard, choose_setting(chance / 3));
}

void yr_fake_end_settings(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    every_server(fake, clear_settings);
    each_conn(fake, send_usual, NULL);
}

/* ---- Noise ---- */

typedef struct forged {
    uint8_t frame[FRAME_MAX];
    size_t len;
    size_t count;
} forged;

static const forged noises[] = {
    {{0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8}, 17, FLOOD_FRAMES}, /* PING */
    {{0, 0, 0, 4, 0, 0, 0, 0, 0}, 9, FLOOD_FRAMES},                          /* SETTINGS */
    {{0, 0, 5, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 16}, 14, FLOOD_FRAMES},         /* PRIORITY */
    {{0, 0, 0, 0, 0, 0, 0, 0, 1}, 9, FLOOD_FRAMES},                          /* DATA */
    {{0, 0, 5, 5, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0x88}, 14, 1},                  /* PUSH_PROMISE */
    {{0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x80, 0, 0, 0}, 15, 1},    /* a window of 2^31 */
    {{0, 0, 4, 8, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff}, 13, 1}, /* one that overflows */
    {{0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1}, 9, 1},                 /* 16 MiB of DATA */
    {{0, 0, 1, 9, 0, 0, 0, 0, 1, 0x88}, 10, FLOOD_FRAMES},        /* CONTINUATION of nothing */
    {{'o', 'h', ' ', 'n', 'o', '\r', '\n'}, 7, 3},
};

enum { NOISES = sizeof noises / sizeof *noises };

/* Made once, for the options only borrow it. */
static yurpc_bytes noise_of(uint64_t chance)
{
    static uint8_t made[NOISES][FLOOD_FRAMES * FRAME_MAX];
    const forged *noise = &noises[chance % NOISES];
    uint8_t *bytes = made[chance % NOISES];
    for (size_t i = 0; i < noise->count; i++) {
        memcpy(bytes + i * noise->len, noise->frame, noise->len);
    }
    return (yurpc_bytes){bytes, noise->count * noise->len};
}

static void set_noise(yr_fake_options *options, uint64_t chance)
{
    options->opening = noise_of(chance);
}

static void clear_noise(yr_fake_options *options, uint64_t chance)
{
    (void)chance;
    options->opening = (yurpc_bytes){NULL, 0};
}

static void send_noise(yr_fake_conn *conn, const void *bytes)
{
    yr_fake_conn_send_raw(conn, *(const yurpc_bytes *)bytes);
}

void yr_fake_begin_noise(yr_fake_etcd *fake, const void *self, uint64_t chance)
{
    (void)self;
    yurpc_bytes bytes = noise_of(chance / 3);
    each_conn(fake, send_noise, &bytes);
    each_server(fake, set_noise, chance);
}

void yr_fake_end_noise(yr_fake_etcd *fake, const void *self)
{
    (void)self;
    every_server(fake, clear_noise);
}
