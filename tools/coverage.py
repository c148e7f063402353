#!/usr/bin/env python3
"""How much of src/ was executed since the counters of a coverage build were last removed.

Usage: coverage.py BUILD                  lines and branches of each folder, and of all of src/
       coverage.py BUILD --decoders MIN   lines of each decoder; fails below MIN percent
       coverage.py BUILD --reset          remove the counters
       coverage.py BUILD --missed FILE    the lines of FILE that were not executed

Generated files are not counted. A branch is a way out of a condition, as gcov counts; those that
only an exception takes do not count, C has none.
"""
import collections
import json
import pathlib
import subprocess
import sys

# What takes bytes from outside, and must be covered by the corpora of tests/fuzz alone.
DECODERS = [
    "src/base/json.c", "src/base/properties.c", "src/base/text.c", "src/base/utf8.c",
    "src/drivers/etcd/key.c", "src/drivers/local/facts.c", "src/drivers/local/record.c",
    "src/etcd/decode.c", "src/etcd/endpoints.c", "src/etcd/watch_parts.c",
    "src/grpc/deframer.c", "src/grpc/frames.c", "src/grpc/headers.c", "src/grpc/text.c",
    "src/registry/batch.c", "src/registry/cache/cache_format.c", "src/registry/instance.c",
    "src/registry/instance_scan.c", "src/registry/instance_value.c",
]
LINES_WANTED, BRANCHES_WANTED = 90, 80


class File:
    def __init__(self):
        self.lines = collections.defaultdict(int)
        self.branches = collections.defaultdict(int)

    def add(self, found):
        for line in found["lines"]:
            number = line["line_number"]
            self.lines[number] += line["count"]
            for index, branch in enumerate(b for b in line["branches"] if not b["throw"]):
                self.branches[number, index] += branch["count"]


def read(build, root):
    """What gcov says of every object of src/, by source. A header's functions are added up."""
    notes = [p for p in build.rglob("*.gcno") if "/src/" in str(p.relative_to(build.parent))]
    files = collections.defaultdict(File)
    for i in range(0, len(notes), 50):
        output = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *notes[i:i + 50]],
                                capture_output=True, text=True, check=True, cwd=build).stdout
        for unit in map(json.loads, filter(None, output.splitlines())):
            for found in unit["files"]:
                path = (pathlib.Path(unit["current_working_directory"]) / found["file"]).resolve()
                if (root / "src") in path.parents:
                    files[str(path.relative_to(root))].add(found)
    return files


def percent(counts):
    return 100 * sum(c > 0 for c in counts) / len(counts) if counts else 100.0


def report_decoders(files, least):
    bad = False
    for name in DECODERS:
        lines = percent(files[name].lines.values()) if name in files else 0
        branches = percent(files[name].branches.values()) if name in files else 0
        bad = bad or lines < least
        print(f"{name:36} {lines:5.1f} % of lines  {branches:5.1f} % of branches"
              f"{'' if lines >= least else f'  BELOW {least} %'}")
    return bad


def report_folders(files):
    folders = collections.defaultdict(list)
    for name, file in files.items():
        folders[str(pathlib.Path(name).parent)].append(file)
    for folder, inside in sorted(folders.items()) + [("src", list(files.values()))]:
        lines = [c for f in inside for c in f.lines.values()]
        branches = [c for f in inside for c in f.branches.values()]
        print(f"{folder:20} {len(lines):6} lines {percent(lines):5.1f} %   "
              f"{len(branches):6} branches {percent(branches):5.1f} %")
    missed = [text for text, is_missed in [
        (f"lines {percent(lines):.1f} %, wanted {LINES_WANTED} %", percent(lines) < LINES_WANTED),
        (f"branches {percent(branches):.1f} %, wanted {BRANCHES_WANTED} %", percent(branches) < BRANCHES_WANTED),
    ] if is_missed]
    print("MISSED: " + "; ".join(missed) if missed else "all that was wanted")
    return bool(missed)


def report_missed(files, name, root):
    source = (root / name).read_text().splitlines()
    for number, count in sorted(files[name].lines.items()):
        if count == 0:
            print(f"{number:5} {source[number - 1]}")


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    build = pathlib.Path(sys.argv[1]).resolve()
    mode = sys.argv[2] if len(sys.argv) > 2 else ""
    if mode == "--reset":
        for path in build.rglob("*.gcda"):
            path.unlink()
        return False
    files = read(build, root)
    if mode == "--decoders":
        return report_decoders(files, float(sys.argv[3]))
    if mode == "--missed":
        return report_missed(files, sys.argv[3], root)
    return report_folders(files)


sys.exit(main())
