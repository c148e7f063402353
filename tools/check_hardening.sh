#!/bin/sh
# Usage: check_hardening.sh LIBRARY PROGRAM: what was linked has what YurpcCompile.cmake asks for.
set -eu
bad=0
complain() {
    echo "$1: $2" >&2
    bad=1
}
for file in "$1" "$2"; do
    headers=$(LC_ALL=C readelf --wide --file-header --program-headers --notes "$file")
    dynamic=$(LC_ALL=C readelf --wide --dynamic "$file")
    symbols=$(LC_ALL=C readelf --wide --dyn-syms "$file")
    case $headers in *"Type: "*" DYN "*) ;; *) complain "$file" "not position independent" ;; esac
    case $headers in *GNU_RELRO*) ;; *) complain "$file" "no RELRO" ;; esac
    echo "$headers" | grep -q 'GNU_STACK.* RW  *0x' || complain "$file" "an executable stack"
    echo "$headers" | grep -q 'LOAD.* RWE ' && complain "$file" "a segment is writable and executable"
    echo "$dynamic" | grep -Eq 'BIND_NOW|FLAGS.* NOW' || complain "$file" "symbols are bound late"
    case $dynamic in *TEXTREL*) complain "$file" "text relocations" ;; esac
    case $dynamic in *"(RPATH)"*) complain "$file" "an RPATH goes before LD_LIBRARY_PATH" ;; esac
    case $symbols in *__stack_chk_fail*) ;; *) complain "$file" "no stack protector" ;; esac
    case $symbols in *_chk@*) ;; *) complain "$file" "not compiled with _FORTIFY_SOURCE" ;; esac
    case $headers in
    *X86-64*) # Debian's start files are not marked for CET, so the mark is never there
        [ "$(objdump -d "$file" | grep -c endbr64)" -gt 50 ] || complain "$file" "no landing pads for CET"
        ;;
    esac
done
case $(LC_ALL=C readelf --wide --dynamic "$2") in *"(FLAGS_1)"*PIE*) ;; *) complain "$2" "no PIE" ;; esac
exit $bad
