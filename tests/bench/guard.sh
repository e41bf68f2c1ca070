#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# That nobody makes the hook slower: what it does on fixed input is counted, not timed, and held
# against tests/bench/budget. `guard.sh --record` writes that file anew: after a change that is
# worth its price, or one that made the hook faster.
#
# A line of the budget is NAME RECORDED [LIMIT]: one tenth more than recorded is allowed, and never
# more than the limit.
set -euo pipefail

if [ "${DAVIT_BENCH_NAMESPACE:-}" != "$$" ] && [ "$(id -u)" = 0 ]; then
	export DAVIT_BENCH_NAMESPACE=$$
	exec unshare --mount --propagation private "$0" "$@"
fi
cd "$(dirname "$0")/../.."
# shellcheck source=tests/lib/place.sh
. tests/lib/place.sh
# shellcheck source=tests/lib/container.sh
. tests/lib/container.sh
# shellcheck source=tests/bench/setup.sh
. tests/bench/setup.sh
# shellcheck source=tests/bench/methods.sh
. tests/bench/methods.sh
budget=$repository/tests/bench/budget

require_root
record=''
case ${1:-} in
'') ;;
--record) record=1 ;;
*) echo 'usage: tests/bench/guard.sh [--record]' >&2 && exit 2 ;;
esac
build_programs
make_work
own_tmp "$repository" "$DAVIT_BUILD" "$work"
[ "$(stat -f -c %T "$work")" != overlayfs ] || mount -t tmpfs tmpfs "$work"
mkdir -p "$work/empty"
counted=$work/counted
: > "$counted"

# --- counts --------------------------------------------------------------------------------------

# check NAME COUNT
check() {
	local name=$1 count=$2 recorded limit allowed
	recorded=$(awk -v name="$name" '$1 == name { print $2 }' "$budget")
	limit=$(awk -v name="$name" '$1 == name { print $3 }' "$budget")
	printf '%s %s%s\n' "$name" "$count" "${limit:+ $limit}" >> "$counted"
	[ -z "$record" ] || return 0
	if [ -z "$recorded" ]; then
		fail "budget: $name" "it has none (fix: tests/bench/guard.sh --record)"
		return
	fi
	allowed=$((recorded + recorded / 10))
	[ -z "$limit" ] || [ "$allowed" -le "$limit" ] || allowed=$limit
	if [ "$count" -le "$allowed" ]; then
		ok "budget: $name"
	else
		fail "budget: $name" "$count, recorded are $recorded, allowed $allowed"
	fi
}

# system_calls MODE COMMAND...: of the command on $bundle; sets `calls`.
system_calls() {
	local cases=$work/cases
	: > "$cases"
	add_case "$cases" counted "$1" "$bundle" "$root" "$(command -v strace)" -f -c -U calls,name \
		-o "$work/calls" "${@:2}"
	run_measure -r 1 "$cases" > /dev/null
	calls=$(awk '$2 == "total" { print $1 }' "$work/calls")
}

hook_calls() { # NAME MODE
	hook_command
	system_calls "$2" "${hook_words[@]}"
	check "$1" "$calls"
}

# instructions NAME COMMAND...: with the state of $bundle on standard input.
instructions() {
	local state=$work/state.json profile=$work/callgrind log=$work/callgrind.log
	printf '{"ociVersion":"1.0.2","id":"bench","status":"creating","pid":1,"bundle":"%s"}' \
		"$bundle" > "$state"
	# With nothing in its environment: the C library reads that, too.
	if ! env -i "$(command -v valgrind)" --tool=callgrind --callgrind-out-file="$profile" \
		"${@:2}" < "$state" > "$log" 2>&1; then
		fail "budget: $1" 'it fails under callgrind' "$(tail -n 20 "$log")"
		return
	fi
	check "$1" "$(awk '/^(summary|totals):/ { print $2; exit }' "$profile")"
}

# What davit-runtime does before it becomes the low-level runtime, for a container that asks for
# nothing. Callgrind's counts are gone with the program, so there is none to become.
runtime_instructions() { # NAME
	local profile=$work/callgrind log=$work/callgrind.log
	configure_low_level "$work/absent"
	env -i "$(command -v valgrind)" --tool=callgrind --callgrind-out-file="$profile" \
		"$runtime" create -b "$bundle" nobody < /dev/null > "$log" 2>&1 || true
	check "$1" "$(awk '/^(summary|totals):/ { print $2; exit }' "$profile")"
}

