#!/bin/bash
# What a C program takes from the archive of the barrier needs nothing of the C++ run time, and no other C
# library than the program's own. usage: c_archive.sh symbols|cc|musl ARCHIVE SOURCE_DIR, with CC and NM
# in the environment.
set -euo pipefail
what=$1
archive=$2
source_dir=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Of the member that has the C functions and of those that it needs: what none of them defines.
needed() {
    "$NM" -P -A "$archive" | awk '
        {
            member = $1
            sub(/^.*\[/, "", member)
            sub(/\]:$/, "", member)
            if ($3 ~ /^[Uwv]$/) needs[member] = needs[member] " " $2
            else if ($3 ~ /^[A-Z]$/ && !($2 in defines)) defines[$2] = member
        }
        END {
            todo[count = 1] = defines["syncspawn_barrier_create"]
            seen[todo[1]] = 1
            for (at = 1; at <= count; at++) {
                size = split(needs[todo[at]], symbols, " ")
                for (i = 1; i <= size; i++) {
                    home = defines[symbols[i]]
                    if (home == "") print symbols[i]
                    else if (!(home in seen)) { seen[home] = 1; todo[++count] = home }
                }
            }
            if (count < 3) print "_Z: only " count " members found"
        }' | sort -u
}

# link COMPILER...: builds the program with that, and runs it.
link_and_run() {
    "$@" -std=c11 -I"$source_dir/include" "$source_dir/tests/helpers/c_alone.c" "$archive" -o "$work/c_alone"
    local code=0
    "$work/c_alone" || code=$?
    [[ $code = 42 ]] || { echo "the program ended with $code"; exit 1; }
}

case $what in
    symbols)
        needed >"$work/needed"
        if grep -E '^(_Z|__cxa|__gxx_personality|_Unwind|__isoc23_|.*_chk$|.*64$|preadv2$)' "$work/needed"; then
            echo "what a C program takes from $archive needs these"
            exit 1
        fi
        echo "needed: $(tr '\n' ' ' <"$work/needed")"
        ;;
    cc)
        # shellcheck disable=SC2086  # CFLAGS holds words
        link_and_run "$CC" ${CFLAGS-}
        ;;
    musl)
        command -v musl-gcc >/dev/null || { echo "SKIP-REASON: musl-gcc is not installed (Debian: musl-tools)"; exit 77; }
        if "$NM" "$archive" | grep __gcov >/dev/null; then
            echo "SKIP-REASON: an archive that counts coverage needs the C library that it was compiled for"
            exit 77
        fi
        link_and_run musl-gcc -static
        ;;
esac
