/* A consumer: finds the instances of a service, and picks one for a request. */
#include <yurpc/yurpc.h>

#include <stdio.h>

int main(void)
{
    yurpc_registry *registry = NULL;
    yurpc_service *service = NULL;
    yurpc_picker *picker = NULL;
    yurpc_error *error = NULL;

    /* Once: */
    if (yurpc_registry_open(NULL, &registry, &error) != YURPC_OK ||
        yurpc_registry_discover(registry, "com.acme.UserService:1.0", NULL, &service, &error) !=
            YURPC_OK ||
        yurpc_picker_new(YURPC_PICK_ROUND_ROBIN, &picker) != YURPC_OK) {
        fprintf(stderr, "cannot discover: %s\n", yurpc_error_text(error));
    } else { /* On every request, without a lock and without the network: */
        const yurpc_snapshot *now = yurpc_service_acquire(service);
        const yurpc_instance *one = yurpc_snapshot_pick(now, picker);
        puts(one != NULL ? yurpc_instance_address(one) : "nobody is there");
        yurpc_service_release(service, now);
    }
    int failed = picker == NULL;
    yurpc_picker_free(picker);
    yurpc_service_close(service);
    yurpc_registry_close(registry);
    yurpc_error_free(error);
    return failed;
}
