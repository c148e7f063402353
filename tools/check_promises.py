#!/usr/bin/env python3
"""Every test that docs/promises.md names exists: check_promises.py PAGE BUILD_DIRECTORY"""
import fnmatch
import json
import re
import subprocess
import sys

page, build = sys.argv[1:]
shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], check=True,
                       stdout=subprocess.PIPE).stdout
tests = {test["name"] for test in json.loads(shown)["tests"]}
nouns = tests | {re.sub(r"\.(etcd3[45]|fake3[45])$", "", name) for name in tests}
labels = {name.split(".")[0] for name in tests}

named = {name for name in re.findall(r"`([a-z_*]+(?:\.[a-z_*0-9]+)?)`", open(page).read())
         if name.split(".")[0] in labels or name.startswith("*")}
missing = sorted(name for name in named if not fnmatch.filter(nouns, name)
                 and not fnmatch.filter(nouns, "*." + name))
for name in missing:
    print(f"{page}: there is no test {name}")
if not named:
    print(f"{page}: names no test")
sys.exit(1 if missing or not named else 0)
