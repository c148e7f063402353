#!/usr/bin/env python3
"""Break yurpc on purpose, one protocol rule at a time, and see that a named test notices.

    tools/mutants.py [NAME...]      all mutants of tests/mutants, or some

A mutant is a file NAME.mutant: what is broken, in a sentence; the file that is changed; the
tests of which at least one must fail; and the text with its replacement:

    A silent server is never noticed.
    file: src/grpc/conn.c
    kills: unit.grpc_conn_time sim.schedules
    <<<<
    old text, which occurs once
    ====
    new text
    >>>>

Each worker has a copy of the tree under build/mutants. The tests must pass there before anything
is broken. Exit status: 0 when every mutant was killed, 1 when one survived, 2 when something
else is wrong.
"""
import json
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "mutants"
WORK = ROOT / "build" / "mutants"
TEST_TIMEOUT_S = 120
SHAPE = re.compile(
    r"\A(?P<what>.+?)\nfile: (?P<file>\S+)\nkills: (?P<kills>[^\n]+)\n"
    r"<<<<\n(?P<old>.+?)\n====\n(?P<new>.*?)\n?>>>>\n\Z", re.S)


def die(text):
    print(f"mutants: {text}", file=sys.stderr)
    sys.exit(2)


class Mutant:
    def __init__(self, path):
        found = SHAPE.match(path.read_text())
        if not found:
            die(f"{path}: not of the form that tools/mutants.py describes")
        self.name = path.stem
        self.what = found["what"].replace("\n", " ")
        self.file = found["file"]
        self.tests = found["kills"].split()
        self.old, self.new = found["old"], found["new"]

    def break_it(self, tree):
        path = tree / self.file
        text = path.read_text()
        count = text.count(self.old)
        if count != 1:
            return f"its text occurs {count} times in {self.file}: bring the mutant up to date"
        path.write_text(text.replace(self.old, self.new))
        return None


class Worker:
    """One copy of the tree, with its build."""

    def __init__(self, number):
        self.tree = WORK / str(number)
        self.build = self.tree / "build" / "dev"

    def run(self, *command):
        return subprocess.run(command, cwd=self.tree, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, stdin=subprocess.DEVNULL)

    def copy(self):
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                                 "--exclude-standard"], cwd=ROOT, check=True,
                                stdout=subprocess.PIPE).stdout.decode().split("\0")
        wanted = {name for name in listed if name and (ROOT / name).is_file()}
        for name in wanted:
            source, target = ROOT / name, self.tree / name
            if target.is_file() and source.read_bytes() == target.read_bytes():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
            os.utime(target)
        engines = ROOT / "build" / "engines"
        link = self.tree / "build" / "engines"
        link.parent.mkdir(parents=True, exist_ok=True)
        if engines.exists() and not link.exists():
            link.symlink_to(engines)

    def configure(self):
        result = self.run("cmake", "--preset", "dev")
        if result.returncode != 0:
            die(f"cannot configure {self.tree}:\n{result.stdout[-2000:]}")
        shown = self.run("ctest", "--test-dir", str(self.build), "--show-only=json-v1")
        self.programs = {}
        for test in json.loads(shown.stdout)["tests"]:
            program = pathlib.Path(test.get("command", ["?"])[0])
            is_ours = program.parent == self.build / "bin"
            self.programs[test["name"]] = program.name if is_ours else "all"

    def compile(self, tests):
        unknown = [test for test in tests if test not in self.programs]
        if unknown:
            die(f"there is no test {unknown[0]}")
        targets = sorted({self.programs[test] for test in tests})
        return self.run("cmake", "--build", str(self.build), "--target", *targets)

    def passes(self, test):
        return self.run("ctest", "--test-dir", str(self.build), "--timeout",
                        str(TEST_TIMEOUT_S), "-R", f"^{re.escape(test)}$").returncode == 0

    def try_mutant(self, mutant):
        """(verdict, detail)"""
        why = mutant.break_it(self.tree)
        if why:
            return "BROKEN", why
        try:
            built = self.compile(mutant.tests)
            if built.returncode != 0:
                return "BROKEN", "it does not compile:\n" + built.stdout[-1500:]
            for test in mutant.tests:
                if not self.passes(test):
                    return "killed", f"by {test}"
            return "SURVIVED", ", ".join(mutant.tests) + " passed"
        finally:
            shutil.copy2(ROOT / mutant.file, self.tree / mutant.file)
            os.utime(self.tree / mutant.file)


def check_baseline(worker, tests):
    built = worker.compile(tests)
    if built.returncode != 0:
        die(f"the tree does not build:\n{built.stdout[-2000:]}")
    failing = [test for test in tests if not worker.passes(test)]
    if failing:
        die(f"these fail without any mutant: {', '.join(failing)}")


def main(names):
    mutants = [Mutant(path) for path in sorted(FOLDER.glob("*.mutant"))
               if not names or path.stem in names]
    missing = set(names) - {mutant.name for mutant in mutants}
    if missing or not mutants:
        die(f"there is no mutant {', '.join(sorted(missing)) or 'in tests/mutants'}")
    tests = sorted({test for mutant in mutants for test in mutant.tests})
    workers = [Worker(i) for i in range(min(os.cpu_count() or 1, len(mutants), 4))]
    print(f"{len(mutants)} mutants, {len(workers)} at a time; first the tests as they are",
          flush=True)
    begun = time.monotonic()
    for worker in workers:
        worker.copy()
        worker.configure()
    check_baseline(workers[0], tests)

    todo = queue.Queue()
    for mutant in mutants:
        todo.put(mutant)
    verdicts = []

    def work(worker):
        while True:
            try:
                mutant = todo.get_nowait()
            except queue.Empty:
                return
            begin = time.monotonic()
            verdict, detail = worker.try_mutant(mutant)
            verdicts.append(verdict)
            print(f"[{len(verdicts)}/{len(mutants)}] {verdict:8} {mutant.name}: {mutant.what} "
                  f"({detail}, {time.monotonic() - begin:.0f} s)", flush=True)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    killed = verdicts.count("killed")
    print(f"{killed} of {len(mutants)} mutants killed in {time.monotonic() - begun:.0f} s")
    if "BROKEN" in verdicts or len(verdicts) != len(mutants):
        return 2
    return 0 if killed == len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
