#!/usr/bin/env bash
# syncspawn run: exit codes, messages, environment, readiness.
source "$(dirname "$0")/expect.sh"
cd "$scratch" || exit 1

expect "the program's output and code pass through" 7 hello "" syncspawn run -- sh -c 'echo hello; exit 7'
expect "a signal is 128+n to a shell" 137 "" "" syncspawn run -- sh -c 'kill -KILL $$'
expect "a missing program is 127 and says so" 127 "" \
    "syncspawn: execve '/nonexistent' in the child: no such file or directory" syncspawn run -- /nonexistent
expect "a program in no directory of PATH is 127" 127 "" \
    "syncspawn: execve 'no-such-program' in the child: no such file or directory (it is in no directory of PATH)" \
    syncspawn run --setenv PATH /usr/bin:/bin no-such-program
printf '#!/no/such/interpreter\n' >script && chmod +x script
expect "a missing interpreter is named" 127 "" \
    "* (its interpreter '/no/such/interpreter', named in its first line, does not exist)" syncspawn run ./script
printf 'true\n' >no-format && chmod +x no-format
expect "an unknown format is 126" 126 "" "*exec format error (neither a known binary format*" syncspawn run ./no-format
expect "a directory is 126" 126 "" "*permission denied (it is a directory)" syncspawn run /tmp
touch plain
expect "a file without execute permission is 126" 126 "" "* (it has no execute permission for this user)" \
    syncspawn run ./plain
for code in 125 126 127; do
    expect "a program's own $code is passed on, and nothing is said" "$code" "" "" syncspawn run -- sh -c "exit $code"
done
expect "a directory that is not there is 125" 125 "" \
    "syncspawn: chdir to '/no/such' in the child: no such file or directory" syncspawn run --chdir /no/such -- true
expect "--chdir is entered" 0 / "" syncspawn run --chdir / -- pwd
expect "environment options apply in order" 0 "x-" "" \
    syncspawn run --setenv A 1 --setenv B 2 --clearenv --setenv A x --setenv B y --unsetenv B -- /bin/sh -c 'echo "$A-${B-}"'
expect "--setenv needs no separator behind it" 0 "1" "" syncspawn run --setenv A 1 sh -c 'echo "$A"'
expect "nor does the last of two" 0 "1 2" "" syncspawn run --setenv A 1 --setenv B 2 sh -c 'echo "$A $B"'
expect "a value in brackets is no list" 0 "[x] [1,2] []" "" \
    syncspawn run --setenv A '[x]' --setenv B '[1,2]' --setenv C '[]' sh -c 'echo "$A $B $C"'
expect "a value may be empty, or look like an option" 0 "<> <--timeline>" "" \
    syncspawn run --setenv A '' --setenv B --timeline sh -c 'echo "<${A-unset}> <$B>"'
for words in "A" "A -- true"; do
    # shellcheck disable=SC2086
    expect "a variable without a value is 125: $words" 125 "" \
        "syncspawn run: --setenv lacks its VALUE (see syncspawn run --help)" syncspawn run --setenv $words
done
expect "and so is one without a name" 125 "" "syncspawn run: --setenv lacks its NAME VALUE *" syncspawn run --setenv -- true
expect "-- is no value, unless it is joined to the option" 125 "" "*--chdir lacks its DIR *" \
    syncspawn run --chdir -- true
expect "then it is one" 125 "" "syncspawn: chdir to '--' *" syncspawn run --chdir=-- true
expect "a variable and its value may be one word" 0 "1=2 <> 3 4" "" \
    syncspawn run --setenv A=1=2 --setenv B= --setenv=C=3 --setenv D 4 sh -c 'echo "$A <$B> $C $D"'
expect "an argument in brackets is no list" 0 "[a,b] []" "" syncspawn run echo '[a,b]' '[]'
expect "a flag takes no value" 125 "" "syncspawn run: --clearenv takes no value (see syncspawn run --help)" \
    syncspawn run --clearenv=3 -- true
expect "nor a false one" 125 "" "*map-root*" syncspawn run --map-root=false -- true
expect "PATH is the program's, not the caller's" 127 "" "*" syncspawn run --setenv PATH /no/such -- true
expect "options behind the program are its own" 0 "--timeline -- x" "" syncspawn run echo --timeline -- x
expect "an unknown option is 125 and named" 125 "" \
    "syncspawn run: unknown option '--bogus' (see syncspawn run --help)" syncspawn run --bogus -- true
