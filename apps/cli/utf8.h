/* Just enough UTF-8 to print what others wrote. */
#ifndef CLI_UTF8_H
#define CLI_UTF8_H

#include <stddef.h>

/* How many bytes the character at @p text has: 1 … 4; 0 when it is not valid UTF-8. */
size_t cli_utf8_len(const char *text);

#endif /* CLI_UTF8_H */
