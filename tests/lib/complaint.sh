# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# What people search for when a container got no GPU. Each script of tests/complaints makes such a
# situation with a fake driver and a real engine, and asserts that it does no harm any more, or the
# line that the user reads: the hook's, as the engine shows it, and that of `davit doctor`.
# docs/troubleshooting.md has the same numbers.

ENGINE=runc CGROUP=v2
# shellcheck source=tests/lib/place.sh
. "$(dirname "${BASH_SOURCE[0]}")/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"

# complaint NUMBER TITLE: begins each one; the title is what people search for.
complaint() {
	complaint="complaint $1 ($2)"
	[ -z "${work:-}" ] || return 0
	# shellcheck disable=SC2119 # scripts of complaints have no arguments
	enter_namespace
	make_work
	host=$work/host
	config=$host/davit.json
	log=$work/log
	# What doctor finds of engines and of the machine is there.
	machine=$work/machine
	mkdir "$machine"
}

# has_host [OPTION...]: the fake host, anew, and a log, since runtimes drop what a hook says that
# succeeds.
# shellcheck disable=SC2120 # options are few scripts' need
has_host() {
	"$fixture/fake-host" "$host" "$@"
	version=$(< "$DAVIT_BUILD/tests/fixture/driver-version")
	configure '.log = {file: $log}' --arg log "$log"
	: > "$log"
}

configure() { # JQ-FILTER [JQ-OPTION...]
	jq "$@" < "$config" > "$work/davit.json.new"
	cat "$work/davit.json.new" > "$config"
}

both() {
	smi_line 0 "$uuid0"
	smi_line 1 "$uuid1"
}

# The hook's line in what an engine printed, as the hook had it.
hook_line() {
	sed -nE 's/.*(davit: cannot .*\)).*/\1/p' <<< "${1//\\\"/\"}" | head -n 1
}

# refused WHAT LINE: the container at $bundle doesn't start, and that is what the engine shows.
refused() {
	: > "$log"
	run_script 'echo started'
	equal "$complaint: $1: it doesn't start" '1 ' "$((rc != 0)) $output"
	equal "$complaint: $1: the line" "$2" "$(hook_line "$errors")"
	host_unchanged "$complaint: $1"
}

# works WHAT SCRIPT EXPECTED: the container at $bundle starts, and the script prints that.
works() {
	: > "$log"
	run_script "$2"
	equal "$complaint: $1" "0 $3" "$rc $output$errors"
	host_unchanged "$complaint: $1"
}

# doctor_says WHAT CHECK RESULT EVIDENCE REMEDY [OPTION...]: evidence and remedy as regular
# expressions, the latter empty where there is none.
doctor_says() {
	local answer rc=0
	answer=$("$davit" doctor --json --config "$config" --root "$machine" "${@:6}" \
		2> "$work/doctor-errors") || rc=$?
	answer=$(jq -r --arg id "$2" '.checks[] | select(.id == $id) |
		"\(.result): \(.evidence)\(if .remedy == "" then "" else " (fix: \(.remedy))" end)"' \
		<<< "$answer" 2>&1) || true
	matches "$complaint: doctor, $1" "^$3: .*($4).*${5:+\\(fix: .*($5).*\\)}\$" \
		"$answer$(< "$work/doctor-errors")"
	[ "$3" != fail ] || equal "$complaint: doctor, $1: it ends with" 1 "$rc"
}
