#!/usr/bin/env bash
# syncspawn run: a sandbox laid out by hand, option by option. Root also runs it as an ordinary user.
source "$(dirname "$0")/expect.sh"
tests=$(cd "$(dirname "$0")" && pwd)
$user_namespaces || {
    echo "SKIP-REASON: this machine forbids user namespaces"
    exit 77
}
cd "$scratch" || exit 1
umask 022
export HOME=/
me=$(id -u) my_group=$(id -g)
is_root=false
((EUID != 0)) || is_root=true

# A tree that programs run in, and nothing else.
programs=(--ro-bind /usr /usr)
for link in /bin /sbin /lib /lib64; do
    if [[ -L $link ]]; then
        programs+=(--symlink "$(readlink "$link")" "$link")
    else
        programs+=(--ro-bind-try "$link" "$link")
    fi
done
host=(--ro-bind / /)
# inside NAME CODE OUTPUT ERROR OPTION... SCRIPT: what expect() expects of a script in that tree.
inside() { expect "${@:1:4}" syncspawn run "${programs[@]}" "${@:5:$#-5}" -- sh -c "${@: -1}"; }
# beside NAME CODE OUTPUT ERROR OPTION... SCRIPT: the same in the host's tree.
beside() { expect "${@:1:4}" syncspawn run "${host[@]}" "${@:5:$#-5}" -- sh -c "${@: -1}"; }
# wrong NAME ERROR OPTION...: the command line is refused, and nothing is started.
wrong() { expect "$1" 125 "" "syncspawn run: $2" syncspawn run "${@:3}" -- sh -c "touch '$scratch/started'"; }

mkdir -p source/below lower upper work
echo text >source/file
echo other >other
echo 1 >lower/one

# ---- binds --------------------------------------------------------------------------------------
expect "the first operation leaves an empty root" 127 "" "*execve 'sh' in the child: no such file*" \
    syncspawn run --dir /x -- sh -c true
inside "what is bound is there" 0 $'below\nfile' "" --bind source /s 'ls /s'
inside "it can be written" 0 "" "" --bind source /s 'echo more >/s/made && rm /s/made'
inside "or not" 2 "" "*Read-only file system" --ro-bind source /s 'echo >/s/made'
inside "a later operation covers an earlier one" 0 other "" --bind source /s --ro-bind other /s/file 'cat /s/file'
inside "a file is bound on a new file" 0 other "" --ro-bind other /deep/er/o 'cat /deep/er/o'
inside "a destination begins at the root" 0 other "" --ro-bind other o 'cat /o'
inside "devices open only where that was said" 2 "" "*ermission denied" --bind /dev /dev 'echo >/dev/null'
inside "as here" 0 "" "" --dev-bind /dev /dev 'echo >/dev/null'
inside "a source that is missing may be left out" 0 "" "" --bind-try /no/such /a --ro-bind-try /no/such /b \
    --dev-bind-try /no/such /c 'test ! -e /a -a ! -e /b -a ! -e /c'
inside "one that is there is bound" 0 other "" --ro-bind-try other /o 'cat /o'
wrong "--strict wants it all" "--strict: --bind-try /no/such /a: there is no '/no/such'*" \
    "${programs[@]}" --strict --bind-try /no/such /a
wrong "a source that is missing" "--bind /no/such /a: the source '/no/such': No such file or directory; *-try*" \
    "${programs[@]}" --bind /no/such /a
wrong "the one that is missing is named, of many" "--ro-bind other/x /a: the source 'other/x': Not a directory*" \
    "${programs[@]}" --bind source /s --ro-bind other/x /a --tmpfs /t
wrong "a way out" "--bind source /s/../t: the destination must not have '..'*" --bind source /s/../t
exec 5<source
inside "a directory from a descriptor, which the program does not get" 0 "below file" "" --bind-fd 5 /s --dev /dev \
    --unshare-pid --proc /proc 'echo $(ls /s); test ! -e /proc/self/fd/5'
exec 5<other
inside "a file from a descriptor, read-only" 1 "" "*Read-only file system" --ro-bind-fd 5 /o 'touch /o'
exec 5<&-
wrong "a descriptor that is closed" "--bind-fd: descriptor 5 is not open*" --bind-fd 5 /s
inside "a mount becomes read-only later" 2 "" "*Read-only file system" --bind source /s --remount-ro /s 'echo >/s/x'
inside "none below it does" 0 "" "" --tmpfs /t --tmpfs /t/below --remount-ro /t 'echo >/t/below/x && ! touch /t/x 2>&-'
expect "what is no mount cannot" 125 "" "*remount read-only '/usr/bin': it is no mount point*" \
    syncspawn run "${programs[@]}" --remount-ro /usr/bin -- true