expect "a slip is put right" 125 "" "syncspawn run: unknown option '--timelien'; did you mean '--timeline'?" \
    syncspawn run --timelien -- true
expect "an abbreviation is no option, for it may soon begin another one too" 125 "" \
    "syncspawn run: unknown option '--setup'; did you mean '--setup-timeout'?" syncspawn run --setup 2s true
expect "whatever else is wrong" 125 "" "syncspawn run: unknown option '-x' (see syncspawn run --help)" \
    syncspawn run --timeline --setenv A=B -x
expect "also without a command" 125 "" "syncspawn: unknown option '-x' (see syncspawn --help)" syncspawn -x
expect "one of a command before the command is told where it belongs" 125 "" \
    "syncspawn: the option '--chdir' belongs behind run; say: syncspawn run --chdir ..." syncspawn --chdir / run true
expect "or of two" 125 "" "syncspawn: the option '--timeout' belongs behind run or barrier; say: *" \
    syncspawn --timeout 1s run true
expect "also with a value" 125 "" "syncspawn run: unknown option '--bogus' (see syncspawn run --help)" \
    syncspawn run --bogus=3 -- true
expect "also of the other command" 125 "" "syncspawn barrier: unknown option '-x' (see syncspawn barrier --help)" \
    syncspawn barrier --timeout 1s -x
expect "no command is 125 and the commands are listed" 125 "" "syncspawn: a command is required: run, barrier, doctor or help *" syncspawn
for behind in "-- true" "true" "--timeline -- true"; do
    # shellcheck disable=SC2086
    expect "a limit of readiness that stands apart is told from a program: 2s $behind" 125 "" \
        "*say --wait-ready=2s; a program of that name is ./2s (see syncspawn run --help)" \
        syncspawn run --wait-ready 2s $behind
done
printf '#!/bin/sh\necho I am 2s\nexec syncspawn barrier place-and-sync\n' >2s && chmod +x 2s
expect "a program of such a name can be run" 0 "I am 2s" "" syncspawn run --wait-ready ./2s
expect "and without the option by its name" 0 "I am 2s" "*not set*" \
    env PATH=".:$PATH" syncspawn run sh -c 'syncspawn run 2s; true'
expect "an unknown command is 125, named, and the known are listed" 125 "" \
    "syncspawn: unknown command 'start'; there are run, barrier, doctor and help" syncspawn start true
expect "or the one that was meant" 125 "" "syncspawn: unknown command 'barier'; did you mean 'barrier'?" \
    syncspawn barier place
expect "no program is 125" 125 "" "*PROGRAM is required*" syncspawn run
expect "an empty program is 125" 125 "" "*PROGRAM is required*" syncspawn run -- ""
expect "a bad duration is 125" 125 "" "*'soon' is not a duration*" syncspawn run --setup-timeout soon -- true
expect "a negative duration is 125" 125 "" "*'-1s' is not a duration*" syncspawn run --setup-timeout=-1s -- true
refuse_duration() { # DURATION WHAT_IT_IS
    expect "${1:0:20} is refused" 125 "" "syncspawn run: --setup-timeout: '$1' is $2" syncspawn run --setup-timeout "$1" -- true
    expect "for readiness too: ${1:0:20}" 125 "" "syncspawn run: --wait-ready: '$1' is $2" syncspawn run --wait-ready="$1" -- true
}
for duration in 9223372037 99999999999999999s 153722868m; do
    refuse_duration "$duration" "too long: less than 9000000000 seconds *"
done
for duration in 1e9 nan inf "1$(printf '0%.0s' {1..400})"; do
    refuse_duration "$duration" "not a duration: say *"
done
expect "the longest duration is as good as none" 0 "" "" syncspawn run --setup-timeout 8999999999 -- true
expect "a bad variable name is 125" 125 "" "*must not be empty or contain*" syncspawn run --setenv =B c -- true
for name in "" "B=c"; do
    expect "nor is there a variable '$name' to remove" 125 "" \
        "syncspawn run: --unsetenv: a name must not be empty or contain '=' *" syncspawn run --unsetenv "$name" true
