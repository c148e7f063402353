/* The etcd client by itself: write a key, read it, and change it only if nobody else did. */
#include <yurpc/etcd.h>

#include <stdio.h>
#include <string.h>

static yurpc_bytes bytes(const char *text)
{
    return (yurpc_bytes){text, strlen(text)};
}

/* Write @p value to @p key if it is still as it was at @p revision. */
static yurpc_status replace(yurpc_etcd *client, const char *key, int64_t revision,
                            const char *value, yurpc_etcd_reply **ret_reply,
                            yurpc_error **ret_error)
{
    yurpc_etcd_compare is_unchanged = {.key = bytes(key),
                                       .target = YURPC_ETCD_MOD_REVISION,
                                       .relation = YURPC_ETCD_EQUAL,
                                       .number = revision};
    yurpc_etcd_op put = {.kind = YURPC_ETCD_PUT, .key = bytes(key), .value = bytes(value)};
    yurpc_etcd_txn_request txn = YURPC_ETCD_TXN_INIT;
    txn.compares = &is_unchanged;
    txn.compare_count = 1;
    txn.then_ops = &put;
    txn.then_count = 1;
    return yurpc_etcd_txn(client, &txn, ret_reply, ret_error);
}

static yurpc_status work(yurpc_etcd *client, yurpc_error **ret_error)
{
    const char *key = "/example/greeting";
    yurpc_etcd_reply *found = NULL;
    yurpc_etcd_reply *changed = NULL;
    yurpc_status status =
        yurpc_etcd_put(client, bytes(key), bytes("hello"), NULL, NULL, ret_error);
    if (status == YURPC_OK) {
        status = yurpc_etcd_range(client, bytes(key), NULL, &found, ret_error);
    }
    if (status == YURPC_OK && found->kv_count == 1) {
        const yurpc_etcd_kv *kv = &found->kvs[0];
        printf("%s is '%.*s'\n", key, (int)kv->value.len, (const char *)kv->value.data);
        status = replace(client, key, kv->mod_revision, "hello again", &changed, ret_error);
    }
    if (status == YURPC_OK && changed != NULL) {
        puts(changed->is_succeeded ? "changed" : "somebody else was faster");
    }
    yurpc_etcd_reply_free(changed);
    yurpc_etcd_reply_free(found);
    return status;
}

int main(int argc, char **argv)
{
    yurpc_etcd *client = NULL;
    yurpc_error *error = NULL;
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    config.endpoints = argc > 1 ? argv[1] : NULL; /* NULL: http://localhost:2379 */

    if (yurpc_etcd_open(&config, &client, &error) != YURPC_OK ||
        work(client, &error) != YURPC_OK) {
        (void)fprintf(stderr, "etcd: %s\n", yurpc_error_text(error));
    }
    int failed = error != NULL;
    yurpc_etcd_close(client);
    yurpc_error_free(error);
    return failed;
}
