# Thin on purpose: scripts/setup installs what is needed, CMake's presets do the rest.
PREFIX ?= /usr/local
SEEDS ?= 10000
FIRST ?=
.DEFAULT_GOAL := help
.PHONY: help setup build demo test sim faults mutants lint fuzz coverage valgrind bench instructions install format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install the Debian packages that building and testing need
	@scripts/setup build test

build: ## build the library and the command: build/release/bin/yurpc
	@scripts/setup build
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release

demo: build ## a provider and a consumer find each other, and notice a crash; no server needed
	@scripts/demo build/release/bin/yurpc

test: build ## everything, on the embedded registry and on real etcd
	@scripts/setup test
	@tools/fetch_etcd.sh
	@ctest --preset release
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev
	@ctest --preset all; status=$$?; tools/show_skipped.sh build/dev; exit $$status

faults: ## real faults at length: TTL 30 s, random runs of 90 s; prints what each promise took
	@scripts/setup test
	@tools/fetch_etcd.sh
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev
	@ctest --preset all -C long -L '^long$$' -j4 -V -Q -O build/faults.log; status=$$?; \
	  grep -Eh 'MEASURED|SKIPPED|FAILED|tests passed' build/faults.log; exit $$status

sim: ## random bad days in the simulated world: SEEDS=100000 of them, FIRST=4053: from there on
	@scripts/setup test
	@cmake --preset sim --log-level=WARNING
	@cmake --build --preset sim
	@build/sim/bin/test_sim_schedules $(if $(FIRST),--seeds $(FIRST) $(SEEDS),--fresh $(SEEDS))

lint: ## clang-tidy over everything, then the rules that are tests
	@scripts/setup test
	@cmake --workflow --preset tidy
	@cmake --preset dev --log-level=WARNING
	@ctest --preset all --label-regex lint

fuzz: ## every fuzz target for T seconds (60); ONLY="name …": just those
	@scripts/setup build test
	@cmake --preset fuzz --log-level=WARNING
	@cmake --build --preset fuzz
	@tools/fuzz.py build/fuzz $(or $(T),60) $(ONLY)

coverage: ## what the readers' corpora execute (95 % of lines), then what the tests do
	@scripts/setup build test
	@cmake --preset coverage --log-level=WARNING
	@cmake --build --preset coverage
	@tools/coverage.py build/coverage --reset
	@ctest --preset coverage --label-regex fuzz --quiet
	@tools/coverage.py build/coverage --decoders 95
	@ctest --preset coverage --label-regex '^(unit|sim|contract|cli)$$'
	@tools/coverage.py build/coverage

mutants: ## break a protocol rule at a time: a named test must notice each; ONLY=name: just those
	@scripts/setup build test
	@tools/mutants.py $(ONLY)

valgrind: ## the unit tests, the fuzz corpora and the fakes under memcheck
	@scripts/setup build test
	@cmake --preset dev --log-level=WARNING
	@cmake --build --preset dev
	@tools/valgrind.py build/dev

bench: build ## measure, beside yardsticks taken in the same run; ONLY=name: just those works
	@scripts/setup test
	@tools/fetch_etcd.sh
	@cmake --build --preset release --target yurpc_bench yurpc_bench_go
	@build/release/bin/yurpc_bench $(ONLY)

instructions: build ## count what the hot paths take; UPDATE=--update: write it down anew
	@scripts/setup test
	@cmake --build --preset release --target yurpc_instructions
	@tools/instructions.py build/release/bin/yurpc_instructions bench/instructions.txt $(UPDATE)

install: build ## install under PREFIX (/usr/local)
	@cmake --install build/release --prefix $(PREFIX)
	@[ "$$(id -u)" -ne 0 ] || [ -n "$$DESTDIR" ] || /sbin/ldconfig

format: ## let clang-format decide
	@find include src apps examples tests bench -name '*.[ch]' -exec clang-format-14 -i {} +

clean: ## remove everything that was built or fetched
	rm -rf build
