/* Words that are nearly the ones we know. */
#ifndef YR_BASE_MISSPELLING_H
#define YR_BASE_MISSPELLING_H

#include <yurpc/bytes.h>

#include <stddef.h>

/*
 * How many letters of @p word are wrong, missing or too many when it was meant to be @p known;
 * letters of either case are the same. SIZE_MAX: so many that it is another word.
 */
size_t yr_misspelling(yurpc_bytes word, const char *known);

#endif /* YR_BASE_MISSPELLING_H */
