#!/bin/sh
# Runs test programs in a kernel of their own, of which every controller is in cgroup v2: user-mode Linux (Debian's
# package user-mode-linux), an ordinary process with the host's files.
# usage: other_kernel.sh PROGRAM...
set -eu
if ! command -v linux.uml >/dev/null; then
    echo "SKIP-REASON: there is no linux.uml, the program of the package user-mode-linux"
    exit 77
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
# What follows runs as the first process there. The last line of all is how it went; a kernel has no exit status.
{
    echo '#!/bin/sh'
    echo 'export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
    echo 'mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit'
    echo 'mount -t tmpfs tmpfs /tmp && status="all passed" || exit'
    for program; do
        echo "'$program' || status='$program failed'"
    done
    echo 'echo "in the other kernel: $status"'
    echo 'echo o >/proc/sysrq-trigger; sleep 1000'
} >"$directory/init"
chmod +x "$directory/init"
linux.uml mem=512M root=/dev/root rootfstype=hostfs rootflags=/ ro init="$directory/init" con=null \
    con0=null,fd:1 quiet </dev/null >"$directory/output" 2>&1 || true
cat "$directory/output"
grep -q 'in the other kernel: all passed' "$directory/output"
