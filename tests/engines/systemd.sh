#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real systemd manages the containers' cgroups: $ENGINE with the systemd cgroup driver. What the
# hook allowed stays allowed when systemd makes its device programs anew.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/systemd.sh
. "$repository/tests/lib/systemd.sh"
CGROUP=v2
enter_namespace "$@"
require_systemd
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
jq --arg log "$work/log" '.log = {file: $log}' < "$config" > "$config.new"
mv "$config.new" "$config"
with="systemd, $ENGINE"
spare_crun_memlock

# --- containers ----------------------------------------------------------------------------------

# start NAME: $bundle in the scope davit-NAME.scope.
start() {
	name=$1
	edit_bundle '.process.args = ["sleep", "600"] | .linux.cgroupsPath = $path |
		.process.capabilities[] += ["CAP_MKNOD"]' --arg path "system.slice:davit:$name"
	: > "$work/log"
	rc=0
	runtime run -d -b "$bundle" "$name" > /dev/null 2> "$work/errors" < /dev/null || rc=$?
	equal "$1 ($with): the container starts" "0 " "$rc $(< "$work/errors")"
}

# stop: what systemd has of it is gone.
stop() {
	local i
	runtime delete -f "$name"
	drop_bundle
	for ((i = 0; i < 50; i++)); do
		[ -n "$(in_systemd find /run/systemd -name "davit-$name.scope*")" ] || break
		sleep 0.1
	done
	equal "$name ($with): nothing is left in /run/systemd" '' \
		"$(in_systemd find /run/systemd -name "davit-$name.scope*" -o -name '*davit.conf')"
}

probe() {
	runtime exec "$name" nodeprobe /dev/null /dev/nvidia0 2>&1
	runtime exec "$name" nodeprobe --mknod c 195 1 /tmp/node 2>&1
}

reexec() {
	in_systemd systemctl daemon-reexec
	in_systemd systemctl is-active -q dbus.service
}

set_property() {
	in_systemd systemctl set-property --runtime "davit-$name.scope" TasksMax="$1"
}

# survives EXPECTED: through all that makes systemd look at the scope again.
survives() {
	equal "$name ($with): after the hook" "$1" "$(probe)"
	reload
	equal "$name ($with): after daemon-reload" "$1" "$(probe)"
	set_property 501
	equal "$name ($with): after set-property" "$1" "$(probe)"
	update
	equal "$name ($with): after update" "$1" "$(probe)"
	reexec
	equal "$name ($with): after daemon-reexec" "$1" "$(probe)"
	set_property 502
	update
	reload
	equal "$name ($with): after all of it again" "$1" "$(probe)"
}

listed() {
	in_systemd systemctl show -P DeviceAllow "davit-$name.scope" | grep -c '/dev/char/195:' || true
}

# The answers: 195 has no driver behind, so what is allowed finds nothing.
allowed='/dev/null: ok
/dev/nvidia0: ENXIO
mknod /tmp/node: ok'
everything="$allowed
/tmp/node: ENXIO"
no_more="$allowed
/tmp/node: EPERM"
# Debian 12's crun (1.8) gives its scopes no policy, newer ones do: one beneath the standard devices is
# asked for by hand. It doesn't let nodes be made.
[[ ${ENGINE##*/} != crun || $(crun --version) != *'crun version 1.8'* ]] || no_more='/dev/null: ok
/dev/nvidia0: ENXIO
mknod /tmp/node: EPERM
/tmp/node: ENOENT'
strict_bundle() {
	new_bundle debian NVIDIA_VISIBLE_DEVICES=0
	[ "${ENGINE##*/}" != crun ] ||
		edit_bundle '.annotations["org.systemd.property.DevicePolicy"] = "\u0027closed\u0027"'
}

start_systemd

strict_bundle
start strict
survives "$no_more"
equal "strict ($with): systemd's list has nvidiactl and the GPU" 2 "$(listed)"
stop

# Its policy is "auto" with an empty list, which one device in it would close.
new_bundle debian NVIDIA_VISIBLE_DEVICES=0
edit_bundle '.linux.resources.devices = [{allow: true, access: "rwm"}]'
start privileged
survives "$everything"
equal "privileged ($with): systemd's list stays empty" 0 "$(listed)"
stop

new_bundle debian
start none
equal "none ($with): systemd's list has no GPU" 0 "$(listed)"
stop

# Without systemd's socket the container works, until systemd makes its program anew.
strict_bundle
in_systemd mount --bind /dev/null /run/systemd/private
start unheard
matches "unheard ($with): it is said" 'may lose its devices .*/run/systemd/private' "$(< "$work/log")"
equal "unheard ($with): after the hook" "$no_more" "$(probe)"
reload
in_systemd umount /run/systemd/private
set_property 503
matches "unheard ($with): what is lost by a reload then" '/dev/nvidia0: EPERM' "$(probe)"
stop
report_exit
