#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit configure`: the files it leaves, and real engines that are started with them, up to a
# container with a GPU.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=runc
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
"$fixture/fake-host" "$host"
with="cgroup $CGROUP"

overlay_over /etc
overlay_over /usr/local
overlay_over /usr/share
mkdir -p /etc/davit /etc/docker /etc/containerd
cp "$host/davit.json" /etc/davit/config.json

# Where davit would be installed. Until there is a davit-runtime, one that adds the hook.
mkdir -p "$work/roots"
bindir=$("$davit" configure podman --root "$work/roots" --dry-run |
	sed -n 's|.*"path": "\(.*\)/davit-hook".*|\1|p')
mkdir -p "$bindir"
ln -sf "$hook" "$bindir/davit-hook"
if [ -x "$DAVIT_BUILD/davit-runtime" ]; then
	ln -sf "$DAVIT_BUILD/davit-runtime" "$bindir/davit-runtime"
else
	cat > "$bindir/davit-runtime" << END
#!/bin/sh
create='' before=''
for word; do
	[ "\$before" != --bundle ] || bundle=\$word
	[ "\$word" != create ] || create=yes
	before=\$word
done
if [ -n "\$create" ]; then
	jq '.hooks.prestart += [{path: "$hook", args: ["davit-hook", "prestart"]}]' \
		< "\$bundle/config.json" > "\$bundle/config.json.new"
	mv "\$bundle/config.json.new" "\$bundle/config.json"
fi
exec runc "\$@"
END
	chmod +x "$bindir/davit-runtime"
fi

configure() { # ARGUMENT...: sets rc, output and errors
	rc=0
	output=$("$davit" configure "$@" 2> "$work/errors" < /dev/null) || rc=$?
	errors=$(cat "$work/errors")
}

# --- the files -----------------------------------------------------------------------------------

root=$work/image
# cycle NAME ENGINE FILE [TEXT]: there and back, with every option.
cycle() {
	local name=$1 engine=$2 file=$root$3 options first
	for options in '' --set-default --cdi '--set-default --cdi'; do
		[ "$engine" != podman ] || options=''
		rm -rf "$root"
		mkdir -p "$(dirname "$file")"
		[ -z "${4:-}" ] || printf '%b' "$4" > "$file"
		[ -z "${4:-}" ] || chmod 0640 "$file"
		first=$(find "$root" -type f -printf '%P %m ' -exec sha256sum {} \; | sed "s|$work||")
		# shellcheck disable=SC2086 # options are words
		configure "$engine" --root "$root" $options --dry-run
		equal "$name $options: --dry-run changes nothing" "$first" \
			"$(find "$root" -type f -printf '%P %m ' -exec sha256sum {} \; | sed "s|$work||")"
		printf '%s\n' "$output" > "$work/diff"
		cp -a "$root" "$work/patched"
		(cd "$work/patched" && sed 's|^--- /etc|--- a/etc|; s|^+++ /etc|+++ b/etc|' "$work/diff" |
			git apply --unidiff-zero --whitespace=nowarn - > "$work/patch-output" 2>&1) || true
		# shellcheck disable=SC2086
		configure "$engine" --root "$root" $options
		equal "$name $options: it works" '0 ' "$rc $(grep -v '^davit: note: ' <<< "$errors" || true)"
		equal "$name $options: the diff was it" '' "$(diff -r -x '*.before-davit' "$root" "$work/patched" 2>&1 || true)"
		rm -rf "$work/patched" "$work/again"
		cp -a "$root" "$work/again"
		# shellcheck disable=SC2086
		configure "$engine" --root "$root" $options
		equal "$name $options: twice is once" '0 nothing to change' "$rc $output"
		equal "$name $options: twice gives the same" '' "$(diff -r "$root" "$work/again" || true)"
		[ "$engine" != docker ] || equal "$name $options: JSON, with the runtime" "$bindir/davit-runtime" \
			"$(jq -r .runtimes.nvidia.path < "$file")"
		[ -z "${4:-}" ] || equal "$name $options: the mode stays" 640 "$(stat -c %a "$file")"
		configure "$engine" --root "$root" --remove
		equal "$name $options: --remove gives the first one back" "$first" \
			"$(find "$root" -type f -printf '%P %m ' -exec sha256sum {} \; | sed "s|$work||")"
	done
}
cycle 'docker, no file' docker /etc/docker/daemon.json
cycle 'docker, {}' docker /etc/docker/daemon.json '{}'
cycle 'docker, odd blanks' docker /etc/docker/daemon.json '{"a":1.50,\t"features" :{ },\n\n "b": [1,\n2]  }\n\n'
cycle 'docker, another nvidia' docker /etc/docker/daemon.json \
	'{\n\t"runtimes": {\n\t\t"nvidia": {\n\t\t\t"args": [],\n\t\t\t"path": "nvidia-container-runtime"\n\t\t}\n\t},\n\t"default-runtime": "nvidia"\n}\n'
