#!/usr/bin/env python3
"""Run every fuzz target of a build for some seconds, two at a time, and say what came out.

Usage: fuzz.py BUILD SECONDS [NAME …]. What a target fails on is left in BUILD/findings. Inputs that
reach more code than the corpus are kept in BUILD for the next run; `fuzz.py --merge BUILD [NAME …]`
puts the fewest and smallest that reach the same into the corpus of the tree.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time

AT_ONCE = 2
CORPUS_MAX = 200 * 1024  # bytes of one target's


def read_targets(build, names):
    lines = [line.split() for line in (build / "fuzz_targets").read_text().splitlines()]
    unknown = set(names) - {line[0] for line in lines}
    if unknown:
        sys.exit(f"fuzz: there is no target {', '.join(sorted(unknown))}")
    return [line for line in lines if not names or line[0] in names]


def call(build, noun, *arguments):
    """The output, and whether the target ended well."""
    done = subprocess.run([build / "bin" / f"fuzz_{noun}", *arguments], stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, errors="replace")
    return done.stdout, done.returncode == 0


def fuzz(build, seconds, target):
    noun, *arguments = target
    output, is_clean = call(build, noun, f"-max_total_time={seconds}", "-print_final_stats=1",
                            f"-artifact_prefix={build}/findings/{noun}-", *arguments)
    found = dict(re.findall(r"^stat::(\w+): +(\d+)", output, re.M))
    coverage = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", output) or [("?", "?", "?")]
    (build / "findings" / f"{noun}.log").write_text(output)
    return noun, found, coverage[-1], is_clean, output


def report(noun, found, coverage, is_clean, output):
    print(f"{noun:16} {found.get('number_of_executed_units', '?'):>10} {found.get('average_exec_per_sec', '?'):>7}/s"
          f"  edges {coverage[0]:>5}  features {coverage[1]:>5}  inputs {coverage[2]:>4}"
          f"  {'nothing found' if is_clean else 'FOUND SOMETHING'}", flush=True)
    if not is_clean:
        reproducer = re.search(r"Test unit written to (\S+)", output)
        print(*output.splitlines()[-40:], sep="\n")
        print(f"  again: build/fuzz/bin/fuzz_{noun} {reproducer[1] if reproducer else '(no input was written)'}")


def merge(build, target):
    """By edges, not by how often each was taken: few inputs, and all that can be reached."""
    noun, *arguments = target
    folders = [pathlib.Path(a) for a in arguments if not a.startswith("-")]
    flags = [a for a in arguments if a.startswith("-") and not a.startswith("-dict")]
    scratch, corpus = folders[:2]
    output, is_clean = call(build, noun, "-merge=1", "-use_counters=0", *flags, corpus, scratch)
    size = sum(p.stat().st_size for p in corpus.iterdir())
    count = len(list(corpus.iterdir()))
    print(f"{noun:16} {count} inputs, {size} bytes")
    return is_clean and size <= CORPUS_MAX


def main():
    arguments = sys.argv[1:]
    is_merge = arguments[:1] == ["--merge"]
    build = pathlib.Path(arguments[1 if is_merge else 0]).resolve()
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=1:detect_stack_use_after_return=1")
    os.environ.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    (build / "findings").mkdir(exist_ok=True)
    if is_merge:
        return not all([merge(build, t) for t in read_targets(build, arguments[2:])])
    seconds = int(arguments[1])
    targets = read_targets(build, arguments[2:])
    began = time.monotonic()
    rounds = -(-len(targets) // AT_ONCE)
    print(f"{len(targets)} targets, {seconds} s each, {AT_ONCE} at a time: about {rounds * seconds // 60 + 1} min", flush=True)
    findings = 0
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        futures = [pool.submit(fuzz, build, seconds, target) for target in targets]
        for future in concurrent.futures.as_completed(futures):
            result = future.result()
            report(*result)
            findings += not result[3]
    print(f"{len(targets)} targets in {time.monotonic() - began:.0f} s: {findings} found something")
    return findings > 0


sys.exit(main())
