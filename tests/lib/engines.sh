# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What tests/run.sh and tests/suites/run have of tests/engines: each script with the runtimes and
# cgroup versions that it is run with.

# Scripts that need no runtime, or choose their own; all others run on each.
single_scripts=(bad-input docker-files callers cdi cdi-hook cdi-mapped cdi-names configure container-cli containerd-files containerd-rootless cri crio docker-rootless doctor doctor-states environment docker hooks-d matrix node podman runtime-bundles
	rootless runtime-engines systemd try units log created-files launchers calls vendors-engines platforms wsl jetson)

# What depends on the cgroup's version: who may use which device.
v1_scripts=(containers requests docker)
# What doesn't depend on the runtime: what is read of the host and its driver.
host_scripts=(families images mig missing cuda-compat)

# engine_scripts [all]: a line for each run, `NAME ENGINE CGROUP`. Without `all` what CI runs: on cgroup
# v1 and with crun only the scripts for which these matter.
engine_scripts() {
	local with file name all=${1:-}
	# What wsl and jetson look at, platforms does on runc and cgroup v2.
	printf '%s\n' 'log runc v2' 'created-files runc v2' 'created-files crun v2' 'platforms runc v2' 'wsl crun v2' 'jetson crun v2'
	[ -z "$all" ] || printf '%s\n' 'wsl runc v1' 'jetson runc v1'
	for with in 'runc v1' 'runc v2' 'crun v2'; do
		for file in tests/engines/*.sh; do
			name=$(basename "$file" .sh)
			[[ " ${single_scripts[*]} " != *" $name "* ]] || continue
			[ -n "$all" ] || [ "$with" != 'runc v1' ] || [[ " ${v1_scripts[*]} " = *" $name "* ]] || continue
			[ -n "$all" ] || [ "$with" != 'crun v2' ] || [[ " ${host_scripts[*]} " != *" $name "* ]] || continue
			printf '%s\n' "$name $with"
		done
	done
	for name in vendors-engines bad-input callers cdi-hook environment runtime-bundles doctor doctor-states units launchers calls \
		containerd-files containerd-rootless docker-files docker-rootless node; do
		printf '%s\n' "$name runc v2"
	done
	[ -z "$all" ] || printf '%s\n' 'containerd-rootless crun v2' 'docker-rootless crun v2'
	for name in docker runtime-engines configure container-cli try; do
		if [ -n "$all" ] || [[ " ${v1_scripts[*]} " = *" $name "* ]]; then
			printf '%s\n' "$name runc v1"
		fi
		printf '%s\n' "$name runc v2"
	done
	for with in runc crun; do
		for name in systemd rootless podman hooks-d cri matrix cdi cdi-mapped cdi-names; do
			printf '%s\n' "$name $with v2"
		done
		# Debian has no package of CRI-O.
		! command -v crio > /dev/null || printf '%s\n' "crio $with v2"
	done
}
