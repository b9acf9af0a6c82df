#!/usr/bin/env bash
# syncspawn run with a policy: what each word does, to root and to an ordinary user; files, errors, reports.
source "$(dirname "$0")/expect.sh"
chmod 755 "$scratch"
cd "$scratch" || exit 1

if ! guarded syncspawn run --sandbox true 2>"$scratch/refusal"; then
    echo "SKIP-REASON: this machine cannot hold the default policy: $(head -n 1 "$scratch/refusal")"
    exit 77
fi

# Files that everybody may write, so that only the policy says what a program may do.
lay_out() {
    rm -rf tree
    mkdir -m 777 tree tree/sub
    echo secret >tree/keys && chmod 666 tree/keys
}

# The rest of the command line is the program's, a script for sh. Its messages are not of interest.
script() { # NAME CODE OUTPUT OPTION... -- SCRIPT
    local name=$1 code=$2 output=$3 options=()
    shift 3
    while [[ $1 != -- ]]; do options+=("$1") && shift; done
    expect "$whose: $name" "$code" "$output" "" "${as[@]}" syncspawn run "${options[@]}" -- sh -c "exec 2>/dev/null; $2"
}

# What the library says, in the words of the command line.
refused() { # NAME PATTERN OPTION...
    local name=$1 pattern=$2
    shift 2
    expect "$whose: $name" 125 "" "$pattern" "${as[@]}" syncspawn run "$@" -- touch "$scratch/tree/was-started"
    check "$whose: and nothing was started" test ! -e "$scratch/tree/was-started"
}

files() {
    lay_out
    script "--sandbox reads what is there" 0 "" --sandbox -- 'test -r /etc/passwd'
    script "and writes to a /tmp of its own" 0 "" --sandbox -- 'touch "$TMPDIR/x" && test -z "$(ls /tmp/tree)"'
    expect "$whose: and to nothing else" 1 "" "*Read-only file system" "${as[@]}" syncspawn run --sandbox -- touch /x
    script "--writable" 0 "" --writable tree -- 'touch tree/made'
    check "$whose: is the host's" test -e tree/made
    cd tree || exit 1
    script "a relative path counts from the caller's directory" 0 "" --writable . -- 'touch also'
    cd .. && check "$whose: and is the host's, too" test -e tree/also
    for words in "--writable tree --read-only tree/sub" "--read-only tree/sub --writable tree"; do
        # shellcheck disable=SC2086
        script "the longest path counts: $words" 0 "" $words -- 'touch tree/x && test -d tree/sub && ! touch tree/sub/x'
    done
    script "--hide" 0 "" --writable tree --hide tree/keys -- '! cat tree/keys && ! rm tree/keys'
    script "--protect" 0 secret --writable tree --protect tree/keys -- \
        '! rm tree/keys && ! echo x >tree/keys && ! mv tree/keys tree/moved && cat tree/keys'
    script "--protect holds for what is not there" 0 "" --writable tree --protect tree/.git -- '! mkdir tree/.git'
    check "$whose: and leaves nothing behind" bash -c '! test -L tree/.git && ! test -e tree/.git'
    local system=(--read-only /usr)
    for path in /bin /lib /lib64; do test -e $path && system+=(--read-only "$path"); done
    script "--tree named-only" 0 "" --tree named-only "${system[@]}" -- 'test ! -e /etc && test -d /usr'
    expect "$whose: --tree host leaves it to the user's permissions" 1 "" "*Permission denied" \
        "${as[@]}" syncspawn run --tree host -- touch /x
    expect "$whose: the last of them counts" 1 "" "*Read-only file system" \
        "${as[@]}" syncspawn run --tree host --tree host-read-only -- touch /x
}

network() {
    local try='exec 3<>/dev/tcp/127.0.0.1/9'
    for words in "--network none" "--no-network" "--sandbox" "--network host --no-network"; do
        # shellcheck disable=SC2086
        expect "$whose: no network: $words" 1 "" "*@(not supported|unreachable)*" \
            "${as[@]}" syncspawn run $words -- bash -c "$try"
    done
    expect "$whose: --network loopback" 1 "" "*refused*" "${as[@]}" syncspawn run --network loopback -- bash -c "$try"
    script "is one of its own" 0 "" --network loopback -- "test \$(readlink /proc/self/ns/net) != $(readlink /proc/self/ns/net)"
    script "--network host" 0 "" --network host -- "test \$(readlink /proc/self/ns/net) = $(readlink /proc/self/ns/net)"
}

limits() {
    local found
    found=$("${as[@]}" syncspawn run --memory 512M --pids 99 --cpus 1 -- true 2>&1) || {
        refused "what cannot be held says how it could be" "*limits: cannot be held whole here: *or say --accept-weaker limits for *doctor*" \
            --memory 512M
        for words in "--accept-weaker limits" "--accept-weaker all"; do
            # shellcheck disable=SC2086
            script "$words takes the second choice" 0 "524288" --memory 512M $words -- 'ulimit -v'
        done
        return
    }
    check "$whose: limits are held, and nothing is said" test -z "$found"
}

