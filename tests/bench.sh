#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# How fast the hook is, as root on Debian 12: everything in turns in one run. Prints a table, and
# writes results.json, tables (*.tsv) and charts (*.svg) to $OUT_DIR (tests/bench/out).
#   tests/bench.sh              on fake drivers of 1 to 256 GPUs
#   tests/bench.sh --gpu        on this machine's own driver: hook, floor, an empty program, runc
#   tests/bench.sh --pack DIR   gathers what --gpu needs, for a machine without packages or network:
#   tests/bench.sh --gpu --bin DIR
# ROUNDS (100) and COLD_ROUNDS (the same) set the number of rounds. GROUPS_ONLY selects some of the groups
# methods, gpus, early, config, runc, libraries and cold. In the group methods, LOAD_ROUNDS (3) times STARTS
# (96) containers are started, SLOTS (32) at once. NVIDIA_TOOLKIT is a directory with
# nvidia-container-runtime, nvidia-ctk and nvidia-cdi-hook, which are measured, too. Containers write to
# memory, so that the disk isn't measured; the group cold, and with ON_DISK=1 every group, uses the disk.
set -euo pipefail

if [ "${DAVIT_BENCH_NAMESPACE:-}" != "$$" ]; then
	[ "$(id -u)" = 0 ] || { echo 'cannot measure: not root (fix: run as root)' >&2 && exit 1; }
	export DAVIT_BENCH_NAMESPACE=$$
	exec unshare --mount --propagation private "$0" "$@"
fi
cd "$(dirname "$0")/.."
installs_packages=1
# shellcheck source=tests/lib/place.sh
. tests/lib/place.sh
# Carried programs count as installed ones.
word_before=''
for word; do
	[ "$word_before" != --bin ] || PATH=$(realpath "$word"):$PATH
	word_before=$word
done
# shellcheck source=tests/lib/container.sh
. tests/lib/container.sh
# shellcheck source=tests/lib/packages.sh
. tests/lib/packages.sh
# shellcheck source=tests/bench/setup.sh
. tests/bench/setup.sh
# shellcheck source=tests/bench/methods.sh
. tests/bench/methods.sh

usage() {
	echo 'usage: tests/bench.sh [--gpu [--bin DIR] | --pack DIR]' >&2
	exit 2
}

own_driver='' bin='' pack=''
while [ $# -gt 0 ]; do
	case $1 in
	--gpu) own_driver=1 ;;
	--bin | --pack)
		[ $# -ge 2 ] || usage
		printf -v "${1#--}" %s "$2"
		shift
		;;
	*) usage ;;
	esac
	shift
done
ROUNDS=${ROUNDS:-100}
COLD_ROUNDS=${COLD_ROUNDS:-$ROUNDS}
OUT_DIR=${OUT_DIR:-tests/bench/out}

if [ -n "$bin" ]; then
	bin=$(realpath "$bin")
	use_programs "$bin"
	needs jq
else
	need_packages "${build_packages[@]}" "${container_packages[@]}" strace binutils
	build_programs
fi
if [ -n "$pack" ]; then
	pack_programs "$pack"
	exit
fi
make_work
mkdir -p "$OUT_DIR"
OUT_DIR=$(realpath "$OUT_DIR")
own_tmp "$repository" "$DAVIT_BUILD" "$OUT_DIR" "$work" "$bin" "${NVIDIA_TOOLKIT:-}"
# An overlay can't write into another one, which is what the root of a container machine is.
[ "$(stat -f -c %T "$work")" != overlayfs ] || mount -t tmpfs tmpfs "$work"
results=$work/results.jsonl
mkdir -p "$work/empty" "$work/bundles"
[ -n "${ON_DISK:-}" ] || mount -t tmpfs tmpfs "$work/bundles"
unified=''
if within v2 stat -f -c %T /sys/fs/cgroup 2> /dev/null | grep -q cgroup2fs; then
	unified=1
fi

# --- groups --------------------------------------------------------------------------------------

wanted() { # GROUP
	[ -z "${GROUPS_ONLY:-}" ] || [[ " $GROUPS_ONLY " = *" $1 "* ]]
}

# measure_group GROUP OPTION...: the cases gathered in $cases.
measure_group() {
	printf 'measuring: %s\n' "$1" >&2
	run_measure "${@:2}" "$cases" | add_results "$1"
}

add_results() { # GROUP
	jq -c --arg group "$1" '{group: $group} + .' >> "$results"
}

new_cases() {
	cases=$work/cases
	: > "$cases"
}

