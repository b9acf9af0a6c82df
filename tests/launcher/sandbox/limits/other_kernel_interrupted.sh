#!/bin/sh
# Whoever interrupts other_kernel.sh is left nothing: no process, no file.
set -eu
here=$(dirname "$0")
if ! command -v linux.uml >/dev/null; then
    echo "SKIP-REASON: there is no linux.uml, the program of the package user-mode-linux"
    exit 77
fi
# Not below /tmp, which is another one there.
directory=$(mktemp -d "$PWD/other-kernel-XXXXXX")
trap 'rm -rf "$directory"' EXIT
mkdir "$directory/tmp"
printf '#!/bin/sh\nsleep 1000\n' >"$directory/never_ends"
chmod +x "$directory/never_ends"
TMPDIR=$directory/tmp "$here/other_kernel.sh" "$directory/never_ends" &
script=$!
until grep -qs 'in the other kernel: begins' "$directory"/tmp/*/output; do
    kill -0 "$script" || exit 1
    sleep 0.1
done
kill -TERM "$script"
status=0
wait "$script" || status=$?
[ "$status" -eq 143 ] || { echo "it ended with $status" && exit 1; }
[ -z "$(ls -A "$directory/tmp")" ] || { ls -lR "$directory/tmp" && exit 1; }
if pgrep -f "uml_dir=$directory" >/dev/null; then
    echo "its kernel is still there"
    exit 1
fi
