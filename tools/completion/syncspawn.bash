# bash completion for syncspawn(1)
_syncspawn() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words index
    COMPREPLY=()
    case ${COMP_WORDS[1]-} in
        run)
            # Behind the program's name everything is the program's.
            for ((index = 2; index < COMP_CWORD; index++)); do
                case ${COMP_WORDS[index]} in
                    --setenv) ((index += 2)) ;;
                    --setup-timeout | --chdir | --unsetenv) ((index += 1)) ;;
                    =) ((index += 1)) ;; # bash splits --wait-ready=2s into three words
                    --) ((index++)) && break ;;
                    -*) ;;
                    *) break ;;
                esac
            done
            if ((index < COMP_CWORD)) && declare -F _command_offset >/dev/null; then
                _command_offset "$index"
                return
            fi
            case $previous in
                --chdir) compopt -o dirnames && return ;;
                --unsetenv | --setenv) words=$(compgen -v) ;;
                --setup-timeout) return ;;
                *) words="--map-root --wait-ready --setup-timeout --chdir --setenv --unsetenv --clearenv
                    --timeline --help --" ;;
            esac
            COMPREPLY=($(compgen -W "$words" -- "$current"))
            [[ $current == -* || $previous == --*env ]] || COMPREPLY+=($(compgen -c -- "$current"))
            ;;
        barrier)
            words="place sync wait-next sync-next wait-abortion abort place-and-sync status --timeout --help --"
            COMPREPLY=($(compgen -W "$words" -- "$current"))
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
