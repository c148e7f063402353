#!/usr/bin/env python3
"""Run tests of a build under valgrind's memcheck: 0 errors, 0 bytes lost, or it fails.

Usage: valgrind.py BUILD [REGEX]. Without REGEX: the unit tests, the fuzz corpora, the simulated and the fake
etcd. There are no suppressions. A build with a sanitizer cannot be looked at.
"""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys
import time

WANTED = r"^(unit|fuzz)\.|^sim\.(etcd_calls|etcd_streams|troubles)$|^contract\.etcd_fake"
EXCEPT = {  # name: why not
    "unit.scarcity": "each of its many processes waits in real time, and memory is not its matter",
    "unit.snapshot": "its threads race for long; memcheck runs one at a time",
    "unit.io": "its worlds include the real clock, with bounds of milliseconds",
    "unit.loop": "valgrind keeps descriptors of its own, which the test counts",
    "unit.uv_dial": "races real timeouts of milliseconds against each other",
    "unit.uv_stream": "real sockets against real timeouts",
    "unit.uv_tls_stream": "real sockets against real timeouts",
    "unit.handle": "a forked child forgets its parent's handles, as it must, and memcheck calls that a leak",
    "unit.handle_edges": "counts threads and descriptors, and calls have bounds of milliseconds",
    "unit.roster": "a million changes: minutes here; unit.batch and fuzz.watch_apply use the same code",
}
COMMAND = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full", "--fair-sched=yes",
           "--errors-for-leak-kinds=definite,indirect", "--show-leak-kinds=definite,indirect"]
AT_ONCE = 2
TIMEOUT_S = 600


def run(test):
    began = time.monotonic()
    try:
        done = subprocess.run(COMMAND + test["command"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", timeout=TIMEOUT_S, stdin=subprocess.DEVNULL)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired:
        output, code = f"not at its end after {TIMEOUT_S} s", -1
    return test["name"], code, output, time.monotonic() - began


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    pattern = sys.argv[2] if len(sys.argv) > 2 else WANTED
    known = json.loads(subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True,
                                      capture_output=True, text=True).stdout)["tests"]
    chosen = [t for t in known if re.search(pattern, t["name"]) and (len(sys.argv) > 2 or t["name"] not in EXCEPT)]
    if not chosen:
        sys.exit("valgrind: there is no such test")
    failed = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for name, code, output, seconds in pool.map(run, chosen):
            print(f"{name:32} {seconds:6.1f} s  {'ok' if code == 0 else f'FAILED ({code})'}", flush=True)
            if code != 0:
                failed.append(name)
                print(*output.splitlines()[-60:], sep="\n")
    for name, why in EXCEPT.items():
        print(f"{name:32} left out: {why}")
    print(f"{len(chosen)} tests under valgrind, {len(failed)} failed{': ' if failed else ''}{', '.join(failed)}")
    return bool(failed)


sys.exit(main())
