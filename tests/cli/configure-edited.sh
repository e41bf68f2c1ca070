#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Files that davit writes for engines, after somebody has edited them: no line of theirs is lost without
# a word, by `davit configure` again or by --remove, and nothing is changed where davit refuses.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
needs jq
require_root
make_work
root=$work/root
program=/opt/davit/davit-runtime
cri2='plugins."io.containerd.grpc.v1.cri"'
cri3='plugins."io.containerd.cri.v1.runtime"'

put() { # PATH: from standard input
	mkdir -p "$root/$(dirname "$1")"
	cat > "$root/$1"
}
files() {
	(cd "$root" && find . -type f -exec sha256sum {} + | sort -k 2)
}
configure() { # ENGINE OPTION...: sets rc, output and errors
	rc=0
	output=$("$davit" configure "$@" --root "$root" --runtime-path "$program" 2> "$work/errors") || rc=$?
	# The program isn't in that root, which is said each time.
	errors=$(grep -v "note: the runtime $root$program doesn't exist: " "$work/errors" || true)
}
# The lines that aren't davit's header, or blank.
lines() { # FILE
	grep -v '^# \(Written by\|Checksums of\|Before containerd 2.1\|the other files. Run\)' "$1" | grep -v '^\s*$' || true
}
refused() { # NAME MESSAGE ENGINE OPTION...
	local before
	before=$(files)
	configure "${@:3}"
	matches "$1: refused" "^davit: cannot .*$2" "$errors"
	equal "$1: nothing is changed" "1 $before" "$rc $(files)"
}
# again NAME NOTE ENGINE OPTION...: a second call has nothing to do, and says NOTE of what it keeps.
again() {
	local before
	before=$(files)
	configure "${@:3}"
	equal "$1: again, nothing to change" "0 nothing to change $before" "$rc $(tail -n 1 <<< "$output") $(files)"
	[ -n "$2" ] || equal "$1: again, without a note" '' "$errors"
	[ -z "$2" ] || matches "$1: again, with a note" "^davit: note: .*$2" "$errors"
}

# --- containerd, merged key by key -----------------------------------------------------------------

drop_in=$root/etc/containerd/conf.d/davit.toml
# begin [VERSION]: a node with davit's drop-in.
begin() {
	local cri=$cri3
	[ "${1:-3}" = 3 ] || cri=$cri2
	rm -rf "$root"
	put etc/containerd/config.toml << END
version = ${1:-3}
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [$cri.containerd.runtimes.runc.options]
    SystemdCgroup = false
END
	first=$(files)
	configure containerd
}
gone() { # NAME [NOTE]: --remove leaves nothing of davit
	configure containerd --remove
	equal "$1: --remove gives the first files back" "0 $first" "$rc $(files)"
	[ -z "${2:-}" ] || matches "$1: --remove names what goes with it" "^davit: note: .*also removed .*$2" "$errors"
	[ -n "${2:-}" ] || equal "$1: --remove, no note" '' "$errors"
}

site="# added by the site
[$cri3.containerd.runtimes.kata]
  runtime_type = \"io.containerd.kata.v2\" # second handler
[$cri3.cni]
  bin_dirs = [\"/opt/cni/bin\"]"
begin
printf '\n%s\n' "$site" >> "$drop_in"
edited=$(< "$drop_in")
again 'a second runtime handler' '' containerd
equal 'a second runtime handler: every byte stays' "$edited" "$(< "$drop_in")"
sed -i 's/SystemdCgroup = false/SystemdCgroup = true/' "$root/etc/containerd/config.toml"
configure containerd --cdi
equal "davit's own lines follow the engine's files" '0 4 1' \
	"$rc $(grep -c 'SystemdCgroup = true' "$drop_in") $(grep -c 'enable_cdi = true' "$drop_in")"
equal 'what others wrote stays beside them' "$site" "$(grep -A 5 '^# added by' "$drop_in" | head -n 5)"
configure containerd
equal 'a call without options keeps --cdi' '0 1' "$rc $(grep -c 'enable_cdi = true' "$drop_in" || true)"
configure containerd --set-default
configure containerd
equal 'a call without options keeps --set-default' '0 1' "$rc $(grep -c 'default_runtime_name = "nvidia"' "$drop_in" || true)"
configure containerd --dry-run --remove
matches 'a second runtime handler: --dry-run shows what stays' '^-.*davit-runtime' "$output"
configure containerd --remove
equal 'a second runtime handler: --remove leaves it' "0 version = 3
$site" "$rc $(lines "$drop_in")"
matches 'a second runtime handler: a line says so' "wrote $drop_in \\(kept the lines that davit didn't write\\)" "$output"
equal 'a second runtime handler: it is still imported' 1 "$(grep -c conf.d/davit.toml "$root/etc/containerd/config.toml")"
again 'what --remove has left' 'kept this file' containerd --remove
configure containerd
equal "what --remove has left, and davit's lines once more" '0 3 1' \
	"$rc $(grep -c "BinaryName = \"$program\"" "$drop_in") $(grep -c 'runtimes.kata\]' "$drop_in")"
