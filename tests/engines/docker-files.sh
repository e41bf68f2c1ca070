#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# daemon.json and CDI specs that dockerd can't bear, and what doctor says of them: each with the real
# daemon in that state and in its opposite. SUITES=sid takes sid's dockerd, too, which knows CDI.
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
for folder in /opt /run; do
	mount -t tmpfs tmpfs $folder
	at_end "umount -l $folder"
done
mkdir -p /run/cdi
mount --bind "$etc" /etc/docker
at_end 'umount -l /etc/docker'

# started TEXT: how a daemon with that daemon.json fares: `up` and where it looks for specs, or its end.
started() {
	local i state=ended socket=$work/socket
	printf '%b' "$1" > "$etc/daemon.json"
	rm -rf --one-file-system "$work/data" "$work/exec"
	PATH=$place:$PATH dockerd --config-file "$etc/daemon.json" --data-root "$work/data" --exec-root "$work/exec" \
		--pidfile "$work/pid" -H "unix://$socket" --group root --iptables=false --ip6tables=false --bridge=none \
		< /dev/null > "$work/log" 2>&1 &
	daemon=$!
	for ((i = 0; i < 400; i++)); do
		if state=$(DOCKER_HOST=unix://$socket timeout 20 docker info --format '{{json .}}' 2> /dev/null | jq -er '"up \(.CDISpecDirs // [] | join(" "))"'); then
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
cdi_states() {
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
			says "a spec of $kind" cdi.specs FAIL "$kind: dockerd 28 panics"
		fi
	done
	rm /run/cdi/x.yaml
}

# With the programs in `place`. CDI is on by itself from 28.3 on.
all_states() {
	local folders=''
	version=$(PATH=$place:$PATH dockerd --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
	[ "$(printf '%s\n' 28.3 "$version" | sort -V | head -n 1)" != 28.3 ] || folders='/etc/cdi /var/run/cdi'
	states "$folders"
	[ -z "$folders" ] || cdi_states
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
