/* A client's TLS files in a directory, a server's end, and what was logged. */
#ifndef YR_TESTS_TLS_WORLD_H
#define YR_TESTS_TLS_WORLD_H

#include "net/uv/uv_tls_session.h"
#include "scratch.h"
#include "tls_peer.h"

enum { TLS_LINES_MAX = 16, TLS_PORT = 2379, TLS_HOUR_S = 3600 };

typedef struct tls_world {
    yr_io *io;
    yr_scratch scratch;
    char ca_path[256]; /* of ca */
    char cert_path[256];
    char key_path[256];
    yr_cert ca;
    yr_cert other_ca;
    yr_tls *tls;
    tls_peer peer;
    yr_uv_session session;
    char lines[TLS_LINES_MAX][512]; /* that were logged */
    yurpc_log_level levels[TLS_LINES_MAX];
    size_t line_count;
} tls_world;

/* For cmocka; the state is a tls_world. */
int tls_world_set_up(void **state);
int tls_world_tear_down(void **state);

/* Make w->tls of @p options; or of the CA; or of the CA and our certificate. */
yurpc_status tls_world_open(tls_world *w, const yr_tls_options *options,
                            yurpc_error **ret_error);
void tls_world_open_with_ca(tls_world *w);
void tls_world_open_with_cert(tls_world *w);

/* Write our certificate, by the CA, with its key; times as in yr_cert_options. */
void tls_world_write_cert(tls_world *w, const char *name, long from_s, long until_s);

/* Connect to a server with @p options, until both have nothing more to say or ours failed. */
void tls_world_connect(tls_world *w, const char *host, const tls_peer_options *options);

/* Let them talk on. */
void tls_world_shake(tls_world *w);

/* To localhost, whose certificate is of the CA, asking for ours when @p is_mutual. */
void tls_world_connect_local(tls_world *w, int version_max, bool is_mutual);

/* The session failed with YURPC_TLS and these words. */
void tls_world_assert_error(const tls_world *w, const char *part);

#endif /* YR_TESTS_TLS_WORLD_H */
