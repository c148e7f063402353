#include "fake/blob.h"

#include <stdlib.h>
#include <string.h>

void yr_fake_blob_append(yr_fake_blob *blob, yurpc_bytes bytes)
{
    if (bytes.len == 0) {
        return;
    }
    size_t needed = blob->len + bytes.len;
    if (needed > blob->cap) {
        blob->cap = needed < 64 ? 128 : needed * 2;
        blob->data = realloc(blob->data, blob->cap);
        if (blob->data == NULL) {
            abort();
        }
    }
    memcpy(blob->data + blob->len, bytes.data, bytes.len);
    blob->len = needed;
}

void yr_fake_blob_consume(yr_fake_blob *blob, size_t len)
{
    blob->len -= len;
    if (blob->len > 0 && len > 0) {
        memmove(blob->data, blob->data + len, blob->len);
    }
}

void yr_fake_blob_free(yr_fake_blob *blob)
{
    free(blob->data);
    *blob = (yr_fake_blob){NULL, 0, 0};
}
