#include "base/mem.h"
#include "registry/driver.h"
#include "registry/handle/config.h"
#include "support/canary.h"
#include "yr_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The drivers' names are all that the configuration asks of them. */
const yr_driver_ops yr_driver_etcd = {.name = "etcd"};
const yr_driver_ops yr_driver_local = {.name = "local"};

#define HOME "/home/of/nobody"

static char folder[] = "/tmp/yurpc-config-XXXXXX";
static char path[64];
static char logged[2000];

typedef struct expectation {
    const char *registry;
    const char *address;
    const char *username;
    const char *password;
    int64_t timeout_ms;
    int64_t ttl_ms;
    const char *password_file;
    yr_tls_options tls;
    const char *cache_dir; /* NULL: the default; "none": there is to be none */
    bool is_unprotected;
    const char *allowed_hosts;
} expectation;

static void log_line(void *context, yurpc_log_level level, const char *component,
                     const char *text)
{
    (void)context;
    assert_int_equal(level, YURPC_LOG_WARN);
    assert_string_equal(component, "config");
    size_t len = strlen(logged);
    (void)snprintf(logged + len, sizeof logged - len, "%s\n", text);
}

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "application.properties");
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static int clear_environment(void **state)
{
    (void)state;
    static const char *const names[] = {
        "YURPC_REGISTRY",    "YURPC_ADDRESS",       "YURPC_USERNAME",     "YURPC_PASSWORD",
        "YURPC_TIMEOUT",     "YURPC_TTL",           "YURPC_CONFIG",       "YURPC_PASSWORD_FILE",
        "YURPC_TLS_CA_FILE", "YURPC_TLS_CERT_FILE", "YURPC_TLS_KEY_FILE", "YURPC_TLS_INSECURE",
        "YURPC_CACHE_DIR",   "YURPC_PROTECTION",    "YURPC_ALLOWED_HOSTS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        (void)unsetenv(names[i]);
    }
    (void)unsetenv("XDG_CACHE_HOME");
    (void)unsetenv("TMPDIR");
    set("HOME", HOME);
    logged[0] = '\0';
    return 0;
}

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static yurpc_registry_config with_file(void)
{
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.file = path;
    given.log = log_line;
    return given;
}

static void assert_text(const char *actual, const char *expected)
{
    if (expected == NULL) {
        assert_null(actual);
    } else {
        assert_non_null(actual);
        assert_string_equal(actual, expected);
    }
}

static void assert_config(const yurpc_registry_config *given, const expectation *expected)
{
    yr_config *config = NULL;
    yurpc_error *error = NULL;
    yurpc_status status = yr_config_load(given, &config, &error);
    assert_string_equal(yurpc_error_text(error), "success");
    assert_ok(status);
    assert_text(config->registry, expected->registry);
    assert_text(config->address, expected->address);
    assert_text(config->username, expected->username);
    assert_text(config->password, expected->password);
    assert_int_equal(config->timeout_ms, expected->timeout_ms);
    assert_int_equal(config->ttl_ms, expected->ttl_ms);
    assert_text(config->password_file, expected->password_file);
    assert_text(config->tls.ca_file, expected->tls.ca_file);
    assert_text(config->tls.cert_file, expected->tls.cert_file);
    assert_text(config->tls.key_file, expected->tls.key_file);
    assert_int_equal(config->tls.is_insecure, expected->tls.is_insecure);
    const char *cache_dir =
        expected->cache_dir != NULL ? expected->cache_dir : HOME "/.cache/yurpc";
    assert_text(config->cache_dir, strcmp(cache_dir, "none") != 0 ? cache_dir : NULL);
    assert_int_equal(config->is_unprotected, expected->is_unprotected);
    assert_text(config->allowed_hosts, expected->allowed_hosts);
    yr_config_free(config);
}

static void assert_fails(const yurpc_registry_config *given, yurpc_status status,
                         const char *text)
{
    yr_config *config = NULL;
    yurpc_error *error = NULL;
    assert_int_equal(yr_config_load(given, &config, &error), status);
    assert_null(config);
    assert_string_equal(yurpc_error_text(error), text);
    yurpc_error_free(error);
}

/* ---- Where values come from ---- */

