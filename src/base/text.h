/*
 * Text that somebody else chose, made fit to be shown: UTF-8, in one line, and nothing in it
 * that commands a terminal. Errors and log lines go through here.
 */
#ifndef YR_BASE_TEXT_H
#define YR_BASE_TEXT_H

#include <yurpc/bytes.h>

/*
 * Copy @p bytes into @p ret_text, at most @p size - 1 bytes and a NUL, cut between characters.
 * What is no UTF-8, a control character (of ASCII or Latin-1) or a separator that ends a line
 * becomes '?', so it never gets longer. @p ret_text may be where the bytes are. The length.
 */
size_t yr_text_copy(yurpc_bytes bytes, char *ret_text, size_t size);

#endif /* YR_BASE_TEXT_H */
