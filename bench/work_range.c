/*
 * Unary calls: a Range of one key. One at a time, by who drives the loop himself and by who
 * blocks in another thread; and 64 at once, from a server that costs nothing.
 */
#include "bare.h"
#include "bare_etcd.h"
#include "measure.h"
#include "names.h"
#include "peer.h"
#include "work.h"

#include <yurpc/etcd.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { CALLS_MAX = 2048, WARM_UP = 200, IN_FLIGHT = 64, WAKE_UPS = 500, ASLEEP_US = 100 };

static yurpc_etcd *open_client(const yr_sample *self, bool is_host_driven)
{
    yurpc_etcd_config config = YURPC_ETCD_CONFIG_INIT;
    yurpc_etcd *client = NULL;
    yurpc_error *error = NULL;
    config.endpoints = self->address;
    config.timeout_ms = YR_SAMPLE_TIMEOUT_MS;
    config.is_host_driven = is_host_driven;
    if (yurpc_etcd_open(&config, &client, &error) != YURPC_OK) {
        (void)yr_fail(self, "cannot open the client", error);
    }
    return client;
}

/* ---- One at a time: this measures any way of doing it ---- */

typedef struct caller {
    yurpc_etcd *client;
    yr_bare bare;
    yurpc_bytes key;
    size_t answers;
} caller;

static bool measure_each(const yr_sample *self, caller *by, bool (*call)(caller *by),
                         int64_t *ret_p50_ns)
{
    static int64_t samples[CALLS_MAX];
    size_t count = self->work->changes;
    for (int i = 0; i < WARM_UP; i++) {
        if (!call(by)) {
            return yr_fail(self, "a call has failed", NULL);
        }
    }
    int64_t cpu = yr_cpu_ns();
    for (size_t i = 0; i < count; i++) {
        int64_t begin = yr_now_ns();
        if (!call(by)) {
            return yr_fail(self, "a call has failed", NULL);
        }
        samples[i] = yr_now_ns() - begin;
    }
    cpu = yr_cpu_ns() - cpu;
    yr_report("cpu_us", (double)cpu / 1e3 / (double)count);
    yr_report_percentiles("", samples, count);
    *ret_p50_ns = samples[count / 2]; /* they are sorted now */
    return true;
}

static bool call_blocking(caller *by)
{
    yurpc_etcd_reply *reply = NULL;
    bool is_fine = yurpc_etcd_range(by->client, by->key, NULL, &reply, NULL) == YURPC_OK;
    yurpc_etcd_reply_free(reply);
    return is_fine;
}

static void on_reply(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    caller *by = context;
    (void)error;
    by->answers += reply != NULL ? 1 : 0;
}

static bool call_driven(caller *by)
{
    size_t before = by->answers;
    if (yurpc_etcd_range_async(by->client, by->key, NULL, on_reply, by) != YURPC_OK) {
        return false;
    }
    while (by->answers == before) {
        struct pollfd fd = {.fd = yurpc_etcd_fd(by->client), .events = POLLIN};
        if (yurpc_etcd_step(by->client) != YURPC_OK) {
            return false;
        }
        if (by->answers == before && poll(&fd, 1, yurpc_etcd_timeout_ms(by->client)) < 0 &&
            errno != EINTR) {
            return false;
        }
    }
    return true;
}

static bool call_bare(caller *by)
{
    static yr_message message;
    return yr_bare_call(&by->bare, YR_PATH_RANGE, yr_message_range_one(&message, 0)) > 0;
}

static bool run_ours(yr_sample *self, bool is_host_driven)
{
    char key[YR_KEY_SIZE];
    int64_t p50 = 0;
    caller by = {.client = open_client(self, is_host_driven), .key = yr_name_key(0, key)};
    bool is_fine = by.client != NULL &&
                   measure_each(self, &by, is_host_driven ? call_driven : call_blocking, &p50);
    yurpc_etcd_close(by.client);
    return is_fine;
}

static bool run_driven(yr_sample *self)
{
    return run_ours(self, true);
}

static bool run_blocking(yr_sample *self)
{
    return run_ours(self, false);
}

/* ---- What it takes to wake up a thread that has slept ---- */

typedef struct sleeper {
    sem_t wake;
    _Atomic int64_t woken_ns;
} sleeper;

