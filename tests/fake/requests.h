/* The fake etcd's memory of what it was asked. */
#ifndef YR_FAKE_REQUESTS_H
#define YR_FAKE_REQUESTS_H

#include "fake/etcd.h"

#include <protobuf-c/protobuf-c.h>

typedef struct yr_fake_requests {
    yr_fake_request *all;
    size_t count;
} yr_fake_requests;

/* Remember a copy of @p request, whose message is @p decoded: it gives the fields. */
void yr_fake_requests_add(yr_fake_requests *requests, const yr_fake_request *request,
                          const ProtobufCMessage *decoded);
void yr_fake_requests_clear(yr_fake_requests *requests);

#endif /* YR_FAKE_REQUESTS_H */
