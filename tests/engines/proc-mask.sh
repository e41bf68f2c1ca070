#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The mask over /proc/driver/nvidia. This machine's kernel has no such directory, so a hook that
# runs before ours gives the container one, as the driver's module would.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
if [ -e /proc/driver/nvidia ]; then
	skip "${0##*/}" 'the kernel has the real directory: tests/gpu.sh tests it'
	report_exit
fi
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --mig
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock

cat > "$work/give-proc" << 'END'
#!/bin/sh
# Puts the fake host's /proc/driver/nvidia where the container of the state has /proc/driver.
pid=$(jq .pid)
exec nsenter --mount="/proc/$pid/ns/mnt" sh -c "
	mount -t tmpfs tmpfs '$2/proc/driver' && cp -r '$1/proc/driver/nvidia' '$2/proc/driver/'"
END
chmod +x "$work/give-proc"

privileged='[]'
# in_masked VARIABLE...: shows what a container with those sees of /proc/driver/nvidia.
in_masked() {
	new_bundle debian "$@"
	edit_bundle '.process.capabilities.bounding += $privileged | .hooks.prestart |= [{path: $give, args: ["give-proc", $host, $root],
		env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}] + .' \
		--argjson privileged "$privileged" --arg give "$work/give-proc" --arg host "$host" --arg root "$bundle/rootfs"
	run_script '
cd /proc/driver/nvidia
echo "== gpus"; ls gpus
echo "== information"; cat gpus/*/information 2> /dev/null
echo "== params"; cat params
echo "== version"; cat version
echo "== capabilities"; find capabilities -type f 2> /dev/null | sort
echo "== write"; (echo x > params) 2>&1; mkdir x 2>&1; (echo x > gpus/x) 2>&1
echo "== mounts"; grep " /proc/driver/nvidia " /proc/self/mountinfo'
	drop_bundle
}

in_masked NVIDIA_VISIBLE_DEVICES=1
name="one of two GPUs ($with)"
equal "$name: it starts" '0 ' "$rc $errors"
host_unchanged "$name"
equal "$name: only its own bus id" 0000:00:07.0 "$(part gpus)"
equal "$name: with the host's information" \
	"$(cat "$host/proc/driver/nvidia/gpus/0000:00:07.0/information")" "$(part information)"
equal "$name: params say that no nodes are to be made" \
	"$(sed 's/^ModifyDeviceFiles: .*/ModifyDeviceFiles: 0/' "$host/proc/driver/nvidia/params")" \
	"$(part params)"
equal "$name: the version is the host's" "$(cat "$host/proc/driver/nvidia/version")" "$(part version)"
equal "$name: no MIG capabilities of the other" '' "$(part capabilities 2> /dev/null)"
equal "$name: nothing can be written" 3 "$(part write | grep -c 'Read-only file system')"
matches "$name: the mount is read-only" ' ro,nosuid,nodev,noexec[, ].* - tmpfs ' "$(part mounts)"

in_masked NVIDIA_VISIBLE_DEVICES=none
name="none ($with)"
equal "$name: no GPU is shown" '0 ' "$rc $(part gpus 2> /dev/null)"
matches "$name: the mount is read-only" ' ro,.* - tmpfs ' "$(part mounts)"

in_masked NVIDIA_VISIBLE_DEVICES=0:1
name="a MIG instance ($with)"
equal "$name: its own capabilities, and no others" 'capabilities/gpu0/mig/gi2/access
capabilities/gpu0/mig/gi2/ci0/access' "$(part capabilities)"

privileged='["CAP_SYS_ADMIN"]'
in_masked NVIDIA_VISIBLE_DEVICES=0 NVIDIA_MIG_CONFIG_DEVICES=all
privileged='[]'
name="MIG's config ($with)"
equal "$name: all capabilities, as they come and go" \
	"$(cd "$host/proc/driver/nvidia" && find capabilities -type f | sort)" "$(part capabilities)"
host_unchanged "$name"

in_masked NVIDIA_VISIBLE_DEVICES=all
equal "both GPUs ($with)" '0000:00:06.0
0000:00:07.0' "$(part gpus)"
report_exit
