/* A program with an event loop of its own drives the registry from plain poll(2): no thread. */
#include <yurpc/yurpc.h>

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

static void on_event(void *context, const yurpc_event *event)
{
    (void)context;
    for (size_t i = 0; i < event->count; i++) {
        printf("%s %s\n", yurpc_event_kind_name(event->kind),
               yurpc_instance_address(event->instances[i]));
    }
    (void)fflush(stdout);
}

/* Until a line comes on stdin, or its end. */
static void loop(yurpc_registry *registry)
{
    struct pollfd fds[] = {
        {.fd = yurpc_registry_fd(registry), .events = POLLIN},
        {.fd = STDIN_FILENO, .events = POLLIN},
    };
    while (poll(fds, 2, yurpc_registry_timeout_ms(registry)) >= 0 && fds[1].revents == 0) {
        if (yurpc_registry_step(registry) != YURPC_OK) {
            return;
        }
    }
}

int main(void)
{
    yurpc_registry *registry = NULL;
    yurpc_service *service = NULL;
    yurpc_watch *watch = NULL;
    yurpc_error *error = NULL;
    yurpc_registry_config config = YURPC_REGISTRY_CONFIG_INIT;
    config.is_host_driven = true;
    yurpc_discover_options options = YURPC_DISCOVER_OPTIONS_INIT;
    options.is_background = true;

    if (yurpc_registry_open(&config, &registry, &error) == YURPC_OK &&
        yurpc_registry_discover(registry, "com.acme.UserService:1.0", &options, &service,
                                &error) == YURPC_OK &&
        yurpc_service_watch(service, on_event, NULL, &watch) == YURPC_OK) {
        loop(registry);
    } else {
        (void)fprintf(stderr, "cannot watch: %s\n", yurpc_error_text(error));
    }
    int failed = watch == NULL;
    yurpc_watch_stop(watch);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    yurpc_error_free(error);
    return failed;
}
