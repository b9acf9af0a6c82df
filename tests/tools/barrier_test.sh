#!/usr/bin/env bash
# syncspawn barrier: a script's side, with `syncspawn run --wait-ready` as the parent. What the script sees
# comes out on its standard output.
source "$(dirname "$0")/expect.sh"
cd "$scratch" || exit 1

printf '#!/bin/sh\nexec syncspawn run --wait-ready=30s -- sh -c "$1"\n' >launched && chmod +x launched
ready='syncspawn barrier place-and-sync'

expect "outside a launch it is 125" 125 "" "*SYNCSPAWN_BARRIER_STATE: not set*" syncspawn barrier place
expect "an unknown operation is 125 and the known are listed" 125 "" \
    "syncspawn barrier: unknown operation 'bogus'; there are place, *, place-and-sync and status" syncspawn barrier bogus
expect "or the one that was meant" 125 "" "syncspawn barrier: unknown operation 'plaice'; did you mean 'place'?" \
    syncspawn barrier plaice
expect "no operation is 125" 125 "" "*OP is required*" syncspawn barrier
expect "an empty program is 125" 125 "" "*PROGRAM*" syncspawn barrier place --
expect "options may stand among the operations" 0 "in step" "" \
    ./launched 'syncspawn barrier place --timeout 60s sync && echo in step'
expect "operations of one call are done in order" 0 "in step" "" \
    ./launched 'syncspawn barrier place sync && echo in step'
expect "wait-next sees the parent's place" 0 "seen" "" \
    ./launched 'syncspawn barrier wait-next place && echo seen'
expect "a status that cannot be printed leaves the place to the next call" 0 "seen" "*cannot write to standard output" \
    ./launched 'until syncspawn barrier status | grep -q seen=2; do :; done
        syncspawn barrier status >/dev/full; syncspawn barrier --timeout 9s wait-next place && echo seen'
expect "a leading sync is refused" 0 "125" "*nothing was placed here*" \
    ./launched "syncspawn barrier sync; echo \$?; $ready"
expect "a leading sync-next behind a status too" 0 "" "*nothing was placed here*" \
    ./launched "syncspawn barrier status sync-next >/dev/null; test \$? = 125 || exit 9; $ready"
expect "a timeout is 124" 0 "124" "*wait-next: not within the timeout" \
    ./launched "$ready; syncspawn barrier --timeout 50ms wait-next; echo \$?"
expect "status tells role, state and counts" 0 "role=child
state=in_step
balance=-1
seen=2" "" ./launched "syncspawn barrier wait-next status place"
# A parent that has added COUNT to the child's eventfd and lives on, though as if it did not if GONE is set; then each command, its code and its output.
cat >parent.py <<'PYTHON'
import os, subprocess, sys
count, commands = int(sys.argv[1]), sys.argv[2:]
to_parent, to_child = (os.eventfd(start, os.EFD_NONBLOCK) for start in (0, 0))
os.write(to_child, count.to_bytes(8, sys.byteorder))
read_end, write_end = os.pipe()
numbers = []
for name, fd in (("LOCAL", to_parent), ("REMOTE", to_child), ("PIPE", write_end)):
    number = 100 + len(numbers)
    os.dup2(fd, number)
    os.environ[f"SYNCSPAWN_BARRIER_{name}_FD"] = str(number)
    numbers.append(number)
os.close(write_end)
if "GONE" in os.environ:
    os.close(read_end)
os.environ["SYNCSPAWN_BARRIER_STATE"] = f"1:2:{os.getpid()}:0:0:0:0:0:0:0"
for command in commands:
    end = subprocess.run(["syncspawn", "barrier", *command.split()], pass_fds=numbers, stdout=subprocess.PIPE)
    print(command, end.returncode, *end.stdout.decode().split())
