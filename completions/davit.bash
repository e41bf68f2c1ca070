# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of davit in bash: davit itself says what may come next.
_davit() {
	local line word=${COMP_WORDS[COMP_CWORD]}
	local words=("${COMP_WORDS[@]:1:COMP_CWORD}")

	# "--option=" is two words here, and what follows it a third.
	if [ "$word" = = ]; then
		word=
		words+=('')
	fi
	COMPREPLY=()
	while IFS= read -r line; do
		case $line in
		:file)
			compopt -o filenames 2> /dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$word")
			;;
		:directory)
			compopt -o filenames 2> /dev/null
			mapfile -t COMPREPLY < <(compgen -d -- "$word")
			;;
		*) COMPREPLY+=("${line%%$'\t'*}") ;;
		esac
	done < <("$1" --complete "${words[@]}" 2> /dev/null)
}
complete -F _davit davit
