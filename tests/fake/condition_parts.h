/* What conditions do to connections: the parts of the table that are about the wire. */
#ifndef YR_FAKE_CONDITION_PARTS_H
#define YR_FAKE_CONDITION_PARTS_H

#include "fake/conditions.h"

typedef void yr_fake_begin_fn(yr_fake_etcd *fake, const void *self, uint64_t chance);
typedef void yr_fake_end_fn(yr_fake_etcd *fake, const void *self);

yr_fake_begin_fn yr_fake_begin_greeting; /* something else than HTTP/2, then FIN */
yr_fake_end_fn yr_fake_end_greeting;
yr_fake_begin_fn yr_fake_begin_dropping; /* accepted and closed */
yr_fake_end_fn yr_fake_end_dropping;
yr_fake_begin_fn yr_fake_begin_no_settings;
yr_fake_end_fn yr_fake_end_no_settings;
yr_fake_begin_fn yr_fake_begin_no_settings_ack;
yr_fake_end_fn yr_fake_end_no_settings_ack;
yr_fake_begin_fn yr_fake_begin_no_ping_ack;
yr_fake_end_fn yr_fake_end_no_ping_ack;
yr_fake_begin_fn yr_fake_begin_no_window; /* what was sent is never credited */
yr_fake_end_fn yr_fake_end_no_window;
yr_fake_begin_fn yr_fake_begin_pieces; /* a few bytes at a time */
yr_fake_end_fn yr_fake_end_pieces;
yr_fake_begin_fn yr_fake_begin_settings; /* hard ones, on old connections and new ones */
yr_fake_end_fn yr_fake_end_settings;
yr_fake_begin_fn yr_fake_begin_noise; /* floods and forged frames on each connection */
yr_fake_end_fn yr_fake_end_noise;

#endif /* YR_FAKE_CONDITION_PARTS_H */
