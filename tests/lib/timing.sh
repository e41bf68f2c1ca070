# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Wall time in microseconds.

# timed FILE COMMAND...: runs it, adds its time to the file, a line each.
timed() {
	local before=${EPOCHREALTIME/./} rc=0
	"${@:2}" || rc=$?
	printf '%d\n' $((${EPOCHREALTIME/./} - before)) >> "$1"
	return $rc
}

# A hook that runs the real one and adds its time to a file, starting and ending it included.
write_timed_hook() { # PATH HOOK CONFIG FILE
	cat > "$1" << END
#!/bin/bash
LC_ALL=C
before=\${EPOCHREALTIME/./}
"$2" --config "$3" prestart || exit
printf '%d\n' \$((\${EPOCHREALTIME/./} - before)) >> "$4"
END
	chmod +x "$1"
}

median() { # FILE
	sort -n "$1" | awk '{ at[NR] = $1 } END { print NR % 2 ? at[(NR + 1) / 2] : int((at[NR / 2] + at[NR / 2 + 1]) / 2) }'
}

milliseconds() { # MICROSECONDS
	printf '%d.%02d ms' $(($1 / 1000)) $(($1 % 1000 / 10))
}

smallest_and_largest() { # FILE
	local sorted
	sorted=$(sort -n "$1")
	printf '%s to %s' "$(milliseconds "$(head -n 1 <<< "$sorted")")" \
		"$(milliseconds "$(tail -n 1 <<< "$sorted")")"
}
