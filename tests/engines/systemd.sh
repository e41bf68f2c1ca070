#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A real systemd manages the containers' cgroups: $ENGINE with the systemd cgroup driver. What the
# hook allowed stays allowed when systemd makes its device programs anew. systemd is the first
# process of pid, mount, cgroup, network and IPC namespaces of its own, with a /run of its own.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
CGROUP=v2
enter_namespace "$@"
systemd=/lib/systemd/systemd
for program in "$systemd" systemctl busctl dbus-daemon; do
	if ! command -v "$program" > /dev/null; then
		skip "${0##*/}" "$program isn't installed (apt-get install systemd dbus)"
		report_exit
	fi
done
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
jq --arg log "$work/log" '.log = {file: $log}' < "$config" > "$config.new"
mv "$config.new" "$config"
with="systemd, $ENGINE"
spare_crun_memlock

# --- systemd -------------------------------------------------------------------------------------

# The bus is for crun, which speaks to nothing else; there is no other unit.
mkdir -p "$work"/units
cat > "$work/units/davit-test.target" << 'END'
[Unit]
DefaultDependencies=no
Requires=dbus.service
END
cat > "$work/units/dbus.socket" << 'END'
[Unit]
DefaultDependencies=no
[Socket]
ListenStream=/run/dbus/system_bus_socket
END
cat > "$work/units/dbus.service" << 'END'
[Unit]
DefaultDependencies=no
Requires=dbus.socket
After=dbus.socket
[Service]
Type=notify
NotifyAccess=main
ExecStart=/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile --syslog-only
END

cat > "$work/first-process" << END
#!/bin/bash
set -e
mount -t proc proc /proc
mount --bind -o ro /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/nothing
# The kernel does not mount a file system on itself.
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
for directory in /etc/systemd/system /usr/lib/systemd/system-generators; do
	mount --bind /run/nothing \$directory
done
mount --bind "$work/units" /usr/lib/systemd/system
exec env -i PATH="$PATH" container=davit-test $systemd --system --log-target=console \\
	--show-status=false --unit=davit-test.target < /dev/null > "$work/systemd.log" 2>&1
END
chmod +x "$work/first-process"

# shellcheck disable=SC2317 # called by clean_up
stop_systemd() {
	kill -KILL "$first" 2> /dev/null || return 0
	wait "$unshare" 2> /dev/null || true
}

in_systemd() {
	nsenter --target "$first" --all --wdns=/ timeout 60 "$@"
}

start_systemd() {
	local i
	mkdir "/sys/fs/cgroup$cgroup"
	(
		echo "$BASHPID" > "/sys/fs/cgroup$cgroup/cgroup.procs"
		exec unshare --mount --pid --cgroup --net --ipc --uts --fork --propagation slave \
			"$work/first-process" 2> /dev/null
	) &
	unshare=$!
	for ((i = 0; i < 100; i++)); do
		first=$(pgrep -P "$unshare" || true)
		if [ -n "$first" ] && in_systemd systemctl is-active -q dbus.service 2> /dev/null; then
			at_end stop_systemd
			return
		fi
		sleep 0.1
	done
	[ -z "$first" ] || stop_systemd
	skip "$with" "systemd doesn't start here: $(tail -n 1 "$work/systemd.log" 2> /dev/null || true)"
	report_exit
}

# --- containers ----------------------------------------------------------------------------------

runtime() {
	in_systemd "$ENGINE" --root "$work/state" --systemd-cgroup "$@"
}

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

reload() {
	in_systemd busctl call -q org.freedesktop.systemd1 /org/freedesktop/systemd1 \
		org.freedesktop.systemd1.Manager Reload
}

reexec() {
	in_systemd systemctl daemon-reexec
	in_systemd systemctl is-active -q dbus.service
}

update() {
	runtime update -r - "$name" <<< '{}' > /dev/null
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
# Debian's crun gives its scopes no policy, newer ones do: one beneath the standard devices is asked
# for by hand. It doesn't let nodes be made.
[ "${ENGINE##*/}" != crun ] || no_more='/dev/null: ok
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
matches "unheard ($with): it is said" 'devices may be lost .*/run/systemd/private' "$(< "$work/log")"
equal "unheard ($with): after the hook" "$no_more" "$(probe)"
reload
in_systemd umount /run/systemd/private
set_property 503
matches "unheard ($with): what is lost by a reload then" '/dev/nvidia0: EPERM' "$(probe)"
stop
report_exit
