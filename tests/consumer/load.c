/*
 * A program that loads the library while it runs, as for a plug-in: the library's thread-local
 * variables have to find room, also in a thread that was there before.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <string.h>

typedef int picker_new_fn(int kind, void **ret_picker);

static sem_t is_loaded;
static void *library;

/* NULL: it works. */
static void *use(void *context)
{
    while (sem_wait(&is_loaded) != 0) { /* a signal */
    }
    picker_new_fn *picker_new = NULL;
    void *symbol = dlsym(library, "yurpc_picker_new");
    void *picker = NULL;
    memcpy(&picker_new, &symbol, sizeof symbol);
    return symbol != NULL && picker_new(1, &picker) == 0 ? NULL : context;
}

int main(int argc, char **argv)
{
    pthread_t thread;
    void *failed = argv;
    if (argc != 2 || sem_init(&is_loaded, 0, 0) != 0 ||
        pthread_create(&thread, NULL, use, argv) != 0) {
        return 2;
    }
    library = dlopen(argv[1], RTLD_NOW);
    if (library == NULL || sem_post(&is_loaded) != 0 || pthread_join(thread, &failed) != 0) {
        return 1;
    }
    return failed == NULL ? 0 : 1;
}
