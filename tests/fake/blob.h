/* A growing array of bytes for the fakes; out of memory ends the test program. */
#ifndef YR_FAKE_BLOB_H
#define YR_FAKE_BLOB_H

#include <yurpc/bytes.h>

typedef struct yr_fake_blob {
    unsigned char *data;
    size_t len;
    size_t cap;
} yr_fake_blob; /* zeroed: empty */

void yr_fake_blob_append(yr_fake_blob *blob, yurpc_bytes bytes);
void yr_fake_blob_consume(yr_fake_blob *blob, size_t len); /* drop the first bytes */
void yr_fake_blob_free(yr_fake_blob *blob);                /* empty again */

#endif /* YR_FAKE_BLOB_H */
