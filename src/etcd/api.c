#include "etcd/api.h"

#include "base/error.h"
#include "base/mem.h"

#include <stddef.h>

/* ---- Getting onto the loop ---- */

typedef struct loop_errand {
    yr_task task;
    void (*fn)(void *context);
    void *context;
    yr_wait wait;
} loop_errand;

static void errand_run(void *context)
{
    loop_errand *errand = context;
    errand->fn(errand->context);
    yr_wait_signal(&errand->wait);
}

static yurpc_status run_on_loop(yr_loop *loop, void (*fn)(void *context), void *context)
{
    if (yr_loop_is_forked(loop)) {
        return YURPC_FORKED;
    }
    if (yr_loop_is_current(loop)) {
        fn(context);
        return YURPC_OK;
    }
    loop_errand errand = {.fn = fn, .context = context};
    yr_wait_init(&errand.wait);
    yr_task_init(&errand.task, errand_run, &errand);
    yr_io_post(yr_loop_io(loop), &errand.task);
    yurpc_status status = yr_loop_wait(loop, &errand.wait);
    yr_wait_deinit(&errand.wait);
    return status;
}

yurpc_status yr_api_run(yurpc_etcd *client, void (*fn)(void *context), void *context)
{
    if (atomic_load(&client->is_closing)) {
        return YURPC_CLOSED;
    }
    return run_on_loop(client->loop, fn, context);
}

static void handle_stop_on_loop(void *context)
{
    yr_api_handle *handle = context;
    yr_list_remove(&handle->node);
    handle->stop(handle);
}

void yr_api_handle_stop(yr_api_handle *handle)
{
    if (handle != NULL &&
        run_on_loop(handle->client->loop, handle_stop_on_loop, handle) != YURPC_OK) {
        return; /* a forked child: it belongs to the parent */
    }
}

/* ---- Calls ---- */

/* A request on its way to the loop. */
typedef struct api_submission {
    yr_task task;
    yurpc_etcd *client;
    yr_call_request request;
    yurpc_etcd_reply_fn *callback;
    void *context;
    bool is_on_heap;
} api_submission;

static void submission_run(void *context)
{
    api_submission *submission = context;
    atomic_fetch_sub(&submission->client->posted, 1);
    yurpc_status status = yr_call_begin(submission->client->etcd, &submission->request,
                                        submission->callback, submission->context, NULL);
    yr_call_request_deinit(&submission->request);
    yurpc_etcd_reply_fn *callback = submission->callback;
    void *callback_context = submission->context;
    if (submission->is_on_heap) {
        yr_free(submission);
    }
    if (status != YURPC_OK) {
        yurpc_error *error = yr_error_new(status, -1, "%s", yurpc_status_text(status));
        callback(callback_context, NULL, error);
        yurpc_error_free(error);
    }
}

static yurpc_status submission_post(api_submission *submission)
{
    yurpc_etcd *client = submission->client;
    if (atomic_load(&client->is_closing)) {
        return YURPC_CLOSED;
    }
    if (atomic_fetch_add(&client->posted, 1) >= YR_API_POSTED_MAX) {
        atomic_fetch_sub(&client->posted, 1);
        return YURPC_TOO_LARGE;
    }
    yr_task_init(&submission->task, submission_run, submission);
    yr_io_post(yr_loop_io(client->loop), &submission->task);
    return YURPC_OK;
}

yurpc_status yr_api_call_async(yurpc_etcd *client, yurpc_status status,
                               yr_call_request *request, yurpc_etcd_reply_fn *callback,
                               void *context)
{
    if (status == YURPC_OK && (client == NULL || callback == NULL)) {
        status = YURPC_INVALID;
    }
    if (status == YURPC_OK && yr_loop_is_forked(client->loop)) {
        status = YURPC_FORKED;
    }
    api_submission *submission = status == YURPC_OK ? yr_calloc(1, sizeof *submission) : NULL;
    if (submission == NULL) {
        yr_call_request_deinit(request);
        return status == YURPC_OK ? YURPC_NO_MEMORY : status;
    }
    *submission = (api_submission){.client = client,
                                   .request = *request,
                                   .callback = callback,
                                   .context = context,
                                   .is_on_heap = true};
    status = submission_post(submission);
    if (status != YURPC_OK) {
        yr_call_request_deinit(&submission->request);
        yr_free(submission);
    }
    return status;
}

