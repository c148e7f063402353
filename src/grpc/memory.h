/*
 * The memory that nghttp2 works in: ours, so that tests can make any allocation fail, and its
 * buffers of frames are private memory (base/mem.h), because every frame of a call passes
 * through them, tokens and passwords as well, and stays until another one overwrites it.
 */
#ifndef YR_GRPC_MEMORY_H
#define YR_GRPC_MEMORY_H

#include <nghttp2/nghttp2.h>

extern const nghttp2_mem yr_grpc_memory;

#endif /* YR_GRPC_MEMORY_H */
