#!/usr/bin/env bash
# In a real terminal, with a real shell: ^C, ^Z and fg, a new size, a closed terminal, and SIGKILL of the command.
source "$(dirname "$0")/expect.sh"
if [[ -z $(command -v tmux) ]]; then
    echo "SKIP-REASON: tmux is not installed"
    exit 77
fi
if is_sanitized; then
    echo "SKIP-REASON: a shell is no place for a sanitizer's words; the program's other tests run under it"
    exit 77
fi
unset TMUX
number=0
terminal() { tmux -S "$scratch/socket$number" -f /dev/null "$@"; }
end() { terminal kill-server 2>/dev/null; }
trap 'end; clean_up' EXIT

# A shell of its own for each case, so that what one leaves on the screen is not found by the next.
begin() {
    end
    number=$((number + 1))
    terminal new-session -d -x 80 -y 24 "env PS1='outer> ' bash --norc --noprofile -i"
    eventually prompts
}
type_in() { terminal send-keys -l "$1" && terminal send-keys Enter; }
press() { terminal send-keys "$1"; }
shows() { terminal capture-pane -p -S - | grep -qE -- "$1"; }
prompts() { terminal capture-pane -p -S - | grep . | tail -n 1 | grep -qx 'outer> *'; }
# What the command has ended with, asked once the shell is there again.
says_code() {
    eventually prompts
    type_in 'echo "code $?"'
    eventually shows "^code $1"
}
# The processes that sleep for our number of seconds.
nappers() { pgrep -f "^sleep $nap$1\$"; }
no_nappers() { ! nappers "$1" >/dev/null; }

for pty in "" "--pty"; do
    begin
    type_in "syncspawn run $pty -- sh -c 'echo runs; sleep ${nap}1; echo after'"
    check "^C ($pty): the program runs" eventually nappers 1 >"$scratch/out"
    press C-c
    check "^C ($pty) ends the program and the command" says_code 130
    check "^C ($pty) leaves nothing" eventually no_nappers 1
    type_in "echo 'the shell' works"
    check "^C ($pty): the terminal is in order" eventually shows '^the shell works'

    begin
    type_in "syncspawn run $pty -- sh -c 'trap \"echo got it\" INT; echo runs; sleep ${nap}2; echo after'"
    check "a handler ($pty): the program runs" eventually nappers 2 >"$scratch/out"
    press C-c
    check "a handler of the program's gets ^C ($pty)" eventually shows '^(\^C)?got it'
    check "and decides what becomes of it ($pty)" says_code 0

    begin
    type_in "syncspawn run $pty -- bash --norc --noprofile -i"
    type_in 'PS1="inside> "'
    check "a shell inside ($pty) prompts" eventually shows '^inside> *$'
    type_in "sleep ${nap}3"
    check "a job of it ($pty) runs" eventually nappers 3 >"$scratch/out"
    press C-z
    check "^Z stops the job, and no other ($pty)" eventually shows '^\[1\][+] +Stopped'
    type_in 'fg'
    eventually shows "^sleep $nap"
    press C-c
    check "fg brings it back, and ^C ends it ($pty)" eventually no_nappers 3
    type_in 'exit 5'
    check "its exit code is the command's ($pty)" says_code 5

    begin
    type_in "syncspawn run $pty -- sh -c 'trap \"stty size\" WINCH; echo runs; while :; do sleep 0.1; done'"
    eventually shows '^runs'
    terminal resize-window -x 90 -y 30
    check "a new size of the terminal is the program's ($pty)" eventually shows '^30 90'
    press C-c

    begin
    type_in "syncspawn run $pty -- sh -c 'echo runs; sleep ${nap}4'"
    check "a closed terminal ($pty): the program runs" eventually nappers 4 >"$scratch/out"
    end
    check "a closed terminal ($pty) ends it all" eventually no_nappers 4

    begin
    type_in "syncspawn run $pty -- sh -c 'echo runs; exec sleep ${nap}5'"
    check "SIGKILL ($pty): the program runs" eventually nappers 5 >"$scratch/out"
    pkill -KILL -f "^syncspawn run $pty *-- sh -c echo runs; exec sleep ${nap}5"
    check "SIGKILL of the command ($pty) is seen by the shell" says_code 137
    if [[ -n $pty ]]; then
        check "its terminal has hung up, and the program has ended" eventually no_nappers 5
    else
        pkill -KILL -f "^sleep ${nap}5\$" # it goes on, as the manual says
    fi
    type_in "echo 'the shell' works"
    check "SIGKILL ($pty): the shell has put the terminal right" eventually shows '^the shell works'
done

begin
type_in "syncspawn run -- sleep ${nap}6"
check "the program runs" eventually nappers 6 >"$scratch/out"
press C-z
check "^Z stops the command" eventually shows '^\[1\][+] +Stopped'
type_in fg
eventually shows '^syncspawn run -- sleep'
press C-c
check "fg brings it back" eventually no_nappers 6
finish
