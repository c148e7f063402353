#!/usr/bin/env python3
"""Fail when the two READMEs differ in structure, or show C that is not an example's."""
import pathlib
import re
import sys

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


def structure(text):
    """Headings' levels and blocks' languages, in order."""
    outline, in_block = [], False
    for line in text.splitlines():
        if line.startswith("```"):
            outline += [] if in_block else ["block " + line[3:]]
            in_block = not in_block
        elif not in_block and (m := re.match(r"(#+) ", line)):
            outline.append("heading " + str(len(m[1])))
        elif not in_block and re.match(r"\|[-| :]+\|$", line):
            outline.append("table of %d columns" % (line.count("|") - 1))
    return outline


root = pathlib.Path(sys.argv[1])
english, chinese = ((root / n).read_text() for n in ("README.md", "README.zh.md"))
bad = []
for number, (a, b) in enumerate(zip(structure(english) + ["the end"], structure(chinese) + ["the end"])):
    if a != b:
        bad.append(f"part {number + 1}: README.md has {a}, README.zh.md has {b}")
        break
for (language, a), (_, b) in zip(FENCE.findall(english), FENCE.findall(chinese)):
    if a != b:
        bad.append(f"a block of {language or 'text'} differs between the two:\n{a}---\n{b}")
examples = [p.read_text() for p in (root / "examples").glob("*.c")]
for language, code in FENCE.findall(english):
    if language == "c" and not any(code in text for text in examples):
        bad.append(f"README.md shows C that is in no file of examples/:\n{code}")
print(*bad, sep="\n")
sys.exit(bool(bad))
