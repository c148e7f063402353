#include "tls_world.h"

#include "net/uv/uv_io.h"
#include "yr_test.h"

#include <stdio.h>
#include <string.h>

static void take_line(void *context, yurpc_log_level level, const char *component,
                      const char *text)
{
    tls_world *w = context;
    assert_string_equal(component, "tls");
    assert_true(w->line_count < TLS_LINES_MAX);
    w->levels[w->line_count] = level;
    (void)snprintf(w->lines[w->line_count++], sizeof w->lines[0], "%s", text);
}

static void path_of(const tls_world *w, const char *name, char path[256])
{
    (void)snprintf(path, 256, "%.200s/%s", w->scratch.path, name);
}

int tls_world_set_up(void **state)
{
    static tls_world w;
    w = (tls_world){.io = NULL};
    w.scratch.lock = -1;
    assert_ok(yr_scratch_init(&w.scratch, "yurpc-tls."));
    assert_ok(yr_uv_io_new(&w.io, NULL));
    path_of(&w, "ca.pem", w.ca_path);
    path_of(&w, "cert.pem", w.cert_path);
    path_of(&w, "key.pem", w.key_path);
    yr_cert_init(&w.ca, &(yr_cert_options){.name = "test CA", .is_ca = true});
    yr_cert_init(&w.other_ca, &(yr_cert_options){.name = "other CA", .is_ca = true});
    yr_cert_write(&w.ca, w.ca_path, NULL);
    *state = &w;
    return 0;
}

int tls_world_tear_down(void **state)
{
    tls_world *w = *state;
    yr_uv_session_deinit(&w->session);
    tls_peer_deinit(&w->peer);
    yr_tls_free(w->tls);
    yr_cert_deinit(&w->ca);
    yr_cert_deinit(&w->other_ca);
    yr_uv_io_free(w->io);
    yr_scratch_deinit(&w->scratch);
    return 0;
}

yurpc_status tls_world_open(tls_world *w, const yr_tls_options *options,
                            yurpc_error **ret_error)
{
    const yr_log log = {.fn = take_line, .context = w, .level = YURPC_LOG_DEBUG};
    return yr_tls_new(w->io, options, &log, &w->tls, ret_error);
}

void tls_world_open_with_ca(tls_world *w)
{
    assert_ok(tls_world_open(w, &(yr_tls_options){.ca_file = w->ca_path}, NULL));
}

void tls_world_write_cert(tls_world *w, const char *name, long from_s, long until_s)
{
    yr_cert cert;
    yr_cert_init(&cert,
                 &(yr_cert_options){
                     .name = name, .issuer = &w->ca, .from_s = from_s, .until_s = until_s});
    yr_cert_write(&cert, w->cert_path, w->key_path);
    yr_cert_deinit(&cert);
}

void tls_world_open_with_cert(tls_world *w)
{
    assert_ok(tls_world_open(w,
                             &(yr_tls_options){.ca_file = w->ca_path,
                                               .cert_file = w->cert_path,
                                               .key_file = w->key_path},
                             NULL));
}

/* Let both talk until neither has anything to say, or ours has failed. */
void tls_world_shake(tls_world *w)
{
    yurpc_bytes bytes = {NULL, 0};
    bool is_well = yr_uv_session_advance(&w->session);
    while (is_well && (bytes = yr_uv_session_output(&w->session)).len > 0) {
        tls_peer_feed(&w->peer, bytes);
        yr_uv_session_output_sent(&w->session);
        bytes = tls_peer_output(&w->peer);
        if (bytes.len > 0) {
            assert_ok(yr_uv_session_feed(&w->session, bytes));
            tls_peer_output_sent(&w->peer);
            is_well = yr_uv_session_advance(&w->session);
        }
    }
}

void tls_world_connect(tls_world *w, const char *host, const tls_peer_options *options)
{
    yr_uv_session_deinit(&w->session);
    tls_peer_deinit(&w->peer);
    tls_peer_init(&w->peer, options);
    assert_ok(yr_uv_session_init(&w->session, yr_uv_tls_of(w->tls), host, TLS_PORT));
    tls_world_shake(w);
}

void tls_world_connect_local(tls_world *w, int version_max, bool is_mutual)
{
    yr_cert cert;
    yr_cert_init(&cert, &(yr_cert_options){.name = "etcd",
                                           .names = "DNS:localhost,IP:127.0.0.1",
                                           .issuer = &w->ca});
    tls_world_connect(w, "localhost",
                      &(tls_peer_options){.cert = &cert,
                                          .client_ca = is_mutual ? &w->ca : NULL,
                                          .protocol = "h2",
                                          .version_max = version_max});
    yr_cert_deinit(&cert);
}

void tls_world_assert_error(const tls_world *w, const char *part)
{
    assert_int_equal(yurpc_error_status(w->session.error), YURPC_TLS);
    if (strstr(yurpc_error_text(w->session.error), part) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", part, yurpc_error_text(w->session.error));
    }
}
