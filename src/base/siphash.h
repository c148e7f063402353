/*
 * SipHash-1-3: a fast keyed hash of bytes, for tables whose keys strangers choose.
 *
 * Source: Aumasson, Bernstein, "SipHash: a fast short-input PRF", 2012.
 */
#ifndef YR_BASE_SIPHASH_H
#define YR_BASE_SIPHASH_H

#include <yurpc/bytes.h>

#include <stdint.h>

uint64_t yr_siphash(const uint64_t seed[2], yurpc_bytes bytes);

#endif /* YR_BASE_SIPHASH_H */
