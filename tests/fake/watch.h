/* The fake etcd's Watch service: many watches on one stream. For the files of the fake only. */
#ifndef YR_FAKE_WATCH_H
#define YR_FAKE_WATCH_H

#include "fake/service.h"

typedef struct yr_fake_watch_stream yr_fake_watch_stream;

/* A client opened a stream; it is freed when that closes. */
yr_fake_watch_stream *yr_fake_watch_stream_new(yr_fake_etcd *fake, const yr_fake_member *member,
                                               yr_fake_call *call);
void yr_fake_watch_stream_free(yr_fake_watch_stream *stream);

/* What kind of request this is, by its name in rules. */
const char *yr_fake_watch_method(const Etcdserverpb__WatchRequest *request);

/* Do what the client asks. @p rule: NULL, or what is to go wrong. */
void yr_fake_watch_stream_request(yr_fake_watch_stream *stream,
                                  const Etcdserverpb__WatchRequest *request,
                                  const yr_fake_rule *rule);

/* Answer that there is no such watch: created and canceled at once. */
void yr_fake_watch_stream_refuse(yr_fake_watch_stream *stream, const char *reason);

/* Tell all watches what was written, from the write number @p first on: one revision. */
void yr_fake_watch_notify(yr_fake_etcd *fake, size_t first);

/* The member has heard from the others again: tell its watches what they missed. */
void yr_fake_watch_catch_up(yr_fake_member *member, size_t first);

#endif /* YR_FAKE_WATCH_H */