static void nothing_set_gives_the_defaults(void **state)
{
    (void)state;
    expectation expected = {.registry = "etcd", .timeout_ms = 10000, .ttl_ms = 30000};
    assert_config(NULL, &expected);
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    assert_config(&given, &expected);
}

static void the_file_beats_the_defaults(void **state)
{
    (void)state;
    write_file("rpc.registryConfig.registry=local \n"
               "rpc.registryConfig[address]=/run/x.db\n"
               "rpc.registryConfig['username']=u \n"
               "rpc.registryConfig.password=S3cr3t=q\\\\r\n"
               "rpc.registryConfig.timeout=0100 \n"
               "rpc.registryConfig.ttl=99\n"
               "rpc.registryConfig.ttl=5\n");
    yurpc_registry_config given = with_file();
    expectation expected = {.registry = "local",
                            .address = "/run/x.db",
                            .username = "u ",
                            .password = "S3cr3t=q\\r",
                            .timeout_ms = 100,
                            .ttl_ms = 5000};
    assert_config(&given, &expected);
    assert_string_equal(logged, "");

    given.file = NULL;
    set("YURPC_CONFIG", path);
    assert_config(&given, &expected);
}

static void the_environment_beats_the_file(void **state)
{
    (void)state;
    write_file("rpc.registryConfig.registry=nonsense\n"
               "rpc.registryConfig.address=a\n"
               "rpc.registryConfig.timeout=nonsense\n");
    set("YURPC_REGISTRY", "local");
    set("YURPC_ADDRESS", "b");
    set("YURPC_USERNAME", "u");
    set("YURPC_PASSWORD", YR_CANARY_PASSWORD);
    set("YURPC_TIMEOUT", "600000");
    set("YURPC_TTL", "86400");
    yurpc_registry_config given = with_file();
    expectation expected = {.registry = "local",
                            .address = "b",
                            .username = "u",
                            .password = YR_CANARY_PASSWORD,
                            .timeout_ms = 600000,
                            .ttl_ms = 86400000};
    assert_config(&given, &expected);
}

static void an_empty_variable_is_as_none(void **state)
{
    (void)state;
    write_file("rpc.registryConfig.address=a\nrpc.registryConfig.ttl=7\n");
    set("YURPC_ADDRESS", "");
    set("YURPC_TTL", "");
    set("YURPC_CONFIG", "");
    yurpc_registry_config given = with_file();
    expectation expected = {
        .registry = "etcd", .address = "a", .timeout_ms = 10000, .ttl_ms = 7000};
    assert_config(&given, &expected);
}

static void the_call_beats_everything(void **state)
{
    (void)state;
    write_file("rpc.registryConfig.address=a\n");
    set("YURPC_REGISTRY", "nonsense");
    set("YURPC_ADDRESS", "b");
    set("YURPC_USERNAME", "u");
    set("YURPC_TIMEOUT", "nonsense");
    set("YURPC_TTL", "nonsense");
    yurpc_registry_config given = with_file();
    given.registry = "local";
    given.address = "c";
    given.username = "";
    given.password = YR_CANARY_PASSWORD;
    given.timeout_ms = 100;
    given.ttl_s = 5;
    expectation expected = {.registry = "local",
                            .address = "c",
                            .password = YR_CANARY_PASSWORD,
                            .timeout_ms = 100,
                            .ttl_ms = 5000};
    assert_config(&given, &expected);
}

static void security_and_bad_days_are_set_as_everything_else(void **state)
{
    (void)state;
    write_file("rpc.registryConfig.passwordFile=/p\n"
               "rpc.registryConfig.tlsCaFile=/ca\n"
               "rpc.registryConfig.tlsCertFile=/cert\n"
               "rpc.registryConfig.tlsKeyFile=/key\n"
               "rpc.registryConfig.tlsInsecure=false \n"
               "rpc.registryConfig.cacheDir=/cache\n"
               "rpc.registryConfig.protection=true\n"
               "rpc.registryConfig.allowedHosts=10.0.0.0/8\n");
    set("YURPC_ALLOWED_HOSTS", "10.0.0.0/8, .acme.com");
    set("YURPC_TLS_CA_FILE", "/ca2");
    set("YURPC_PROTECTION", "false");
    yurpc_registry_config given = with_file();
    given.cache_dir = "none";
    expectation expected = {
        .registry = "etcd",
        .timeout_ms = 10000,
        .ttl_ms = 30000,
        .password_file = "/p",
        .tls = {.ca_file = "/ca2", .cert_file = "/cert", .key_file = "/key"},
        .cache_dir = "none",
        .is_unprotected = true,
        .allowed_hosts = "10.0.0.0/8, .acme.com"};
    assert_config(&given, &expected);
}

