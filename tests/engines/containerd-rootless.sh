#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rootless containerd with each method: containerd as an ordinary user in rootlesskit, as
# containerd-rootless.sh of nerdctl starts it, and `davit configure containerd` as that user. Pods get a
# kubelet's calls, containers are ctr's. Lines for docs/compatibility.md, as matrix.sh's.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
# shellcheck source=tests/lib/cri.sh
. "$repository/tests/lib/cri.sh"
enter_namespace "$@"
report_host '580.159.04, fake'
require_containerd
for program in rootlesskit newuidmap setpriv; do
	if ! command -v "$program" > /dev/null; then
		skip "${0##*/}" "$program isn't installed (apt-get install rootlesskit uidmap util-linux)"
		report_exit
	fi
done
make_work
host=$work/host
"$fixture/fake-host" "$host"
find_containerd_version
version=$containerd_version
low_name=$ENGINE
with="rootless containerd $version, $low_name"
spare_crun_memlock
make_low_runtime "$(command -v "$ENGINE")"
mkdir "$work/bin" "$work/front" "$work/volume"
mv "$low" "$work/bin/$low_name"
low=$work/bin/$low_name
sed -i 's/del(/del(.linux.cgroupsPath, /' "$low"
configure_runtime "$low"
make_cni
make_dev
# Where a user can reach them; the checkout may lie in a private directory.
cp "$hook" "$work/front/davit-hook"
cp "$runtime" "$work/front/davit-runtime"
cp "$davit" "$work/bin/davit"
cp "$DAVIT_BUILD/davit-container-cli" "$work/bin/nvidia-container-cli"
mkdir -p "$work"/{home,run,user} /etc/cdi
cp -a "$(kind_root debian)/etc/." "$work/volume"
touch "$work/volume/"{hostname,hosts,resolv.conf}
"$davit" cdi generate | jq --arg hook "$work/front/davit-hook" \
	'(.. | objects | select(has("hookName")).path) = $hook' > /etc/cdi/nvidia.json
user=davit id=54321
printf '%s:x:%s:%s::%s:/bin/sh\n' $user $id $id "$work/home" >> /etc/passwd
printf '%s:x:%s:\n' $user $id >> /etc/group
printf '%s:1000000:65536\n' $user | tee /etc/subuid > /etc/subgid
chmod 0755 "$work"
chown -R $id:$id "$work"/{home,run,user}
chown -hR $id:$id "$work/volume"
chmod 0700 "$work/run"
before=$(tree_state "$work/volume")
one=$(smi_line 0 "$uuid1")
folder=$work/home/.config/containerd
cri_socket=$work/run/containerd/containerd.sock

as_user() {
	(cd / && exec setpriv --reuid $id --regid $id --clear-groups --inh-caps=-all env -i PATH="$work/bin:$PATH" \
		HOME="$work/home" USER=$user XDG_RUNTIME_DIR="$work/run" TMPDIR="$work/user" LC_ALL=C "$@")
}
# The daemon's namespaces, as `containerd-rootless-setuptool.sh nsenter` enters them.
in_rootlesskit() {
	as_user nsenter --no-fork --preserve-credentials --user --mount --wdns=/ \
		--target "$(< "$work/run/containerd-rootless/child_pid")" "$@"
}
ctr() {
	in_rootlesskit timeout 60 ctr -n k8s.io "$@"
}
# What containerd-rootless.sh does, but for the network: there is none here.
start_rootless() {
	local i
	# shellcheck disable=SC2016 # of the inner shell
	as_user rootlesskit --net=host --copy-up=/etc --copy-up=/run --copy-up=/var/lib --propagation=rslave \
		--state-dir="$work/run/containerd-rootless" sh -ec '
		rm -f /run/containerd /run/netns /var/lib/containerd /var/lib/cni /etc/containerd
		mkdir -p "$XDG_RUNTIME_DIR/containerd" "$HOME/.local/share/containerd" "$HOME/.config/containerd"
		mkdir -p /run/containerd /var/lib/containerd /etc/containerd
		mount --bind "$XDG_RUNTIME_DIR/containerd" /run/containerd
		mount --bind "$HOME/.local/share/containerd" /var/lib/containerd
		mkdir -p "$HOME/.local/share/cni" /var/lib/cni
		mount --bind "$HOME/.local/share/cni" /var/lib/cni
		mount --bind "$HOME/.config/containerd" /etc/containerd
		exec containerd' > "$work/user/log" 2>&1 < /dev/null &
	rootlesskit=$!
	at_end stop_rootless
	for ((i = 0; i < 300; i++)); do
		! cri version > /dev/null 2>&1 || return 0
		kill -0 $rootlesskit 2> /dev/null || break
		sleep 0.1
	done
	fail "it starts ($with)" "$(cri version 2>&1 || true)" "$(tail -n 20 "$work/user/log")"
	report_exit
}
# shellcheck disable=SC2317 # called by clean_up
stop_rootless() {
	local daemon
	[ -n "${rootlesskit:-}" ] || return 0
	daemon=$(pgrep -u $id -x containerd | head -n 1 || true)
	kill "${daemon:-$rootlesskit}" 2> /dev/null || true
	wait $rootlesskit || true
	rootlesskit=''
}

