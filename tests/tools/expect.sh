# For the shell tests of the program: sourced by them, with the program's path as their first argument.
set -u
syncspawn=$1
PATH=$(dirname "$syncspawn"):$PATH
scratch=$(mktemp -d)
# What a test starts in the background it ends itself; this is for a test that fails half way.
started=()
clean_up() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null; done
    rm -rf "$scratch"
}
trap clean_up EXIT
# What this run lets sleep has a number of its own, to find what is left of it: another run may be under way.
export nap=6543$$.
failures=0

# The sanitizers of the program read /proc: see cmake/SyncspawnTest.cmake.
is_sanitized() { [[ -n ${ASAN_OPTIONS-} ]]; }

# No call may hang: a watchdog ends it. That says so, for the verdict is then about the clock, not about the call.
limit=300
watchdog=(timeout --foreground --verbose --kill-after=5 "$limit")
guarded() { "${watchdog[@]}" "$@"; }
was_hanging() { grep -q "^timeout: sending signal TERM to command" "$scratch/err"; }

# expect NAME CODE OUTPUT ERROR COMMAND...: exit code, standard output, and a pattern for standard error. A command
# that dies of signal n has the code 128+n; what bash has to say of that is not on the command's standard error.
expect() {
    local name=$1 code=$2 output=$3 error=$4 found
    shift 4
    "${watchdog[@]}" "$@" >"$scratch/out" 2>"$scratch/err" </dev/null
    found=$?
    # shellcheck disable=SC2053
    if [[ $found -ne $code || "$(cat "$scratch/out")" != "$output" || "$(cat "$scratch/err")" != $error ]]; then
        printf 'FAILED: %s\n  exit code %s, expected %s\n  out: %s\n  err: %s\n' "$name" "$found" "$code" \
            "$(cat "$scratch/out")" "$(cat "$scratch/err")"
        was_hanging && echo "  ended by the watchdog, after $limit seconds"
        failures=$((failures + 1))
    else
        printf 'ok: %s\n' "$name"
    fi
}

# check NAME COMMAND...: the command succeeds.
check() {
    local name=$1
    shift
    if "$@"; then
        printf 'ok: %s\n' "$name"
    else
        printf 'FAILED: %s: %s\n' "$name" "$*"
        failures=$((failures + 1))
    fi
}

# Waits for an event, not for time: until the command succeeds. The watchdog as above.
eventually() {
    local end=$((SECONDS + limit))
    until "$@" 2>/dev/null; do
        if ((SECONDS >= end)); then
            echo "  the watchdog gave up after $limit seconds: $*"
            return 1
        fi
        sleep 0.01
    done
}

# nested: what runs a command in a pid namespace of its own, with the /proc of this one; empty where that is
# forbidden.
find_nested() {
    # The leak sanitizer looks for its threads in /proc.
    local no_leaks=(env "ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0")
    nested=("${no_leaks[@]}" unshare --pid --fork)
    "${nested[@]}" true 2>/dev/null && return
    nested=("${no_leaks[@]}" unshare --user --map-root-user --pid --fork)
    "${nested[@]}" true 2>/dev/null && return
    nested=()
    echo "SKIP-REASON: this machine forbids pid namespaces"
}

# user_namespaces: whether a process can have one of its own here.
user_namespaces=false
if unshare --user --map-root-user true 2>/dev/null; then
    user_namespaces=true
fi

is_gone() { ! kill -0 "$1" 2>/dev/null; }

finish() {
    ((failures == 0)) || echo "$failures failed"
    exit $((failures > 0))
}