static void assert_cache_dir(const char *given, const char *expected)
{
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.cache_dir = given;
    expectation wanted = {
        .registry = "etcd", .timeout_ms = 10000, .ttl_ms = 30000, .cache_dir = expected};
    assert_config(&config, &wanted);
}

static void the_environment_says_where_lists_are_kept(void **state)
{
    (void)state;
    char temporary[64];
    (void)snprintf(temporary, sizeof temporary, "/tmp/yurpc-%lu/cache",
                   (unsigned long)geteuid());
    assert_cache_dir(NULL, HOME "/.cache/yurpc");
    set("XDG_CACHE_HOME", "/x");
    assert_cache_dir(NULL, "/x/yurpc");
    set("XDG_CACHE_HOME", "not/absolute");
    assert_cache_dir(NULL, HOME "/.cache/yurpc");
    (void)unsetenv("HOME");
    assert_cache_dir(NULL, temporary);
    set("TMPDIR", "/t");
    (void)snprintf(temporary, sizeof temporary, "/t/yurpc-%lu/cache", (unsigned long)geteuid());
    assert_cache_dir(NULL, temporary);
    set("YURPC_CACHE_DIR", "none");
    assert_cache_dir(NULL, "none");
    assert_cache_dir("/given", "/given");
}

static void a_relative_cache_folder_is_seen_from_where_the_handle_was_opened(void **state)
{
    (void)state;
    char expected[128];
    (void)snprintf(expected, sizeof expected, "%s/lists", folder);
    assert_cache_dir("lists", expected);
}

static void a_switch_of_the_call_beats_the_environment(void **state)
{
    (void)state;
    set("YURPC_PROTECTION", "true");
    set("YURPC_TLS_INSECURE", "false");
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.is_unprotected = true;
    given.is_tls_insecure = true;
    expectation expected = {.registry = "etcd",
                            .timeout_ms = 10000,
                            .ttl_ms = 30000,
                            .tls = {.is_insecure = true},
                            .is_unprotected = true};
    assert_config(&given, &expected);
}

static void the_stronger_source_of_a_password_counts(void **state)
{
    (void)state;
    set("YURPC_PASSWORD", YR_CANARY_PASSWORD);
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.password_file = "/p";
    expectation expected = {
        .registry = "etcd", .timeout_ms = 10000, .ttl_ms = 30000, .password_file = "/p"};
    assert_config(&given, &expected);
    given.password_file = NULL;
    given.password = YR_CANARY_PASSWORD "2";
    set("YURPC_PASSWORD_FILE", "/p");
    expected.password_file = NULL;
    expected.password = YR_CANARY_PASSWORD "2";
    assert_config(&given, &expected);
}

static void a_password_and_a_file_with_one_are_refused(void **state)
{
    (void)state;
    set("YURPC_PASSWORD", YR_CANARY_PASSWORD);
    set("YURPC_PASSWORD_FILE", "/p");
    assert_fails(NULL, YURPC_INVALID,
                 "environment variable YURPC_PASSWORD_FILE: there is a password, too; give one "
                 "of them");
}

static void a_certificate_without_its_key_is_refused(void **state)
{
    (void)state;
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.tls_cert_file = "/cert";
    assert_fails(&given, YURPC_INVALID,
                 "tls_cert_file: a certificate and its key go together: set tlsKeyFile, too");
    given.tls_cert_file = NULL;
    given.tls_key_file = "/key";
    assert_fails(&given, YURPC_INVALID,
                 "tls_key_file: a certificate and its key go together: set tlsCertFile, too");
}

static void no_password_goes_to_a_server_that_is_not_verified(void **state)
{
    (void)state;
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.is_tls_insecure = true;
    given.username = "u";
    assert_fails(&given, YURPC_INVALID,
                 "is_tls_insecure: a password is not sent to a server whose certificate is not "
                 "verified; give tlsCaFile instead");
}

/* ---- Wrong values ---- */

