#include "options.h"

#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- What each option sets ---- */

typedef struct option option;

struct option {
    const char *name;  /* without the dashes */
    char letter;       /* 0: none */
    unsigned takes;    /* 0: every command takes it */
    const char *value; /* what stands for the value in the help; NULL: a flag */
    const char *help;
    bool (*set)(cli_options *options, const option *self, const char *value);
    size_t offset; /* of the field, for the plain kinds */
    long min, max; /* of a number */
};

static void *field_of(cli_options *options, const option *self)
{
    return (char *)options + self->offset;
}

static bool set_text(cli_options *options, const option *self, const char *value)
{
    *(const char **)field_of(options, self) = value;
    return true;
}

/* A whole decimal number within the option's limits. */
static bool set_number(cli_options *options, const option *self, const char *value)
{
    size_t digits = strspn(value, "0123456789");
    long number =
        digits > 0 && digits < 10 && value[digits] == '\0' ? strtol(value, NULL, 10) : -1;
    if (number < self->min || number > self->max) {
        cli_say("--%s '%s': give a number from %ld to %ld", self->name, value, self->min,
                self->max);
        return false;
    }
    *(uint32_t *)field_of(options, self) = (uint32_t)number;
    return true;
}

static bool set_flag(cli_options *options, const option *self, const char *value)
{
    (void)value;
    ++*(uint32_t *)field_of(options, self);
    return true;
}

static bool set_output(cli_options *options, const option *self, const char *value)
{
    static const char *const names[] = {
        [CLI_TABLE] = "table", [CLI_JSON] = "json", [CLI_ADDRESS] = "address"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(value, names[i]) == 0) {
            options->format = (cli_format)i;
            return true;
        }
    }
    cli_say("--%s '%s': use table, json or address", self->name, value);
    return false;
}

static bool set_meta(cli_options *options, const option *self, const char *value)
{
    const char *equals = strchr(value, '=');
    if (equals == NULL || equals == value) {
        cli_say("--%s '%s': give KEY=VALUE", self->name, value);
        return false;
    }
    if (options->metadata_count == CLI_METADATA_MAX) {
        cli_say("--%s: at most %d of them", self->name, (int)CLI_METADATA_MAX);
        return false;
    }
    char *key = strndup(value, (size_t)(equals - value)); /* lives as long as the process */
    if (key == NULL) {
        cli_say("out of memory");
        return false;
    }
    options->metadata[options->metadata_count++] =
        (yurpc_metadata){.key = key, .value = equals + 1};
    return true;
}

static bool set_check(cli_options *options, const option *self, const char *value)
{
    bool is_known = strcmp(value, "tcp") == 0 || strcmp(value, "none") == 0 ||
                    strncmp(value, "http:/", strlen("http:/")) == 0;
    if (!is_known) {
        cli_say("--%s '%s': use tcp, none, or http:PATH as in http:/health", self->name, value);
        return false;
    }
    options->check = value;
    return true;
}