done
expect "an empty directory is refused" 125 "" "*--chdir: must not be empty*" syncspawn run --chdir "" -- true
expect "an empty limit is refused" 125 "" "*--wait-ready= lacks its DURATION*" syncspawn run --wait-ready= -- true
expect "but may be an argument of the program" 0 "--wait-ready=" "" syncspawn run echo --wait-ready=
expect "a limit beyond the range is refused" 125 "" "*is too long: less than 9000000000 seconds*" \
    syncspawn run --setup-timeout 9000000000 -- true
expect "help that cannot be written is a failure" 125 "" "syncspawn: cannot write to standard output" \
    bash -c 'syncspawn run --help >/dev/full'
expect "of all other descriptors the program gets what any command would" 0 hello "" \
    bash -c 'syncspawn run -- cat <(echo hello)'

expect "a script reports ready" 3 "ready" "" \
    syncspawn run --wait-ready=30s -- sh -c 'syncspawn barrier place-and-sync && echo ready; exit 3'
expect "a program that is never ready" 124 "" \
    "syncspawn: the program was not ready within 200 ms; the program itself never attached to its barrier" \
    syncspawn run --wait-ready=200ms -- sh -c 'sleep '"$nap"'21 & sleep '"$nap"'21'
check "and nothing of it is left" test -z "$(pgrep -f 'sleep '"$nap"'21')"
expect "a program that ends before it is ready" 125 "" \
    "syncspawn: the program exited with code 4 before it was ready" syncspawn run --wait-ready -- sh -c 'exit 4'
expect "a program that is killed before it is ready" 125 "" \
    "syncspawn: the program was killed by SIGKILL before it was ready" syncspawn run --wait-ready -- sh -c 'kill -9 $$'
expect "a program that aborts before it is ready" 125 "" \
    "syncspawn: the program aborted the barrier before it was ready" \
    syncspawn run --wait-ready -- sh -c 'syncspawn barrier abort; sleep '"$nap"'22'
check "and nothing of that is left" test -z "$(pgrep -f 'sleep '"$nap"'22')"
expect "a daemonised descendant of a failed launch is ended too" 124 "" "*" \
    syncspawn run --wait-ready=300ms -- sh -c 'setsid sh -c "setsid sleep '"$nap"'23 &"; sleep '"$nap"'23'
check "and nothing of that either" test -z "$(pgrep -f 'sleep '"$nap"'23')"

