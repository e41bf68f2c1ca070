#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What doctor says of containerd's and Podman's files, beside what the real programs then do: each
# with the state and its opposite.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=${ENGINE:-runc}
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
own_processes "$@"
enter_namespace "$@"
make_work
host=$work/host
"$fixture/fake-host" "$host"

# says ENGINE ID RESULT EVIDENCE
says() {
	matches "$title, doctor" "^$3 +$2 .*$4" "$("$davit" doctor --all --engine "$1" 2>&1 | grep " $2 " || true)"
}

# --- containerd: drop-ins and runtimes ------------------------------------------------------------

containerd_states() {
	local version etc=$work/containerd
	version=$(containerd --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
	mkdir -p "$etc" /etc/containerd
	mount --bind "$etc" /etc/containerd
	# programs CONTAINERD-RUNTIME: what the daemon would run for it.
	programs() {
		containerd config dump | tr -d "'\" " | awk -v name="containerd.runtimes.$1" '
			/^\[/ { inside = index($0, name "]") || index($0, name ".options]") }
			inside && /^(BinaryName|runtime_type)=./ { print }' | sort | paste -sd ' '
	}
	containerd config default > "$etc/config.toml"
	"$davit" configure containerd --runtime-path "$DAVIT_BUILD/davit-runtime" > "$work/output" 2>&1
	title="containerd $version: davit's drop-in is imported"
	equal "$title" "BinaryName=$DAVIT_BUILD/davit-runtime runtime_type=io.containerd.runc.v2" "$(programs nvidia)"
	says containerd containerd.config ok '/etc/containerd/config.toml$'
	says containerd containerd.runtime ok "nvidia is $DAVIT_BUILD/davit-runtime$"

	title="containerd $version: config.toml is generated anew"
	containerd config default | sed 's/^imports = .*/imports = []/' > "$etc/config.toml"
	equal "$title: the runtime is gone" '' "$(programs nvidia)"
	says containerd containerd.config warn "containerd doesn't read /etc/containerd/(conf.d/)?davit.toml"
	equal "$title: the remedy" 'davit configure containerd' \
		"$("$davit" doctor --json --engine containerd | jq -r '.checks[] | select(.id == "containerd.config").remedy' | sed 's/, then.*//')"
	"$davit" configure containerd --runtime-path "$DAVIT_BUILD/davit-runtime" > "$work/output" 2>&1
	matches "$title: the remedy helps" "BinaryName=$DAVIT_BUILD/davit-runtime" "$(programs nvidia)"
	says containerd containerd.config ok '/etc/containerd/config.toml$'

	rm -r "${etc:?}"/*
	title="containerd $version: nvidia belongs to Kata"
	{
		printf 'version = 2\n'
		printf '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.%s]\nruntime_type = "%s"\n' \
			runc io.containerd.runc.v2 nvidia io.containerd.kata.v2
	} > "$etc/config.toml"
	equal "$title" 'runtime_type=io.containerd.kata.v2' "$(programs nvidia)"
	says containerd containerd.runtime warn 'the runtime nvidia has the runtime_type io.containerd.kata.v2'
	title="containerd $version: nvidia is plain runc"
	sed -i 's/kata/runc/' "$etc/config.toml"
	equal "$title" 'runtime_type=io.containerd.runc.v2' "$(programs nvidia)"
	says containerd containerd.runtime warn "the runtime nvidia is .*/runc, which isn't davit-runtime"
	equal "$title: no method" '[]' "$("$davit" doctor --json --engine containerd | jq -c '.engines.containerd - ["cdi"]')"
	repeated_states
	cri_states
	umount -l /etc/containerd
}
# What davit's drop-in repeats, and what changes in the other file afterwards.
repeated_states() {
	local cri='plugins."io.containerd.grpc.v1.cri"' effect=pause:1 result=warn
	[ "${version%%.*}" = 1 ] || cri='plugins."io.containerd.cri.v1'
	rm -rf "${etc:?}"/*
	{
		if [ "${version%%.*}" = 1 ]; then
			printf 'version = 2\n[%s]\nsandbox_image = "pause:1"\n' "$cri"
			printf '[%s.containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n' "$cri"
			printf '[%s.containerd.runtimes.runc.options]\nSystemdCgroup = true\n' "$cri"
		else
			printf 'version = 3\n[%s.images".pinned_images]\nsandbox = "pause:1"\n' "$cri"
			printf '[%s.runtime".containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n' "$cri"
			printf '[%s.runtime".containerd.runtimes.runc.options]\nSystemdCgroup = true\n' "$cri"
		fi
	} > "$etc/config.toml"
	# used: the pause image, and whether runc's and nvidia's containers get systemd's cgroups
	used() {
		containerd config dump | tr -d "'\" " | awk '
			/^\[/ { name = $0; sub(/.*runtimes\./, "", name); sub(/\..*/, "", name) }
			/^sandbox(_image)?=pause/ { sub(/.*=/, ""); image = $0 }
			/^SystemdCgroup=/ { sub(/.*=/, ""); of[name] = $0 }
			END { print image, of["runc"], of["nvidia"] }'
	}
	"$davit" configure containerd --runtime-path "$DAVIT_BUILD/davit-runtime" > "$work/output" 2>&1
	title="containerd $version: settings that davit's drop-in repeats"
	equal "$title" 'pause:1 true true' "$(used)"
	says containerd containerd.config ok '/etc/containerd/config.toml$'
	title="containerd $version: such a setting has changed"
	sed -i 's/pause:1/pause:2/' "$etc/config.toml"
	[ "${version%%.*}" = 1 ] || effect=pause:2 result=ok
	equal "$title" "$effect true true" "$(used)"
	says containerd containerd.config $result '/etc/containerd/config.toml'
	title="containerd $version: the base runtime's options have changed"
	sed -i 's/pause:2/pause:1/; s/SystemdCgroup = true/SystemdCgroup = false/' "$etc/config.toml"
	matches "$title" '^pause:1 (true|false) true' "$(used)"
	says containerd containerd.config warn 'SystemdCgroup in .*/config.toml has changed since davit wrote .*/davit.toml'
	"$davit" configure containerd --runtime-path "$DAVIT_BUILD/davit-runtime" > "$work/output" 2>&1
	title="containerd $version: the remedy"
	equal "$title" 'pause:1 false false' "$(used)"
	says containerd containerd.config ok '/etc/containerd/config.toml$'
	rm -r "${etc:?}"/*
}
# Whether the CRI plugin loads: `ok` or `error`, as the daemon itself says.
cri_plugin() {
	local daemon i
	containerd --root "$work/daemon/root" --state "$work/daemon/state" --address "$work/daemon/socket" \
		> "$work/daemon.log" 2>&1 < /dev/null &
	daemon=$!
	for ((i = 0; i < 100; i++)); do
		! ctr --address "$work/daemon/socket" plugins ls > "$work/plugins" 2> /dev/null || break
		sleep 0.1
	done
	awk '$1 == "io.containerd.grpc.v1" && $2 == "cri" { print $NF }' "$work/plugins"
	kill $daemon
	wait $daemon || true
}
cri_states() {
	local cri='plugins."io.containerd.grpc.v1.cri"' runc result
	runc="[$cri.containerd.runtimes.runc]\nruntime_type = \"io.containerd.runc.v2\"\n"
	mkdir -p "$work/daemon"
	# cri TITLE TEXT STATE EVIDENCE
	cri() {
		title="containerd $version: $1"
		printf "${head-version = 2\n}%b" "$2" > "$etc/config.toml"
		equal "$title: the CRI plugin" "$3" "$(cri_plugin)"
		[ "$3" = ok ] && result=ok || result=FAIL
		says containerd containerd.config $result "$4"
	}
	cri 'mirrors' "[$cri.registry.mirrors.x]\nendpoint = [\"https://x\"]\n" ok 'config.toml$'
	cri 'mirrors and config_path' \
		"[$cri.registry]\nconfig_path = \"/etc/certs.d\"\n[$cri.registry.mirrors.x]\nendpoint = [\"https://x\"]\n" \
		error 'registry.config_path and registry.mirrors are both set'
	cri 'a default runtime' "[$cri.containerd]\ndefault_runtime_name = \"runc\"\n$runc" ok 'config.toml$'
	cri 'a default runtime that is not configured' "[$cri.containerd]\ndefault_runtime_name = \"nope\"\n$runc" \
		error 'default_runtime_name .* is nope, but no such runtime is configured'
	cri 'a plugin is disabled that the CRI plugin requires' 'disabled_plugins = ["io.containerd.service.v1.tasks-service"]\n' \
		error 'tasks-service, which the CRI plugin requires'
	if [ "${version%%.*}" = 1 ]; then
		cri 'an unknown snapshotter' "[$cri.containerd]\nsnapshotter = \"nope\"\n" error 'no snapshotter nope'
		head='' cri 'the long name in a file without a version' 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n' ok 'config.toml$'
		matches "$title: the plugin isn't disabled" '^(warn|ok) .*containerd.runtime' \
			"$("$davit" doctor --all --engine containerd 2>&1)"
	else
		cri='plugins."io.containerd.cri.v1.images"'
		head='version = 3\n' cri 'an unknown snapshotter' "[$cri]\nsnapshotter = \"nope\"\n" error 'no snapshotter nope'
		head='version = 3\n' cri 'the plugin for images is disabled' 'disabled_plugins = ["io.containerd.cri.v1.images"]\n' \
			error 'cri.v1.images, which the CRI plugin requires'
	fi
}

# --- Podman: files of the same name ---------------------------------------------------------------

run_podman() { # OPTION...
	timeout 60 podman --root "$work/podman/root" --runroot "$work/podman/run" --tmpdir "$work/podman/tmp" \
		--storage-driver vfs --events-backend file --cgroup-manager cgroupfs --runtime crun \
		run --rm --network none --cgroups disabled --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 "$@" \
		--rootfs "$(kind_root debian):O" true < /dev/null
}
podman_states() {
	local version name
	version=$(podman --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+')
	mkdir -p "$work"/podman/{root,run,tmp,home} "$work"/hooks/{first,last} /usr/share/containers/oci
	export HOME=$work/podman/home CONTAINERS_CONF=$work/podman/containers.conf
	for name in davit-hook other; do
		printf '#!/bin/sh\necho %s >> "%s/ran"\n' "$name" "$work" > "$work/podman/$name"
		chmod 0755 "$work/podman/$name"
	done
	printf '[engine]\nhooks_dir = ["%s", "%s"]\n' "$work/hooks/first" "$work/hooks/last" > "$CONTAINERS_CONF"
	hook_file() { # FILE PROGRAM
		jq -n --arg hook "$2" '{version: "1.0.0", hook: {path: $hook}, when: {always: true}, stages: ["prestart"]}' > "$1"
	}
	ran() { # the hooks that a container ran
		rm -f "$work/ran"
		touch "$work/ran"
		run_podman > "$work/output" 2>&1 || true
		paste -sd ' ' "$work/ran"
		[ -s "$work/ran" ] || tail -n 2 "$work/output"
	}
	title="Podman $version: davit's hook alone"
	hook_file "$work/hooks/first/davit.json" "$work/podman/davit-hook"
	equal "$title" davit-hook "$(ran)"
	says podman podman.hook ok "$work/hooks/first/davit.json runs $work/podman/davit-hook"
	title="Podman $version: another file of the same name in a later folder"
	hook_file "$work/hooks/last/davit.json" "$work/podman/other"
	equal "$title" other "$(ran)"
	says podman podman.hook '(FAIL|warn)' "$work/hooks/last/davit.json replaces $work/hooks/first/davit.json"
	title="Podman $version: such a file, whose program doesn't exist"
	hook_file "$work/hooks/last/davit.json" "$work/podman/absent"
	equal "$title" davit-hook "$(ran)"
	says podman podman.hook warn "$work/hooks/last/davit.json names .*/absent, .*: the engine ignores this file"
	title="Podman $version: another name"
	hook_file "$work/hooks/last/other.json" "$work/podman/other"
	rm "$work/hooks/last/davit.json"
	equal "$title" 'davit-hook other' "$(ran)"
	says podman podman.hook ok "$work/hooks/first/davit.json runs"
	title="Podman $version: the other folder is later"
	rm "$work/hooks/last/other.json"
	hook_file "$work/hooks/last/davit.json" "$work/podman/other"
	printf '[engine]\nhooks_dir = ["%s", "%s"]\n' "$work/hooks/last" "$work/hooks/first" > "$CONTAINERS_CONF"
	equal "$title" davit-hook "$(ran)"
	says podman podman.hook ok "$work/hooks/first/davit.json runs"
	local ours=$work/hooks/first/davit.json
	rm "$work/hooks/last/davit.json"
	# edited TITLE FILTER RAN RESULT EVIDENCE: davit's file, edited.
	edited() {
		title="Podman $version: $1"
		hook_file "$work/whole.json" "$work/podman/davit-hook"
		jq "$2" < "$work/whole.json" > "$ours"
		matches "$title" "^$3" "$(ran)"
		says podman podman.hook "$4" "$5"
	}
	edited 'davit'"'"'s hook for an annotation' '.when = {annotations: {"^org.example.asks$": "yes"}}' '$' warn "$ours runs davit's hook only for"
	edited 'davit'"'"'s hook for nothing' '.when = {}' '$' FAIL "$ours runs davit's hook for no container"
	edited 'davit'"'"'s hook for all, and an annotation' '.when.annotations = {"^org.example.asks$": "yes"}' '$' warn "$ours runs davit's hook only for"
	edited 'davit'"'"'s hook for all, and no annotation' '.when.annotations = {}' davit-hook ok "$ours runs"
	edited 'davit'"'"'s hook for all, with another key' '.when.also = true' davit-hook ok "$ours runs"
	edited 'davit'"'"'s hook at poststart' '.stages = ["poststart"]' davit-hook FAIL "$ours runs davit's hook for no container"
	edited 'an unknown stage' '.stages = ["nostage"]' 'Error: setting up OCI Hooks: unknown stage' FAIL 'unknown stage nostage'
	edited 'no stages' 'del(.stages)' 'Error: setting up OCI Hooks: .*stages' FAIL 'it has no stages'
	edited 'an unknown version' '.version = "9.0.0"' 'Error: setting up OCI Hooks: .*version' FAIL 'version 9.0.0'
	edited 'no version' 'del(.version)' 'Error: setting up OCI Hooks: .*Hook.hook of type string' FAIL 'without a version, .hook. must be a path'
	edited 'no path' 'del(.hook.path)' 'Error: setting up OCI Hooks: .*hook.path' FAIL 'no hook.path'
	edited 'davit'"'"'s file as it was' . davit-hook ok "$ours runs"
	rm "$ours"
	# runtime TITLE NAME YES-OR-NO RESULT EVIDENCE [TABLE]: with that engine.runtime.
	runtime() {
		title="Podman $version: $1"
		printf '[engine]\nruntime = "%s"\n%s\n' "$2" "${6:-}" > "$CONTAINERS_CONF"
		equal "$title" "$3" "$(podman --root "$work/podman/root" --runroot "$work/podman/run" --tmpdir "$work/podman/tmp" \
			--storage-driver vfs --events-backend file --cgroup-manager cgroupfs ps > "$work/output" 2>&1 && echo yes || echo no)"
		says podman podman.runtime "$4" "$5"
	}
	runtime 'an unknown runtime' nope no FAIL 'is nope, for which Podman finds no program'
	runtime "a known runtime that isn't installed" runj no FAIL 'is runj, for which Podman finds no program'
	runtime 'a runtime of engine.runtimes' nope yes ok "$(command -v crun) " "[engine.runtimes]
