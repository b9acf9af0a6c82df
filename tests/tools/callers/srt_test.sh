#!/usr/bin/env bash
# The sandbox runtime of a coding agent (srt, of the npm package @anthropic-ai/sandbox-runtime), whose bwrap is ours.
# usage: srt_test.sh PATH_TO_SYNCSPAWN SOURCES PATH_TO_SYNCSPAWN_BWRAP
source "$(dirname "$0")/../expect.sh"
bwrap=$3
skip() {
    echo "SKIP-REASON: $1"
    exit 77
}
for program in node npm socat rg curl python3; do
    [[ -n $(command -v "$program") ]] || skip "srt needs $program, which is not installed"
done
node -e 'process.exit(process.versions.node.split(".")[0] >= 20 ? 0 : 1)' || skip "srt needs Node.js 20, this is $(node --version)"
work=$(mktemp -d /var/tmp/srt.XXXXXX)
trap 'clean_up; rm -rf "$work"' EXIT
export HOME=$work/home
mkdir -p "$HOME" "$work/writable" "$work/bin"
cd "$work" || exit 1
if ! timeout 120 npm install --no-audit --no-fund --ignore-scripts @anthropic-ai/sandbox-runtime >"$scratch/npm" 2>&1; then
    tail -n 3 "$scratch/npm"
    skip "no npm registry has srt for us here"
fi

cat >"$work/settings.json" <<JSON
{"network": {"allowedDomains": ["localhost"], "deniedDomains": []},
 "filesystem": {"denyRead": [], "allowWrite": ["$work/writable"], "denyWrite": []}}
JSON
srt() { "${watchdog[@]}" "$work/node_modules/.bin/srt" --settings "$work/settings.json" -c "$1"; }
if ! srt true >"$scratch/own" 2>&1; then
    cat "$scratch/own"
    skip "srt does not run here, with its own bwrap either"
fi

# It looks for bwrap in PATH.
cat >"$work/bin/bwrap" <<SCRIPT
#!/bin/sh
echo called >>'$work/calls'
exec '$bwrap' "\$@"
SCRIPT
chmod +x "$work/bin/bwrap"
PATH=$work/bin:$PATH

python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$work/writable" >"$scratch/server" 2>&1 &
started+=($!)
eventually grep -q 'port [0-9]' "$scratch/server"
port=$(grep -oE 'port [0-9]+' "$scratch/server" | grep -oE '[0-9]+')

srt 'echo hello' >"$scratch/said"
check "a command runs" grep -qx hello "$scratch/said"
check "by ours" test -s "$work/calls"
srt "touch '$work/writable/file'"
check "what may be written is written" test -e "$work/writable/file"
srt "touch '$work/file'" 2>"$scratch/refused"
check "what may not is refused" test ! -e "$work/file"
check "by a read-only file system" grep -q 'Read-only file system' "$scratch/refused"
srt 'exit 7'
check "the exit status comes through" test $? = 7
srt "curl -s --noproxy '' -o /dev/null -w '%{http_code}' http://localhost:$port/" >"$scratch/by_proxy"
check "the network is reached through its proxy" grep -qx 200 "$scratch/by_proxy"
srt "curl -s --noproxy '*' http://127.0.0.1:$port/ >/dev/null"
check "and not without it" test $? != 0
srt "curl -s -o /dev/null --noproxy '' -w '%{http_code}' http://example.invalid/" >"$scratch/other"
check "nor another host" test "$(cat "$scratch/other")" != 200
finish