configure containerd --remove
equal 'and without them' "version = 3
$site" "$(lines "$drop_in")"

begin
sed -i '/runtimes.nvidia/,$s/SystemdCgroup = false/SystemdCgroup = true/' "$drop_in"
again 'SystemdCgroup flipped' 'kept .*nvidia.options.SystemdCgroup = true.*, which davit didn.t write' containerd
equal 'SystemdCgroup flipped: it stays' 3 "$(grep -c 'SystemdCgroup = true' "$drop_in")"
gone 'SystemdCgroup flipped' 'nvidia.options.SystemdCgroup = true'

begin
sed -i '0,/container_annotations/s/container_annotations = .*/container_annotations = ["cdi.k8s.io\/*", "site\/*"]/' "$drop_in"
again 'a longer list' 'nvidia.container_annotations = ."cdi.k8s.io/\*", "site/\*"' containerd
begin
sed -i "s|$program|/usr/local/bin/wrapper|" "$drop_in"
refused 'another program' "update /etc/containerd/conf.d/davit.toml: .*BinaryName is set to \"/usr/local/bin/wrapper\" there, which davit didn.t write .fix: remove that line" containerd
rc=0
"$davit" configure containerd --root "$root" --runtime-path /usr/local/bin/wrapper > /dev/null 2>&1 || rc=$?
equal 'another program, and it is asked for' 0 "$rc"
gone 'another program' 'BinaryName = "/usr/local/bin/wrapper"'

begin
sed -i "s|$program\"|& # see ticket 7|; s|^version|# a note\n&|" "$drop_in"
again 'comments' '' containerd
sed -i 's/SystemdCgroup = false/SystemdCgroup = true/' "$root/etc/containerd/config.toml"
configure containerd
equal 'comments stay when other lines change' '0 3 1' "$rc $(grep -c '# see ticket 7' "$drop_in") $(grep -c '# a note' "$drop_in")"
configure containerd --remove
equal 'comments: --remove leaves them' '0 # a note' "$rc $(lines "$drop_in")"

begin
sed -i 's/$/\r/' "$drop_in"
again 'CRLF' '' containerd
gone CRLF
begin
sed -i "s|^\[.*nvidia-legacy.options\]|# inline|; /nvidia-legacy.:/d" "$drop_in"
sed -i "/^# inline/,\$d" "$drop_in"
printf '  options = { BinaryName = "%s", SystemdCgroup = true }\n' "$program" >> "$drop_in"
again 'a table written inline' 'nvidia-legacy.options.SystemdCgroup = true' containerd
begin
printf '[%s.containerd]\n  default_runtime_name = "nvidia"\n' "$cri3" >> "$drop_in"
gone 'davit as the default, set by others' 'default_runtime_name = "nvidia"'
begin
sed -i '/nvidia-legacy/,$d' "$drop_in"
configure containerd
equal "davit's lines that somebody has deleted come back" '0 2' "$rc $(grep -c nvidia-legacy "$drop_in")"
begin
printf '[plugins\n' >> "$drop_in"
refused 'not TOML any more' 'read /etc/containerd/conf.d/davit.toml: line ' containerd
refused 'not TOML any more, --remove' 'read /etc/containerd/conf.d/davit.toml: line ' containerd --remove

# A configuration manager's file of that name.
begin
configure containerd --remove
put etc/containerd/conf.d/davit.toml << END
# managed by the site
version = 3