nope = [\"/none\", \"$(command -v crun)\"]"
	podman_specs
	unset CONTAINERS_CONF
}
# Where Podman looks for CDI specs: cdi_spec_dirs counts since 5.5.
podman_specs() {
	local counts
	[ "$(printf '%s\n' 5.5 "$version" | sort -V | head -n 1)" = 5.5 ] && counts=yes || counts=no
	mkdir -p "$work/specs" /etc/cdi
	mount -t tmpfs tmpfs /etc/cdi
	mkdir -p /run/cdi
	mount -t tmpfs tmpfs /run/cdi
	# specs TITLE LIST RUNS RESULT EVIDENCE: with that cdi_spec_dirs.
	specs() {
		local output
		title="Podman $version: $1"
		printf '[engine]\nhooks_dir = ["%s"]\n%s\n' "$work/hooks/first" "$2" > "$CONTAINERS_CONF"
		output=$(run_podman --device example.com/gpu=0 2>&1 || true)
		equal "$title" "$3" "$([[ $output = *unresolvable* ]] && echo no || echo yes)"
		says podman podman.hook "$4" "$5"
	}
	printf '{"cdiVersion": "0.5.0", "kind": "example.com/gpu", "devices": [{"name": "0", "containerEdits": {"env": ["A=b"]}}]}\n' \
		> /etc/cdi/example.json
	specs 'specs in the usual directory' '' yes ok 'but CDI devices exist'
	if [ $counts = yes ]; then
		specs 'cdi_spec_dirs without specs' "cdi_spec_dirs = [\"$work/specs\"]" no FAIL "no CDI devices exist in $work/specs"
		specs 'an empty cdi_spec_dirs' 'cdi_spec_dirs = []' no FAIL 'cdi_spec_dirs is an empty list'
		mv /etc/cdi/example.json "$work/specs"
		specs 'cdi_spec_dirs with a spec' "cdi_spec_dirs = [\"$work/specs\"]" yes ok 'but CDI devices exist'
		specs 'specs elsewhere' '' no FAIL 'no CDI devices exist'
	else
		specs 'cdi_spec_dirs, which this one does not know' "cdi_spec_dirs = [\"$work/specs\"]" yes ok 'but CDI devices exist'
	fi
	umount /etc/cdi /run/cdi
}

if command -v containerd > /dev/null; then
	containerd_states
else
	skip "doctor: states of containerd" "containerd isn't installed"
fi
# Only crun can do without a cgroup.
if command -v podman > /dev/null && command -v crun > /dev/null; then
	podman_states
else
	skip "doctor: states of Podman" "podman or crun isn't installed"
fi
report_exit
