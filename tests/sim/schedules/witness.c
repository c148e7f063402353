#include "sim/schedules/witness.h"

#include "base/bytes.h"
#include "registry/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(bool claim, const char *what)
{
    if (!claim) {
        fprintf(stderr, "the witness: %s\n", what);
        abort();
    }
}

static char *copy(const void *data, size_t len)
{
    char *text = malloc(len + 1);
    must(text != NULL, "no memory");
    if (len > 0) {
        memcpy(text, data, len);
    }
    text[len] = '\0';
    return text;
}

void yr_witness_init(yr_witness *witness)
{
    *witness = (yr_witness){.deeds = NULL};
}

void yr_witness_deinit(yr_witness *witness)
{
    for (size_t i = 0; i < witness->count; i++) {
        free(witness->deeds[i].service);
        free(witness->deeds[i].node);
        free(witness->deeds[i].value);
    }
    free(witness->deeds);
    yr_witness_init(witness);
}

static void add(yr_witness *witness, const yr_fake_version *write)
{
    enum { STEP = 64 };
    static const char root[] = "/rpc/";
    if (!yr_bytes_have_prefix(write->key, yr_bytes_of_text(root))) {
        return;
    }
    yurpc_bytes rest = yr_bytes_after(write->key, sizeof root - 1);
    const char *slash = memchr(rest.data, '/', rest.len);
    if (slash == NULL) {
        return;
    }
    size_t service_len = (size_t)(slash - (const char *)rest.data);
    if (witness->count % STEP == 0) {
        yr_deed *deeds =
            realloc(witness->deeds, (witness->count + STEP) * sizeof *witness->deeds);
        must(deeds != NULL, "no memory");
        witness->deeds = deeds;
    }
    witness->deeds[witness->count++] =
        (yr_deed){.epoch = witness->epoch,
                  .revision = write->mod_revision,
                  .is_deletion = write->version == 0,
                  .service = copy(rest.data, service_len),
                  .node = copy(slash + 1, rest.len - service_len - 1),
                  .value = copy(write->value.data, write->value.len),
                  .value_len = write->value.len};
}

void yr_witness_on_commit(void *context, const yr_fake_version *const *writes, size_t count)
{
    yr_witness *witness = context;
    for (size_t i = 0; i < count; i++) {
        add(witness, writes[i]);
    }
    if (count > 0) {
        return;
    }
    witness->epoch++;
    must(witness->fake != NULL, "nobody said where the data is");
    const yr_fake_store *store = yr_fake_etcd_store(witness->fake);
    for (size_t i = 0; i < yr_fake_store_write_count(store); i++) {
        add(witness, yr_fake_store_write(store, i)); /* what was restored */
    }
}

/* As a consumer reads it; NULL: it is no instance. */
static yurpc_instance *read(const yr_deed *deed)
{
    yurpc_instance *instance = NULL;
    if (deed->is_deletion ||
        yr_instance_decode(yr_bytes_of_text(deed->service), yr_bytes_of_text(deed->node),
                           yr_bytes(deed->value, deed->value_len), deed->revision, &instance,
                           NULL) != YURPC_OK) {
        return NULL;
    }
    return instance;
}

static bool is_of(const yr_deed *deed, const yr_sighting *seen)
{
    return yr_bytes_equal(yr_bytes_of_text(deed->node), yr_instance_node(seen->instance)) &&
           strcmp(deed->service, seen->service) == 0;
}

/* Whether that was written. That it became suspect since is nothing that was written. */
static bool is_same(const yr_deed *deed, const yurpc_instance *seen)
{
    yurpc_instance *written = read(deed);
    if (written == NULL) {
        return false;
    }
    yurpc_instance *expected = written;
    if (yurpc_instance_is_suspect(seen)) {
        expected = yr_instance_new_suspect(written);
        must(expected != NULL, "no memory");
        yr_instance_unref(written);
    }
    bool is_equal = yr_instance_is_equal(expected, seen);
    yr_instance_unref(expected);
    return is_equal;
}

/* An instance from a disk has no revision: it may have been written at any. */
static bool was_written(const yr_deed *deed, int64_t revision)
{
    return revision == 0 || deed->revision == revision;
}

bool yr_witness_find(const yr_witness *witness, const yr_sighting *seen, uint32_t epoch,
                     int64_t revision_min, uint32_t *ret_epoch)
{
    int64_t revision = yurpc_instance_revision(seen->instance);
    for (size_t i = 0; i < witness->count; i++) {
        const yr_deed *deed = &witness->deeds[i];
        bool is_too_old =
            deed->epoch < epoch || (deed->epoch == epoch && deed->revision < revision_min);
        if (is_too_old || !was_written(deed, revision) || !is_of(deed, seen)) {
            continue;
        }
        if (is_same(deed, seen->instance)) {
            *ret_epoch = deed->epoch;
            return true;
        }
    }
    return false;
}

bool yr_witness_saw_end(const yr_witness *witness, const yr_sighting *seen, uint32_t epoch)
{
    int64_t revision = yurpc_instance_revision(seen->instance);
    if (epoch < witness->epoch) {
        return true;
    }
    for (size_t i = 0; i < witness->count; i++) {
        const yr_deed *deed = &witness->deeds[i];
        if (deed->epoch != epoch || deed->revision <= revision || !is_of(deed, seen)) {
            continue;
        }
        yurpc_instance *instance = read(deed);
        if (instance == NULL) {
            return true;
        }
        yr_instance_unref(instance);
    }
    return false;
}
