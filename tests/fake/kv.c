/* The fake etcd's KV service: what is read and written, and what is refused. */
#include "base/bytes.h"
#include "grpc/call.h"
#include "service.h"

enum {
    TXN_OPS_MAX = 128,
    REQUEST_LEN_MAX = 1536 * 1024,
    REQUEST_ENVELOPE_LEN = 18, /* what etcd wraps around a request before it measures it */
};

static const char text_compacted[] = "etcdserver: mvcc: required revision has been compacted";
static const char text_future[] = "etcdserver: mvcc: required revision is a future revision";
static const char text_no_key[] = "etcdserver: key is not provided";
static const char text_no_lease[] = "etcdserver: requested lease not found";
static const char text_too_large[] = "etcdserver: request is too large";
static const char text_too_many_ops[] = "etcdserver: too many operations in txn request";
static const char text_duplicate[] = "etcdserver: duplicate key given in txn request";
static const char text_no_space[] = "etcdserver: mvcc: database space exceeded";
static const char text_no_operation[] = "etcdserver: key not found";

/* A reason to refuse a request; code 0: none. */
typedef struct refusal {
    int code;
    const char *text;
} refusal;

static const refusal accepted = {0, NULL};

static yr_fake_span span_of(ProtobufCBinaryData key, ProtobufCBinaryData end)
{
    return (yr_fake_span){yr_fake_bytes(key), yr_fake_bytes(end)};
}

/* ---- May it be done? ---- */

static refusal check_range(const yr_fake_etcd *fake, const Etcdserverpb__RangeRequest *request)
{
    if (request->key.len == 0) {
        return (refusal){YR_GRPC_INVALID_ARGUMENT, text_no_key};
    }
    if (request->revision > yr_fake_store_revision(fake->store)) {
        return (refusal){YR_GRPC_OUT_OF_RANGE, text_future};
    }
    if (request->revision > 0 && request->revision < yr_fake_store_compacted(fake->store)) {
        return (refusal){YR_GRPC_OUT_OF_RANGE, text_compacted};
    }
    return accepted;
}

static refusal check_put(const yr_fake_etcd *fake, const Etcdserverpb__PutRequest *request)
{
    if (request->key.len == 0) {
        return (refusal){YR_GRPC_INVALID_ARGUMENT, text_no_key};
    }
    if (fake->is_full) {
        return (refusal){YR_GRPC_RESOURCE_EXHAUSTED, text_no_space};
    }
    if (request->lease != 0 && yr_fake_lease_find(&fake->leases, request->lease) == NULL) {
        return (refusal){YR_GRPC_NOT_FOUND, text_no_lease};
    }
    return accepted;
}

static refusal check_delete(const Etcdserverpb__DeleteRangeRequest *request)
{
    return request->key.len == 0 ? (refusal){YR_GRPC_INVALID_ARGUMENT, text_no_key} : accepted;
}

/* etcd measures what it is going to replicate, before it looks into it. */
static refusal check_size(size_t request_len)
{
    return request_len + REQUEST_ENVELOPE_LEN > REQUEST_LEN_MAX
               ? (refusal){YR_GRPC_INVALID_ARGUMENT, text_too_large}
               : accepted;
}

/* ---- Doing it ---- */

static Etcdserverpb__RangeResponse *do_range(yr_fake_turn *turn,
                                             const Etcdserverpb__RangeRequest *request)
{
    const yr_fake_store *store = turn->fake->store;
    yr_fake_span span = span_of(request->key, request->range_end);
    Etcdserverpb__RangeResponse *response = yr_fake_turn_alloc(turn, sizeof(*response));
    etcdserverpb__range_response__init(response);

    /* A member that is cut off answers from what it knows, if it may. */
    int64_t at = request->revision != 0 ? request->revision : turn->member->behind_revision;
    const yr_fake_version *version = NULL;
    while ((version = yr_fake_store_next(store, &span, at, version)) != NULL) {
        response->count++;
    }
    size_t wanted = request->count_only ? 0 : (size_t)response->count;
    if (request->limit > 0 && (size_t)request->limit < wanted) {
        wanted = (size_t)request->limit;
        response->more = true;
    }
    Mvccpb__KeyValue *kvs = yr_fake_turn_alloc(turn, (wanted + 1) * sizeof(*kvs));
    response->kvs = yr_fake_turn_alloc(turn, (wanted + 1) * sizeof(Mvccpb__KeyValue *));
    for (; response->n_kvs < wanted; response->n_kvs++) {
        version = yr_fake_store_next(store, &span, at, version);
        yr_fake_fill_kv(&kvs[response->n_kvs], version, request->keys_only);
        response->kvs[response->n_kvs] = &kvs[response->n_kvs];
    }
    return response;
}

