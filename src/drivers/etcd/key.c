#include "drivers/etcd/key.h"

#include "base/bytes.h"
#include "base/mem.h"

size_t yr_key_size(yurpc_bytes service, yurpc_bytes node)
{
    return sizeof YR_KEY_ROOT - 1 + service.len + 1 + node.len + 1;
}

size_t yr_key_write(yurpc_bytes service, yurpc_bytes node, char *key)
{
    const size_t root_len = sizeof YR_KEY_ROOT - 1;
    size_t size = yr_key_size(service, node);
    memcpy(key, YR_KEY_ROOT, root_len);
    memcpy(key + root_len, service.data, service.len);
    key[root_len + service.len] = '/';
    if (node.len > 0) {
        memcpy(key + root_len + service.len + 1, node.data, node.len);
    }
    key[size - 1] = '\0';
    return size;
}

char *yr_key_new(yurpc_bytes service, yurpc_bytes node)
{
    char *key = yr_calloc(1, yr_key_size(service, node));
    if (key != NULL) {
        (void)yr_key_write(service, node, key);
    }
    return key;
}

bool yr_key_split(yurpc_bytes key, yurpc_bytes *ret_service, yurpc_bytes *ret_node)
{
    yurpc_bytes root = yr_bytes_of_text(YR_KEY_ROOT);
    if (!yr_bytes_have_prefix(key, root)) {
        return false;
    }
    yurpc_bytes rest = yr_bytes_after(key, root.len);
    const char *slash = rest.len > 0 ? memrchr(rest.data, '/', rest.len) : NULL;
    if (slash == NULL) {
        return false;
    }
    size_t service_len = (size_t)(slash - (const char *)rest.data);
    *ret_service = yr_bytes(rest.data, service_len);
    *ret_node = yr_bytes_after(rest, service_len + 1);
    return service_len > 0 && ret_node->len > 0 &&
           memchr(ret_service->data, '/', service_len) == NULL;
}
