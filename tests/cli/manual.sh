#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The man pages name every command and option that --help names, and every key of the configuration
# with its default; and they are where they belong after an installation.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
needs mandoc groff
make_work
manual=$repository/docs/man

page() { # FILE: as plain text
	mandoc -T ascii -O width=500 "$manual/$1" | sed 's/.\x08//g'
}

for file in "$manual"/*; do
	equal "${file##*/}: mandoc has nothing to say" '' "$(mandoc -T lint "$file" 2>&1 || true)"
	equal "${file##*/}: nor has groff" '' "$(groff -man -ww -T ascii "$file" 2>&1 > /dev/null)"
done

# --- davit(1) ------------------------------------------------------------------------------------

page davit.1 > "$work/davit.1"
# section COMMAND: what the page says of it.
section() {
	awk -v name="   $1" '
		/^   [^ ]/ || /^[^ ]/ { inside = $0 == name || index($0, name " ") == 1 }
		inside' "$work/davit.1"
}
# What is in --help and not in the page. Of every command, --config and --help are told once.
walk() { # WORD...
	local help option word text
	help=$("$davit" "$@" --help)
	if ! grep -q "COMMAND --help\` for details" <<< "$help"; then
		text=$(section "davit $*")
		[ -n "$text" ] || printf 'the command: davit %s\n' "$*"
		sed -nE 's/^  (--[a-z.-]+( [^ ]+)?)  .*/\1/p' <<< "$help" |
			grep -vxE -e '--help' -e '--config FILE' | while read -r option; do
				grep -qE -- "^       ${option//|/\\|}( |\$)" <<< "$text" ||
					printf 'davit %s: %s\n' "$*" "$option"
			done
		# The usage behind the command's name.
		word=$(sed -n '1s/.*\[OPTION\.\.\.\]//p' <<< "$help")
		grep -qxF -- "   davit $*$word" <<< "$text" || printf 'davit %s: its words:%s\n' "$*" "$word"
		return
	fi
	while read -r word; do
		walk "$@" "$word"
	done < <(sed -nE 's/^  ([a-z][a-z-]*) .*/\1/p' <<< "$help")
}
equal 'davit(1) has every command and every option' '' "$(walk)"
# And the other way round: no heading without its command.
equal 'davit(1) has no command that there isn'\''t' '' "$(sed -n 's/^   \(davit [a-z -]*[a-z]\).*/\1/p' "$work/davit.1" |
	while read -r name word; do
		# shellcheck disable=SC2086 # words
		[ "$name" = davit ] && "$davit" $word --help > /dev/null 2>&1 || echo "$name $word"
	done)"
matches 'davit(1): options of every command' '^       --config FILE$' "$(cat "$work/davit.1")"

# --- davit.json(5) -------------------------------------------------------------------------------

page davit.json.5 > "$work/davit.json.5"
equal 'davit.json(5) has every key with its default' \
	"$("$davit" config show --config "$repository/config/config.json" | sed -n 's/^\([a-z.-]\+\)  *\(.*\)  (default)$/\1 = \2/p')" \
	"$(sed -n 's/^       \([a-z.-]\+ = .*\)$/\1/p' "$work/davit.json.5")"
page davit.json.5 | sed -n '/^EXAMPLES/,/^SEE/p' | sed '/^[A-Z]/d; /^$/d; /:$/d' > "$work/example.json"
equal 'davit.json(5): davit takes its example' "$work/example.json is valid" \
	"$("$davit" config check "$work/example.json" 2>&1 || true)"

# --- installed -----------------------------------------------------------------------------------

DESTDIR=$work/installed cmake --install "$DAVIT_BUILD" --prefix /usr > /dev/null
equal 'installed: pages and completions' "/usr/share/bash-completion/completions/davit
/usr/share/fish/vendor_completions.d/davit.fish
/usr/share/man/man1/davit.1.gz
/usr/share/man/man5/davit.json.5.gz
/usr/share/man/man8/davit-hook.8.gz
/usr/share/man/man8/davit-runtime.8.gz
/usr/share/zsh/site-functions/_davit" "$(cd "$work/installed" && find . -path '*/man/*' -type f -o -path '*completion*' -type f -o \
	-path '*/site-functions/*' -type f | sed 's/^\.//' | LC_ALL=C sort)"
report_exit
