#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit node install` on a node with a running containerd, through the host's root as a DaemonSet has
# it and with `--host /`: afterwards pods get their GPUs, and at the end all of it is taken back. Only
# systemctl is a stand-in, which has this script restart containerd. tests/cli/node.sh has other nodes.
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
require_containerd
make_work
host=$work/host
"$fixture/fake-host" "$host"
find_containerd_version
with="containerd $containerd_version, $ENGINE"
spare_crun_memlock
make_low_runtime "$(command -v "$ENGINE")"
configure_runtime "$low"
make_cni
make_dev
one=$(smi_line 0 "$uuid1")
gpu1=$(env_is NVIDIA_VISIBLE_DEVICES=1)

# --- a node ----------------------------------------------------------------------------------------

# All that is written, in this namespace alone. This machine's own davit isn't the node's.
prefix=$(sed -n 's/^CMAKE_INSTALL_PREFIX:PATH=//p' "$DAVIT_BUILD/CMakeCache.txt")
for folder in "$prefix" /usr/bin /var/lib; do
	overlay_over "$folder"
done
rm -rf "$prefix"/bin/davit* "$prefix/libexec/davit" /usr/bin/nvidia-c* /var/lib/davit /etc/containerd

# containerd listens where a node's does.
mount -t tmpfs -o mode=0755 tmpfs /run
at_end 'umount -l /run'
mkdir /run/containerd
# shellcheck disable=SC2119 # no lines of ours
write_containerd_config
sed -i "/^imports/d; s|^state = .*|state = \"/run/containerd\"|; s|\"$work/containerd/socket\"|\"/run/containerd/containerd.sock\"|" \
	/etc/containerd/config.toml
ln -s /run/containerd/containerd.sock "$work/containerd/socket"

mkfifo "$work/restart" "$work/restarted"
cat > /usr/bin/systemctl << END
#!/bin/sh
echo "\$*" >> $work/calls
exec timeout 60 sh -c 'echo > $work/restart; read -r line < $work/restarted'
END
chmod +x /usr/bin/systemctl

# As a DaemonSet's volume of / with HostToContainer.
mkdir "$work/root"
mount --rbind / "$work/root"
at_end 'umount -l "$work/root"'
mount --make-rslave "$work/root"

node_state() {
	find /etc/containerd -type f -exec sha256sum {} + | sort -k 2
	find "$prefix"/bin/davit* "$prefix/libexec/davit" /usr/bin/nvidia-c* /var/lib/davit ! -type d 2> /dev/null | sort || true
}
node_pid=''
at_end '[ -z "$node_pid" ] || kill -KILL "$node_pid" 2> /dev/null'
start_node() { # ARGUMENT...
	"$davit" node "$@" < /dev/null > "$work/node" 2>&1 &
	node_pid=$!
}
end_node() { # sets rc and output
	rc=0
	wait "$node_pid" || rc=$?
	node_pid=''
	output=$(< "$work/node")
}
# When davit asks for it.
restart_containerd() {
	if ! timeout 30 cat "$work/restart" > /dev/null; then
		fail "davit restarts the engine ($with)" 'it does not' "$(< "$work/node")"
		report_exit
	fi
	stop_containerd
	start_containerd
	echo > "$work/restarted"
}
gives() { # NAME EXPECTED HANDLER FILTER COMMAND...
	local name=$1 expected=$2
	shift 2
	pod "$@"
	equal "$name ($with)" "$expected" "$rc $output${errors:+ $errors}"
}
refuses() { # NAME
	pod nvidia "$gpu1" true
	matches "$1 ($with)" 'no runtime for "nvidia" is configured' "$errors"
}

before=$(node_state)
start_containerd
refuses 'before: there is no handler nvidia'

# --- as the DaemonSet does it ----------------------------------------------------------------------

start_node install --host "$work/root" --engine containerd --stay
restart_containerd
for ((i = 0; i < 100; i++)); do
	! grep -q '^installed' "$work/node" || break
	sleep 0.1
done
matches "--stay: the engine is back ($with)" '^containerd is back$' "$(< "$work/node")"
for handler in nvidia nvidia-cdi; do
	gives "--stay: a pod of RuntimeClass $handler" "0 $one" $handler "$gpu1" nvidia-smi -L
done
equal "--stay: the runtime is the one that was copied ($with)" "$prefix/bin/davit-runtime" \
	"$(containerd --config /etc/containerd/config.toml config dump 2> /dev/null | grep -oE "BinaryName = [\"'].*/davit-runtime" | cut -c 15- | sort -u)"
kill -TERM "$node_pid"
restart_containerd
end_node
equal "--stay: on SIGTERM all is taken back ($with)" "0 $before" "$rc $(node_state)"
refuses '--stay: taken back, there is no handler nvidia'

# --- on the node itself ----------------------------------------------------------------------------

start_node install --host / --engine containerd --set-default
restart_containerd
end_node
equal "--host /: it succeeds ($with)" 0 "$rc"
gives '--host / --set-default: a pod without RuntimeClass' "0 $one" '' "$gpu1" nvidia-smi -L
state=$(node_state)
start_node install --host / --engine containerd --set-default
end_node
equal "--host /: once more, nothing changes ($with)" "0 $state" "$rc $(node_state)"
start_node remove --host /
restart_containerd
end_node
equal "--host /: taken back ($with)" "0 $before" "$rc $(node_state)"
refuses '--host /: taken back, there is no handler nvidia'

# --- the host's containerd is asked ------------------------------------------------------------------

# From a container's PID namespace, whose numbers the host's /proc doesn't have. A running daemon's own program would be asked instead.
stop_containerd
mv /usr/bin/containerd /usr/bin/containerd.real
cat > /usr/bin/containerd << END
#!/bin/sh
echo "\$*" >> $work/asked
exec /usr/bin/containerd.real "\$@"
END
chmod +x /usr/bin/containerd
rc=0
unshare --pid --fork --mount-proc "$davit" node install --host "$work/root" --engine containerd --no-restart > "$work/node" 2>&1 || rc=$?
equal "a DaemonSet's PID namespace: it succeeds ($with)" 0 "$rc"
matches "a DaemonSet's PID namespace: containerd dumps what is planned ($with)" '^--config /proc/[0-9]+/fd/[0-9]+ config dump$' "$(cat "$work/asked" 2> /dev/null)"
"$davit" node remove --host "$work/root" --no-restart > /dev/null
mv /usr/bin/containerd.real /usr/bin/containerd
equal "what systemctl was called for ($with)" "$(yes 'restart containerd' | head -n 4)" "$(< "$work/calls")"
report_exit
