#include "engine.h"

#include "base/list.h"
#include "clock.h"
#include "http.h"
#include "scratch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef YR_ENGINES_DIR
#    error "YR_ENGINES_DIR: where tools/fetch_etcd.sh puts its engines"
#endif

enum {
    ARGUMENTS_MAX = 64,
    ARGUMENT_LEN_MAX = 256,
    START_TIMEOUT_MS = 20000,
    STOP_TIMEOUT_MS = 10000,
    POLL_MS = 10,
    PORT_TRIES = 5, /* somebody else may take a port that was just free */
    LOG_TAIL_LEN = 4096,

    /*
     * Below the ports that the system gives to outgoing connections: a client that retries a
     * dead port among those sooner or later connects to itself, and the engine cannot come
     * back.
     */
    PORT_MIN = 15000,
    PORT_MAX = 32000,
};

struct yr_engine {
    yr_list link; /* in engines */
    char path[PATH_MAX];
    char address[64];
    uint16_t client_port;
    uint16_t peer_port;
    uint16_t metrics_port; /* plain HTTP whatever the client port speaks: for the probe */
    yr_scratch scratch;    /* data and log */
    pid_t owner;           /* the process that started it */
    pid_t pid;
    int64_t start_timeout_ms;
    bool is_tls;
    bool is_member;
    char *hosts; /* what it sees as /etc/hosts; NULL: the system's */
    size_t extra_count;
    char *extra[ARGUMENTS_MAX];
};

static yr_list engines = {&engines, &engines}; /* of this process, for the clean-up at exit */
static bool has_exit_hook;

/* ---- Small things ---- */

static void pause_ms(int ms)
{
    (void)poll(NULL, 0, ms);
}

/* ---- Ports ---- */

static bool is_port_free(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int on = 1;
    bool is_free = fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
                   bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return is_free;
}

uint16_t yr_engine_choose_port(void)
{
    static bool is_taken[PORT_MAX]; /* what was chosen may not be listened on yet */
    for (int i = 0; i < 1000; i++) {
        uint32_t random = 0;
        if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
            break;
        }
        uint16_t port = (uint16_t)(PORT_MIN + random % (PORT_MAX - PORT_MIN));
        if (!is_taken[port] && is_port_free(port)) {
            is_taken[port] = true;
            return port;
        }
    }
    return 0;
}

static void choose_ports(yr_engine *engine)
{
    engine->client_port = yr_engine_choose_port();
    engine->peer_port = yr_engine_choose_port();
    engine->metrics_port = yr_engine_choose_port();
    (void)snprintf(engine->address, sizeof(engine->address), "%s://127.0.0.1:%u",
                   engine->is_tls ? "https" : "http", (unsigned)engine->client_port);
}

/* ---- The process ---- */

/* Between fork and exec: only what is safe after the fork of a threaded program. */
static _Noreturn void run_child(const yr_engine *engine, int log, char *const *arguments)
{
    sigset_t none;
    sigemptyset(&none);
    (void)pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != engine->owner) {
        _exit(126);
    }
    if (engine->hosts != NULL &&
        (unshare(CLONE_NEWNS) != 0 ||
         mount(engine->hosts, "/etc/hosts", NULL, MS_BIND, NULL) != 0)) {
        _exit(126);
    }
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        _exit(126);
    }
    (void)close_range(3, ~0U, 0);
    execv(engine->path, arguments);
    _exit(127);
}

