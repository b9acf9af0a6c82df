#!/usr/bin/env bash
# syncspawn run: limits, identity, capabilities, Landlock and filters of system calls. Root also runs it as an
# ordinary user.
source "$(dirname "$0")/expect.sh"
tests=$(cd "$(dirname "$0")" && pwd)
cd "$scratch" || exit 1
is_root=false
((EUID != 0)) || is_root=true

# status FIELD...: a program that prints these fields of its own /proc/self/status, without blanks.
status() {
    local IFS='|'
    printf 'grep -E "^(%s):" /proc/self/status | tr -d "\\t "' "$*"
}
# shell NAME CODE OUTPUT ERROR OPTION... SCRIPT: what expect() expects of `sh -c SCRIPT`.
shell() { expect "${@:1:4}" syncspawn run "${@:5:$#-5}" -- sh -c "${@: -1}"; }

# ---- limits -------------------------------------------------------------------------------------
shell "one number is both limits" 0 $'64\n64' "" --rlimit nofile=64 'ulimit -Sn; ulimit -Hn'
shell "two are the soft and the hard one" 0 $'60\n64' "" --rlimit nofile=60:64 'ulimit -Sn; ulimit -Hn'
shell "the hard one stays where only the soft one is given" 0 "60 $(ulimit -Hn)" "" \
    --rlimit nofile=60: 'echo $(ulimit -Sn) $(ulimit -Hn)'
shell "of a limit that is given twice the last one holds" 0 $'50\n7' "" \
    --rlimit nofile=60 --rlimit cpu=7 --rlimit nofile=50 'ulimit -n; ulimit -t'
shell "bytes have units" 0 2097152 "" --rlimit as=2G: 'ulimit -Sv'
shell "no core" 0 0 "" --rlimit=core=0 'ulimit -c'
shell "unlimited" 0 unlimited "" --rlimit fsize=unlimited: 'ulimit -f'
shell "the umask" 0 0027 "" --umask 27 'umask'
shell "the nice value" 0 "$(($(nice) + 3))" "" --nice $(($(nice) + 3)) nice
shell "the last nice value wins" 0 19 "" --nice 18 --nice 19 nice
cpu=$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')
shell "the CPUs" 0 "$cpu" "" --affinity "$cpu" 'taskset -cp $$ | sed "s/.*: //"'
shell "the policy" 0 SCHED_BATCH "" --scheduling batch 'chrt -p $$ | sed -n "s/.*policy: //p"'
shell "the oom score, once the program runs" 0 "" "" \
    --oom-score-adj 901 'until test "$(cat /proc/self/oom_score_adj)" = 901; do sleep 0.01; done'
shell "limits alone make no sandbox" 0 "NoNewPrivs:$(sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" "" \
    --rlimit core=0 --nice 19 "$(status NoNewPrivs)"

wrong() {  # NAME ERROR OPTION...
    expect "$1" 125 "" "syncspawn run: $2" syncspawn run "${@:3}" -- touch started
}
wrong "a slip in a limit's name" "--rlimit: there is no limit 'nofil'; did you mean 'nofile'?" --rlimit nofil=3
wrong "a limit without a value" "--rlimit: 'nofile' has no value; say nofile=256, or nofile=256:1024" --rlimit nofile
wrong "a limit that is no number" "--rlimit: 'x' is not a whole number*" --rlimit nofile=x
wrong "limits the wrong way round" "--rlimit: in 'nofile=5:3' the soft limit is above the hard one*" --rlimit nofile=5:3
wrong "a nice value out of range" "--nice: '20' is not a whole number from -20 to 19*" --nice 20
wrong "a range of CPUs the wrong way round" "--affinity: '3-1' ends before it begins*" --affinity 3-1
wrong "a CPU that is no number" "--affinity: '' is not a whole number*" --affinity 0,
wrong "no such kind of scheduling" "--scheduling: 'rr' is no kind; there are usual, batch and idle" --scheduling rr
wrong "a umask with more than permissions" "--umask: '1777' is more than 0777*" --umask 1777
for words in "--landlock-scope all" "--seccomp-policy default"; do
    # shellcheck disable=SC2086
    wrong "new privileges, and $words" "--new-privileges does not go with filters*; leave it out, or *" --new-privileges $words
