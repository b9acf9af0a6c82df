# bash completion for syncspawn(1) and syncspawn-bwrap(1). What may follow says the program itself: `syncspawn complete WORD...`.
_syncspawn() {
    local line=$COMP_LINE words=() starts=() word rest index program kind kept answer=()
    COMPREPLY=()
    # bash takes --chdir=/tmp for three words: what no blank parts is one.
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        rest=${line#"${line%%[![:space:]]*}"}
        if ((index > 0)) && [[ $rest == "$line" && -n $word ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word") starts+=("$index")
        fi
        line=${rest#"$word"}
    done
    program=$(type -P -- "${words[0]/#\~/$HOME}") || return
    mapfile -t answer < <("$program" complete "${words[@]:1}" 2>/dev/null)
    kind=${answer[0]-} kept=${answer[1]-} word=${words[-1]#"$kept"}
    # Only what is behind the last of these is replaced; the rest of what is kept comes back.
    kept=${kept##*[=:]}
    case $kind in
        words)
            COMPREPLY=("${answer[@]:2}")
            COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
            COMPREPLY=("${COMPREPLY[@]/#/$kept}")
            [[ ${COMPREPLY[*]-} == *=* ]] && compopt -o nospace
            ;;
        program-line)
            # Its options are its own affair.
            declare -F _command_offset >/dev/null && _command_offset "${starts[${answer[1]} + 1]}"
            ;;
        files) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
        directories) compopt -o filenames && mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
        programs) mapfile -t COMPREPLY < <(compgen -c -- "$word") ;;
        variables) mapfile -t COMPREPLY < <(compgen -e -- "$word") ;;
        users) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
        groups) mapfile -t COMPREPLY < <(compgen -g -- "$word") ;;
    esac
}
complete -F _syncspawn syncspawn

# Options from --help. Their values are paths, mostly, and a program follows.
_syncspawn_bwrap() {
    local word=$2 options
    COMPREPLY=()
    if [[ $word == -* ]]; then
        options=$("$1" --help 2>/dev/null | sed -n 's/^ *\(--[a-z0-9-]*\).*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
    elif [[ $word == /* || $word == .* || $3 == -* ]]; then
        compopt -o filenames && mapfile -t COMPREPLY < <(compgen -f -- "$word")
    else
        mapfile -t COMPREPLY < <(compgen -c -- "$word")
    fi
}
complete -F _syncspawn_bwrap syncspawn-bwrap
