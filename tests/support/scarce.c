#include "scarce.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_long left = -1; /* calls that may go well; -1: all */
static atomic_bool lasts;
static atomic_long failures;

void yr_scarce_begin(long n, bool is_lasting)
{
    atomic_store(&lasts, is_lasting);
    atomic_store(&failures, 0);
    atomic_store(&left, n);
}

bool yr_scarce_end(void)
{
    atomic_store(&left, -1);
    return atomic_load(&failures) > 0;
}

/* Whether this call is to fail. */
static bool is_refused(void)
{
    long now = atomic_load(&left);
    while (now > 0 && !atomic_compare_exchange_weak(&left, &now, now - 1)) {
    }
    if (now != 0) {
        return false;
    }
    if (!atomic_load(&lasts)) {
        long none = 0;
        if (!atomic_compare_exchange_strong(&left, &none, -1)) {
            return false;
        }
    }
    atomic_fetch_add(&failures, 1);
    return true;
}

/* The function of that name behind ours. */
static void *behind(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);
    if (function == NULL) {
        abort();
    }
    return function;
}

#define CALL_BEHIND(name, type, ...)  \
    union {                           \
        void *found;                  \
        type *function;               \
    } next = {.found = behind(name)}; \
    return next.function(__VA_ARGS__)

typedef int create_fn(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
typedef int int_fn(int);
typedef int eventfd_fn(unsigned, int);
typedef int socket_fn(int, int, int);
typedef int open_fn(const char *, int, mode_t);
typedef void *map_fn(void *, size_t, int, int, int, off_t);

/*
 * Seen by the libraries, too. Not pipe2(2): libuv aborts when it cannot make the one that it
 * wants once in a process, and so net/uv/uv_io.c asks for descriptors first.
 */
#pragma GCC visibility push(default)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *context)
{
    if (is_refused()) {
        return EAGAIN;
    }
    CALL_BEHIND("pthread_create", create_fn, thread, attributes, run, context);
}

int epoll_create1(int flags)
{
    if (is_refused()) {
        errno = EMFILE;
        return -1;
    }
    CALL_BEHIND("epoll_create1", int_fn, flags);
}

int inotify_init1(int flags)
{
    if (is_refused()) {
        errno = EMFILE;
        return -1;
    }
    CALL_BEHIND("inotify_init1", int_fn, flags);
}

int eventfd(unsigned count, int flags)
{
    if (is_refused()) {
        errno = EMFILE;
        return -1;
    }
    CALL_BEHIND("eventfd", eventfd_fn, count, flags);
}

int socket(int domain, int type, int protocol)
{
    if (is_refused()) {
        errno = EMFILE;
        return -1;
    }
    CALL_BEHIND("socket", socket_fn, domain, type, protocol);
}

/* SQLite calls the one, libuv the other. By another name here: the headers' is special. */
int yr_scarce_open(const char *path, int flags, mode_t mode) __asm__("open");
int yr_scarce_open64(const char *path, int flags, mode_t mode) __asm__("open64");

int yr_scarce_open(const char *path, int flags, mode_t mode)
{
    if (is_refused()) {
        errno = EMFILE;
        return -1;
    }
    CALL_BEHIND("open", open_fn, path, flags, mode);
}

int yr_scarce_open64(const char *path, int flags, mode_t mode)
{
    if (is_refused()) {
        errno = EMFILE;
        return -1;
    }
    CALL_BEHIND("open64", open_fn, path, flags, mode);
}

void *mmap64(void *address, size_t len, int protection, int flags, int fd, off_t offset)
{
    if (is_refused()) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    CALL_BEHIND("mmap64", map_fn, address, len, protection, flags, fd, offset);
}

#pragma GCC visibility pop
