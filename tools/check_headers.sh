#!/bin/sh
# Usage: check_headers.sh INCLUDE_DIR: each public header compiles alone, as C99 and as C++11.
set -eu
dir=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
for header in "$dir"/yurpc/*.h; do
    printf '#include <yurpc/%s>\ntypedef int not_empty;\n' "$(basename "$header")" >"$scratch/h.c"
    cp "$scratch/h.c" "$scratch/h.cc"
    "${CC:-cc}" -std=c99 -pedantic-errors -Wall -Wextra -Werror -fsyntax-only -I"$dir" "$scratch/h.c"
    "${CXX:-c++}" -std=c++11 -Wall -Wextra -Werror -fsyntax-only -I"$dir" "$scratch/h.cc"
done
