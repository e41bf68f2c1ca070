#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# runc CVE-2024-21626, CVE-2016-9962: a descriptor or the working directory of the host leaks into the
# container. The hook leaves none, needs none of those it inherits, and runs with any of them closed.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
hostile debian true
attack 'descriptors' 'done' /bin/sh -c 'ls /proc/self/fd | tr "\n" " "; readlink /proc/1/cwd'
equal 'inside are the three standard ones, and that of ls' '0 1 2 3 /' "$output"
drop_bundle

hostile debian true
edit_bundle '.process.cwd = "/proc/self/fd/7"'
attack 'the working directory is a descriptor' runtime /bin/sh -c "$inspect_container"
[ "$outcome" != 'done' ] || equal 'nothing of the host is seen' "$(smi_line 0 "$uuid1")" "$output"
drop_bundle

# Descriptors of the host that are open for the hook are neither used nor passed on.
direct_bundle debian NVIDIA_VISIBLE_DEVICES=all
exec {leaked}< "$canary"
direct 'a directory of the host is open in the hook' 'done' 'with_proc; with_dev'
exec {leaked}<&-

# without NAME WANTED REDIRECTIONS: with other standard descriptors.
without() {
	local wrong outcome=closed
	start_container "${4:-with_proc; with_dev}"
	printf '#!/bin/bash\nexec "$@" %s\n' "$3" > "$work/without"
	chmod +x "$work/without"
	call_hook "$work/without"
	# Without standard error it has nowhere to say why.
	[[ $3 != *'2>'* ]] || [ $rc = 0 ] || errors='davit: cannot (fix: no)'
	wrong=$(judge)
	said=$(grep -rls 'davit: cannot' "$upper/upper" || true)
	[ $rc != 0 ] || outcome='done'
	stop_container
	equal "$1: $2" "$2" "$outcome$wrong"
}
without 'standard output is closed' 'done' '>&-'
without 'standard error is closed' 'done' '2>&-'
without 'standard output and error are closed' 'done' '>&- 2>&-'
without 'standard input is closed' closed '<&-'
without 'all of them are closed' closed '<&- >&- 2>&-'
without 'standard error is full' 'done' '2> /dev/full'
without 'nobody reads standard error any more, and the image is refused' closed '2> >(:)' \
	'with_proc; with_dev; echo none > etc/ld.so.cache'
# The message goes to nobody: in particular to no file that got number 2.
without 'standard error is closed and the image refused' closed '>&- 2>&-' \
	'with_proc; with_dev; echo none > etc/ld.so.cache'
equal 'what it refuses is written into no file of the image' '' "$said"
canary_untouched 'leaked descriptors'
honest_works 'leaked descriptors'
report_exit
