/*
 * A careful change of one node: look who owns it, then change it on the condition that it is
 * still as it was seen; look again when it was not.
 *
 * Repeating it is harmless: what was done by an attempt of unknown outcome is seen by the next
 * look.
 */
#ifndef YR_DRIVERS_ETCD_NODE_OP_H
#define YR_DRIVERS_ETCD_NODE_OP_H

#include "drivers/etcd/etcd_driver.h"

/* Whom the node may belong to for the change to happen. */
typedef enum yr_node_rule {
    YR_NODE_ANY,          /* anybody or nobody */
    YR_NODE_FREE_OR_OURS, /* nobody (absent or permanent) or us */
    YR_NODE_OURS,         /* us */
} yr_node_rule;

typedef struct yr_node_change {
    yr_node_rule rule;
    bool is_delete;
    yurpc_status absent; /* what an absent node means; only when deleting or the rule is OURS */
    const char *key;     /* copied */
    yurpc_bytes value;   /* copied; not when deleting */
    int64_t lease;       /* for the put */
    int64_t deadline_ms; /* from now */
} yr_node_change;

/* @p done: YURPC_CONFLICT when the rule forbids it. YURPC_NO_MEMORY: not begun, no callback. */
YURPC_NODISCARD yurpc_status yr_node_op_begin(yr_driver *driver, const yr_node_change *change,
                                              yr_done_fn *done, void *context);

#endif /* YR_DRIVERS_ETCD_NODE_OP_H */
