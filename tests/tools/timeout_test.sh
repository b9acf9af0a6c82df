#!/usr/bin/env bash
# syncspawn run --timeout, and whatever else ends a program or launch that is late.
source "$(dirname "$0")/expect.sh"
cd "$scratch" || exit 1

# Where a shell has to set something up before the time is over, it has three seconds, on a machine as busy as may be.

nothing_sleeps() { # NUMBER
    check "$1: nothing is left of it" test -z "$(pgrep -f "sleep $nap$2")"
}

expect "a program that is in time has its own code" 7 "" "" syncspawn run --timeout 1h30m -- sh -c 'exit 7'
expect "and its own signal" 143 "" "" syncspawn run --timeout 1h -- sh -c 'kill -TERM $$'
expect "one that is late gives 124" 124 "" "" syncspawn run --timeout 0.2 -- sleep "$nap"41
nothing_sleeps "late" 41
expect "its group is asked too, so that it can tidy up" 124 "tidied up" "*" \
    syncspawn run --timeout 3 -- sh -c 'trap "echo tidied up; exit 3" TERM; sleep '"$nap"'42; echo not here'
nothing_sleeps "tidy" 42
expect "as is one that leads a session" 124 "tidied up" "*" \
    syncspawn run --new-session --timeout 3 -- sh -c 'trap "echo tidied up; exit 3" TERM; sleep '"$nap"'43; echo not here'
nothing_sleeps "session" 43
expect "what has daemonised is ended as well" 124 "" "" \
    syncspawn run --timeout 0.3 -- sh -c 'setsid sh -c "trap \"\" TERM; sleep '"$nap"'44; sleep '"$nap"'44" & sleep '"$nap"'44'
nothing_sleeps "daemon" 44
expect "one that does not heed is killed, and gives 137" 137 "" "" \
    syncspawn run --timeout 3 -k 0.2 -- sh -c 'trap "" TERM; sleep '"$nap"'45; sleep '"$nap"'45'
nothing_sleeps "stubborn" 45
expect "at once, if that is asked for" 137 "" "" syncspawn run --timeout 0.2 --signal KILL -- sleep "$nap"46
expect "another signal asks" 124 "interrupted" "" \
    syncspawn run --timeout 3 -s INT -- sh -c 'trap "echo interrupted; exit 0" INT; sleep '"$nap"'47 & wait'
nothing_sleeps "INT" 47

expect "the time counts from execve, readiness or not" 124 "" "syncspawn: the program was not ready before its --timeout was over" \
    syncspawn run --wait-ready --timeout 0.3 -- sleep "$nap"48
nothing_sleeps "never ready" 48
expect "and goes on when it is ready" 124 "ready" "" \
    syncspawn run --wait-ready --timeout 3 -- sh -c 'syncspawn barrier place-and-sync; echo ready; exec sleep '"$nap"'49'
nothing_sleeps "ready" 49
expect "a setup that takes too long gives 124" 124 "" "syncspawn: the setup was not done within 1 us: *" \
    syncspawn run --setup-timeout 1us -- touch began
check "and no program ran" test ! -e began

# By hand: a signal that comes before is the reason, as without --timeout.
syncspawn run --timeout 1h -- sh -c 'echo >running; exec sleep '"$nap"'51' &
launcher=$!
started+=("$launcher")
eventually test -e running
kill -TERM "$launcher"
wait "$launcher"
check "a signal is not the timeout" test "$?" = 143

for option in "--signal INT" "--kill-after 1s"; do
    # shellcheck disable=SC2086
    expect "$option alone says nothing" 125 "" "*says how --timeout ends the program, and there is none; add --timeout DURATION" \
        syncspawn run $option -- true
done
expect "no time at all is refused" 125 "" "*--timeout: '0' is no time at all; without the option there is no limit" \
    syncspawn run --timeout 0 -- true
expect "for the setup, too" 125 "" "*--setup-timeout: '0' is no time at all; without the option there is no limit" \
    syncspawn run --setup-timeout 0 -- true
expect "and to get ready" 125 "" "*--wait-ready: '0s' is no time at all; without '=' there is no limit" \
    syncspawn run --wait-ready=0s -- true
expect "so is what is no signal" 125 "" "*--signal: 'TREM' is no signal: say TERM, SIGTERM or 15 *" \
    syncspawn run --timeout 1 --signal TREM -- true
for name in TERM SIGTERM sigterm 15; do
    expect "a signal is $name" 143 "" "" syncspawn run --timeout 1h --signal "$name" -- sh -c 'kill -TERM $$'
done
finish
