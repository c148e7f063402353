#include "watch.h"

#include "alloc.h"
#include "base/bytes.h"
#include "deferred.h"
#include "spoil.h"

#include <string.h>

enum {
    WATCHES_MAX = 100000,           /* on one stream */
    BATCH_REVISIONS_MAX = 1000,     /* of history in one message */
    BATCH_PAUSE_MS = 100,           /* before the next one */
    FRAGMENT_LEN_MAX = 2048 * 1024, /* bytes of a message, where fragments are allowed */
    PROGRESS_MS = 10 * 60 * 1000,
};

typedef struct watch {
    yr_list link;
    int64_t id;
    yr_fake_span span; /* owned */
    int64_t min_revision;
    size_t next_write; /* the first that a watch which has fallen behind was not told */
    bool is_behind;    /* it is told batch by batch, with pauses, until there is no more */
    bool has_no_puts;
    bool has_no_deletes;
    bool has_prev_kv;
    bool has_progress;
    bool may_fragment;
    bool is_over;  /* compacted away; keeps its id until the client cancels it, as in etcd */
    bool is_quiet; /* had no events since the last look at progress */
} watch;

struct yr_fake_watch_stream {
    yr_list link; /* in the fake's watch_streams */
    yr_fake_etcd *fake;
    const yr_fake_member *member;
    yr_fake_call *call;
    yr_list watches; /* in the order of their creation */
    size_t watch_count;
    int64_t next_id;
    int64_t created_count;
    yr_timer progress;
    yr_timer catch_up; /* of those that are behind */
};

/* ---- What the stream's member knows ---- */

static int64_t known_revision(const yr_fake_watch_stream *stream)
{
    int64_t behind = stream->member->behind_revision;
    return behind != 0 ? behind : yr_fake_store_revision(stream->fake->store);
}

/* How many writes the stream's member knows of. */
static size_t known_write_count(const yr_fake_watch_stream *stream)
{
    int64_t behind = stream->member->behind_revision;
    const yr_fake_store *store = stream->fake->store;
    return behind != 0 ? yr_fake_store_write_from(store, behind + 1)
                       : yr_fake_store_write_count(store);
}

/* ---- Sending ---- */

static void on_message_due(yr_fake_deferred *deferred)
{
    if (deferred->call != NULL) {
        yr_fake_call_send(deferred->call, deferred->message);
    }
}

/* Send a message, or what @p rule makes of it. */
static void send_message(yr_fake_watch_stream *stream, const yr_fake_rule *rule,
                         const Etcdserverpb__WatchResponse *response)
{
    size_t len = etcdserverpb__watch_response__get_packed_size(response);
    uint8_t *packed = yr_fake_alloc(len + 1);
    (void)etcdserverpb__watch_response__pack(response, packed);
    yurpc_bytes message = yr_bytes(packed, len);
    yr_fake_action action = rule != NULL ? rule->action : YR_FAKE_FRAGMENT;
    if (action == YR_FAKE_DELAY || action == YR_FAKE_EARLY_PROGRESS) {
        yr_fake_defer(stream->fake, rule->number, on_message_due,
                      &(yr_fake_deferred){.call = stream->call, .message = message});
    } else if (action == YR_FAKE_DROP_IN_ANSWER) {
        yr_fake_spoil_message(stream->call, message, rule->number);
    } else {
        yr_fake_call_send(stream->call, message);
    }
    yr_fake_release(packed);
}

/* Send a response at a revision (0: none in its header), as @p rule wants. */
static void send_response(yr_fake_watch_stream *stream, const yr_fake_rule *rule,
                          Etcdserverpb__WatchResponse *response, int64_t revision)
{
    Etcdserverpb__ResponseHeader header = ETCDSERVERPB__RESPONSE_HEADER__INIT;
    yr_fake_fill_header(stream->fake, stream->member, &header);
    header.revision = revision;
    response->header = &header;
    send_message(stream, rule, response);
    response->header = NULL;
}

static void send_notice(yr_fake_watch_stream *stream, Etcdserverpb__WatchResponse *response,
                        int64_t revision)
{
    send_response(stream, NULL, response, revision);
}

/* Say how far a watch (-1: all of the stream) has come. */
static void send_progress(yr_fake_watch_stream *stream, int64_t id)
{
    Etcdserverpb__WatchResponse response;
    etcdserverpb__watch_response__init(&response);
    response.watch_id = id;
    send_notice(stream, &response, known_revision(stream));
}

