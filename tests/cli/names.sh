#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every name of NVIDIA's toolkit, called: what tests/names/rows.sh says of it is so. The last table of
# docs/differences.md is made from the same rows; UPDATE=1 writes it.
# shellcheck disable=SC2317,SC2001 # the functions are called by rows; a pattern is quoted
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
require_root
# Callers give no configuration: it is /etc/davit/config.json, here of a namespace alone.
if [ -z "${DAVIT_TEST_NAMES:-}" ]; then
	DAVIT_TEST_NAMES=1 exec unshare --mount --propagation private "$script" "$@"
fi
make_work
export host=$work/host root=$work/root scratch repository work
"$fixture/fake-host" "$host" --mig > /dev/null
"$fixture/fake-rootfs" debian "$root" > /dev/null
mkdir -p "$work"/{bin,etc,layers,bundle,scratch} "$root"/{dev,proc}
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper/davit,work}
cp "$host/davit.json" "$work/etc/upper/davit/config.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
forget_engines
for name in nvidia-ctk:davit davit:davit nvidia-container-cli:davit-container-cli nvidia-cdi-hook:davit-hook \
	nvidia-container-runtime-hook:davit-hook nvidia-container-toolkit:davit-hook \
	nvidia-container-runtime:davit-runtime nvidia-container-runtime.cdi:davit-runtime \
	nvidia-container-runtime.legacy:davit-runtime; do
	ln -s "$DAVIT_BUILD/${name#*:}" "$work/bin/${name%%:*}"
done
PATH=$work/bin:$PATH
(cd "$work/bundle" && runc spec)

# --- what calls are made of ------------------------------------------------------------------------

# shellcheck disable=SC2317 # called by rows
set_key() { # KEY=VALUE: what becomes of an empty configuration
	rm -f "$scratch/set.json"
	nvidia-ctk config --config-file="$scratch/set.json" --set "$1"
}
bundle_with() { # NAME=VALUE...: in $work/bundle; privileged=1: with all capabilities
	printf '%s\036' "$@" | jq -Rs 'split("\u001e")[:-1]' > "$scratch/env"
	jq --slurpfile env "$scratch/env" --arg root "${1:+$root}" --arg privileged "${privileged:-}" '
		.root.path = $root | .process.env += $env[0] | if $privileged == "" then . else
			.process.capabilities[] = ["CAP_SYS_ADMIN"] end' "$work/bundle/config.json" > "$scratch/config.json"
}
explain() { # NAME=VALUE...
	bundle_with "$@"
	mkdir -p "$scratch/bundle"
	mv "$scratch/config.json" "$scratch/bundle/config.json"
	davit explain --bundle "$scratch/bundle"
}
runtime_as() { # PROGRAM NAME=VALUE...: config.json as the low-level runtime would get it
	local program=$1
	shift
	bundle_with "$@"
	mkdir -p "$scratch/bundle"
	mv "$scratch/config.json" "$scratch/bundle/config.json"
	jq '.runtime.candidates = ["/usr/bin/true"]' "$host/davit.json" > "$scratch/true.json"
	unshare --mount --propagation private sh -c 'cat "$1" > "$2/davit.json" && mount --bind "$2/davit.json" /etc/davit/config.json &&
		"$3" create --bundle "$2/bundle" c' - "$scratch/true.json" "$scratch" "$program"
	jq -c .hooks "$scratch/bundle/config.json"
}
# in_root SCRIPT ARGUMENT...: in a mount namespace with an overlay of the root at $layers/root; then
# what is new in it: files, links, and places of mounts.
in_root() {
	unshare --mount --propagation private bash -c '
		mount -t tmpfs tmpfs "$work/layers"
		mkdir "$work"/layers/{upper,work,root}
		layers=$work/layers
		mount -t overlay overlay "$layers/root" -o "lowerdir=$root,upperdir=$layers/upper,workdir=$layers/work"
		mount -t tmpfs tmpfs "$layers/root/dev"
		mount --bind /proc "$layers/root/proc"
		script=$1
		shift
		eval "$script"
		rc=$?
		awk -v below="$layers/root/" "index(\$5, below) == 1 { print \"/\" substr(\$5, length(below) + 1) }" /proc/self/mountinfo
		(cd "$layers/upper" && find . -type l -printf "/%P -> %l\n" -o ! -type d -printf "/%P\n")
		exit $rc' - "$@"
}
configure() { # OPTION...
	in_root 'nvidia-container-cli configure --no-cgroups "$@" "$layers/root"' "$@"
}
state() { # PID
	printf '{"ociVersion": "1.0.2", "id": "x", "status": "creating", "pid": %d, "bundle": "%s"}' "$1" "$scratch/state"
}
cdi_hook_as() { # PROGRAM ARGUMENT...: a createContainer hook, in the container's mount namespace
	mkdir -p "$scratch/state"
	jq --arg root "$work/layers/root" '.root.path = $root' "$work/bundle/config.json" > "$scratch/state/config.json"
	in_root '
		libraries=usr/lib/x86_64-linux-gnu program=$1
		shift
		touch "$layers/root/$libraries/libcuda.so.580.159.04"
		mount --bind "$host/driver/lib64/libcuda.so.580.159.04" "$layers/root/$libraries/libcuda.so.580.159.04"
		state 0 | $program "$@"' "$@"
}
hook_as() { # PROGRAM: of a container that asks for nothing
	mkdir -p "$scratch/state"
	jq --arg root "$root" '.root.path = $root' "$work/bundle/config.json" > "$scratch/state/config.json"
	# shellcheck disable=SC2086 # words
	state $$ | $1 ${stage:-prestart}
}
export -f runtime_as set_key bundle_with explain in_root configure state cdi_hook_as hook_as

