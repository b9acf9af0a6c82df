#!/usr/bin/env bash
# syncspawn-bwrap: what callers of bubblewrap read, write and rely on. Usage: bwrap_test.sh SYNCSPAWN_BWRAP
source "$(dirname "$0")/expect.sh"
cd "$scratch" || exit 1
bwrap=$syncspawn
read_only=("$bwrap" --ro-bind / /)
if ! "${read_only[@]}" true 2>err; then
    echo "SKIP-REASON: no sandbox can be made here: $(cat err)"
    exit 77
fi

# Texts.
expect "no command is a wrong command line" 1 "" "usage: $bwrap *COMMAND*" "$bwrap"
check "--help begins with usage and the name that it was called by" \
    bash -c '(exec -a other "$0" --help) | head -1 | grep -qx "usage: other .*COMMAND.*"' "$bwrap"
check "--version says whose options these are" bash -c '"$0" --version | grep -q "^bubblewrap 0\.11\."' "$bwrap"
expect "an unknown option" 1 "" "bwrap: Unknown option --bogus" "$bwrap" --bogus true
expect "an argument is missing" 1 "" "bwrap: --chdir takes an argument" "${read_only[@]}" --chdir
expect "one of two" 1 "" "bwrap: --bind takes two arguments" "$bwrap" --bind /
expect "one of three" 1 "" "bwrap: --overlay takes three arguments" "$bwrap" --overlay / /
for number in -1 0a ''; do
    expect "'$number' is no descriptor" 1 "" "bwrap: Invalid fd: $number" "${read_only[@]}" --block-fd "$number" true
done
expect "a source is missing" 1 "" "bwrap: Can't find source path /no/such: No such file or directory" \
    "$bwrap" --bind /no/such /x true
expect "a link is in the way" 1 "" "bwrap: Can't make symlink at /a: existing destination is *" \
    "${read_only[@]}" --tmpfs / --symlink b /a --symlink c /a true
expect "the last --chdir counts, and that is said" 0 /usr "bwrap: Only the last --chdir option will take effect" \
    "${read_only[@]}" --chdir / --chdir /usr pwd
expect "levels are told" 0 /usr "<4>bwrap: Only the last --chdir option will take effect" \
    "${read_only[@]}" --level-prefix --chdir / --chdir /usr pwd
expect "errors have one, too" 1 "" "<3>bwrap: Unknown option --bogus" "$bwrap" --level-prefix --bogus
for overlay in "--overlay /a /b /c" "--tmp-overlay /a"; do
    # shellcheck disable=SC2086
    expect "no layer: $overlay" 1 "" "bwrap: ${overlay%% *} requires at least one --overlay-src" "$bwrap" $overlay true
done
expect "one layer is not two" 1 "" "bwrap: --ro-overlay requires at least two --overlay-src" \
    "$bwrap" --overlay-src / --ro-overlay /a true
expect "a layer of nothing" 1 "" "bwrap: --overlay-src must be followed by another --overlay-src or one of --overlay, \
--tmp-overlay, or --ro-overlay" "$bwrap" --overlay-src / --bind / / true
expect "one filter, or several" 1 "" "bwrap: --seccomp cannot be combined with --add-seccomp-fd" \
    "${read_only[@]}" --add-seccomp-fd 0 --seccomp 0 true
expect "and the other way round" 1 "" "bwrap: --add-seccomp-fd cannot be combined with --seccomp" \
    "${read_only[@]}" --seccomp 0 --add-seccomp-fd 0 true
expect "a filter that cannot be read" 1 "" "bwrap: Can't read seccomp data: Bad file descriptor" \
    "${read_only[@]}" --seccomp 99 true
expect "a program that is not there" 1 "" "bwrap: execvp no-such-program: No such file or directory" \
    "${read_only[@]}" --setenv PATH /usr/bin:/bin no-such-program
expect "the zeroth argument" 0 other "" "${read_only[@]}" --argv0 other sh -c 'echo "$0"'
expect "the code is the program's" 7 "" "" "${read_only[@]}" sh -c 'exit 7'
expect "a signal is 128+n" 143 "" "" "${read_only[@]}" --unshare-pid sh -c 'kill -TERM $$'

# What a machine refuses, in the words by which callers try another way.
if "$user_namespaces"; then
    expect "a /proc with covers allows no new one" 1 "" "bwrap: Can't mount proc on /newroot/proc: Operation not permitted *" \
        unshare --user --map-root-user --mount sh -c \
        'mount --bind /dev/null /proc/version && exec "$0" --unshare-all --ro-bind / / --proc /proc true' "$bwrap"
    expect "no more namespaces" 1 "" "bwrap: Creating new namespace failed *" unshare --user --map-root-user sh -c \
        'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" --unshare-user --ro-bind / / true' "$bwrap"
    expect "ids cannot be mapped" 1 "" "bwrap: setting up uid map: Read-only file system *" unshare --user --map-root-user \
        --mount sh -c 'mount --rbind /proc /proc && mount -o remount,bind,ro /proc &&
            exec "$0" --unshare-user --ro-bind / / true' "$bwrap"