beside "the host's tree is left when all of it is shown" 0 "$scratch" "" pwd

# ---- file systems -------------------------------------------------------------------------------
inside "a tmpfs" 0 "tmpfs 755 $me" "" --tmpfs /t 'echo $(stat -f -c %T /t) $(stat -c "%a %u" /t)'
inside "its mode, its size, and that both are for the next one alone" 0 "700 16 755" "" \
    --perms 0700 --size 65536 --tmpfs /t --tmpfs /u 'echo $(stat -c %a /t) $(stat -f -c %b /t) $(stat -c %a /u)'
inside "a size with a unit" 0 16 "" --size 64K --tmpfs /t 'stat -f -c %b /t'
inside "a /proc of the sandbox's processes" 0 "/proc/1 /proc/2" "" --unshare-pid --proc /proc 'echo /proc/[0-9]*'
inside "whose dangerous files are out of reach" 0 "" "" --unshare-pid --proc /proc \
    '! test -w /proc/sys/kernel/core_pattern && ! cat /proc/kcore 2>&- | grep -q .'
inside "the host's processes where they are shared" 0 "$$" "" --proc /proc "basename /proc/$$"
inside "a minimal /dev" 0 "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero 3" "" --dev /dev \
    'echo >/dev/null && touch /dev/shm/x && echo $(ls /dev) $(head -c 3 /dev/zero | wc -c)'
inside "message queues" 0 mqueue "" --unshare-ipc --mqueue /q 'stat -f -c %T /q'

# ---- files --------------------------------------------------------------------------------------
inside "directories, and those above them" 0 "755 755 1777" "" --dir /a/b --perms 1777 --dir /t \
    'echo $(stat -c %a /a /a/b /t)'
inside "a mode that gives a class nothing takes it away above, too" 0 "700 700 750 750 705 701 755" "" \
    --perms 0700 --dir /a/b --perms 0750 --tmpfs /c/d --perms 0701 --dir /e/f --dir /g/h \
    'echo $(stat -c %a /a /a/b /c /c/d /e /e/f /g)'
inside "a directory that is there keeps its mode" 0 700 "" --perms 0700 --dir /a --perms 0755 --dir /a 'stat -c %a /a'
exec 5<other 6<source/file
inside "a file with what a descriptor has, less the umask" 0 "other 644 640" "" --file 5 /d/f --perms 0640 --file 6 /g \
    'echo $(cat /d/f) $(stat -c %a /d/f /g)'
exec 5<other 6<source/file
inside "the second is written over the first" 0 text "" --file 5 /f --file 6 /f 'cat /f'
exec 5<other
inside "a writable one of the host is, too" 0 "" "" --bind source /s --file 5 /s/file true
check "as can be seen outside" test "$(cat source/file)" = other
echo text >source/file
exec 5<other 6<other
inside "data over what is there" 0 "600 644 other" "*/ro: Read-only file system" --bind-data 5 /rw \
    --perms 0644 --ro-bind-data 6 /ro 'echo more >>/rw; (echo more >>/ro); echo $(stat -c %a /rw /ro) $(cat /ro)'
exec 5<source
wrong "a descriptor that cannot be read" "--file 5 /f: read descriptor 5: Is a directory*" --file 5 /f
exec 5<&- 6<&-
inside "a link" 0 "to what" "" --symlink "to what" /l 'readlink /l'
inside "the same once more" 0 a "" --symlink a /l --symlink a /l 'readlink /l'
expect "but no other one" 125 "" "*symlink '/l': something else is there*" \
    syncspawn run --symlink a /l --symlink b /l -- true
inside "the mode of what is there" 0 "511" "" --dir /a --chmod 0511 /a 'stat -c %a /a'
expect "not of what is not" 125 "" "*chmod '/a': *no such file*" syncspawn run --dir /b --chmod 0511 /a -- true
wrong "a mode that is none" "--perms: '0799' is not a mode*" --perms 0799 --dir /a
wrong "a mode for what has none" "--symlink: --perms must be followed by an option that creates a file*" \
    --perms 0700 --symlink a /b
wrong "two modes" "--perms given twice for the same action*" --perms 0700 --perms 0755 --dir /a
wrong "a mode for nothing" "--perms must be followed by an option that creates a file*" --dir /a --perms 0700
wrong "no size" "--size takes a non-zero number of bytes*" --size 0 --tmpfs /t
wrong "a size for what has none" "--dir: --size must be followed by --tmpfs*" --size 1 --dir /t
wrong "a word that is missing" "--bind lacks its DEST*" --bind /x

