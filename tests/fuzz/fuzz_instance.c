/*
 * The value of an instance: the scanner and the JSON reader must agree where the scanner
 * accepts, and what was read must be the same when written and read again.
 */
#include "base/bytes.h"
#include "base/mem.h"
#include "registry/instance.h"
#include "registry/instance_value.h"

#include <stdlib.h>

#define SERVICE "com.acme.UserService:1.0"
#define NODE    "10.0.0.5:8080"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool claim)
{
    if (!claim) {
        abort();
    }
}

static void compare_readers(yurpc_bytes value)
{
    yr_instance_view scanned;
    yr_instance_view read;
    yr_json *root = NULL;
    if (!yr_instance_scan(value, &scanned)) {
        return;
    }
    require(yr_instance_read_json(value, &read, &root, NULL) == YURPC_OK);
    require(yr_bytes_equal(scanned.name, read.name));
    require(yr_bytes_equal(scanned.version, read.version));
    require(yr_bytes_equal(scanned.host, read.host));
    require(yr_bytes_equal(scanned.group, read.group));
    require(scanned.port == read.port && scanned.weight == read.weight);
    require(scanned.is_draining == read.is_draining && read.metadata == NULL);
    yr_json_free(root);
}

static yurpc_instance *decode(yurpc_bytes value)
{
    yurpc_instance *instance = NULL;
    yurpc_status status = yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(NODE),
                                             value, 1, &instance, NULL);
    require((status == YURPC_OK) == (instance != NULL));
    return instance;
}

static void write_and_read_again(const yurpc_instance *instance)
{
    yurpc_metadata metadata[YR_METADATA_MAX];
    yurpc_instance_spec spec = YURPC_INSTANCE_SPEC_INIT;
    spec.service = SERVICE;
    spec.host = yurpc_instance_host(instance);
    spec.port = yurpc_instance_port(instance);
    spec.group = yurpc_instance_group(instance);
    spec.weight = yurpc_instance_weight(instance);
    spec.metadata = metadata;
    spec.metadata_count = yurpc_instance_metadata_count(instance);
    for (size_t i = 0; i < spec.metadata_count && i < YR_METADATA_MAX; i++) {
        metadata[i] = yurpc_instance_metadata_at(instance, i);
    }
    if (yr_instance_spec_check(&spec, NULL) != YURPC_OK) {
        return; /* we read more than we write */
    }
    yr_buf value;
    yr_buf_init(&value, YR_INSTANCE_VALUE_MAX);
    require(yr_instance_encode(&spec, yurpc_instance_is_draining(instance), &value) ==
            YURPC_OK);
    yurpc_instance *again = decode(yr_bytes(value.data, value.len));
    require(again != NULL && yr_instance_is_equal(instance, again));
    yr_instance_unref(again);
    yr_buf_deinit(&value);
}

/* The key is a stranger's, too. */
static void decode_under_any_key(yurpc_bytes value)
{
    yurpc_instance *instance = NULL;
    size_t half = value.len / 2;
    yurpc_status status = yr_instance_decode(
        yr_bytes(value.data, half), yr_bytes_after(value, half),
        yr_bytes_of_text("{\"serviceHost\":\"h\",\"servicePort\":1}"), 1, &instance, NULL);
    require((status == YURPC_OK) == (instance != NULL));
    yr_instance_unref(instance);
}

/* Each allocation fails in turn: nothing else does. */
static void decode_without_memory(yurpc_bytes value)
{
    yurpc_status status = YURPC_NO_MEMORY;
    for (long n = 0; status == YURPC_NO_MEMORY; n++) {
        yurpc_instance *instance = NULL;
        yr_mem_fail_after(n);
        status = yr_instance_decode(yr_bytes_of_text(SERVICE), yr_bytes_of_text(NODE), value, 1,
                                    &instance, NULL);
        yr_mem_fail_after(-1);
        yr_instance_unref(instance);
    }
}

static void read_all(const yurpc_instance *instance)
{
    require(yurpc_instance_name(instance)[0] != '\0');
    require(yurpc_instance_version(instance)[0] != '\0');
    require(yurpc_instance_address(instance)[0] != '\0');
    require(!yr_instance_is_mismatch(instance) || yurpc_instance_port(instance) > 0);
    size_t count = yurpc_instance_metadata_count(instance);
    require(yurpc_instance_metadata_at(instance, count).key == NULL);
    yurpc_instance *suspect = yr_instance_new_suspect(instance);
    require(suspect != NULL && yurpc_instance_metadata_count(suspect) == count);
    yr_instance_unref(suspect);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yurpc_bytes value = yr_bytes(data, size);
    compare_readers(value);
    decode_without_memory(value);
    decode_under_any_key(value);
    yurpc_instance *instance = decode(value);
    if (instance != NULL) {
        read_all(instance);
        write_and_read_again(instance);
        yr_instance_unref(instance);
    }
    return 0;
}
