/* What the files of the simulated world share. */
#ifndef YR_TESTS_SIM_WORLD_H
#define YR_TESTS_SIM_WORLD_H

#include "base/buf.h"
#include "net/world.h"
#include "sim/sim_io.h"

/* Something that happens at a time. Embedded. */
typedef struct sim_event {
    yr_heap_node node;
    void (*fn)(void *context);
    void *context;
} sim_event;

/* What was closed inside a callback is freed after the event. */
typedef struct sim_grave {
    yr_list link;
    void *memory;
} sim_grave;

struct yr_sim {
    int64_t now_ms;
    int64_t wall_jumped_ms; /* somebody set the machines' clocks by so much */
    yr_heap events;
    size_t events_now; /* at this instant */
    uint64_t network_random;
    uint64_t test_random;
    int64_t latency_min_ms;
    int64_t latency_max_ms;
    bool is_splitting;
    yr_sim_host *hosts[YR_SIM_HOSTS_MAX];
    size_t host_count;
    bool is_cut[YR_SIM_HOSTS_MAX][YR_SIM_HOSTS_MAX]; /* [from][to] */
    yr_list graves;
    yr_sim_trace_fn *trace;
    void *trace_context;
};

struct yr_sim_host {
    yr_io io;
    yr_sim *sim;
    size_t index; /* in sim->hosts */
    char *name;
    uint64_t random;
    sim_event turn; /* its tasks, its timers, and what it wrote outside of callbacks */
    yr_list streams;
    yr_list listeners;
    yr_list unsent; /* streams with something to send at the end of the turn */
    uint16_t next_port;
    uint64_t connects;
    uint64_t writes;
    bool is_in_turn; /* or in another callback: what is written goes out at its end */
    bool is_isolated;
    bool is_refusing;
    bool is_frozen;
    bool is_dead;
};

typedef struct sim_listener {
    yr_listener listener;
    sim_grave grave;
    yr_list link; /* in host->listeners */
    yr_sim_host *host;
    yr_accept_fn *fn;
    void *context;
} sim_listener;

typedef enum segment_kind {
    SEGMENT_SYN,    /* connect to the port */
    SEGMENT_ACCEPT, /* the kernel accepted: tell the listener */
    SEGMENT_SYNACK,
    SEGMENT_DATA,
    SEGMENT_FIN,
    SEGMENT_FAIL, /* RST, or what takes its place */
} segment_kind;

/* Bytes or a sign on their way to a stream. */
typedef struct segment {
    yr_list link;
    segment_kind kind;
    int64_t due_ms;
    bool is_local;   /* not from the network: cuts do not matter */
    const char *why; /* of a SEGMENT_FAIL */
    size_t len;
    char data[];
} segment;

typedef enum stream_state {
    STREAM_CONNECTING,
    STREAM_ARRIVING, /* the server's end: SYN is on its way, nobody owns this */
    STREAM_BACKLOG,  /* the kernel accepted it, still nobody owns it */
    STREAM_WAITING,  /* owned, but without events */
    STREAM_OPEN,
    STREAM_ENDED,
    STREAM_CLOSED,
} stream_state;

typedef struct sim_stream {
    yr_stream stream;
    sim_grave grave;
    yr_list link; /* in host->streams */
    yr_sim_host *host;
    yr_sim_host *peer_host;
    struct sim_stream *peer; /* NULL: the other end is gone */
    stream_state state;
    yr_stream_events events;
    void *context;
    char *peer_name; /* "host:port" as it was given */
    uint16_t port;   /* that it wants to reach */
    int64_t timeout_ms;
    yr_timer deadline;
    yr_list inbox; /* segments on their way here, in order */
    size_t inbox_len;
    sim_event arrival; /* of the first of inbox */
    bool is_dialled;   /* this end connected: it gives up what is not confirmed */
    sim_event expiry;  /* the other end gives up what a cut keeps from here */
    yr_list unsent;    /* in host->unsent */
    yr_buf out;
    size_t sent;
    bool is_finished;
    bool is_fin_sent;
} sim_stream;

/* Memory of the world itself: never fails. */
void *sim_alloc(size_t size);
void sim_dealloc(void *memory);

/* A number below @p bound, for the network. */
uint64_t sim_network_below(yr_sim *sim, uint64_t bound);

/* How long something takes to get to the other end. */
int64_t sim_latency_ms(yr_sim *sim);

void sim_schedule(yr_sim *sim, sim_event *event, int64_t due_ms);
void sim_unschedule(yr_sim *sim, sim_event *event);

/* A line of the trace, when somebody looks at it. */
void sim_trace(const yr_sim_host *host, const char *format, ...) YURPC_PRINTF(2, 3);

void sim_bury(yr_sim *sim, sim_grave *grave, void *memory);

/* Let the host have a turn at the next event. */
void sim_wake_host(yr_sim_host *host);

/* Around all that runs callbacks of the host; the end sends what was written. */
void sim_begin_turn(yr_sim_host *host);
void sim_end_turn(yr_sim_host *host);

/* As @p from sees it; NULL: there is no host of that name. */
yr_sim_host *sim_find_host(yr_sim_host *from, const char *name);

/* NULL: nobody listens on that port. */
sim_listener *sim_find_listener(const yr_sim_host *host, uint16_t port);

/* Whether nothing of @p from arrives at @p to. */
bool sim_is_cut(const yr_sim_host *from, const yr_sim_host *to);

yurpc_status sim_connect(yr_io *io, const yr_connect_options *options,
                         const yr_stream_events *events, void *context, yr_stream **ret_stream);

/* Send what it has, as far as the window allows. */
void sim_stream_send(sim_stream *stream);

/* What is under way to it may be held back no more: it arrives after @p delay_ms. */
void sim_stream_release(sim_stream *stream, int64_t delay_ms);

/* The connection breaks, for both ends; @p is_noticed: this end is told, too. */
void sim_stream_break(sim_stream *stream, bool is_noticed, bool is_in_order);

/* One that was never handed out is gone. */
void sim_stream_drop(sim_stream *stream);

#endif /* YR_TESTS_SIM_WORLD_H */