/* The same of all; but as long as one is behind nothing is said, as by etcd since 3.5.8. */
static void answer_progress(yr_fake_watch_stream *stream)
{
    for (yr_list *link = stream->watches.next; link != &stream->watches; link = link->next) {
        if (YR_CONTAINER_OF(link, watch, link)->is_behind) {
            return;
        }
    }
    send_progress(stream, -1);
}

/* Cancel with a compact revision, as etcd does it: no reason, no revision in the header. */
static void cancel_compacted(yr_fake_watch_stream *stream, watch *watching, const char *reason,
                             int64_t compacted)
{
    Etcdserverpb__WatchResponse response;
    etcdserverpb__watch_response__init(&response);
    response.watch_id = watching->id;
    response.canceled = true;
    response.compact_revision = compacted;
    response.cancel_reason = (char *)yr_fake_binary(yr_bytes_of_text(reason)).data;
    send_notice(stream, &response, 0);
    watching->is_over = true;
}

/* As many of the events from @p first on as go into one message; at least one. */
static size_t choose_count(const watch *watching, Mvccpb__Event *const *events, size_t count,
                           size_t count_max)
{
    if (!watching->may_fragment) {
        return count;
    }
    size_t len = 64; /* of the rest of the message */
    size_t chosen = 0;
    while (chosen < count && chosen < count_max) {
        len += mvccpb__event__get_packed_size(events[chosen]) + 8;
        if (chosen > 0 && len >= FRAGMENT_LEN_MAX) {
            break;
        }
        chosen++;
    }
    return chosen;
}

/* Send events that belong together, in one message or in fragments; @p rule may interfere. */
static void send_events(yr_fake_watch_stream *stream, watch *watching, const yr_fake_rule *rule,
                        Mvccpb__Event **events, size_t count)
{
    yr_fake_action action = rule != NULL ? rule->action : YR_FAKE_TTL;
    watching->is_quiet = false;
    if (action == YR_FAKE_DROP_EVENTS) {
        return;
    }
    if (action == YR_FAKE_CANCEL) {
        cancel_compacted(stream, watching, rule->text, rule->number);
        return;
    }
    if (action == YR_FAKE_EARLY_PROGRESS) {
        send_progress(stream, -1);
    }
    size_t count_max = action == YR_FAKE_FRAGMENT ? (size_t)rule->number : SIZE_MAX;
    size_t sent = 0;
    while (sent < count) {
        Etcdserverpb__WatchResponse response;
        etcdserverpb__watch_response__init(&response);
        response.watch_id = watching->id;
        response.events = events + sent;
        response.n_events = choose_count(watching, events + sent, count - sent, count_max);
        sent += response.n_events;
        response.fragment = sent < count;
        send_response(stream, rule, &response, known_revision(stream));
        if (action == YR_FAKE_DUP_EVENTS) {
            send_notice(stream, &response, known_revision(stream));
        }
    }
}

/* ---- Events ---- */

static bool is_wanted(const watch *watching, const yr_fake_version *version)
{
    bool is_delete = version->version == 0;
    return !watching->is_over && version->mod_revision >= watching->min_revision &&
           yr_fake_span_has(&watching->span, version->key) &&
           !(is_delete ? watching->has_no_deletes : watching->has_no_puts);
}

static Mvccpb__Event *make_event(const yr_fake_store *store, const yr_fake_version *version,
                                 bool has_prev_kv)
{
    Mvccpb__Event *event = yr_fake_alloc(sizeof(*event));
    mvccpb__event__init(event);
    event->type =
        version->version == 0 ? MVCCPB__EVENT__KIND__DELETE : MVCCPB__EVENT__KIND__PUT;
    event->kv = yr_fake_alloc(sizeof(*event->kv));
    yr_fake_fill_kv(event->kv, version, false);
    const yr_fake_version *before = yr_fake_store_before(store, version);
    if (has_prev_kv && before != NULL) {
        event->prev_kv = yr_fake_alloc(sizeof(*event->prev_kv));
        yr_fake_fill_kv(event->prev_kv, before, false);
    }
    return event;
}

static void free_event(Mvccpb__Event *event)
{
    yr_fake_release(event->kv);
    yr_fake_release(event->prev_kv);
    yr_fake_release(event);
}

