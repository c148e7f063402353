/* A provider: registers itself, serves, and leaves. */
#include <yurpc/yurpc.h>

#include <stdio.h>

int main(void)
{
    yurpc_registry *registry = NULL;
    yurpc_registration *registration;
    yurpc_error *error = NULL;

    yurpc_instance_spec me = YURPC_INSTANCE_SPEC_INIT;
    me.service = "com.acme.UserService:1.0";
    me.host = "10.0.0.5";
    me.port = 8080;

    if (yurpc_registry_open(NULL, &registry, &error) != YURPC_OK ||
        yurpc_registry_register(registry, &me, NULL, &registration, &error) != YURPC_OK) {
        fprintf(stderr, "cannot register: %s\n", yurpc_error_text(error));
        yurpc_error_free(error);
        yurpc_registry_close(registry);
        return 1;
    }
    puts("registered; press Enter to leave");
    getchar();                      /* serve; the instance stays registered meanwhile */
    yurpc_registry_close(registry); /* takes it out of the registry */
    return 0;
}
