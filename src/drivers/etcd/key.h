/* Keys: "/rpc/{service}/{node}", nothing escaped, as every Yu-RPC node writes them. */
#ifndef YR_DRIVERS_ETCD_KEY_H
#define YR_DRIVERS_ETCD_KEY_H

#include <yurpc/bytes.h>

#include <stdbool.h>
#include <stddef.h>

#define YR_KEY_ROOT "/rpc/"

/* "/rpc/{service}/{node}"; @p node may be empty: the prefix of a service. NULL: no memory. */
char *yr_key_new(yurpc_bytes service, yurpc_bytes node);

/* The size of that, with its NUL; and the same written to @p key, which has that size. */
size_t yr_key_size(yurpc_bytes service, yurpc_bytes node);
size_t yr_key_write(yurpc_bytes service, yurpc_bytes node, char *key);

/* Split at the last '/'. False: not a key of ours. The parts are within @p key. */
bool yr_key_split(yurpc_bytes key, yurpc_bytes *ret_service, yurpc_bytes *ret_node);

#endif /* YR_DRIVERS_ETCD_KEY_H */