typedef struct wrong_case {
    const char *line; /* the third of the file */
    const char *text;
} wrong_case;

#define AT "application.properties:3: rpc.registryConfig."

static const wrong_case wrongs[] = {
    {"timeout=abc", AT "timeout: 'abc' is not a number of milliseconds between 100 and 600000"},
    {"timeout=", AT "timeout: '' is not a number of milliseconds between 100 and 600000"},
    {"timeout=99", AT "timeout: '99' is not a number of milliseconds between 100 and 600000"},
    {"timeout=600001",
     AT "timeout: '600001' is not a number of milliseconds between 100 and 600000"},
    {"timeout=10s", AT "timeout: '10s' is not a number of milliseconds between 100 and 600000"},
    {"timeout=1e3", AT "timeout: '1e3' is not a number of milliseconds between 100 and 600000"},
    {"timeout=-1", AT "timeout: '-1' is not a number of milliseconds between 100 and 600000"},
    {"timeout=+500",
     AT "timeout: '+500' is not a number of milliseconds between 100 and 600000"},
    {"timeout=0x100",
     AT "timeout: '0x100' is not a number of milliseconds between 100 and 600000"},
    {"timeout=9223372036854775808", AT
     "timeout: '9223372036854775808' is not a number of milliseconds between 100 and 600000"},
    {"timeout=18446744073709551716", AT
     "timeout: '18446744073709551716' is not a number of milliseconds between 100 and 600000"},
    {"ttl=4", AT "ttl: '4' is not a number of seconds between 5 and 86400"},
    {"ttl=86401", AT "ttl: '86401' is not a number of seconds between 5 and 86400"},
    {"registry=zookeeper",
     AT "registry: there is no registry 'zookeeper'; there are: etcd, local"},
    {"registry=ETCD", AT "registry: there is no registry 'ETCD'; there are: etcd, local"},
    {"password=S3cr3t\\n", AT "password: the text contains control characters or is not UTF-8"},
    {"protection=yes", AT "protection: 'yes' is neither true nor false"},
    {"allowedHosts=10.0.0.0/8,10.0.0/24", AT
     "allowedHosts: '10.0.0/24' is neither an address, nor a network such as 10.0.0.0/8, nor "
     "a name"},
    {"address=\\u12", "application.properties:3: \\u needs four hexadecimal digits"},
};

static void a_wrong_value_names_its_line_and_key(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        char text[300];
        (void)snprintf(text, sizeof text, "# one\nrpc.name=x\nrpc.registryConfig.%s\n",
                       wrongs[i].line);
        write_file(text);
        yurpc_registry_config given = with_file();
        assert_fails(&given, YURPC_INVALID, wrongs[i].text);
    }
}

static void a_wrong_variable_is_named(void **state)
{
    (void)state;
    set("YURPC_TTL", " 10");
    assert_fails(NULL, YURPC_INVALID,
                 "environment variable YURPC_TTL: ' 10' is not a number of seconds between 5 "
                 "and 86400");
    set("YURPC_TTL", "10");
    set("YURPC_REGISTRY", "consul");
    assert_fails(NULL, YURPC_INVALID,
                 "environment variable YURPC_REGISTRY: there is no registry 'consul'; there "
                 "are: etcd, local");
}

static void a_wrong_field_is_named(void **state)
{
    (void)state;
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.timeout_ms = 99;
    assert_fails(&given, YURPC_INVALID,
                 "timeout_ms: '99' is not a number of milliseconds between 100 and 600000");
    given.timeout_ms = 0;
    given.size = 0;
    assert_fails(&given, YURPC_INVALID,
                 "the configuration was not begun with YURPC_REGISTRY_CONFIG_INIT");
}

static void too_long_a_password_is_refused_but_not_shown(void **state)
{
    (void)state;
    char password[5000];
    memset(password, 'p', sizeof password - 1);
    memcpy(password, YR_CANARY_PASSWORD, sizeof YR_CANARY_PASSWORD - 1);
    password[sizeof password - 1] = '\0';
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.password = password;
    assert_fails(&given, YURPC_INVALID, "password: the text is longer than 4096 bytes");
}

