/*
 * A local registry in a directory of its own, and handles on it: where the tests of the public
 * API take place.
 */
#ifndef YR_TESTS_UNIT_LOCAL_REGISTRY_H
#define YR_TESTS_UNIT_LOCAL_REGISTRY_H

#include <yurpc/registry.h>

#include <stdatomic.h>

#define SERVICE "com.acme.UserService"

enum { PATIENCE_MS = 10000 }; /* of what has no bound of its own; over it is a failure */

/* For cmocka: before the first test of a program, and after the last one. */
int local_registry_make(void **state);
int local_registry_remove(void **state);

/* Its address. */
const char *local_registry_path(void);

yurpc_registry_config local_registry_config(void);

yurpc_registry *local_registry_open(bool is_host_driven);

/* An instance of SERVICE. */
yurpc_instance_spec spec_of(uint16_t port);

/* Wait until a callback has counted to @p wanted; ends the test when it does not. */
void await_count(atomic_int *counter, int wanted);

#endif /* YR_TESTS_UNIT_LOCAL_REGISTRY_H */
