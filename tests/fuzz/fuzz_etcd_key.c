/* A key that was found in etcd: what is taken for ours is made of its parts, exactly. */
#include "base/mem.h"
#include "drivers/etcd/key.h"
#include "fuzz.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yurpc_bytes key = yr_bytes(data, size);
    yurpc_bytes service;
    yurpc_bytes node;
    if (!yr_key_split(key, &service, &node)) {
        return 0;
    }
    require(service.len > 0 && memchr(service.data, '/', service.len) == NULL);
    require(node.len > 0 && memchr(node.data, '/', node.len) == NULL);
    char *again = yr_key_new(service, node);
    require(again != NULL && memcmp(again, data, size) == 0);
    yr_free(again);
    return 0;
}