# ---- overlays -----------------------------------------------------------------------------------
layers=(--overlay-src lower --overlay-src source)
if unshare --user --map-root-user --mount mount -t overlay none -o lowerdir=lower:source,userxattr work 2>/dev/null; then
    inside "layers as one, whose writes vanish" 0 "1 text 2" "" "${layers[@]}" --tmp-overlay /o \
        'echo 2 >/o/two; echo $(cat /o/one /o/file /o/two)'
    inside "or are refused" 1 "" "*Read-only file system" "${layers[@]}" --ro-overlay /o 'touch /o/two'
    inside "or stay" 0 "1 2" "" --overlay-src lower --overlay upper work /o 'echo 2 >/o/two; echo $(cat /o/one /o/two)'
    check "in the directory that was named" test "$(cat upper/two)" = 2 -a ! -e lower/two
else
    echo "no overlays in user namespaces here"
fi
wrong "an overlay without layers" "--tmp-overlay requires at least one --overlay-src*" --tmp-overlay /o
wrong "a read-only one with a single layer" "--ro-overlay requires at least two --overlay-src*" \
    --overlay-src lower --ro-overlay /o
wrong "layers for nothing" "--overlay-src must be followed by another --overlay-src or one of --overlay, *" \
    --overlay-src lower
wrong "a layer that is missing" "--tmp-overlay /o: the source 'no-such': No such file*" \
    --overlay-src no-such --tmp-overlay /o

# ---- namespaces ---------------------------------------------------------------------------------
own() { readlink "/proc/self/ns/$1"; }
for kind in user ipc pid net uts cgroup; do
    expect "--unshare-$kind makes one" 0 new "" syncspawn run --unshare-$kind -- \
        sh -c "test \"\$(readlink /proc/self/ns/$kind)\" != '$(own $kind)' && echo new"
done
expect "--unshare-all makes them all" 0 "0" "" syncspawn run --unshare-all "${host[@]}" --proc /proc -- sh -c \
    "readlink /proc/self/ns/user /proc/self/ns/ipc /proc/self/ns/pid /proc/self/ns/net /proc/self/ns/uts \
        /proc/self/ns/cgroup | grep -cxF -e '$(own user)' -e '$(own ipc)' -e '$(own pid)' -e '$(own net)' \
        -e '$(own uts)' -e '$(own cgroup)'; true"
expect "but the one that is shared" 0 "$(own net)" "" syncspawn run --unshare-all --share-net -- readlink /proc/self/ns/net
beside "those that may be left out are made where they can be" 0 "" "" --strict --unshare-user-try \
    --unshare-cgroup-try "test \"\$(readlink /proc/self/ns/user)\" != '$(own user)'"
