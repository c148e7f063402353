#!/bin/sh
# Every .c and .h is as clang-format 14 writes it; `make format` makes it so.
set -eu
find include src apps examples tests bench -name '*.[ch]' -print0 |
    xargs -0 clang-format-14 --dry-run -Werror