# The first process of a namespace becomes the launcher's child when its parent has ended.
find_nested
if ((${#nested[@]})); then
    printf '#!/bin/sh\nsetsid %s sh -c "touch left; sleep '"$nap"'24" &\nsetsid sleep '"$nap"'24 &\n%s\nexit 4\n' \
        "${nested[*]}" 'until test -e left; do sleep 0.01; done' >leaver
    chmod +x leaver
    ended="syncspawn: the program exited with code 4 before it was ready"
    expect "a process left behind in a pid namespace is ended too" 125 "" "$ended" \
        syncspawn run --wait-ready -- ./leaver
    check "and nothing of it is left" test -z "$(pgrep -f 'sleep '"$nap"'24')"
    rm left
    expect "with the /proc of an outer pid namespace all are ended too" 0 "125" "$ended" \
        "${nested[@]}" sh -c 'syncspawn run --wait-ready -- ./leaver; echo $?; pgrep -f "sleep [6]'"${nap#6}"'24"; true'
    if is_sanitized; then
        echo "SKIP-REASON: a sanitizer needs /proc itself"
    else
        expect "without /proc a program that never ran is not said to have left anything" 127 "" \
            "syncspawn: execve '/nonexistent' in the child: no such file or directory" \
            "${nested[@]}" --mount --propagation unchanged \
            sh -c 'mount --make-private /proc && mount -t tmpfs none /proc && exec syncspawn run -- /nonexistent'
    fi
    expect "there, too, the code passes through" 7 "" "" "${nested[@]}" syncspawn run -- sh -c 'exit 7'
    ! $user_namespaces || expect "an id map is not written for another process there" 125 "" \
        "*/proc is not there or of another pid namespace: no such file or directory" \
        "${nested[@]}" syncspawn run --map-root -- true
fi

expect "control bytes of a name are escaped" 127 "" \
    "syncspawn: execve '/no\\\\x0asuch\\\\x1b\\[31m\\\\x7f' in the child: no such file or directory" \
    syncspawn run -- $'/no\nsuch\e[31m\x7f'
expect "in the timeline too" 127 "" "*| execve '/no\\\\x0asuch\\\\x1b\\[31m'*" \
    syncspawn run --timeline -- $'/no\nsuch\e[31m'
for closed in 0 1 2; do
    expect "standard stream $closed stays closed in the program, where the caller has closed it" 0 "" "" \
        bash -c "syncspawn run test ! -e /proc/self/fd/$closed $closed>&-"
done
expect "a SIGCHLD that the caller ignores does not take the status away" 7 "" "" \
    env --ignore-signal=CHLD syncspawn run -- sh -c "exit 7"
expect "nor that of a launch that fails" 125 "" "syncspawn: the program exited with code 4 before it was ready" \
    env --ignore-signal=CHLD syncspawn run --wait-ready -- sh -c "exit 4"

guarded syncspawn run --wait-ready --timeline -- sh -c 'syncspawn barrier place-and-sync' 2>timeline
check "the timeline shows the child's execve" grep -q "| execve 'sh'$" timeline
check "the timeline ends with readiness" grep -q 'the program is ready *|$' timeline
for of in "" run barrier help; do
    # shellcheck disable=SC2086
    expect "help explains: syncspawn $of" 0 "$(syncspawn $of --help)" "" syncspawn help $of
    # shellcheck disable=SC2086
    check "within 80 columns: syncspawn $of" test -z "$(syncspawn help $of | grep -E '.{81}')"
done
expect "a separator before the command makes no difference to help" 0 "$(syncspawn run --help)" "" syncspawn help -- run
expect "nor to the program itself" 7 "" "" syncspawn -- run sh -c "exit 7"
expect "help does not know everything" 125 "" "syncspawn help: unknown command 'start'; *" syncspawn help start
expect "--help says how to use it" 0 "$(syncspawn run --help)" "" syncspawn run -h
check "--help begins with the usage" grep -q '^Usage: syncspawn run ' <(syncspawn run --help)
for option in --version -V; do
    check "$option" grep -qE '^syncspawn [0-9]+\.[0-9]+\.[0-9]+$' <(syncspawn "$option")
done

# Without -f strace(1) touches the launcher alone.
if strace -o /dev/null -e trace=waitid true 2>/dev/null; then
    expect "a status that cannot be had is 125 and says so" 125 "" \
        "syncspawn: the program has ended, but waitid(2) does not tell how" \
        env "ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0" \
        strace -o /dev/null -e trace=waitid -e inject=waitid:error=ECHILD syncspawn run -- sh -c 'exit 7'
else
    echo "SKIP-REASON: this machine has no strace(1) that may trace"
fi

if ! $user_namespaces; then
    expect "without user namespaces --map-root says why" 125 "" "syncspawn: start*(*)" syncspawn run --map-root -- true
    echo "SKIP-REASON: this machine forbids user namespaces"
    finish
fi
expect "--map-root makes the caller root" 0 0 "" syncspawn run --map-root -- id -u
expect "--map-root maps the group too" 0 0 "" syncspawn run --map-root -- id -g
guarded syncspawn run --map-root --timeline -- true 2>timeline
check "the timeline shows the parent's step" grep -q '^ .* id maps: done  *|$' timeline
if ((EUID == 0)) && setpriv --bounding-set=-setgid true 2>/dev/null; then
    expect "root without CAP_SETGID maps its group, without setgroups(2)" 0 "0 deny" "" \
        setpriv --bounding-set=-setgid syncspawn run --map-root -- sh -c 'echo "$(id -g) $(cat /proc/self/setgroups)"'
    expect "root with it keeps setgroups(2)" 0 "0 allow" "" \
        syncspawn run --map-root -- sh -c 'echo "$(id -g) $(cat /proc/self/setgroups)"'
    expect "root without CAP_SETFCAP is told that" 125 "" "*/uid_map: operation not permitted (root without CAP_SETFCAP may not map itself*" \
        setpriv --bounding-set=-setfcap syncspawn run --map-root -- true
else
    echo "SKIP-REASON: only root has capabilities to do without"
fi
cp "$syncspawn" unreadable
chmod 0711 . unreadable
# setpriv(1) itself may read all until it executes something: env(1).
nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups env)
if ((EUID == 0)) && "${nobody[@]}" ./unreadable --version >/dev/null 2>&1; then
    expect "an executable that may not be read is told" 125 "" "*/uid_map: permission denied (this process is not dumpable*" \
        "${nobody[@]}" ./unreadable run --map-root -- true
else
    echo "SKIP-REASON: only root can make what another user executes but does not read"
fi
finish