done
check "nothing was started" test ! -e started

# ---- identity and privileges --------------------------------------------------------------------
wrong "no such user" "--user: there is no user 'no-such-user'*" --user no-such-user
wrong "no such group" "--group: there is no group 'no-such-group'*" --group no-such-group
wrong "a user without a group" "--user 4711 is a number, which has no group of its own; *" --user 4711
if $is_root; then
    shell "a user by name, in its groups" 0 "$(id -u nobody) $(id -g nobody) $(id -G nobody)" "" \
        --user nobody 'echo $(id -u) $(id -g) $(id -G)'
    mkdir planted && printf '#!/bin/sh\ntouch %s/was-run\n' "$PWD" >planted/getent && chmod 755 planted/getent
    expect "the same, and no program of the caller's PATH is asked" 0 "$(id -G nobody)" "" \
        env PATH="$PWD/planted" "$syncspawn" run --user nobody -- "$(type -P id)" -G
    check "which was not run" test ! -e was-run
    shell "a user by number" 0 "4711 4712 4712" "" \
        --user 4711 --group 4712 'echo $(id -u) $(id -g) $(id -G)'
    shell "the groups, by name and number" 0 "4711 4712 4712 0 4713" "" \
        --user 4711 --group 4712 --groups root,4713 'echo $(id -u) $(id -g) $(id -G)'
    shell "no groups" 0 "0 0" "" --groups none 'echo $(id -u) $(id -G)'
    shell "a user alone loses root's capabilities, and is in no sandbox" 0 "CapEff:0000000000000000" "" \
        --user nobody "$(status CapEff)"
    shell "a user may keep a capability" 0 $'CapPrm:0000000000000080\nCapBnd:0000000000000080\nNoNewPrivs:1' "" \
        --user nobody --cap-add setuid "$(status CapPrm CapBnd NoNewPrivs)"
    shell "root keeps those that are added, in order" 0 $'CapEff:00000000000000c0\nCapAmb:00000000000000c0' "" \
        --cap-add ALL --cap-drop ALL --cap-add CAP_SETUID --cap-add setgid --cap-add cap_kill --cap-drop KILL \
        "$(status CapEff CapAmb)"
    shell "all" 0 "$(grep '^CapPrm' /proc/self/status | tr -d '\t ')" "" --cap-add ALL "$(status CapPrm)"
else
    expect "who may not change says so" 125 "" "syncspawn: identity in the child: *" syncspawn run --user root -- true
    expect "a capability that nobody has here" 125 "" "syncspawn: capabilities in the child: *cap_kill*" \
        syncspawn run --cap-add kill -- true
fi
shell "a sandbox has no capabilities" 0 $'CapPrm:0000000000000000\nCapEff:0000000000000000\nNoNewPrivs:1' "" \
    --cap-drop ALL "$(status CapPrm CapEff NoNewPrivs)"
shell "no_new_privs can be asked for alone" 0 "NoNewPrivs:1" "" --no-new-privs "$(status NoNewPrivs)"
shell "by both names" 0 "NoNewPrivs:1" "" --no-new-privileges "$(status NoNewPrivs)"
shell "the last one wins" 0 "NoNewPrivs:0" "" --no-new-privs --new-privileges "$(status NoNewPrivs)"
wrong "a slip in a capability's name" "there is no capability 'net_admn'; did you mean 'cap_net_admin'?" --cap-add net_admn
wrong "an empty name" "--cap-add: must not be empty*" --cap-add ''

