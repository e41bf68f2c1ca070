#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A change that `davit configure` refuses leaves every file as it was, and no backup beside it.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
require_root
make_work
root=$work/root

put() { # PATH TEXT
	mkdir -p "$root/$(dirname "$1")"
	printf '%s\n' "$2" > "$root/$1"
}
state() {
	(cd "$root" && find . -printf '%P %y %s %i %l\n' | LC_ALL=C sort)
}
refused() { # NAME MESSAGE ENGINE [OPTION...]
	local before after output rc=0
	before=$(state)
	output=$("$davit" configure "${@:3}" --root "$root" 2>&1) || rc=$?
	after=$(state)
	matches "$1: refused" "$2" "$output"
	equal "$1: nothing is changed" "1 $before" "$rc $after"
	rm -rf --one-file-system "$root"
}

refuse_all() { # FILE ENGINE TEXT
	put "$1" "$3"
	mv "$root/$1" "$root/elsewhere"
	ln -s /elsewhere "$root/$1"
	refused "$2: its file is a link" 'it is a symbolic link' "$2"
	put "$1" "$3"
	mount --bind "$root" "$root"
	mount -o remount,bind,ro "$root"
	refused_mount "$2: a read-only file system" 'Read-only file system' "$2"
	# A file that something is mounted on can't be renamed over.
	put "$1" "$3"
	mount --bind "$root/$1" "$root/$1"
	refused_mount "$2: a file that is mounted on" 'busy|cross-device' "$2"
}
refused_mount() {
	local before after output rc=0
	before=$(state)
	output=$("$davit" configure "$3" --root "$root" 2>&1) || rc=$?
	after=$(state)
	unmount_below "$work"
	matches "$1: refused" "$2" "$output"
	equal "$1: nothing is changed" "1 $before" "$rc $after"
	rm -rf --one-file-system "$root"
}

refuse_all etc/docker/daemon.json docker '{"log-level": "info"}'
refuse_all etc/containerd/config.toml containerd 'version = 2'
refuse_all etc/crio/crio.conf.d/50-davit.conf crio '# mine'
refuse_all usr/share/containers/oci/hooks.d/davit.json podman \
	'{"version": "1.0.0", "hook": {"path": "/old/davit-hook"}, "when": {"always": true}, "stages": ["prestart"]}'
put etc/docker/daemon.json '{"runtimes": {"nvidia": {"runtimeType": "io.containerd.runsc.v1"}}}'
refused "docker: a runtime of another runtimeType" "runtimeType .*fix: .*--runtime-name" docker
put etc/docker/daemon.json '{"runtimes": 1}'
refused 'docker: a file of another form' 'cannot' docker
put etc/containerd/config.toml 'version = ['
put etc/containerd/conf.d/davit.toml '# mine'
refused 'containerd: a file of another form' 'cannot' containerd
# Before 2.1 the last file replaces the plugin's section of the others. What davit's file has repeated would go without a word.
cri='plugins."io.containerd.grpc.v1.cri"'
put etc/containerd/config.toml "version = 2
imports = [\"/etc/containerd/conf.d/*.toml\"]
[$cri]
sandbox_image = \"site/pause:1\"
[$cri.containerd.runtimes.runc]
runtime_type = \"io.containerd.runc.v2\"
options.SystemdCgroup = true"
"$davit" configure containerd --root "$root" > "$work/out" 2>&1
sed -i 's/^options.SystemdCgroup = true/options.SystemdCgroup = false/' "$root/etc/containerd/config.toml"
"$davit" configure containerd --root "$root" > "$work/out" 2>&1
matches 'containerd: a setting that was changed at its place' 'SystemdCgroup = false' "$(< "$root/etc/containerd/conf.d/davit.toml")"
printf '%s\n' 'version = 2' "[$cri.registry]" 'config_path = "/etc/containerd/certs.d"' > "$root/etc/containerd/conf.d/50-mirror.toml"
before=$(state)
rc=0
output=$("$davit" configure containerd --root "$root" 2>&1) || rc=$?
matches 'containerd: a later file hides what the drop-in repeats' \
	'would lose .*sandbox_image = "site/pause:1".*50-mirror.toml hides what /etc/containerd/config.toml has .fix: move the CRI settings of .*50-mirror.toml to /etc/containerd/config.toml' "$output"
equal 'containerd: a later file hides what the drop-in repeats: nothing is changed' "1 $before" "$rc $(state)"
sed -n '2,$p' "$root/etc/containerd/conf.d/50-mirror.toml" >> "$root/etc/containerd/config.toml"
rm "$root/etc/containerd/conf.d/50-mirror.toml"
rc=0
output=$("$davit" configure containerd --root "$root" 2>&1) || rc=$?
equal 'containerd: the remedy works' '0 1 1' "$rc $(grep -c 'site/pause:1' "$root/etc/containerd/conf.d/davit.toml") $(grep -c certs.d "$root/etc/containerd/conf.d/davit.toml")"
# A pattern that would also fit the drop-in's folder, which containerd can't read.
rm -rf --one-file-system "$root"
put etc/containerd/config.toml 'version = 3
imports = ["/etc/containerd/conf*"]'
rc=0
output=$("$davit" configure containerd --root "$root" 2>&1) || rc=$?
equal 'containerd: a pattern that fits conf.d: the drop-in is beside the main file' '0 config.toml config.toml.before-davit davit.toml' \
	"$rc $(cd "$root/etc/containerd" && echo ./* | sed 's:\./::g')"
rc=0
output=$("$davit" configure containerd --root "$root" --remove 2>&1) || rc=$?
equal 'containerd: a pattern that fits conf.d: removed' "0 config.toml version = 3 imports = [\"/etc/containerd/conf*\"]" \
	"$rc $(ls "$root/etc/containerd") $(paste -sd " " "$root/etc/containerd/config.toml")"
# A file that comes later makes davit write a second drop-in. --remove takes both.
rm -rf --one-file-system "$root"
put etc/containerd/config.toml "version = 2
imports = [\"/etc/containerd/conf.d/*.toml\"]
[$cri.containerd.runtimes.runc]
runtime_type = \"io.containerd.runc.v2\""
before=$(sha256sum < "$root/etc/containerd/config.toml")
"$davit" configure containerd --root "$root" > /dev/null 2>&1
cp "$root/etc/containerd/config.toml" "$root/etc/containerd/conf.d/zz.toml"
sed -i /^imports/d "$root/etc/containerd/conf.d/zz.toml"
rc=0
output=$("$davit" configure containerd --root "$root" 2>&1) || rc=$?
equal 'containerd: a later file: a drop-in beside the main file' '0 davit.toml conf.d/davit.toml' \
	"$rc $(cd "$root/etc/containerd" && echo davit.toml conf.d/davit.toml | xargs ls -U | xargs)"
rc=0
output=$("$davit" configure containerd --root "$root" --remove 2>&1) || rc=$?
equal 'containerd: a later file: --remove takes both drop-ins' "0 zz.toml $before" \
	"$rc $(cd "$root/etc/containerd" && ls davit.toml 2> /dev/null; ls "$root/etc/containerd/conf.d") $(sha256sum < "$root/etc/containerd/config.toml")"
equal 'containerd: a later file: one line says what to restart' 1 "$(grep -c 'restart needed' <<< "$output")"
report_exit
