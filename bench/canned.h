/*
 * A server that answers as etcd would, from bytes that it prepared before: so that what a
 * client costs shows, and not what etcd does.
 *
 * It holds the instances of a work. A Range gives those from its key to its end, at most as
 * many as its limit; a Put begins the storm: on every watch as many changes of one instance
 * each as the work wants, a message each, as fast as the client takes them. Everything else is
 * answered so that a client is content. Revisions do not mean anything beyond that they grow.
 */
#ifndef YR_CANNED_H
#define YR_CANNED_H

#include "sample.h"

#include <stdbool.h>

/* The program that is such a server: reports its port, and serves until its input is closed. */
#define YR_CANNED "canned"

bool yr_canned_serve(yr_sample *self);

#endif /* YR_CANNED_H */