static Etcdserverpb__PutResponse *do_put(yr_fake_turn *turn,
                                         const Etcdserverpb__PutRequest *request)
{
    yr_fake_store *store = turn->fake->store;
    Etcdserverpb__PutResponse *response = yr_fake_turn_alloc(turn, sizeof(*response));
    etcdserverpb__put_response__init(response);
    const yr_fake_version *before = yr_fake_store_find(store, yr_fake_bytes(request->key), 0);
    if (request->prev_kv && before != NULL) {
        response->prev_kv = yr_fake_turn_alloc(turn, sizeof(*response->prev_kv));
        yr_fake_fill_kv(response->prev_kv, before, false);
    }
    yr_fake_store_put(store, yr_fake_bytes(request->key), yr_fake_bytes(request->value),
                      request->lease);
    return response;
}

static Etcdserverpb__DeleteRangeResponse *do_delete(
    yr_fake_turn *turn, const Etcdserverpb__DeleteRangeRequest *request)
{
    Etcdserverpb__DeleteRangeResponse *response = yr_fake_turn_alloc(turn, sizeof(*response));
    etcdserverpb__delete_range_response__init(response);
    if (request->prev_kv) {
        Etcdserverpb__RangeRequest range = ETCDSERVERPB__RANGE_REQUEST__INIT;
        range.key = request->key;
        range.range_end = request->range_end;
        const Etcdserverpb__RangeResponse *found = do_range(turn, &range);
        response->n_prev_kvs = found->n_kvs;
        response->prev_kvs = found->kvs;
    }
    yr_fake_span span = span_of(request->key, request->range_end);
    response->deleted = yr_fake_store_delete(turn->fake->store, &span);
    return response;
}

/* ---- Single requests ---- */

void yr_fake_kv_range(yr_fake_turn *turn)
{
    const Etcdserverpb__RangeRequest *request = (const void *)turn->request;
    refusal refused = check_range(turn->fake, request);
    if (refused.code != 0) {
        yr_fake_turn_refuse(turn, refused.code, refused.text);
        return;
    }
    Etcdserverpb__RangeResponse *response = do_range(turn, request);
    response->header = yr_fake_turn_header(turn);
    yr_fake_turn_answer(turn, &response->base);
}

void yr_fake_kv_put(yr_fake_turn *turn)
{
    const Etcdserverpb__PutRequest *request = (const void *)turn->request;
    refusal refused = check_size(turn->request_len);
    if (refused.code == 0) {
        refused = check_put(turn->fake, request);
    }
    if (refused.code != 0) {
        yr_fake_turn_refuse(turn, refused.code, refused.text);
        return;
    }
    Etcdserverpb__PutResponse *response = do_put(turn, request);
    yr_fake_etcd_commit(turn->fake);
    response->header = yr_fake_turn_header(turn);
    yr_fake_turn_answer(turn, &response->base);
}

void yr_fake_kv_delete_range(yr_fake_turn *turn)
{
    const Etcdserverpb__DeleteRangeRequest *request = (const void *)turn->request;
    refusal refused = check_delete(request);
    if (refused.code != 0) {
        yr_fake_turn_refuse(turn, refused.code, refused.text);
        return;
    }
    Etcdserverpb__DeleteRangeResponse *response = do_delete(turn, request);
    yr_fake_etcd_commit(turn->fake);
    response->header = yr_fake_turn_header(turn);
    yr_fake_turn_answer(turn, &response->base);
}

void yr_fake_kv_compact(yr_fake_turn *turn)
{
    const Etcdserverpb__CompactionRequest *request = (const void *)turn->request;
    yr_fake_store *store = turn->fake->store;
    if (request->revision <= yr_fake_store_compacted(store)) {
        yr_fake_turn_refuse(turn, YR_GRPC_OUT_OF_RANGE, text_compacted);
        return;
    }
    if (request->revision > yr_fake_store_revision(store)) {
        yr_fake_turn_refuse(turn, YR_GRPC_OUT_OF_RANGE, text_future);
        return;
    }
    yr_fake_store_compact(store, request->revision);
    Etcdserverpb__CompactionResponse response = ETCDSERVERPB__COMPACTION_RESPONSE__INIT;
    response.header = yr_fake_turn_header(turn);
    yr_fake_turn_answer(turn, &response.base);
}

/* ---- Transactions ---- */