static void a_missing_file_is_an_error(void **state)
{
    (void)state;
    yurpc_registry_config given = YURPC_REGISTRY_CONFIG_INIT;
    given.file = "missing.properties";
    assert_fails(&given, YURPC_IO,
                 "missing.properties: cannot be read: No such file or directory");
    given.file = NULL;
    set("YURPC_CONFIG", "elsewhere.properties");
    assert_fails(&given, YURPC_IO,
                 "elsewhere.properties: cannot be read: No such file or directory");
}

/* ---- Unknown keys ---- */

static void an_unknown_key_is_reported_with_the_nearest(void **state)
{
    (void)state;
    write_file("rpc.registryConfig.adress=S3cr3t\n"
               "rpc.registryConfig.time-out=1\n"
               "rpc.registryConfig.somethingElse=1\n"
               "rpc.registryConfig.Password=S3cr3t\n"
               "rpc.registryconfig.ttl=5\n"
               "rpc.registryConfig['user']=1\n");
    yurpc_registry_config given = with_file();
    expectation expected = {.registry = "etcd", .timeout_ms = 10000, .ttl_ms = 30000};
    assert_config(&given, &expected);
    assert_string_equal(
        logged,
        "application.properties:1: there is no key rpc.registryConfig.adress; did you mean "
        "rpc.registryConfig.address?\n"
        "application.properties:2: there is no key rpc.registryConfig.time-out; did you mean "
        "rpc.registryConfig.timeout?\n"
        "application.properties:3: there is no key rpc.registryConfig.somethingElse\n"
        "application.properties:4: there is no key rpc.registryConfig.Password; did you mean "
        "rpc.registryConfig.password?\n"
        "application.properties:5: there is no key rpc.registryconfig.ttl; did you mean "
        "rpc.registryConfig.ttl?\n"
        "application.properties:6: there is no key rpc.registryConfig['user']\n");
}

static void keys_of_others_are_passed_over_in_silence(void **state)
{
    (void)state;
    write_file("rpc.name=x\nrpc.serverHost=y\nrpc.registryConfigX=1\nspring.a=b\n"
               "rpc.registryConfig=1\nrpc.mock=true\n");
    yurpc_registry_config given = with_file();
    expectation expected = {.registry = "etcd", .timeout_ms = 10000, .ttl_ms = 30000};
    assert_config(&given, &expected);
    assert_string_equal(logged, "");
}

static void no_memory_leaves_nothing_behind(void **state)
{
    (void)state;
    write_file("rpc.registryConfig.registry=local\nrpc.registryConfig.address=a\n"
               "rpc.registryConfig.username=u\nrpc.registryConfig.password=p\n");
    yurpc_registry_config given = with_file();
    yurpc_status status = YURPC_NO_MEMORY;
    for (long allowed = 0; status != YURPC_OK; allowed++) {
        yr_config *config = NULL;
        yr_mem_fail_after(allowed);
        status = yr_config_load(&given, &config, NULL);
        yr_mem_fail_after(-1);
        assert_true(status == YURPC_OK || status == YURPC_NO_MEMORY);
        assert_int_equal(config != NULL, status == YURPC_OK);
        yr_config_free(config);
    }
}

#define TEST(function) cmocka_unit_test_setup(function, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_set_gives_the_defaults),
        TEST(the_file_beats_the_defaults),
        TEST(the_environment_beats_the_file),
        TEST(an_empty_variable_is_as_none),
        TEST(the_call_beats_everything),
        TEST(security_and_bad_days_are_set_as_everything_else),
        TEST(the_environment_says_where_lists_are_kept),
        TEST(a_relative_cache_folder_is_seen_from_where_the_handle_was_opened),
        TEST(a_switch_of_the_call_beats_the_environment),
        TEST(the_stronger_source_of_a_password_counts),
        TEST(a_password_and_a_file_with_one_are_refused),
        TEST(a_certificate_without_its_key_is_refused),
        TEST(no_password_goes_to_a_server_that_is_not_verified),
        TEST(a_wrong_value_names_its_line_and_key),
        TEST(a_wrong_variable_is_named),
        TEST(a_wrong_field_is_named),
        TEST(too_long_a_password_is_refused_but_not_shown),
        TEST(a_missing_file_is_an_error),
        TEST(an_unknown_key_is_reported_with_the_nearest),
        TEST(keys_of_others_are_passed_over_in_silence),
        TEST(no_memory_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("config", tests, make_folder, remove_folder);
}
