/*
 * conformance [-c CASE] [-p] 3.4|3.5|fake3.4|fake3.5 FILE…
 *
 * Runs the cases against a real etcd, or the fake one in place of it. -c: only this case. -p:
 * print the files with what the server really answers.
 */
#include "engine.h"
#include "fake/etcd.h"
#include "net/uv/uv_io.h"
#include "run.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

static bool restart_fake(void *context, bool is_wiped)
{
    return yr_fake_etcd_restart(context, is_wiped) == YURPC_OK;
}

static bool restart_engine(void *context, bool is_wiped)
{
    return yr_engine_restart(context, is_wiped) == YURPC_OK;
}

static int run_files(yr_conformance *conformance, const char *target, char **paths)
{
    bool is_right = true;
    for (; *paths != NULL; paths++) {
        is_right = yr_conformance_run(conformance, *paths) && is_right;
    }
    (void)fprintf(stderr, "%s: %zu cases, %zu differences\n", target, conformance->cases,
                  conformance->failures);
    return is_right && conformance->failures == 0 && conformance->cases > 0 ? 0 : 1;
}

static int run_fake(yr_conformance *conformance, const char *version, char **paths)
{
    yr_fake_etcd *fake = NULL;
    const yr_fake_etcd_options options = {.is_34 = strcmp(version, "3.4") == 0};
    if (yr_fake_etcd_new(conformance->io, "127.0.0.1", 0, &options, &fake) != YURPC_OK) {
        (void)fprintf(stderr, "the fake etcd does not start\n");
        return 1;
    }
    conformance->version = version;
    conformance->port = yr_fake_server_port(yr_fake_etcd_server(fake, 0));
    conformance->restart = restart_fake;
    conformance->context = fake;
    int result = run_files(conformance, "the fake etcd", paths);
    yr_fake_etcd_free(fake);
    return result;
}

static int run_engine(yr_conformance *conformance, const char *version, char **paths)
{
    yr_engine *engine = NULL;
    yurpc_status status = yr_engine_start_etcd(version, NULL, &engine);
    if (status == YURPC_NOT_FOUND) {
        return yr_engine_skip(version);
    }
    if (status != YURPC_OK) {
        (void)fprintf(stderr, "etcd %s does not start\n", version);
        return 1;
    }
    conformance->version = version;
    conformance->port = yr_engine_port(engine);
    conformance->restart = restart_engine;
    conformance->context = engine;
    int result = run_files(conformance, version, paths);
    yr_engine_free(engine);
    return result;
}

int main(int argc, char **argv)
{
    yr_conformance conformance = {0};
    int option = 0;
    while ((option = getopt(argc, argv, "c:p")) != -1) {
        if (option == 'c') {
            conformance.only = optarg;
        } else if (option == 'p') {
            conformance.print = stdout;
        } else {
            return 2;
        }
    }
    if (argc - optind < 2) {
        (void)fprintf(stderr,
                      "usage: conformance [-c CASE] [-p] 3.4|3.5|fake3.4|fake3.5 FILE…\n");
        return 2;
    }
    const char *target = argv[optind];
    char **paths = argv + optind + 1;
    (void)signal(SIGPIPE, SIG_IGN);
    if (yr_uv_io_new(&conformance.io, NULL) != YURPC_OK) {
        (void)fprintf(stderr, "no loop\n");
        return 1;
    }
    const size_t fake_len = 4;
    int result = strncmp(target, "fake", fake_len) == 0
                     ? run_fake(&conformance, target + fake_len, paths)
                     : run_engine(&conformance, target, paths);
    yr_uv_io_free(conformance.io);
    return result;
}