cycle 'containerd, no file' containerd /etc/containerd/config.toml
cycle "containerd, Docker's package" containerd /etc/containerd/config.toml '# Docker\ndisabled_plugins = ["cri"]\n'
cycle 'containerd, version 4' containerd /etc/containerd/config.toml 'version = 4\n'
cycle 'containerd, version 3' containerd /etc/containerd/config.toml \
	'version = 3\nimports = [\n  "/etc/a/*.toml", # theirs\n]\n[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]\n  SystemdCgroup = true\n'
cycle 'crio' crio /etc/crio/crio.conf
cycle podman podman /etc/containers/containers.conf

refused() { # NAME ENGINE FILE TEXT WHERE
	rm -rf "$root" "$work/again"
	mkdir -p "$(dirname "$root$3")"
	printf '%b' "$4" > "$root$3"
	cp -a "$root" "$work/again"
	configure "$2" --root "$root"
	equal "$1: refused" 1 "$rc"
	matches "$1: one line says where" "^davit: cannot .*$3.*$5" "$errors"
	equal "$1: nothing is changed" '' "$(diff -r "$root" "$work/again" || true)"
}
refused 'daemon.json with a comment' docker /etc/docker/daemon.json '{\n  // mine\n}\n' 'line 2, column 3'
refused 'daemon.json with a trailing comma' docker /etc/docker/daemon.json '{\n  "a": 1,\n}\n' 'line 3, column 1'
refused 'daemon.json with runtimes that are no object' docker /etc/docker/daemon.json \
	'{\n  "runtimes": []\n}\n' 'line 2, column 15'
refused 'config.toml without a bracket' containerd /etc/containerd/config.toml \
	'version = 2\n[plugins\n' 'line 2, column 9'
refused 'config.toml of version 5' containerd /etc/containerd/config.toml 'version = 5\n' 'format versions 1 to 4.*fix: upgrade davit'
rm -rf "$root"
mkdir -p "$root/etc/docker"
ln -s elsewhere "$root/etc/docker/daemon.json"
configure docker --root "$root"
matches 'daemon.json that is a link: refused' '^davit: cannot .*symbolic link.*fix: ' "$errors"
rm "$root/etc/docker/daemon.json"
printf '{}\n' > "$root/etc/docker/daemon.json"
mount -t tmpfs tmpfs "$root/etc"
mkdir "$root/etc/docker"
mount -o remount,ro "$root/etc"
configure docker --root "$root"
equal 'a read-only /etc: refused' 1 "$rc"
matches 'a read-only /etc: one line' '^davit: cannot .*Read-only file system \(fix: ' "$errors"
umount "$root/etc"
for arguments in '' 'docker podman' 'lxc' 'docker --bogus' 'docker --root' 'podman --set-default' 'docker --runtime-path x' \
	'docker --file daemon.json' 'crio --drop-in x'; do
	# shellcheck disable=SC2086 # words
	configure $arguments
	equal "configure $arguments: a usage error" 2 "$rc"
done

# --- nvidia-ctk ----------------------------------------------------------------------------------

ln -s "$davit" "$work/nvidia-ctk"
# same NAME ARGUMENTS -- ARGUMENTS: nvidia-ctk's words and ours do the same.
same() {
	local theirs=() name=$1
	shift
	while [ "$1" != -- ]; do
		theirs+=("$1")
		shift
	done
	shift
	equal "nvidia-ctk runtime configure, $name" "$("$davit" configure "$@" --dry-run --whole 2>&1 || true)" \
		"$("$work/nvidia-ctk" runtime configure "${theirs[@]}" --dry-run 2>&1 || true)"
}
same 'nothing said' -- docker
same docker --runtime=docker --nvidia-set-as-default --cdi.enabled -- docker --set-default --cdi
same 'other names' --runtime docker --nvidia-runtime-name gpu --nvidia-runtime-path=/x/y --cdi.enabled=false -- \
	docker --runtime-name gpu --runtime-path /x/y
