# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# A real systemd, first process of pid, mount, cgroup, network and IPC namespaces of its own, with a
# /run of its own. Needs place.sh, container.sh, $work, and $with to name the tests.

systemd=/lib/systemd/systemd

require_systemd() {
	local program
	for program in "$systemd" systemctl busctl dbus-daemon; do
		if ! command -v "$program" > /dev/null; then
			skip "${0##*/}" "$program isn't installed (apt-get install systemd dbus)"
			report_exit
		fi
	done
}

make_systemd() {
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
}

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
	make_systemd
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

runtime() {
	in_systemd "$ENGINE" --root "$work/state" --systemd-cgroup "$@"
}

reload() {
	in_systemd busctl call -q org.freedesktop.systemd1 /org/freedesktop/systemd1 \
		org.freedesktop.systemd1.Manager Reload
}

# What `docker update` does, and the kubelet every few seconds.
update() {
	runtime update -r - "$name" <<< '{}' > /dev/null
}