# How many calls a case's command makes, as a field of its result.
count_calls() { # GROUP CASE
	command -v strace > /dev/null || return 0
	local one=$work/one.cases counts=$work/counts
	awk -F '\t' -v OFS='\t' -v name="$2" -v counts="$counts" -v strace="$(command -v strace)" '
		$1 == name { $5 = strace "\t-f\t-c\t-U\tcalls,name\t-o\t" counts "\t" $5; print }' \
		"$cases" > "$one"
	run_measure -r 1 "$one" > /dev/null
	jq -c --arg group "$1" --arg name "$2" \
		--argjson calls "$(awk '$2 == "total" { print $1 }' "$counts")" \
		'if .group == $group and .name == $name then .calls = $calls else . end' \
		"$results" > "$results.new"
	mv "$results.new" "$results"
}

# The hook, the floor and an empty program in containers, a name after each.
add_gpu_cases() { # NAME DEVICES
	gpu_bundle "$1" "$2"
	floor_plan "$root" "$work/plan-$1"
	hook_command
	add_case "$cases" "hook-$1" container "$bundle" "$root" "${hook_words[@]}"
	add_case "$cases" "floor-$1" container "$bundle" "$root" "$bench_build/floor" "$work/plan-$1"
}

group_gpus() {
	local count name
	new_cases
	bench_bundle empty
	add_case "$cases" empty container "$bundle" "$root" "$bench_build/empty"
	for count in "${gpu_counts[@]}"; do
		choose_host "$count"
		add_gpu_cases "$count" "$devices"
	done
	measure_group gpus -r "$ROUNDS"
	count_calls gpus empty
	for count in "${gpu_counts[@]}"; do
		for name in hook floor; do
			count_calls gpus "$name-$count"
		done
	done
}

group_early() {
	new_cases
	choose_host 1
	docker_bundle early
	hook_command
	add_case "$cases" hook plain "$bundle" - "${hook_words[@]}"
	add_case "$cases" empty plain "$bundle" - "$bench_build/empty"
	measure_group early -r $((ROUNDS * 5))
	count_calls early hook
}

group_config() {
	local kib
	new_cases
	choose_host 1
	hook_command
	for kib in 10 100 1000 10000; do
		bench_bundle "config-$kib"
		edit_bundle '.process.env += [range($kib * 10) | "SERVICE_VARIABLE_\(.)=" + ("value-" * 12)]' \
			--argjson kib "$kib"
		add_case "$cases" "$kib" plain "$bundle" - "${hook_words[@]}"
	done
	measure_group config -r "$ROUNDS"
}

# add_hook COMMAND...: $bundle with that prestart hook
add_hook() {
	edit_bundle '.hooks = {prestart: [{path: $words[0], args: $words}]}' \
		--argjson words "$(json_strings "$@")"
}

runc_case() { # NAME
	add_case "$cases" "$1" mount "$bundle" "$root" "$(command -v runc)" --root "$work/runc" run \
		-b "$bundle" "davit-bench-$1"
}

# The same by davit-runtime, in mode spec: its configuration is this one at the fixed place.
runtime_case() { # NAME-SUFFIX DEVICES
	mountpoint -q /etc/davit || { mkdir -p /etc/davit && mount -t tmpfs tmpfs /etc/davit; }
	jq --arg runc "$(command -v runc)" '.runtime = {candidates: [$runc]}' "$config" \
		> /etc/davit/config.json
	gpu_bundle "runc-runtime$1" "$2"
	cp "$bundle/config.json" "$bundle/config.fresh"
	add_case "$cases" "runtime$1" mount "$bundle" "$root" "$runtime" --root "$work/runc" run \
		-b "$bundle" "davit-bench-runtime$1"
}

runc_cases() { # NAME-SUFFIX DEVICES
	gpu_bundle "runc-hook$1" "$2"
	hook_command
	add_hook "${hook_words[@]}"
	runc_case "hook$1"
	runtime_case "$1" "$2"
	[ -n "$on_unified" ] || return 0
	gpu_bundle "runc-floor$1" "$2"
	floor_plan "$root" "$work/plan-runc$1"
	add_hook "$bench_build/floor" "$work/plan-runc$1"
	runc_case "floor$1"
}

