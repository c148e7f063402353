/**
 * @file
 * Everything, except the etcd client of its own (etcd.h).
 *
 * Of every callback, the etcd client's too: it must return. No C++ exception may leave it, and
 * no longjmp(3). The library holds no lock while it runs, but what was to happen after it would
 * not happen.
 */
#ifndef YURPC_YURPC_H
#define YURPC_YURPC_H

#include <yurpc/bytes.h>
#include <yurpc/error.h>
#include <yurpc/instance.h>
#include <yurpc/log.h>
#include <yurpc/registry.h>
#include <yurpc/service.h>
#include <yurpc/status.h>
#include <yurpc/version.h>

#endif /* YURPC_YURPC_H */
