/**
 * @file
 * Keys and values in etcd: read, write, delete, transactions.
 *
 * All of these may end with YURPC_UNAVAILABLE (etcd could not be reached, nothing was done),
 * YURPC_TIMEOUT, YURPC_UNAUTHENTICATED, YURPC_DENIED, YURPC_EXHAUSTED (etcd is out of space or
 * overloaded), YURPC_TOO_LARGE, YURPC_NO_MEMORY and YURPC_CANCELED (the client was closed);
 * those that write also with YURPC_UNKNOWN_OUTCOME, unless their options call them idempotent.
 */
#ifndef YURPC_ETCD_KV_H
#define YURPC_ETCD_KV_H

#include <yurpc/etcd_client.h>

YURPC_BEGIN_DECLS

/**
 * Read one key or many.
 *
 * @param client    The client.
 * @param key       The key, or the first of them, or with options->is_prefix how they begin.
 * @param options   NULL for the defaults.
 * @param ret_reply Receives the reply (kvs, count, has_more), to be freed. No key is a
 *                  success. Untouched on failure.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_COMPACTED  the revision in the options was compacted away.
 * @retval YURPC_INVALID    the options make no sense, or the revision is yet to come.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_range(yurpc_etcd *client, yurpc_bytes key,
                                                        const yurpc_etcd_op_options *options,
                                                        yurpc_etcd_reply **ret_reply,
                                                        yurpc_error **ret_error);

/** yurpc_etcd_range() without waiting. All inputs are copied. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_range_async(
    yurpc_etcd *client, yurpc_bytes key, const yurpc_etcd_op_options *options,
    yurpc_etcd_reply_fn *callback, void *context);

/**
 * Write a key.
 *
 * @param client    The client.
 * @param key       The key.
 * @param value     Its new value.
 * @param options   NULL for the defaults.
 * @param ret_reply NULL when it does not matter; else receives the reply, to be freed.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_LEASE_LOST  there is no such lease as the options name.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_put(yurpc_etcd *client, yurpc_bytes key,
                                                      yurpc_bytes value,
                                                      const yurpc_etcd_op_options *options,
                                                      yurpc_etcd_reply **ret_reply,
                                                      yurpc_error **ret_error);

/** yurpc_etcd_put() without waiting. All inputs are copied. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_put_async(
    yurpc_etcd *client, yurpc_bytes key, yurpc_bytes value,
    const yurpc_etcd_op_options *options, yurpc_etcd_reply_fn *callback, void *context);

/**
 * Delete one key or many. That there was none is a success, with a count of 0.
 *
 * @param client    The client.
 * @param key       The key, or the first of them, or with options->is_prefix how they begin.
 * @param options   NULL for the defaults.
 * @param ret_reply NULL when it does not matter; else receives the reply (count), to be freed.
 * @param ret_error May be NULL; receives the details, to be freed.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_delete(yurpc_etcd *client, yurpc_bytes key,
                                                         const yurpc_etcd_op_options *options,
                                                         yurpc_etcd_reply **ret_reply,
                                                         yurpc_error **ret_error);

/** yurpc_etcd_delete() without waiting. All inputs are copied. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_delete_async(
    yurpc_etcd *client, yurpc_bytes key, const yurpc_etcd_op_options *options,
    yurpc_etcd_reply_fn *callback, void *context);

/**
 * Do one list of operations or the other, depending on conditions, as one change.
 *
 * @param client    The client.
 * @param txn       The conditions and the operations.
 * @param ret_reply Receives the reply (is_succeeded, replies), to be freed. Untouched on
 * failure.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_INVALID    for example the same key is written twice.
 * @retval YURPC_TOO_LARGE  more than etcd takes, by default 128 operations.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_txn(yurpc_etcd *client,
                                                      const yurpc_etcd_txn_request *txn,
                                                      yurpc_etcd_reply **ret_reply,
                                                      yurpc_error **ret_error);

/** yurpc_etcd_txn() without waiting. All inputs are copied. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_txn_async(yurpc_etcd *client,
                                                            const yurpc_etcd_txn_request *txn,
                                                            yurpc_etcd_reply_fn *callback,
                                                            void *context);

/**
 * Forget what was before @p revision.
 *
 * @param client    The client.
 * @param revision  The oldest that can still be read afterwards.
 * @param ret_error May be NULL; receives the details, to be freed.
 * @retval YURPC_COMPACTED  that has been done already.
 * @retval YURPC_INVALID    the revision is yet to come.
 */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_compact(yurpc_etcd *client, int64_t revision,
                                                          yurpc_error **ret_error);

/** yurpc_etcd_compact() without waiting. */
YURPC_API YURPC_NODISCARD yurpc_status yurpc_etcd_compact_async(yurpc_etcd *client,
                                                                int64_t revision,
                                                                yurpc_etcd_reply_fn *callback,
                                                                void *context);

YURPC_END_DECLS

#endif /* YURPC_ETCD_KV_H */