PYTHON
# A parent that meets one script after the other, three times each. It answers at once, so that its next place often
# comes while the script's call is still reading the last one.
cat >meetings.py <<'PYTHON'
import os, select, subprocess, time
begin, meetings = time.monotonic(), 3
call = "syncspawn barrier --timeout 60s place-and-sync"
while time.monotonic() < begin + 4:
    to_parent, to_child = os.eventfd(0), os.eventfd(0, os.EFD_NONBLOCK)
    read_end, write_end = os.pipe()
    numbers = []
    for name, fd in (("LOCAL", to_parent), ("REMOTE", to_child), ("PIPE", write_end)):
        numbers.append(os.dup2(fd, 100 + len(numbers)))
        os.environ[f"SYNCSPAWN_BARRIER_{name}_FD"] = str(numbers[-1])
    os.environ["SYNCSPAWN_BARRIER_STATE"] = f"1:2:{os.getpid()}:0:0:0:0:0:0:0"
    script = subprocess.Popen(["sh", "-c", " && ".join([call] * meetings)], pass_fds=numbers)
    os.eventfd_write(to_child, 1)
    for meeting in range(1, meetings):
        if select.select([to_parent], [], [], 120)[0]:
            os.eventfd_read(to_parent)
        os.eventfd_write(to_child, 1)
    if script.wait() != 0:
        raise SystemExit("a place was lost")
    for fd in [*numbers, to_parent, to_child, read_end, write_end]:
        os.close(fd)
PYTHON
seen="role=child state=in_step balance=-1 seen=1"
expect "what status and a wait for an abort saw is there for the next call" 0 "status 0 $seen
--timeout 0 wait-abortion 124
status wait-next place status 0 $seen role=child state=in_step balance=0 seen=1
status 0 role=child state=in_step balance=0 seen=0" "*wait-abortion: not within the timeout" \
    python3 parent.py 1 status "--timeout 0 wait-abortion" "status wait-next place status" status
expect "what a call does not need is there for the next call" 0 "place-and-sync 0
wait-next 0
place place sync 0
place-and-sync 0
--timeout 0 wait-next 124" "*wait-next: not within the timeout" \
    python3 parent.py 5 place-and-sync wait-next "place place sync" place-and-sync "--timeout 0 wait-next"
expect "and for the next operation" 0 "wait-next wait-next status 0 role=child state=in_step balance=-2 seen=2
--timeout 0 wait-next 124" "*wait-next: not within the timeout" \
    python3 parent.py 2 "wait-next wait-next status" "--timeout 0 wait-next"
expect "an end of the other side queues behind what a call saw" 0 \
    "place status sync-next 0 role=child state=peer_gone balance=-1 seen=2
wait-next 0
wait-next 1" "*wait-next: the other side is gone" \
    env GONE=1 python3 parent.py 2 "place status sync-next" wait-next wait-next
expect "a rendezvous that is late says what may be the reason" 0 "--timeout 0 place-and-sync 124" \
    "*place-and-sync: not within the timeout*places once*" python3 parent.py 0 "--timeout 0 place-and-sync"
expect "no place is lost between two calls, however they fall" 0 "" "" python3 meetings.py
expect "an abort of the other side is met by every call" 0 "wait-next 1
status 0 role=child state=aborted_there balance=0 seen=0
place-and-sync 1
wait-abortion 0
wait-abortion 0" "*wait-next: the other side aborted*place-and-sync: the other side aborted" \
    python3 parent.py $(((1 << 63) - 1)) wait-next status place-and-sync wait-abortion wait-abortion
expect "abort ends the launch" 125 "" "*aborted the barrier*" ./launched 'syncspawn barrier abort'
expect "a grandchild shell attaches for its ancestor" 0 "ok" "" \
    ./launched "sh -c 'sh -c \"$ready\" && echo ok; true'; true"
expect "chain loading hands the barrier on" 0 "handed on" "" \
    ./launched 'exec syncspawn barrier wait-next -- sh -c "syncspawn barrier place-and-sync && echo handed on"'
expect "chain loading without exec is refused with advice" 0 "125" "*exec syncspawn barrier*" \
    ./launched "syncspawn barrier place -- true; echo \$?; $ready"
expect "chain loading a missing program aborts" 125 "" "*execve '/nonexistent'*" \
    ./launched 'exec syncspawn barrier wait-next -- /nonexistent'
printf 'echo run by a shell\n' >no-first-line && chmod +x no-first-line
expect "a script without a first line is not given to a shell" 125 "" \
    "*execve './no-first-line': Exec format error (a script needs a first line, as #!/bin/sh)*" \
    ./launched 'exec syncspawn barrier wait-next -- ./no-first-line'
expect "nor is one that is found in PATH" 125 "" "*execve 'no-first-line': Exec format error*" \
    env "PATH=$PWD:$PATH" ./launched 'exec syncspawn barrier wait-next -- no-first-line'
finish