/* Up to @p number writes before the write number @p first, told as if they were new. */
static void send_old_events(yr_fake_watch_stream *stream, const watch *watching, size_t first,
                            int64_t number)
{
    const yr_fake_store *store = stream->fake->store;
    for (size_t i = (int64_t)first > number ? first - (size_t)number : 0; i < first; i++) {
        const yr_fake_version *version = yr_fake_store_write(store, i);
        if (!yr_fake_span_has(&watching->span, version->key)) {
            continue;
        }
        Mvccpb__Event *event = make_event(store, version, false);
        Etcdserverpb__WatchResponse response;
        etcdserverpb__watch_response__init(&response);
        response.watch_id = watching->id;
        response.events = &event;
        response.n_events = 1;
        send_notice(stream, &response, version->mod_revision);
        free_event(event);
    }
}

/*
 * Send what the watch wants of the writes from number @p first on, in one message, but not more
 * than BATCH_REVISIONS_MAX revisions. Gives the number of the first write that was left.
 */
static size_t send_writes(yr_fake_watch_stream *stream, watch *watching, size_t first)
{
    const yr_fake_store *store = stream->fake->store;
    size_t write_count = known_write_count(stream);
    Mvccpb__Event **events = NULL;
    size_t count = 0;
    size_t revisions = 0;
    int64_t revision = 0;
    size_t i = first;
    for (; i < write_count; i++) {
        const yr_fake_version *version = yr_fake_store_write(store, i);
        if (!is_wanted(watching, version) || !yr_fake_store_is_visible(store, version)) {
            continue;
        }
        if (version->mod_revision != revision && ++revisions > BATCH_REVISIONS_MAX) {
            break;
        }
        revision = version->mod_revision;
        events = yr_fake_grow(events, count, sizeof(Mvccpb__Event *));
        events[count++] = make_event(store, version, watching->has_prev_kv);
    }
    const yr_fake_rule *rule =
        count > 0 ? yr_fake_script_match(&stream->fake->script, "Events") : NULL;
    if (count > 0) {
        send_events(stream, watching, rule, events, count);
    }
    if (rule != NULL && rule->action == YR_FAKE_OLD_EVENTS) {
        send_old_events(stream, watching, first, rule->number);
    }
    for (size_t k = 0; k < count; k++) {
        free_event(events[k]);
    }
    yr_fake_release(events);
    return i;
}

/*
 * All that is known from the write number @p first on; when that is too much for one message,
 * the watch is behind, and whatever comes waits for its turn.
 */
static void send_history(yr_fake_watch_stream *stream, watch *watching, size_t first)
{
    watching->next_write = send_writes(stream, watching, first);
    watching->is_behind =
        !watching->is_over && watching->next_write < known_write_count(stream);
    if (watching->is_behind && !yr_timer_is_running(&stream->catch_up)) {
        yr_timer_start(stream->fake->io, &stream->catch_up, BATCH_PAUSE_MS);
    }
}

static void on_catch_up(void *context)
{
    yr_fake_watch_stream *stream = context;
    for (yr_list *link = stream->watches.next; link != &stream->watches; link = link->next) {
        watch *watching = YR_CONTAINER_OF(link, watch, link);
        if (watching->is_behind) {
            send_history(stream, watching, watching->next_write);
        }
    }
}

static void notify_stream(yr_fake_watch_stream *stream, size_t first)
{
    for (yr_list *link = stream->watches.next; link != &stream->watches; link = link->next) {
        watch *watching = YR_CONTAINER_OF(link, watch, link);
        if (!watching->is_behind) {
            send_history(stream, watching, first);
        }
    }
}

void yr_fake_watch_notify(yr_fake_etcd *fake, size_t first)
{
    for (yr_list *link = fake->watch_streams.next; link != &fake->watch_streams;
         link = link->next) {
        notify_stream(YR_CONTAINER_OF(link, yr_fake_watch_stream, link), first);
    }
}

void yr_fake_watch_catch_up(yr_fake_member *member, size_t first)
{
    yr_fake_etcd *fake = member->fake;
    for (yr_list *link = fake->watch_streams.next; link != &fake->watch_streams;
         link = link->next) {
        yr_fake_watch_stream *stream = YR_CONTAINER_OF(link, yr_fake_watch_stream, link);
        if (stream->member == member) {
            notify_stream(stream, first);
        }
    }
}

/* ---- Creating and cancelling ---- */

static watch *find_watch(const yr_fake_watch_stream *stream, int64_t id)
{
    for (yr_list *link = stream->watches.next; link != &stream->watches; link = link->next) {
        watch *watching = YR_CONTAINER_OF(link, watch, link);
        if (watching->id == id) {
            return watching;
        }
    }
    return NULL;
}

static void remove_watch(yr_fake_watch_stream *stream, watch *watching)
{
    yr_list_remove(&watching->link);
    stream->watch_count--;
    yr_fake_release(watching->span.key.data);
    yr_fake_release(watching->span.end.data);
    yr_fake_release(watching);
}

