/**
 * @file
 * Everything, except the etcd client of its own (etcd.h).
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