errors() {
    lay_out
    refused "a path that is not there" "syncspawn: --writable no/such: does not exist: *" --writable no/such
    refused "all that is wrong is said at once" \
        $'syncspawn: --writable no/such: does not exist: *\nsyncspawn: --read-only neither: does not exist: *' \
        --writable no/such --read-only neither
    printf 'network = "lo"\n[files]\nwriteable = ["/src"]\n' >wrong.toml
    refused "a file that is no policy, with all that is wrong in it" \
        $'syncspawn: wrong.toml:1:11: network: *\nsyncspawn: wrong.toml:3:1: files.writeable: there is no such key; do you mean \'writable\'?' \
        --policy wrong.toml
    refused "a file that is not there" "syncspawn: --policy none.toml: No such file or directory" --policy none.toml
    refused "a door beside the host's network" "syncspawn: doors: *the network is the host's*" --network host --door p=127.0.0.1:80
}

# On one line, whoever runs it.
usage() {
    local name pattern word
    while IFS='|' read -r name pattern word; do
        # shellcheck disable=SC2086
        expect "$name" 125 "" "syncspawn run: $pattern" syncspawn run $word -- true
    done <<'END'
a tree|--tree: 'all' is not host-read-only, host or named-only*|--tree all
a network|--network: 'lo' is not none, loopback or host*|--network lo
services|--services: 'some' is not none or host*|--services some
a size|--memory: 'lots' is not a size: *|--memory lots
a number of processes|--pids: '0' is not a whole number from 1 *|--pids 0
a number of CPUs|--cpus: '-1' is not a number of CPUs, as 2 or 1.5*|--cpus -1
an endless number of CPUs|--cpus: 'inf' is not a number of CPUs*|--cpus inf
a guarantee|--accept-weaker: 'speed' is no guarantee: there are files, *system-calls, limits, and 'all'*|--accept-weaker speed
a door without a name|--door: '127.0.0.1:80' is not a door: say NAME=ADDRESS*|--door 127.0.0.1:80
a door to a name|--door: 'example.org:80' is no address that a door can lead to: *not looked up*|--door p=127.0.0.1:80,example.org:80
a door to port 0|--door: '127.0.0.1:0' is no address *its port*|--door p=127.0.0.1:0
a descriptor that is not open|--bind-descriptor: descriptor 77 is not open*|--bind-descriptor input=77
a descriptor without a name|--bind-descriptor: '0' is not NAME=FD*|--bind-descriptor 0
operations by hand|--bind lays the tree out by hand, --sandbox is of a policy*|--sandbox --bind / /
nothing to read back|--enforcement reads back what holds a policy, and there is none; say --sandbox*|--enforcement
END
    expect "an empty path" 125 "" "syncspawn run: --writable: a path must not be empty*" syncspawn run --writable "" true
    expect "a file that cannot be written" 125 "" "syncspawn: --save-policy /no/such: No such file or directory" \
        syncspawn run --save-policy /no/such
}

policy_files() {
    lay_out
    printf 'network = "loopback"\n[files]\nwritable = ["%s/tree"]\n' "$scratch" >agent.toml
    script "a file" 0 "" --policy agent.toml -- 'touch tree/x && grep -q lo: /proc/net/dev'
    script "words add to it" 0 "" --read-only tree/sub --policy agent.toml -- 'touch tree/x && ! touch tree/sub/x'
    script "the word counts where there can be one" 0 "" --network host --policy agent.toml -- \
        "test \$(readlink /proc/self/ns/net) = $(readlink /proc/self/ns/net)"
    script "a descriptor may be a policy" 0 "" --policy /dev/fd/3 -- 'touch tree/x' 3<agent.toml
}

