/*
 * A list of endpoints as somebody wrote it: what is accepted has sane parts, and is the same
 * when its names are read again. What is refused is refused in words, without a password.
 */
#include "base/buf.h"
#include "etcd/endpoints.h"
#include "fuzz.h"

#include <string.h>

static void check_error(const yurpc_error *error, const char *given)
{
    const char *text = yurpc_error_text(error);
    require(yurpc_error_status(error) == YURPC_INVALID);
    for (const char *at = text; *at != '\0'; at++) {
        require((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
    /* user:password@host: nothing of it is repeated before the advice, which may be like it. */
    const char *advice = strstr(text, "; right is");
    size_t said = advice != NULL ? (size_t)(advice - text) : strlen(text);
    const char *end = strchr(given, '@');
    const char *scheme = strstr(given, "://");
    given = scheme != NULL && end != NULL && scheme < end ? scheme + 3 : given;
    require(end == NULL || end - given < 8 || strchr(given, ',') != NULL ||
            memmem(text, said, given, (size_t)(end - given)) == NULL);
}

static void check_endpoint(const yr_endpoint *endpoint)
{
    require(endpoint->port > 0 && endpoint->host[0] != '\0');
    require(strlen(endpoint->host) <= 253 && strlen(endpoint->name) <= 253 + 8);
    for (const char *at = endpoint->name; *at != '\0'; at++) {
        require((unsigned char)*at > 0x20 && (unsigned char)*at < 0x7f && *at != '/' &&
                *at != ',' && *at != '@');
    }
}

static void read_again(const yr_endpoints *endpoints)
{
    yr_endpoints again;
    yr_buf text;
    yr_buf_init(&text, 64U * 1024U);
    for (size_t i = 0; i < endpoints->count; i++) {
        require(yr_buf_append_format(&text, "%s%s", i > 0 ? "," : "",
                                     endpoints->items[i].name) == YURPC_OK);
    }
    char *names = yr_buf_detach_text(&text);
    require(names != NULL && yr_endpoints_init(&again, names, false, 0, NULL) == YURPC_OK);
    require(again.count == endpoints->count);
    for (size_t i = 0; i < again.count; i++) {
        require(strcmp(again.items[i].host, endpoints->items[i].host) == 0);
        require(again.items[i].port == endpoints->items[i].port);
    }
    yr_endpoints_deinit(&again);
    free(names);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, size};
    uint64_t random = fuzz_byte(&in);
    char *text = fuzz_text(in.at, in.left);
    yr_endpoints endpoints;
    yurpc_error *error = NULL;
    if (yr_endpoints_init(&endpoints, text, false, random, &error) == YURPC_OK) {
        require(endpoints.count > 0 && endpoints.count <= YR_ENDPOINTS_MAX);
        for (size_t i = 0; i < endpoints.count; i++) {
            check_endpoint(yr_endpoints_first(&endpoints));
            yr_endpoints_rotate(&endpoints);
        }
        read_again(&endpoints);
        yr_endpoints_deinit(&endpoints);
    } else {
        check_error(error, text);
        yurpc_error_free(error);
    }
    free(text);
    return 0;
}