yurpc_status yr_engine_spawn(yr_engine *engine)
{
    enum { COUNT = 8 };
    char text[COUNT][ARGUMENT_LEN_MAX];
    (void)snprintf(text[0], sizeof(text[0]), "--data-dir=%s/data", engine->scratch.path);
    (void)snprintf(text[1], sizeof(text[1]), "--listen-client-urls=%s", engine->address);
    (void)snprintf(text[2], sizeof(text[2]), "--advertise-client-urls=%s", engine->address);
    (void)snprintf(text[3], sizeof(text[3]), "--listen-peer-urls=http://127.0.0.1:%u",
                   (unsigned)engine->peer_port);
    (void)snprintf(text[4], sizeof(text[4]),
                   "--initial-advertise-peer-urls=http://127.0.0.1:%u",
                   (unsigned)engine->peer_port);
    (void)snprintf(text[5], sizeof(text[5]), "--initial-cluster=default=http://127.0.0.1:%u",
                   (unsigned)engine->peer_port);
    (void)snprintf(text[6], sizeof(text[6]), "--listen-metrics-urls=http://127.0.0.1:%u",
                   (unsigned)engine->metrics_port);
    (void)snprintf(text[7], sizeof(text[7]), "--logger=zap");

    char *arguments[1 + COUNT + ARGUMENTS_MAX + 1] = {engine->path};
    for (size_t i = 0; i < COUNT; i++) {
        arguments[1 + i] = text[i];
    }
    for (size_t i = 0; i < engine->extra_count; i++) {
        arguments[1 + COUNT + i] = engine->extra[i];
    }

    char log_path[PATH_MAX];
    (void)snprintf(log_path, sizeof(log_path), "%s/log", engine->scratch.path);
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log < 0) {
        return YURPC_IO;
    }
    pid_t pid = fork();
    if (pid == 0) {
        run_child(engine, log, arguments);
    }
    close(log);
    if (pid < 0) {
        return YURPC_IO;
    }
    engine->pid = pid;
    return YURPC_OK;
}

/* Whether the process has ended; it is gone then. */
static bool reap(yr_engine *engine, int options)
{
    int status = 0;
    pid_t pid = 0;
    do {
        pid = waitpid(engine->pid, &status, options);
    } while (pid < 0 && errno == EINTR);
    if (pid == 0) {
        return false;
    }
    engine->pid = 0;
    return true;
}

/* Ask /health, which etcd answers by reading through its consensus. */
static bool probe(uint16_t port)
{
    char *answer = yr_http_get(port, "/health");
    bool is_healthy = answer != NULL && strstr(answer, "\"health\":\"true\"") != NULL;
    free(answer);
    return is_healthy;
}

double yr_engine_metric(const yr_engine *engine, const char *sample)
{
    char *answer = yr_http_get(engine->metrics_port, "/metrics");
    size_t len = strlen(sample);
    double sum = -1;
    for (char *line = answer; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, sample, len) == 0) {
            char *value = line + strcspn(line, " \n");
            sum = (sum < 0 ? 0 : sum) + strtod(value, NULL);
        }
    }
    free(answer);
    return sum;
}

yurpc_status yr_engine_wait_ready(yr_engine *engine)
{
    int64_t deadline = yr_test_now_ms() + engine->start_timeout_ms;
    while (yr_test_now_ms() < deadline) {
        if (engine->pid == 0 || reap(engine, WNOHANG)) {
            return YURPC_UNAVAILABLE;
        }
        if (probe(engine->metrics_port)) {
            return YURPC_OK;
        }
        pause_ms(POLL_MS);
    }
    return YURPC_TIMEOUT;
}

void yr_engine_signal(yr_engine *engine, int signal)
{
    if (engine->pid != 0) {
        (void)kill(engine->pid, signal);
    }
}

void yr_engine_stop(yr_engine *engine, int signal)
{
    if (engine->pid == 0) {
        return;
    }
    (void)kill(engine->pid, signal);
    (void)kill(engine->pid, SIGCONT);
    int64_t deadline = yr_test_now_ms() + STOP_TIMEOUT_MS;
    while (yr_test_now_ms() < deadline) {
        if (reap(engine, WNOHANG)) {
            return;
        }
        pause_ms(1);
    }
    (void)kill(engine->pid, SIGKILL);
    (void)reap(engine, 0);
}

