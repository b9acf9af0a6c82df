#!/usr/bin/env bash
# What the program's tables know, the manual explains and the completions offer: all of it, and nothing else. The tables
# are read from --help, which is made of them. Arguments: the program, the sources.
source "$(dirname "$0")/expect.sh"
tools=$2/tools

# Words on standard input, each once, on one line.
as_set() { grep . | LC_ALL=C sort -u | paste -sd ' '; }

# same NAME EXPECTED FOUND: two sets of words.
same() {
    if [[ $2 == "$3" ]]; then
        check "$1" true
    else
        check "$1" false
        diff <(tr ' ' '\n' <<<"$2") <(tr ' ' '\n' <<<"$3") | sed -n 's/^</  missing:/p; s/^>/  too much:/p'
    fi
}

# The rows of a list in --help begin with two blanks, the lines that go on with more.
commands_in_help() { guarded syncspawn help | sed -n '/^Commands:/,/^$/s/^  \([a-z]\S*\).*/\1/p' | as_set; }
options_in_help() { # PROGRAM [COMMAND]...
    guarded "$@" --help | sed -n 's/^ \{2,4\}\(-.*\)/\1/p' | sed 's/  .*//' | grep -oE -- '(^| )--?[][A-Za-z0-9-]+' |
        sed -n 's/^ *--\[no-\]\(.*\)/--\1\n--no-\1/p; t; s/^ *//; s/\[$//; p' | as_set
}
operations_in_help() {
    guarded syncspawn barrier --help | paste -sd ' ' | sed 's/.* An OP is \([^.]*\)\..*/\1/; s/, \| or /\n/g' | as_set
}
only_long() { tr ' ' '\n' | grep -- '^--.' | as_set; }
no_options() { tr ' ' '\n' | grep -v -- '^-' | as_set; }

# The manual. An entry is a line that begins in bold; a section goes up to the next.
synopsis=$(sed -n '/^# SYNOPSIS/,/^# DESCRIPTION/p' "$tools/man/syncspawn.1.scd")
entries_in_manual() { # PAGE SECTION
    sed -n "/^# $2/,/^# /s/^\(\*.*\)/\1/p" "$tools/man/$1.1.scd" | grep -oE '\*[A-Za-z0-9-]+\*' | tr -d '*' | as_set
}

commands=$(commands_in_help)
check "the commands are found in --help" grep -qw 'barrier .*help .*run' <<<"$commands"
for command in $commands; do
    check "syncspawn.1 has $command in its synopsis" grep -qF "*syncspawn $command*" <<<"$synopsis"
    [[ $command == help ]] ||
        same "syncspawn-$command.1 explains the options" "$(options_in_help syncspawn "$command")" \
            "$(entries_in_manual "syncspawn-$command" OPTIONS)"
done
for option in $(options_in_help syncspawn); do
    check "and $option" grep -qF -- "*$option*" <<<"$synopsis"
done
check "the options are found in --help" test "$(options_in_help syncspawn barrier)" = "--help --timeout -h"
operations=$(operations_in_help)
check "the operations are found in --help" test "$(wc -w <<<"$operations")" = 8
same "the manual explains the operations" "$operations" "$(entries_in_manual syncspawn-barrier OPERATIONS)"
same "syncspawn-policy.5 explains the keys" \
    "$(awk -F'|' '/^\/\/\/ \|/ && $3 !~ / key |---/ { gsub(/[ ,]+/, "\n", $3); print $3 }' "$2/include/syncspawn/sandbox/policy_file.hpp" | as_set)" \
    "$(sed -n '/^# KEYS/,/^# /s/^\(\*.*\)/\1/p' "$tools/man/syncspawn-policy.5.scd" | grep -oE '\*[a-z_]+\*' | tr -d '*' | as_set)"
bwrap=$(dirname "$syncspawn")/syncspawn-bwrap
if [[ -x $bwrap ]]; then
    same "syncspawn-bwrap.1 explains the options" "$(options_in_help syncspawn-bwrap)" "$(entries_in_manual syncspawn-bwrap OPTIONS)"
fi

