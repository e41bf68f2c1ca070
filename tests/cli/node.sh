#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit node install`, the entry point of config/kubernetes' image, against roots as eight kinds of
# node have them: what it writes, whom it restarts and waits for, and that all of it is taken back.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
needs busybox strace
require_root
make_work
engine_pid=''
at_end 'stop_engine'

# Everything of a root but what its programs write down.
root_state() { # DIRECTORY
	(cd "$1" && find . ! -type s ! -path ./log -printf '%p %y %m %l\n' | sort &&
		find . -type f ! -path ./log -exec sha256sum {} + | sort)
}

# A host: its services are restarted by a program that writes down what it was called with.
new_host() { # KIND OS-ID SOCKET UNIT...
	host=$work/$1 socket=$3
	mkdir -p "$host"/{usr/bin,etc/systemd/system,var/lib,run,bin} "$host/$(dirname "$socket")"
	printf 'NAME=x\nID=%s\n' "$2" > "$host/etc/os-release"
	cp "$(command -v busybox)" "$host/bin/sh"
	printf '#!/bin/sh\necho "${0##*/} $*" >> /log\n[ ! -e /broken ]\n' > "$host/usr/bin/systemctl"
	cp "$host/usr/bin/systemctl" "$host/usr/bin/snap"
	chmod +x "$host"/usr/bin/*
	# The low-level runtime is where this kind has it.
	local unit programs=usr/sbin
	case $1 in
	k3s) programs=var/lib/rancher/k3s/data/current/bin ;;
	k3s-data-dir) programs=data/data/current/bin ;;
	rke2) programs=var/lib/rancher/rke2/bin ;;
	k0s) programs=var/lib/k0s/bin ;;
	microk8s) programs=snap/microk8s/current/bin ;;
	crio) programs=usr/libexec/crio ;;
	esac
	mkdir -p "$host/$programs"
	install -m 0755 /dev/null "$host/$programs/runc"
	for unit in "${@:4}"; do
		printf '[Service]\n' > "$host/etc/systemd/system/$unit.service"
	done
}
# Who listens where the engine would.
start_engine() {
	rm -f "$host$socket"
	/usr/bin/python3 -c 'import os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(64)
settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
version = bytes([0, 0, 5, 0, 0, 0, 0, 0, 1]) + bytes(5)
status = bytes.fromhex("885f8b1d75d0620d263d4c4d656440889acac8b21234da8f023132")
unimplemented = bytes([0, 0, len(status), 1, 5, 0, 0, 0, 1]) + status
while True:
    c = s.accept()[0]
    c.recv(65536)
    c.sendall(settings + (unimplemented if os.path.exists(sys.argv[2]) else version))
    c.close()' "$host$socket" "$host/run/no-cri" &
	engine_pid=$!
	local i
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$host$socket" ] || break
		sleep 0.05
	done
}
stop_engine() {
	[ -z "$engine_pid" ] || kill "$engine_pid" 2> /dev/null || true
	[ -z "$engine_pid" ] || wait "$engine_pid" 2> /dev/null || true
	engine_pid=''
}
node() {
	rc=0
	output=$("$davit" node "$@" --host "$host" 2>&1) || rc=$?
}
bindir=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$DAVIT_BUILD/CMakeCache.txt")/bin

# sets_up KIND RESTART FILE: what is restarted, and the file that names davit-runtime.
sets_up() {
	before=$(root_state "$host")
	start_engine
	node install
	equal "$1: it succeeds" 0 "$rc"
	matches "$1: it says that the engine is back" ' is back$' "$output"
	equal "$1: what is restarted" "$2" "$(cat "$host/log" 2> /dev/null)"
	matches "$1: $3" "$bindir/davit-runtime" "$(cat "$host$3" 2> /dev/null)"
	equal "$1: the programs" "$(sha256sum < "$DAVIT_BUILD/davit-runtime")" "$(sha256sum < "$host$bindir/davit-runtime")"
	equal "$1: a name that others call" "$bindir/davit" "$(readlink "$host/usr/bin/nvidia-ctk")"
	after=$(root_state "$host")
	node install
	equal "$1: once more, nothing is restarted" "0 $2" "$rc $(cat "$host/log")"
	equal "$1: once more, nothing changes" "$after" "$(root_state "$host")"
	node remove
	equal "$1: taken back" 0 "$rc"
	equal "$1: taken back, what is restarted" "$2
$2" "$(cat "$host/log")"
	equal "$1: taken back, nothing is left" "$before" "$(root_state "$host")"
	node remove
	equal "$1: taken back twice" '0 nothing to revert' "$rc $output"
	stop_engine
}

new_host debian debian /run/containerd/containerd.sock containerd
mkdir -p "$host/etc/containerd"
: > "$host/usr/bin/containerd"
chmod 0644 "$host/usr/bin/containerd" # it isn't one
cat > "$host/etc/containerd/config.toml" << 'END'
version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd"
END
sets_up 'Debian, containerd 1.7' 'systemctl restart containerd' /etc/containerd/conf.d/davit.toml

# kind: another place of the program, and a runtime beside the default one.
new_host kind debian /run/containerd/containerd.sock containerd
mkdir -p "$host/etc/containerd" "$host/usr/local/bin"
: > "$host/usr/local/bin/containerd"
cat > "$host/etc/containerd/config.toml" << 'END'
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = "/etc/containerd/cri-base.json"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
    SystemdCgroup = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.test-handler]
  runtime_type = "io.containerd.runc.v2"
END
echo '{}' > "$host/etc/containerd/cri-base.json"
sets_up kind 'systemctl restart containerd' /etc/containerd/conf.d/davit.toml

# Amazon Linux 2023 on EKS: NVIDIA's runtime is the default, and the file is written at each boot.
new_host eks amzn /run/containerd/containerd.sock containerd
mkdir -p "$host/etc/containerd"
: > "$host/usr/bin/containerd"
cat > "$host/etc/containerd/config.toml" << 'END'
version = 2
imports = ["/etc/containerd/config.d/*.toml"]
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "nvidia"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]
BinaryName = "/usr/bin/nvidia-container-runtime"
SystemdCgroup = true
END
cp "$host/etc/containerd/config.toml" "$work/written-at-boot"
sets_up 'Amazon Linux 2023' 'systemctl restart containerd' /etc/containerd/conf.d/davit.toml
before=$(root_state "$host")
start_engine
node install
cp "$work/written-at-boot" "$host/etc/containerd/config.toml"
rm "$host/log"
node install
equal 'Amazon Linux 2023, after a boot: it is configured again' '0 yes systemctl restart containerd' \
	"$rc $(grep -q conf.d/davit.toml "$host/etc/containerd/config.toml" && echo yes) $(cat "$host/log")"
node remove
equal 'Amazon Linux 2023, after a boot: taken back' "0 $before" "$rc $(root_state "$host")"
stop_engine

# What docs/kubernetes.md says of a pod's annotations: the default runtime's list is copied.
host=$work/debian
cat > "$host/etc/containerd/config.toml" << 'END'
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  pod_annotations = ["*"]
END
node install --no-restart
equal "the default runtime's pod_annotations: copied for each handler" 3 \
	"$(sed '/runtimes\.runc/,/^ *$/d' "$host/etc/containerd/conf.d/davit.toml" | grep -c 'pod_annotations = \["\*"\]')"
node remove --no-restart

for name in k3s rke2; do
	new_host $name sles /run/k3s/containerd/containerd.sock $name-agent
	mkdir -p "$host/var/lib/rancher/$name/agent/etc/containerd"
	cat > "$host/var/lib/rancher/$name/agent/etc/containerd/config.toml" << END
# File generated by $name. DO NOT EDIT. Use config-v3.toml.tmpl instead.
version = 3
imports = ["/var/lib/rancher/$name/agent/etc/containerd/config-v3.toml.d/*.toml"]
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
  SystemdCgroup = true
END
	sets_up $name "systemctl restart $name-agent" "/var/lib/rancher/$name/agent/etc/containerd/config-v3.toml.d/davit.toml"
done

# With default-runtime, the distribution would start with a default that goes with davit's link, which
# it has found by itself.
node install --no-restart
generated=$host/var/lib/rancher/rke2/agent/etc/containerd/config.toml
cat >> "$generated" << END
[plugins.'io.containerd.cri.v1.runtime'.containerd]
  default_runtime_name = "nvidia"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.'nvidia']
  runtime_type = "io.containerd.runc.v2"
[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.'nvidia'.options]
  BinaryName = "/usr/bin/nvidia-container-runtime"
END
before=$(root_state "$host")
node remove --no-restart
matches 'RKE2, default-runtime, with the link alone: refused' 'fix: remove default-runtime from the config.yaml' "$output"
equal 'RKE2, default-runtime, with the link alone: nothing is changed' "1 $before" "$rc $(root_state "$host")"
# With the link of a package, which stays, it would start.
rc=0
output=$("$davit" configure containerd --remove --dry-run --root "$host" --runtime-path "$bindir/davit-runtime" 2>&1) || rc=$?
equal 'RKE2, default-runtime, whose link stays: it can be removed' 0 "$rc"
sed -i '/default_runtime_name/d' "$generated"
node remove --no-restart
equal 'RKE2, without default-runtime: taken back' 0 "$rc"

new_host k3s-data-dir sles /run/k3s/containerd/containerd.sock k3s
: > "$host/usr/bin/containerd" # Docker's
mkdir -p "$host/etc/rancher/k3s" "$host/data/agent/etc/containerd"
echo 'data-dir: /data' > "$host/etc/rancher/k3s/config.yaml"
sed 's|/var/lib/rancher/k3s|/data|' "$work/k3s/var/lib/rancher/k3s/agent/etc/containerd/config.toml" > "$host/data/agent/etc/containerd/config.toml"
sets_up "k3s with data-dir beside Docker's containerd" 'systemctl restart k3s' /data/agent/etc/containerd/config-v3.toml.d/davit.toml

new_host k0s debian /run/k0s/containerd.sock k0sworker
mkdir -p "$host/var/lib/k0s/bin" "$host/etc/k0s/containerd.d"
printf 'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "registry.k8s.io/pause:3.9"\n' > "$host/run/k0s/containerd-cri.toml"
printf '# k0s_managed=true\nversion = 2\nimports = ["/run/k0s/containerd-cri.toml", "/etc/k0s/containerd.d/*.toml"]\n' > "$host/etc/k0s/containerd.toml"
sets_up k0s 'systemctl restart k0sworker' /etc/k0s/containerd.d/davit.toml

new_host microk8s ubuntu /var/snap/microk8s/common/run/containerd.sock
mkdir -p "$host/var/snap/microk8s/current/args"
cat > "$host/var/snap/microk8s/current/args/containerd-template.toml" << 'END'
version = 2
[plugins."io.containerd.grpc.v1.cri".containerd]
  default_runtime_name = "${RUNTIME}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "${RUNTIME_TYPE}"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "${SNAP_DATA}/opt/cni/bin"
END
sets_up MicroK8s 'snap restart microk8s.daemon-containerd' /var/snap/microk8s/current/args/containerd-template.toml

new_host crio fedora /run/crio/crio.sock crio
mkdir -p "$host/etc/crio/crio.conf.d"
: > "$host/usr/bin/crio"
sets_up CRI-O 'systemctl restart crio' /etc/crio/crio.conf.d/50-davit.conf

for id in bottlerocket talos flatcar; do
	new_host $id $id /run/containerd/containerd.sock containerd
	: > "$host/usr/bin/containerd"
	before=$(root_state "$host")
	node install
	matches "$id: refused, its own way is named" "^davit: cannot set up $id: .*fix: (use a -nvidia variant|add the sys)" "$output"
	equal "$id: nothing is changed" "3 $before" "$rc $(root_state "$host")"
done

# containerd's own `config migrate` copies davit's runtimes into the main file: the programs stay.
new_host copied debian /run/containerd/containerd.sock containerd
mkdir -p "$host/etc/containerd"
: > "$host/usr/bin/containerd"
start_engine
node install --set-default
{
	grep imports "$host/etc/containerd/config.toml"
	sed 's/^version/# &/; 1i version = 2' "$host/etc/containerd/conf.d/davit.toml"
} | sed '/^version/d; 1i version = 2' | grep -v '^#' > "$work/copied.toml"
cp "$work/copied.toml" "$host/etc/containerd/config.toml"
before=$(root_state "$host")
node remove
matches "davit's default runtime is in the main file: refused" \
	"^davit: cannot remove davit's programs: nvidia, the default runtime of /etc/containerd/config.toml, executes $bindir/davit-runtime \\(fix: choose another default runtime in /etc/containerd/config.toml first\\)\$" "$output"
equal "davit's default runtime is in the main file: nothing is changed" "1 $before" "$rc $(root_state "$host")"
sed -i 's|BinaryName = .*|BinaryName = "/usr/bin/nvidia-container-runtime"|' "$host/etc/containerd/config.toml"
node remove
matches 'by a link that goes: refused' "^davit: cannot remove davit's programs: .* executes /usr/bin/nvidia-container-runtime " "$output"
sed -i '/default_runtime_name/d' "$host/etc/containerd/config.toml"
node remove
equal 'no default of these: removed' '0 no' "$rc $([ -e "$host$bindir/davit-runtime" ] && echo yes || echo no)"
stop_engine

new_host copied-crio fedora /run/crio/crio.sock crio
mkdir -p "$host/etc/crio/crio.conf.d"
: > "$host/usr/bin/crio"
start_engine
node install --set-default
cp "$host/etc/crio/crio.conf.d/50-davit.conf" "$host/etc/crio/crio.conf"
before=$(root_state "$host")
node remove
matches "CRI-O, davit's default runtime is in the main file: refused" \
	"^davit: cannot remove davit's programs: nvidia, the default runtime of /etc/crio/crio.conf, executes $bindir/davit-runtime " "$output"
equal "CRI-O, davit's default runtime is in the main file: nothing is changed" "1 $before" "$rc $(root_state "$host")"
rm "$host/etc/crio/crio.conf"
node remove
equal 'CRI-O, no default of these: removed' 0 "$rc"
stop_engine

new_host no-runtime debian /run/containerd/containerd.sock containerd
: > "$host/usr/bin/containerd"
rm "$host/usr/sbin/runc"
before=$(root_state "$host")
node install --no-restart
matches 'a host without runc and crun: refused' \
	'^davit: cannot find a low-level runtime: none of runc, crun exists in PATH or in /usr/local/sbin:[^ ]* \(fix: install one of them, or name another in runtime.candidates\)' "$output"
equal 'a host without runc and crun: nothing is changed' "1 $before" "$rc $(root_state "$host")"
mkdir -p "$host/etc/davit" "$host/opt/bin"
install -m 0755 /dev/null "$host/opt/bin/crun"
echo '{"runtime": {"candidates": ["/opt/bin/crun"]}}' > "$work/candidates.json"
node install --no-restart --config "$work/candidates.json"
equal 'a host without runc and crun: the file of --config names one' 0 "$rc"
echo '{"runtime": {"candidates": ["/opt/bin/absent"]}}' > "$work/candidates.json"
before=$(root_state "$host")
node install --no-restart --config "$work/candidates.json"
equal 'a later --config that names none: refused, nothing is changed' "1 $before" "$rc $(root_state "$host")"
node remove --no-restart
echo '{"runtime": {"candidates": ["/opt/bin/crun"]}}' > "$host/etc/davit/config.json"
node install --no-restart
equal 'a host whose configuration names its low-level runtime' 0 "$rc"
printf 'rubbish\n' >> "$host/var/lib/davit/node"
node remove --no-restart
matches "a record with a line that isn't davit's" '^1 davit: cannot read /var/lib/davit/node' "$rc $output"
sed -i /rubbish/d "$host/var/lib/davit/node"
node remove --no-restart

# --- what can go wrong ----------------------------------------------------------------------------

new_host both debian /run/containerd/containerd.sock containerd crio
mkdir -p "$host/etc/crio/crio.conf.d" "$host/etc/containerd"
: > "$host/usr/bin/containerd"
before=$(root_state "$host")
node install
matches 'containerd and CRI-O: refused' 'cannot select an engine: both containerd and CRI-O .*--engine' "$output"
mv "$host/usr/bin/systemctl" "$host/usr/bin/other"
node install --engine containerd
matches 'no systemd: refused' 'cannot restart containerd: the host has no systemd .*--no-restart' "$output"
mv "$host/usr/bin/other" "$host/usr/bin/systemctl"
equal 'refused: nothing is changed' "$before" "$(root_state "$host")"
rm -r "$host/etc/crio" "$host/etc/containerd"
ln -s /gone "$host/etc/containerd"
before=$(root_state "$host")
node install
matches 'a dangling link: refused in terms of the host' '^davit: cannot set up the node: /etc/containerd of the host is a dangling link \(fix: create' "$output"
equal 'a dangling link: nothing is changed' "$before" "$(root_state "$host")"
rm "$host/etc/containerd"
mkdir "$host/etc/containerd"
before=$(root_state "$host")
: > "$host/broken"
node install
equal "an engine that doesn't start: it fails" 1 "$rc"
rm "$host/broken"
equal "an engine that doesn't start: all is taken back" "$before" "$(root_state "$host")"

start_engine
before=$(root_state "$host")
: > "$host/run/no-cri"
node install
matches 'an engine without its CRI plugin: it fails' 'cannot use containerd for Kubernetes: it runs without its CRI plugin' "$output"
rm "$host/run/no-cri"
equal 'an engine without its CRI plugin: all is taken back' "1 $before" "$rc $(root_state "$host")"

# The engine that runs, beside a distribution's leftovers that have neither a program nor a service.
mkdir -p "$host/var/lib/k0s" "$host/var/lib/rancher/k3s/agent/etc/containerd"
node install
equal "leftovers of k0s and k3s: containerd is set up" '0 containerd yes' \
	"$rc $(head -n 1 "$host/var/lib/davit/node") $(grep -q davit-runtime "$host/etc/containerd/conf.d/davit.toml" && echo yes)"
node remove
rm -r "$host/var/lib/k0s" "$host/var/lib/rancher"
equal 'leftovers of k0s and k3s: taken back' "0 $before" "$rc $(root_state "$host")"

# NVIDIA's own program stays; a container that was started with davit keeps the programs.
echo theirs > "$host/usr/bin/nvidia-ctk"
node install
equal "NVIDIA's own nvidia-ctk: it stays" '0 theirs' "$rc $(cat "$host/usr/bin/nvidia-ctk")"
mkdir -p "$host/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc"
echo '{"binary_name":"/usr/local/bin/davit-runtime"}' > "$host/run/containerd/io.containerd.runtime.v2.task/k8s.io/abc/options.json"
node remove
matches 'a container that runs: the programs stay' '^kept the programs: 1 container needs them' "$output"
equal 'a container that runs: davit-runtime' yes "$([ -x "$host$bindir/davit-runtime" ] && echo yes)"
equal "a container that runs: the engine isn't configured any more" no "$(grep -qr davit-runtime "$host/etc" && echo yes || echo no)"
# k3s runs it by this name, if it has registered the runtime by itself.
equal 'a container that runs: the name of davit-runtime' "$bindir/davit-runtime" "$(readlink "$host/usr/bin/nvidia-container-runtime")"
equal 'a container that runs: no other name' no "$([ -L "$host/usr/bin/nvidia-cdi-hook" ] && echo yes || echo no)"
rm -r "$host/run/containerd/io.containerd.runtime.v2.task"

# Lines that somebody has added to davit's drop-in.
node install
drop_in=$host/etc/containerd/conf.d/davit.toml
cp "$drop_in" "$work/drop-in"
printf '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/certs.d"\n' >> "$drop_in"
after=$(root_state "$host")
node install
equal 'an edited drop-in: once more, nothing changes' "0 $after" "$rc $(root_state "$host")"
node remove
matches 'an edited drop-in that containerd before 2.1 would misread: refused' 'davit didn.t write registry.config_path = "/etc/certs.d".*fix: move it to /etc/containerd/config.toml' "$output"
equal 'an edited drop-in: the node stays set up' "1 $after" "$rc $(root_state "$host")"
cp "$work/drop-in" "$drop_in"
node remove
equal 'an edited drop-in, after the line is moved: taken back' '0 no no' \
	"$rc $(grep -qr davit-runtime "$host/etc" && echo yes || echo no) $([ -e "$host$bindir/davit-runtime" ] && echo yes || echo no)"

# An own davit, of another version, and a link that somebody has made.
mkdir -p "$host$bindir"
for name in davit davit-hook; do
	echo "own $name" > "$host$bindir/$name"
done
ln -s "$bindir/davit-hook" "$host/usr/bin/nvidia-cdi-hook"
before=$(root_state "$host")
node install
equal 'an own davit: it is replaced' "0 $(sha256sum < "$DAVIT_BUILD/davit-hook")" "$rc $(sha256sum < "$host$bindir/davit-hook")"
node install
node remove
equal 'an own davit: it is restored' "0 $before" "$rc $(root_state "$host")"
rm "$host$bindir"/davit{,-hook} "$host/usr/bin/nvidia-cdi-hook"

# The DaemonSet's way: it stays, and takes all back when it is asked to end.
rm -f "$work/stay"
"$davit" node install --host "$host" --stay > "$work/stay" 2>&1 &
stays=$!
for ((i = 0; i < 100; i++)); do
	! grep -q '^installed' "$work/stay" || break
	sleep 0.1
done
equal '--stay: set up' yes "$(grep -qr davit-runtime "$host/etc" && echo yes)"
kill -TERM $stays
rc=0
wait $stays || rc=$?
equal '--stay: on SIGTERM all is taken back' '0 no no' \
	"$rc $(grep -qr davit-runtime "$host/etc" && echo yes || echo no) $([ -e "$host$bindir/davit-runtime" ] && echo yes || echo no)"
stop_engine

# --- the configuration's files ------------------------------------------------------------------------

# The same where that has been mounted.
# shellcheck disable=SC2016 # the commands' variables
node_in() { # MOUNT-COMMAND ARGUMENT...
	rc=0
	output=$(
		export host
		unshare -m sh -c "$1"'; exec "$@"' sh "$davit" node "${@:2}" --host "$host" 2>&1
	) || rc=$?
}
new_containerd() { # NAME
	new_host "$1" debian /run/containerd/containerd.sock containerd
	mkdir -p "$host/etc/containerd" "$host/run/containerd"
	: > "$host/usr/bin/containerd"
	printf 'version = 2\nimports = ["/etc/containerd/own.d/*.toml"]\n' > "$host/etc/containerd/config.toml"
}
# Something that makes an installation fail: it does so before anything is changed.
refuses() { # NAME PATTERN
	matches "$1: refused" "$2" "$output"
	equal "$1: nothing is changed" "$before" "$(root_state "$host")"
	equal "$1: before anything is written" 0 "$(grep -cE '^(wrote|removed) ' <<< "$output" || true)"
}
restores() { # NAME
	node remove
	equal "$1: reverted" "0 $before" "$rc $(root_state "$host")"
}

new_containerd link
start_engine
for target in config-base.toml /opt/cloud/containerd.toml ../../opt/cloud/other.toml; do
	mkdir -p "$host/opt/cloud"
	rm "$host/etc/containerd/config.toml"
	ln -s "$target" "$host/etc/containerd/config.toml"
	case $target in /*) real=$host$target ;; *) real=$host/etc/containerd/$target ;; esac
	printf 'version = 2\nimports = ["own.d/*.toml"]\n' > "$real"
	before=$(root_state "$host")
	node install
	matches "config.toml is a link to $target: that is edited" "^wrote .*$target, the target of the link /etc/containerd/config.toml" "$output"
	equal "config.toml is a link to $target: it stays one" "0 $target yes" \
		"$rc $(readlink "$host/etc/containerd/config.toml") $(grep -q conf.d/davit.toml "$real" && echo yes)"
	restores "config.toml is a link to $target"
done
node_in 'mount --bind $host/opt $host/opt; mount -o remount,ro,bind $host/opt' install
refuses 'a link to a file that is read-only' 'cannot write .*opt/cloud/other.toml: Read-only file system \(fix: '
rm "$host/opt/cloud/other.toml"
before=$(root_state "$host")
node install
refuses 'a link to a file that does not exist' 'cannot write /etc/containerd/config.toml: it is a link to .*other.toml, which doesn.t exist \(fix: '
stop_engine

# A configuration of davit's that somebody has made before, with other options and another program.
new_containerd own-configuration
start_engine
: > "$host/usr/bin/davit-runtime"
"$davit" configure containerd --root "$host" --runtime-path /usr/bin/davit-runtime --set-default > /dev/null
drop_in=$host/etc/containerd/conf.d/davit.toml
before=$(root_state "$host")
node install
equal 'a configuration of before: it names the new programs' "0 $bindir/davit-runtime" "$rc $(grep -om 1 '/.*/davit-runtime' "$drop_in")"
node install --cdi
restores 'a configuration of before'
node install
echo '# own' >> "$drop_in"
node install
after=$(root_state "$host")
node remove
matches 'a configuration of before, edited since: refused' 'cannot restore /etc/containerd/conf.d/davit.toml: it was changed .*replace it with /var/lib/davit/before.2' "$output"
equal 'a configuration of before, edited since: the node stays set up' "3 $after" "$rc $(root_state "$host")"
cp "$host/var/lib/davit/before.2" "$drop_in"
restores 'a configuration of before, edited since, as the message says'
node install
equal 'the copies are for root alone' 600 "$(stat -c %a "$host"/var/lib/davit/before.* | sort -u)"
node remove
# What is there already isn't taken away.
node install
stop_engine
rm -r "$host"
new_containerd same-configuration
start_engine
"$davit" configure containerd --root "$host" > /dev/null 2>&1
before=$(root_state "$host")
node install
equal 'the same configuration of before: no restart' '0 no' "$rc $([ -e "$host/log" ] && echo yes || echo no)"
restores 'the same configuration of before'
node install --file /etc/containerd/kubelet.toml
equal 'a containerd with another file' '0 yes yes' \
	"$rc $(grep -q conf.d/davit.toml "$host/etc/containerd/kubelet.toml" && echo yes) $(grep -qx 'configures /etc/containerd/kubelet.toml' "$host/var/lib/davit/node" && echo yes)"
restores 'a containerd with another file'
stop_engine

# A ConfigMap's file, which is a link.
new_containerd config
start_engine
mkdir "$work/map"
echo '{"driver": {"root": "/run/nvidia/driver"}}' > "$work/map/data"
ln -s data "$work/map/config.json"
before=$(root_state "$host")
node install --config "$work/map/config.json"
equal '--config: it becomes the node'"'"'s' "0 $(< "$work/map/data") 644" \
	"$rc $(< "$host/etc/davit/config.json") $(stat -c %a "$host/etc/davit/config.json")"
rm "$host/log"
echo '{"driver": {"root": "/usr/local/nvidia"}}' > "$work/map/data"
node install --config "$work/map/config.json"
equal '--config: another one, without a restart' "0 $(< "$work/map/data") no" \
	"$rc $(< "$host/etc/davit/config.json") $([ -e "$host/log" ] && echo yes || echo no)"
restores '--config'
mkdir "$host/etc/davit"
echo '{"log": {"level": "debug"}}' > "$host/etc/davit/config.json"
before=$(root_state "$host")
node install --config "$work/map/config.json"
restores '--config: the node had another one'
for text in '{"driver": {"rot": "/"}}' ''; do
	printf '%s' "$text" > "$work/map/data"
	node install --config "$work/map/config.json"
	refuses "--config: \"$text\"" "cannot .*$work/map/config.json"
done
node install --config "$work/map/none"
refuses '--config: no such file' "cannot read $work/map/none: No such file"
stop_engine

# An administrator's default: without the runtime, the engine's CRI plugin doesn't load.
new_containerd default-runtime
node install --no-restart
equal 'a default of others: installed' 0 "$rc"
printf '[plugins."io.containerd.grpc.v1.cri".containerd]\n  default_runtime_name = "nvidia-cdi"\n' >> "$host/etc/containerd/config.toml"
before=$(root_state "$host")
node remove --no-restart
equal 'a default of others: not removed' 1 "$rc"
refuses 'a default of others' 'remove default_runtime_name from /etc/containerd/config.toml first'
sed -i '/default_runtime_name/d' "$host/etc/containerd/config.toml"
node remove --no-restart
equal 'a default of others, which is gone: removed' '0 0' "$rc $(find "$host" -name 'davit*' | wc -l)"

# --- which engine -------------------------------------------------------------------------------------

new_rancher() { # k3s|rke2
	mkdir -p "$host/var/lib/rancher/$1"/{bin,data/current/bin} "$host/var/lib/rancher/$1/agent/etc/containerd"
	: > "$host/var/lib/rancher/$1/bin/containerd"
	: > "$host/var/lib/rancher/$1/data/current/bin/containerd"
	cp "$work/$1/var/lib/rancher/$1/agent/etc/containerd/config.toml" "$host/var/lib/rancher/$1/agent/etc/containerd/"
}
engine_is() { # NAME ENGINE FILE
	equal "$1: $2 is set up" "0 $2 yes" "$rc $(head -n 1 "$host/var/lib/davit/node") $(grep -q davit-runtime "$host$3" && echo yes)"
	restores "$1"
}
new_host ranchers sles /run/k3s/containerd/containerd.sock rke2-server k3s
new_rancher k3s
new_rancher rke2
mkdir -p "$host/sys/fs/cgroup/system.slice/rke2-server.service"
start_engine
before=$(root_state "$host")
node install
engine_is 'k3s and RKE2, of which RKE2 runs' RKE2 /var/lib/rancher/rke2/agent/etc/containerd/config-v3.toml.d/davit.toml
rmdir "$host/sys/fs/cgroup/system.slice/rke2-server.service"
before=$(root_state "$host")
node install
refuses 'k3s and RKE2, and nothing decides' 'cannot select an engine: both k3s and RKE2 are installed \(fix: name .* --engine: rke2 or k3s\)'
node install --engine k3s
engine_is 'k3s and RKE2, with --engine' k3s /var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/davit.toml
node install --engine k4s
refuses 'an engine that does not exist' 'cannot find the engine k4s: .*use containerd, crio, k3s'
node install --file config.toml
refuses 'a relative path' 'cannot use --file config.toml: it is not an absolute path'
node install --engine k3s
node install --engine rke2
matches 'another engine than that of the first call: refused' 'cannot set up rke2: davit has set up this node for k3s .*davit node remove' "$output"
node install
equal 'the engine of the first call stays' '0 k3s' "$rc $(head -n 1 "$host/var/lib/davit/node")"
node remove
rm "$host/etc/systemd/system/k3s.service"
before=$(root_state "$host")
node install
engine_is "RKE2 beside k3s without a service" RKE2 /var/lib/rancher/rke2/agent/etc/containerd/config-v3.toml.d/davit.toml
rm "$host/etc/systemd/system/rke2-server.service"
before=$(root_state "$host")
node install --engine rke2
refuses 'RKE2 without a service' 'cannot restart RKE2: the host has no service of it .*--no-restart'
node install --engine rke2 --no-restart
matches 'RKE2 without a service: not restarted' '^not restarted: restart RKE2 on the host$' "$output"
after=$(root_state "$host")
node remove
matches 'RKE2 without a service, remove: refused' 'cannot restart RKE2: the host has no service of it .*--no-restart' "$output"
equal 'RKE2 without a service, remove: nothing is changed' "3 $after" "$rc $(root_state "$host")"
node remove --no-restart
equal 'RKE2 without a service: reverted' "0 $before" "$rc $(root_state "$host")"
stop_engine

# Leftovers of two distributions beside the containerd that runs.
new_containerd leftovers
new_rancher k3s
mkdir -p "$host/etc/k0s/containerd.d"
start_engine
before=$(root_state "$host")
node install
engine_is 'leftovers of two distributions' containerd /etc/containerd/conf.d/davit.toml
stop_engine

# --- interrupted, and at the same time ----------------------------------------------------------------

host=/nope
node install
matches '--host names nothing: the remedy' 'cannot .*/nope.*fix: name the directory at which the host.s / is mounted, with --host\)' "$output"

new_containerd interrupted
before=$(root_state "$host")
# wait_for COMMAND...
wait_for() {
	local i
	for ((i = 0; i < 200; i++)); do
		! "$@" || return 0
		sleep 0.05
	done
	fail "waiting: $*"
}
# shellcheck disable=SC2317 # called by wait_for
lines_of() { # FILE COUNT
	[ -e "$1" ] && [ "$(wc -l < "$1")" -ge "$2" ]
}
# An engine that doesn't come back until the installation was asked to end.
rm -f "$work/stay"
"$davit" node install --host "$host" --stay > "$work/stay" 2>&1 &
stays=$!
wait_for lines_of "$host/log" 1
kill -TERM $stays
wait_for lines_of "$host/log" 2
start_engine
rc=0
wait $stays || rc=$?
equal 'SIGTERM while it waits for the engine: reverted' "1 $before" "$rc $(root_state "$host")"
matches 'SIGTERM while it waits for the engine: it says so' 'a signal has ended it' "$(< "$work/stay")"

# Killed when the files are written, and before the engine has read them.
cp "$host/usr/bin/systemctl" "$work/systemctl"
printf '#!/bin/sh\nkill -KILL $PPID\n' > "$host/usr/bin/systemctl"
before=$(root_state "$host")
: > "$host/log"
node install
equal 'killed before the restart' '137 yes' "$rc $(grep -qr davit-runtime "$host/etc" && echo yes)"
cp "$work/systemctl" "$host/usr/bin/systemctl"
node install
equal 'killed before the restart, and once more: the engine is restarted' '0 systemctl restart containerd' "$rc $(< "$host/log")"
node install
equal 'once more: no restart' '0 systemctl restart containerd' "$rc $(< "$host/log")"
printf '#!/bin/sh\nkill -KILL $PPID\n' > "$host/usr/bin/systemctl"
node remove
equal 'a removal that is killed before the restart' '137 no' "$rc $(grep -qr davit-runtime "$host/etc" && echo yes || echo no)"
: > "$host/log"
cp "$work/systemctl" "$host/usr/bin/systemctl"
node remove
equal 'once more: the engine is restarted' '0 systemctl restart containerd no' "$rc $(< "$host/log") $([ -e "$host/var/lib/davit" ] && echo yes || echo no)"

# In a pod, the next call has the same process number, and finds what the killed one was writing.
before=$(root_state "$host")
mkdir -p "$host/var/lib/davit" "$host/etc/containerd/conf.d"
for i in 1 2 3 4 5 6 7 8 9; do
	echo '[half' | tee "$host/var/lib/davit/.node.davit-$i" "$host/etc/containerd/.config.toml.davit-$i" > "$host/etc/containerd/conf.d/.davit.toml.davit-$i"
done
rc=0
output=$(unshare -p -f "$davit" node install --host "$host" 2>&1) || rc=$?
equal 'a half-written file of a killed call: it is replaced' '0 ' "$rc $(find "$host" -name '.*.davit-*')"
node remove
rm -r "$host/etc/containerd/conf.d"
equal 'a half-written file of a killed call: reverted' "0 $before" "$rc $(root_state "$host")"

# Two at once: the second one waits. Two that stay: the last one reverts.
printf '#!/bin/sh\n[ -e /hold ] || exit 0\nwhile [ -e /hold ]; do :; done\n' > "$host/usr/bin/systemctl"
before=$(root_state "$host")
: > "$host/hold"
rm -f "$work/stay"
"$davit" node install --host "$host" --stay > "$work/stay" 2>&1 &
stays=$!
wait_for grep -qs '^on the host' "$work/stay"
"$davit" node install --host "$host" --stay > "$work/stay2" 2>&1 &
stays2=$!
wait_for grep -qs '^waiting for another' "$work/stay2"
rm "$host/hold"
wait_for grep -qs '^installed' "$work/stay2"
equal 'two at once: one after the other' 1 "$(grep -c '^wrote .*/conf.d/davit.toml' "$work/stay" "$work/stay2" | grep -c ':1$')"
kill -TERM $stays
rc=0
wait $stays || rc=$?
equal 'two that stay: the first one leaves the node set up' '0 yes' "$rc $(grep -qr davit-runtime "$host/etc" && echo yes)"
matches 'two that stay: it says so' '^nothing is reverted: another' "$(< "$work/stay")"
kill -TERM $stays2
rc=0
wait $stays2 || rc=$?
equal 'two that stay: the last one reverts' "0 $before" "$rc $(root_state "$host")"
cp "$work/systemctl" "$host/usr/bin/systemctl"

# Others hold what they can: any user, and the root of a pod that has the host's / mounted read-only.
cat > "$work/hold.py" << 'PYTHON'
import fcntl, os, sys, time
held = []
text = open(sys.argv[1] + ".new", "w")
for path in sys.argv[2:]:
    for folder, _, names in [(path, [], [])] + list(os.walk(path)):
        for name in [""] + names:
            try:
                held.append(os.open(os.path.join(folder, name), os.O_RDONLY))
                print(os.path.join(folder, name), file=text)
                for lock in fcntl.LOCK_SH | fcntl.LOCK_NB, fcntl.LOCK_EX | fcntl.LOCK_NB:
                    fcntl.flock(held[-1], lock)
                fcntl.lockf(held[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                pass
text.close()
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(60)
PYTHON
before=$(root_state "$host")
mkdir -m 0777 "$work/held"
chmod o+x "$work"
# shellcheck disable=SC2016 # the command's variables
for other in nobody reader; do
	rm -f "$work/stay"
	"$davit" node install --host "$host" --stay > "$work/stay" 2>&1 &
	stays=$!
	wait_for grep -qs '^installed' "$work/stay"
	places=("$host" "$host/run" "$host/run/davit" "$host/var/lib/davit")
	if [ $other = nobody ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups /usr/bin/python3 - "$work/held/$other" "${places[@]}" < "$work/hold.py" &
	else
		host=$host unshare -m sh -c 'mount --bind "$host" "$host" && mount -o remount,ro,bind "$host" && exec "$@"' sh \
			/usr/bin/python3 "$work/hold.py" "$work/held/$other" "${places[@]}" &
	fi
	holds=$!
	wait_for test -s "$work/held/$other"
	equal "locks of others ($other): whether they can open a file of davit's locks" \
		"$([ $other = nobody ] && echo no || echo yes)" "$(grep -q /run/davit/ "$work/held/$other" && echo yes || echo no)"
	node install
	equal "locks of others ($other): the next call doesn't wait" '0 0' "$rc $(grep -c '^waiting' <<< "$output" || true)"
	kill -TERM $stays
	rc=0
	wait $stays || rc=$?
	equal "locks of others ($other): the last one reverts" "0 $before" "$rc $(root_state "$host")"
	kill $holds
	wait $holds 2> /dev/null || true
done

# A killed call leaves no lock, although its file remains until the next call.
rm -f "$work/stay"
"$davit" node install --host "$host" --stay > "$work/stay" 2>&1 &
stays=$!
wait_for grep -qs '^installed' "$work/stay"
kill -KILL $stays
wait $stays 2> /dev/null || true
equal 'killed while it stays: its file' 1 "$(find "$host/run/davit" -name 'stay.*' | wc -l)"
node remove
equal 'killed while it stays: reverted' "0 $before" "$rc $(root_state "$host")"

# A newer davit, while a program of the older one runs.
node install
cp "$(command -v sleep)" "$host$bindir/davit-runtime"
"$host$bindir/davit-runtime" 60 &
sleeps=$!
node install
equal 'programs that run are replaced' "0 $(sha256sum < "$DAVIT_BUILD/davit-runtime") yes" \
	"$rc $(sha256sum < "$host$bindir/davit-runtime") $(kill -0 $sleeps && echo yes)"
kill $sleeps
wait $sleeps 2> /dev/null || true
node remove

# Directories that can't take programs: COS, systems with ostree.
before=$(root_state "$host")
node_in 'mount --bind $host/usr $host/usr; mount -o remount,ro,bind $host/usr' install
refuses '/usr is read-only' "cannot write $bindir/davit.*: Read-only file system .*--build-arg PREFIX=/opt/davit"
# /usr/local can be written.
mkdir -p "$host$bindir"
before=$(root_state "$host")
node_in 'mount --bind $host/usr/local $host/usr/local; mount --bind $host/usr/bin $host/usr/bin; mount -o remount,ro,bind $host/usr/bin' install
equal 'only /usr/bin is read-only: the links are skipped' '0 5' "$rc $(grep -c '^skipped /usr/bin/nvidia-.*: Read-only file system' <<< "$output")"
restores 'only /usr/bin is read-only'
printf 'ID=cos\n' > "$host/etc/os-release"
before=$(root_state "$host")
node_in 'mount --bind $host/usr $host/usr; mount -o remount,noexec,bind $host/usr' install
refuses "COS: no programs can be run there" "$bindir/davit is on a file system that is mounted noexec .*PREFIX=/home/kubernetes/bin/davit"
node_in 'mkdir -p $host'"$bindir"'; mount --bind $host/etc/containerd $host/etc/containerd; mount -o remount,ro,bind $host/etc/containerd' install
matches 'its configuration is read-only: refused' 'cannot write /etc/containerd/.*: Read-only file system' "$output"
equal 'its configuration is read-only: before anything is written' 0 "$(grep -cE '^(wrote|removed) ' <<< "$output" || true)"
stop_engine

# Killed at any point: the next installation and removal, or the removal alone, leave the node as it was.
new_killed() { # plain|existing
	rm -rf "$work/killed"
	new_containerd killed
	mkdir -p "$host/etc/davit" "$host$bindir"
	[ "$1" = existing ] || return 0
	echo own > "$host$bindir/davit-hook"
	: > "$host/usr/bin/davit-runtime"
	"$davit" configure containerd --root "$host" --runtime-path /usr/bin/davit-runtime > /dev/null 2>&1
	echo '{}' > "$host/etc/davit/config.json"
	chmod 0640 "$host/etc/davit/config.json"
	chgrp 33 "$host/etc/davit/config.json"
	chmod 0600 "$host/etc/containerd/conf.d/davit.toml"
}
# What is to come back, with its owner.
whole_state() {
	root_state "$host"
	find "$host" -printf '%P %U:%G\n' | sort
}
echo '{"log": {"level": "info"}}' > "$work/info.json"
killed=(--no-restart --set-default --cdi --config "$work/info.json")
# One of each pair of points is followed by another installation.
for kind in plain existing; do
	new_killed $kind
	mv "$work/killed" "$work/killed.$kind"
	failed='' points=0
	for call in renameat linkat symlinkat mkdirat unlinkat; do
		for ((n = 1; n < 200; n++)); do
			rm -rf "$work/killed"
			cp -a "$work/killed.$kind" "$work/killed"
			before=$(whole_state)
			rc=0
			{
				strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n \
					"$davit" node install --host "$host" "${killed[@]}" > /dev/null || rc=$?
			} 2> /dev/null
			[ $rc != 0 ] || break
			points=$((points + 1))
			for again in $([ -z "${FULL:-}" ] && echo $((points % 2)) || echo 0 1); do
				[ "$again" = 0 ] || node install "${killed[@]}"
				[ "$again" = 0 ] || [ "$rc" = 0 ] || failed+="$call $n: install: $output"$'\n'
				node remove --no-restart
				[ "$rc" = 0 ] || failed+="$call $n, $again more: $output"$'\n'
				[ "$before" = "$(whole_state)" ] ||
					failed+="$call $n, $again more: $(diff <(echo "$before") <(whole_state) | head -n 5 || true)"$'\n'
			done
		done
	done
	equal "killed at any point ($kind): as it was" '' "$failed"
	equal "killed at any point ($kind): at more than 20 points" yes "$([ $points -gt 20 ] && echo yes || echo $points)"
done

# A node whose davit configuration existed before: what others, and `davit configure`, do to it in between.
existing_node() {
	new_killed existing
	drop_in=$host/etc/containerd/conf.d/davit.toml main=$host/etc/containerd/config.toml
	cp "$main" "$work/main"
	before=$(whole_state)
	node install --no-restart
}
configure_now() {
	"$davit" configure containerd --root "$host" "$@" > /dev/null 2>&1
}
comes_back() { # NAME
	node remove --no-restart
	equal "$1: restored" "0 $before" "$rc $(whole_state)"
}
existing_node
configure_now --set-default --cdi
comes_back 'davit configure in between'
existing_node
configure_now --set-default
node install --no-restart --cdi
comes_back 'davit configure and another installation in between'
existing_node
configure_now --remove
comes_back 'davit configure --remove in between'
existing_node
configure_now --remove
node install --no-restart
comes_back 'davit configure --remove and another installation in between'
existing_node
printf 'version = 2\nroot = "/other"\n' > "$main"
node remove --no-restart
equal 'config.toml is written at boot, without davit: it stays, and the drop-in is restored' "0 root = \"/other\" 600 /usr/bin/davit-runtime no" \
	"$rc $(sed -n 2p "$main") $(stat -c %a "$drop_in") $(grep -om 1 '/.*/davit-runtime' "$drop_in") $([ -e "$host/var/lib/davit" ] && echo yes || echo no)"
existing_node
printf 'version = 2\nroot = "/other"\n' > "$main"
cp "$main" "$work/other"
node install --no-restart
equal 'config.toml is written at boot: it is configured again' '0 yes' "$rc $(grep -q conf.d/davit.toml "$main" && echo yes)"
node remove --no-restart
equal "config.toml is written at boot: davit's part is removed" "0 $(< "$work/other")" "$rc $(< "$main")"
existing_node
echo '# a comment' >> "$main"
node install --no-restart --cdi
node remove --no-restart
equal 'a line in config.toml: it stays, and so does the import of before' "0 $(cat "$work/main" && echo '# a comment')" "$rc $(< "$main")"
existing_node
printf '[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "example.com/pause"\n' >> "$main"
configure_now
node remove --no-restart
equal 'a setting that davit configure has taken over: the restored drop-in has it' '0 yes /usr/bin/davit-runtime' \
	"$rc $(grep -q example.com/pause "$drop_in" && echo yes) $(grep -om 1 '/.*/davit-runtime' "$drop_in")"
# The pod itself takes it over, too.
existing_node
printf '[plugins."io.containerd.grpc.v1.cri"]\n  sandbox_image = "example.com/pause"\n' >> "$main"
node install --no-restart
node remove --no-restart
equal 'a setting that another installation has taken over: the restored drop-in has it' '0 yes /usr/bin/davit-runtime' \
	"$rc $(grep -q example.com/pause "$drop_in" && echo yes) $(grep -om 1 '/.*/davit-runtime' "$drop_in")"
existing_node
echo '# own' >> "$drop_in"
node remove --no-restart
matches 'a line in the drop-in: refused' 'cannot restore /etc/containerd/conf.d/davit.toml: it was changed' "$output"

# A removal that is killed, and repeated.
new_killed existing
before=$(whole_state)
node install "${killed[@]}"
mv "$host" "$work/killed.installed"
failed=''
for call in renameat unlinkat; do
	for ((n = 1; n < 200; n++)); do
		rm -rf "$host"
		cp -a "$work/killed.installed" "$host"
		rc=0
		{
			strace -f -qq -o /dev/null -e trace=$call -e inject=$call:signal=KILL:when=$n \
				"$davit" node remove --host "$host" --no-restart > /dev/null || rc=$?
		} 2> /dev/null
		[ $rc != 0 ] || break
		node remove --no-restart
		[ "$rc $before" = "0 $(whole_state)" ] || failed+="$call $n: $output $(diff <(echo "$before") <(whole_state) | head -n 5 || true)"$'\n'
	done
done
equal 'a removal that is killed at any point, and repeated: as it was' '' "$failed"

# --- config/kubernetes ------------------------------------------------------------------------------

kubernetes=$repository/config/kubernetes
entry=$(sed -n 's/^ENTRYPOINT //p' "$kubernetes/Containerfile")
equal "the image's entry point is what is tested here" '["/usr/local/bin/davit","node","install","--host","/host","--stay"]' "$(jq -c . <<< "$entry")"
for option in $(jq -r '.[3:][] | select(startswith("--"))' <<< "$entry"); do
	matches "the image's entry point: $option is known" "^  $option " "$("$davit" node install --help)"
done
# The image: all programs in one directory, whatever the prefix is.
equal 'the image has one directory' '/usr/local/bin' "$(sed -n 's/^COPY --from=build .* //p' "$kubernetes/Containerfile" | xargs)"
installed=$(DESTDIR=$work/image cmake --install "$DAVIT_BUILD" | sed -n 's/^-- Installing: //p')
mkdir "$work/programs"
# shellcheck disable=SC2046 # two patterns
cp $(sed -n 's/.*cp \(.*\) \/programs$/\1/p' "$kubernetes/Containerfile" |
	sed "s|/image\$PREFIX|$work/image${bindir%/bin}|g") "$work/programs"
equal 'the image has all programs that are installed' "$(grep -E "^$work/image$bindir/davit|/libexec/davit/" <<< "$installed" | sed 's|.*/||' | sort)" \
	"$(find "$work/programs" -type f -printf '%f\n' | sort)"
new_containerd image
start_engine
before=$(root_state "$host")
rc=0
output=$("$work/programs/davit" node install --host "$host" 2>&1) || rc=$?
equal 'the image sets up a node' "0 $(sha256sum < "$DAVIT_BUILD/davit-nvml")" "$rc $(sha256sum < "$host${bindir%/bin}/libexec/davit/davit-nvml")"
restores 'the image sets up a node'
stop_engine
while read -r file; do
	equal "kustomization.yaml: $file is there, every document of a kind" yes \
		"$(awk 'BEGIN { RS = "(^|\n)---\n" } !/\nkind: [A-Z]/ { bad = 1 } END { print bad ? "no" : "yes" }' "$kubernetes/$file")"
done < <(sed -n 's/^- \(.*\.yaml\)$/\1/p' "$kubernetes/kustomization.yaml")
matches 'the DaemonSet mounts the host where the entry point looks' '^ +mountPath: /host$' "$(< "$kubernetes/daemonset.yaml")"
report_exit