# A keyring has a number; who has none sees 0 there.
keyring='import ctypes, sys; print(ctypes.CDLL(None).syscall(250, 0, -3, 0))'
if [[ $(uname -m) == x86_64 ]] && mine=$(python3 -c "$keyring") && ((mine > 0)); then
    check "a keyring of its own" test "$(syncspawn run --keyring -- python3 -c "$keyring")" != "$mine"
    check "the caller's" test "$(syncspawn run --cap-drop ALL --no-keyring -- python3 -c "$keyring")" = "$mine"
fi

# ---- Landlock -----------------------------------------------------------------------------------
syncspawn run --landlock-exec / -- true 2>error
if grep -q "^syncspawn: .*andlock" error; then
    echo "not tested, as this kernel has no Landlock: $(cat error)"
else
    mkdir open closed
    echo text >closed/text
    cp "$(type -P true)" open/program
    all=(--landlock-exec /usr --landlock-exec /bin --landlock-read /etc --landlock-read /proc)
    [[ ! -e /lib ]] || all+=(--landlock-exec /lib)
    [[ ! -e /lib64 ]] || all+=(--landlock-exec /lib64)
    expect "what is not named cannot be opened" 1 "" "*losed/text*Permission denied*" \
        syncspawn run "${all[@]}" --landlock-write open -- cat closed/text
    shell "what can be written can be made, read and removed" 0 x "" \
        "${all[@]}" --landlock-write "$scratch/open" 'echo x >open/x && cat open/x && rm open/x'
    shell "and not executed" 126 "" "*Permission denied*" \
        "${all[@]}" --landlock-write open 'open/program'
    shell "unless that is said" 0 "" "" \
        "${all[@]}" --landlock-write open --landlock-exec open/program 'open/program'
    shell "what can be read cannot be written" 0 text "*ermission denied*" \
        "${all[@]}" --landlock-read closed '! echo y >closed/text; cat closed/text'
    shell "/dev/null always can be" 0 "" "" "${all[@]}" 'echo y >/dev/null'
    shell "it is a sandbox" 0 $'CapEff:0000000000000000\nNoNewPrivs:1' "" \
        "${all[@]}" "$(status CapEff NoNewPrivs)"
    expect "a path that is not there" 125 "" "syncspawn run: --landlock-read: '/no/such': No such file or directory; *" syncspawn run --landlock-read /no/such true
    wrong "no such scope" "--landlock-scope: 'x' is no scope; there are abstract-sockets, signals and all" --landlock-scope x
    wrong "no such port" "--landlock-bind: '65536' is not a whole number from 0 to 65535*" --landlock-bind 65536
    if syncspawn run --landlock-connect none -- true 2>error; then
        connect='import socket, sys
s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen()
c = socket.socket()
try: c.connect(s.getsockname()); print("connected")
except PermissionError: print("refused")'
        expect "no port can be connected to" 0 refused "" syncspawn run --landlock-connect none -- python3 -c "$connect"
        expect "nor can one that is not named" 0 refused "" syncspawn run --landlock-connect 1 -- python3 -c "$connect"
        expect "nor listened on" 1 "" "*PermissionError*" syncspawn run --landlock-bind 1 -- python3 -c "$connect"
        expect "the port that the kernel chooses is 0" 0 connected "" syncspawn run --landlock-bind 0 -- python3 -c "$connect"
    else
        echo "not tested: $(cat error)"
    fi
    if syncspawn run --landlock-scope all -- true 2>error; then
        shell "signals end at the border" 1 "" "*ermitted*" --landlock-scope signals "kill -0 $$"
    else
        echo "not tested: $(cat error)"
    fi
fi

