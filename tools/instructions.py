#!/usr/bin/env python3
"""Count the instructions of the hot paths, and fail when one takes over 5 % more than is written down.

Usage: instructions.py PROGRAM NUMBERS [--update]. PROGRAM is bench/instructions.c as the release build makes
it, NUMBERS the file with what each path took when it was last looked at; --update writes that anew. Only
instructions of the program itself are counted, so that the libraries of a machine do not matter; but another
compiler makes others: then nothing is compared, and the exit status is 77.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

GROWTH = 0.05
SKIPPED = 77
HEAD = """# Instructions of each hot path (bench/instructions.c), as tools/instructions.py counts them.
# More than 5 % above this fails. Written by: make instructions UPDATE=--update
"""


def compiler_of(program):
    """What made it, from its .comment: "GCC: (Debian 12.2.0-14+deb12u1) 12.2.0"."""
    text = subprocess.run(["readelf", "-p", ".comment", program], check=True, capture_output=True, text=True).stdout
    return re.search(r"\]\s+(.*)", text)[1].strip()


def paths_of(program):
    names = subprocess.run(["nm", program], check=True, capture_output=True, text=True).stdout
    return sorted(re.findall(r" t path_(\w+)$", names, re.M))


def own_cost(profile, program):
    """The sum of the costs of lines that belong to the program's own object, calls left out."""
    names, is_own, is_call, total = {}, False, False, 0
    for line in profile.read_text().splitlines():
        if line.startswith("ob="):
            number, name = re.fullmatch(r"ob=\((\d+)\)(?: (.*))?", line).groups()
            names[number] = name or names[number]
            is_own = names[number] == str(program)
        elif line.startswith("cob="):
            number, name = re.fullmatch(r"cob=\((\d+)\)(?: (.*))?", line).groups()
            names[number] = name or names[number]
        elif line.startswith("calls="):
            is_call = True  # the next line is what the callee took
        elif re.match(r"[+*\-\d]", line):
            total += int(line.split()[1]) if is_own and not is_call else 0
            is_call = False
    return total


def count(program, path):
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder) / "profile"
        subprocess.run(["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={profile}",
                        f"--toggle-collect=path_{path}", program, path], check=True, timeout=120,
                       stdin=subprocess.DEVNULL)
        return own_cost(profile, program)


def read(numbers):
    compiler, known = None, {}
    for line in numbers.read_text().splitlines():
        if line.startswith("compiler "):
            compiler = line.removeprefix("compiler ")
        elif line and not line.startswith("#"):
            name, value = line.split()
            known[name] = int(value)
    return compiler, known


def main():
    program, numbers = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    compiler, paths = compiler_of(program), paths_of(program)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = dict(zip(paths, pool.map(lambda path: count(program, path), paths)))
    if "--update" in sys.argv[3:]:
        lines = [f"{path} {cost}" for path, cost in counted.items()]
        numbers.write_text(HEAD + "\n".join([f"compiler {compiler}"] + lines) + "\n")
        return
    known_compiler, known = read(numbers)
    if compiler != known_compiler:
        print(f"SKIPPED: made by {compiler}, the numbers are of {known_compiler}")
        sys.exit(SKIPPED)
    bad = [f"{path} is not in {numbers}" for path in counted if path not in known]
    bad += [f"{path} is in {numbers}, but not in the program" for path in known if path not in counted]
    for path, cost in counted.items():
        change = cost / known[path] - 1 if path in known else 0
        print(f"{path:20} {cost:12,}  {change:+8.1%}")
        if change > GROWTH:
            bad.append(f"{path} takes {cost:,} instructions instead of {known[path]:,}: {change:+.1%}")
    print(*bad, sep="\n")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
