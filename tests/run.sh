#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests, from a clean clone on Debian 12, as root: installs what is missing, builds, and runs
# the groups named (without a name, those that CI runs). A line per test; the last one is
# `N passed, N failed[, N skipped]`. Exits non-zero when one failed, or, with MUST_WORK=1, was
# skipped. DAVIT_BUILD names another folder than build/. OLD_KERNEL=enosys (or eperm) runs the groups
# `engines-all` and `attacks` with programs that a kernel without the newer system calls answers so.
#
# Compilers and analyzers keep a processor busy, containers and engines are mostly waited for: so the
# groups of the first kind run beside the others, and tell what they found at the end. So do the other
# Debian's engines, which see nothing of this one's.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/lib/packages.sh
. tests/lib/packages.sh
# shellcheck source=tests/lib/report.sh
. tests/lib/report.sh
# shellcheck source=tests/lib/engines.sh
. tests/lib/engines.sh
# shellcheck source=tests/lib/old-kernel.sh
. tests/lib/old-kernel.sh

all_groups=(build lint unit sanitize analysis fixture golden cli drivers engines complaints attacks fuzz budget packages docs arm64 trixie)
# Named only.
other_groups=(engines-all clang-analyzer sid platforms)
export DAVIT_BUILD=${DAVIT_BUILD:-build}
export LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
jobs=$(nproc)
beside=(lint unit sanitize analysis fuzz drivers arm64 fixture packages docs trixie)
usage() {
	printf 'usage: tests/run.sh [GROUP...]\ngroups: %s\nby name only: %s\n' "${all_groups[*]}" "${other_groups[*]}" >&2
	exit 2
}

# quietly NAME COMMAND...: one test, that the command succeeds; its output only if it doesn't.
quietly() {
	local output
	if output=$("${@:2}" 2>&1); then
		ok "$1"
	else
		fail "$1" "exit $?" "$(tail -n 60 <<< "$output")"
		return 1
	fi
}

# --- groups --------------------------------------------------------------------------------------

build_folder() { # FOLDER CMAKE-OPTION...
	# CC counts when the folder is new: what somebody configured before stays.
	# Except DAVIT_TESTS, which the README's installation switches off.
	CC=${CC:-gcc} cmake -G Ninja -S . -B "$@" -DDAVIT_TESTS=ON && cmake --build "$1" --parallel "$jobs"
}

group_build() {
	quietly 'build with gcc' build_folder "$DAVIT_BUILD" || return 0
	CC=clang quietly 'build with clang' build_folder "$DAVIT_BUILD-clang" || true
}

c_files() {
	find src include tests -name '*.[ch]'
}

shell_files() {
	find tests .ci hooks cmake -type f 2> /dev/null | while read -r file; do
		[[ $file = *.sh ]] || head -c 64 "$file" | head -n 1 | tr -d '\0' |
			grep -qE '^#!.*\b(ba)?sh\b' || continue
		printf '%s\n' "$file"
	done
}

run_tidy() { # OPTION...
	[ -e "$DAVIT_BUILD-clang/compile_commands.json" ] ||
		CC=clang cmake -G Ninja -S . -B "$DAVIT_BUILD-clang"
	# What the build makes of the lists of system calls is included by a source.
	cmake --build "$DAVIT_BUILD-clang" --target davit_sys
	run-clang-tidy -quiet -j "$jobs" "$@" -p "$DAVIT_BUILD-clang" "^$PWD/src/.*\.c$" |
		sed 's/\x1b\[[0-9;]*m//g; /^clang-tidy/d; /warnings\? generated/d'
}

run_format() {
	c_files | xargs clang-format --dry-run -Werror
}

run_shellcheck() {
	shell_files | xargs shellcheck
}

group_lint() {
	quietly 'clang-format' run_format || true
	# All checks but the analyzer's, which take 19 times as long: CI has gcc's analyzer.
	quietly 'clang-tidy' run_tidy -checks='-clang-analyzer-*' || true
	quietly 'shellcheck' run_shellcheck || true
}

