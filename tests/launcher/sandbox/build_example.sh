#!/bin/bash
# A real project is built in the sandbox of the example: the barrier of this one.
# usage: build_example.sh PROGRAM SOURCE_DIR WORK_DIR
set -euo pipefail
program=$1
sources=$2
build=$(mktemp -d "$3/sandboxed.XXXXXX")
trap 'rm -rf "$build"' EXIT
# A cache of the compiler's lies outside, where the sandbox writes nothing.
unset CMAKE_C_COMPILER_LAUNCHER CMAKE_CXX_COMPILER_LAUNCHER
export CCACHE_DISABLE=1
cat >"$build/script" <<'SCRIPT'
cmake -S . -B "$1" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSYNCSPAWN_BUILD_TOOLS=OFF &&
    cmake --build "$1" --parallel 2 --target syncspawn_barrier || exit
if : >>LICENSE; then echo 'it can write to its sources'; fi
if : <>/dev/tcp/127.0.0.1/80; then echo 'it has a network'; fi
ls "$1/barrier"
SCRIPT
output=$("$program" "$sources" "$build" "$build/script" "$build") || status=$?
printf '%s\n' "$output"
case $output in
*"cannot be held whole here"*)
    echo "SKIP-REASON: this machine cannot hold the example's policy"
    exit 77
    ;;
*"LICENSE: Read-only file system"*"Address family not supported by protocol"*libsyncspawn-barrier.a*) exit "${status-0}" ;;
esac
echo 'that is not what it ought to print'
exit 1