[$cri3.containerd.runtimes.nvidia.options]
  SystemdCgroup = true
[$cri3.cni]
  bin_dirs = ["/x"]
END
first=$(files)
configure containerd
equal "a manager's file: its lines and davit's" '0 1 1 3 1' "$rc $(grep -c 'managed by the site' "$drop_in") $(grep -c '"/x"' "$drop_in") $(
	grep -c "BinaryName = \"$program\"" "$drop_in") $(grep -c 'SystemdCgroup = true' "$drop_in")"
equal "a manager's file: no second copy beside it" '' "$(find "$root/etc/containerd/conf.d" -name '*davit.toml.*')"
again "a manager's file" 'nvidia.options.SystemdCgroup = true' containerd
configure containerd --remove
equal "a manager's file: its lines stay, but for those of davit's runtime" "0 # managed by the site
version = 3
[$cri3.cni]
  bin_dirs = [\"/x\"]" "$rc $(lines "$drop_in")"
matches "a manager's file: these are named" 'also removed .*nvidia.options.SystemdCgroup = true' "$errors"

put etc/containerd/conf.d/davit.toml << END
version = 3
[$cri3.containerd.runtimes.nvidia.options]
  BinaryName = "/usr/bin/nvidia-container-runtime"
END
refused "a manager's file with another program" 'nvidia.options.BinaryName is set to "/usr/bin/nvidia-container-runtime"' containerd
begin
sed -i '/^# Written by/d' "$drop_in"
gone 'a file without its first line'

# A davit that wrote no checksums yet.
begin
sed -i '/^# Checksums/d; s/ Lines that you add.*//' "$drop_in"
refused 'no checksums, --remove' 'its checksums are missing, .*fix: run the command once without --remove' containerd --remove
configure containerd
equal 'no checksums: they are added' '0 1' "$rc $(grep -c '^# Written by' "$drop_in")"
gone 'no checksums, then added'
begin
sed -i '/^# Checksums/d; /runtimes.nvidia/,$s/SystemdCgroup = false/SystemdCgroup = true/' "$drop_in"
printf '%s\n' "$site" >> "$drop_in"
configure containerd
equal 'no checksums, edited: the lines stay' '0 3 1' "$rc $(grep -c 'SystemdCgroup = true' "$drop_in") $(grep -c bin_dirs "$drop_in")"
configure containerd --remove
equal 'no checksums, edited: --remove leaves them' "0 version = 3
$site" "$rc $(lines "$drop_in")"

# --- containerd before 2.1: one file's section counts ----------------------------------------------

begin 2
printf '[%s.registry]\n  config_path = "/etc/certs.d"\n' "$cri2" >> "$drop_in"
again 'before 2.1, a registry' '' containerd
sed -i 's/SystemdCgroup = false/SystemdCgroup = true/' "$root/etc/containerd/config.toml"
configure containerd
equal "before 2.1, a registry: it stays, and davit's copies are new" '0 1 4' \
	"$rc $(grep -c certs.d "$drop_in") $(grep -c 'SystemdCgroup = true' "$drop_in")"
refused 'before 2.1, a registry, --remove' 'davit didn.t write registry.config_path = "/etc/certs.d", which would replace .*fix: move it to /etc/containerd/config.toml' containerd --remove
sed -i '/registry\]/,$d' "$drop_in"
configure containerd --remove
equal 'before 2.1, after that line is moved: --remove' '0 1' "$rc $(find "$root/etc" -type f -name '*.toml' | wc -l)"
begin 2
printf '[%s.registry]\n  config_path = "/etc/certs.d"\n' "$cri2" >> "$drop_in"
sed -i 's/^version = 2/version = 3/; s/io.containerd.grpc.v1.cri/io.containerd.cri.v1.runtime/' "$root/etc/containerd/config.toml"
refused 'another format meanwhile' 'in format version 2, but containerd.s is 3 now .fix: move them' containerd

# --- links and files that can't be replaced ---------------------------------------------------------

begin
mv "$drop_in" "$root/elsewhere"
ln -s /elsewhere "$drop_in"
printf '%s\n' "$site" >> "$root/elsewhere"
refused 'the drop-in is a link' 'symbolic link .fix: name the link.s target with --file or --drop-in' containerd --cdi
refused 'the drop-in is a link, --remove' 'symbolic link' containerd --remove
begin
if chattr +i "$drop_in" 2> /dev/null; then
	refused 'immutable' 'not permitted .fix: .*chattr -i' containerd --cdi
	refused 'immutable, --remove' 'not permitted .fix: .*chattr -i' containerd --remove
	chattr -i "$drop_in"
else
	skip 'an immutable drop-in' 'this file system has no such attribute'
fi
chmod 0400 "$drop_in"
configure containerd --cdi
equal 'a file without write permission: its mode stays' '0 400' "$rc $(stat -c %a "$drop_in")"

# --- distributions of Kubernetes -----------------------------------------------------------------

rm -rf "$root"
put etc/k0s/containerd.toml << 'END'
# k0s_managed=true
version = 2
imports = ["/run/k0s/containerd-cri.toml"]
END
put run/k0s/containerd-cri.toml <<< 'version = 2'
configure containerd
printf '[%s.registry]\n  config_path = "/c"\n' "$cri2" >> "$root/etc/k0s/containerd.d/davit.toml"
again k0s '' containerd
configure containerd --remove
equal 'k0s: --remove leaves what others wrote, since k0s merges keys' "0 version = 2
[$cri2.registry]
  config_path = \"/c\"" "$rc $(lines "$root/etc/k0s/containerd.d/davit.toml")"

rm -rf "$root"
folder=var/lib/rancher/k3s/agent/etc/containerd
put $folder/config.toml << END
# File generated by k3s. DO NOT EDIT.
version = 3
imports = ["/$folder/config-v3.toml.d/*.toml"]
END
configure containerd
printf '%s\n' "$site" >> "$root/$folder/config-v3.toml.d/davit.toml"
configure containerd --remove
equal "k3s: --remove leaves what others wrote" "0 version = 3
$site" "$rc $(lines "$root/$folder/config-v3.toml.d/davit.toml")"

rm -rf "$root"
put $folder/config.toml << END
# File generated by k3s. DO NOT EDIT.
version = 2
[$cri2.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
configure containerd
template=$root/$folder/config.toml.tmpl
sed -i "s|^# Written.*end|# in the block\n[$cri2.registry]\n  config_path = \"/c\"\n&|" "$template"
again 'k3s, lines in the block' '' containerd
printf '\n[%s.cni]\n  bin_dir = "/behind"\n' "$cri2" >> "$template"
edited=$(< "$template")
again 'k3s, lines behind the block' '' containerd
equal 'k3s, lines in and behind the block: every byte stays' "$edited" "$(< "$template")"
sed 's/$/\r/' "$template" > "$work/crlf"
configure containerd --remove
equal 'k3s, lines in and behind the block: --remove leaves them' "0 {{ template \"base\" . }}
# in the block
[$cri2.registry]
  config_path = \"/c\"
[$cri2.cni]
  bin_dir = \"/behind\"" "$rc $(lines "$template")"
cp "$work/crlf" "$template"
again 'k3s, CRLF' '' containerd
equal 'k3s, CRLF: there is one block' 1 "$(grep -c 'begin' "$template")"
configure containerd --remove
equal 'k3s, CRLF: --remove' '0 0 1' "$rc $(grep -c davit "$template" || true) $(grep -c behind "$template")"
rm "$template"
configure containerd
printf '  Root = "/r"\n' >> "$template"
refused 'k3s, a line without a table behind the block' 'Root = "/r". behind davit.s lines belongs to their last table' containerd
refused 'k3s, the same, --remove' 'Root = "/r". behind davit.s lines' containerd --remove
rm "$template"
configure containerd
sed -i 's|^# Written.*end|{{ if .X }}\n&|' "$template"
refused "k3s, a template's words in the block" 'fix: move what isn.t davit.s out of its lines' containerd

rm -rf "$root"
snap=var/snap/microk8s/current/args/containerd-template.toml
put $snap << END
version = 2
[$cri2]
  sandbox_image = "p"
  [$cri2.containerd]
    default_runtime_name = "\${RUNTIME}"
    [$cri2.containerd.runtimes.runc]
      runtime_type = "\${RUNTIME_TYPE}"
    [$cri2.containerd.runtimes.nvidia]
      runtime_type = "\${RUNTIME_TYPE}"
      [$cri2.containerd.runtimes.nvidia.options]
        BinaryName = "nvidia-container-runtime"
END
original=$(< "$root/$snap")
configure containerd --set-default --cdi
printf '[%s.registry]\n  config_path = "/c"\n' "$cri2" >> "$root/$snap"
again MicroK8s '' containerd --set-default --cdi
cp "$root/$snap" "$work/edited"
configure containerd --remove
matches 'MicroK8s, edited: CDI is kept, which is said' 'kept enable_cdi.*--remove --cdi removes it' "$errors"
equal 'MicroK8s, edited: CDI is kept' 1 "$(grep -c enable_cdi "$root/$snap")"
printf '%s\n' "$original" > "$root/$snap"
configure containerd
cp "$work/edited" "$root/$snap"
configure containerd --remove --cdi
equal 'MicroK8s, edited: --remove gives the values back' "0 $original
[$cri2.registry]
  config_path = \"/c\"" "$rc $(grep -v '^$' "$root/$snap")"

# --- CRI-O -----------------------------------------------------------------------------------------

rm -rf "$root"
put etc/crio/crio.conf << 'END'
[crio.runtime.runtimes.crun]
runtime_path = "/usr/bin/crun"
END
conf=$root/etc/crio/crio.conf.d/50-davit.conf
configure crio
crio_lines='[crio.runtime.runtimes.kata]
runtime_path = "/usr/bin/kata"
[crio.image]
pause_image = "p"'
printf '%s\n' "$crio_lines" >> "$conf"
sed -i '0,/runtime_type/s//monitor_path = "\/opt\/conmon"\n&/' "$conf"
again crio '' crio
configure crio --set-default
equal 'crio: another option, and the lines stay' '0 1 1 1' "$rc $(grep -c 'default_runtime = "nvidia"' "$conf") $(
	grep -c runtimes.kata "$conf") $(grep -c /opt/conmon "$conf")"
configure crio --remove
equal 'crio: --remove leaves them' "0 $crio_lines" "$rc $(lines "$conf")"
matches 'crio: --remove names what goes with the runtime' 'also removed crio.runtime.runtimes.nvidia.monitor_path = "/opt/conmon"' "$errors"
configure crio
equal 'crio: once more, and no second file that CRI-O would read' '0 50-davit.conf' "$rc $(ls "$root/etc/crio/crio.conf.d")"

# --- hooks.d ---------------------------------------------------------------------------------------

rm -rf "$root"
mkdir "$root"
hook=$root/usr/share/containers/oci/hooks.d/davit.json
configure podman
fresh=$(< "$hook")
jq '.when = {"annotations": {"^gpu$": "true"}} | .hook.args += ["--x"] | .hook.timeout = 9' <<< "$fresh" > "$hook"
edited=$(< "$hook")
again 'hooks.d, edited' 'kept hook.args = .*, hook.timeout = 9, when = .*, which davit didn.t write' podman
sed -i 's|"path": ".*/davit-hook"|"path": "/old/davit-hook"|' "$hook"
configure podman
equal "hooks.d, edited, of a davit elsewhere: the path is this one's" "0 $edited" "$rc $(< "$hook")"
configure podman --remove
equal 'hooks.d, edited: --remove' '0 ' "$rc $(files)"
matches 'hooks.d, edited: --remove names it' 'also removed hook.args = .*, hook.timeout = 9, when = ' "$errors"
for earlier in '.hook.args = ["davit-hook", "prestart"] | .stages = ["prestart"]' '.hook.args = ["davit-hook", "-record", "prestart"]'; do
	jq ".hook.path = \"/old/davit-hook\" | $earlier" <<< "$fresh" > "$hook"
	configure podman
	equal "hooks.d, what an earlier davit wrote ($earlier): it is replaced" "0  $fresh" "$rc $errors $(< "$hook")"
done
jq '.hook.path = "/usr/bin/other"' <<< "$fresh" > "$hook"
refused "hooks.d, another program's" 'it registers another hook, /usr/bin/other .fix: choose another file with --drop-in' podman
again "hooks.d, another program's" 'kept this file' podman --remove
printf '{ // mine\n}' > "$hook"
refused 'hooks.d, not JSON' 'line 1, column 3' podman

# --- a name of the user's own ------------------------------------------------------------------------

# custom NAME ENGINE FILE: --runtime-name gpu. A later call without the name is about the same runtime,
# and --remove takes all of it, with what others have set in it.
custom() {
	local before edited
	before=$(files)
	configure "$2" --runtime-name gpu "${@:4}"
	equal "$1: configured" '0 ' "$rc $errors"
	again "$1, without the name" '' "$2"
	sed -i '/runtimes\.gpu\(\.options\)\?\]/a \  Mine = true' "$root/$3"
	edited=$(files)
	configure "$2"
	equal "$1: without the name, the runtime stays" "0 $edited" "$rc $(files)"
	configure "$2" --remove
	equal "$1: --remove without the name" "0 $before" "$rc $(files)"
	matches "$1: --remove names what goes with it" 'also removed .*gpu.*Mine = true' "$errors"
	configure "$2" --runtime-name gpu
	configure "$2" --runtime-name nvidia
	equal "$1: another name" '0 0 1' "$rc $(grep -c 'runtimes.gpu' "$root/$3") $(grep -c 'runtimes.nvidia\]' "$root/$3")"
	configure "$2" --remove
	equal "$1: another name: --remove" "0 $before" "$rc $(files)"
}
for version in 2 3; do
	begin $version
	configure containerd --remove
	custom "containerd, format $version, a name" containerd etc/containerd/conf.d/davit.toml --set-default
done
rm -rf "$root"
put var/lib/rancher/k3s/agent/etc/containerd/config.toml << END
# File generated by k3s. DO NOT EDIT.
version = 2
[$cri2.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
custom 'k3s, a name' containerd var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl
rm -rf "$root"
put $snap << END
version = 2
[$cri2]
  [$cri2.containerd]
    default_runtime_name = "runc"
    [$cri2.containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
END
custom 'MicroK8s, a name' containerd $snap --set-default
# A runtime of that name that was there: its program comes back, too.
printf '    [%s.containerd.runtimes.gpu]\n      runtime_type = "io.containerd.runc.v2"\n      [%s.containerd.runtimes.gpu.options]\n        BinaryName = "/usr/bin/other"\n' \
	"$cri2" "$cri2" >> "$root/$snap"
first=$(files)
configure containerd --runtime-name gpu --set-default
equal "MicroK8s, another program's name: davit's program" 3 "$(grep -c "BinaryName = \"$program\"" "$root/$snap")"
configure containerd --remove
equal "MicroK8s, another program's name: --remove without the name" "0 $first" "$rc $(files)"
rm -rf "$root"
put etc/crio/crio.conf <<< ''
custom 'CRI-O, a name' crio etc/crio/crio.conf.d/50-davit.conf

# --- daemon.json -------------------------------------------------------------------------------------

rm -rf "$root"
put etc/docker/daemon.json <<< '{"debug": true}'
json=$root/etc/docker/daemon.json
edit() {
	jq "$1" "$json" > "$work/edited"
	cp "$work/edited" "$json"
}
configure docker --cdi
edit '.runtimes.nvidia.runtimeArgs = ["--x"] | .["log-driver"] = "none"'
again 'docker, arguments of the runtime' '' docker --cdi
configure docker --remove
equal 'docker, arguments of the runtime: --remove' '0 {"debug":true,"features":{"cdi":true},"log-driver":"none"}' "$rc $(jq -c . "$json")"
matches 'docker, arguments of the runtime: they are named' 'also removed runtimes.nvidia.runtimeArgs = ' "$errors"
matches 'docker, CDI: it is kept, which is said' 'kept features.cdi.*--remove --cdi removes it' "$errors"
printf '{"debug": true, "log-driver": "none"}' > "$json"
configure docker --cdi
edit '.debug = false'
configure docker --remove --cdi
equal 'docker, CDI: it is removed with --cdi' '0 {"debug":false,"log-driver":"none"}' "$rc $(jq -c . "$json")"
printf '{"default-runtime": "nvidia", "runtimes": {"nvidia": {"path": "/usr/bin/nvidia-container-runtime", "args": []}}}\n' > "$json"
again "docker, another program's runtime" "kept the runtime nvidia: its program /usr/bin/nvidia-container-runtime isn't davit's" docker --remove
report_exit