static bool compare_numbers(Etcdserverpb__Compare__Relation relation, int64_t order)
{
    switch (relation) {
    case ETCDSERVERPB__COMPARE__RELATION__EQUAL:
        return order == 0;
    case ETCDSERVERPB__COMPARE__RELATION__GREATER:
        return order > 0;
    case ETCDSERVERPB__COMPARE__RELATION__LESS:
        return order < 0;
    case ETCDSERVERPB__COMPARE__RELATION__NOT_EQUAL:
        return order != 0;
    case _ETCDSERVERPB__COMPARE__RELATION_IS_INT_SIZE:
        break;
    }
    return true;
}

static int64_t order_of(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* A key that does not exist has zero for everything, but no value that could be compared. */
static bool does_hold(const yr_fake_etcd *fake, const Etcdserverpb__Compare *compare)
{
    static const yr_fake_version absent = {0};
    const yr_fake_version *found =
        yr_fake_store_find(fake->store, yr_fake_bytes(compare->key), 0);
    const yr_fake_version *version = found != NULL ? found : &absent;
    /* The union's field numbers are those of the targets, plus 4; another's is not looked at.
     */
    bool is_given = (int)compare->target_union_case == (int)compare->target + 4;
    bool is_value = compare->target == ETCDSERVERPB__COMPARE__TARGET__VALUE;
    int64_t number = is_given && !is_value ? compare->version : 0;
    int64_t order = 0;
    switch (compare->target) {
    case ETCDSERVERPB__COMPARE__TARGET__VERSION:
        order = order_of(version->version, number);
        break;
    case ETCDSERVERPB__COMPARE__TARGET__CREATE:
        order = order_of(version->create_revision, number);
        break;
    case ETCDSERVERPB__COMPARE__TARGET__MOD:
        order = order_of(version->mod_revision, number);
        break;
    case ETCDSERVERPB__COMPARE__TARGET__LEASE:
        order = order_of(version->lease, number);
        break;
    case ETCDSERVERPB__COMPARE__TARGET__VALUE:
        if (found == NULL) {
            return false;
        }
        order = yr_bytes_compare(version->value,
                                 is_given ? yr_fake_bytes(compare->value) : (yurpc_bytes){0});
        break;
    case _ETCDSERVERPB__COMPARE__TARGET_IS_INT_SIZE:
        break;
    }
    return compare_numbers(compare->result, order);
}

/* Whether an operation writes this key. */
static bool does_write(const Etcdserverpb__RequestOp *op, yurpc_bytes key)
{
    if (op->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT) {
        return yr_bytes_equal(key, yr_fake_bytes(op->request_put->key));
    }
    if (op->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE) {
        const Etcdserverpb__DeleteRangeRequest *removal = op->request_delete_range;
        yr_fake_span span = span_of(removal->key, removal->range_end);
        return yr_fake_span_has(&span, key);
    }
    return false;
}

/* Whether what the put number @p index writes, another operation of its branch writes, too. */
static bool is_duplicate(Etcdserverpb__RequestOp *const *ops, size_t count, size_t index)
{
    yurpc_bytes key = yr_fake_bytes(ops[index]->request_put->key);
    for (size_t i = 0; i < count; i++) {
        if (i != index && does_write(ops[i], key)) {
            return true;
        }
    }
    return false;
}

/* What can be said of a branch before it is chosen: its form. */
static refusal check_form(Etcdserverpb__RequestOp *const *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t key_len = 1;
        switch (ops[i]->request_case) {
        case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE:
            key_len = ops[i]->request_range->key.len;
            break;
        case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT:
            key_len = ops[i]->request_put->key.len;
            break;
        case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE:
            key_len = ops[i]->request_delete_range->key.len;
            break;
        case ETCDSERVERPB__REQUEST_OP__REQUEST__NOT_SET:
        case _ETCDSERVERPB__REQUEST_OP__REQUEST__CASE_IS_INT_SIZE:
            return (refusal){YR_GRPC_INVALID_ARGUMENT, text_no_operation};
        }
        if (key_len == 0) {
            return (refusal){YR_GRPC_INVALID_ARGUMENT, text_no_key};
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (ops[i]->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT &&
            is_duplicate(ops, count, i)) {
            return (refusal){YR_GRPC_INVALID_ARGUMENT, text_duplicate};
        }
    }
    return accepted;
}

static refusal check_txn(const Etcdserverpb__TxnRequest *request)
{
    if (request->n_compare > TXN_OPS_MAX || request->n_success > TXN_OPS_MAX ||
        request->n_failure > TXN_OPS_MAX) {
        return (refusal){YR_GRPC_INVALID_ARGUMENT, text_too_many_ops};
    }
    for (size_t i = 0; i < request->n_compare; i++) {
        if (request->compare[i]->key.len == 0) {
            return (refusal){YR_GRPC_INVALID_ARGUMENT, text_no_key};
        }
    }
    refusal refused = check_form(request->success, request->n_success);
    return refused.code != 0 ? refused : check_form(request->failure, request->n_failure);
}

/* Whether one of its branches puts, be it chosen or not. */
static bool may_put(const Etcdserverpb__TxnRequest *request)
{
    size_t puts = 0;
    for (size_t i = 0; i < request->n_success; i++) {
        puts +=
            request->success[i]->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
    }
    for (size_t i = 0; i < request->n_failure; i++) {
        puts +=
            request->failure[i]->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT;
    }
    return puts > 0;
}

/* Whether the chosen branch can be done as a whole. */
static refusal check_branch(const yr_fake_etcd *fake, Etcdserverpb__RequestOp *const *ops,
                            size_t count)
{
    refusal refused = accepted;
    for (size_t i = 0; i < count && refused.code == 0; i++) {
        if (ops[i]->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE) {
            refused = check_range(fake, ops[i]->request_range);
        } else if (ops[i]->request_case == ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT) {
            refused = check_put(fake, ops[i]->request_put);
        }
    }
    return refused;
}

/* The answers inside a transaction have only a revision: how far it had come by then. */
static Etcdserverpb__ResponseHeader *make_op_header(yr_fake_turn *turn)
{
    const yr_fake_store *store = turn->fake->store;
    Etcdserverpb__ResponseHeader *header = yr_fake_turn_alloc(turn, sizeof(*header));
    etcdserverpb__response_header__init(header);
    header->revision = yr_fake_store_revision(store) + yr_fake_store_is_dirty(store);
    return header;
}

static Etcdserverpb__ResponseOp *do_op(yr_fake_turn *turn, const Etcdserverpb__RequestOp *op)
{
    Etcdserverpb__ResponseOp *response = yr_fake_turn_alloc(turn, sizeof(*response));
    etcdserverpb__response_op__init(response);
    switch (op->request_case) {
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_RANGE:
        response->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_RANGE;
        response->response_range = do_range(turn, op->request_range);
        response->response_range->header = make_op_header(turn);
        break;
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_PUT:
        response->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_PUT;
        response->response_put = do_put(turn, op->request_put);
        response->response_put->header = make_op_header(turn);
        break;
    case ETCDSERVERPB__REQUEST_OP__REQUEST_REQUEST_DELETE_RANGE:
        response->response_case = ETCDSERVERPB__RESPONSE_OP__RESPONSE_RESPONSE_DELETE_RANGE;
        response->response_delete_range = do_delete(turn, op->request_delete_range);
        response->response_delete_range->header = make_op_header(turn);
        break;
    case ETCDSERVERPB__REQUEST_OP__REQUEST__NOT_SET:
    case _ETCDSERVERPB__REQUEST_OP__REQUEST__CASE_IS_INT_SIZE:
        break;
    }
    return response;
}

static bool do_all_hold(const yr_fake_etcd *fake, const Etcdserverpb__TxnRequest *request)
{
    for (size_t i = 0; i < request->n_compare; i++) {
        if (!does_hold(fake, request->compare[i])) {
            return false;
        }
    }
    return true;
}

void yr_fake_kv_txn(yr_fake_turn *turn)
{
    const Etcdserverpb__TxnRequest *request = (const void *)turn->request;
    Etcdserverpb__TxnResponse response = ETCDSERVERPB__TXN_RESPONSE__INIT;
    response.succeeded = do_all_hold(turn->fake, request);
    Etcdserverpb__RequestOp *const *ops =
        response.succeeded ? request->success : request->failure;
    size_t count = response.succeeded ? request->n_success : request->n_failure;

    refusal refused = check_txn(request);
    if (refused.code == 0) {
        refused = check_size(turn->request_len);
    }
    if (refused.code == 0 && turn->fake->is_full && may_put(request)) {
        refused = (refusal){YR_GRPC_RESOURCE_EXHAUSTED, text_no_space};
    }
    if (refused.code == 0) {
        refused = check_branch(turn->fake, ops, count);
    }
    if (refused.code != 0) {
        yr_fake_turn_refuse(turn, refused.code, refused.text);
        return;
    }
    response.responses =
        yr_fake_turn_alloc(turn, (count + 1) * sizeof(Etcdserverpb__ResponseOp *));
    for (; response.n_responses < count; response.n_responses++) {
        response.responses[response.n_responses] = do_op(turn, ops[response.n_responses]);
    }
    yr_fake_etcd_commit(turn->fake);
    response.header = yr_fake_turn_header(turn);
    yr_fake_turn_answer(turn, &response.base);
}
