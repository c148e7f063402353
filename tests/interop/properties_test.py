#!/usr/bin/env python3
"""Hold our properties reader against java.util.Properties on generated files.

Usage: properties_test.py DUMP_PROGRAM JAVA_SOURCE. Exit 77 (skipped) when there is no Java.
"""
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

COUNT = 10000
# A backslash alone at the end is a documented difference.
LONE_BACKSLASH = re.compile(rb"(?:\A|(?<=[\r\n]))[ \t\f]*\\(\r\n|\r|\n)?\Z")
PIECES = [b"a", b"b", b"key", b"=", b":", b" ", b"\t", b"\f", b"\\", b"\\\\", b"\n", b"\r", b"\r\n",
          b"#", b"!", b"\\\n", b"\\\r\n  ", b"\\u0041", b"\\u00e9", b"\\u4E2d", b"\\ud83d\\ude00", b"\\u12",
          b"\\uZ", b"\\t", b"\\n", b"\\=", b"\\:", b"\\ ", b"\xe9", b"\x7f", b"\x01"]


def main():
    if shutil.which("java") is None:
        print("SKIPPED: there is no java on this machine, so nothing was compared")
        return 77
    dump, source = sys.argv[1:3]
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i in range(COUNT):
            path = pathlib.Path(folder) / str(i)
            text = b"".join(rng.choices(PIECES, k=rng.randint(0, 14)))
            while LONE_BACKSLASH.search(text):
                text = LONE_BACKSLASH.sub(b"", text)
            path.write_bytes(text)
            paths.append(str(path))
        ours = run([dump, *paths])
        theirs = run(["java", source, *paths])
        wrong = [(p, o, t) for p, o, t in zip(paths, ours, theirs) if o != t]
        for path, our, their in wrong[:10]:
            print(f"{pathlib.Path(path).read_bytes()!r}\n  yurpc: {our}\n  Java:  {their}")
        read = sum(line != "error" for line in ours)
        print(f"{COUNT} files, {read} of them well formed, {len(wrong)} read otherwise than Java")
        return len(ours) != COUNT or len(theirs) != COUNT or bool(wrong)


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()


sys.exit(main())
