#include "netns.h"

#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "YURPC_TEST_NETNS"
#define SBIN "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum { EXPRESSION_MAX = 160, ARGUMENTS_MAX = 64 };

/* ---- Getting in ---- */

bool yr_net_is_inside(void)
{
    return getenv(MARK) != NULL; /* NOLINT(concurrency-mt-unsafe): nobody sets it */
}

/* Becomes the program @p arguments; returns when that fails. */
static void become(const char *const *arguments)
{
    char *copy[ARGUMENTS_MAX + 1] = {NULL};
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++) {
        memcpy(&copy[i], &arguments[i], sizeof copy[i]);
    }
    execvp(copy[0], copy);
}

bool yr_net_run(const char *const *arguments)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        become(arguments);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int skip(void)
{
    (void)printf("********************************************************************\n"
                 "SKIPPED: this machine gives a test no network of its own to break, so\n"
                 "nothing was tested here. It needs user namespaces (what `unshare -rnm`\n"
                 "uses; containers often forbid them) and the packages nftables and\n"
                 "iproute2. What failed was said above.\n"
                 "********************************************************************\n");
    return YR_ENGINE_SKIP;
}

int yr_net_enter(char **argv)
{
    static const char *const probe[] = {
        "unshare",
        "-rnm",
        "sh",
        "-c",
        "ip link set lo up && nft list ruleset && ss -V >/dev/null",
        NULL};
    const char *arguments[ARGUMENTS_MAX + 1] = {"unshare", "-rnm"};
    if (yr_net_is_inside()) {
        static const char *const up[] = {"ip", "link", "set", "lo", "up", NULL};
        static const char *const rules[] = {"nft",
                                            "add table inet yurpc; add chain inet yurpc in "
                                            "{ type filter hook input priority 0; }",
                                            NULL};
        return yr_net_run(up) && yr_net_run(rules) ? 0 : 1;
    }
    if (setenv("PATH", SBIN, 1) != 0 || setenv(MARK, "1", 1) != 0 || !yr_net_run(probe)) {
        return skip();
    }
    for (size_t i = 0; i < ARGUMENTS_MAX - 2 && argv[i] != NULL; i++) {
        arguments[2 + i] = argv[i];
    }
    (void)fflush(NULL);
    become(arguments);
    return skip();
}

/* ---- Breaking and mending ---- */

static void nft(const char *command)
{
    const char *const arguments[] = {"nft", command, NULL};
    if (!yr_net_run(arguments)) {
        (void)fprintf(stderr, "nft %s: failed\n", command);
        abort();
    }
}

void yr_net_drop(const char *expression)
{
    char command[EXPRESSION_MAX + 64];
    (void)snprintf(command, sizeof command, "add rule inet yurpc in %s drop", expression);
    nft(command);
}

/* Drop what goes to, or comes from, the addresses that @p servers matches. */
static void lose(const char *servers, yr_net_loss loss)
{
    char expression[EXPRESSION_MAX];
    if (loss == YR_NET_BOTH || loss == YR_NET_TO_SERVER) {
        (void)snprintf(expression, sizeof expression, "ip daddr %s", servers);
        yr_net_drop(expression);
    }
    if (loss == YR_NET_BOTH || loss == YR_NET_FROM_SERVER) {
        (void)snprintf(expression, sizeof expression, "ip saddr %s", servers);
        yr_net_drop(expression);
    }
    if (loss == YR_NET_NEW) {
        (void)snprintf(expression, sizeof expression,
                       "ip daddr %s tcp flags & (syn|ack) == syn", servers);
        yr_net_drop(expression);
    }
}

void yr_net_cut(int first, int last, yr_net_loss loss)
{
    char servers[64];
    (void)snprintf(servers, sizeof servers, "127.0.%d.0-127.0.%d.255", first, last);
    lose(servers, loss);
}

void yr_net_cut_endpoint(int member, yr_net_loss loss)
{
    char servers[64];
    (void)snprintf(servers, sizeof servers, "& 255.255.0.255 == 127.0.0.%d", member);
    lose(servers, loss);
}

void yr_net_cut_member(int member)
{
    char servers[64];
    (void)snprintf(servers, sizeof servers, "& 255.255.0.255 == 127.1.0.%d", member);
    lose(servers, YR_NET_BOTH);
    (void)snprintf(servers, sizeof servers, "127.1.%d.0/24", member);
    lose(servers, YR_NET_BOTH);
}

void yr_net_heal(void)
{
    nft("flush chain inet yurpc in");
}

/* Run ss for the connections to the servers of a road; what it printed, to be closed. */
static FILE *run_ss(const char *option, int road)
{
    char net[32];
    (void)snprintf(net, sizeof net, "127.0.%d.0/24", road);
    const char *const arguments[] = {"ss", "-tnH", option, "dst", net, NULL};
    FILE *output = tmpfile();
    int own = dup(STDOUT_FILENO);
    if (output == NULL || own < 0) {
        abort();
    }
    (void)fflush(stdout);
    (void)dup2(fileno(output), STDOUT_FILENO);
    bool is_done = yr_net_run(arguments);
    (void)dup2(own, STDOUT_FILENO);
    close(own);
    if (!is_done) {
        abort();
    }
    rewind(output);
    return output;
}

void yr_net_reset(int road)
{
    (void)fclose(run_ss("-K", road));
}

void yr_net_forget(int road)
{
    FILE *connections = run_ss("-p", road);
    char line[512];
    while (fgets(line, sizeof line, connections) != NULL) {
        char expression[EXPRESSION_MAX];
        unsigned port = 0;
        /* State Recv-Q Send-Q Local:Port Peer:Port */
        if (sscanf(line, "%*s %*s %*s %*[0-9.]:%u", &port) == 1) { /* NOLINT(cert-err34-c) */
            (void)snprintf(expression, sizeof expression, "tcp sport %u", port);
            yr_net_drop(expression);
            (void)snprintf(expression, sizeof expression, "tcp dport %u", port);
            yr_net_drop(expression);
        }
    }
    (void)fclose(connections);
}

/* ---- Files ---- */

void yr_net_pretend(const char *path, const char *text)
{
    char name[] = "/tmp/yurpc-netns.XXXXXX";
    int fd = mkstemp(name);
    size_t len = strlen(text);
    (void)umount2(path, MNT_DETACH); /* of the time before; else there is nothing */
    if (fd < 0 || fchmod(fd, 0644) != 0 || write(fd, text, len) != (ssize_t)len ||
        mount(name, path, NULL, MS_BIND, NULL) != 0) {
        (void)fprintf(stderr, "%s cannot be replaced: %s\n", path, strerror(errno));
        abort();
    }
    (void)unlink(name); /* the mount keeps it */
    close(fd);
}