saving() {
    local words=(--writable . --read-only tree/sub --hide /srv --protect .git --tree host --network loopback --services host
        --door "proxy=127.0.0.1:3128,/run/proxy" --memory 2G --pids 64 --cpus 1.5 --accept-weaker system-calls)
    expect "a policy is written to standard output, and nothing is run" 0 'accept_weaker = ["limits"]' "" syncspawn run --save-policy - --accept-weaker limits
    expect "the strict one is empty" 0 "" "" syncspawn run --save-policy - --sandbox
    check "to a file, too" syncspawn run "${words[@]}" --save-policy saved.toml
    expect "which makes the same policy again" 0 "$(cat saved.toml)" "" syncspawn run --policy saved.toml --save-policy -
    check "with all that was said" test "$(grep -cE 'host|loopback|\.git|127.0.0.1:3128|"2G"|64|1\.5|system calls' saved.toml)" = 9
    expect "with a program, that is run as well" 3 "" "" syncspawn run --save-policy saved.toml --writable tree -- sh -c 'exit 3'
    expect "and is what was written" 0 "[files]
writable = [\"$scratch/tree\"]" "" cat saved.toml
    expect "what a policy has no words for is told" 0 "" \
        "syncspawn: --save-policy: a policy has no words for such a --rlimit, --seccomp-policy default: *" \
        syncspawn run --sandbox --rlimit nofile=5:10 --seccomp-policy default --save-policy -
}

# Root's sandbox, where root is asked for.
root_without_groups() {
    local with_groups=(setpriv "--groups=4,24" env) words
    for words in "--user root" "--user root --cap-add net_raw"; do
        # shellcheck disable=SC2086
        expect "the caller's further groups do not get in: $words" 0 "0 0" "" \
            "${with_groups[@]}" syncspawn run $words --sandbox -- sh -c 'echo $(id -u) $(id -G)'
    done
    expect "root may have another group" 0 "0 7 7" "" \
        syncspawn run --sandbox --user root --group 7 -- sh -c 'echo $(id -u) $(id -g) $(id -G)'
}

bindings() {
    lay_out
    printf '[[descriptors]]\nname = "input"\nnumber = 3\n[[trees]]\nname = "work"\npath = "/tmp/work"\naccess = "writable"\n' >bound.toml
    expect "$whose: descriptors of a policy file" 0 secret "" "${as[@]}" bash -c \
        'syncspawn run --policy bound.toml --bind-descriptor input=8 --bind-descriptor work=9 \
             -- sh -c "touch /tmp/work/by-tree && cat <&3" 8<tree/keys 9<tree'
    check "$whose: are the caller's" test -e tree/by-tree
    refused "one that is not bound" "*descriptors 'input': is not bound*trees 'work': is not bound*" --policy bound.toml
    refused "one that the file does not name" "*'other': is nothing that the policy names*" --sandbox --bind-descriptor other=0
}

# Options that are no words of a policy, but that it has keys for.
others() {
    script "limits of each process" 0 "99 3" --sandbox --rlimit nofile=99 --nice 3 -- 'echo $(ulimit -n) $(nice)'
    expect "$whose: a time limit asks, and is the command's" 124 "" "" "${as[@]}" syncspawn run --sandbox --timeout 0.1 -- sleep "${nap}5"
    expect "$whose: they are written as keys" 0 $'[limits]\nnice = 3\nopen_files = 99' "" \
        "${as[@]}" syncspawn run --sandbox --save-policy - --rlimit nofile=99 --nice 3
}

dry_run() {
    syncspawn run --dry-run --chdir / -- touch "$scratch/tree/dry" >plain
    check "a plain launch is told" grep -q "^  *| execve 'touch'$" plain
    check "with the directory" grep -q "| chdir to '/'$" plain
    check "and where both wait" grep -qF "meets the child at [ready to exec]" plain
    check "and nothing of a policy" bash -c '! grep -q files: plain'
    syncspawn run --dry-run --writable tree --network host -- touch tree/dry >policy
    check "nothing is run" test ! -e tree/dry
    check "a guarantee and what holds it" grep -q "^  files: by a mount namespace$" policy
    check "one that is not given" grep -q "^  network: nothing" policy
    check "the child's steps" grep -q "| 'mounts'$" policy
    check "and what comes last" grep -q "| 'system calls', right before execve$" policy
    expect "a policy that cannot be held is refused here, too" 125 "" "*--writable no/such: does not exist*" \
        syncspawn run --dry-run --writable no/such -- true
}

enforcement() {
    lay_out
    expect "$whose: what holds a program that ends at once is read all the same" 0 "" \
        $'files: *ours*\nnetwork: *\nservices: *\nprocesses: *ours*\nprivileges: *NoNewPrivs 1*\nsystem calls: *\nlimits: *' \
        "${as[@]}" syncspawn run --sandbox --enforcement -- true
    check "$whose: and nothing is refuted" bash -c '! grep -q refuted "$1"' - "$scratch/err"
    expect "$whose: to a file" 3 "" "" "${as[@]}" syncspawn run --sandbox --enforcement=tree/report -- sh -c 'exit 3'
    check "$whose: it is there" grep -q "^files: " tree/report
    expect "$whose: of a program that is not there, nothing" 127 "" "syncspawn: execve*" \
        "${as[@]}" syncspawn run --sandbox --enforcement -- /no/such
}

for_one_user() {
    files
    network
    limits
    errors
    policy_files
    bindings
    others
    enforcement
}

whose=$(id -un) as=()
for_one_user
as=(setpriv --reuid=65534 --regid=65534 --clear-groups env)
if ((EUID == 0)) && "${as[@]}" syncspawn run --sandbox true 2>/dev/null; then
    whose=nobody
    for_one_user
fi
if unshare --user --map-root-user true 2>/dev/null; then
    expect "root of a user namespace without an id for nobody stays itself" 0 0 "" \
        unshare --user --map-root-user env syncspawn run --sandbox -- id -u
fi
usage
saving
((EUID != 0)) || root_without_groups
lay_out
dry_run
finish
