#!/usr/bin/env bash
# What --help lists, the manual explains and the completions offer. Arguments: the program, the sources.
source "$(dirname "$0")/expect.sh"
tools=$2/tools

options_of() { guarded syncspawn "$1" --help | grep -oE '(^| |,)--[a-z-]+' | tr -d ' ,' | sort -u; }

for command in run barrier; do
    for option in $(options_of "$command"); do
        check "syncspawn-$command.1 explains $option" grep -qF -- "*$option*" "$tools/man/syncspawn-$command.1.scd"
        check "bash completes $option" grep -qF -- "$option" "$tools/completion/syncspawn.bash"
        check "zsh completes $option" grep -qF -- "$option" "$tools/completion/_syncspawn"
    done
done
check "there are options at all" test "$(options_of run | wc -l)" -ge 8
for operation in place sync wait-next sync-next wait-abortion abort place-and-sync status; do
    check "--help knows $operation" grep -q -- "$operation" <(guarded syncspawn barrier --help)
    check "the manual explains $operation" grep -qF "*$operation*" "$tools/man/syncspawn-barrier.1.scd"
    check "bash completes $operation" grep -q -- "[ \"]${operation}[ \"]" "$tools/completion/syncspawn.bash"
    check "zsh completes $operation" grep -q -- "[( ]${operation}[ )]" "$tools/completion/_syncspawn"
done

source "$tools/completion/syncspawn.bash"
complete_words() {
    COMP_WORDS=("$@")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _syncspawn
    printf '%s ' "${COMPREPLY[@]}"
}
check "bash completes a prefix of a command" test "$(complete_words syncspawn ba)" = "barrier "
check "bash completes a prefix of an option" test "$(complete_words syncspawn run --map)" = "--map-root "
check "bash completes a prefix of an operation" test "$(complete_words syncspawn barrier place-)" = "place-and-sync "
finish