# shellcheck disable=SC2016 # the script's own
limited=(unshare --user --map-root-user sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec syncspawn run "$@"' sh)
if "${limited[@]}" -- true 2>/dev/null; then
    expect "those that cannot be made are left out" 0 "" "" "${limited[@]}" --unshare-user-try --unshare-all -- true
    expect "unless all is wanted" 125 "" "*--strict: a user namespace: no *user.max_user_namespaces is 0*" \
        "${limited[@]}" --strict --unshare-all -- touch "$scratch/started"
    expect "or one is wanted in any case" 125 "" "*no space left on device*" "${limited[@]}" --unshare-user -- true
    expect "that they cannot be made is seen" 0 "" "" "${limited[@]}" --assert-userns-disabled -- true
fi
beside "whose loopback device is up" 0 "" "" --unshare-net \
    'LC_ALL=C bash -c "exec 3<>/dev/tcp/127.0.0.1/9" 2>&1 | grep -q "Connection refused"'
beside "the host name" 0 box "" --unshare-uts --hostname box 'uname -n'
wrong "of 64 bytes at most" "--hostname: a host name has 64 bytes at most*" --unshare-uts --hostname "$(printf '%65d' 1)"
wrong "is the host's own without a namespace" "Specifying --hostname requires --unshare-uts; add --unshare-uts" --hostname b
beside "a reaper is the first process" 0 2 "" --unshare-pid 'echo $$'
beside "or the program" 0 1 "" --unshare-pid --as-pid-1 'echo $$'
wrong "of no pid namespace" "Specifying --as-pid-1 requires --unshare-pid*" --as-pid-1

# ---- who the program is -------------------------------------------------------------------------
beside "the caller by default" 0 "$me $my_group" "" 'echo $(id -u) $(id -g)'
beside "somebody else" 0 "7 8" "" --unshare-user --uid 7 --gid 8 'echo $(id -u) $(id -g)'
beside "root" 0 "0 0" "" --map-root 'echo $(id -u) $(id -g)'
beside "by a map of its own" 0 "9 $my_group" "" --map-uid "9:$me" 'echo $(id -u) $(id -g)'
wrong "a map that is none" "--map-uid: '7' is not INSIDE:OUTSIDE*" --map-uid 7
wrong "a map of nothing" "--map-uid: '7:8:0' has a COUNT of no ids*" --map-uid 7:8:0
wrong "an id that is in no map" "--uid 8: the map has no such id inside; *" --map-uid "7:$me" --uid 8
wrong "two identities" "--uid 8: --map-root makes the program user and group 0; *" --map-root --uid 8
wrong "two maps" "--map-auto maps all ids, root among them; *" --map-auto --map-root
beside "nobody inside makes another user namespace" 1 "" "*unshare failed: No space left on device" --unshare-user \
    'unshare --user true'
beside "unless that is allowed" 0 "" "" --unshare-user --allow-userns 'unshare --user true'
beside "or the launch sees to it, and looks" 0 "" "" --unshare-user --disable-userns --assert-userns-disabled true
expect "which fails where they can be made" 125 "" "*creation of new user namespaces was not disabled as requested*" \
    syncspawn run --unshare-user --allow-userns --assert-userns-disabled -- true
if $is_root; then
    wrong "root needs a user namespace for that" "Specifying --uid requires --unshare-user or --userns*" --uid 5
    beside "ranges: root in there" 0 "0 0 allow" "" --map-uid 0:100000:65536 --map-gid 0:100000:65536 \
        'echo $(id -u) $(id -G) $(cat /proc/self/setgroups)'
    beside "ranges: another one, once all is laid out" 0 "33 34 0" "" --map-uid 0:100000:65536 \
        --map-gid 0:100000:65536 --uid 33 --gid 34 --tmpfs /tmp 'echo $(id -u) $(id -g) $(stat -c %u /tmp)'
    beside "ranges and root" 0 "0 3 0" "" --map-root --map-uid 1:100000:9 --map-gid 1:100000:9 --gid 3 --tmpfs /tmp \
        'echo $(id -u) $(id -g) $(stat -c %g /tmp)'
    beside "ranges without a root" 0 "5 6" "" --map-uid 5:100000:9 --map-gid 6:100000:9 'echo $(id -u) $(id -g)'
    for more in "" --unshare-user; do
        # shellcheck disable=SC2086 # a word or none
        expect "no supplementary group stays $more" 0 0 "" setpriv --groups 5,6 \
            syncspawn run "${host[@]}" $more -- id -G
    done
    if [[ -n $(command -v newuidmap) ]]; then
        echo root:100000:65536 >subordinate
        # shellcheck disable=SC2016 # the script's own
        automatic=(unshare --mount sh -c 'mount --bind subordinate /etc/subuid && mount --bind subordinate /etc/subgid &&
            exec syncspawn run --map-auto "$@"' sh)
        expect "all ids that there are" 0 "0 65537" "" "${automatic[@]}" -- \
            sh -c 'echo $(id -u) $(awk "{ ids += \$3 } END { print ids }" /proc/self/uid_map)'
        expect "and one of them" 0 "5 6" "" "${automatic[@]}" --uid 5 --gid 6 "${host[@]}" -- sh -c 'echo $(id -u) $(id -g)'
    fi
else
    beside "an ordinary user gets a user namespace unasked" 0 "5" "" --uid 5 'id -u'
    beside "and ends without capabilities" 0 "CapEff:0000000000000000" "" 'grep CapEff /proc/self/status | tr -d "\t"'
fi

# ---- namespaces that are there ------------------------------------------------------------------
unshare --user --map-root-user --pid --net --fork --kill-child sleep "$nap" 2>/dev/null &
started+=($!)
holder=
find_holder() { holder=$(pgrep -f "^sleep $nap\$" | head -1) && [[ -n $holder ]]; }
eventually find_holder
# shellcheck disable=SC2016 # the script's own
joining=(bash -c 'exec syncspawn run "$@" 5<"$0/user" 6<"$0/pid"' "/proc/$holder/ns")
theirs() { readlink "/proc/$holder/ns/$1"; }
expect "a user namespace is joined" 0 "$(theirs user) 0" "" "${joining[@]}" --userns 5 "${host[@]}" -- \
    sh -c 'echo $(readlink /proc/self/ns/user) $(id -u)'
expect "and with it a pid namespace" 0 "$(theirs pid) sleep" "" "${joining[@]}" --userns 5 --pidns 6 "${host[@]}" --proc /proc -- \
    sh -c 'echo $(readlink /proc/self/ns/pid) $(cat /proc/1/comm)'
expect "a network by its path, as the user namespace allows" 0 "$(theirs net)" "" "${joining[@]}" --userns 5 \
    --netns "/proc/$holder/ns/net" -- readlink /proc/self/ns/net
expect "not both, to join and to make" 125 "" "syncspawn run: --userns not compatible --unshare-user*" "${joining[@]}" --userns 5 \
    --unshare-user -- true
expect "what is no such namespace" 125 "" "syncspawn run: --userns 6: it is no user namespace; *" "${joining[@]}" --userns 6 -- true
wrong "no such network" "--netns /no/such: No such file or directory; *" --netns /no/such
if $is_root; then
    expect "root joins one from outside a user namespace that it makes" 0 "$(theirs net) $(own net)" "" bash -c \
        "syncspawn run --unshare-user --netns /proc/$holder/ns/net -- readlink /proc/self/ns/net | tr '\n' ' ' && \
            readlink /proc/self/ns/net"
fi
kill -KILL "$holder"

# ---- network, clocks, cgroup --------------------------------------------------------------------
if [[ -e /proc/self/ns/time ]]; then
    day=$((24 * 60 * 60))
    expect "a clock of its own" 0 "" "" syncspawn run --timens-offset boottime=$((1000 * day)) --timens-offset \
        monotonic=-1 -- sh -c "read -r up rest </proc/uptime; test \"\${up%.*}\" -gt $((999 * day))"
fi
wrong "no such clock" "--timens-offset: 'real=1' is not monotonic=SECONDS or boottime=SECONDS*" --timens-offset real=1
wrong "no such limit" "--cgroup: there is no limit 'memry'; there are memory, *" --cgroup=memry=1
wrong "a limit that is none" "--cgroup: '-1' is not a number of CPUs*" --cgroup=cpus=-1
if syncspawn run --cgroup -- true 2>/dev/null; then
    expect "a cgroup of its own" 0 "" "" syncspawn run --cgroup -- grep -q syncspawn-launch- /proc/self/cgroup
    expect "which is the root of what it sees" 0 "0::/" "" syncspawn run --cgroup --unshare-cgroup -- \
        grep 0:: /proc/self/cgroup
fi

# ---- where it starts ----------------------------------------------------------------------------
where='echo "$PWD $(pwd) $(env | grep -c ^PWD=)"'
beside "where the caller is" 0 "$scratch $scratch 1" "" "$where"
inside "else at home" 0 "/usr /usr 1" "" --setenv HOME /usr "$where"
inside "else in the root" 0 "/ / 1" "" --setenv HOME /no/such "$where"
inside "or where it was said" 0 "/usr /usr 1" "" --chdir /usr "$where"
expect "PWD is what a cleared environment has" 0 "PWD=$scratch" "" \
    syncspawn run "${host[@]}" --clearenv -- /usr/bin/env

# ---- how it ends --------------------------------------------------------------------------------
# It says when it runs, for it is to die at any later time.
sleeper="echo >'$scratch/runs'; exec sleep ${nap}1"
is_running() { pgrep -f "^sleep ${nap}1\$" >/dev/null; }
is_over() { ! is_running; }
# Nobody may have waited for it yet.
is_dead() { ! grep -qs '^State:.[^ZX]' "/proc/$1/status"; }
launch() { # OPTION...
    rm -f runs
    bash -c 'syncspawn run "$@" & echo $! >command; wait' bash "$@" -- sh -c "$sleeper" 2>/dev/null &
    caller=$!
    started+=("$caller")
    eventually test -e runs && eventually is_running
}
launch --bind / /
kill -KILL "$(cat command)"
check "it ends with the command" eventually is_over
launch --bind / / --no-die-with-parent
kill -KILL "$(cat command)"
check "unless told otherwise" is_running
kill -KILL "$(pgrep -f "^sleep ${nap}1\$")"
launch --die-with-parent
kill -KILL "$caller"
check "with the command's parent if that was asked for" eventually is_over
check "and so does the command" eventually is_dead "$(cat command)"
check "nothing was started by a wrong command line" test ! -e started

if $is_root && [[ -n $(command -v setpriv) ]]; then
    echo "-- as an ordinary user"
    chmod 755 "$scratch"
    cp "$syncspawn" "$tests/by_hand_test.sh" "$tests/expect.sh" .
    check "the same as an ordinary user" \
        setpriv --reuid=65534 --regid=65534 --clear-groups bash ./by_hand_test.sh "$scratch/syncspawn"
fi
finish
