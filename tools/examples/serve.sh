#!/bin/sh
# A shell script as the child: starts a real server, waits until that answers to the script, and only
# then reports ready on the barrier that it was launched with.
set -eu
echo "script: I am $(id)" >&2
directory=$(mktemp -d)
trap 'kill "$server" 2>/dev/null || :; rm -rf "$directory"' EXIT
trap 'exit 143' TERM
echo 'hello from beyond execve' >"$directory/index.html"
: >"$directory/log" # now, for the loop below may be faster than the server
python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$directory" \
    >"$directory/log" 2>"$directory/requests" &
server=$!
port=
while [ -z "$port" ]; do
    kill -0 "$server" # or the server has ended, and so does the script
    port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$directory/log")
    [ -n "$port" ] || sleep 0.02
done
echo "script: the server listens on port $port" >&2
echo "$port"
syncspawn barrier place-and-sync
wait "$server"
