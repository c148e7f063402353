/* What the tests of src/grpc share: a recording client and a service on the fake server. */
#ifndef GRPC_FIXTURE_H
#define GRPC_FIXTURE_H

#include "fake/grpc_server.h"
#include "grpc/call.h"

enum { HEARD_MAX = 256, END_TEXT_MAX = 600 };

/* What a call has heard so far. */
typedef struct heard {
    char bytes[HEARD_MAX]; /* of all messages together; the first few */
    size_t len;            /* of all messages together */
    int parts;
    int messages; /* whole ones */
    int ends;
    yr_grpc_end end;
    char text[END_TEXT_MAX]; /* end.message */
    yr_grpc_call *cancel;    /* cancelled when the first part comes; NULL: none */
} heard;

extern const yr_grpc_events heard_events; /* their context is a heard */

/* A unary request with a message; a stream of messages that stays open. */
yr_grpc_request unary(const char *path, const char *message);
yr_grpc_request stream(const char *path);

/*
 * A service: /echo answers each message with itself and ends well when half closed; /silent
 * answers nothing; /code/N ends with code N; /big sends 8 MiB and stays open; anything else
 * is unimplemented.
 */
extern const yr_fake_handlers echo_handlers; /* their context is an echo */

typedef struct echo {
    yr_fake_call *last; /* begun, and not yet closed */
    int half_closed;
    int closed;
} echo;

#endif /* GRPC_FIXTURE_H */
