/*
 * Real engines for tests: an etcd of its own for each test that wants one.
 *
 * An engine listens on free loopback ports and keeps its data and log in a directory of its
 * own (on /dev/shm where there is one). It dies with the thread that started it: start engines
 * on the main thread. What a test leaves behind by failing is stopped at exit, with the end of
 * its log on stderr, and its directory is removed then, or by the next run.
 */
#ifndef YR_ENGINE_H
#define YR_ENGINE_H

#include <yurpc/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a test returns to CTest (SKIP_RETURN_CODE) when it cannot run here. */
enum { YR_ENGINE_SKIP = 77 };

typedef struct yr_engine yr_engine;

typedef struct yr_engine_options {
    const char *const *arguments; /* more of them for the command line, NULL-terminated; or
                                     NULL. They come last, so that they win */
    int64_t start_timeout_ms;     /* until it serves; 0: 20 s */
    const char *hosts; /* a file that it sees as /etc/hosts; NULL: the system's. Only in
                          a namespace (netns.h) */
    bool is_tls;       /* for clients; the arguments name the files */
    bool is_member;    /* of a cluster (cluster.h): starting does not wait until it serves */
} yr_engine_options;

/*
 * The path of the etcd of this version, "3.4" (the system's) or "3.5" (the one that
 * tools/fetch_etcd.sh has put into build/engines); NULL when it is not there. A version that is
 * really a path is returned as it is.
 */
const char *yr_engine_find_etcd(const char *version);

/* What the etcd at @p path says of itself, "3.5.16"; empty when it does not run. */
void yr_engine_read_version(const char *path, char *ret_version, size_t size);

/* Say loudly, on stdout, that this test did not run on etcd @p version; gives YR_ENGINE_SKIP.
 */
int yr_engine_skip(const char *version);

/*
 * Start an etcd ("3.4", "3.5" or a path) and wait until it serves. @p options may be NULL. On
 * failure the end of its log goes to stderr. YURPC_NOT_FOUND: there is none of this version.
 */
YURPC_NODISCARD yurpc_status yr_engine_start_etcd(const char *version_or_path,
                                                  const yr_engine_options *options,
                                                  yr_engine **ret_engine);

/* Kill it when it runs, remove its directory, free. NULL is allowed. */
void yr_engine_free(yr_engine *engine);

uint16_t yr_engine_port(const yr_engine *engine);
const char *yr_engine_address(const yr_engine *engine); /* "http[s]://127.0.0.1:PORT" */
const char *yr_engine_path(const yr_engine *engine);    /* of the program */
const char *yr_engine_dir(const yr_engine *engine); /* its data: DIR/data, its log: DIR/log */
pid_t yr_engine_pid(const yr_engine *engine);       /* 0: it does not run */

/*
 * The sum of its metrics that begin so: "etcd_server_is_leader ", or, over all of its labels,
 * "grpc_server_started_total{"; -1: it does not answer, or has none.
 */
double yr_engine_metric(const yr_engine *engine, const char *sample);

/* A port that is free now, below those of outgoing connections, and never twice; 0: none. */
uint16_t yr_engine_choose_port(void);

/* Send a signal and do not wait: SIGSTOP, SIGCONT, … */
void yr_engine_signal(yr_engine *engine, int signal);

/* Stop it with SIGTERM or SIGKILL, and wait until it is gone (SIGKILL after 10 s). */
void yr_engine_stop(yr_engine *engine, int signal);

/*
 * Start it again on the same ports (stopped with SIGKILL before when it runs), with its data
 * or with none.
 */
YURPC_NODISCARD yurpc_status yr_engine_restart(yr_engine *engine, bool has_empty_data);

/* Start a stopped one, and return before it serves; then wait for that. */
YURPC_NODISCARD yurpc_status yr_engine_spawn(yr_engine *engine);
YURPC_NODISCARD yurpc_status yr_engine_wait_ready(yr_engine *engine);

/* The last lines of its log, to stderr. */
void yr_engine_print_log(const yr_engine *engine);

#endif /* YR_ENGINE_H */
