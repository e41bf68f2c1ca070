#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit doctor --engine docker` beside a real dockerd: what it says is what docker then does.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
ENGINE=dockerd
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/docker.sh
. "$repository/tests/lib/docker.sh"
own_processes "$@"
enter_namespace "$@"
require_docker
make_work
host=$work/host
"$fixture/fake-host" "$host"
rm "$host"/dev/nvidia-nvswitch* # nv-fabricmanager doesn't run here
with="cgroup $CGROUP"

# The hook's configuration is /etc/davit/config.json, in our namespace alone.
mkdir "$work/etc"
mount -t tmpfs tmpfs "$work/etc"
mkdir -p "$work"/etc/{upper,work} "$work/etc/upper/davit"
cp "$host/davit.json" "$work/etc/upper/davit/config.json"
mount -t overlay overlay /etc -o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
at_end 'umount -l /etc'
forget_engines

make_docker
registered=$work/docker/bin/nvidia-container-runtime-hook
daemon_json=$work/docker/daemon.json

doctor() { # sets rc and answer
	rc=0
	answer=$("$@" "$davit" doctor --engine docker --json) || rc=$?
}

# result ID RESULT REGULAR-EXPRESSION-OF-EVIDENCE
result() {
	matches "$title ($with): $1 is $2" "^$2 .*$3" "$(jq -r --arg id "$1" \
		'.checks[] | select(.id == $id) | "\(.result) \(.evidence)"' <<< "$answer")"
}

# Hook and runtime are this machine's own, where it has them: then nothing is amiss.
if command -v nvidia-container-runtime-hook > /dev/null; then
	skip "${0##*/}" 'this machine has an nvidia-container-runtime-hook of its own'
	report_exit
fi

# --- registered ----------------------------------------------------------------------------------

title=registered
ln -s "$hook" "$registered"
start_dockerd "{\"runtimes\": {\"nvidia\": {\"path\": \"$DAVIT_BUILD/davit-runtime\"}}}"
tar -C "$(kind_root debian)" -c . | docker import - gpu-test > /dev/null
doctor env
equal "$title ($with): exit code" 0 "$rc"
equal "$title ($with): nothing fails" '0 []' \
	"$(jq -c '.failed, [.checks[] | select(.result == "fail")]' <<< "$answer" | xargs)"
result engine.docker ok "dockerd, process $dockerd\$"
result docker.config ok "$daemon_json\$"
result docker.hook ok "$registered\$"
result docker.runtime ok "$DAVIT_BUILD/davit-runtime\$"
result docker.restart ok 'nothing changed since'
equal "$title ($with): dockerd's own containerd isn't taken for an engine" '' \
	"$(jq -r '.checks[].id | select(contains("containerd"))' <<< "$answer")"
equal "$title ($with): --gpus" "$(smi_line 0 "$uuid0")" \
	"$(docker run --rm --network none --gpus 1 gpu-test nvidia-smi -L 2>&1)"
# candidates NAME...: what davit-runtime executes.
candidates() {
	jq '.runtime.candidates = $ARGS.positional' "$host/davit.json" --args "$@" > /etc/davit/config.json
}
# starts YES-OR-NO: a container of the runtime nvidia.
starts() {
	equal "$title ($with): a container starts" "$1" \
		"$(docker run --rm --network none --runtime nvidia gpu-test true > /dev/null 2>&1 && echo yes || echo no)"
}
title='a low-level runtime in the PATH of dockerd alone'
cp "$(command -v runc)" "$work/docker/bin/runc-of-docker"
candidates runc-of-docker
doctor env
result runtime.hooks ok "$work/docker/bin/runc-of-docker runs createContainer hooks"
result docker.runtime ok "$DAVIT_BUILD/davit-runtime\$"
starts yes
title='a low-level runtime that others can write'
chmod 0775 "$work/docker/bin/runc-of-docker"
doctor env
result runtime.hooks fail "for docker: cannot run the low-level runtime: users other than its owner can replace $work/docker/bin/runc-of-docker"
result docker.runtime warn 'no container of it starts'
starts no
title='no low-level runtime'
candidates absent
doctor env
result runtime.hooks fail 'for docker: cannot find a low-level runtime: none of absent exists'
starts no
cp "$host/davit.json" /etc/davit/config.json
title=registered
doctor setpriv --reuid 65534 --regid 65534 --clear-groups
result docker.hook unknown "process $dockerd"
result docker.config ok "$daemon_json"

title='changed after its start'
sleep 2
touch "$daemon_json"
doctor env
equal "$title ($with): a warning" 0 "$rc"
result docker.restart warn "but $daemon_json changed at"
stop_dockerd
doctor env
result docker.restart skip "isn't running"

# --- unregistered --------------------------------------------------------------------------------

title='without the runtime'
start_dockerd '{}'
doctor env
equal "$title ($with): exit code" 0 "$rc"
result docker.runtime skip 'docker run --gpus. works without it'
matches "$title ($with): so says docker" '[Uu]nknown (or invalid )?runtime( specified|name)?.*nvidia' \
	"$(docker run --rm --network none --runtime nvidia gpu-test true 2>&1 || true)"
stop_dockerd

title='userns-remap of an unknown user'
mkdir -p /etc/docker
printf '{"userns-remap": "davit-nobody"}\n' > /etc/docker/daemon.json
doctor env
result docker.config fail 'userns-remap is davit-nobody, but the user doesn.t exist'
matches "$title ($with): dockerd ends" 'davit-nobody' \
	"$(timeout 20 dockerd --iptables=false --bridge=none --data-root "$work/docker/data" --exec-root "$work/docker/exec" \
		--pidfile "$work/docker/pid" -H "$DOCKER_HOST" 2>&1 | grep -iE 'lookup|getent' || true)"
printf '{"userns-remap": ""}\n' > /etc/docker/daemon.json
doctor env
result docker.config ok '/etc/docker/daemon.json$'
rm /etc/docker/daemon.json

title='the default runtime without its program'
start_dockerd "{\"default-runtime\": \"nvidia\", \"runtimes\": {\"nvidia\": {\"path\": \"$work/gone\"}}}"
doctor env
equal "$title ($with): exit code" 1 "$rc"
result docker.runtime fail "default runtime nvidia is $work/gone, but no such program exists: no container starts"
equal "$title ($with): so it is, with --gpus, too" 'fails fails' \
	"$(docker run --rm --network none gpu-test true > /dev/null 2>&1 || printf 'fails '
		docker run --rm --network none --gpus 1 gpu-test true > /dev/null 2>&1 || echo fails)"
stop_dockerd

title='without hook and runtime'
rm "$registered"
start_dockerd '{}'
doctor env
equal "$title ($with): exit code" 1 "$rc"
result docker.hook fail "\(.*$work/docker/bin:.*could not select device driver"
matches "$title ($with): so says docker" 'could not select device driver' \
	"$(docker run --rm --network none --gpus all gpu-test true 2>&1 || true)"
# The hook is put in place too late for this daemon.
sleep 2
ln -s "$hook" "$registered"
doctor env
result docker.restart warn "but $registered changed at"
matches "$title ($with): docker doesn't see it" 'could not select device driver' \
	"$(docker run --rm --network none --gpus all gpu-test true 2>&1 || true)"
stop_dockerd
start_dockerd '{}'
doctor env
result docker.restart ok 'nothing changed since'
equal "after the restart ($with): --gpus" "$(smi_line 0 "$uuid0")" \
	"$(docker run --rm --network none --gpus 1 gpu-test nvidia-smi -L 2>&1)"
report_exit