# The user's files: config.toml has all in an import, which it names as the daemon sees it.
mkdir -p "$folder"
printf '%s\n' "version = $file_version" 'imports = ["/etc/containerd/base.toml"]' > "$folder/config.toml"
{
	cat << END
version = $file_version
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[plugins."$runtime_plugin"]
  disable_cgroup = true
  disable_apparmor = true
  restrict_oom_score_adj = true
END
	[ "$file_version" = 3 ] || printf '  sandbox_image = "localhost/gpu-test:latest"\n'
	cat << END
  [plugins."$runtime_plugin".cni]
    bin_dir = "$work/cni/bin"
    conf_dir = "$work/cni/net.d"
  [plugins."$runtime_plugin".containerd]
    default_runtime_name = "runc"
END
	[ "$file_version" = 3 ] || printf '    snapshotter = "native"\n'
	cat << END
  [plugins."$runtime_plugin".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."$runtime_plugin".containerd.runtimes.runc.options]
      BinaryName = "$low"
END
	[ "$file_version" = 2 ] || cat << END
[plugins."$images_plugin"]
  snapshotter = "native"
  [plugins."$images_plugin".pinned_images]
    sandbox = "localhost/gpu-test:latest"
END
} > "$folder/base.toml"
chown -R $id:$id "$work/home"
files_before=$(tree_state "$folder")

says() { # NAME CHECK RESULT EVIDENCE: what doctor says of the daemon that runs, to its user
	local answer
	answer=$(as_user davit doctor --all --engine containerd 2>&1 | grep " containerd\.$2 " || true)
	matches "$1 ($with), doctor" "^$3 .*$4" "$answer"
}
configure() { # NAME OPTION...: sets output
	rc=0
	output=$(as_user davit configure containerd --runtime-path "$work/front/davit-runtime" "${@:2}" 2>&1) || rc=$?
	matches "$1 ($with)" "^(0 )?(wrote|removed) $folder/conf.d/davit.toml" "$rc $output"
	equal "$1 ($with): its exit code" 0 $rc
	matches "$1 ($with): the restart" 'systemctl --user restart containerd$' "$output"
}

# The system's own, which isn't the user's: doctor finds it first.
mkdir "$work/system"
cat > "$work/system/config.toml" << END
version = 2
root = "$work/system/root"
state = "$work/system/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "$work/system/socket"
[ttrpc]
  address = "$work/system/socket.ttrpc"
[plugins."io.containerd.internal.v1.opt"]
  path = "$work/system/opt"
END
containerd --config "$work/system/config.toml" > "$work/system/log" 2>&1 < /dev/null &
system=$!
# shellcheck disable=SC2317 # called by clean_up
stop_system() {
	kill "$system" 2> /dev/null || return 0
	wait "$system" || true
}
at_end stop_system
start_rootless
"$repository/tests/lib/cri.py" image "$(kind_root debian)" localhost/gpu-test:latest > "$work/user/image.tar"
# From 2.1 on, ctr leaves it to the daemon, which unpacks for its own snapshotter.
mapfile -t local_option < <(ctr images import --help | grep -oE -- '--local\b' | head -n 1)
ctr images import "${local_option[@]}" --snapshotter native "$work/user/image.tar" > "$work/log" 2>&1 ||
	fail "an image ($with)" "$(< "$work/log")"
