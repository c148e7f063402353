#include "etcd/status_table.h"
#include "yr_test.h"

#include <string.h>

typedef struct known_end {
    int code;
    const char *text;
    yurpc_status status;
    bool is_rejected;
} known_end;

/* As etcd 3.4 and 3.5 say them. */
static const known_end ends[] = {
    {5, "etcdserver: requested lease not found", YURPC_LEASE_LOST, true},
    {5, "anything else", YURPC_NOT_FOUND, true},
    {9, "etcdserver: lease already exists", YURPC_EXISTS, true},
    {11, "etcdserver: too large lease TTL", YURPC_INVALID, true},
    {11, "etcdserver: mvcc: required revision has been compacted", YURPC_COMPACTED, true},
    {11, "etcdserver: mvcc: required revision is a future revision", YURPC_INVALID, true},
    {8, "etcdserver: mvcc: database space exceeded", YURPC_EXHAUSTED, true},
    {8, "etcdserver: too many requests", YURPC_EXHAUSTED, true},
    {8, "grpc: received message larger than max (3 vs. 2)", YURPC_TOO_LARGE, true},
    {3, "etcdserver: request is too large", YURPC_TOO_LARGE, true},
    {3, "etcdserver: too many operations in txn request", YURPC_TOO_LARGE, true},
    {3, "etcdserver: duplicate key given in txn request", YURPC_INVALID, true},
    {3, "etcdserver: user name is empty", YURPC_UNAUTHENTICATED, true},
    {3, "etcdserver: revision of auth store is old", YURPC_UNAUTHENTICATED, true},
    {16, "etcdserver: invalid auth token", YURPC_UNAUTHENTICATED, true},
    {7, "etcdserver: permission denied", YURPC_DENIED, true},
    {14, "etcdserver: no leader", YURPC_UNAVAILABLE, true},
    {14, "etcdserver: request timed out", YURPC_UNAVAILABLE, false},
    {14, "etcdserver: request timed out, possibly due to previous leader failure",
     YURPC_UNAVAILABLE, false},
    {14, "transport is closing", YURPC_UNAVAILABLE, false},
    {2, "context deadline exceeded", YURPC_TIMEOUT, false},
    {4, "context deadline exceeded", YURPC_TIMEOUT, false},
    {12, "unknown service etcdserverpb.KV", YURPC_UNSUPPORTED, true},
    {13, "grpc: error unmarshalling request", YURPC_REMOTE, false},
    {2, "", YURPC_REMOTE, false},
    {15, "etcdserver: corrupt cluster", YURPC_CORRUPT, false},
    {99, "no such code", YURPC_REMOTE, false},
    {-1, "", YURPC_REMOTE, false},
};

/* Named, so that a failure tells which. */
static void assert_status(const char *text, yurpc_status status, yurpc_status expected)
{
    if (status != expected) {
        fail_msg("\"%s\": %s", text, yurpc_status_name(status));
    }
}

static void each_known_end_has_its_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        yr_etcd_verdict verdict = yr_etcd_verdict_of_end(ends[i].code, ends[i].text);
        assert_status(ends[i].text, verdict.status, ends[i].status);
        assert_int_equal(verdict.is_rejected, ends[i].is_rejected);
    }
}

static void no_code_of_a_failure_means_success(void **state)
{
    (void)state;
    for (int code = 1; code < 40; code++) {
        assert_int_not_equal(yr_etcd_verdict_of_end(code, "").status, YURPC_OK);
    }
}

static void a_reason_may_spell_out_a_code(void **state)
{
    (void)state;
    static const known_end reasons[] = {
        {0, "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
         YURPC_UNAUTHENTICATED, true},
        {0, "rpc error: code = Unauthenticated desc = changed words", YURPC_UNAUTHENTICATED,
         true},
        {0, "rpc error: code = PermissionDenied desc = x", YURPC_DENIED, true},
        {0, "rpc error: code = Unavailable desc = x", YURPC_UNAVAILABLE, false},
        {0, "rpc error: code = Nonsense desc = x", YURPC_REMOTE, false},
        {0, "rpc error: code = ", YURPC_REMOTE, false},
        {0, "etcdserver: permission denied", YURPC_DENIED, true},
        {0, "etcdserver: no leader", YURPC_UNAVAILABLE, true},
        {0, "mvcc: watcher range is empty", YURPC_INVALID, true},
        {0, "etcdserver: mvcc: required revision has been compacted", YURPC_COMPACTED, true},
        {0, "something new", YURPC_REMOTE, false},
        {0, "", YURPC_REMOTE, false},
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        yr_etcd_verdict verdict = yr_etcd_verdict_of_reason(reasons[i].text);
        assert_status(reasons[i].text, verdict.status, reasons[i].status);
    }
}

/* What helps follows from the status, except that a wrong password stays wrong. */
static yr_remedy remedy_of(yurpc_status status)
{
    return status == YURPC_LEASE_LOST                               ? YR_REMEDY_GRANT
           : status == YURPC_COMPACTED                              ? YR_REMEDY_LIST
           : status == YURPC_UNAVAILABLE || status == YURPC_TIMEOUT ? YR_REMEDY_RETRY
           : status == YURPC_UNAUTHENTICATED                        ? YR_REMEDY_LOG_IN
                                                                    : YR_REMEDY_NONE;
}

static void each_status_has_its_remedy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        yr_etcd_verdict verdict = yr_etcd_verdict_of_end(ends[i].code, ends[i].text);
        bool is_wrong_password = strstr(ends[i].text, "authentication failed") != NULL;
        assert_int_equal(verdict.remedy,
                         is_wrong_password ? YR_REMEDY_NONE : remedy_of(ends[i].status));
    }
    assert_int_equal(yr_etcd_verdict_of_end(3, "etcdserver: user name is empty").remedy,
                     YR_REMEDY_LOG_IN);
    assert_int_equal(yr_etcd_verdict_of_end(7, "etcdserver: permission denied").remedy,
                     YR_REMEDY_NONE);
}

/* etcd 3.4.25 and later say of a watch whose token has expired that permission was denied. */
static void a_watch_that_is_denied_may_want_another_token(void **state)
{
    (void)state;
    static const char *const reasons[] = {
        "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
        "etcdserver: permission denied",
        "rpc error: code = Unauthenticated desc = etcdserver: invalid auth token",
        "rpc error: code = InvalidArgument desc = etcdserver: user name is empty",
        "rpc error: code = InvalidArgument desc = etcdserver: revision of auth store is old",
    };
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        assert_int_equal(yr_etcd_verdict_of_reason(reasons[i]).remedy, YR_REMEDY_LOG_IN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_known_end_has_its_status),
        cmocka_unit_test(no_code_of_a_failure_means_success),
        cmocka_unit_test(a_reason_may_spell_out_a_code),
        cmocka_unit_test(each_status_has_its_remedy),
        cmocka_unit_test(a_watch_that_is_denied_may_want_another_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
