#!/usr/bin/env bash
# Kills one party of a launch at the entry of each of its system calls, one after the other, and wants each
# time: an end, an honest exit code, and no process left. Killed at the entry of a call is killed after the
# one before it, so both sides of every call are covered.
# usage: kill_sweep.sh SYNCSPAWN READY_PROGRAM (parent | program | script | script-command)
# SIGKILL is injected by strace(1), which does not fork off what it traces (-D) where that must keep its pid.
source "$(dirname "$0")/../../tools/expect.sh"
ready_program=$2
party=$3
command -v strace >/dev/null || { echo "FAILED: strace is missing"; exit 1; }
cd "$scratch" || exit 1
# A name of its own, to find what is left of it.
name=sweep$$
cp "$ready_program" "$name"

# What it exits with if it gets through.
case $party in
    parent | program) through=0 ;;
    *) through=42 ;;
esac

# launch OPTION...: with these options of strace for the party.
launch() {
    case $party in
        parent) guarded strace -qq "$@" -D syncspawn run --wait-ready=30s -- "./$name" ;;
        program) guarded syncspawn run --wait-ready=30s -- strace -qq "$@" -D "./$name" ;;
        script)
            guarded syncspawn run --wait-ready=30s -- strace -qq "$@" -D \
                sh -c "syncspawn barrier place-and-sync || exit 1; exit 42; : $name"
            ;;
        script-command)
            guarded syncspawn run --wait-ready=30s -- \
                sh -c "strace -qq $* syncspawn barrier place-and-sync || exit 1; exit 42; : $name"
            ;;
    esac
}

# A zombie whose parent was killed is for init to reap, when it likes.
what_is_left() { pgrep -r D,R,S,T,t -fa "$name" | grep -v "^$$ "; }
nothing_is_left() { [[ -z $(what_is_left) ]]; }

launch -o calls
check "undisturbed, the $party gets through" test $? = $through
eventually nothing_is_left
# Every call by its name and which of that name it is: strace counts each name by itself.
grep -oE '^[a-z0-9_]+\(' calls | tr -d '(' | awk '{ print $1, ++count[$1] }' >points

killed=0
while read -r call occurrence; do
    launch -o /dev/null -e "inject=$call:signal=KILL:when=$occurrence" >out 2>err </dev/null
    code=$?
    where="$party killed at $call number $occurrence"
    # 125: reported. 137: the program was killed once it was ready, or the parent itself was killed.
    # 1: the program, or the script, found the other side gone and said so by its own code.
    # Through: the call was not made this time, as a wait may find what it waits for at once.
    case $code in
        1 | 125 | 137) killed=$((killed + 1)) ;;
        "$through") ;;
        *) check "$where: exit code $code ($(cat err))" false ;;
    esac
    if [[ $code -eq 125 && $party != parent ]]; then
        grep -q '^syncspawn: ' err || check "$where: 125 without a reason" false
    fi
    eventually nothing_is_left || check "$where: left: $(what_is_left)" false
done <points
check "the $party was killed at nearly all of its $(wc -l <points) system calls" \
    test "$killed" -ge $(($(wc -l <points) * 8 / 10))
check "there were calls to be killed at" test "$killed" -gt 20
finish
