#!/usr/bin/env bash
# Build the Go peer: bench/peers/build_go.sh OUTPUT. Where there is no Go, or its modules are not
# to be had, say so and leave none: the benchmark then says that it was absent.
set -euo pipefail
output=$1
cd "$(dirname "$0")/go"

absent() {
    echo "the Go peer is absent: $*" >&2
    rm -f "$output" "$output.version"
    exit 0
}

command -v go >/dev/null || absent "no go here"
export CGO_ENABLED=0 GOFLAGS=-mod=readonly
timeout 600 go build -trimpath -buildvcs=false -o "$output" . ||
    absent "it does not build; are its modules to be had?"
client=$(go list -m -f '{{.Version}}' go.etcd.io/etcd/client/v3)
printf 'clientv3 %s, %s\n' "$client" "$(go env GOVERSION)" >"$output.version"
