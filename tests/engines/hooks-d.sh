#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The hook as hooks.d registers it, for every container: what can't be read stops nobody who asks for
# nothing. On $ENGINE: crun's state doesn't tell the bundle of a container with a user namespace and
# device nodes.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
with="hooks.d, $ENGINE, cgroup $CGROUP"
spare_crun_memlock
registered=$(jq -c '.hook.args[1:-1]' "$DAVIT_BUILD/src/davit.json")
equal "the file that is installed ($with)" '["-record","-every-container"]' "$registered"

# --- a user namespace and device nodes -------------------------------------------------------------

# namespace_bundle STAGE-ARGUMENTS [NAME=VALUE...]: a root that the mapped users own.
namespace_bundle() {
	local arguments=$1
	shift
	new_bundle debian "$@"
	chown -R 100000:100000 "$bundle/upper" "$bundle/rootfs"
	edit_bundle '.linux.namespaces += [{type: "user"}] |
		.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings | del(.linux.resources) |
		(.mounts[] | select(.type == "sysfs" or .type == "cgroup" or .type == "mqueue")) |= empty |
		.linux.devices = [{path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0}] |
		.hooks.prestart[0].args = ["davit-hook", "-config", $config] + $arguments + ["prestart"] |
		.hooks.poststop = [{path: $hook, args: ["davit-hook", "poststop"]}] |
		.annotations = {"run.oci.hooks.stderr": $said} | .process.args = $command' \
		--arg config "$config" --arg hook "$hook" --argjson arguments "$arguments" --arg said "$work/said" \
		--argjson command "$(json_strings sh -c 'nvidia-smi -L 2> /dev/null; nodeprobe /dev/nvidia1')"
	: > "$work/said"
}

# start WHERE [OPTION...]: where: `absolute` or `relative`, the bundle's name.
start() {
	local name=davit-test-$unique path=$bundle
	[ "$1" = absolute ] || path=.
	rc=0
	output=$(cd "$bundle" && "$ENGINE" "${@:2}" run -b "$path" "$name" 2> "$work/errors" < <(:)) || rc=$?
	output+=$(grep -v 'cgroup' "$work/errors" || true)$(< "$work/said")
}

# The second root: crun's own, where its copy of config.json is found without being told.
for options in "--root $work/state" ''; do
	for where in absolute relative; do
		for arguments in "$registered" '["-record"]'; do
			namespace_bundle "$arguments" NVIDIA_VISIBLE_DEVICES=1
			# shellcheck disable=SC2086 # an option and its value, or nothing
			start $where $options
			equal "a user namespace, a device, $where bundle, <${options:+--root}> $arguments ($with): one GPU" \
				"0 $(smi_line 0 "$uuid1")
/dev/nvidia1: ENXIO" "$rc $output"
			drop_bundle
		done
		namespace_bundle "$registered"
		# shellcheck disable=SC2086 # as above
		start $where $options
		equal "a user namespace, a device, $where bundle, <${options:+--root}> ($with): nothing is asked for" \
			'0 /dev/nvidia1: ENOENT' "$rc $output"
		drop_bundle
	done
done

# --- what can't be read ----------------------------------------------------------------------------

sleep 600 &
sleeper=$!
at_end "kill $sleeper"
# call ARGUMENT...: sets rc and errors.
call() {
	rc=0
	errors=$("${as[@]}" "$hook" -config "$config" "$@" prestart 2>&1 \
		<<< "{\"ociVersion\":\"1.0.2\",\"id\":\"c1\",\"status\":\"creating\",\"pid\":$sleeper,\"bundle\":\"$bundle\"}") || rc=$?
}
as=(env)
bundle=$work/absent
call -record -every-container
equal "a bundle that can't be read ($with): one warning, and the container starts" \
	"0 1 $bundle/config.json" "$rc $(wc -l <<< "$errors") $(grep -o 'warning: container c1 starts without the GPUs it may have requested: cannot read .*' <<< "$errors" | grep -o "$bundle/config.json")"
call -record
equal "the same where the call itself says that GPUs are asked for ($with)" \
	"1 davit: cannot read $bundle/config.json: No such file or directory (fix: name the directory of an OCI bundle that davit can read)" "$rc $errors"
bundle=/
call -record -every-container
equal "the bundle / ($with): the container starts" 0 "$rc"

