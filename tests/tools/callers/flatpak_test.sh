#!/usr/bin/env bash
# Flatpak builds an application in a minimal runtime, and what it calls bwrap is ours.
# usage: flatpak_test.sh PATH_TO_SYNCSPAWN SOURCES PATH_TO_SYNCSPAWN_BWRAP
source "$(dirname "$0")/../expect.sh"
bwrap=$3
if ! command -v flatpak >/dev/null; then
    echo "SKIP-REASON: flatpak is not installed (Debian: flatpak)"
    exit 77
fi
# Not in /tmp, which flatpak does not show.
work=$(mktemp -d /var/tmp/flatpak.XXXXXX)
trap 'clean_up; rm -rf "$work"' EXIT
export HOME=$work/home FLATPAK_USER_DIR=$work/installed XDG_DATA_HOME=$work/data XDG_CACHE_HOME=$work/cache XDG_RUNTIME_DIR=$work/run
export GIO_USE_VFS=local
unset DBUS_SESSION_BUS_ADDRESS
mkdir -p "$HOME" "$XDG_RUNTIME_DIR"

# A runtime of a shell and a few programs, with the libraries that they need.
runtime=$work/runtime
mkdir -p "$runtime/usr/bin" "$runtime/usr/lib" "$runtime/usr/lib64" "$runtime/usr/etc" "$runtime/files"
kind=org.example.Platform/$(uname -m)/1
printf '[Runtime]\nname=org.example.Platform\nruntime=%s\nsdk=%s\n' "$kind" "$kind" >"$runtime/metadata"
for program in sh cat touch id; do
    path=$(command -v "$program")
    cp -L "$path" "$runtime/usr/bin/"
    for library in $(ldd "$path" | grep -oE '/[^ ]+'); do
        place=$runtime/usr/${library#/usr}
        mkdir -p "$(dirname "$place")"
        cp -L "$library" "$place"
    done
done

# Each by the bwrap of its own choice first, so that a machine where that fails is known.
application=$work/application
prepare() {
    guarded flatpak build-export --runtime --disable-sandbox --files=usr "$work/repository" "$runtime" 1 &&
        guarded flatpak --user remote-add --no-gpg-verify test "$work/repository" &&
        guarded flatpak --user install -y --noninteractive test org.example.Platform//1 &&
        guarded flatpak build-init "$application" org.example.Application org.example.Platform org.example.Platform 1
}
if ! prepare >"$scratch/prepared" 2>&1 || ! guarded flatpak build "$application" sh -c : >>"$scratch/prepared" 2>&1; then
    cat "$scratch/prepared"
    echo "SKIP-REASON: flatpak does not build here, with its own bwrap either"
    exit 77
fi

# The program that it calls says that it was called.
cat >"$work/bwrap" <<SCRIPT
#!/bin/sh
echo called >>'$work/calls'
exec '$bwrap' "\$@"
SCRIPT
chmod +x "$work/bwrap"
export FLATPAK_BWRAP=$work/bwrap
expect "flatpak builds, and its files are there" 0 $'built' "" \
    flatpak build "$application" sh -c 'echo built >/app/file; cat /app/file'
check "it was ours that it called" test -s "$work/calls"
check "and the host has the file" grep -q built "$application/files/file"
expect "the runtime cannot be written" 1 "" "*Read-only file system*" flatpak build "$application" touch /usr/x
expect "the exit status comes through" 7 "" "" flatpak build "$application" sh -c 'exit 7'
expect "the user is who he was" 0 "$(id -u)" "" flatpak build "$application" id -u
expect "there is no network but where it was asked for" 0 $'lo:' "" \
    flatpak build "$application" sh -c 'cat /proc/net/dev | while read -r name rest; do case $name in *:) echo "$name" ;; esac; done'
finish
