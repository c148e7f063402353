#include "net/uv/uv_lookup.h"

#include "base/assert.h"
#include "base/mem.h"
#include "net/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Whoever leaves WAITING decides: the thread that answers, or the loop that wants no answer. */
typedef enum lookup_state {
    LOOKUP_WAITING,
    LOOKUP_ANSWERED,
    LOOKUP_ABANDONED,
} lookup_state;

struct yr_uv_lookup {
    uv_async_t async; /* sent once, by the thread, when it has answered */
    yr_uv_io *io;
    yr_uv_lookup_fn *fn; /* NULL: nobody wants the answer any more */
    void *context;
    _Atomic int state;
    _Atomic int owners; /* the thread, until it ends; the loop, until async is closed */
    int error;
    struct addrinfo *list;
    char service[8];
    char host[];
};

static _Atomic int running;

static void unref(yr_uv_lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) > 1) {
        return;
    }
    if (lookup->list != NULL) {
        freeaddrinfo(lookup->list);
    }
    yr_free(lookup);
}

static bool leave_waiting(yr_uv_lookup *lookup, lookup_state state)
{
    int waiting = LOOKUP_WAITING;
    return atomic_compare_exchange_strong(&lookup->state, &waiting, (int)state);
}

static void *resolve(void *context)
{
    yr_uv_lookup *lookup = context;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    lookup->error = getaddrinfo(lookup->host, lookup->service, &hints, &lookup->list);
    atomic_fetch_sub(&running, 1);
    if (leave_waiting(lookup, LOOKUP_ANSWERED)) {
        int failed = uv_async_send(&lookup->async);
        YR_ASSERT(failed == 0);
    }
    unref(lookup);
    return NULL;
}

static void on_closed(uv_handle_t *handle)
{
    unref(handle->data);
}

static void on_answer(uv_async_t *async)
{
    yr_uv_lookup *lookup = async->data;
    bool is_answered = atomic_load(&lookup->state) == LOOKUP_ANSWERED; /* orders the answer */
    YR_ASSERT(is_answered);
    lookup->io->answers_due--;
    if (lookup->fn != NULL) {
        lookup->fn(lookup->context, lookup->error, lookup->list);
    }
    uv_close((uv_handle_t *)async, on_closed);
}

static int start_thread(yr_uv_lookup *lookup, bool is_minor)
{
    pthread_t thread;
    int most = is_minor ? YR_UV_LOOKUPS_MINOR_MAX : YR_UV_LOOKUPS_MAX;
    if (atomic_fetch_add(&running, 1) >= most) {
        atomic_fetch_sub(&running, 1);
        return UV_EAGAIN;
    }
    int error = yr_thread_start(resolve, lookup, "yurpc-lookup", &thread);
    if (error != 0) {
        atomic_fetch_sub(&running, 1);
        return uv_translate_sys_error(error);
    }
    error = pthread_detach(thread);
    YR_ASSERT(error == 0);
    return 0;
}

int yr_uv_lookup_new(yr_uv_io *io, const yr_connect_options *options, yr_uv_lookup_fn *fn,
                     void *context, yr_uv_lookup **ret_lookup)
{
    size_t host_size = strlen(options->host) + 1;
    yr_uv_lookup *lookup = yr_calloc(1, sizeof *lookup + host_size);
    if (lookup == NULL) {
        return UV_ENOMEM;
    }
    lookup->io = io;
    lookup->fn = fn;
    lookup->context = context;
    memcpy(lookup->host, options->host, host_size);
    (void)snprintf(lookup->service, sizeof lookup->service, "%u",
                   (unsigned)options->port); /* fits */
    int uv_error = uv_async_init(io->loop, &lookup->async, on_answer);
    if (uv_error != 0) {
        yr_free(lookup);
        return uv_error;
    }
    lookup->async.data = lookup;
    atomic_store(&lookup->owners, 2);
    uv_error = start_thread(lookup, options->is_minor);
    if (uv_error != 0) {
        atomic_store(&lookup->owners, 1);
        uv_close((uv_handle_t *)&lookup->async, on_closed);
        return uv_error;
    }
    io->answers_due++;
    *ret_lookup = lookup;
    return 0;
}

void yr_uv_lookup_free(yr_uv_lookup *lookup)
{
    if (lookup == NULL) {
        return;
    }
    lookup->fn = NULL;
    if (leave_waiting(lookup, LOOKUP_ABANDONED)) {
        lookup->io->answers_due--;
        uv_close((uv_handle_t *)&lookup->async, on_closed);
    } /* else the answer is on its way to the loop, and on_answer() does the rest */
}