same containerd --runtime=containerd --config=/x/c.toml --drop-in-config /x/d/e.toml --config-source=file -- \
	containerd --file /x/c.toml --drop-in /x/d/e.toml
same crio --runtime=crio --set-as-default -- crio --set-default
rc=0
"$work/nvidia-ctk" runtime configure --bogus > /dev/null 2>&1 || rc=$?
equal 'nvidia-ctk, an unknown option: a usage error' 2 "$rc"
equal 'nvidia-ctk config' "$(cat /etc/davit/config.json)" "$("$work/nvidia-ctk" config)"
# By single commands, as the other writes it.
"$davit" cdi generate --format yaml --disable-hook chmod > "$work/ours.yaml"
"$work/nvidia-ctk" cdi generate --mode=auto --driver-root "$host/driver" --dev-root "$host" > "$work/theirs.yaml" 2> "$work/errors" || true
equal 'nvidia-ctk cdi generate' '' "$(diff "$work/ours.yaml" "$work/theirs.yaml" 2>&1 || true)"
matches 'nvidia-ctk cdi generate: it is a spec' '^cdiVersion:' "$(tr -d '"' < "$work/theirs.yaml")"
mkdir "$work/char"
ln -s nowhere "$work/char/195:255"
"$work/nvidia-ctk" system create-dev-char-symlinks --create-all --dev-char-path "$work/char" > /dev/null
equal 'nvidia-ctk system create-dev-char-symlinks' "$host/dev/nvidia0 $host/dev/nvidiactl" \
	"$(readlink "$work/char/195:0" "$work/char/195:255" | xargs)"
equal 'nvidia-ctk system create-dev-char-symlinks, again: nothing to do' '' \
	"$("$work/nvidia-ctk" system create-dev-char-symlinks --dev-char-path "$work/char")"

# --- docker --------------------------------------------------------------------------------------

export DOCKER_HOST=unix://$work/docker/socket DOCKER_CONFIG=$work/docker/config
unset DOCKER_CONTEXT DOCKER_TLS_VERIFY
engine_pid=''
# shellcheck disable=SC2317 # called by clean_up
stop_engine() {
	[ -n "$engine_pid" ] || return 0
	kill "$engine_pid" 2> /dev/null || return 0
	wait "$engine_pid" || true
	engine_pid=''
}
at_end stop_engine
start_dockerd() {
	local i
	dockerd --data-root "$work/docker/data" --exec-root "$work/docker/exec" --pidfile "$work/docker/pid" \
		-H "$DOCKER_HOST" --group root --iptables=false --ip6tables=false --bridge=none \
		--exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$cgroup" \
		< /dev/null > "$work/docker/log" 2>&1 &
	engine_pid=$!
	for ((i = 0; i < 300; i++)); do
		! timeout 60 docker version > /dev/null 2>&1 || return 0
		kill -0 "$engine_pid" 2> /dev/null || break
		sleep 0.1
	done
	fail "dockerd starts with the file ($with)" 'it does not answer' "$(tail -n 20 "$work/docker/log")"
}
in_docker() { # OPTION... -- COMMAND...
	rc=0
	output=$(timeout 60 docker run --rm --network none "$@" 2>&1 < /dev/null) || rc=$?
}
if [ -x /usr/bin/docker ]; then
	mkdir -p "$work"/docker/{data,exec,config}
	printf '{"debug": false}\n' > /etc/docker/daemon.json
	configure docker
	start_dockerd
	tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
	in_docker --runtime nvidia -e NVIDIA_VISIBLE_DEVICES=1 gpu-test nvidia-smi -L
	equal "docker run --runtime nvidia ($with)" "0 $(smi_line 0 "$uuid1")" "$rc $output"
	in_docker --runtime nvidia gpu-test nodeprobe /dev/nvidiactl
	equal "docker run --runtime nvidia, nothing asked for ($with)" '0 /dev/nvidiactl: ENOENT' "$rc $output"
	in_docker -e NVIDIA_VISIBLE_DEVICES=1 gpu-test nodeprobe /dev/nvidiactl
	equal "docker run without the runtime ($with)" '0 /dev/nvidiactl: ENOENT' "$rc $output"
	stop_engine
	configure docker --set-default
	start_dockerd
	in_docker -e NVIDIA_VISIBLE_DEVICES=0 gpu-test nvidia-smi -L
	equal "docker run with davit as default ($with)" "0 $(smi_line 0 "$uuid0")" "$rc $output"
	stop_engine
	configure docker --remove
	equal 'docker: --remove' '{"debug": false}' "$(cat /etc/docker/daemon.json)"
