# bash completion for syncspawn(1)
_syncspawn() {
    local words=() starts=() word index last current previous choices
    COMPREPLY=()
    # bash takes --chdir=/tmp for three words.
    for ((index = 0; index <= COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        if ((index > 0)) && [[ $word == =* || ${COMP_WORDS[index - 1]} == = ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word") starts+=("$index")
        fi
    done
    last=$((${#words[@]} - 1)) current=${words[-1]} previous=
    ((last > 0)) && previous=${words[last - 1]}
    # Only what is behind the sign is replaced.
    [[ $current == --*=* ]] && previous=${current%%=*}= current=${current#*=}
    case ${words[1]-} in
        run)
            # Behind the program's name everything is the program's.
            for ((index = 2; index < last; index++)); do
                case ${words[index]} in
                    --setenv=*=*) ;;
                    --setenv=*) ((index += 1)) ;;
                    --setenv) [[ ${words[index + 1]} == *=* ]] && ((index += 1)) || ((index += 2)) ;;
                    --setup-timeout | --chdir | --unsetenv | --timeout | --signal | --kill-after | --keep-fd | --argv0 | \
                        -C | -E | -u | -s | -k) ((index += 1)) ;;
                    --) ((index++)) && break ;;
                    -*) ;;
                    *) break ;;
                esac
            done
            if ((index < last)) && declare -F _command_offset >/dev/null; then
                _command_offset "${starts[index]}"
                return
            fi
            case $previous in
                --chdir | --chdir=) compopt -o dirnames && return ;;
                --unsetenv | --setenv | --unsetenv= | --setenv=) choices=$(compgen -v) ;;
                --setup-timeout | --setup-timeout= | --wait-ready= | --timeout | --timeout= | --kill-after | --kill-after=) return ;;
                --signal | --signal=) choices=$(compgen -A signal) ;;
                *) ((index > last)) && return # the value of --setenv
                    choices="--map-root --wait-ready --setup-timeout --chdir --setenv --unsetenv --clearenv
                        --timeline --timeout --signal --kill-after --pty --no-pty --new-session --no-new-session --keep-fd
                        --quiet --no-quiet --argv0 --help --" ;;
            esac
            COMPREPLY=($(compgen -W "$choices" -- "$current"))
            [[ $current == -* || $previous == --*env || $previous == --*env= ]] ||
                COMPREPLY+=($(compgen -c -- "$current"))
            ;;
        barrier)
            [[ $previous == --timeout || $previous == --timeout= ]] && return
            choices="place sync wait-next sync-next wait-abortion abort place-and-sync status --timeout --help --"
            COMPREPLY=($(compgen -W "$choices" -- "$current"))
            ;;
        help)
            COMPREPLY=($(compgen -W "run barrier help --help" -- "$current"))
            ;;
        *)
            COMPREPLY=($(compgen -W "run barrier help --help --version -V" -- "$current"))
            ;;
    esac
}
complete -F _syncspawn syncspawn