yurpc_status yr_engine_restart(yr_engine *engine, bool has_empty_data)
{
    yr_engine_stop(engine, SIGKILL);
    if (has_empty_data) {
        char data[PATH_MAX];
        (void)snprintf(data, sizeof(data), "%s/data", engine->scratch.path);
        yr_scratch_remove(data);
    }
    yurpc_status status = yr_engine_spawn(engine);
    if (status == YURPC_OK) {
        status = yr_engine_wait_ready(engine);
    }
    if (status != YURPC_OK) {
        yr_engine_print_log(engine);
    }
    return status;
}

/* The last bytes of the log, as text. */
static void read_log(const yr_engine *engine, char *text, size_t len)
{
    char path[PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/log", engine->scratch.path);
    text[0] = '\0';
    FILE *log = fopen(path, "re");
    if (log == NULL) {
        return;
    }
    if (fseek(log, -(long)(len - 1), SEEK_END) != 0) {
        rewind(log);
    }
    text[fread(text, 1, len - 1, log)] = '\0';
    (void)fclose(log);
}

void yr_engine_print_log(const yr_engine *engine)
{
    char text[LOG_TAIL_LEN];
    read_log(engine, text, sizeof(text));
    (void)fprintf(stderr, "---- the end of the log of %s in %s ----\n%s\n----\n", engine->path,
                  engine->scratch.path, text);
}

/* ---- Life ---- */

static void clean_up(yr_engine *engine)
{
    yr_engine_stop(engine, SIGKILL);
    yr_scratch_deinit(&engine->scratch);
}

/* A test that ends with an engine still there has failed: its log may say why. */
static void clean_up_at_exit(void)
{
    for (yr_list *link = engines.next; link != &engines; link = link->next) {
        yr_engine *engine = YR_CONTAINER_OF(link, yr_engine, link);
        if (engine->owner == getpid()) {
            yr_engine_print_log(engine);
            clean_up(engine);
        }
    }
}

void yr_engine_free(yr_engine *engine)
{
    if (engine == NULL) {
        return;
    }
    clean_up(engine);
    yr_list_remove(&engine->link);
    for (size_t i = 0; i < engine->extra_count; i++) {
        free(engine->extra[i]);
    }
    free(engine->hosts);
    free(engine);
}

static yurpc_status set_options(yr_engine *engine, const yr_engine_options *options)
{
    engine->start_timeout_ms = START_TIMEOUT_MS;
    if (options == NULL) {
        return YURPC_OK;
    }
    if (options->start_timeout_ms > 0) {
        engine->start_timeout_ms = options->start_timeout_ms;
    }
    engine->is_tls = options->is_tls;
    engine->is_member = options->is_member;
    engine->hosts = options->hosts == NULL ? NULL : strdup(options->hosts);
    const char *const *argument = options->arguments;
    for (; argument != NULL && *argument != NULL; argument++) {
        if (engine->extra_count == ARGUMENTS_MAX) {
            return YURPC_TOO_LARGE;
        }
        char *copy = strdup(*argument);
        if (copy == NULL) {
            return YURPC_NO_MEMORY;
        }
        engine->extra[engine->extra_count++] = copy;
    }
    return YURPC_OK;
}

/* Start on ports that were free a moment ago; again on others when somebody took one. */
static yurpc_status start_somewhere(yr_engine *engine)
{
    yurpc_status status = YURPC_UNAVAILABLE;
    for (int i = 0; i < PORT_TRIES && status == YURPC_UNAVAILABLE; i++) {
        char text[LOG_TAIL_LEN];
        read_log(engine, text, sizeof(text));
        if (i > 0 && strstr(text, "address already in use") == NULL) {
            break;
        }
        choose_ports(engine);
        status = yr_engine_spawn(engine);
        if (status == YURPC_OK && !engine->is_member) {
            status = yr_engine_wait_ready(engine);
        }
    }
    return status;
}

yurpc_status yr_engine_start_etcd(const char *version_or_path, const yr_engine_options *options,
                                  yr_engine **ret_engine)
{
    const char *path = yr_engine_find_etcd(version_or_path);
    if (path == NULL) {
        return YURPC_NOT_FOUND;
    }
    yr_engine *engine = calloc(1, sizeof(*engine));
    if (engine == NULL) {
        return YURPC_NO_MEMORY;
    }
    yr_list_append(&engines, &engine->link);
    if (!has_exit_hook) {
        has_exit_hook = atexit(clean_up_at_exit) == 0;
    }
    engine->scratch.lock = -1;
    engine->owner = getpid();
    (void)snprintf(engine->path, sizeof(engine->path), "%s", path);

    yurpc_status status = set_options(engine, options);
    if (status == YURPC_OK) {
        status = yr_scratch_init(&engine->scratch, "yurpc-engine.");
    }
    if (status != YURPC_OK) {
        goto fail;
    }
    status = start_somewhere(engine);
    if (status != YURPC_OK) {
        yr_engine_print_log(engine);
        goto fail;
    }
    *ret_engine = engine;
    return YURPC_OK;
fail:
    yr_engine_free(engine);
    return status;
}

/* The first bytes that `@p path --version` prints; empty when it does not run. */
static void read_version(char *path, char *text, size_t len)
{
    int ends[2];
    text[0] = '\0';
    if (access(path, X_OK) != 0 || pipe2(ends, O_CLOEXEC) != 0) {
        return;
    }
    char option[] = "--version";
    char *const arguments[] = {path, option, NULL};
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    bool is_running = posix_spawn(&pid, path, &actions, NULL, arguments, environ) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (is_running) {
        ssize_t got = read(ends[0], text, len - 1);
        text[got > 0 ? got : 0] = '\0';
        (void)waitpid(pid, NULL, 0);
    }
    close(ends[0]);
}

void yr_engine_read_version(const char *path, char *ret_version, size_t size)
{
    static const char label[] = "etcd Version: ";
    char copy[PATH_MAX];
    char text[128];
    (void)snprintf(copy, sizeof(copy), "%s", path);
    read_version(copy, text, sizeof(text));
    bool is_etcd = strncmp(text, label, sizeof(label) - 1) == 0;
    const char *version = is_etcd ? text + sizeof(label) - 1 : "";
    (void)snprintf(ret_version, size, "%.*s", (int)strcspn(version, "\n"), version);
}

/* Whether @p path is an etcd that says it has @p version ("3.4"). */
static bool has_version(const char *path, const char *version)
{
    char copy[PATH_MAX];
    char text[128];
    char wanted[64];
    (void)snprintf(copy, sizeof(copy), "%s", path);
    (void)snprintf(wanted, sizeof(wanted), "etcd Version: %s.", version);
    read_version(copy, text, sizeof(text));
    return strncmp(text, wanted, strlen(wanted)) == 0;
}

const char *yr_engine_find_etcd(const char *version)
{
    static const char *const paths[] = {
        "/usr/bin/etcd",
        YR_ENGINES_DIR "/etcd-3.5/usr/bin/etcd",
    };
    if (strchr(version, '/') != NULL) {
        return version;
    }
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        if (has_version(paths[i], version)) {
            return paths[i];
        }
    }
    return NULL;
}

int yr_engine_skip(const char *version)
{
    (void)printf("********************************************************************\n"
                 "SKIPPED: there is no etcd %s here, so this ran on fewer versions than it\n"
                 "should. %s\n"
                 "********************************************************************\n",
                 version,
                 strcmp(version, "3.5") == 0 ? "tools/fetch_etcd.sh gets it, or says why not."
                                             : "Install the package etcd-server.");
    return YR_ENGINE_SKIP;
}

uint16_t yr_engine_port(const yr_engine *engine)
{
    return engine->client_port;
}

const char *yr_engine_address(const yr_engine *engine)
{
    return engine->address;
}

const char *yr_engine_path(const yr_engine *engine)
{
    return engine->path;
}

const char *yr_engine_dir(const yr_engine *engine)
{
    return engine->scratch.path;
}

pid_t yr_engine_pid(const yr_engine *engine)
{
    return engine->pid;
}
