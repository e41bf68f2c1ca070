# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Test scripts, as many at a time as there are processors; the output of each in one piece.

# One line more than the script prints: how it went, and how long it took.
# shellcheck disable=SC2317 # called by xargs
run_one() {
	local output rc=0 started=$SECONDS limit=${LIMIT:-600}
	[ "${FULL:-0}" = 0 ] || limit=${LIMIT:-7200}
	output=$results/${1//\//-}
	if [[ $1 = *@* ]]; then
		ENGINE=${1#*@} timeout -k 10 "$limit" "./${1%@*}.sh" > "$output" 2>&1 || rc=$?
	else
		timeout -k 10 "$limit" "./$1.sh" > "$output" 2>&1 || rc=$?
	fi
	if [ "$rc" != 0 ] && ! grep -q '^FAIL ' "$output"; then
		printf 'FAIL %s: it ended with exit code %s\n' "$1" "$rc" >> "$output"
	elif ! grep -qE '^(ok|FAIL|skip) ' "$output"; then
		printf 'FAIL %s: it tested nothing\n' "$1" >> "$output"
	fi
	printf '    %s: %s ok, %s failed, %d s\n' "$1" "$(grep -c '^ok ' "$output")" \
		"$(grep -c '^FAIL ' "$output")" $((SECONDS - started)) >> "$output"
	# In one write each, so that outputs do not mix.
	flock "$results" cat "$output"
	! grep -q '^FAIL ' "$output"
}

# run_parallel NAME...: ./NAME.sh of the current directory, NAME@ENGINE with that engine.
run_parallel() {
	local rc=0
	results=$(mktemp -d)
	trap 'rm -rf "$results"' EXIT
	export results
	export -f run_one
	printf '%s\n' "$@" | xargs -P "$(nproc)" -I NAME bash -c 'run_one NAME' || rc=1
	return $rc
}
