#!/usr/bin/env bash
# What the program's tables know, the manual explains and the completions offer: all of it, and nothing else. The tables
# are read from --help, which is made of them. Arguments: the program, the sources.
source "$(dirname "$0")/expect.sh"
tools=$2/tools

# Words on standard input, each once, on one line.
as_set() { grep . | LC_ALL=C sort -u | paste -sd ' '; }

# same NAME EXPECTED FOUND: two sets of words.
same() {
    check "$1" test "$2" = "$3"
}

# The rows of a list in --help begin with two blanks, the lines that go on with more.
commands_in_help() { guarded syncspawn help | sed -n '/^Commands:/,/^$/s/^  \([a-z]\S*\).*/\1/p' | as_set; }
options_in_help() { # COMMAND...
    guarded syncspawn "$@" --help | sed -n 's/^  \(-.*\)/\1/p' | sed 's/  .*//' | grep -oE -- '(^| )--?[][a-zA-Z0-9-]+' |
        sed -n 's/^ *--\[no-\]\(.*\)/--\1\n--no-\1/p; t; s/^ *//; s/\[$//; p' | as_set
}
operations_in_help() {
    guarded syncspawn barrier --help | paste -sd ' ' | sed 's/.* An OP is \([^.]*\)\..*/\1/; s/, \| or /\n/g' | as_set
}
only_long() { tr ' ' '\n' | grep -- '^--.' | as_set; }

# An entry of the manual is a line that begins in bold; a section goes up to the next.
synopsis=$(sed -n '/^# SYNOPSIS/,/^# DESCRIPTION/p' "$tools/man/syncspawn.1.scd")
entries_in_manual() { sed -n "/^# $2/,/^# /s/^\(\*.*\)/\1/p" "$tools/man/$1.1.scd" | grep -oE '\*[a-zA-Z0-9-]+\*' | tr -d '*' | as_set; }

source "$tools/completion/syncspawn.bash"
completed_by_bash() { # WORD..., of which the last one is begun
    COMP_WORDS=("$@")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _syncspawn
    printf '%s\n' "${COMPREPLY[@]}" | as_set
}
# What zsh offers behind a command; `*` is the program itself.
branch_of_zsh() { sed -n "/^        $1)/,/;;/p" "$tools/completion/_syncspawn"; }
options_of_zsh() { branch_of_zsh "$1" | grep -oE -- '--[a-z][a-z0-9-]+' | as_set; }

commands=$(commands_in_help)
check "the commands are found in --help" test "$commands" = "barrier help run"
same "bash completes the commands" "$commands" "$(completed_by_bash syncspawn '' | tr ' ' '\n' | grep -v '^-' | as_set)"
same "and those that help explains" "$commands" "$(completed_by_bash syncspawn help '' | tr ' ' '\n' | grep -v '^-' | as_set)"
for branch in 'help' '\*'; do
    same "zsh completes the commands in the branch $branch" "$commands" \
        "$(branch_of_zsh "$branch" | sed -n 's/.*_values command//p' | tr ' ' '\n' | grep -v '^-' | as_set)"
done
for command in $commands; do
    check "syncspawn.1 has $command in its synopsis" grep -qF "*syncspawn $command*" <<<"$synopsis"
done

check "the options are found in --help" test "$(options_in_help barrier)" = "--help --timeout -h"
check "those of run too" grep -q -- ' --wait-ready ' <<<"$(options_in_help run)"
for command in run barrier; do
    options=$(options_in_help "$command")
    same "syncspawn-$command.1 explains the options" "$options" "$(entries_in_manual "syncspawn-$command" OPTIONS)"
    options=$(only_long <<<"$options")
    same "bash completes the options of $command" "$options" \
        "$(completed_by_bash syncspawn "$command" -- | only_long)"
    same "zsh completes the options of $command" "$options" "$(options_of_zsh "$command")"
done
same "bash completes the options of the program" "$(options_in_help | only_long)" \
    "$(completed_by_bash syncspawn -- | only_long)"
same "zsh completes the options of the program" "$(options_in_help | only_long)" "$(options_of_zsh '\*')"
for option in $(options_in_help); do
    check "and $option" grep -qF -- "*$option*" <<<"$synopsis"
done

# bash hands over --chdir=/tmp as three words.
_command_offset() { COMPREPLY=("the words of ${COMP_WORDS[$1]}"); }
compopt() { COMPREPLY=("$2"); }
for options in "" "--" "--chdir /tmp" "--chdir = /tmp" "--wait-ready = 2s" "--setenv A b" "--setenv A = b" "--setenv = A b" \
    "--setenv = A = b" "--unsetenv A --map-root"; do
    # shellcheck disable=SC2086
    same "behind '$options' bash leaves a program to its own completion" "the words of prog" \
        "$(completed_by_bash syncspawn run $options prog -)"
done
unset -f _command_offset
for sign in "" "="; do
    same "bash completes the value of --chdir $sign" "dirnames" "$(completed_by_bash syncspawn run --chdir $sign /t)"
    same "bash completes the value of --unsetenv $sign" "COMP_WORDBREAKS" "$(completed_by_bash syncspawn run --unsetenv $sign COMP_WORDB)"
    same "bash has nothing to say of --setup-timeout $sign" "" "$(completed_by_bash syncspawn run --setup-timeout $sign t)"
    same "nor of --timeout $sign" "" "$(completed_by_bash syncspawn barrier --timeout $sign p)"
done
same "nor of a limit of readiness" "" "$(completed_by_bash syncspawn run --wait-ready = t)"
same "nor of the value of a variable" "" "$(completed_by_bash syncspawn run --setenv A t)"
unset -f compopt

operations=$(operations_in_help)
check "the operations are found in --help" test "$(wc -w <<<"$operations")" = 8
same "the manual explains the operations" "$operations" "$(entries_in_manual syncspawn-barrier OPERATIONS)"
same "bash completes the operations" "$operations" \
    "$(completed_by_bash syncspawn barrier '' | tr ' ' '\n' | grep -v '^-' | as_set)"
same "zsh completes the operations" "$operations" \
    "$(sed -n 's/.*operations=(\(.*\))/\1/p' "$tools/completion/_syncspawn" | tr ' ' '\n' | as_set)"

check "bash completes a prefix of a command" test "$(completed_by_bash syncspawn ba)" = "barrier"
check "bash completes a prefix of an option" test "$(completed_by_bash syncspawn run --map)" = "--map-root"
check "bash completes a prefix of an operation" test "$(completed_by_bash syncspawn barrier place-)" = "place-and-sync"
finish