else
	skip "docker ($with)" "Debian's docker isn't installed (apt-get install docker.io)"
fi

# --- containerd ----------------------------------------------------------------------------------

ctr() {
	timeout 60 /usr/bin/ctr --address "$work/containerd/socket" "$@"
}
if command -v containerd > /dev/null; then
	mkdir -p "$work/containerd"
	cat > /etc/containerd/config.toml << END
version = 2
root = "$work/containerd/root"
state = "$work/containerd/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "$work/containerd/socket"
[ttrpc]
  address = "$work/containerd/socket.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$work/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true
END
	configure containerd --set-default
	dump=$(containerd --config /etc/containerd/config.toml config dump)
	# A key of a table of the dump; containerd 2 calls the plugin otherwise, quotes otherwise, and has lists.
	dumped() { # TABLE KEY
		tr "'" '"' <<< "$dump" | awk -v old="[plugins.\"io.containerd.grpc.v1.cri\".$1]" \
			-v new="[plugins.\"io.containerd.cri.v1.runtime\".$1]" -v key="$2" '
			$1 ~ /^\[/ { on = $1 == old || $1 == new } on && $1 == key { print $3 }'
	}
	cni=bin_dir
	[[ $dump != *bin_dirs* ]] || cni=bin_dirs
	equal 'containerd reads the runtime' "\"$bindir/davit-runtime\" true" \
		"$(dumped containerd.runtimes.nvidia.options BinaryName) $(dumped containerd.runtimes.nvidia.options SystemdCgroup)"
	equal 'containerd: it is the default one' '"nvidia"' "$(dumped containerd default_runtime_name)"
	equal 'containerd: what config.toml says of the plugin stays' "\"$work/cni\" true" \
		"$(dumped cni "$cni" | tr -d '[]') $(dumped containerd.runtimes.runc.options SystemdCgroup)"
	containerd --config /etc/containerd/config.toml < /dev/null > "$work/containerd/log" 2>&1 &
	engine_pid=$!
	for ((i = 0; i < 100; i++)); do
		! ctr version > /dev/null 2>&1 || break
		sleep 0.1
	done
	matches 'containerd runs with the file, the CRI plugin too' 'io.containerd.grpc.v1 +cri +.* ok' \
		"$(ctr plugins ls 2>&1)"
	bundle=$work/bundle1
	overlay_root "$(kind_root debian)"
	output=$(ctr run --rm --rootfs --cpu-shares 0 --cgroup "$cgroup/ctr" --env PATH=/usr/bin:/bin \
		--env NVIDIA_VISIBLE_DEVICES=1 --runc-binary "$(dumped containerd.runtimes.nvidia.options BinaryName | tr -d '"')" \
		"$bundle/rootfs" "davit-$unique" nvidia-smi -L 2>&1 < /dev/null) || true
	equal "a container of that runtime ($with)" "$(smi_line 0 "$uuid1")" "$output"
	unmount_below "$bundle"
	stop_engine
else
	skip "containerd ($with)" "containerd isn't installed"
fi

# --- podman --------------------------------------------------------------------------------------

if command -v podman > /dev/null; then
	mkdir -p "$work"/podman/{root,run,tmp,home}
	export HOME=$work/podman/home
	unset DOCKER_CONFIG DOCKER_HOST
	rootfs=$(kind_root debian)
	podman_run() { # OPTION... -- COMMAND...
		rc=0
		output=$(timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" \
			--tmpdir "$work/podman/tmp" --storage-driver vfs --events-backend file \
			--cgroup-manager cgroupfs --runtime runc run --rm --network none --pids-limit 0 \
			--cgroup-parent "$cgroup" --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
			"${@:2}" 2> "$work/errors" < /dev/null) || rc=$?
		output+=$(grep -v 'level=warning' "$work/errors" || true)
	}
	configure podman
	podman_run - -e NVIDIA_VISIBLE_DEVICES=1 --rootfs "$rootfs:O" nvidia-smi -L
	equal "podman with the hook's file ($with)" "0 $(smi_line 0 "$uuid1")" "$rc $output"
	podman_run - --rootfs "$rootfs:O" nodeprobe /dev/nvidiactl
	equal "podman, nothing asked for ($with)" '0 /dev/nvidiactl: ENOENT' "$rc $output"
	configure podman --remove
	podman_run - -e NVIDIA_VISIBLE_DEVICES=1 --rootfs "$rootfs:O" nodeprobe /dev/nvidiactl
	equal "podman after --remove ($with)" '0 /dev/nvidiactl: ENOENT' "$rc $output"
	at_end wait_for_podman

	# hooks_dir: what the container gets, and what doctor says of it.
	containers_conf=/etc/containers/containers.conf
	mkdir -p /etc/containers "$HOME/.config/containers"
	gpu_and_doctor() { # sets both to yes or no
		local finding
		podman_run - -e NVIDIA_VISIBLE_DEVICES=1 --rootfs "$rootfs:O" nodeprobe /dev/nvidiactl
		gpu=yes
		[ "$output" != '/dev/nvidiactl: ENOENT' ] || gpu=no
		finding=$("$davit" doctor --json --engine podman | jq -r '.checks[] | select(.id == "podman.hook") | .evidence') || true
		promised=yes
		[[ $finding = *' runs '* ]] || promised=no
	}
	for list in '["/etc/containers/oci/hooks.d"]' '["/etc/hooks/a", "/etc/hooks/b"]' '[]'; do
		for file in $containers_conf $containers_conf.d/50.conf "$HOME/.config/containers/containers.conf" "$work/named.conf"; do
			mkdir -p "${file%/*}"
			printf '[engine]\nhooks_dir = %s\n' "$list" > "$file"
			for variable in CONTAINERS_CONF CONTAINERS_CONF_OVERRIDE; do
				[ "$file" = "$work/named.conf" ] || [ $variable = CONTAINERS_CONF ] || continue
				[ "$file" != "$work/named.conf" ] || export $variable="$file"
				configure podman
				done_rc=$rc
				gpu_and_doctor
				if [ $done_rc = 0 ]; then
					equal "podman, $file: hooks_dir = $list ($with): configured" 'yes yes' "$gpu $promised"
				else
					# Podman before 4.8 reads no hooks.
					equal "podman, $file: hooks_dir = $list ($with): refused" '[] no no' "$list $gpu $promised"
				fi
				configure podman --remove
				gpu_and_doctor
				equal "podman, $file: hooks_dir = $list ($with): removed" '0 no no' "$rc $gpu $promised"
				unset CONTAINERS_CONF CONTAINERS_CONF_OVERRIDE
			done
			rm "$file"
		done
	done
	# A hook whose program doesn't exist stops no container.
	configure podman
	folder=$(find /usr/share/containers -name davit.json)
	folder=${folder%/*}
	printf '{"version": "1.0.0", "hook": {"path": "/gone/nvidia-container-toolkit"}, "when": {"always": true}, "stages": ["prestart"]}' \
		> "$folder/oci-nvidia-hook.json"
	podman_run - -e NVIDIA_VISIBLE_DEVICES=1 --rootfs "$rootfs:O" nvidia-smi -L
	equal "podman, a hook's program doesn't exist ($with)" "0 $(smi_line 0 "$uuid1")" "$rc $output"
	matches "doctor: a hook's program doesn't exist ($with)" 'warn *podman.hook .*ignores this file' \
		"$("$davit" doctor --engine podman | grep podman.hook)"
	rm "$folder/davit.json"
	gpu_and_doctor
	equal "podman, no other hook ($with)" '0 no no' "$rc $gpu $promised"
	rm "$folder/oci-nvidia-hook.json"
else
	skip "podman ($with)" "podman isn't installed"
fi
report_exit
