#!/bin/sh
# What was left out inside of tests that passed, and why: show_skipped.sh BUILD_DIRECTORY
# (Tests that were skipped as a whole are named by ctest itself.)
set -eu
log=$1/Testing/Temporary/LastTest.log
[ -r "$log" ] || exit 0
sed -n 's/^.*\*\*\* SKIPPED/SKIPPED/p' "$log" | sort | uniq -c
