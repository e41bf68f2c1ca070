#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `davit try` runs types into the administrator's terminal (TIOCSTI, TIOCLINUX), whichever of the
# standard streams that is, or by /dev/tty. The command has one of its own, or none.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
needs python3
enter_namespace "$@"
attack_place
attack_tool terminal -static
bundle=$work/bundle
mkdir "$bundle"
cp -a "$(kind_root debian)" "$bundle/rootfs"
cp "$tools/terminal" "$bundle/rootfs/terminal"

on_terminal() { # STDIN COMMAND...
	timeout 40 python3 "$repository/tests/attacks/terminal.py" "$1" "$davit" try --bundle "$bundle" \
		--config "$config" --gpus none -- "${@:2}" || true
}
# TIOCSTI works here, or the test would show nothing.
if ! python3 "$repository/tests/attacks/terminal.py" tty "$tools/terminal" | grep -q '^typed b'; then
	printf '    this kernel refuses TIOCSTI; descriptors and sessions are looked at all the same\n'
fi
equal 'try on a terminal: it has one of its own' 'tty opened, stdin tty, stderr tty
exit 7
mode same
typed nothing' "$(on_terminal tty /terminal | grep -v typed-from-inside)"
equal 'try, standard input is a file: the other streams are of its own' 'tty opened, stdin other, stderr tty
exit 7
mode same
typed nothing' "$(on_terminal null /terminal | grep -v typed-from-inside)"
equal 'try without a terminal as a stream: /dev/tty is none' 'tty none, stdin other, stderr other
exit 7
mode same
typed nothing' "$(timeout 40 python3 "$repository/tests/attacks/terminal.py" null bash -c \
	"\"\$@\" > '$work/out' 2> '$work/err'; rc=\$?; cat '$work/out' '$work/err'; exit \$rc" bash \
	"$davit" try --bundle "$bundle" --config "$config" --gpus none -- /terminal)"
equal 'try, killed: the mode is given back' 'raw meanwhile
waiting
exit -9
mode same
typed nothing' "$(on_terminal kill /bin/sh -c 'echo waiting; sleep 30')"
equal 'try: what the terminal sends reaches the command' 'stopped' \
	"$(python3 - "$davit" try --bundle "$bundle" --config "$config" --gpus none -- /bin/sh -c \
		'trap "echo stopped; exit 3" INT; echo ready; while :; do sleep 0.1; done' << 'END' | grep -o stopped
import os, pty, sys, time
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
output, sent = b"", False
end = time.monotonic() + 10
while time.monotonic() < end:
    try:
        output += os.read(fd, 1000)
    except OSError:
        break
    if b"ready" in output and not sent:
        os.write(fd, b"\x03")
        sent = True
print(output.decode())
END
)"
canary_untouched 'try on a terminal'
report_exit