/* Empty keys mean the first key there can be; the caller owns the span. */
static yr_fake_span make_span(const Etcdserverpb__WatchCreateRequest *request)
{
    static const char zero[] = {'\0'};
    yurpc_bytes key = yr_fake_bytes(request->key);
    return (yr_fake_span){
        .key = yr_fake_copy(key.len > 0 ? key : yr_bytes(zero, 1)),
        .end = yr_fake_copy(yr_fake_bytes(request->range_end)),
    };
}

static bool is_empty_span(const yr_fake_span *span)
{
    return span->end.len > 0 && !yr_fake_span_has(span, span->key);
}

void yr_fake_watch_stream_refuse(yr_fake_watch_stream *stream, const char *reason)
{
    char *text = (char *)yr_fake_binary(yr_bytes_of_text(reason)).data;
    Etcdserverpb__WatchResponse response;
    etcdserverpb__watch_response__init(&response);
    response.watch_id = -1;
    response.created = true;
    response.canceled = true;
    response.cancel_reason = text;
    send_notice(stream, &response, yr_fake_store_revision(stream->fake->store));
}

static int64_t choose_id(yr_fake_watch_stream *stream, int64_t wanted, yr_fake_action action)
{
    if (action == YR_FAKE_OWN_NUMBER) {
        return stream->created_count;
    }
    if (wanted != 0) {
        return wanted;
    }
    while (find_watch(stream, stream->next_id) != NULL) {
        stream->next_id++;
    }
    return stream->next_id++;
}

static watch *add_watch(yr_fake_watch_stream *stream,
                        const Etcdserverpb__WatchCreateRequest *request, int64_t id)
{
    YR_ASSERT(stream->watch_count < WATCHES_MAX);
    int64_t next_revision = yr_fake_store_revision(stream->fake->store) + 1;
    watch *watching = yr_fake_alloc(sizeof(*watching));
    watching->id = id;
    watching->span = make_span(request);
    watching->min_revision =
        request->start_revision != 0 ? request->start_revision : next_revision;
    watching->has_prev_kv = request->prev_kv;
    watching->has_progress = request->progress_notify;
    watching->may_fragment = request->fragment;
    watching->is_quiet = true;
    for (size_t i = 0; i < request->n_filters; i++) {
        watching->has_no_puts |=
            request->filters[i] == ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER__NOPUT;
        watching->has_no_deletes |=
            request->filters[i] == ETCDSERVERPB__WATCH_CREATE_REQUEST__FILTER__NODELETE;
    }
    yr_list_append(&stream->watches, &watching->link);
    stream->watch_count++;
    stream->created_count++;
    return watching;
}

static void send_created(yr_fake_watch_stream *stream, const watch *watching,
                         int64_t revisions_ahead)
{
    Etcdserverpb__WatchResponse created;
    etcdserverpb__watch_response__init(&created);
    created.watch_id = watching->id;
    created.created = true;
    send_notice(stream, &created, known_revision(stream) + revisions_ahead);
    if (watching->has_progress && !yr_timer_is_running(&stream->progress)) {
        yr_timer_start(stream->fake->io, &stream->progress, PROGRESS_MS);
    }
}

static void create_watch(yr_fake_watch_stream *stream,
                         const Etcdserverpb__WatchCreateRequest *request,
                         const yr_fake_rule *rule)
{
    const yr_fake_store *store = stream->fake->store;
    yr_fake_action action = rule != NULL ? rule->action : YR_FAKE_TTL;
    yr_fake_span span = make_span(request);
    bool is_empty = is_empty_span(&span);
    yr_fake_release(span.key.data);
    yr_fake_release(span.end.data);
    if (is_empty) {
        yr_fake_watch_stream_refuse(stream, "mvcc: watcher range is empty");
        return;
    }
    int64_t id = choose_id(stream, request->watch_id, action);
    if (find_watch(stream, id) != NULL) {
        yr_fake_watch_stream_refuse(stream,
                                    "mvcc: duplicate watch ID provided on the WatchStream");
        return;
    }
    if (action == YR_FAKE_REFUSE_WATCH) {
        yr_fake_watch_stream_refuse(stream, rule->text);
        return;
    }
    watch *watching = add_watch(stream, request, id);
    bool is_compacted = watching->min_revision < yr_fake_store_compacted(store);
    bool is_told = action == YR_FAKE_EVENTS_FIRST && !is_compacted;
    if (is_told) {
        send_history(stream, watching, yr_fake_store_write_from(store, watching->min_revision));
    }
    send_created(stream, watching, action == YR_FAKE_CREATED_THEN_CUT ? rule->number : 0);
    if (action == YR_FAKE_CREATED_THEN_CUT) {
        yr_fake_conn_finish(yr_fake_call_conn(stream->call));
    } else if (action == YR_FAKE_CANCEL) {
        cancel_compacted(stream, watching, rule->text, rule->number);
    } else if (is_compacted) {
        cancel_compacted(stream, watching, "", yr_fake_store_compacted(store));
    } else if (!is_told) {
        send_history(stream, watching, yr_fake_store_write_from(store, watching->min_revision));
    }
}

