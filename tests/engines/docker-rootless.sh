#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Rootless Docker with each method: dockerd as an ordinary user in rootlesskit, as dockerd-rootless.sh
# starts it, and `davit configure docker` as that user. Lines for docs/compatibility.md, as matrix.sh's.
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
for program in dockerd docker rootlesskit newuidmap setpriv; do
	if ! command -v "$program" > /dev/null; then
		skip "${0##*/}" "$program isn't installed (apt-get install docker.io rootlesskit uidmap util-linux)"
		report_exit
	fi
done
make_work
host=$work/host
"$fixture/fake-host" "$host"
spare_crun_memlock
low_name=${ENGINE##*/}
make_low_runtime "$(command -v "$ENGINE")"
mkdir "$work/bin" "$work/front" "$work/volume"
mv "$low" "$work/bin/$low_name"
low=$work/bin/$low_name
configure_runtime "$low"
make_dev
# Where a user can reach them; the checkout may lie in a private directory.
cp "$hook" "$work/front/davit-hook"
cp "$runtime" "$work/front/davit-runtime"
cp "$davit" "$work/bin/davit"
ln -s "$work/front/davit-hook" "$work/bin/nvidia-container-runtime-hook"
mkdir -p "$work"/{home,run,user} /etc/cdi
cp -a "$(kind_root debian)/etc/." "$work/volume"
touch "$work/volume/"{hostname,hosts,resolv.conf}
"$davit" cdi generate | jq --arg hook "$work/front/davit-hook" \
	'(.. | objects | select(has("hookName")).path) = $hook' > "$work/front/nvidia.json"
cp "$work/front/nvidia.json" /etc/cdi
user=davit id=54321
printf '%s:x:%s:%s::%s:/bin/sh\n' $user $id $id "$work/home" >> /etc/passwd
printf '%s:x:%s:\n' $user $id >> /etc/group
printf '%s:1000000:65536\n' $user | tee /etc/subuid > /etc/subgid
chmod 0755 "$work"
chown $id:$id "$work"/{home,run,user}
chown -hR $id:$id "$work/volume"
chmod 0700 "$work/run"
before=$(tree_state "$work/volume")
version=$(dockerd --version | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1)
one=$(smi_line 0 "$uuid1")

as_user() {
	(cd / && exec setpriv --reuid $id --regid $id --clear-groups --inh-caps=-all env -i PATH="$work/bin:$PATH" \
		HOME="$work/home" USER=$user XDG_RUNTIME_DIR="$work/run" TMPDIR="$work/user" LC_ALL=C \
		DOCKER_HOST="unix://$work/run/docker.sock" "$@")
}
# What dockerd-rootless.sh does, but for the network: there is none here.
start_dockerd() {
	local i
	# shellcheck disable=SC2016 # of the inner shell
	as_user rootlesskit --net=host --copy-up=/etc --copy-up=/run --propagation=rslave --state-dir="$work/run/rootlesskit" \
		sh -c 'rm -f /run/docker /run/containerd /run/xtables.lock; exec dockerd "$@"' - \
		--iptables=false --ip6tables=false --bridge=none --storage-driver vfs > "$work/user/log" 2>&1 < /dev/null &
	rootlesskit=$!
	at_end stop_dockerd
	for ((i = 0; i < 300; i++)); do
		! as_user docker ps > /dev/null 2>&1 || return 0
		kill -0 $rootlesskit 2> /dev/null || break
		sleep 0.1
	done
	fail "rootless dockerd $version starts" 'it does not answer' "$(tail -n 5 "$work/user/log")"
	report_exit
}
# shellcheck disable=SC2317 # called by clean_up
stop_dockerd() {
	[ -n "${rootlesskit:-}" ] || return 0
	kill "$(cat "$work/run/docker.pid")" 2> /dev/null || kill -KILL $rootlesskit 2> /dev/null || true
	wait $rootlesskit || true
	rootlesskit=''
}
run_docker() { # OPTION... -- COMMAND...: sets rc, output, errors
	local options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	rc=0
	output=$(as_user timeout 60 docker run --rm --network none "${options[@]}" gpu-test "${@:2}" \
		2> "$work/errors" < /dev/null) || rc=$?
	errors=$(< "$work/errors")
}
case_of() { # METHOD CONDITION OPTION...
	run_docker "${@:3}" -- nvidia-smi -L
	equal "matrix: Docker $version | $1 | $2 | $low_name" "0 $one" "$rc $output${errors:+ $errors}"
	[[ $2 != *volume* ]] || equal "the volume is as before (rootless Docker $version, $1, $low_name)" "$before" \
		"$(tree_state "$work/volume")"
}

says() { # NAME RESULT EVIDENCE [ID]: what doctor says of the daemon that runs, to its user
	local answer
	answer=$(as_user davit doctor --all --engine docker 2>&1 | grep " ${4:-docker.cdi} " || true)
	matches "$1 ($version), doctor" "^$2 .*$3" "$answer"
}

start_dockerd
# The daemon's own socket says whose file it is.
rc=0
output=$(as_user davit configure docker --cdi --runtime-path "$work/front/davit-runtime" 2>&1) || rc=$?
matches "davit configure docker as that user ($version)" "^wrote $work/home/.config/docker/daemon.json" "$output"
equal "davit configure docker as that user ($version): exit code" 0 "$rc"
matches "davit configure docker as that user ($version): the restart" 'systemctl --user restart docker$' "$output"
file=$work/home/.config/docker/daemon.json
# Before 25.0, dockerd refuses a file that names directories of specs.
dirs=''
[ "${version%%.*}" -lt 25 ] ||
	dirs="/etc/cdi /var/run/cdi $work/home/.config/cdi $work/run/cdi"
equal "davit configure docker --cdi names the folders of specs that this dockerd finds ($version)" "$dirs" \
	"$(jq -r '."cdi-spec-dirs" // [] | join(" ")' "$file")"
with_low() { # FILE: a daemon.json with this test's low-level runtime
	jq --arg low "$low" '. + {"default-runtime": "low"} | .runtimes.low.path = $low' < "$1"
}
with_low "$file" > "$work/daemon.json"
tar -C "$(kind_root debian)" -c . | as_user docker import - gpu-test > /dev/null
if [ "${version%%.*}" -ge 28 ]; then
	run_docker --device nvidia.com/gpu=1 -- true
	matches "no folder of specs is named ($version): the usual ones aren't found" 'unresolvable CDI devices' "$errors"
	cp -p "$file" "$work/kept"
	jq 'del(."cdi-spec-dirs")' < "$work/kept" > "$file"
	says 'no folder of specs is named' warn 'rootless Docker finds no CDI specs'
	equal "no folder of specs is named ($version): the remedy" 'davit configure docker --cdi, then systemctl --user restart docker' \
		"$(as_user davit doctor --json --engine docker | jq -r '.checks[] | select(.id == "docker.cdi").remedy')"
	cat "$work/kept" > "$file"
fi
stop_dockerd
cat "$work/daemon.json" > "$file"
start_dockerd
if [ "${version%%.*}" -ge 25 ]; then
	says 'a folder without a spec' warn "no spec exists in $work/home/.config/cdi"
	run_docker --device nvidia.com/gpu=1 -- true
	matches "a folder without a spec ($version): the device isn't found" 'unresolvable CDI devices' "$errors"
	as_user mkdir -p "$work/home/.config/cdi"
	cp "$work/front/nvidia.json" "$work/home/.config/cdi"
	says 'a folder with a spec' ok "$work/home/.config/cdi contains specs"
fi
# What doctor says to the user holds below.
says 'the daemon of a user' ok "process [0-9]+$" engine.docker
says 'the daemon of a user' ok "$file$" docker.config
says 'the daemon of a user' ok "$work/bin/nvidia-container-runtime-hook$" docker.hook
says 'the daemon of a user' ok "nvidia is $work/front/davit-runtime$" docker.runtime
says 'the daemon of a user' ok 'nothing changed since' docker.restart
equal "the daemon of a user ($version): the methods that doctor counts" \
	"$([ "${version%%.*}" -lt 25 ] && echo '["hook","runtime"]' || echo '["hook","runtime","cdi"]')" \
	"$(as_user davit doctor --json --engine docker | jq -c .engines.docker)"
methods=(hook runtime)
[ "${version%%.*}" -lt 25 ] || methods+=(CDI)
for method in "${methods[@]}"; do
	volume=/etc
	case $method in
	hook) options=(--gpus '"device=1"') ;;
	runtime) options=(--runtime nvidia -e NVIDIA_VISIBLE_DEVICES=1) ;;
	CDI) options=(--device nvidia.com/gpu=1) volume=/data ;;
	esac
	case_of "$method" rootless "${options[@]}"
	case_of "$method" 'rootless, read-only' "${options[@]}" --read-only
	case_of "$method" 'rootless, read-only volume' "${options[@]}" -v "$work/volume:$volume:ro"
done
run_docker -- nodeprobe /dev/nvidiactl
equal "nothing asked for (rootless Docker $version, $low_name)" '0 /dev/nvidiactl: ENOENT' "$rc $output$errors"
run_docker --runtime nvidia -- nodeprobe /dev/nvidiactl
equal "nothing asked for of davit-runtime (rootless Docker $version, $low_name)" '0 /dev/nvidiactl: ENOENT' "$rc $output$errors"
sleep 2
touch "$file"
says 'the file of a user is changed' warn "but $file changed at" docker.restart
equal "the file of a user is changed ($version): the remedy" 'systemctl --user restart docker' \
	"$(as_user davit doctor --json --engine docker | jq -r '.checks[] | select(.id == "docker.restart").remedy')"
run_docker --gpus '"device=7"' -- true
[ "$low_name" = crun ] || matches "--gpus \"device=7\" (rootless Docker $version, $low_name): our line" \
	'davit: cannot inject GPU 7: .*\(fix: choose one of them in --gpus\)' "$errors"
stop_dockerd
report_exit
