#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Completion in bash, zsh and fish, as somebody who presses the tab key sees it. All of it comes from
# the tables of the commands, so that the scripts know no command by name.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
make_work
mkdir -p "$work/bin" "$work/here/directory"
ln -s "$davit" "$work/bin/davit"
touch "$work/here/file"
export PATH=$work/bin:$PATH HOME=$work XDG_CONFIG_HOME=$work XDG_DATA_HOME=$work
cd "$work/here"

# --- the program ---------------------------------------------------------------------------------

offered() {
	"$davit" --complete "$@" | cut -f1 | paste -sd' '
}
equal 'the commands are those of --help' "$("$davit" --help | sed -n 's/^  \([a-z]\+\) .*/\1/p' | paste -sd' ')" \
	"$(offered '')"
equal 'a group has options, too' '--version --help' "$(offered -)"
# What --help says of a command and what is offered for it, all the way down.
walk() { # WORD...
	local word listed
	listed=$("$davit" "$@" --help | sed -nE 's/^  (--[a-z.-]+).*/\1/p' | sort | paste -sd' ')
	[ "$(offered "$@" - | tr ' ' '\n' | sort | paste -sd' ')" = "$listed" ] || printf 'options of: %s\n' "$*"
	for word in $("$davit" "$@" --help | sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p'); do
		walk "$@" "$word"
	done
}
equal 'every option of every command is offered' '' "$(walk)"
equal 'what is ignored is not' no "$(offered ctk runtime configure - | grep -q -- --executable-path && echo yes || echo no)"
equal 'after a value the option is done' ':directory' "$(offered explain --json --bundle=x --bundle '')"
equal 'nothing after a command that there isn'\''t' '' "$(offered nonsense '')"
equal 'after -- no options' '' "$(offered info -- '')"

# --- bash ----------------------------------------------------------------------------------------

# in_bash WORD...: what a tab behind these words gives.
in_bash() {
	bash -c '
		. "$1"
		shift
		COMP_WORDS=(davit "$@")
		COMP_CWORD=$#
		rule=$(complete -p davit)
		[[ $rule = *"-F _davit"* ]] || exit 1
		_davit davit "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
		printf "%s\n" "${COMPREPLY[@]}"
	' bash "$repository/completions/davit.bash" "$@" | sort | paste -sd' '
}
equal 'bash: commands' 'cdi config configure' "$(in_bash c | sed 's/ ctk//')"
equal 'bash: subcommands' 'generate' "$(in_bash cdi g)"
equal 'bash: options' '--device-name-strategy' "$(in_bash cdi generate --device-n)"
equal 'bash: words' 'containerd crio' "$(in_bash configure --dry-run c)"
equal 'bash: values' 'json yaml' "$(in_bash cdi generate --format '')"
equal 'bash: values behind =' 'yaml' "$(in_bash cdi generate --format = y)"
equal 'bash: values right behind =' 'json yaml' "$(in_bash cdi generate --format =)"
equal 'bash: files' 'directory file' "$(in_bash cdi generate --output '')"
equal 'bash: directories' 'directory' "$(in_bash explain --bundle '')"

# The tab key itself: bash reads the line from a terminal.
typed() { # LINE-WITH-TABS
	printf '%s\n' "$1" exit |
		script -qec "bash --noprofile --rcfile $repository/completions/davit.bash -i" /dev/null 2>&1 | tr -d '\r'
}
printf '%s\n' 'set enable-bracketed-paste off' > "$work/.inputrc"
if command -v script > /dev/null; then
	matches 'bash: typed' '^davit [0-9.]+$' "$(INPUTRC=$work/.inputrc typed $'davit --ver\t')"
else
	skip 'bash: typed' 'script(1) is not installed'
fi

# --- zsh, fish -----------------------------------------------------------------------------------

if command -v zsh > /dev/null; then
	# The last step, which shows the candidates, is ours: outside of a line editor there is none.
	in_zsh() {
		zsh -fc '
			_describe() { print -l -- ${candidates%%:*} }
			_files() { print -- files "$@" }
			compset() { :; }
			words=(davit "${@[2,-1]}")
			CURRENT=$#words
			. "$1"
		' zsh "$repository/completions/_davit" "$@" | sort | paste -sd' '
	}
	equal 'zsh: its syntax' '' "$(zsh -n "$repository/completions/_davit" 2>&1)"
	equal 'zsh: subcommands' 'generate list transform' "$(in_zsh cdi '')"
	equal 'zsh: options' '--device-name-strategy' "$(in_zsh cdi generate --device-n)"
	equal 'zsh: values' 'json yaml' "$(in_zsh cdi generate --format '')"
	equal 'zsh: files' 'files' "$(in_zsh cdi generate --output '')"
	equal 'zsh: directories' 'files -/' "$(in_zsh explain --bundle '')"
else
	skip 'zsh' 'zsh is not installed'
fi
if command -v fish > /dev/null; then
	in_fish() { # LINE
		fish --no-config -c "source $repository/completions/davit.fish; complete -C '$1'" | cut -f1 | sort | paste -sd' '
	}
	equal 'fish: commands' 'config configure' "$(in_fish 'davit conf')"
	equal 'fish: subcommands' 'generate list transform' "$(in_fish 'davit cdi ')"
	equal 'fish: options' '--device-name-strategy' "$(in_fish 'davit cdi generate --device-n')"
	equal 'fish: values' '--format=yaml' "$(in_fish 'davit cdi generate --format=y')"
	equal 'fish: files' 'directory/ file' "$(in_fish 'davit cdi generate --output ')"
	equal 'fish: directories' 'directory/' "$(in_fish 'davit explain --bundle ')"
else
	skip 'fish' 'fish is not installed'
fi
report_exit
