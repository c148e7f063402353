#!/bin/sh
# Every public declaration is documented: doxygen's warnings are errors.
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
(cat docs/Doxyfile && echo "OUTPUT_DIRECTORY = $out") | doxygen -