typedef struct api_answer {
    yr_wait wait;
    yurpc_etcd_reply *reply;
    yurpc_error *error;
} api_answer;

static void on_answer(void *context, const yurpc_etcd_reply *reply, const yurpc_error *error)
{
    api_answer *answer = context;
    if (reply != NULL) {
        answer->reply = yurpc_etcd_reply_detach(reply);
    }
    answer->error = yr_error_copy(error);
    yr_wait_signal(&answer->wait);
}

/* Give the caller what he asked for, and free what he did not. */
static yurpc_status answer_deliver(api_answer *answer, yurpc_etcd_reply **ret_reply,
                                   yurpc_error **ret_error)
{
    yurpc_status status = yurpc_error_status(answer->error);
    if (ret_error != NULL && answer->error != NULL) {
        *ret_error = answer->error;
        answer->error = NULL;
    }
    if (ret_reply != NULL && answer->reply != NULL) {
        *ret_reply = answer->reply;
        answer->reply = NULL;
    }
    yurpc_error_free(answer->error);
    yurpc_etcd_reply_free(answer->reply);
    return status;
}

yurpc_status yr_api_call(yurpc_etcd *client, yurpc_status status, yr_call_request *request,
                         yurpc_etcd_reply **ret_reply, yurpc_error **ret_error)
{
    if (status == YURPC_OK) {
        status = client == NULL ? YURPC_INVALID : yr_loop_check_wait(client->loop);
    }
    if (status != YURPC_OK) {
        yr_call_request_deinit(request);
        return yr_error_set_status(ret_error, status);
    }
    api_answer answer = {.reply = NULL, .error = NULL};
    api_submission submission = {
        .client = client, .request = *request, .callback = on_answer, .context = &answer};
    yr_wait_init(&answer.wait);
    status = submission_post(&submission);
    if (status == YURPC_OK) {
        status = yr_loop_wait(client->loop, &answer.wait);
    } else {
        yr_call_request_deinit(&submission.request);
    }
    yr_wait_deinit(&answer.wait);
    return status == YURPC_OK ? answer_deliver(&answer, ret_reply, ret_error)
                              : yr_error_set_status(ret_error, status);
}

yurpc_etcd_reply *yurpc_etcd_reply_detach(const yurpc_etcd_reply *reply)
{
    return yr_reply_detach(reply);
}

void yurpc_etcd_reply_free(yurpc_etcd_reply *reply)
{
    if (reply != NULL) {
        yr_reply_free(yr_reply_of(reply));
    }
}

/* ---- Opening ---- */

typedef struct api_opening {
    yurpc_etcd *client;
    const yurpc_etcd_config *config;
    yurpc_status status;
    yurpc_error *error;
} api_opening;

static void on_connection(void *context, bool is_connected, const yurpc_error *error)
{
    yurpc_etcd *client = context;
    if (client->on_connection != NULL) {
        client->on_connection(client->context, is_connected, error);
    }
}

static void open_on_loop(void *context)
{
    api_opening *opening = context;
    const yurpc_etcd_config *config = opening->config;
    yr_etcd_options options = {
        .endpoints = config->endpoints,
        .tls = {.ca_file = config->tls_ca_file,
                .cert_file = config->tls_cert_file,
                .key_file = config->tls_key_file,
                .is_insecure = config->is_tls_insecure},
        .connect_timeout_ms = config->connect_timeout_ms,
        .timeout_ms = config->timeout_ms,
        .username = config->username,
        .password = config->password,
        .password_file = config->password_file,
        .log = {.fn = config->log, .context = config->log_context, .level = config->log_level}};
    yr_etcd_events events = {on_connection, NULL};
    opening->status = yr_etcd_new(yr_loop_io(opening->client->loop), &options, &events,
                                  opening->client, &opening->client->etcd, &opening->error);
}