/* clang-format off */
static const option table[] = {
    {"ttl", 0, CLI_TAKES_TTL, "S", "seconds until a frozen provider is dropped (30)",
     set_number, offsetof(cli_options, ttl_s), 5, 86400},
    {"group", 0, CLI_TAKES_GROUP, "G", "the group of instances",
     set_text, offsetof(cli_options, group), 0, 0},
    {"weight", 0, CLI_TAKES_WEIGHT, "N", "the share of the load, 1 to 1000 (100)",
     set_number, offsetof(cli_options, weight), 1, 1000},
    {"meta", 0, CLI_TAKES_META, "K=V", "an entry of the metadata; may be repeated",
     set_meta, 0, 0, 0},
    {"check", 0, CLI_TAKES_CHECK, "HOW", "CMD is ready when: tcp, http:PATH or none (tcp)",
     set_check, 0, 0, 0},
    {"registry", 'r', 0, "NAME", "etcd or local (YURPC_REGISTRY; etcd)",
     set_text, offsetof(cli_options, registry), 0, 0},
    {"address", 'a', 0, "ADDRESS", "where it is (YURPC_ADDRESS; http://localhost:2379)",
     set_text, offsetof(cli_options, address), 0, 0},
    {"config", 'c', 0, "FILE", "an application.properties (YURPC_CONFIG; none)",
     set_text, offsetof(cli_options, config), 0, 0},
    {"user", 0, 0, "NAME", "who logs in (YURPC_USERNAME; nobody)",
     set_text, offsetof(cli_options, user), 0, 0},
    {"password-file", 0, 0, "FILE", "holds the password (YURPC_PASSWORD_FILE)",
     set_text, offsetof(cli_options, password_file), 0, 0},
    {"cacert", 0, 0, "FILE", "PEM: whom to trust (YURPC_TLS_CA_FILE; as the system does)",
     set_text, offsetof(cli_options, cacert), 0, 0},
    {"cert", 0, 0, "FILE", "PEM: our certificate (YURPC_TLS_CERT_FILE; none)",
     set_text, offsetof(cli_options, cert), 0, 0},
    {"key", 0, 0, "FILE", "PEM: its key (YURPC_TLS_KEY_FILE; none)",
     set_text, offsetof(cli_options, key), 0, 0},
    {"insecure-skip-tls-verify", 0, 0, NULL, "trust any server: only for tests",
     set_flag, offsetof(cli_options, is_insecure), 0, 0},
    {"cache-dir", 0, 0, "DIR", "keeps lists for bad days, or none (YURPC_CACHE_DIR)",
     set_text, offsetof(cli_options, cache_dir), 0, 0},
    {"allow-hosts", 0, 0, "LIST", "see no other instances (YURPC_ALLOWED_HOSTS; all)",
     set_text, offsetof(cli_options, allowed_hosts), 0, 0},
    {"output", 'o', 0, "FORMAT", "table, json or address (table)",
     set_output, 0, 0, 0},
    {"timeout", 0, 0, "MS", "how long to wait for the registry (10000)",
     set_number, offsetof(cli_options, timeout_ms), 100, 600000},
    {"verbose", 'v', 0, NULL, "say on stderr what happens; twice: everything",
     set_flag, offsetof(cli_options, verbosity), 0, 0},
    {"help", 'h', 0, NULL, "this text",
     set_flag, offsetof(cli_options, wants_help), 0, 0},
    {"version", 0, 0, NULL, "the version",
     set_flag, offsetof(cli_options, wants_version), 0, 0},
};
/* clang-format on */

enum { OPTION_COUNT = sizeof table / sizeof table[0] };

/* ---- Parsing ---- */

typedef struct parser {
    cli_options *options;
    char **rest;    /* what of argv is still to be read */
    unsigned taken; /* the CLI_TAKES_… options that were given */
} parser;

static const option *find_name(const char *name, size_t len)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strlen(table[i].name) == len && strncmp(table[i].name, name, len) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static const option *find_letter(char letter)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (table[i].letter == letter) {
            return &table[i];
        }
    }
    return NULL;
}

/* Set @p found to @p value, or when that is NULL and one is needed to the next argument. */
static bool apply(parser *self, const option *found, const char *value)
{
    if (found->value == NULL && value != NULL) {
        cli_say("--%s takes no value", found->name);
        return false;
    }
    if (found->value != NULL && value == NULL) {
        if (*self->rest == NULL) {
            cli_say("--%s needs a value: --%s %s", found->name, found->name, found->value);
            return false;
        }
        value = *self->rest++;
    }
    self->taken |= found->takes;
    return found->set(self->options, found, value);
}

static bool unknown_option(const char *text)
{
    cli_say("there is no option %s; see yurpc --help", text);
    return false;
}

/* "--name", "--name=value". */
static bool parse_long(parser *self, const char *text)
{
    const char *name = text + 2;
    size_t len = strcspn(name, "=");
    const option *found = find_name(name, len);
    if (found == NULL) {
        return unknown_option(text);
    }
    return apply(self, found, name[len] == '=' ? name + len + 1 : NULL);
}

/* "-r value", "-rvalue", "-vv". */
static bool parse_letters(parser *self, const char *text)
{
    for (const char *at = text + 1; *at != '\0'; at++) {
        const option *found = find_letter(*at);
        if (found == NULL) {
            return unknown_option(text);
        }
        if (found->value != NULL) {
            return apply(self, found, at[1] != '\0' ? at + 1 : NULL);
        }
        if (!apply(self, found, NULL)) {
            return false;
        }
    }
    return true;
}

static const cli_command *find_command(const char *name)
{
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        if (strcmp(cli_commands[i]->name, name) == 0) {
            return cli_commands[i];
        }
    }
    return NULL;
}

