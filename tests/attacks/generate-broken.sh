#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# That the generator can fail: hooks which do what it looks for, each in one container, are reported.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
ENGINE=runc CGROUP=v2
enter_namespace "$@"
make_work

# broken NAME CASE SCRIPT REPORTED: the hook does its work, then SCRIPT.
broken() {
	local output rc=0
	cat > "$work/hook" << END
#!/bin/bash
read -rd '' state
[[ \$state =~ \"pid\":\ *([0-9]+) ]] && pid=\${BASH_REMATCH[1]}
[[ \$state =~ \"bundle\":\ *\"([^\"]*) ]] && bundle=\${BASH_REMATCH[1]}
volume=\$bundle/../host/volume
$3
END
	chmod +x "$work/hook"
	output=$(env -u DAVIT_TEST_NAMESPACE HOOK="$work/hook" LIMIT=4 "$repository/tests/attacks/generate.sh" "$2" 2>&1) || rc=$?
	equal "a hook that $1: the run fails" 1 "$rc"
	matches "a hook that $1: it is told" "$4" "$output"
}
# case_of [NAME=VALUE...]: a plain one, but for these.
case_of() {
	local name value text=''
	declare -A values=([place]=etc [image]=as-is [volume]=rw [at]=place [method]=hook [runtime]=runc
		[root]=rw [userns]=no [propagation]=private)
	for value; do
		values[${value%%=*}]=${value#*=}
	done
	for name in place image volume at method runtime root userns propagation; do
		text+="$name=${values[$name]} "
	done
	printf '%s\n' "${text% }"
}
really="$hook \"\${@}\" <<< \"\$state\" || exit"
broken 'writes a byte into a volume' "$(case_of)" "$really; printf x >> \$volume/canary" 'the host changed: .*canary'
broken 'makes a file in a volume' "$(case_of)" "$really; : > \$volume/stub" 'the host changed: .*stub'
broken 'makes a node in a /dev of the host' "$(case_of place=dev volume=host-dev)" \
	": > \$volume/nvidia9" 'the host changed: .*nvidia9'
broken 'leaves a mount on a shared volume' "$(case_of volume=rw-shared)" \
	"mount --bind /etc/hostname \$volume/canary" 'ESCAPE: '
broken 'loses what is written' "$(case_of)" \
	"$really; nsenter --mount=/proc/\$pid/ns/mnt mount -t tmpfs tmpfs \$bundle/rootfs/etc" 'into the volume is lost'
broken 'hangs' "$(case_of volume=none at=link)" 'sleep 30' 'it hung'
broken 'fails without a line' "$(case_of volume=none at=link)" 'exit 1' 'refused without a line'
broken 'fails without a remedy' "$(case_of volume=none at=link)" 'echo "davit: cannot go on" >&2; exit 1' 'no remedy'
broken 'does nothing' "$(case_of volume=none at=link)" 'exit 0' 'started without its GPU'
broken 'is killed' "$(case_of volume=none at=link)" 'kill -SYS $$' '(it crashed|without a line)'
report_exit