# fresh_root: an overlay over the image at $bundle's root, alone.
fresh_root() {
	! mountpoint -q "$bundle/rootfs" || umount -R "$bundle/rootfs"
	rm -rf "$bundle"/{upper,work}
	mkdir -p "$bundle"/{upper,work}
	mount -t overlay overlay "$bundle/rootfs" -o "lowerdir=$root,upperdir=$bundle/upper,workdir=$bundle/work"
}

# method_calls NAME CALLS COMMAND...: calls of these kinds (strace's -e), with the state of $bundle.
method_calls() {
	local state=$work/state.json
	printf '{"ociVersion":"1.0.2","id":"bench","status":"creating","pid":0,"bundle":"%s"}' "$bundle" > "$state"
	if ! strace -f -c -U calls,name -e "trace=$2" -o "$work/calls" "${@:3}" < "$state" > "$work/out" 2>&1; then
		fail "budget: $1" 'it fails' "$(cat "$work/out")"
		return
	fi
	check "$1" "$(awk '$2 == "total" { print $1 }' "$work/calls")"
}

# The other methods: davit-runtime's edit, and the hooks of edited bundles and of CDI specs.
count_methods() {
	local words
	mkdir -p "$work/bundles"
	mount -t tmpfs tmpfs "$work/bundles"
	use_host 1
	configure_low_level "$bench_build/empty"
	bench_bundle nothing
	method_calls system-calls-edit-nothing-asked all "$runtime" create -b "$bundle" nobody
	gpu_bundle method all
	fresh_root
	method_calls system-calls-edit all "$runtime" create -b "$bundle" nobody
	method_calls system-calls-create-container all "$hook" createContainer
	umount -R "$bundle/rootfs"
	mount -t overlay overlay "$bundle/rootfs" -o "lowerdir=$root,upperdir=$bundle/upper,workdir=$bundle/work"
	method_calls system-calls-poststop all "$hook" poststop
	umount "$bundle/rootfs"
	bench_bundle cdi
	fresh_root
	write_spec --mounts hook
	apply_cdi "$work/cdi.json"
	mapfile -t words < <(jq -r '.hooks.createContainer[0].args[1:][]' "$bundle/config.json")
	method_calls system-calls-cdi all "$hook" "${words[@]}"
	umount -R "$bundle/rootfs"
}

# --- what is counted -----------------------------------------------------------------------------

root=$(kind_root debian)
unified=''
if within v2 stat -f -c %T /sys/fs/cgroup 2> /dev/null | grep -q cgroup2fs; then
	unified=1
fi

if [ -n "$unified" ] && command -v strace > /dev/null; then
	for gpus in 1 8 64; do
		use_host $gpus
		gpu_bundle "gpus-$gpus" all
		hook_calls "system-calls-$gpus-gpus" container
	done
	# What is known of the other seven costs nothing.
	use_host 8
	gpu_bundle one-of-8 0
	hook_calls system-calls-1-of-8-gpus container
else
	skip 'budget: system-calls' 'no strace, or no cgroup v2 to be mounted'
fi
if command -v strace > /dev/null; then
	count_methods
fi
use_host 1
docker_bundle early
if command -v strace > /dev/null; then
	hook_calls system-calls-early-exit plain
fi

# valgrind knows neither openat2 nor open_tree and answers ENOSYS: so only what needs none of them
# on its usual way is counted by instructions.
if command -v valgrind > /dev/null; then
	hook_command
	instructions instructions-early-exit "${hook_words[@]}"
	runtime_instructions instructions-runtime-nothing-asked
	use_host 8
	gpu_bundle explain all
	mount --bind "$root" "$bundle/rootfs"
	instructions instructions-explain-8-gpus "$davit" explain --json --config "$config" \
		--bundle "$bundle"
else
	skip 'budget: instructions' 'no valgrind'
fi

stripped=$work/davit-hook
strip -o "$stripped" "$hook"
check bytes-stripped "$(stat -c %s "$stripped")"

if [ -n "$record" ]; then
	cp "$counted" "$budget"
	cat "$budget"
fi
report_exit