/* " register, run, …" into @p text. */
static void list_commands(char *text, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; cli_commands[i] != NULL && len < size; i++) {
        int n =
            snprintf(text + len, size - len, "%s%s", i == 0 ? "" : ", ", cli_commands[i]->name);
        len += n > 0 ? (size_t)n : 0;
    }
}

static bool parse_argument(parser *self, const char *text)
{
    cli_options *options = self->options;
    if (options->command == NULL) {
        options->command = find_command(text);
        if (options->command == NULL) {
            char names[128] = "";
            list_commands(names, sizeof names);
            cli_say("there is no command '%s'; use one of: %s", text, names);
        }
        return options->command != NULL;
    }
    if (options->argument_count == options->command->argument_count) {
        cli_say("'%s' is one argument too many; usage: yurpc %s %s", text,
                options->command->name, options->command->arguments);
        return false;
    }
    options->arguments[options->argument_count++] = text;
    return true;
}

/* Whether everything is there, and nothing that the command does not take. */
static bool check_complete(const parser *self)
{
    const cli_options *options = self->options;
    const cli_command *command = options->command;
    if (options->wants_help || options->wants_version) {
        return true;
    }
    if (command == NULL) {
        char names[128] = "";
        list_commands(names, sizeof names);
        cli_say("give a command: %s; see yurpc --help", names);
        return false;
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if ((self->taken & table[i].takes & ~command->options) != 0) {
            cli_say("'%s' does not take --%s; see yurpc %s --help", command->name,
                    table[i].name, command->name);
            return false;
        }
    }
    bool has_child = options->child != NULL && options->child[0] != NULL;
    if (options->argument_count < command->argument_count || has_child != command->has_child) {
        cli_say("usage: yurpc %s %s; see yurpc %s --help", command->name, command->arguments,
                command->name);
        return false;
    }
    return true;
}

bool cli_options_parse(cli_options *options, char **argv)
{
    *options = (cli_options){.format = CLI_TABLE};
    parser self = {.options = options, .rest = argv + (argv[0] != NULL)};
    while (*self.rest != NULL) {
        const char *text = *self.rest++;
        bool is_ok;
        if (strcmp(text, "--") == 0) {
            options->child = self.rest;
            break;
        }
        if (strncmp(text, "--", 2) == 0) {
            is_ok = parse_long(&self, text);
        } else if (text[0] == '-' && text[1] != '\0') {
            is_ok = parse_letters(&self, text);
        } else {
            is_ok = parse_argument(&self, text);
        }
        if (!is_ok) {
            return false;
        }
    }
    return check_complete(&self);
}

/* ---- Help ---- */

static void print_option(const option *one)
{
    char left[40];
    char letter[5] = "    ";
    if (one->letter != 0) {
        letter[0] = '-';
        letter[1] = one->letter;
        letter[2] = ',';
    }
    (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, one->name,
                   one->value != NULL ? " " : "", one->value != NULL ? one->value : "");
    printf("  %-32s %s\n", left, one->help);
}

static void print_options(unsigned takes)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (takes == 0 ? table[i].takes == 0 : (table[i].takes & takes) != 0) {
            print_option(&table[i]);
        }
    }
}

static void print_global_help(void)
{
    printf("Usage: yurpc [options] COMMAND …\n\n"
           "Service registry of Yu-RPC: providers register, consumers discover and watch.\n\n"
           "Commands:\n");
    for (size_t i = 0; cli_commands[i] != NULL; i++) {
        printf("  %-12s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
    }
    printf("\nOptions, anywhere before --:\n");
    print_options(0);
    printf("\nyurpc COMMAND --help tells more about a command. SERVICE is name:version, or\n"
           "name for name:1.0. IPv6 addresses are written [::1]:80.\n\n"
           "Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 registry unreachable,\n"
           "5 refused, 6 conflict.\n");
}

void cli_help(const cli_command *command)
{
    if (command == NULL) {
        print_global_help();
        return;
    }
    printf("Usage: yurpc %s [options] %s\n\n%s.\n%s", command->name, command->arguments,
           command->summary, command->text);
    if (command->options != 0) {
        printf("\nOptions:\n");
        print_options(command->options);
    }
    printf("\nOptions of every command:\n");
    print_options(0);
    printf("\nExample:\n%s", command->example);
}
