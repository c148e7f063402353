/* The embedded registry as a back end of the suite: one file in a directory of its own for
 * each test. */
#ifndef YR_LOCAL_BACKEND_H
#define YR_LOCAL_BACKEND_H

#include "stage.h"

extern const yr_backend yr_local_backend;

/* The directory that holds the present test's registry, which is DIR/registry.db. */
const char *yr_local_backend_dir(void);

#endif /* YR_LOCAL_BACKEND_H */