fi

# Options from a descriptor.
printf -- '--ro-bind\0/\0/\0--setenv\0A\0one two\0' >args
printf -- '--args\0%d\0--setenv\0B\0x\0' 8 >outer
expect "options from a descriptor, and in there from another" 0 "one two x" "" \
    bash -c '"$0" --args 9 sh -c "echo \$A \$B" 8<args 9<outer' "$bwrap"
expect "they stand where --args does" 0 "last" "" \
    bash -c '"$0" --args 9 --setenv A last printenv A 9<args' "$bwrap"
expect "they cannot be read" 1 "" "bwrap: Can't read --args data: Bad file descriptor" "$bwrap" --args 99 true

# Inside, it works as /proc/self/exe, whatever it is called.
expect "a sandbox in a sandbox" 0 inner "" bash -c \
    '(exec -a anything "$0" --bind / / --unshare-user --proc /proc --unshare-pid "$0" --ro-bind / / echo inner)' "$bwrap"

# What is written for the caller.
mkfifo info status block
"${read_only[@]}" --unshare-all --info-fd 5 --json-status-fd 6 --block-fd 7 \
    sh -c 'for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done; exit 3' \
    5>info 6>status 7<block >ids &
started+=($!)
launcher=$!
exec 5<info 6<status 7>block
cat <&5 >info.json
read -r first <&6
check "nothing runs before the gate opens" test ! -s ids
check "the child is there" kill -0 "$(sed -n 's/.*"child-pid": \([0-9]*\).*/\1/p' info.json)"
echo >&7
wait "$launcher"
check "the exit code passes through" test $? -eq 3
cat >lines.py <<'EOF'
import json, sys
info, first, last = json.load(open("info.json")), json.loads(sys.argv[1]), json.loads(sys.argv[2])
assert info == first, (info, first)
inside = {line.split(":")[0] + "-namespace": int(line.split("[")[1].rstrip("]\n")) for line in open("ids")}
pid = info.pop("child-pid")
assert pid > 0 and info == inside, (info, inside)
assert last == {"exit-code": 3}, last
EOF
read -r last <&6
check "the namespaces are those inside, and the last line has the code" python3 lines.py "$first" "$last"
exec 5<&- 6<&- 7>&-
wait

"${read_only[@]}" --json-status-fd 6 /no/such 6>status.json 2>/dev/null
check "there is no exit code of what was not executed" \
    bash -c 'grep -q child-pid status.json && ! grep -q exit-code status.json'
expect "a gate that is closed does not open" 1 "" "bwrap: --block-fd 0 *" "${read_only[@]}" --block-fd 0 echo no

# The maps are written by somebody else, who is told of the child.
cat >map.py <<'EOF'
import json, os, subprocess, sys
info, info_writer = os.pipe()
gate, gate_writer = os.pipe()
run = subprocess.Popen([sys.argv[1], "--unshare-user", "--info-fd", str(info_writer), "--userns-block-fd", str(gate),
                        "--ro-bind", "/", "/", "id", "-u"], pass_fds=(info_writer, gate), stdout=subprocess.PIPE)
os.close(info_writer)
pid = json.loads(os.fdopen(info).read())["child-pid"]
for name, text in (("setgroups", "deny"), ("uid_map", f"77 {os.geteuid()} 1"), ("gid_map", f"77 {os.getegid()} 1")):
    with open(f"/proc/{pid}/{name}", "w") as file:
        file.write(text)
os.write(gate_writer, b"x")
assert run.communicate()[0] == b"77\n" and run.returncode == 0
EOF
check "others write the maps" python3 map.py "$bwrap"

# A lock, and descriptors.
touch lock
cat >lock.py <<'EOF'
import fcntl, sys
file = open("lock", "r+")
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(1)
EOF
is_free() { python3 lock.py; }
"${read_only[@]}" --lock-file "$scratch/lock" sh -c 'echo runs; exec sleep "$nap"1' >out &
started+=($!)
launcher=$!
eventually test -s out
check "the file is locked while the program runs" bash -c '! python3 lock.py'
kill -TERM "$launcher"
wait "$launcher" 2>/dev/null
check "a signal ends it" test $? -eq 143
check "the lock ends with it" is_free
expect "descriptors are inherited, but those of options" 0 "hi" "" bash -c \
    '"$0" --ro-bind / / --sync-fd 9 sh -c "cat <&8; test ! -e /proc/self/fd/9" 8<<<hi 9</dev/null' "$bwrap"

# The caller is killed.
sh -c '"$@" & echo $! >launcher; wait' sh "${read_only[@]}" --unshare-pid --die-with-parent --lock-file "$scratch/lock" \
    sh -c 'echo runs; sleep "$nap"2; :' >out &
started+=($!)
caller=$!
eventually grep -q runs out
launcher=$(cat launcher)
kill -KILL "$caller"
wait "$caller" 2>/dev/null
no_nap() { ! pgrep -f "^sleep $nap"; }
check "all of it ends with its caller" eventually is_gone "$launcher"
check "the program, too" eventually no_nap
check "and the lock is released" eventually is_free
finish
