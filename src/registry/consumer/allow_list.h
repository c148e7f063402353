/*
 * Which hosts of instances are believed, where the user says so: whoever may write to the
 * registry could otherwise point consumers at what only they can reach.
 *
 * A list is addresses and networks ("10.0.0.5", "10.0.0.0/8", "2001:db8::/32") and names
 * ("db.acme.com"; ".acme.com": all below it), with commas between. A name is never resolved:
 * what it means may be another thing a moment later. So names are allowed by name alone, and
 * what merely looks like an address ("127.1") is a name, too.
 *
 * Pure; immutable, so any thread may ask.
 */
#ifndef YR_REGISTRY_ALLOW_LIST_H
#define YR_REGISTRY_ALLOW_LIST_H

#include <yurpc/error.h>

#include <stdbool.h>

typedef struct yr_allow_list yr_allow_list;

/* YURPC_INVALID: the error says which entry is wrong; YURPC_NO_MEMORY. */
YURPC_NODISCARD yurpc_status yr_allow_list_new(const char *text, yr_allow_list **ret_list,
                                               yurpc_error **ret_error);

/* NULL is allowed. */
void yr_allow_list_free(yr_allow_list *list);

/* IPv6 without brackets, perhaps with a zone. */
bool yr_allow_list_has(const yr_allow_list *list, const char *host);

#endif /* YR_REGISTRY_ALLOW_LIST_H */