says 'nothing is configured' runtime warn "$folder/config.toml and its imports have no runtime nvidia"
if [ "${version%%.*}" != 1 ]; then
	pod '' '.container.CDI_devices = [{name: "nvidia.com/gpu=1"}]' true
	matches "no folder of specs is named ($with): the usual ones aren't found" 'unresolvable CDI devices' "$errors"
	says 'no folder of specs is named' cdi warn 'rootless containerd finds no CDI specs'
fi
configure 'davit configure containerd as that user' --cdi
stop_rootless
start_rootless
says 'davit configure containerd as that user' runtime ok "nvidia is $work/front/davit-runtime"
says 'davit configure containerd as that user' restart ok 'nothing changed since'
methods=(runtime)
if [ "$version" != 1.6 ]; then
	methods+=(CDI)
	says 'a folder without a spec' cdi warn "no spec exists in $work/home/.config/cdi"
	as_user mkdir "$work/home/.config/cdi"
	as_user cp /etc/cdi/nvidia.json "$work/home/.config/cdi"
	says 'a folder with a spec' cdi ok "$work/home/.config/cdi contains specs"
fi

case_of() { # METHOD CONDITION
	equal "matrix: containerd $version | $1 | $2 | $low_name" "0 $one" "$rc $output${errors:+ $errors}"
	[[ $2 != *volume* ]] || equal "the volume is as before ($with, $1)" "$before" "$(tree_state "$work/volume")"
}
for method in "${methods[@]}"; do
	case $method in
	runtime) handler=nvidia filter=$(env_is NVIDIA_VISIBLE_DEVICES=1) volume=/etc ;;
	CDI) handler='' filter='.container.CDI_devices = [{name: "nvidia.com/gpu=1"}]' volume=/data ;;
	esac
	pod "$handler" "$filter" nvidia-smi -L
	case_of "$method" rootless
	pod "$handler" "$filter | .container.linux.security_context.readonly_rootfs = true" nvidia-smi -L
	case_of "$method" 'rootless, read-only'
	pod "$handler" "$filter | .container.mounts = [{container_path: \"$volume\", host_path: \"$work/volume\", readonly: true}]" \
		nvidia-smi -L
	case_of "$method" 'rootless, read-only volume'
done
pod nvidia . nodeprobe /dev/nvidiactl
equal "nothing asked for ($with)" '0 /dev/nvidiactl: ENOENT' "$rc $output$errors"
pod nvidia "$(env_is NVIDIA_VISIBLE_DEVICES=7)" true
matches "GPU 7 of 2 ($with): davit's line" 'davit: cannot inject GPU 7: the host has 2 GPUs .*fix: ' "$errors"

# ctr reads none of these files. (nerdctl's --runtime and --gpus are ctr's --runc-binary and --gpus.)
run_ctr() { # OPTION... -- COMMAND...: sets rc, output, errors
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	rc=0
	output=$(ctr run --rm --snapshotter native "${options[@]}" localhost/gpu-test:latest "ctr$((++serial))" "${@:2}" \
		2> "$work/errors" < /dev/null) || rc=$?
	errors=$(grep -v DEPRECATION "$work/errors" || true)
}
serial=0
run_ctr --runc-binary "$work/front/davit-runtime" --env NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
equal "ctr --runc-binary davit-runtime ($with)" "0 $one" "$rc $output${errors:+ $errors}"
run_ctr --runc-binary "$low" --gpus 1 -- nvidia-smi -L
case_of nvidia-container-cli rootless

configure 'davit configure containerd --remove' --remove
equal "davit configure containerd --remove ($with): the files are as before" "$files_before" \
	"$(rmdir "$folder/conf.d" && tree_state "$folder")"
stop_rootless
report_exit
