# fish completion for syncspawn(1) and syncspawn-bwrap(1). What may follow says the program itself: `syncspawn complete WORD...`.
function __syncspawn_complete
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l answer ($words[1] complete $words[2..-1] "$current" 2>/dev/null)
    set -l kept $answer[2]
    set -l begun (string replace -- "$kept" '' "$current")
    switch "$answer[1]"
        case words
            printf '%s\n' $kept$answer[3..-1]
        case program-line
            # Its options are its own affair.
            set -l first (math $answer[2] + 2)
            complete --do-complete (string escape -- $words[$first..-1] | string join ' ')" $current"
        case files
            printf '%s\n' $kept(__fish_complete_path "$begun")
        case directories
            printf '%s\n' $kept(__fish_complete_directories "$begun" '')
        case programs
            printf '%s\n' $kept(complete --do-complete "$begun")
        case variables
            printf '%s\n' $kept(set --names --export)
        case users
            printf '%s\n' $kept(__fish_complete_users)
        case groups
            printf '%s\n' $kept(__fish_complete_groups)
    end
end
complete --command syncspawn --no-files --arguments '(__syncspawn_complete)'

# Options from --help. Their values are paths, mostly, and a program follows.
function __syncspawn_bwrap_options
    set -l words (commandline --tokenize --current-process)
    $words[1] --help 2>/dev/null | string replace --filter --regex '^ *(--[a-z0-9-]+)(?: [A-Z]+)* +(\S.*)$' '$1\t$2'
end
complete --command syncspawn-bwrap --condition 'string match --quiet -- "-*" (commandline --current-token)' \
    --arguments '(__syncspawn_bwrap_options)'
complete --command syncspawn-bwrap --condition 'not string match --quiet -- "-*" (commandline --current-token)' \
    --arguments '(__fish_complete_command)'