yurpc_status yurpc_etcd_open(const yurpc_etcd_config *config, yurpc_etcd **ret_client,
                             yurpc_error **ret_error)
{
    static const yurpc_etcd_config defaults = YURPC_ETCD_CONFIG_INIT;
    config = config == NULL ? &defaults : config;
    if (ret_client == NULL || config->size < sizeof *config) {
        return yr_error_set_status(ret_error, YURPC_INVALID);
    }
    yurpc_etcd *client = yr_calloc(1, sizeof *client);
    if (client == NULL) {
        return yr_error_set_status(ret_error, YURPC_NO_MEMORY);
    }
    api_opening opening = {.client = client, .config = config};
    client->is_host_driven = config->is_host_driven;
    client->on_connection = config->on_connection;
    client->context = config->context;
    yr_list_init(&client->handles);
    opening.status = yr_loop_new(!config->is_host_driven, &client->loop, &opening.error);
    if (opening.status == YURPC_OK) {
        yurpc_status status = run_on_loop(client->loop, open_on_loop, &opening);
        YR_ASSERT(status == YURPC_OK); /* the loop is new, and of this process */
    }
    if (opening.status != YURPC_OK) {
        yr_loop_free(client->loop);
        yr_free(client);
        if (ret_error != NULL) {
            *ret_error = opening.error;
        } else {
            yurpc_error_free(opening.error);
        }
        return opening.status;
    }
    *ret_client = client;
    return YURPC_OK;
}

/* ---- Closing ---- */

static void on_closed(void *context)
{
    yurpc_etcd *client = context;
    if (client->closed != NULL) {
        yr_wait_signal(client->closed);
    } else {
        yr_loop_free(client->loop);
        yr_free(client);
    }
}

static void close_on_loop(void *context)
{
    yurpc_etcd *client = context;
    atomic_store(&client->is_closing, true);
    while (!yr_list_is_empty(&client->handles)) {
        handle_stop_on_loop(YR_CONTAINER_OF(client->handles.next, yr_api_handle, node));
    }
    yr_etcd_close(client->etcd, on_closed, client);
}

void yurpc_etcd_close(yurpc_etcd *client)
{
    if (client == NULL || yr_loop_is_forked(client->loop)) {
        return; /* in a child everything is the parent's: leave it alone */
    }
    if (yr_loop_is_current(client->loop)) {
        close_on_loop(client);
        return;
    }
    yr_wait closed;
    yr_wait_init(&closed);
    client->closed = &closed;
    if (run_on_loop(client->loop, close_on_loop, client) == YURPC_OK &&
        yr_loop_wait(client->loop, &closed) == YURPC_OK) {
        yr_loop_free(client->loop);
        yr_free(client);
    }
    yr_wait_deinit(&closed);
}

/* ---- The server ---- */

yurpc_status yurpc_etcd_status(yurpc_etcd *client, yurpc_etcd_reply **ret_reply,
                               yurpc_error **ret_error)
{
    yr_call_request request;
    yr_call_request_status(&request, NULL);
    return yr_api_call(client, YURPC_OK, &request, ret_reply, ret_error);
}

yurpc_status yurpc_etcd_status_async(yurpc_etcd *client, yurpc_etcd_reply_fn *callback,
                                     void *context)
{
    yr_call_request request;
    yr_call_request_status(&request, NULL);
    return yr_api_call_async(client, YURPC_OK, &request, callback, context);
}

/* ---- The host's loop ---- */

int yurpc_etcd_fd(const yurpc_etcd *client)
{
    return client == NULL || !client->is_host_driven ? -1 : yr_loop_fd(client->loop);
}

int yurpc_etcd_timeout_ms(const yurpc_etcd *client)
{
    return client == NULL || !client->is_host_driven ? -1 : yr_loop_timeout_ms(client->loop);
}

yurpc_status yurpc_etcd_step(yurpc_etcd *client)
{
    if (client == NULL || !client->is_host_driven) {
        return YURPC_INVALID;
    }
    yurpc_status status = yr_loop_check_wait(client->loop);
    if (status == YURPC_OK) {
        yr_loop_step(client->loop);
    }
    return status;
}
