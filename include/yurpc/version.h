/**
 * @file
 * The version of the library.
 */
#ifndef YURPC_VERSION_H
#define YURPC_VERSION_H

#include <yurpc/export.h>

YURPC_BEGIN_DECLS

/** The version of these headers. */
#define YURPC_VERSION "0.1.0"

/** The version of the library that runs, for example "0.1.0". Never NULL. */
YURPC_API const char *yurpc_version(void);

YURPC_END_DECLS

#endif /* YURPC_VERSION_H */
