#include "session.h"

#include "table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cli_say(const char *format, ...)
{
    char text[1024];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    flockfile(stderr); /* the library's threads write lines there, too */
    (void)fputs("yurpc: ", stderr);
    cli_print_text(stderr, text);
    (void)fputc('\n', stderr);
    funlockfile(stderr);
}

/* The one table from status to exit code, with what the user can do about it. */
static const struct {
    yurpc_status status;
    int code;
    const char *advice;
} outcomes[] = {
    {YURPC_OK, CLI_DONE, ""},
    {YURPC_INVALID, CLI_USAGE, ""},
    {YURPC_NOT_FOUND, CLI_NOT_FOUND, ""},
    {YURPC_UNAVAILABLE, CLI_UNREACHABLE, "; does it run, and does -a name it?"},
    {YURPC_TIMEOUT, CLI_UNREACHABLE, "; does it run, and does -a name it?"},
    {YURPC_UNKNOWN_OUTCOME, CLI_UNREACHABLE, "; look with discover, then try again"},
    {YURPC_PROTOCOL, CLI_UNREACHABLE, "; does -a name a registry?"},
    {YURPC_UNAUTHENTICATED, CLI_REFUSED, "; check --user and the password"},
    {YURPC_DENIED, CLI_REFUSED, "; the user needs more rights in the registry"},
    {YURPC_TLS, CLI_REFUSED, "; see --cacert, --cert and --key"},
    {YURPC_EXISTS, CLI_CONFLICT, ""},
    {YURPC_CONFLICT, CLI_CONFLICT, "; try again"},
};

static size_t find_outcome(yurpc_status status, size_t count)
{
    size_t i = 0;
    while (i < count && outcomes[i].status != status) {
        i++;
    }
    return i;
}

int cli_exit_code(yurpc_status status)
{
    size_t count = sizeof outcomes / sizeof outcomes[0];
    size_t i = find_outcome(status, count);
    return i < count ? outcomes[i].code : CLI_FAILED;
}

/* Whether @p text asks something itself; a question in what it quotes does not count. */
static bool is_question(const char *text)
{
    size_t len = strlen(text);
    return (len > 0 && text[len - 1] == '?') || strstr(text, "? (") != NULL;
}

int cli_fail(yurpc_status status, yurpc_error *error)
{
    size_t count = sizeof outcomes / sizeof outcomes[0];
    size_t i = find_outcome(status, count);
    const char *text = error != NULL ? yurpc_error_text(error) : yurpc_status_text(status);
    cli_say("%s%s", text, i < count && !is_question(text) ? outcomes[i].advice : "");
    yurpc_error_free(error);
    return i < count ? outcomes[i].code : CLI_FAILED;
}

static void print_log(void *context, yurpc_log_level level, const char *component,
                      const char *text)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)context;
    (void)fprintf(stderr, "yurpc: %s: %s: %s\n", names[level], component, text);
}

/* What nobody asked to hear, but has to: that somebody else may be listening, or was at the
 * lists on disk; and why what is to be registered is not. */
static void print_danger(void *context, yurpc_log_level level, const char *component,
                         const char *text)
{
    bool is_set_aside = strcmp(component, "cache") == 0 && level == YURPC_LOG_ERROR;
    if (is_set_aside || strcmp(component, "tls") == 0 || strcmp(component, "provider") == 0) {
        print_log(context, level, component, text);
    }
}

int cli_open(const cli_options *options, yurpc_registry **ret_registry)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.registry = options->registry;
    config.address = options->address;
    config.file = options->config;
    config.username = options->user;
    config.password_file = options->password_file;
    config.tls_ca_file = options->cacert;
    config.tls_cert_file = options->cert;
    config.tls_key_file = options->key;
    config.is_tls_insecure = options->is_insecure > 0;
    config.cache_dir = options->cache_dir;
    config.allowed_hosts = options->allowed_hosts;
    config.timeout_ms = options->timeout_ms;
    config.ttl_s = options->ttl_s;
    config.log = options->verbosity > 0 ? print_log : print_danger;
    config.log_level = options->verbosity > 1   ? YURPC_LOG_DEBUG
                       : options->verbosity > 0 ? YURPC_LOG_INFO
                                                : YURPC_LOG_WARN;
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registry_open(&config, ret_registry, &error);
    if (status == YURPC_OK) {
        return CLI_DONE;
    }
    int code = cli_fail(status, error);
    /* Opening waits for nothing: what cannot be opened was named wrongly. */
    return status == YURPC_NO_MEMORY ? code : CLI_USAGE;
}

void cli_format_age(int64_t age_ms, char *ret_text, size_t size)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    size_t last = sizeof units / sizeof units[0] - 1;
    size_t i = 0;
    if (age_ms < 0) {
        (void)snprintf(ret_text, size, "of unknown age");
        return;
    }
    while (i < last && age_ms < 2 * units[i].ms) {
        i++;
    }
    (void)snprintf(ret_text, size, "%lld %s old", (long long)(age_ms / units[i].ms),
                   units[i].name);
}

void cli_say_cached(yurpc_registry *registry, const yurpc_snapshot *snapshot)
{
    char age[64];
    if (!yurpc_snapshot_is_cached(snapshot)) {
        return;
    }
    cli_format_age(yurpc_snapshot_age_ms(snapshot), age, sizeof age);
    yurpc_error *error = NULL;
    yurpc_status status = yurpc_registry_get_connection(registry, &error);
    cli_say("%s; showing the list from disk, %s",
            status != YURPC_OK ? yurpc_error_text(error) : "the registry does not answer", age);
    yurpc_error_free(error);
}

bool cli_service(const cli_options *options, char *ret_service, size_t size)
{
    const char *given = options->arguments[0];
    const char *version = strrchr(given, ':');
    if (*given == '\0' || version == given) {
        cli_say("the service's name is empty; give SERVICE as name:version");
        return false;
    }
    if (version != NULL && version[1] == '\0') {
        cli_say("the version of service '%s' is empty; give SERVICE as name:version", given);
        return false;
    }
    if (strchr(given, '/') != NULL) {
        cli_say("service '%s': a name must not contain '/'", given);
        return false;
    }
    int len = snprintf(ret_service, size, "%s%s", given, version != NULL ? "" : ":1.0");
    if (len < 0 || (size_t)len >= size) {
        cli_say("the service's name is too long; at most %zu bytes", size - 1);
        return false;
    }
    return true;
}

int cli_finish(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        cli_say("cannot write the output"); /* errno may be of something later */
        return code == CLI_DONE ? CLI_FAILED : code;
    }
    return code;
}
