#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Without root: podman and $ENGINE as an ordinary user, and a runtime nested in a user namespace of
# that user's. There are no cgroup rights and no mknod; nothing has to be switched.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
for program in podman newuidmap setpriv; do
	if ! command -v "$program" > /dev/null; then
		skip "${0##*/}" "$program isn't installed (apt-get install podman uidmap util-linux)"
		report_exit
	fi
done
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
with="rootless, $ENGINE, cgroup $CGROUP"
log=$work/user/log
jq --arg log "$log" '.log = {file: $log}' < "$config" > "$config.new"
mv "$config.new" "$config"
spare_crun_memlock

# A user of our namespace alone, with subordinate ids; a tmpfs over /etc keeps the machine's as is.
user=davit
mkdir "$work/etc"
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper,work}
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
id=54321
printf '%s:x:%s:%s::%s:/bin/sh\n' $user $id $id "$work/home" >> /etc/passwd
printf '%s:x:%s:\n' $user $id >> /etc/group
printf '%s:1000000:65536\n' $user | tee /etc/subuid > /etc/subgid
mkdir -p "$work"/{home,hooks,run,user}
chown $id:$id "$work"/{home,run,user}
chmod 0700 "$work/run"

# The hook where the user can reach it; the checkout may lie in a private directory.
cp "$hook" "$work/davit-hook"
chmod 0755 "$work/davit-hook"
hook=$work/davit-hook
jq -n --arg hook "$hook" --arg config "$config" '{version: "1.0.0",
	hook: {path: $hook, args: ["davit-hook", "--config", $config, "prestart"]},
	when: {always: true}, stages: ["prestart"]}' > "$work/hooks/davit.json"

as_user() {
	(cd / && exec setpriv --reuid $id --regid $id --clear-groups --inh-caps=-all \
		env -i PATH="$PATH" HOME="$work/home" USER=$user XDG_RUNTIME_DIR="$work/run" \
		TMPDIR="$work/user" LC_ALL=C "$@")
}

# The root is the user's own.
kind_root debian > /dev/null
rootfs=$work/user/rootfs
cp -a "$work/roots/debian" "$rootfs"
chown -hR $id:$id "$rootfs"

said() { # NAME: what was left out, once, and as no error
	equal "$1: what was left out is said once" 1 "$(grep -c 'warning: device rules are not set here' "$log")"
	equal "$1: nothing else is said" '' "$(grep -v 'warning: device rules are not set here' "$log" || true)"
	: > "$log"
}


# --- podman --------------------------------------------------------------------------------------

# runc insists on having tried a cgroup of its own, crun on having its way.
podman_options=(--cgroups disabled)
[ "${ENGINE##*/}" != runc ] || podman_options=()

hooks_options=(--hooks-dir "$work/hooks")
podman_run() { # OPTION... -- COMMAND...: sets rc, output and errors
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	: > "$log"
	rc=0
	output=$(as_user timeout 60 podman --root "$work/home/root" --runroot "$work/run/podman" \
		--tmpdir "$work/run/tmp" --storage-driver vfs --events-backend file \
		--cgroup-manager cgroupfs --runtime "$ENGINE" "${hooks_options[@]}" \
		run --rm --network none "${podman_options[@]}" --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 "${options[@]}" --rootfs "$rootfs" "$@" \
		2> "$work/errors" < /dev/null) || rc=$?
	errors=$(grep -v 'level=warning' "$work/errors" || true)
}

look='nvidia-smi -L; nodeprobe /dev/nvidia1 /dev/nvidia0; dlprobe libcuda.so.1 | sed "s|: /lib/|: /usr/lib/|"
	stat -c "%a %t" /dev/nvidia1; chmod 0600 /dev/nvidia1 2> /dev/null || echo fixed'
seen="$(smi_line 0 "$uuid1")
/dev/nvidia1: ENXIO
/dev/nvidia0: ENOENT
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1
666 c3
fixed"

: > "$log"
chown $id "$log"
at_end wait_for_podman
podman_run -- true
if [ $rc != 0 ]; then
	skip "podman, $with" "it doesn't run here without the hook's work: $(tail -n 1 "$work/errors")"