static void await(sem_t *what)
{
    while (sem_wait(what) != 0 && errno == EINTR) {
    }
}

static void *sleep_on(void *context)
{
    sleeper *self = context;
    for (int i = 0; i < WAKE_UPS; i++) {
        await(&self->wake);
        self->woken_ns = yr_now_ns();
    }
    return NULL;
}

/* From the call that wakes it until it runs, in ns; -1: there is no thread. */
static int64_t measure_wake_up(void)
{
    static int64_t samples[WAKE_UPS];
    static sleeper other;
    pthread_t thread;
    (void)sem_init(&other.wake, 0, 0);
    if (pthread_create(&thread, NULL, sleep_on, &other) != 0) {
        return -1;
    }
    for (int i = 0; i < WAKE_UPS; i++) {
        other.woken_ns = 0;
        yr_pause_us(ASLEEP_US);
        int64_t begin = yr_now_ns();
        (void)sem_post(&other.wake);
        while (other.woken_ns == 0) {
            yr_pause_us(ASLEEP_US);
        }
        samples[i] = other.woken_ns - begin;
    }
    (void)pthread_join(thread, NULL);
    yr_report_percentiles("wake_", samples, WAKE_UPS);
    return samples[WAKE_UPS / 2];
}

static bool run_bare(yr_sample *self)
{
    static caller by;
    int64_t p50 = 0;
    bool is_fine = yr_bare_open(&by.bare, self->address, NULL, NULL) &&
                   measure_each(self, &by, call_bare, &p50);
    yr_bare_close(&by.bare);
    int64_t wake = is_fine ? measure_wake_up() : -1;
    if (wake >= 0) {
        yr_report("woken_us", (double)(p50 + 2 * wake) / 1e3);
    }
    return wake >= 0;
}

/* ---- Many at once ---- */

typedef struct crowd {
    yurpc_etcd *client;
    yr_bare bare;
    yurpc_bytes key;
    size_t begun;
    size_t wanted;
    _Atomic size_t answers;
    bool has_failed;
    sem_t is_done;
} crowd;

static void report_crowd(const crowd *self, yr_span begin)
{
    yr_span span = yr_span_end(begin);
    yr_report("rate", (double)self->wanted / ((double)span.wall_ns / 1e9) / 1e3);
    yr_report("cpu_us", (double)span.cpu_ns / 1e3 / (double)self->wanted);
}

static void on_one_of_many(void *context, const yurpc_etcd_reply *reply,
                           const yurpc_error *error);

static void begin_one(crowd *self)
{
    self->begun++;
    self->has_failed =
        self->has_failed ||
        yurpc_etcd_range_async(self->client, self->key, NULL, on_one_of_many, self) != YURPC_OK;
}

/* On the loop: the next one follows at once. */
static void on_one_of_many(void *context, const yurpc_etcd_reply *reply,
                           const yurpc_error *error)
{
    crowd *self = context;
    (void)error;
    self->has_failed = self->has_failed || reply == NULL;
    self->answers++;
    if (self->answers == self->wanted || self->has_failed) {
        (void)sem_post(&self->is_done);
    } else if (self->begun < self->wanted) {
        begin_one(self);
    }
}

/* The first of them, so that all others are begun on the loop. */
static void begin_all(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    crowd *self = context;
    (void)error;
    self->has_failed = reply == NULL;
    for (int i = 0; i < IN_FLIGHT && !self->has_failed; i++) {
        begin_one(self);
    }
    if (self->has_failed) {
        (void)sem_post(&self->is_done);
    }
}

static bool run_crowd(yr_sample *sample)
{
    static crowd self;
    char key[YR_KEY_SIZE];
    self.client = open_client(sample, false);
    self.key = yr_name_key(0, key);
    self.wanted = sample->work->changes;
    (void)sem_init(&self.is_done, 0, 0);
    caller by = {.client = self.client, .key = self.key};
    bool is_fine = self.client != NULL;
    for (int i = 0; is_fine && i < WARM_UP; i++) {
        is_fine = call_blocking(&by);
    }
    yr_span begin = yr_span_begin();
    is_fine = is_fine &&
              yurpc_etcd_range_async(self.client, self.key, NULL, begin_all, &self) == YURPC_OK;
    if (is_fine) {
        await(&self.is_done);
        report_crowd(&self, begin);
    }
    yurpc_etcd_close(self.client);
    is_fine = is_fine && self.answers == self.wanted;
    return is_fine || yr_fail(sample, "a call has failed", NULL);
}

