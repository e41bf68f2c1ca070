# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# The complaints of people whose containers got no GPU: each is a situation, what the container then
# does, and the line that a person reads, from the hook by way of the engine and from
# `davit doctor`. Needs place.sh and container.sh.

# complaint NUMBER TITLE: what the tests of this script are about; the title is what people search
# for.
complaint() {
	number=$1
	complaint="complaint $1 ($2)"
}

# make_host [OPTION...]: the fake host, with a log, since runtimes drop what a hook that succeeds says.
make_host() {
	host=$work/host
	config=$host/davit.json
	log=$work/log
	"$fixture/fake-host" "$host" "$@"
	version=$(< "$host/driver/version")
	configure '.log = {file: $log}' --arg log "$log"
	: > "$log"
}

configure() { # JQ-FILTER [JQ-OPTION...]
	jq "$@" < "$host/davit.json" > "$work/davit.json.new"
	cat "$work/davit.json.new" > "$host/davit.json"
}

# hook_line: the hook's line in what runc, dockerd or podman printed, as the hook had it.
hook_line() {
	sed -nE 's/.*(davit: cannot .*\)).*/\1/p' <<< "${1//\\\"/\"}" | head -n 1
}

# refused WHAT LINE: the container at $bundle doesn't start, and the engine shows that line.
refused() {
	: > "$log"
	run_script 'echo started'
	equal "$complaint: $1: it doesn't start" '1 ' "$((rc != 0)) $output"
	equal "$complaint: $1: the line" "$2" "$(hook_line "$errors")"
	host_unchanged "$complaint: $1"
}

# works WHAT EXPECTED SCRIPT: the container at $bundle starts, and the script prints that.
works() {
	: > "$log"
	run_script "$3"
	equal "$complaint: $1" "0 $2" "$rc $output$errors"
	host_unchanged "$complaint: $1"
}
