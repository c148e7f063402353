#!/usr/bin/env python3
"""Fail when the output of a test is not searched for secrets: check_secrets.py BUILD (see tests/CMakeLists.txt)."""
import json
import subprocess
import sys

known = json.loads(subprocess.run(["ctest", "--test-dir", sys.argv[1], "-C", "long", "--show-only=json-v1"], check=True,
                                  capture_output=True, text=True).stdout)["tests"]
bad = [test["name"] for test in known
       if not any(each["name"] == "FAIL_REGULAR_EXPRESSION" and len(each["value"]) >= 4 for each in test["properties"])]
if bad or not known:
    sys.exit("secrets: yurpc_keep_secrets() is missing at the end of the folder of " + (", ".join(bad) or "all tests"))
