#!/bin/sh
# valgrind's own count of open descriptors, errors and lost memory after many launches, half failing.
# usage: valgrind.sh LAUNCHES-PROGRAM
set -u
log=$(mktemp)
trap 'rm -f "$log"' EXIT
valgrind --track-fds=yes --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9 \
    --child-silent-after-fork=yes --log-file="$log" "$1" 1000 </dev/null || exit 1
grep -E 'FILE DESCRIPTORS|ERROR SUMMARY|heap blocks' "$log"
# What is open at the end must be what was open at the start.
opened=$(grep -c 'Open file descriptor' "$log")
inherited=$(grep -c '<inherited from parent>' "$log")
if ! grep -q 'FILE DESCRIPTORS' "$log" || [ "$opened" -ne "$inherited" ] ||
    ! grep -q 'ERROR SUMMARY: 0 errors' "$log"; then
    cat "$log"
    exit 1
fi