# ctest's verbose output, `12: ok 1 - case` in it, to our lines.
report_cases() { # PREFIX
	awk -v prefix="$1" '
		$1 == "Start" || $1 == "test" { if ($1 == "Start") name[$2 + 0] = $3; next }
		match($0, /^[0-9]+: /) {
			number = substr($0, 1, RLENGTH - 2)
			line = substr($0, RLENGTH + 1)
			if (line ~ /^ok [0-9]+ # SKIP/) {
				sub(/^ok [0-9]+ # SKIP */, "", line)
				printf "skip %s%s: %s: by the test itself\n", prefix, name[number], line
			} else if (line ~ /^ok [0-9]+ /) {
				sub(/^ok [0-9]+ (- )?/, "", line)
				printf "ok %s%s: %s\n", prefix, name[number], line
			} else if (line ~ /^not ok [0-9]+ /) {
				sub(/^not ok [0-9]+ (- )?/, "", line)
				printf "FAIL %s%s: %s: see below\n", prefix, name[number], line
				failed[number] = 1
			} else if (line !~ /^(1\.\.|TAP|# ok|Test |Working Directory)/ && line != "") {
				printf "    %s\n", line
			}
			next
		}
		# "1/9 Test #1: base ......***Exception: SegFault": it ended without a word on a case.
		/^ *[0-9]+\/[0-9]+ Test +#[0-9]+:.*\*\*\*/ {
			match($0, /#[0-9]+/)
			number = substr($0, RSTART + 1, RLENGTH - 1)
			if (!failed[number])
				printf "FAIL %s%s: the program: %s\n", prefix, name[number], $0
		}'
}

run_cases() { # FOLDER PREFIX
	CMOCKA_MESSAGE_OUTPUT=tap ctest --test-dir "$1" -V -j "$jobs" 2>&1 | report_cases "$2" || true
}

group_unit() {
	run_cases "$DAVIT_BUILD" 'unit '
}

group_sanitize() {
	quietly 'build with sanitizers' build_folder "$DAVIT_BUILD-sanitize" \
		-DCMAKE_BUILD_TYPE=Debug -DDAVIT_SANITIZE=ON || return 0
	UBSAN_OPTIONS=print_stacktrace=1 run_cases "$DAVIT_BUILD-sanitize" 'sanitized '
	script 'sanitized golden' env DAVIT_BUILD="$DAVIT_BUILD-sanitize" tests/golden/run
}

group_clang-analyzer() {
	quietly 'clang-tidy, all checks' run_tidy || true
}

# What the compiler's analyzer and valgrind see. Errors that come from another file can't be followed
# by the analyzer, which is why some functions name the number that they return.
run_analyzer() {
	CC=gcc cmake -G Ninja -S . -B "$DAVIT_BUILD-analyzer" -DDAVIT_TESTS=OFF -DCMAKE_C_FLAGS=-fanalyzer &&
		cmake --build "$DAVIT_BUILD-analyzer" --parallel "$jobs"
}

run_valgrind() {
	local program rc=0
	for program in "$DAVIT_BUILD"/tests/unit/test_*; do
		[ ! -f "$program" ] || [ ! -x "$program" ] ||
			valgrind -q --error-exitcode=9 --child-silent-after-fork=yes "$program" || rc=1
	done
	return $rc
}

group_analysis() {
	quietly 'gcc -fanalyzer' run_analyzer || true
	quietly 'unit tests under valgrind' run_valgrind || true
}

# script NAME COMMAND...: a script that reports its tests itself.
script() {
	local rc=0 output started=$SECONDS
	output=$(mktemp)
	# Not by a pipe, which what a script leaves behind would keep open.
	timeout -k 10 "${LIMIT:-300}" "${@:2}" > "$output" 2>&1 || rc=$?
	cat "$output"
	if [ $rc != 0 ] && ! grep -q '^FAIL ' "$output"; then
		fail "$1" "it ended with exit code $rc"
	elif ! grep -qE '^(ok|FAIL|skip) ' "$output"; then
		fail "$1" 'it tested nothing'
	fi
	rm -f "$output"
	printf '    %s: %d s\n' "$1" $((SECONDS - started))
}

fixture_check() {
	tests/fixture/check | sed -u 's/^ok: /ok fixture: /; s/^FAILED: \(.*\)/FAIL fixture: \1: it differs/; s/^skip: /skip fixture: /'
}

group_fixture() {
	export -f fixture_check
	script fixture bash -euo pipefail -c fixture_check
}

group_golden() {
	script golden tests/golden/run
	script 'golden vendors' tests/golden/vendors
	script 'golden doctor' tests/golden/doctor
}

# What davit prints and makes without any engine.
group_cli() {
	local file
	for file in tests/cli/*.sh; do
		script "$(basename "$file" .sh)" "$file"
	done
}

# Where drivers are: the layouts of distributions, and real drivers of Debian's.
group_drivers() {
	script 'drivers, layouts' tests/drivers/layouts.sh
	# Hundreds of megabytes of packages are fetched.
	LIMIT=900 script 'drivers, real ones' tests/drivers/real.sh
}

group_engines() {
	local name engine cgroup
	while read -r name engine cgroup; do
		script "$name, $engine $cgroup" env ENGINE="$engine" CGROUP="$cgroup" "tests/engines/$name.sh" < /dev/null
	done < <(engine_scripts "$@")
}

# Each script with each runtime and on both versions of cgroups.
group_engines-all() {
	group_engines all
}

# With the engines of another Debian, in a chroot: what differs most, or (not in CI) all there is.
group_trixie() {
	LIMIT=900 script trixie tests/suites/run trixie
}

group_sid() {
	LIMIT=1800 script sid tests/suites/run sid all
	LIMIT=1800 script experimental tests/suites/run experimental all
}

group_complaints() {
	tests/complaints/run || true
}

# Attacks and faults, shortened; FULL=1 and its kin are in tests/attacks/run.
group_attacks() {
	CGROUP=v2 tests/attacks/run || true
}

group_fuzz() {
	tests/fuzz/replay.sh || true
}

group_budget() {
	tests/bench/guard.sh || true
}

group_packages() {
	quietly 'packages are built' tests/packages/build . "$DAVIT_BUILD-packages" || return 0
	script deb tests/packages/deb.sh
	script rpm tests/packages/rpm.sh
	script reproducible tests/packages/reproducible.sh
	script release tests/packages/release.sh
}

# After the packages: docs/packaging.md has them built in the same folder, with nothing left to do.
group_docs() {
	script docs tests/docs/run
}

# Whole trees of boards and of a WSL2 host, where somebody has them: PLATFORM_DATA names the folder.
group_platforms() {
	script platforms tests/platforms/run
}

group_arm64() {
	script arm64 tests/arm64/run
}

# --- the run -------------------------------------------------------------------------------------

groups=("$@")
known_groups=("${all_groups[@]}" "${other_groups[@]}")
if [ -n "${OLD_KERNEL:-}" ]; then
	known_groups=(engines engines-all attacks)
	[ $# -gt 0 ] || groups=(engines-all attacks)
fi
[ ${#groups[@]} -gt 0 ] || groups=("${all_groups[@]}")
for group in "${groups[@]}"; do
	[[ " ${known_groups[*]} " = *" $group "* ]] || usage
done
need_packages "${build_packages[@]}" "${container_packages[@]}" "${test_packages[@]}"
# Before anything is built: libraries of both architectures have to be of one version.
if [[ " ${groups[*]} " = *' arm64 '* ]]; then
	need_arm64_packages
fi

log=$(mktemp) others_log=$(mktemp)
trap 'rm -f "$log" "$others_log"' EXIT
# Every other group tests what the first one makes.
if [[ " ${groups[*]} " != *' build '* ]] && ! output=$(build_folder "$DAVIT_BUILD" 2>&1); then
	fail 'build' 'it does not build' "$(tail -n 40 <<< "$output")" | tee -a "$log"
fi
if [ -n "${OLD_KERNEL:-}" ]; then
	old=$(mktemp -d)
	chmod 0755 "$old"
	trap 'rm -rf "$log" "$others_log" "$old"' EXIT
	old_build "$old" "$OLD_KERNEL" "$new_calls"
	export OLD_KERNEL DAVIT_BUILD=$old
fi

run_groups() { # GROUP...
	local group started
	for group; do
		started=$SECONDS
		printf -- '--- %s\n' "$group"
		"group_$group" 2>&1
		printf -- '--- %s: %d s\n' "$group" $((SECONDS - started))
	done
}

first=() second=() others=()
for group in "${groups[@]}"; do
	if [ "$group" = build ]; then
		first+=("$group")
	elif [[ " ${beside[*]} " = *" $group "* ]]; then
		others+=("$group")
	else
		second+=("$group")
	fi
done
run_groups "${first[@]}" | tee -a "$log"
run_groups "${others[@]}" > "$others_log" &
run_groups "${second[@]}" | tee -a "$log"
wait $! || true
tee -a "$log" < "$others_log"
for group in "${groups[@]}"; do
	grep -q "^--- $group: " "$log" || fail "$group" 'it ended before its end' | tee -a "$log"
done

passed=$(grep -c '^ok ' "$log" || true)
failed=$(grep -c '^FAIL ' "$log" || true)
skipped=$(grep -c '^skip ' "$log" || true)
grep -E '^FAIL ' "$log" | sed 's/^/again: /' || true
closing="$passed passed, $failed failed"
[ "$skipped" = 0 ] || closing+=", $skipped skipped"
printf '%s\n' "$closing"
[ "$failed" = 0 ] && [ "$passed" != 0 ] || exit 1
if [ "$skipped" != 0 ] && [ "${MUST_WORK:-0}" = 1 ]; then
	exit 1
fi
