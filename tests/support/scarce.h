/*
 * A system that has no more of anything: threads, descriptors, room. The program that links
 * this has its own socket(2), pthread_create(3) and so on, and libraries use them, too.
 */
#ifndef YR_SCARCE_H
#define YR_SCARCE_H

#include <stdbool.h>

/* After @p n calls that go well one fails, or, if @p is_lasting, every one from then on. */
void yr_scarce_begin(long n, bool is_lasting);

/* All is well again. Whether any call failed. */
bool yr_scarce_end(void);

#endif /* YR_SCARCE_H */
