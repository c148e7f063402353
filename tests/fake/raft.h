/*
 * Who may decide: leader, majority, and what a member does that has none. For the files of the
 * fake only.
 *
 * A request that needs what its member lacks is kept for REQUEST_MS and then refused in etcd's
 * words; it is done if the member is well again before. While a new leader is elected, what was
 * on its way through the old one is lost: it is refused at the end of that time, and every
 * second write has taken effect all the same.
 */
#ifndef YR_FAKE_RAFT_H
#define YR_FAKE_RAFT_H

#include "fake/deferred.h"

void yr_fake_raft_init(yr_fake_etcd *fake);
void yr_fake_raft_deinit(yr_fake_etcd *fake);

/* A member was added. */
void yr_fake_raft_add(yr_fake_member *member);

/* The server was started: all members are there and agree. */
void yr_fake_raft_reset(yr_fake_etcd *fake);

/* Members have come or gone. */
void yr_fake_raft_update(yr_fake_etcd *fake);

/* Whether a call may not even begin, because it asks for a leader (metadata "hasleader"). */
bool yr_fake_raft_refuses(const yr_fake_member *member, const yr_fake_call *call);

/*
 * Keep the request @p name if it must wait; false: do it now. @p like: the request, as for
 * yr_fake_defer(), and what does it.
 */
bool yr_fake_raft_hold(const yr_fake_member *member, const char *name,
                       const ProtobufCMessage *decoded, const yr_fake_deferred *like);

/* Whether leases may expire: there is a leader to say so. */
bool yr_fake_raft_can_expire(const yr_fake_etcd *fake);

#endif /* YR_FAKE_RAFT_H */
