#include "deferred.h"

#include "alloc.h"
#include "base/bytes.h"

static void free_deferred(yr_fake_deferred *deferred)
{
    yr_timer_stop(deferred->fake->io, &deferred->timer);
    yr_list_remove(&deferred->link);
    yr_fake_release(deferred->message.data);
    yr_fake_release(deferred->text);
    yr_fake_release(deferred);
}

static void on_due(void *context)
{
    yr_fake_deferred *deferred = context;
    /* What it does may clear all that is deferred. */
    yr_list_remove(&deferred->link);
    deferred->fn(deferred);
    free_deferred(deferred);
}

void yr_fake_defer(yr_fake_etcd *fake, int64_t delay_ms, yr_fake_deferred_fn *fn,
                   const yr_fake_deferred *like)
{
    yr_fake_deferred *deferred = yr_fake_alloc(sizeof(*deferred));
    *deferred = *like;
    deferred->fake = fake;
    deferred->fn = fn;
    deferred->message = yr_fake_copy(like->message);
    deferred->text =
        like->text != NULL ? yr_fake_copy(yr_bytes_of_text(like->text)).data : NULL;
    yr_list_append(&fake->deferred, &deferred->link);
    yr_timer_init(&deferred->timer, on_due, deferred);
    yr_timer_start(fake->io, &deferred->timer, delay_ms);
}

void yr_fake_deferred_forget_call(yr_fake_etcd *fake, const yr_fake_call *call)
{
    for (yr_list *link = fake->deferred.next; link != &fake->deferred; link = link->next) {
        yr_fake_deferred *deferred = YR_CONTAINER_OF(link, yr_fake_deferred, link);
        if (deferred->call == call) {
            deferred->call = NULL;
        }
    }
}

void yr_fake_deferred_forget_conn(yr_fake_etcd *fake, const yr_fake_conn *conn)
{
    for (yr_list *link = fake->deferred.next; link != &fake->deferred; link = link->next) {
        yr_fake_deferred *deferred = YR_CONTAINER_OF(link, yr_fake_deferred, link);
        if (deferred->conn == conn) {
            deferred->conn = NULL;
        }
    }
}

void yr_fake_deferred_drop(yr_fake_deferred *deferred)
{
    free_deferred(deferred);
}

void yr_fake_deferred_clear(yr_fake_etcd *fake)
{
    while (!yr_list_is_empty(&fake->deferred)) {
        free_deferred(YR_CONTAINER_OF(fake->deferred.next, yr_fake_deferred, link));
    }
}
