#!/bin/sh
# Runs test programs in a kernel of their own, Linux 6.1 with every controller in cgroup v2 and without Landlock:
# user-mode Linux (Debian's package user-mode-linux), an ordinary process.
# usage: other_kernel.sh [--initial-rootfs] PROGRAM [--test-case=CASES] [PROGRAM ...]
# Its root is that of the host, read-only. With --initial-rootfs it is the initial one, which cannot be pivoted away,
# and has the programs and little else.
set -eu
if ! command -v linux.uml >/dev/null; then
    echo "SKIP-REASON: there is no linux.uml, the program of the package user-mode-linux"
    exit 77
fi
here=$(dirname "$0")
is_initial=false
if [ "$1" = --initial-rootfs ]; then
    is_initial=true
    shift
fi
directory=$(mktemp -d)
kernel=
# All of its processes are in a session of their own.
end() {
    [ -z "$kernel" ] || kill -KILL "-$kernel" 2>/dev/null || true
    wait
    rm -rf "$directory"
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# What follows runs as the first process there. The last line of all is how it went; a kernel has no exit status.
{
    echo '#!/bin/sh'
    echo 'export PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
    echo 'mount -t proc proc /proc && mount -t sysfs sys /sys && mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit'
    if $is_initial; then
        echo 'mount -t devtmpfs dev /dev && exec >/dev/console 2>&1'
        echo 'grep -q "^rootfs / rootfs" /proc/mounts || exit'
    else
        echo 'mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/tmp || exit'
    fi
    echo 'mount -t tmpfs tmpfs /tmp && chmod 1777 /tmp && status="all passed" || exit'
    echo 'echo "in the other kernel: begins"'
    while [ $# -gt 0 ]; do
        program=$1
        cases=
        shift
        case ${1-} in
            --test-case=*) cases=$1 && shift ;;
        esac
        echo "'$program' ${cases:+"'$cases'"} || status='$program failed'"
        programs="${programs-} $program"
    done
    echo 'echo "in the other kernel: $status"'
    echo 'echo o >/proc/sysrq-trigger; sleep 1000'
} >"$directory/init"
chmod +x "$directory/init"

if $is_initial; then
    # shellcheck disable=SC2086  # one word each
    "$here/../environments/initramfs" "$directory/initrd" "$directory/init" \
        sh cat chmod grep id ln ls mkdir mount mv rm sleep touch $programs
    root="initrd=$directory/initrd"
else
    root="root=/dev/root rootfstype=hostfs rootflags=/ ro init=$directory/init"
fi
# shellcheck disable=SC2086  # words
setsid linux.uml mem=512M uml_dir="$directory/" $root con=null con0=null,fd:1 quiet \
    </dev/null >"$directory/output" 2>&1 &
kernel=$!
wait "$kernel" || true
kernel=
cat "$directory/output"
grep -q 'in the other kernel: all passed' "$directory/output"