static void cancel_watch(yr_fake_watch_stream *stream, int64_t id)
{
    watch *watching = find_watch(stream, id);
    if (watching == NULL) {
        return;
    }
    remove_watch(stream, watching);
    Etcdserverpb__WatchResponse response;
    etcdserverpb__watch_response__init(&response);
    response.watch_id = id;
    response.canceled = true;
    send_notice(stream, &response, yr_fake_store_revision(stream->fake->store));
}

static void on_progress_due(void *context)
{
    yr_fake_watch_stream *stream = context;
    for (yr_list *link = stream->watches.next; link != &stream->watches; link = link->next) {
        watch *watching = YR_CONTAINER_OF(link, watch, link);
        bool is_told_all = watching->is_quiet && !watching->is_behind;
        if (watching->has_progress && is_told_all && !watching->is_over) {
            send_progress(stream, watching->id);
        }
        watching->is_quiet = true;
    }
    yr_timer_start(stream->fake->io, &stream->progress, PROGRESS_MS);
}

/* ---- The stream ---- */

const char *yr_fake_watch_method(const Etcdserverpb__WatchRequest *request)
{
    switch (request->request_case) {
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_CANCEL_REQUEST:
        return "WatchCancel";
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_PROGRESS_REQUEST:
        return "WatchProgress";
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST__NOT_SET:
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST:
    case _ETCDSERVERPB__WATCH_REQUEST__REQUEST__CASE_IS_INT_SIZE:
        break;
    }
    return "Watch";
}

void yr_fake_watch_stream_request(yr_fake_watch_stream *stream,
                                  const Etcdserverpb__WatchRequest *request,
                                  const yr_fake_rule *rule)
{
    switch (request->request_case) {
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_CREATE_REQUEST:
        create_watch(stream, request->create_request, rule);
        break;
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_CANCEL_REQUEST:
        cancel_watch(stream, request->cancel_request->watch_id);
        break;
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST_PROGRESS_REQUEST:
        answer_progress(stream);
        break;
    case ETCDSERVERPB__WATCH_REQUEST__REQUEST__NOT_SET:
    case _ETCDSERVERPB__WATCH_REQUEST__REQUEST__CASE_IS_INT_SIZE:
        break;
    }
}

yr_fake_watch_stream *yr_fake_watch_stream_new(yr_fake_etcd *fake, const yr_fake_member *member,
                                               yr_fake_call *call)
{
    yr_fake_watch_stream *stream = yr_fake_alloc(sizeof(*stream));
    stream->fake = fake;
    stream->member = member;
    stream->call = call;
    yr_list_init(&stream->watches);
    yr_timer_init(&stream->progress, on_progress_due, stream);
    yr_timer_init(&stream->catch_up, on_catch_up, stream);
    yr_list_append(&fake->watch_streams, &stream->link);
    return stream;
}

void yr_fake_watch_stream_free(yr_fake_watch_stream *stream)
{
    if (stream == NULL) {
        return;
    }
    while (!yr_list_is_empty(&stream->watches)) {
        remove_watch(stream, YR_CONTAINER_OF(stream->watches.next, watch, link));
    }
    yr_timer_stop(stream->fake->io, &stream->progress);
    yr_timer_stop(stream->fake->io, &stream->catch_up);
    yr_list_remove(&stream->link);
    yr_fake_release(stream);
}

size_t yr_fake_etcd_watch_count(const yr_fake_etcd *fake)
{
    size_t count = 0;
    for (yr_list *link = fake->watch_streams.next; link != &fake->watch_streams;
         link = link->next) {
        yr_fake_watch_stream *stream = YR_CONTAINER_OF(link, yr_fake_watch_stream, link);
        for (yr_list *inner = stream->watches.next; inner != &stream->watches;
             inner = inner->next) {
            count += !YR_CONTAINER_OF(inner, watch, link)->is_over;
        }
    }
    return count;
}
