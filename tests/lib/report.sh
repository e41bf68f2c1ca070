# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# What a test script prints: a line per test, `ok NAME`, `FAIL NAME: why` or `skip NAME: reason`.
# Lines that begin with a blank belong to the one above.

report_failed=0

ok() { # NAME
	printf 'ok %s\n' "$1"
}

fail() { # NAME WHY [DETAILS]
	printf 'FAIL %s: %s\n' "$1" "$2"
	[ -z "${3:-}" ] || printf '    %s\n' "${3//$'\n'/$'\n'    }"
	report_failed=1
}

skip() { # NAME REASON
	printf 'skip %s: %s\n' "$1" "$2"
}

# report_host DRIVER [ENGINE]: where the tests below run, for tests/suites/table.
report_host() {
	local system
	# shellcheck source=/dev/null
	system=$(. /etc/os-release && printf '%s %s' "${NAME%% *}" "${VERSION_ID:-sid}")
	printf 'host %s | %s | cgroup %s | %s | %s | %s | %s\n' "$system" "$(uname -m)" "$CGROUP" "$1" \
		"$(date -u +%F)" "${script#"$repository"/}" "${2:--}"
}

equal() { # NAME EXPECTED ACTUAL
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1" 'it differs' "$(diff -u --label expected --label actual \
			<(printf '%s\n' "$2") <(printf '%s\n' "$3") || true)"
	fi
}

matches() { # NAME EXTENDED-REGULAR-EXPRESSION ACTUAL: one of its lines does
	if grep -qE -- "$2" <<< "$3"; then
		ok "$1"
	else
		fail "$1" "no line matches: $2" "$3"
	fi
}

report_exit() {
	exit "$report_failed"
}

# The Debian package of a program, where it has another name.
declare -A package_of=([busybox]=busybox-static [musl-gcc]=musl-tools [unshare]=util-linux [setpriv]=util-linux
	[nsenter]=util-linux [readelf]=binutils [objcopy]=binutils [ninja]=ninja-build [pgrep]=procps
	[docker]=docker.io [dockerd]=docker.io [ctr]=containerd [udevadm]=udev)

# needs PROGRAM...: skips the script, with the reason, when one of them isn't installed.
needs() {
	local program absent=() absent_packages=()
	for program; do
		command -v "$program" > /dev/null && continue
		absent+=("$program")
		absent_packages+=("${package_of[$program]:-$program}")
	done
	[ ${#absent[@]} -gt 0 ] || return 0
	skip "${script#"$repository"/tests/}" \
		"not installed: ${absent[*]} (fix: apt-get install $(printf '%s\n' "${absent_packages[@]}" | sort -u | xargs))"
	report_exit
}

# needs_build PROGRAM...: of the build; without them nothing can be tested.
needs_build() {
	local program
	for program; do
		[ -x "$program" ] && continue
		fail "${script#"$repository"/tests/}" \
			"there is no $program (fix: cmake -G Ninja -S . -B build && cmake --build build)"
		report_exit
	done
}
