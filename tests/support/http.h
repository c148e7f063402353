/* The least of HTTP: what an engine says of itself on its metrics port. */
#ifndef YR_TESTS_HTTP_H
#define YR_TESTS_HTTP_H

#include <stdint.h>

/*
 * What 127.0.0.1:@p port answers to GET @p path, header and all, to be freed; NULL: nothing
 * within 2 s, or no memory.
 */
char *yr_http_get(uint16_t port, const char *path);

#endif /* YR_TESTS_HTTP_H */
