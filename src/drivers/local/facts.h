/* Facts read from the file, on their way to the loop: a growing array that owns its bytes. */
#ifndef YR_LOCAL_FACTS_H
#define YR_LOCAL_FACTS_H

#include "base/buf.h"
#include "registry/driver.h"

typedef struct yr_local_facts {
    yr_fact *items; /* service, node and value are set by yr_local_facts_settle() */
    size_t count;
    size_t cap;
    yr_buf bytes; /* service, node and value of each, one behind the other */
} yr_local_facts;

void yr_local_facts_init(yr_local_facts *facts);
void yr_local_facts_deinit(yr_local_facts *facts);
void yr_local_facts_clear(yr_local_facts *facts);

/* Append a copy of @p fact. YURPC_NO_MEMORY, YURPC_TOO_LARGE: nothing was appended. */
YURPC_NODISCARD yurpc_status yr_local_facts_append(yr_local_facts *facts, const yr_fact *fact);

/* All are there: put them in the order of their revisions, if @p by_revision, and let each
 * point to its bytes. */
void yr_local_facts_settle(yr_local_facts *facts, bool by_revision);

#endif /* YR_LOCAL_FACTS_H */
