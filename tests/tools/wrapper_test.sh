#!/usr/bin/env bash
# syncspawn run without a sandbox: as env(1) is, and what it passes on.
source "$(dirname "$0")/expect.sh"
cd "$scratch" || exit 1

# Descriptors.
expect "a process substitution is there" 0 "hi" "" bash -c 'syncspawn run -- cat <(echo hi)'
expect "a descriptor of any number is" 0 "seven" "" bash -c 'syncspawn run -- sh -c "echo seven >&7" 7>&1'
expect "one that is close-on-exec is not" 0 "" "" python3 -c '
import os, subprocess
fd = os.open("/dev/null", os.O_RDONLY)
assert not os.get_inheritable(fd)
os.execvp("syncspawn", ["syncspawn", "run", "--", "test", "!", "-e", f"/proc/self/fd/{fd}"])'
expect "unless it is kept" 0 "" "" python3 -c '
import os
fd = os.open("/dev/null", os.O_RDONLY)
os.set_inheritable(fd, True)
os.execvp("syncspawn", ["syncspawn", "run", f"--keep-fd={fd}:9", "--", "test", "-e", "/proc/self/fd/9"])'
expect "under another number, too" 0 "to nine" "" \
    bash -c 'syncspawn run --keep-fd 5:9 -- sh -c "echo to nine >&9" 5>&1'
expect "two change places" 0 "six seven" "" \
    bash -c 'syncspawn run --keep-fd 6:7 --keep-fd 7:6 -- sh -c "echo \$(cat <&7) \$(cat <&6)" 6<<<six 7<<<seven'
expect "the last one of a number wins" 0 "six" "" \
    bash -c 'syncspawn run --keep-fd 7:9 --keep-fd 6:9 -- cat /dev/fd/9 6<<<six 7<<<seven'
expect "nothing of the command itself is among them" 0 "$(bash -c 'ls /proc/self/fd | wc -l')" "" \
    bash -c 'syncspawn run -- ls /proc/self/fd | wc -l'
if $user_namespaces; then
    expect "in a namespace they are closed" 0 "" "" \
        bash -c 'syncspawn run --unshare-user -- test ! -e /proc/self/fd/7 7>&1'
    expect "but for those that are kept" 0 "kept" "" \
        bash -c 'syncspawn run --unshare-user --keep-fd 7 -- sh -c "echo kept >&7; test ! -e /proc/self/fd/8" 7>&1 8>&1'
else
    echo "SKIP-REASON: this machine forbids user namespaces"
fi
expect "what is not open cannot be kept" 125 "" "syncspawn run: --keep-fd: descriptor 99 is not open *" syncspawn run --keep-fd 99 true
expect "a standard stream need not be" 125 "" "*--keep-fd: the standard streams 0, 1 and 2 are always kept *" \
    syncspawn run --keep-fd 1 true
expect "nor can another take its place" 125 "" "*so M is 3 or more; for another standard stream redirect ours: 2>&1" \
    syncspawn run --keep-fd 1:2 true
expect "a number is one" 125 "" "*--keep-fd: 'x' is not a whole number*" syncspawn run --keep-fd x true

# make hands its jobserver on by descriptors, which are not there without the '+'. Which job is the first is not said.
if command -v make >/dev/null; then
    printf 'all:\n\t+@syncspawn run -- $(MAKE) --no-print-directory -f %s inner\n' "$scratch/inner" >outer
    printf 'inner: a b\na b:\n\t@echo $@\n' >inner
    expect "a jobserver reaches an inner make" 0 "$(printf 'a\nb')" "" \
        bash -o pipefail -c 'make --no-print-directory -j2 -f outer | sort'
else
    echo "SKIP-REASON: this machine has no make(1)"
fi
listening='echo "$LISTEN_FDS $((LISTEN_PID - $$))"; cat <&3'
expect "sockets that are for the command are for its program" 0 "$(printf '1 0\nhello')" "" \
    bash -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec syncspawn run -- sh -c "$0" 3<<<hello' "$listening"
expect "those for another are not" 0 "12345" "" env LISTEN_PID=12345 syncspawn run -- sh -c 'echo $LISTEN_PID'
expect "with readiness it says that it cannot" 125 "" "*LISTEN_PID names this process, and --wait-ready cannot*" \
    sh -c 'LISTEN_PID=$$ exec syncspawn run --wait-ready -- true'

# Directory, environment, name.
expect "-C and --chdir" 0 "$(printf '/\n/')" "" sh -c 'syncspawn run -C / pwd; syncspawn run --chdir=/ pwd'
expect "the last of a repeated option wins" 0 "/" "" syncspawn run -C /nonexistent --chdir / pwd
expect "variables in all forms, the last one wins" 0 "1 2 3 5" "" \
    syncspawn run -E A=1 --setenv B 2 --setenv C=3 -ED=4 -E D=5 -- sh -c 'echo $A $B $C $D'
expect "a value may have an equals sign or be empty" 0 "x=y []" "" syncspawn run -E A=x=y -E B= -- sh -c 'echo "$A [$B]"'
expect "-E takes one word" 125 "" "syncspawn run: -E: 'A' has no value; say -E A=VALUE" syncspawn run -E A true
expect "-i and -u, in their order" 0 "B=2" "" env X=1 syncspawn run -E A=0 -i -E A=1 -E B=2 -u A env
expect "--clearenv and --unsetenv" 0 "B=2" "" syncspawn run --clearenv --setenv A 1 --setenv B 2 --unsetenv A env
expect "--argv0" 0 "another name" "" syncspawn run --argv0 "another name" -- bash -c 'tr "\0" "\n" </proc/$$/cmdline | head -n1'

# Sessions.
expect "--new-session" 0 "0" "" syncspawn run --new-session -- sh -c 'echo $(($(ps -o sid= $$) - $$))'
expect "--no-new-session takes it back" 0 "$(ps -o sid= $$)" "" \
    syncspawn run --new-session --no-new-session -- sh -c 'ps -o sid= $$'
expect "a terminal of its own comes with a session" 125 "" "*--pty and --no-new-session: *leave out the one or the other" \
    syncspawn run --pty --no-new-session -- true
finish
