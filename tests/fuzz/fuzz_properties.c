/* A properties file: entries are text, in the order of their lines. */
#include "base/bytes.h"
#include "base/mem.h"
#include "base/properties.h"
#include "base/utf8.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each allocation fails in turn: nothing else does. */
static void parse_without_memory(yurpc_bytes text)
{
    yurpc_status status = YURPC_NO_MEMORY;
    for (long n = 0; status == YURPC_NO_MEMORY; n++) {
        yr_properties *properties = NULL;
        yr_mem_fail_after(n);
        status = yr_properties_parse("x", text, &properties, NULL);
        yr_mem_fail_after(-1);
        yr_properties_free(properties);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    yr_properties *properties = NULL;
    parse_without_memory(yr_bytes(data, size));
    if (yr_properties_parse("x", yr_bytes(data, size), &properties, NULL) != YURPC_OK) {
        return 0;
    }
    unsigned line = 0;
    for (size_t i = 0; i < yr_properties_count(properties); i++) {
        yr_property property = yr_properties_at(properties, i);
        if (property.line <= line || !yr_utf8_is_valid(yr_bytes_of_text(property.key)) ||
            !yr_utf8_is_valid(yr_bytes_of_text(property.value))) {
            abort();
        }
        line = property.line;
    }
    yr_properties_free(properties);
    return 0;
}
