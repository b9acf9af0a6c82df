#!/usr/bin/env bash
# syncspawn run and signals: passed on, counted once, and nothing is left behind.
source "$(dirname "$0")/expect.sh"
cd "$scratch" || exit 1

# Starts a launch in the background, in a session of its own, and waits until its program runs and, unless
# it awaits readiness, until the launch is over: before that a signal cancels it. A shell
# that is not interactive lets its background jobs ignore INT and QUIT: that is taken back.
signals=--default-signal=INT,QUIT
launch() {
    rm -f running
    setsid env "$signals" syncspawn run --timeline "$@" >out 2>err </dev/null &
    launcher=$!
    started+=("$launcher")
    eventually test -s running || { echo "FAILED: did not start: $*"; cat err; failures=$((failures + 1)); }
    [[ $1 == --wait-ready ]] || eventually grep -q 'sees the program run' err
}

launch -- sh -c 'trap "echo got TERM; exit 5" TERM; echo $$ >running; while :; do sleep 0.05; done'
kill -TERM "$launcher"
wait "$launcher"
check "TERM is passed on, and the program decides" test "$?" = 5
check "it got it" grep -qx 'got TERM' out

launch -- sh -c 'trap "echo got USR1" USR1; echo $$ >running; while ! test -e stop; do sleep 0.05; done'
kill -USR1 "$launcher"
check "USR1 is passed on" eventually grep -q 'got USR1' out
touch stop
wait "$launcher"
check "and the launch goes on to its end" test "$?" = 0

launch -- sh -c 'echo $$ >running; exec sleep '"$nap"'31'
program=$(cat running)
kill -INT "$launcher"
wait "$launcher"
check "a program killed by INT gives 130 to a shell" test "$?" = 130
check "and is gone" is_gone "$program"

launch -- sh -c 'setsid sleep '"$nap"'32 & echo $$ >running; exec sleep '"$nap"'32'
kill -TERM "$launcher"
wait "$launcher"
check "a launch ended by TERM gives 143 to a shell" test "$?" = 143
check "and takes what was daemonised with it" test -z "$(pgrep -f 'sleep '"$nap"'32')"

launch --wait-ready -- sh -c 'trap "" INT TERM; echo $$ >running; sleep '"$nap"'33'
kill -INT "$launcher"
wait "$launcher"
check "INT before the program is ready ends the launch" test "$?" = 130
check "and leaves nothing, even of a program that ignores it" test -z "$(pgrep -f 'sleep '"$nap"'33')"

launch --wait-ready -- sh -c 'echo $$ >running; sleep '"$nap"'34'
kill -KILL "$launcher"
wait "$launcher" 2>/dev/null
check "a killed launcher is 137" test "$?" = 137
pkill -KILL -f 'sleep '"$nap"'34' # a program that runs already goes on, says the manual

# Both come from the kernel, and to this process alone.
expect "an alarm is passed on" 142 "" "" \
    python3 -c 'import os, signal; signal.alarm(1); os.execvp("syncspawn", ["syncspawn", "run", "--", "sleep", "'"$nap"'35"])'
cat >hang_up.py <<'PYTHON'
import os, pty, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvp("syncspawn", ["syncspawn", "run", "--", "sh", "-c", "echo >running; exec sleep " + os.environ["nap"] + "36"])
while not os.path.exists("running"):
    time.sleep(0.01)
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
PYTHON
rm -f running
expect "a terminal that hangs up ends its leader's program" 0 "-1" "" python3 hang_up.py
check "and leaves nothing" test -z "$(pgrep -f 'sleep '"$nap"'36')"
expect "a timeline that nobody reads leaves the program in care" 3 "" "" \
    python3 -c 'import os, signal
read_end, write_end = os.pipe()
os.close(read_end)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.dup2(write_end, 2)
os.execvp("syncspawn", ["syncspawn", "run", "--timeline", "--", "sh", "-c", "exit 3"])'

expect "a signal that is pending from the start ends the launch" 143 "" "" \
    env --default-signal=TERM --block-signal=TERM sh -c 'kill -TERM $$; exec syncspawn run -- touch began'
check "and no program ran" test ! -e began

# As the first process of a pid namespace, and without /proc. Each orphan is gone only once it was reaped.
find_nested
if ((${#nested[@]})); then
    cat >orphans.sh <<'SHELL'
for try in 1 2 3 4 5 6 7 8 9 10; do
    orphan=$(sh -c 'sleep 0.01 & echo $!')
    while kill -0 "$orphan" 2>/dev/null; do sleep 0.01; done
done
echo all are gone
SHELL
    expect "the first process of a pid namespace reaps all orphans" 0 "all are gone" "" \
        "${nested[@]}" sh -c 'exec syncspawn run -- sh orphans.sh'
    without_proc=("${nested[@]}" --mount --propagation unchanged
        sh -c 'mount --make-private /proc && mount -t tmpfs none /proc && exec "$@"' -)
    if ! is_sanitized && "${without_proc[@]}" syncspawn --version >/dev/null 2>&1; then
        expect "without /proc too" 0 "all are gone" "" "${without_proc[@]}" syncspawn run -- sh orphans.sh
    else
        echo "SKIP-REASON: /proc cannot be hidden, or this build (a sanitizer's) does not run without it"
    fi
    expect "and cannot die of a signal: then it exits" 143 "" "" \
        "${nested[@]}" sh -c 'exec syncspawn run -- sh -c "kill -TERM \$\$"'
fi

# The launcher sees both at once, when it goes on: the end of the program does not hide the signal.
launch --wait-ready -- sh -c 'trap "" TERM; echo $$ >running; until test -e end; do sleep 0.05; done; exit 4'
program=$(cat running)
kill -STOP "$launcher"
kill -TERM "$launcher"
touch end
eventually grep -q '^State:.Z' "/proc/$program/status"
kill -CONT "$launcher"
wait "$launcher"
check "a signal that comes with the program's end is the reason" test "$?" = 143

signals=--ignore-signal=INT launch -- sh -c 'echo $$ >running; while ! test -e go; do sleep 0.05; done'
kill -INT "$launcher"
touch go
wait "$launcher"
check "an ignored INT stays ignored" test "$?" = 0

# In a terminal: the program is in the foreground group and gets ^C from there, once. The shell that
# script(1) starts is the one in SHELL, and must not stay between: it would get ^C as well.
if command -v script >/dev/null; then
    rm -f running count
    mkfifo keys
    env --default-signal=INT,QUIT SHELL=/bin/sh script -qec "exec syncspawn run --timeline -- sh -c 'trap \"echo x >>count; test -e enough && exit 9\" INT; echo \$\$ >running; while :; do sleep 0.05; done'" \
        /dev/null <keys >terminal 2>&1 &
    terminal=$!
    started+=("$terminal")
    exec 8>keys
    check "a program runs in a terminal" eventually test -s running
    if ! test -s running; then # nothing more to see, and nothing to wait for
        cat terminal
        kill -KILL "$terminal"
        finish
    fi
    eventually grep -q 'sees the program run' terminal
    printf '\003' >&8
    check "^C arrives" eventually test -s count
    touch enough
    printf '\003' >&8
    wait "$terminal"
    check "and its code comes through" test "$?" = 9
    exec 8>&-
    check "each ^C arrived once" test "$(wc -l <count)" = 2
else
    echo "FAILED: script(1) of util-linux is missing"
    failures=$((failures + 1))
fi
finish