else
	podman_run -e NVIDIA_VISIBLE_DEVICES=1 -- sh -c "$look"
	equal "podman ($with): one GPU" "0 $seen" "$rc $output$errors"
	said "podman ($with)"
	podman_run --read-only -e NVIDIA_VISIBLE_DEVICES=1 -- sh -c "$look"
	equal "podman --read-only ($with): one GPU" "0 $seen" "$rc $output$errors"
	said "podman --read-only ($with)"
	podman_run --userns keep-id -e NVIDIA_VISIBLE_DEVICES=1 -- sh -c "$look"
	equal "podman --userns keep-id ($with): one GPU" "0 $seen" "$rc $output$errors"
	said "podman --userns keep-id ($with)"
	podman_run --cap-drop all --user 1000:1000 -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
	equal "podman --user ($with): one GPU" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
	podman_run -- nodeprobe /dev/nvidiactl
	equal "podman ($with): no variable, nothing is inside" '0 /dev/nvidiactl: ENOENT' \
		"$rc $output$errors"
	equal "podman ($with): no variable, nothing is said" '' "$(< "$log")"
	# Without being told where hooks are: the system's folder, with the file that is installed.
	mkdir -p /usr/share/containers
	mount -t tmpfs -o mode=0755 tmpfs /usr/share/containers
	mkdir -p /usr/share/containers/oci/hooks.d
	jq --arg hook "$hook" --arg config "$config" '.hook.path = $hook | .hook.args += [$config] |
		.hook.args = [.hook.args[0], "-config", $config] + .hook.args[1:-1]' \
		< "$DAVIT_BUILD/src/davit.json" > /usr/share/containers/oci/hooks.d/davit.json
	hooks_options=()
	podman_run -e NVIDIA_VISIBLE_DEVICES=1 -- nvidia-smi -L
	equal "podman ($with): hooks.d of the system is read" "0 $(smi_line 0 "$uuid1")" "$rc $output$errors"
	chmod 0600 "$config"
	podman_run -- nodeprobe /dev/nvidiactl
	equal "podman ($with): a configuration that only root can read, nothing is asked for" \
		'0 /dev/nvidiactl: ENOENT' "$rc $output$errors"
	podman_run -e NVIDIA_VISIBLE_DEVICES=1 -- true
	equal "podman ($with): a configuration that only root can read, a GPU is asked for" no \
		"$([ $rc = 0 ] || echo no)"
	chmod 0644 "$config"
	umount /usr/share/containers
	hooks_options=(--hooks-dir "$work/hooks")
	podman_run -e NVIDIA_VISIBLE_DEVICES=7 -- true
	equal "podman ($with): an unknown GPU, the container doesn't start" no \
		"$([ $rc = 0 ] || echo no)"
	matches "podman ($with): an unknown GPU, the line" 'cannot .*7' "$(< "$log")"
fi

# --- a runtime of its own in a user namespace ----------------------------------------------------

bundle=$work/user/bundle
mkdir -p "$bundle" "$work/user/state"
(cd "$bundle" && runc spec)
: > "$work/user/lines"
# crun shows what a hook says only there.
edit_bundle '.process.terminal = false | .root = {path: $rootfs, readonly: false} |
	del(.linux.resources) | del(.linux.cgroupsPath) |
	(.mounts[] | select(.type == "devpts").options) -= ["gid=5"] |
	.annotations = {"run.oci.hooks.stderr": $lines} |
	.process.env += ["NVIDIA_VISIBLE_DEVICES=1"] | .process.args = ["sh", "-c", $look] |
	.hooks = {createRuntime: [{path: $hook, args: ["davit-hook", "--config", $config,
		"createRuntime"]}]}' \
	--arg rootfs "$rootfs" --arg hook "$hook" --arg config "$config" --arg look "$look" \
	--arg lines "$work/user/lines"
chown -hR $id:$id "$bundle" "$work/user/state" "$work/user/lines"
chmod 0666 "$log"

nested_run() { # [UNSHARE-OPTION...]: sets rc, output and errors; without, in no namespace
	local manager=() namespace=(env)
	[ $# = 0 ] || namespace=(unshare "$@" --mount --pid --fork --mount-proc)
	[ "${ENGINE##*/}" != crun ] || manager=(--cgroup-manager disabled)
	: > "$log"
	rc=0
	output=$("$as" "${namespace[@]}" "$ENGINE" "${manager[@]}" --root "$work/user/state" run -b "$bundle" nested \
		2> "$work/errors" < <(:)) || rc=$?
	errors=$(< "$work/errors")
}

as=as_user
nested_run --user --map-root-user
equal "nested in a user namespace ($with): one GPU" "0 $seen" "$rc $output$errors"
said "nested in a user namespace ($with)"
nested_run --user --map-root-user --map-auto
equal "nested in one with many ids ($with): one GPU" "0 $seen" "$rc $output$errors"
said "nested in one with many ids ($with)"

# Someone else's configuration is none, also where its owner is a stranger like the host's root.
chmod 0664 "$config"
nested_run --user --map-root-user
matches "a configuration that others can write ($with): it doesn't start" \
	'^[1-9].*davit: cannot trust .*users other than its owner' "$rc ${errors//$'\n'/ } $(< "$work/user/lines")"
chmod 0644 "$config"

# The user's own runtime, in no namespace before: the hook has to go into the container's.
cp "$bundle/config.json" "$work/nested.json"
edit_bundle '.linux.namespaces += [{type: "user"}] |
	.linux.uidMappings = [{containerID: 0, hostID: $id, size: 1}] |
	.linux.gidMappings = .linux.uidMappings' --argjson id $id
chown $id:$id "$bundle/config.json"
as=as_user
nested_run
if [ "${ENGINE##*/}" = crun ]; then
	# It makes its process undumpable, and so out of its own user's reach.
	matches "the user's own runtime ($with): the line" \
		"cannot enter the container's namespaces .*fix: start the runtime in a user namespace" \
		"$(< "$work/user/lines")"
else
	equal "the user's own runtime ($with): one GPU" "0 $seen" "$rc $output$errors"
	said "the user's own runtime ($with)"
fi
cp "$work/nested.json" "$bundle/config.json"

# The same as root: what is root's outside is root's inside, and yet there are no rights over it.
chown -hR 0:0 "$bundle" "$work/user/state" "$work/user/lines" "$rootfs" "$log"
as="command"
nested_run --user --map-root-user
equal "nested in root's user namespace ($with): one GPU" "0 $seen" "$rc $output$errors"
said "nested in root's user namespace ($with)"

rm "$host/dev/nvidia-uvm"
nested_run --user --map-root-user
matches "a node that can't be made ($with): the line" \
	'cannot add /dev/nvidia-uvm to the container: .*fix: run `davit system prepare` on the host' \
	"$(< "$log")"
report_exit
