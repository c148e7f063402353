/* From gRPC calls to the fake etcd's services, past its rules. For the files of the fake only.
 */
#ifndef YR_FAKE_DISPATCH_H
#define YR_FAKE_DISPATCH_H

#include "fake/service.h"

/* What a member's server calls; its context is the yr_fake_member. */
extern const yr_fake_handlers yr_fake_dispatch_handlers;

#endif /* YR_FAKE_DISPATCH_H */