# ---- system calls -------------------------------------------------------------------------------
# Two filters of cBPF: that number of uname(2) on this processor gives EPERM, or 0x1234.
filter() {  # ERRNO
    python3 - "$1" <<'PYTHON'
import os, struct, sys
number = {"x86_64": 63, "aarch64": 160}[os.uname().machine]
code = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | int(sys.argv[1])), (0x06, 0, 0, 0x7fff0000)]
sys.stdout.buffer.write(b"".join(struct.pack("HBBI", *each) for each in code))
PYTHON
}
filter 1 >eperm
filter 22 >einval
errno='import ctypes; libc = ctypes.CDLL(None, use_errno=True)
print(ctypes.get_errno() if libc.uname(ctypes.create_string_buffer(1024)) else 0)'
export errno
uname_with=(bash -c 'exec syncspawn run "$@" -- python3 -Sc "$errno" 8<eperm 9<einval' _)
expect "a filter" 0 1 "" "${uname_with[@]}" --seccomp 8
expect "of several the last one" 0 22 "" "${uname_with[@]}" --seccomp 8 --seccomp 9
expect "or all: the last one that refuses is asked first" 0 22 "" "${uname_with[@]}" --add-seccomp-fd 8 --add-seccomp-fd 9
expect "not both" 125 "" "syncspawn run: --seccomp: cannot be combined with --add-seccomp-fd*" \
    "${uname_with[@]}" --add-seccomp-fd 8 --seccomp 9
expect "nor the other way round" 125 "" "syncspawn run: --add-seccomp-fd: cannot be combined with --seccomp*" \
    "${uname_with[@]}" --seccomp 8 --add-seccomp-fd 9
shell "a filter comes with the defaults of a sandbox" 0 $'NoNewPrivs:1\nSeccomp:2' "" \
    --seccomp-policy default "$(status NoNewPrivs Seccomp)"
wrong "a descriptor that is closed" "--seccomp: descriptor 7 is not open*" --seccomp 7
expect "what is no filter" 125 "" "syncspawn run: --seccomp 9: 5 bytes are no filter, which has a multiple of 8: *" \
    bash -c 'exec syncspawn run --seccomp 9 -- touch started 9<<<1234'
expect "nor is nothing" 125 "" "syncspawn run: --seccomp 0: *" syncspawn run --seccomp 0 -- touch started
expect "what cannot be read" 125 "" "syncspawn run: --seccomp 9 cannot be read: Is a directory*" \
    bash -c 'exec syncspawn run --seccomp 9 -- touch started 9<.'

shell "the default set" 0 "" "*ermitted*" --seccomp-policy default '! unshare --user true'
printf '%s\n' '# a comment' '' 'allow mkdir # the first that names it decides' 'EPERM mkdir mkdirat uname' >rules
expect "rules" 0 1 "" "${uname_with[@]}" --seccomp-policy rules
printf '%s\n' 'otherwise allow' '38 uname' 'include default' >rules
expect "an errno by number, and the default set below" 0 38 "" "${uname_with[@]}" --seccomp-policy rules
shell "the default set below" 0 "" "*ermitted*" --seccomp-policy rules '! unshare --user true'
echo 'kill uname' >rules
expect "kill" 159 "" "" syncspawn run --seccomp-policy rules -- uname
bad_rule() {  # NAME ERROR RULE
    printf '\n%s\n' "$3" >rules
    wrong "$1" "$2" --seccomp-policy rules
}
bad_rule "no such action" "rules:2: 'kil' is no action; there are allow, kill, trap, log, and an errno*" 'kil uname'
bad_rule "no such call" "--seccomp-policy rules: *'unam'*uname*" 'kill unam'
bad_rule "an action without calls" "rules:2: 'kill' is not followed by what it takes; say ACTION CALL...*" kill
bad_rule "two answers otherwise" "rules:2: 'otherwise' is not followed by what it takes; *" 'otherwise allow kill'
wrong "no such file" "'no-such' cannot be read: No such file or directory*" --seccomp-policy no-such
check "nothing was started" test ! -e started

if $is_root && [[ -n $(command -v setpriv) ]]; then
    echo "-- as an ordinary user"
    chmod 755 "$scratch"
    cp "$syncspawn" "$tests/restrictions_test.sh" "$tests/expect.sh" .
    check "the same as an ordinary user" \
        setpriv --reuid=65534 --regid=65534 --clear-groups bash ./restrictions_test.sh "$scratch/syncspawn"
fi
finish