# What the program itself says to the shells. The words of a set stand in the help of its option.
completed_by_program() { guarded syncspawn complete "$@" | tail -n +3 | cut -f 1 | as_set; }
for option in $(guarded syncspawn run --help | sed -nE 's/^  (--[a-z-]+) (WHAT|GUARANTEE|KIND)\b.*/\1/p'); do
    words=$(completed_by_program run "$option" "")
    check "there are words to complete for $option" test "$(wc -w <<<"$words")" -ge 2
    for word in $words; do
        check "--help has $word" grep -qw -- "$word" <<<"$(guarded syncspawn run --help)"
    done
    same "a word of $option can be completed" "${words##* }" "$(completed_by_program run "$option=${words##* }")"
done

# What each shell makes of the script that it is given; of a blank-separated line, the last word is begun.
source "$tools/completion/syncspawn.bash"
compopt() { :; }
_command_offset() { COMPREPLY=("line-of-${COMP_WORDS[$1]}"); }
completed_by_bash() { # LINE
    COMP_LINE=$1
    # bash hands over --chdir=/tmp as three words.
    read -ra COMP_WORDS <<<"${1//=/ = }"
    [[ $1 != *' ' ]] || COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    case ${COMP_WORDS[0]} in
        syncspawn-bwrap) _syncspawn_bwrap "${COMP_WORDS[0]}" "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}" ;;
        *) _syncspawn ;;
    esac
    printf '%s\n' "${COMPREPLY[@]}" | as_set
}
described_by_fish() {
    HOME=$scratch/home XDG_CONFIG_HOME=$scratch/home XDG_DATA_HOME=$scratch/home guarded fish -c \
        "source '$tools/completion/syncspawn.fish'; complete --do-complete '$1'"
}
completed_by_fish() { described_by_fish "$1" | cut -f 1 | as_set; }
# Without its completion system, whose functions say here what they were asked for.
cat >"$scratch/completion.zsh" <<'END'
script=$1 line=$2
_call_program() { shift; eval "$@" }
_describe() { [[ $1 != -o || $PREFIX == -* ]] || return; local each; for each in "${(@P)argv[-1]}"; do print -r -- "${each%%:*}"; done }
_files() { print -rl -- ${PREFIX}*(N${1:+/}) }
_command_names() { print -rl -- ${(k)commands[(I)$PREFIX*]} }
_parameters() { print -rl -- ${(k)parameters[(I)$PREFIX*]} }
_users() { print root }
_groups() { print root }
_normal() { print -r -- "line-of-$words[1]" }
compset() { PREFIX=${PREFIX#${~2}} }
words=(${=line})
[[ $line != *' ' ]] || words+=("")
CURRENT=$#words PREFIX=$words[-1] service=$words[1]
source $script
END
completed_by_zsh() { guarded zsh -f "$scratch/completion.zsh" "$tools/completion/_syncspawn" "$1" | as_set; }

mkdir -p "$scratch/tree/directory"
touch "$scratch/tree/file"
shells=(bash)
for shell in zsh fish; do
    if command -v "$shell" >"$scratch/out"; then
        shells+=("$shell")
    else
        echo "SKIP-REASON: there is no $shell here to try its completion"
    fi
done
for shell in "${shells[@]}"; do
    completed() { "completed_by_$shell" "$1"; }
    offers() { # LINE WORD...: these among others
        local line=$1 word found
        shift
        found=" $(completed "$line") "
        for word in "$@"; do
            check "$shell offers $word behind '$line'" grep -qF -- " $word " <<<"$found"
        done
    }
    same "$shell completes the commands" "$commands" "$(completed 'syncspawn ' | no_options)"
    same "$shell completes what help explains" "$commands" "$(completed 'syncspawn help ' | no_options)"
    same "$shell completes the options of the program" "$(options_in_help syncspawn | only_long)" "$(completed 'syncspawn --')"
    for command in $commands; do
        same "$shell completes the options of $command" "$(options_in_help syncspawn "$command" | only_long)" \
            "$(completed "syncspawn $command --")"
    done
    [[ ! -x $bwrap ]] || same "$shell completes the options of syncspawn-bwrap" "$(options_in_help syncspawn-bwrap)" \
        "$(completed 'syncspawn-bwrap --')"
    [[ $shell != fish || ! -x $bwrap ]] ||
        check "fish says what an option of syncspawn-bwrap does, without its arguments" grep -qx -- $'--ro-bind\tShow .*' <<<"$(described_by_fish 'syncspawn-bwrap --ro-b')"
    same "$shell completes the operations" "$operations" "$(completed 'syncspawn barrier ' | no_options)"
    same "$shell completes a prefix of a command" "barrier" "$(completed 'syncspawn ba')"
    same "$shell completes a prefix of an operation" "place-and-sync" "$(completed 'syncspawn barrier place place-')"
    for line in "" "-- " "--chdir /tmp " "--chdir=/tmp " "--wait-ready=2s " "--setenv A b " "--setenv A=b " "--setenv=A b " \
        "--setenv=A=b " "--unsetenv A --map-root "; do
        [[ $shell == fish ]] ||
            same "behind '$line' $shell leaves a program to its own completion" "line-of-prog" "$(completed "syncspawn run ${line}prog -")"
    done
    [[ $shell != fish ]] || offers "syncspawn run --chdir=/tmp -- syncspawn barrier pl" place place-and-sync
    offers "syncspawn run env" env
    offers "syncspawn run -- env" env
    offers "syncspawn barrier place -- env" env
    for sign in " " "="; do
        offers "syncspawn run --unsetenv${sign}HOM" "$([[ $shell == fish && $sign == = ]] && echo --unsetenv=)HOME"
        same "$shell has nothing to say of --setup-timeout$sign" "" "$(completed "syncspawn run --setup-timeout${sign}t")"
    done
    same "$shell completes directories" "$scratch/tree/directory" "$(completed "syncspawn run --chdir $scratch/tree/" | sed 's/\/$//')"
    same "$shell has nothing to say of the value of a variable" "" "$(completed "syncspawn run --setenv A t")"
done
finish
