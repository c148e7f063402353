/*
 * An application.properties with anything in it: the settings are within their limits, and
 * what is said about a wrong one is one line.
 */
#include "base/properties.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "registry/driver.h"
#include "registry/handle/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

const yr_driver_ops yr_driver_etcd = {.name = "etcd"};
const yr_driver_ops yr_driver_local = {.name = "local"};

static void on_log(void *context, yurpc_log_level level, const char *component,
                   const char *text)
{
    (void)context;
    (void)level;
    (void)component;
    require(yr_utf8_is_plain(yr_bytes_of_text(text)));
}

static void check(const yr_config *config)
{
    require(config->registry != NULL && config->timeout_ms >= YR_TIMEOUT_MIN_MS);
    require(config->timeout_ms <= YR_TIMEOUT_MAX_MS);
    require(config->ttl_ms >= YR_TTL_MIN_S * 1000 && config->ttl_ms <= YR_TTL_MAX_S * 1000);
    require(config->address == NULL || yr_utf8_is_plain(yr_bytes_of_text(config->address)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char path[64];
    if (fd < 0) {
        (void)unsetenv("YURPC_CONFIG");
        fd = memfd_create("properties", MFD_CLOEXEC);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        yr_properties *none = NULL;
        require(yr_properties_load("/nowhere", &none, NULL) == YURPC_IO);
        require(yr_properties_load("/", &none, NULL) == YURPC_IO);
    }
    require(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    yurpc_error *error = NULL;
    yr_config *config = NULL;
    given.file = path;
    given.log = on_log;
    yurpc_status status = yr_config_load(&given, &config, &error);
    require((status == YURPC_OK) == (config != NULL) && status == yurpc_error_status(error));
    require(status != YURPC_NO_MEMORY);
    if (config != NULL) {
        check(config);
    }
    require(yr_utf8_is_plain(yr_bytes_of_text(yurpc_error_text(error))));
    yr_config_free(config);
    yurpc_error_free(error);
    return 0;
}
