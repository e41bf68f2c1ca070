#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# daemon.json and CDI specs that dockerd can't bear, and what doctor says of them: each with the real
# daemon in that state and in its opposite; and files that people have, before and after `davit configure
# docker`. SUITES=sid takes sid's dockerd, too, which knows CDI.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
require_root
if [ "${DAVIT_TEST_NAMESPACE:-}" != "$$" ]; then
	export DAVIT_TEST_NAMESPACE=$$
	exec unshare --mount --propagation private "$0" "$@"
fi
# shellcheck source=tests/lib/suite.sh
. "$repository/tests/lib/suite.sh"
make_work
if ! command -v dockerd > /dev/null; then
	skip 'docker: its files' "dockerd isn't installed"
	report_exit
fi
etc=$work/docker
mkdir "$etc"
# What the daemons make is in this namespace alone.
mkdir -p /etc/docker
mkdir -p /etc/systemd/system
for folder in /opt /run /etc/systemd/system; do
	mount -t tmpfs tmpfs $folder
	at_end "umount -l $folder"
done
mkdir -p /run/cdi
mount --bind "$etc" /etc/docker
at_end 'umount -l /etc/docker'

# starts [JQ-FILTER]: how a daemon with this daemon.json fares: `up` and where it looks for specs (or what
# the filter has of `docker info`), or its end.
starts() {
	local i state=ended socket=$work/socket filter=${1:-'.CDISpecDirs // [] | join(" ")'}
	rm -rf --one-file-system "$work/data" "$work/exec"
	PATH=$place:$PATH dockerd --config-file "$etc/daemon.json" --data-root "$work/data" --exec-root "$work/exec" \
		--pidfile "$work/pid" -H "unix://$socket" --group root --iptables=false --ip6tables=false --bridge=none \
		< /dev/null > "$work/log" 2>&1 &
	daemon=$!
	for ((i = 0; i < 400; i++)); do
		if state=$(DOCKER_HOST=unix://$socket timeout 20 docker info --format '{{json .}}' 2> /dev/null | jq -er 'select((.ServerVersion // "") != "") | "up \('"$filter"')"'); then
			break
		fi
		state=ended
		kill -0 $daemon 2> /dev/null || break
		sleep 0.1
	done
	kill $daemon 2> /dev/null || true
	wait $daemon 2> /dev/null || true
	rm -f "$socket" "$work/pid"
	umount -l "$work/data" 2> /dev/null || true
	xargs <<< "$state"
}
started() { # TEXT
	printf '%b' "$1" > "$etc/daemon.json"
	starts
}
# says NAME ID RESULT EVIDENCE: what doctor says of what is there.
says() {
	matches "$1 ($version), doctor" "^$3 +$2 .*$4" \
		"$("$davit" doctor --all --engine docker 2>&1 | grep " $2 " || true)"
}

states() { # CDI-FOLDERS
	equal "no settings ($version): it starts" "up${1:+ $1}" "$(started '{}')"
	says 'no settings' docker.config ok '/etc/docker/daemon.json$'
	equal "not JSON ($version): it ends" ended "$(started '{"debug": }')"
	says 'not JSON' docker.config FAIL 'line 1, column 11'
	matches "a byte order mark ($version): from 23.0 on it starts" "$([ "${version%%.*}" -ge 23 ] && echo '^up' || echo '^ended$')" \
		"$(started '\xef\xbb\xbf{}')"
	says 'a byte order mark' docker.config warn 'byte order mark'
}
# `dockerd --validate` exists since 23.0.
refused_states() {
	equal "an unknown key ($version): it ends" ended "$(started '{"nonsense": 1}')"
	[ "${version%%.*}" -lt 23 ] || says 'an unknown key' docker.config FAIL 'dockerd refuses .*nonsense'
	equal "an unknown default runtime ($version): it ends" ended "$(started '{"default-runtime": "foo"}')"
	says 'an unknown default runtime' docker.config FAIL "'foo' does not exist"
	equal "null ($version): it starts" up "$(started '{"runtimes": null, "features": null}' | cut -d ' ' -f 1)"
	says 'null' docker.config ok '/etc/docker/daemon.json$'
	equal "null as a whole ($version): it starts" up "$(started null | cut -d ' ' -f 1)"
	says 'null as a whole' docker.config ok '/etc/docker/daemon.json$'
	[ "${version%%.*}" -ge 23 ] || return 0
	equal "a path and a runtimeType ($version): it ends" ended \
		"$(started '{"runtimes": {"nvidia": {"path": "/x", "runtimeType": "io.containerd.runc.v2"}}}')"
	says 'a path and a runtimeType' docker.config FAIL 'runtime nvidia: cannot configure both'
	equal "a runtime that is null ($version): it ends" ended "$(started '{"runtimes": {"nvidia": null}}')"
	says 'a runtime that is null' docker.config FAIL 'runtime nvidia: either a runtimeType or a path'
	# What dockerd says of these doesn't name the file.
	equal "two values of a label ($version): it ends" ended "$(started '{"labels": ["a=b", "a=c"]}')"
	says 'two values of a label' docker.config FAIL 'dockerd refuses .*: conflict labels for a=c and a=b$'
	equal "a user that doesn't exist ($version): it ends" ended "$(started '{"userns-remap": "nobody-of-all"}')"
	printf '{"nonsense": 1}' > "$etc/daemon.json"
	matches "an unknown key ($version): configure says it" 'note: .*nonsense' \
		"$("$davit" configure docker --runtime-path /opt/davit-runtime 2>&1)"
	rm -f "$etc"/*
	printf '{"runtimes": {"nvidia": {"runtimeType": "io.containerd.runc.v2", "options": {"BinaryName": "/x"}}}}' > "$etc/daemon.json"
	"$davit" configure docker --runtime-path /opt/davit-runtime > "$work/output" 2>&1 ||
		fail "a runtimeType ($version): it is configured" "$(< "$work/output")"
	equal "a runtimeType ($version): it starts" 'up true' "$(starts '"\(.Runtimes | has("nvidia"))"')"
	equal "a runtimeType ($version): with davit's program" /opt/davit-runtime \
		"$(jq -r .runtimes.nvidia.options.BinaryName "$etc/daemon.json")"
	"$davit" configure docker --remove > "$work/output" 2>&1
	equal "a runtimeType ($version): --remove" /x "$(jq -r .runtimes.nvidia.options.BinaryName "$etc/daemon.json")"
	rm -f "$etc"/*
}
# Options of dockerd's unit beside the same key: systemd would start it so.
hosts_states() {
	local unit=/etc/systemd/system/docker.service.d
	printf '{"hosts": ["unix://%s"]}' "$work/other" > "$etc/daemon.json"
	mkdir -p $unit
	printf '[Service]\nExecStart=\nExecStart=%s -H fd:// \\\n  --containerd=/run/containerd/containerd.sock\n' \
		"$(PATH=$place:$PATH command -v dockerd)" > $unit/davit-test.conf
	matches "hosts and -H ($version): dockerd refuses both" 'specified both as a flag and in the configuration file: hosts' \
		"$(PATH=$place:$PATH timeout 20 dockerd -H fd:// --config-file "$etc/daemon.json" --data-root "$work/data" 2>&1 || true)"
	says 'hosts and -H' docker.config FAIL "hosts is set in /etc/docker/daemon.json and by an option of dockerd's unit"
	printf '[Service]\nExecStart=\nExecStart=%s --containerd=/run/containerd/containerd.sock\n' \
		"$(PATH=$place:$PATH command -v dockerd)" > $unit/davit-test.conf
	says 'hosts without -H' docker.config ok '/etc/docker/daemon.json$'
	# As in Debian's unit: the options in a variable of a file.
	printf 'DOCKER_OPTS="-H unix://%s"\n' "$work/other" > "$work/options"
	printf '[Service]\nEnvironmentFile=-%s\nExecStart=\nExecStart=%s $DOCKER_OPTS\n' "$work/options" \
		"$(PATH=$place:$PATH command -v dockerd)" > $unit/davit-test.conf
	says 'hosts and -H in a variable' docker.config FAIL "hosts is set in .* option of dockerd's unit"
	printf '{"exec-opts": ["native.cgroupdriver=cgroupfs"]}' > "$etc/daemon.json"
	printf '[Service]\nExecStart=\nExecStart=%s --exec-opt native.cgroupdriver=cgroupfs\n' \
		"$(PATH=$place:$PATH command -v dockerd)" > $unit/davit-test.conf
	matches "exec-opts and --exec-opt ($version): dockerd refuses both" 'both as a flag and in the configuration file: exec-opts' \
		"$(PATH=$place:$PATH timeout 20 dockerd --exec-opt native.cgroupdriver=cgroupfs --config-file "$etc/daemon.json" \
			--data-root "$work/data" 2>&1 || true)"
	says 'exec-opts and --exec-opt' docker.config FAIL 'exec-opts is set in'
	rm -r $unit "$etc/daemon.json"
}
# dockerd's own word, with a warning before it, and davit's answer to it.
own_word() {
	local daemon name="a warning before the error"
	daemon=$(PATH=$place:$PATH command -v dockerd)
	mkdir -p "$work/own"
	touch "$work/own/real"
	mount --bind "$daemon" "$work/own/real"
	cat > "$work/own/dockerd" <<- END
		#!/bin/sh
		case " \$* " in *" --validate "*) printf 'time="T" level=warning msg="The option is deprecated"\n' >&2 ;; esac
		shift_file() { while [ \$# -gt 0 ]; do [ "\$1" = --config-file ] && cat "\$2"; shift; done; }
		case "\$*" in *--validate*) case \$(shift_file "\$@") in *davit-runtime*)
			echo 'unable to use this runtime' >&2
			exit 1 ;;
		esac ;; esac
		exec "$work/own/real" "\$@"
	END
	chmod 0755 "$work/own/dockerd"
	mount --bind "$work/own/dockerd" "$daemon"
	printf '{"nonsense": 1}' > "$etc/daemon.json"
	says "$name" docker.config FAIL "dockerd refuses .*: the following directives don't match any configuration option: nonsense"
	printf '{"debug": true}' > "$etc/daemon.json"
	says "$name, but none" docker.config ok 'daemon.json$'
	matches "dockerd refuses what davit would write ($version)" \
		'^davit: cannot change /etc/docker/daemon.json: dockerd would refuse it: unable to use this runtime \(fix:' \
		"$("$davit" configure docker --runtime-path /opt/davit-runtime 2>&1 && echo written)"
	equal "dockerd refuses what davit would write ($version): the file is as it was" '{"debug": true}' "$(< "$etc/daemon.json")"
	umount "$daemon" "$work/own/real"
	rm "$etc/daemon.json"
}
# Before 28.2, CDI is on only with features.cdi.
cdi_not_by_default() {
	local spec='{"cdiVersion": "0.5.0", "kind": "nvidia.com/gpu", "devices": [{"name": "0", "containerEdits": {"env": ["A=b"]}}]}'
	printf '%s\n' "$spec" > /run/cdi/n.json
	equal "CDI isn't on by itself ($version)" up "$(started '{}')"
	says "CDI isn't on by itself" docker.cdi - "$([ "${version%%.*}" -ge 25 ] && echo 'needs features.cdi' || echo 'no CDI devices')"
	unset_method "CDI isn't on by itself" null
	if [ "${version%%.*}" -ge 25 ]; then
		equal "features.cdi ($version)" 'up /etc/cdi /var/run/cdi' "$(started '{"features": {"cdi": true}}')"
		says 'features.cdi' docker.cdi ok 'not disabled'
		unset_method 'features.cdi' 0
	fi
	rm /run/cdi/n.json
}
unset_method() { # NAME INDEX: whether doctor counts CDI as a method
	equal "$1 ($version): doctor's methods" "$2" \
		"$("$davit" doctor --engine docker --json | jq '.engines.docker | index("cdi")')"
}
cdi_states() {
	equal "features.cdi is null ($version): no specs" up "$(started '{"features": {"cdi": null}}')"
	says 'features.cdi is null' docker.cdi warn 'features.cdi is false'
	equal "no folders ($version): no specs" up "$(started '{"cdi-spec-dirs": []}')"
	says 'no folders' docker.cdi warn 'cdi-spec-dirs names no directory'
	equal "no folders ($version): configure --cdi names them" '/etc/cdi /var/run/cdi' \
		"$("$davit" configure docker --cdi --runtime-path /opt/davit-runtime > "$work/output" 2>&1 && starts | cut -d ' ' -f 2-)"
	rm -f "$etc"/*
	equal "features.cdi is false ($version): no specs" up "$(started '{"features": {"cdi": false}}')"
	says 'features.cdi is false' docker.cdi warn 'features.cdi is false'
	equal "other folders ($version)" 'up /run/other' "$(started '{"cdi-spec-dirs": ["/run/other"]}')"
	says 'other folders' docker.cdi warn '/run/other'
	for kind in x.com/g x/gpu xy.com/gpu; do
		printf 'cdiVersion: "0.5.0"\nkind: "%s"\ndevices:\n  - name: "0"\n    containerEdits:\n      env:\n        - "A=b"\n' $kind \
			> /run/cdi/x.yaml
		if [ $kind = xy.com/gpu ]; then
			equal "a spec of $kind ($version): it starts" 'up /etc/cdi /var/run/cdi' "$(started '{}')"
			says "a spec of $kind" cdi.specs ok 'valid'
		else
			equal "a spec of $kind ($version): it ends" ended "$(started '{}')"
			matches "a spec of $kind ($version): in a panic" 'panic: ' "$(cat "$work/log")"
			says "a spec of $kind" docker.specs FAIL "$kind: dockerd 25.0 to 29.7 panics"
		fi
	done
	rm /run/cdi/x.yaml
}

# --- files that people have ----------------------------------------------------------------------

same_bytes() { # NAME TEXT FILE
	printf '%b' "$2" > "$work/expected"
	equal "$1" "$(od -c "$work/expected")" "$(od -c "$3")"
}
# configured NAME OPTIONS BEFORE AFTER INFO: `davit configure docker` makes AFTER of the file, byte for byte;
# a daemon with it says INFO (the runtime's arguments, the default runtime, the log driver, the sorted labels);
# taken back, it is as before.
configured() {
	local name="$1 ($version)" file=$etc/daemon.json configure=("$davit" configure docker --runtime-path /opt/davit-runtime)
	rm -f "$etc"/*
	printf '%b' "$3" > "$file"
	# shellcheck disable=SC2206 # words
	configure+=($2)
	"${configure[@]}" > "$work/output" 2>&1 || fail "$name: it is configured" "$(< "$work/output")"
	same_bytes "$name: all else is as it was" "$4" "$file"
	equal "$name: the daemon has the runtime" "up /opt/davit-runtime $5" \
		"$(starts '"\(.Runtimes.nvidia.path) \(.Runtimes.nvidia.runtimeArgs // [] | join(" ")) \(.DefaultRuntime) \(.LoggingDriver) \(.Labels // [] | sort | join(" "))"')"
	"${configure[@]}" > "$work/output" 2>&1 || fail "$name: once more" "$(< "$work/output")"
	same_bytes "$name: twice is once" "$4" "$file"
	"$davit" configure docker --remove > "$work/output" 2>&1 || fail "$name: it is taken back" "$(< "$work/output")"
	same_bytes "$name: taken back" "$3" "$file"
}
others_files() {
	configured 'tabs and CRLF' '' \
		'{\r\n\t"debug" : true,\r\n\t"labels": [ "a=b",\r\n\t\t"c=d" ]\r\n}\r\n' \
		'{\r\n\t"debug" : true,\r\n\t"labels": [ "a=b",\r\n\t\t"c=d" ],\r\n\t"runtimes": {\r\n\t\t"nvidia": {\r\n\t\t\t"path": "/opt/davit-runtime"\r\n\t\t}\r\n\t}\r\n}\r\n' \
		'runc json-file a=b c=d'
	configured 'a runtime nvidia with arguments, on one line' '' \
		'{"runtimes": {"nvidia": {"runtimeArgs": ["--debug"], "path": "/usr/bin/nvidia-container-runtime"}, "crun": {"path":"/usr/bin/crun"}}}' \
		'{"runtimes": {"nvidia": {"runtimeArgs": ["--debug"], "path": "/opt/davit-runtime"}, "crun": {"path":"/usr/bin/crun"}}}' \
		'--debug runc json-file'
	configured 'another default' --set-default \
		'{\n  "default-runtime": "crun",\n  "runtimes": {\n    "crun": {\n      "path": "/usr/bin/crun"\n    }\n  }\n}' \
		'{\n  "default-runtime": "nvidia",\n  "runtimes": {\n    "crun": {\n      "path": "/usr/bin/crun"\n    },\n    "nvidia": {\n      "path": "/opt/davit-runtime"\n    }\n  }\n}' \
		'nvidia json-file'
	configured 'features.cdi is false, exec-opts and nested objects' --cdi \
		'{\n    "features": {"cdi": false, "buildkit":true},\n    "exec-opts": ["native.cgroupdriver=cgroupfs"],\n    "log-driver": "json-file",\n    "log-opts": {\n        "max-size": "10m",   "max-file": "3",\n        "env": "os,\\u0063ustomer"\n    },\n    "default-ulimits": { "nofile": { "Name": "nofile", "Hard": 64000, "Soft": 64000 } }\n}\n' \
		'{\n    "features": {"cdi": true, "buildkit":true},\n    "exec-opts": ["native.cgroupdriver=cgroupfs"],\n    "log-driver": "json-file",\n    "log-opts": {\n        "max-size": "10m",   "max-file": "3",\n        "env": "os,\\u0063ustomer"\n    },\n    "default-ulimits": { "nofile": { "Name": "nofile", "Hard": 64000, "Soft": 64000 } },\n    "runtimes": {\n        "nvidia": {\n            "path": "/opt/davit-runtime"\n        }\n    }\n}\n' \
		'runc json-file'
	configured 'an empty file' '' '' \
		'{\n    "runtimes": {\n        "nvidia": {\n            "path": "/opt/davit-runtime"\n        }\n    }\n}\n' \
		'runc json-file'
	rm -f "$etc"/*
}

# With the programs in `place`. CDI is on by itself from 28.2 on.
all_states() {
	local folders=''
	version=$(PATH=$place:$PATH dockerd --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
	[ "$(printf '%s\n' 28.2 "$version" | sort -V | head -n 1)" != 28.2 ] || folders='/etc/cdi /var/run/cdi'
	states "$folders"
	refused_states
	if [ -n "$folders" ]; then
		cdi_states
	else
		cdi_not_by_default
	fi
	others_files
	[ "$place" = /nonexistent ] || return 0
	hosts_states
	[ "${version%%.*}" -lt 23 ] || own_word
}

place=/nonexistent
all_states
for suite in ${SUITES-}; do
	place=$work/$suite/usr/bin:$work/$suite/usr/sbin
	if suite_unpack "$suite" docker.io "$work/$suite" && suite_unpack "$suite" containerd "$work/$suite"; then
		all_states
	else
		skip "docker of $suite: its files" "$suite_problem"
	fi
done
report_exit