# --- the rows ----------------------------------------------------------------------------------------

page=$work/table
: > "$page"
section() { # TITLE
	printf '\n### %s\n| name | verdict | |\n| --- | --- | --- |\n' "$1" >> "$page"
	title=$1
}
rows=0
row() { # NAME VERDICT WHY EXIT-CODE EXPRESSION CALL
	local rc=0 output
	printf '| %s | %s | %s |\n' "${1//|/\\|}" "$2" "${3//|/\\|}" >> "$page"
	rows=$((rows + 1))
	scratch=$work/scratch
	rm -rf "$scratch"
	mkdir "$scratch"
	[ -z "${TIMES:-}" ] || printf '%s %s\n' "$EPOCHREALTIME" "$1"
	output=$(bash -o pipefail -c "$6" 2>&1 < /dev/null) || rc=$?
	if ! [[ $2 =~ ^(same|better|refused)$ ]]; then
		fail "$title: $1" "the verdict is $2"
	elif ! [[ $rc =~ ^($4)$ ]]; then
		fail "$title: $1" "exit code $rc, not $4" "$output"
	elif [ -n "$5" ] && ! grep -qE -- "$5" <<< "$output"; then
		fail "$title: $1" "no line matches: $5" "$(head -n 20 <<< "$output")"
	fi
}
scratch=$work/scratch
# shellcheck source=tests/names/rows.sh
. "$repository/tests/names/rows.sh"
needs runc busybox
[ "$report_failed" != 0 ] || ok "$rows names of NVIDIA's toolkit, each called"

# --- the page ----------------------------------------------------------------------------------------

differences=$repository/docs/differences.md
begin='<!-- made by tests/cli/names.sh from tests/names/rows.sh -->'
end='<!-- until here -->'
if [ "${UPDATE:-}" = 1 ]; then
	{
		sed "/^$(sed 's|[/.]|\\&|g' <<< "$begin")\$/q" "$differences"
		cat "$page"
		printf '\n'
		sed -n "/^$end\$/,\$p" "$differences"
	} > "$work/page"
	cat "$work/page" > "$differences"
fi
equal 'docs/differences.md has them all' "$(cat "$page")" \
	"$(sed -n "/^$(sed 's|[/.]|\\&|g' <<< "$begin")\$/,/^$end\$/p" "$differences" | sed '1d;$d' | sed '${/^$/d;}')"
report_exit