static void take_one_of_many(void *context, int32_t stream, yurpc_bytes data, bool is_end)
{
    static yr_message message;
    crowd *self = context;
    (void)stream;
    (void)data;
    if (is_end) {
        self->answers++;
    }
    if (is_end && self->begun < self->wanted) {
        self->begun++;
        self->has_failed = yr_bare_request(&self->bare, YR_PATH_RANGE,
                                           yr_message_range_one(&message, 0), false) == 0;
    }
}

static bool run_bare_crowd(yr_sample *sample)
{
    static crowd self;
    static yr_message message;
    yurpc_bytes request = yr_message_range_one(&message, 0);
    self.wanted = sample->work->changes;
    bool is_fine = yr_bare_open(&self.bare, sample->address, NULL, NULL);
    for (int i = 0; is_fine && i < WARM_UP; i++) {
        is_fine = yr_bare_call(&self.bare, YR_PATH_RANGE, request) > 0;
    }
    self.bare.on_data = take_one_of_many;
    self.bare.context = &self;
    yr_span begin = yr_span_begin();
    for (; is_fine && self.begun < IN_FLIGHT; self.begun++) {
        is_fine = yr_bare_request(&self.bare, YR_PATH_RANGE, request, false) != 0;
    }
    while (is_fine && self.answers < self.wanted) {
        is_fine = yr_bare_turn(&self.bare) && !self.has_failed;
    }
    if (is_fine) {
        report_crowd(&self, begin);
    }
    yr_bare_close(&self.bare);
    return is_fine || yr_fail(sample, "a bare call has failed", NULL);
}

/* ---- The works ---- */

#define CALL  "the same call by nghttp2 on a blocking socket, nothing decoded"
#define WAKES "that call, and twice a thread woken up by another"
#define WAKE  "a thread that sleeps, woken up by another"

static const yr_row rows[] = {
    {"driven by the caller, p50", "µs", "driven.p50_us", "bare.p50_us", "go.p50_us", CALL,
     "<= 1.1 bare"},
    {"driven by the caller, CPU", "µs", "driven.cpu_us", "bare.cpu_us", "go.cpu_us", CALL,
     NULL},
    {"blocking, p50", "µs", "yurpc.p50_us", "bare.woken_us", "go.p50_us", WAKES, "<= 1 bare"},
    {"blocking, CPU", "µs", "yurpc.cpu_us", "bare.cpu_us", "go.cpu_us", CALL, NULL},
    {"waking up a thread, p50", "µs", NULL, "bare.wake_p50_us", NULL, WAKE, NULL},
};

static const yr_row crowd_rows[] = {
    {"calls, 64 in flight", "k/s", "yurpc.rate", "bare.rate", "go.rate", CALL, ">= 0.7 bare"},
    {"CPU of each", "µs", "yurpc.cpu_us", "bare.cpu_us", "go.cpu_us", CALL, NULL},
};

static const yr_work works[] = {
    {
        .name = "range.etcd",
        .backend = YR_BACKEND_ETCD,
        .count = 100,
        .changes = 1000,
        .is_filled = true,
        .runs = 5,
        .programs = {{"driven", run_driven, false},
                     {"bare", run_bare, false},
                     {"yurpc", run_blocking, false},
                     {YR_PEER, NULL, false}},
        .rows = rows,
        .row_count = sizeof(rows) / sizeof(rows[0]),
    },
    {
        .name = "range.canned.64",
        .backend = YR_BACKEND_CANNED,
        .count = 100,
        .changes = 50000,
        .runs = 5,
        .programs = {{"yurpc", run_crowd, false},
                     {"bare", run_bare_crowd, false},
                     {YR_PEER, NULL, false}},
        .rows = crowd_rows,
        .row_count = sizeof(crowd_rows) / sizeof(crowd_rows[0]),
    },
};

const yr_works yr_works_range = {works, sizeof(works) / sizeof(works[0])};
