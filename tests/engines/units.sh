#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The repository's systemd units: systemd understands every line of them, they are confined, and within
# what confines davit-cdi.service davit works, and davit-nvml's sandbox is what it is outside.
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
with=units
units=$DAVIT_BUILD/src

# --- what systemd says of them --------------------------------------------------------------------

mkdir "$work/checked"
for unit in davit-prepare.service davit-cdi.service davit-metrics.service; do
	# An installed davit isn't what is tested.
	sed 's:^ExecStart=[^ ]*:ExecStart=/bin/true:' "$units/$unit" > "$work/checked/$unit"
	rating=$(systemd-analyze security --offline=true "$work/checked/$unit" 2> /dev/null |
		sed -n 's/.*Overall exposure level for [^:]*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
	equal "$unit: its exposure is below 4.5 of 10" yes \
		"$([ "${rating:-100}" -lt 45 ] && echo yes || echo "${rating:-none}")"
	for key in NoNewPrivileges=yes ProtectSystem=strict PrivateTmp=yes ProtectKernelLogs=yes \
		RestrictAddressFamilies=AF_UNIX MemoryMax= TasksMax= CapabilityBoundingSet=CAP_ ProtectHome= ReadWritePaths=/; do
		matches "$unit: $key" "^$key" "$(< "$units/$unit")"
	done
done
cp "$repository"/config/davit-{cdi.path,cdi.timer,metrics.timer} "$repository/config/davit-cdi-partition@.path" "$work/checked/"
equal 'systemd-analyze verify: nothing' '' "$(systemd-analyze verify --man=no "$work"/checked/davit-* 2>&1 | grep 'davit-' || true)"

# --- what udev makes of a GPU ---------------------------------------------------------------------

# The rules, as udev applies them to a device that every machine has: it stands for a render node.
udev_says() { # ACTION
	udevadm test --action="$1" /sys/class/mem/null 2>&1 |
		sed -nE "s/^ *(SYSTEMD_WANTS=)/\1/p; s/^(run: '| *RUN\{program\} : )(.*davit[^']*).*/run: \2/p"
}
if command -v udevadm > /dev/null; then
	mkdir -p /run/udev/rules.d
	mount -t tmpfs tmpfs /run/udev
	mkdir -p /run/udev/rules.d "$work/wants"
	wants=$work/wants/davit-cdi.path
	sed -e 's/SUBSYSTEM!="drm"/SUBSYSTEM!="mem"/; s/KERNEL!="renderD\*"/KERNEL!="null"/' -e "s|TEST!=\"[^\"]*\"|TEST!=\"$wants\"|" \
		-e 's|device/current_compute_partition|uevent|' "$repository/config/90-davit.rules" > /run/udev/rules.d/90-davit.rules
	equal '90-davit.rules: nothing, unless davit-cdi.path is enabled' '' "$(udev_says add)$(udev_says remove)"
	: > "$wants"
	equal '90-davit.rules: a GPU comes' 'SYSTEMD_WANTS=davit-cdi.timer davit-cdi-partition@.path' "$(udev_says add)"
	matches '90-davit.rules: a GPU goes' '^run: .*systemctl --no-block start davit-cdi.timer' "$(udev_says remove)"
	sed -i '/^TEST==/s/uevent/absent/' /run/udev/rules.d/90-davit.rules
	equal '90-davit.rules: a GPU that can not be split' 'SYSTEMD_WANTS=davit-cdi.timer' "$(udev_says add)"
	sed -i 's/KERNEL!="null"/KERNEL!="renderD*"/' /run/udev/rules.d/90-davit.rules
	equal '90-davit.rules: another device' '' "$(udev_says add)"
	if udevadm verify --help > "$work/help" 2>&1; then
		equal 'udevadm verify: nothing' '' "$(udevadm verify "$repository/config/90-davit.rules" 2>&1 | grep 90-davit || true)"
	fi
	umount /run/udev
else
	skip '90-davit.rules' "udevadm isn't installed (apt-get install udev)"
fi

# --- within them ----------------------------------------------------------------------------------

host=$work/host
"$fixture/fake-host" "$host" --gpus 2 --mig
place=$work/place
mkdir "$place"
chmod 0755 "$work" "$place"
printf 'victim %5000s' '' > "$place/victim"
"${CC:-cc}" -shared -fPIC -O1 -w -D_GNU_SOURCE "-DPLACE=\"$place\"" -DPID=1 -o "$place/hostile.so" \
	"$repository/tests/attacks/hostile-nvml.c"
start_systemd

within() { # NAME COMMAND...: as davit-cdi.service (or $service) would run it; sets result, output in $work/NAME
	{
		grep -v -e '^Condition' -e '^ExecStart=' -e '^After=' -e '^Wants=' -e '^Before=' -e '^WantedBy=' "$units/${service:-davit-cdi.service}" |
			sed "s:^\[Unit\]:&\nDefaultDependencies=no:"
		# PrivateTmp= hides where this test is, and perhaps the build.
		printf '[Service]\nBindReadOnlyPaths=%s %s\nStandardOutput=file:%s\nStandardError=file:%s\nExecStart=%s\n' \
			"$work" "$DAVIT_BUILD" "$work/$1" "$work/$1.errors" "${*:2}"
	} > "$work/units/davit-$1.service"
	in_systemd systemctl daemon-reload
	in_systemd systemctl start "davit-$1.service" 2> /dev/null || true
	result=$(in_systemd systemctl show -P Result "davit-$1.service")
}

# Where Apptainer is installed, the default has mounts for it.
within generate "$davit" cdi generate --mounts hook --config "$host/davit.json" --output /var/run/cdi/nvidia.json
# With MIG, so that davit-nvml is asked.
in_systemd "$davit" cdi generate --mounts hook --config "$host/davit.json" --output "$work/outside.json"
equal 'davit-cdi.service: the description is the one that is made outside' "success $(jq -S . "$work/outside.json")" \
	"$result $(in_systemd jq -S . /run/cdi/nvidia.json)$(cat "$work/generate.errors")"
matches 'davit-cdi.service: it has MIG instances' '^[1-9]' "$(jq '[.devices[].name | select(test("^[0-9]+:[0-9]+$"))] | length' "$work/outside.json")"
# node_exporter's directory is another user's. The engines are those of the namespace, outside and inside.
mkdir -p "$work/exporter"
chown 65534:65534 "$work/exporter"
in_systemd mkdir -p /var/lib/prometheus/node-exporter
in_systemd mount --bind "$work/exporter" /var/lib/prometheus/node-exporter
service=davit-metrics.service within metrics "$davit" metrics --doctor --config "$host/davit.json" \
	--log "$work/no.log" --output /var/lib/prometheus/node-exporter/davit.prom
equal 'davit-metrics.service: what it writes is what davit metrics prints outside' \
	"success $(in_systemd "$davit" metrics --doctor --config "$host/davit.json" --log "$work/no.log")" \
	"$result $(cat "$work/exporter/davit.prom" "$work/metrics.errors")"
# MI300Xs in one partition each, then in two, then in one again: what tells is that a file is written.
amd=$work/amd
"$fixture/fake-host" "$amd" --vendor amd --model mi300x-8-dpx
gpu=$amd/sys/class/drm/renderD128
nodes=$amd/sys/devices/virtual/kfd/kfd/topology/nodes
mkdir "$work/aside"
for node in "$nodes"/*; do
	location=$(sed -n 's/^location_id //p' "$node/properties")
	! ((location & 7)) || mv "$node" "$work/aside/"
done
within split "$davit" cdi generate --config "$amd/davit.json" --output /var/run/cdi/
described() { in_systemd jq '[.devices[].name | select(test("^[0-9]+$"))] | length' /run/cdi/amd.json; }
equal 'partitions: as they are at first' 'success 8' "$result $(described)"
# There is no udev in there, so no device to be bound to, and no target of a booted machine.
bare='s/^\[Unit\]$/&\nDefaultDependencies=no/; /^BindsTo=/d; s/^Unit=davit-cdi.service/Unit=davit-split.service/'
for unit in davit-cdi.timer davit-cdi-partition@.path; do
	sed "$bare" "$repository/config/$unit" > "$work/units/$unit"
done
in_systemd systemctl daemon-reload
instance=$(systemd-escape --path "$gpu")
in_systemd systemctl start "davit-cdi-partition@$instance.path"
partitions_are() { # NUMBER: within ten seconds
	local i
	for ((i = 0; i < 100; i++)); do
		[ "$(described)" != "$1" ] || break
		sleep 0.1
	done
	described
}
mv "$work/aside"/* "$nodes/"
echo DPX > "$gpu/device/current_compute_partition"
equal 'partitions: a change of mode is described' 16 "$(partitions_are 16)"
for node in "$nodes"/*; do
	location=$(sed -n 's/^location_id //p' "$node/properties")
	! ((location & 7)) || mv "$node" "$work/aside/"
done
echo SPX > "$gpu/device/current_compute_partition"
equal 'partitions: and the next one' 8 "$(partitions_are 8)"
# With nodes of its own: where those of a machine are a group's, davit-nvml stays root.
within hostile "$DAVIT_BUILD/davit-nvml" "$place/hostile.so" "$host/dev"
outside=$(in_systemd "$DAVIT_BUILD/davit-nvml" "$place/hostile.so" "$host/dev" 2>&1 || true)
equal 'davit-nvml within it: its sandbox is the same' "$outside" "$(cat "$work/hostile.errors")"
matches 'davit-nvml within it: the library is run' '^root: no$' "$(cat "$work/hostile.errors")"
# What a unit lets its own processes do.
cat > "$work/forbidden.sh" << 'END'
for file in /etc/x /usr/x /boot/x /home/x /proc/sys/kernel/domainname /sys/kernel/mm/ksm/run; do
	(: > $file) 2> /dev/null && echo $file
done
for directory in /sys/*; do
	findmnt --noheadings --output OPTIONS --target $directory | tail -n 1 | grep -q '^ro' || echo $directory
done
unshare --user true && echo userns
true
END
for service in davit-cdi.service davit-metrics.service; do
	service=$service within forbidden /bin/sh "$work/forbidden.sh"
	equal "$service: what it may not write" 'success ' "$result $(cat "$work/forbidden")"
done
report_exit