mkdir -p "$work/plain"
chmod 0755 "$work" "$work/plain"
cp "$hook" "$work/plain/davit-hook"
hook=$work/plain/davit-hook
cp "$config" "$work/secret.json"
chmod 0600 "$work/secret.json"
config=$work/secret.json
as=(setpriv --reuid 1234 --regid 1234 --clear-groups)
bundle=$work/plain
# The last four: by names that a configuration may have.
for asks in '' '.process.env = ["NVIDIA_VISIBLE_DEVICES=1"]' '.annotations = {"org.davit.devices": "1"}' \
	'.mounts = [{destination: "/var/run/nvidia-container-devices/1", source: "/dev/null", type: "bind", options: ["bind"]}]' \
	'.process.env = ["DOCKER_RESOURCE_GPU=1"]' '.process.env = ["MINE=GPU-5de8aeb8"]' \
	'.process.env = ["MINE= a, example.com/gpu=0"]' '.annotations = {"example.com/devices": "example.com/gpu=0"}'; do
	jq -n "{ociVersion: \"1.0.2\", root: {path: \"rootfs\"}, process: {env: [\"A=b\"]}} | ${asks:-.}" > "$bundle/config.json"
	call -record -every-container
	if [ -z "$asks" ]; then
		equal "a configuration that only root can read, nothing is asked for ($with)" '0 ' "$rc $errors"
		call -record
		matches "the same without -every-container ($with)" "^1 davit: cannot open $config: Permission denied" "$rc $errors"
	else
		matches "a configuration that only root can read, $asks ($with)" \
			"^1 davit: cannot open $config: Permission denied" "$rc $errors"
	fi
done
# The remedy names what the caller can't access.
mkdir -p "$work/closed/folder"
cp "$host/davit.json" "$work/closed/folder/config.json"
jq -n '{ociVersion: "1.0.2", root: {path: "rootfs"}, process: {env: ["NVIDIA_VISIBLE_DEVICES=1"]}}' > "$bundle/config.json"
for closed in "$work/secret.json" "$work/closed/folder" "$work/closed"; do
	config=$work/closed/folder/config.json
	[ "$closed" != "$work/secret.json" ] || config=$closed
	chmod 0700 "$closed"
	call -record -every-container
	equal "only root can access ${closed##*/} ($with)" \
		"1 davit: cannot open $config: Permission denied (fix: chmod a+rX $closed)" "$rc $errors"
done
config=$host/davit.json
as=(env)

# A state over 1 MiB, of a container that asks for nothing: by the engine, whose state has all annotations.
for registers in "$registered" '["-record"]'; do
	new_bundle debian
	jq '.annotations = ([range(30000) | {key: "a\(.)", value: ("x" * 60)}] | from_entries) |
		.hooks.prestart[0].args = ["davit-hook", "-config", $config] + $arguments + ["prestart"] |
		.hooks.poststop = [{path: $hook, args: (["davit-hook", "-config", $config] + $arguments + ["poststop"])}] |
		.annotations["run.oci.hooks.stderr"] = $said | .process.args = ["true"]' --arg config "$config" \
		--arg hook "$DAVIT_BUILD/davit-hook" --argjson arguments "$registers" --arg said "$work/said" \
		"$bundle/config.json" > "$work/large.json"
	mv "$work/large.json" "$bundle/config.json"
	: > "$work/said"
	start absolute
	if [ "$registers" = "$registered" ]; then
		equal "a state of 2 MB ($with): the container starts" 0 "$rc"
		# runc shows what a hook says only if it fails.
		[ "${ENGINE##*/}" != crun ] || matches "a state of 2 MB ($with): a warning" \
			'warning: a container starts without the GPUs it may have requested: cannot read the container.s state' \
			"$(< "$work/said")"
	else
		equal "a state of 2 MB, without -every-container ($with): it doesn't" 1 "$((rc != 0))"
	fi
	drop_bundle
done

# --- crun was given another file than config.json ----------------------------------------------------

if [ "${ENGINE##*/}" = crun ]; then
	hook=$DAVIT_BUILD/davit-hook
	# other_file NAME-OF-OPTION: the bundle's config.json asks for nothing, the other one for a GPU.
	for options in '--config=other.json' '--conf other.json' "--config $work/elsewhere.json" '-fother.json'; do
		new_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=utility
		edit_bundle '.hooks.prestart[0].args = ["davit-hook", "-config", $config, "-record", "-every-container", "prestart"] |
			.process.args = ["nvidia-smi", "-L"]' --arg config "$config"
		cp "$bundle/config.json" "$bundle/other.json"
		cp "$bundle/config.json" "$work/elsewhere.json"
		edit_bundle 'del(.process.env[] | select(startswith("NVIDIA")))'
		rc=0
		# shellcheck disable=SC2086 # an option and its value
		output=$(cd "$bundle" && "$ENGINE" --root "$work/state" run -b "$bundle" $options "davit-test-$unique" 2>&1 < <(:) | grep -v cgroup) || rc=$?
		equal "crun run $options ($with): what that file asks for" "0 $(smi_line 0 "$uuid1")" "$rc $output"
		drop_bundle
	done
fi
report_exit
