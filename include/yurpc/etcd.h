/**
 * @file
 * A client of etcd v3: all of it.
 *
 * What this library needs itself to be a registry is here for everybody: keys, transactions,
 * leases that are kept alive, and watches that go on through lost connections, without gRPC
 * and without C++.
 */
#ifndef YURPC_ETCD_H
#define YURPC_ETCD_H

#include <yurpc/etcd_client.h>
#include <yurpc/etcd_data.h>
#include <yurpc/etcd_kv.h>
#include <yurpc/etcd_lease.h>
#include <yurpc/etcd_watch.h>

#endif /* YURPC_ETCD_H */
