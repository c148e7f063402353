/* Faults of rules that are about bytes, frames and answers. For the files of the fake only. */
#ifndef YR_FAKE_SPOIL_H
#define YR_FAKE_SPOIL_H

#include "fake/service.h"

/* In place of the request, which is not done. */
void yr_fake_spoil_request(yr_fake_etcd *fake, yr_fake_call *call, const yr_fake_rule *rule);

/*
 * The request is done, and @p message would be its answer: say it as the rule wants. False: the
 * rule is about something else, and nothing was said. @p is_unary: the answer ends the call.
 */
bool yr_fake_spoil_answer(yr_fake_etcd *fake, yr_fake_call *call, const yr_fake_rule *rule,
                          yurpc_bytes message, bool is_unary);

/* Send no more than the first @p len bytes of a message, then lose the connection. */
void yr_fake_spoil_message(yr_fake_call *call, yurpc_bytes message, int64_t len);

#endif /* YR_FAKE_SPOIL_H */
