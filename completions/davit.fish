# SPDX-License-Identifier: Apache-2.0
# Completion of davit in fish: davit itself says what may come next.
function __davit_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for line in ($words[1] --complete $words[2..] "$word" 2> /dev/null)
        switch $line
            case :file
                __fish_complete_path "$word"
            case :directory
                __fish_complete_directories "$word"
            case '*'
                echo $line
        end
    end
end
complete -c davit -f -a '(__davit_complete)'
