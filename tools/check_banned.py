#!/usr/bin/env python3
"""Fail when library code calls a function that has one home, or none."""
import pathlib, re, sys

HOME = {
    r"malloc|calloc|realloc|free|strdup|strndup|asprintf": {"base/mem.c"},
    r"mmap|mremap|munmap|madvise":                         {"base/mem.c", "base/process.c"},
    r"time|gettimeofday|clock_gettime|usleep|sleep":       {"net/uv/clock.c"},
    r"rand|random|getrandom":                              {"net/uv/clock.c"},
    r"sprintf|strcpy|strcat|strtok|atoi|atol|gets|alloca": set(),
    r"printf|puts|perror|exit|abort|setenv":               {"base/assert.c"},
    r"getenv|secure_getenv":                               {"registry/handle/config.c", "registry/runtime_dir.c"},
}
root = pathlib.Path(sys.argv[1]) / "src"
strip = re.compile(r'//.*?$|/\*.*?\*/|"(?:\\.|[^"\\])*"', re.S | re.M)
bad = []
for path in sorted(root.rglob("*.[ch]")):
    code = strip.sub(lambda m: "\n" * m[0].count("\n"), path.read_text())
    for names, home in HOME.items():
        for m in re.finditer(rf"(?<![\w>.])({names})\s*\(", code):
            if path.relative_to(root).as_posix() not in home and "__attribute__" not in code[code.rfind("\n", 0, m.start()):m.start()]:
                bad.append(f"{path}:{code.count(chr(10), 0, m.start()) + 1}: {m[1]}() is not allowed here")
print(*bad, sep="\n")
sys.exit(bool(bad))