group_runc() {
	local version count on_unified
	for version in v2 v1; do
		on_unified=''
		[ $version = v1 ] || on_unified=$unified
		if ! within $version true 2> /dev/null; then
			printf 'not measured: runc on cgroup %s, which this kernel lets nobody mount\n' $version >&2
			continue
		fi
		new_cases
		bench_bundle runc-none
		runc_case none
		bench_bundle runc-empty
		add_hook "$bench_build/empty"
		runc_case empty
		for count in "${runc_counts[@]}"; do
			choose_host "$count"
			runc_cases "-$count" "$devices"
		done
		printf 'measuring: runc %s\n' $version >&2
		within $version "$measure" -r "$ROUNDS" "$cases" | add_results runc-$version
	done
}

# An image's libraries: a layer over the root, with the links and the cache that ldconfig makes.
library_layer() { # COUNT
	local layer=$work/libraries/$1 merged=$work/merged
	mkdir -p "$layer" "$work/library-work" "$merged"
	mount -t overlay overlay "$merged" -o "lowerdir=$root,upperdir=$layer,workdir=$work/library-work"
	mkdir -p "$merged/usr/local/lib"
	"$bench_build/make-libraries" "$work/libbench.so" "$merged/usr/local/lib" "$1"
	ldconfig -r "$merged"
	rm -rf "$merged/var/cache/ldconfig"
	umount "$merged"
}

library_cases() {
	local count
	new_cases
	choose_host 1
	hook_command
	mkdir -p "$work/libraries"
	"${CC:-cc}" -shared -nostdlib -x c /dev/null -Wl,-soname,libbench00000.so.1 \
		-Wl,-z,noseparate-code -s -o "$work/libbench.so"
	for count in "${library_counts[@]}"; do
		[ -e "$work/libraries/$count" ] || library_layer "$count"
		gpu_bundle "libraries-$count" all
		add_case "$cases" "hook-$count" container "$bundle" "$work/libraries/$count:$root" \
			"${hook_words[@]}"
		bench_bundle "ldconfig-$count"
		add_case "$cases" "ldconfig-$count" mount "$bundle" "$work/libraries/$count:$root" \
			"$(command -v ldconfig)" -r "$bundle/rootfs"
	done
}

group_libraries() {
	library_cases
	measure_group libraries -r "$ROUNDS"
}

group_cold() {
	if ! (echo 3 > /proc/sys/vm/drop_caches) 2> /dev/null; then
		printf 'not measured: a cold cache, since the caches cannot be dropped here\n' >&2
		return
	fi
	! mountpoint -q "$work/bundles" || umount "$work/bundles"
	library_cases
	measure_group cold -d -r "$COLD_ROUNDS"
}

# --- main ----------------------------------------------------------------------------------------

library_counts=(0 100 1000 10000)
if [ -n "$own_driver" ]; then
	make_own_root
	all=$(find /proc/driver/nvidia/gpus -mindepth 1 -maxdepth 1 | wc -l)
	[ "$all" -gt 0 ] || { echo 'cannot measure: no GPU of NVIDIA here' >&2 && exit 1; }
	gpu_counts=(1)
	[ "$all" -lt 2 ] || gpu_counts+=(2)
	[ "$all" -lt 3 ] || gpu_counts+=("$all")
	runc_counts=("${gpu_counts[@]}")
	# The first ones of them.
	choose_host() { # COUNT
		devices=$(seq -s , 0 $(($1 - 1)))
	}
	groups=(methods gpus early runc)
else
	root=$(kind_root debian)
	gpu_counts=(1 2 8 16 64 256)
	runc_counts=(1 8)
	choose_host() { # COUNT
		use_host "$1"
		devices=all
	}
	groups=(methods gpus early config runc libraries cold)
fi

: > "$results"
for group in "${groups[@]}"; do
	! wanted "$group" || "group_$group"
done

stripped=$hook
if command -v strip > /dev/null; then
	stripped=$work/davit-hook
	strip -o "$stripped" "$hook"
fi
jq -s --arg kernel "$(uname -r)" --argjson cpus "$(nproc)" --argjson size "$(stat -c %s "$stripped")" \
	--arg model "$(awk -F ': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)" \
	--arg version "$("$hook" -version)" \
	--arg commit "$(git rev-parse --short HEAD 2> /dev/null || true)" \
	--arg layers "${ON_DISK:+on disk}" \
	'{version: $version, layers: (if $layers == "" then "in memory" else $layers end), commit: $commit, kernel: $kernel, cpus: $cpus, model: $model,
	hook_bytes: $size, results: .}' "$results" > "$OUT_DIR/results.json"
tests/bench/report.sh "$OUT_DIR/results.json" "$OUT_DIR"
