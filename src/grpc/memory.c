#include "grpc/memory.h"

#include "base/mem.h"

#include <stdbool.h>
#include <string.h>

/* What is as large as the payload of a frame is made to hold frames. (So would be the table of
 * more than a thousand streams, which does no harm.) */
enum { FRAME_BUFFER_MIN = 16 * 1024 };

/* What precedes each block. */
typedef struct block_head {
    _Alignas(16) bool is_private;
} block_head;

static block_head *head_of(void *ptr)
{
    return (block_head *)ptr - 1;
}

static void *allocate(size_t size, void *user_data)
{
    (void)user_data;
    bool is_private = size >= FRAME_BUFFER_MIN;
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size += sizeof(block_head);
    block_head *head = is_private ? yr_private_realloc(NULL, size) : yr_realloc(NULL, size);
    if (head == NULL) {
        return NULL;
    }
    head->is_private = is_private;
    return head + 1;
}

static void release(void *ptr, void *user_data)
{
    (void)user_data;
    if (ptr == NULL) {
        return;
    }
    if (head_of(ptr)->is_private) {
        yr_private_free(head_of(ptr));
    } else {
        yr_free(head_of(ptr));
    }
}

static void *allocate_zeroed(size_t count, size_t size, void *user_data)
{
    if (size != 0 && count > SIZE_MAX / size) {
        return NULL;
    }
    void *memory = allocate(count * size, user_data);
    /* Pages of our own come cleared. */
    return memory == NULL || head_of(memory)->is_private ? memory
                                                         : memset(memory, 0, count * size);
}

static void *resize(void *ptr, size_t size, void *user_data)
{
    if (ptr == NULL) {
        return allocate(size, user_data);
    }
    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    size += sizeof(block_head);
    block_head *head = head_of(ptr)->is_private ? yr_private_realloc(head_of(ptr), size)
                                                : yr_realloc(head_of(ptr), size);
    return head != NULL ? head + 1 : NULL;
}

const nghttp2_mem yr_grpc_memory = {NULL, allocate, release, allocate_zeroed, resize};
