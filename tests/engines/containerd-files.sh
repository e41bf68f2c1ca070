#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit configure containerd` with files that people have: what the real containerd makes of them
# before and after, by its own `config dump`. 1.6 is this machine's, 1.7 is trixie's; SUITES='trixie
# sid' takes sid's, too.
# shellcheck disable=SC2317 # cases are called by their names
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
needs python3
make_work
compare=$repository/tests/engines/containerd-files/compare.py
program=/opt/davit/davit-runtime

if ! command -v containerd > /dev/null; then
	skip 'containerd: its files' "containerd isn't installed"
	report_exit
fi
mkdir "$work/bin"
cp "$(command -v containerd)" "$work/bin/containerd"
containerds=("$work/bin/containerd")
for suite in ${SUITES-trixie}; do
	if suite_unpack "$suite" containerd "$work/$suite"; then
		containerds+=("$work/$suite/usr/bin/containerd")
	else
		skip "containerd of $suite: its files" "$suite_problem"
	fi
done

# --- files that people have ----------------------------------------------------------------------

etc=$work/etc/containerd
put() { # NAME: from standard input
	mkdir -p "$(dirname "$etc/$1")"
	sed "s|@etc|$etc|g" > "$etc/$1"
}
cri='plugins."io.containerd.grpc.v1.cri"'
cri3="plugins.'io.containerd.cri.v1.runtime'"
images3="plugins.'io.containerd.cri.v1.images'"

# case_NAME writes files. since and until: of those versions alone; wants: what the CRI plugin's
# section has afterwards, wants_1: the same for 1.x, where that has more; words: options for davit.
case_no_file() { :; }
case_empty_file() { put config.toml < /dev/null; }
case_debian_package() { put config.toml << END
version = 2

[plugins]
  [$cri]
    [$cri.cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
END
	wants='containerd.default_runtime_name="runc"'
	wants_1='cni.bin_dir="/usr/lib/cni"'
}
case_docker_package() { put config.toml << END
#   Copyright 2018-2022 Docker Inc.

#   Licensed under the Apache License, Version 2.0 (the "License");

disabled_plugins = ["cri"]

#root = "/var/lib/containerd"
#state = "/run/containerd"

#[grpc]
#  address = "/run/containerd/containerd.sock"
END
	disabled=yes
}
case_default_config() {
	mkdir -p "$etc"
	"$containerd" config default | sed 's/SystemdCgroup = false/SystemdCgroup = true/' > "$etc/config.toml"
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
kubeadm() {
	put config.toml << END
version = 2
[$cri]
  sandbox_image = "registry.k8s.io/pause:3.9"
  [$cri.registry]
    config_path = "/etc/containerd/certs.d"
  [$cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    $1
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true containerd.runtimes.runc.options.SystemdCgroup=true'
}
case_options_table() { kubeadm "[$cri.containerd.runtimes.runc.options]
      SystemdCgroup = true"; }
case_options_inline() { kubeadm 'options = { SystemdCgroup = true }'; }
case_options_dotted() { kubeadm 'options.SystemdCgroup = true'; }
case_options_quoted_keys() { kubeadm "\"options\" . 'SystemdCgroup' = true # yes"; }
case_options_in_conf_d() {
	put config.toml << END
version = 2
imports = ["@etc/conf.d/*.toml"]
END
	put conf.d/10-cri.toml << END
version = 2
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [$cri.containerd.runtimes.runc.options]
    SystemdCgroup = true
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_dotted_default() { put config.toml << END
version = 2
[$cri]
  containerd.default_runtime_name = "runc"
  containerd.snapshotter = "native"
  cni.bin_dir = "/opt/other/bin"
  containerd.runtimes.runc.runtime_type = "io.containerd.runc.v2"
  containerd.runtimes.runc.options.SystemdCgroup = true
END
	words=--set-default
	wants='containerd.default_runtime_name="nvidia" containerd.runtimes.nvidia.options.SystemdCgroup=true'
	wants_1='containerd.snapshotter="native" cni.bin_dir="/opt/other/bin"'
}
case_inline_nvidia() { put config.toml << END
version = 2
[$cri.containerd.runtimes]
  nvidia = { runtime_type = "io.containerd.runc.v2", privileged_without_host_devices = true, options = { BinaryName = "/usr/bin/nvidia-container-runtime" } }
  runc = { runtime_type = "io.containerd.runc.v2", options = { SystemdCgroup = true } }
END
	wants='containerd.runtimes.nvidia.privileged_without_host_devices=true containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_plugins_inline() { put config.toml << END
version = 2
plugins = { "io.containerd.grpc.v1.cri" = { sandbox_image = "registry.example/pause:1", containerd = { runtimes = { runc = { runtime_type = "io.containerd.runc.v2", options = { SystemdCgroup = true } } } } } }
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_k0s_import() {
	put config.toml << END
version = 2
imports = ["@etc/k0s/containerd-cri.toml"]
END
	put k0s/containerd-cri.toml << END
Version = 2
version = 2

[plugins]

  [plugins.'io.containerd.grpc.v1.cri']
    sandbox_image = 'registry.k8s.io/pause:3.10'
    [plugins.'io.containerd.grpc.v1.cri'.cni]
      bin_dir = '/var/lib/k0s/cni/bin'
    [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc]
      runtime_type = 'io.containerd.runc.v2'
      [plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.runc.options]
        SystemdCgroup = true
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
	wants_1='cni.bin_dir="/var/lib/k0s/cni/bin"'
}
case_mirror_elsewhere() {
	put config.toml << END
version = 2
imports = ["@etc/conf.d/*.toml"]
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [$cri.containerd.runtimes.runc.options]
    SystemdCgroup = true
END
	# Before 2.1 this replaces all that config.toml says of the plugin.
	put conf.d/mirror.toml << END
version = 2
[$cri.registry.mirrors."docker.io"]
  endpoint = ["https://mirror.example"]
END
}
case_eks() {
	put base-runtime-spec.json <<< '{"ociVersion": "1.0.2"}'
	put config.toml << END
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "/run/containerd/containerd.sock"
[$cri]
sandbox_image = "localhost/kubernetes/pause"
[$cri.registry]
config_path = "/etc/containerd/certs.d:/etc/docker/certs.d"
[$cri.containerd]
default_runtime_name = "nvidia"
discard_unpacked_layers = true
[$cri.containerd.runtimes.nvidia]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "@etc/base-runtime-spec.json"
[$cri.containerd.runtimes.nvidia.options]
BinaryName = "/usr/bin/nvidia-container-runtime"
SystemdCgroup = true
[$cri.cni]
bin_dir = "/opt/cni/bin"
conf_dir = "/etc/cni/net.d"
END
	wants="containerd.default_runtime_name=\"nvidia\" containerd.runtimes.nvidia.base_runtime_spec=\"$etc/base-runtime-spec.json\" containerd.runtimes.nvidia.options.SystemdCgroup=true containerd.runtimes.nvidia-cdi.options.SystemdCgroup=true"
}
# nvidia-ctk's own way: a whole file, in tabs, and its three runtimes.
case_nvidia_ctk() { put config.toml << END
version = 2

[plugins]

  [$cri]
    enable_cdi = true
    cdi_spec_dirs = ["/etc/cdi", "/var/run/cdi"]

    [$cri.containerd]
      default_runtime_name = "nvidia"

      [$cri.containerd.runtimes]

        [$cri.containerd.runtimes.nvidia]
          privileged_without_host_devices = false
          runtime_engine = ""
          runtime_root = ""
          runtime_type = "io.containerd.runc.v2"

          [$cri.containerd.runtimes.nvidia.options]
            BinaryName = "/usr/bin/nvidia-container-runtime"
            SystemdCgroup = true

        [$cri.containerd.runtimes.runc]
          runtime_type = "io.containerd.runc.v2"

          [$cri.containerd.runtimes.runc.options]
            SystemdCgroup = true
END
	wants='containerd.default_runtime_name="nvidia" containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_later_drop_in() {
	put config.toml << END
version = 2
imports = ["@etc/conf.d/*.toml"]
END
	put conf.d/zz-site.toml << END
version = 2
[$cri]
  sandbox_image = "registry.example/pause:3"
  [$cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [$cri.containerd.runtimes.runc.options]
      SystemdCgroup = true
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_unused_conf_d() {
	put config.toml << END
version = 2
[$cri.cni]
  bin_dir = "/usr/lib/cni"
END
	# Nobody imports it: it must not come into force.
	put conf.d/old.toml << END
version = 2
[$cri]
  sandbox_image = "gone.example/pause:1"
END
}
case_imports_of_imports() {
	put config.toml << END
version = 2
imports = ["a.toml", "@etc/sub/../sub/*.toml"]
END
	put a.toml << END
version = 2
imports = ["./later.toml", "a.toml"]
[$cri.cni]
  bin_dir = "/a"
END
	put sub/b.toml << END
version = 2
[$cri.cni]
  bin_dir = "/b"
END
	put later.toml << END
version = 2
[debug]
  level = "info"
END
	wants_1='cni.bin_dir="/b"'
}
# Each file is read once: a cycle does no harm.
case_import_cycle() {
	put config.toml << END
version = 2
imports = ["extra/a.toml"]
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
	put extra/a.toml << END
version = 2
imports = ["../config.toml", "b.toml"]
[debug]
  level = "info"
END
	put extra/b.toml << END
version = 2
imports = ["a.toml", "b.toml", "@etc/config.toml"]
[metrics]
  address = "127.0.0.1:1338"
END
}
# Before 1.6.29, a relative pattern starts at the daemon's working directory: it finds nothing there.
case_relative_pattern() {
	put config.toml << END
version = 2
imports = ["conf.d/*.toml"]
END
	put conf.d/10-cri.toml << END
version = 2
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
}
case_version_1() { put config.toml << END
[plugins.cri]
  sandbox_image = "registry.example/pause:1"
  [plugins.cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.cri.containerd.runtimes.runc.options]
      SystemdCgroup = true
END
	until=1
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_crun_default() { put config.toml << END
version = 2
[$cri.containerd]
  default_runtime_name = "crun"
  [$cri.containerd.runtimes.crun]
    runtime_type = "io.containerd.runc.v2"
    pod_annotations = ["run.oci.*"]
    container_annotations = ["run.oci.*"]
    [$cri.containerd.runtimes.crun.options]
      BinaryName = "/usr/bin/crun"
      SystemdCgroup = true
END
	wants='containerd.default_runtime_name="crun" containerd.runtimes.nvidia.options.SystemdCgroup=true containerd.runtimes.nvidia.container_annotations=["run.oci.*","cdi.k8s.io/*"] containerd.runtimes.nvidia.pod_annotations=["run.oci.*"]'
}
case_kata_default() { put config.toml << END
version = 2
[$cri.containerd]
  default_runtime_name = "kata"
  [$cri.containerd.runtimes.kata]
    runtime_type = "io.containerd.kata.v2"
    privileged_without_host_devices = true
    [$cri.containerd.runtimes.kata.options]
      ConfigPath = "/opt/kata/configuration.toml"
  [$cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [$cri.containerd.runtimes.runc.options]
      SystemdCgroup = true
END
	wants='containerd.default_runtime_name="kata" containerd.runtimes.nvidia.options={"BinaryName":"/opt/davit/davit-runtime","SystemdCgroup":true}'
}
case_registry_auth() { put config.toml << END
version = 2
[$cri.registry.configs."registry.example:5000".auth]
  username = "me"
  password = 'p"\\ä#]='
[$cri.registry.configs."registry.example:5000".tls]
  insecure_skip_verify = true
[$cri.registry.mirrors]
  [$cri.registry.mirrors."*"]
    endpoint = [ # in their order
      "https://a.example", # first
      'https://b.example',
    ]
END
}
case_strings_of_all_kinds() { put config.toml << END
version = 0x2 # hexadecimal
oom_score = -9_99
[$cri]
  sandbox_image = """registry.example/\\
     pause:1"""
  stream_server_port = '0'
  max_container_log_line_size = 16_384
  [$cri.cni]
    conf_template = '''
{"a": "b"}
''' # a literal of several lines
END
}
case_crlf() {
	put config.toml << END
version = 2
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [$cri.containerd.runtimes.runc.options]
    SystemdCgroup = true
END
	sed -i 's/$/\r/' "$etc/config.toml"
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_cdi() { put config.toml << END
version = 2
[$cri]
  enable_selinux = false
  cdi_spec_dirs = ["/etc/cdi"]
END
	words=--cdi
	wants='cdi_spec_dirs=["/etc/cdi"] enable_cdi=true'
	since=1.7
}
case_empty_spec_dirs() { put config.toml << END
version = 2
[$cri]
  cdi_spec_dirs = []
END
	words=--cdi
	wants='cdi_spec_dirs=["/etc/cdi","/var/run/cdi"] enable_cdi=true'
	since=1.7
}
# Deprecated, but before 2.0 the table is the default runtime, whatever default_runtime_name says.
case_deprecated_tables() { put config.toml << END
version = 2
[$cri.containerd]
  default_runtime_name = "runc"
[$cri.containerd.default_runtime]
  runtime_type = "io.containerd.runc.v2"
  base_runtime_spec = "/etc/containerd/base.json"
  [$cri.containerd.default_runtime.options]
    SystemdCgroup = true
[$cri.containerd.untrusted_workload_runtime]
  runtime_type = "io.containerd.runsc.v1"
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true containerd.runtimes.nvidia-cdi.base_runtime_spec="/etc/containerd/base.json"'
	until=1.7
}
case_stargz() { put config.toml << END
version = 2
[proxy_plugins]
  [proxy_plugins.stargz]
    type = "snapshot"
    address = "/run/containerd-stargz-grpc/containerd-stargz-grpc.sock"
[$cri.containerd]
  snapshotter = "stargz"
  disable_snapshot_annotations = false
  [$cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
[$cri.image_decryption]
  key_model = ""
[stream_processors."io.containerd.ocicrypt.decoder.v1.tar"]
  accepts = ["application/vnd.oci.image.layer.v1.tar+encrypted"]
  returns = "application/vnd.oci.image.layer.v1.tar"
  path = "/usr/local/bin/ctd-decoder"
  args = ["--decryption-keys-path", "/etc/containerd/ocicrypt/keys"]
END
	wants_1='containerd.snapshotter="stargz"'
}
# containerd 2.1 overlooks a snapshotter of format 2 as long as no runtime is named: to name one would
# put it into force.
case_snapshotter_alone() {
	put config.toml << END
version = 2
[$cri.containerd]
  snapshotter = "native"
END
	wants_1='containerd.snapshotter="native"'
	refused_2='would then lose .*snapshotter = .overlayfs.*config migrate'
}
# Every header replaced by one dotted key, some quoted; tabs, and blanks at the ends of lines.
case_one_long_key() { put config.toml << END
version\t=\t2\t
'plugins' . "io.containerd.grpc.v1.cri" . containerd.runtimes."runc".runtime_type\t= "io.containerd.runc.v2"
plugins."io.containerd.grpc.v1.cri".containerd.'runtimes'.runc.options."SystemdCgroup"=true\t# the kubelet's
plugins."io.containerd.grpc.v1.cri".cni.conf_dir = '/etc/cni/other.d'
plugins."io.containerd.grpc.v1.cri".containerd.runtimes.gvisor = {runtime_type = 'io.containerd.runsc.v1', options = {TypeUrl = "io.containerd.runsc.v1.options"}}
END
	sed -i 's/\\t/\t/g' "$etc/config.toml"
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
	wants_1='cni.conf_dir="/etc/cni/other.d"'
}
case_imports_with_comments() {
	put config.toml << END
# imports = ["/nowhere/*.toml"]
version = 2
imports = [
	"@etc/a?/*.toml", # two folders: a1, a2

	# '@etc/off/*.toml',
	'@etc/none/*.toml'
	, "@etc/last.toml"]
END
	put a1/x.toml << END
version = 2
[debug]
  level = "debug"
[$cri.cni]
  bin_dir = "/x/bin"
END
	put a2/y.toml << END
version = 2
[metrics]
  address = "127.0.0.1:1338"
END
	put off/off.toml <<< 'oom_score = 7'
	put last.toml << END
version = 2
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  options = {SystemdCgroup = true}
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_nvidia_beside_inline() { put config.toml << END
version = 2
[$cri.containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
  options = { BinaryName = "/usr/local/nvidia/toolkit/nvidia-container-runtime", SystemdCgroup = true, Root = "/run/nvidia/runc" }
  pod_annotations = ["example.com/*"]
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true containerd.runtimes.nvidia.options.Root="/run/nvidia/runc" containerd.runtimes.nvidia.pod_annotations=["example.com/*"]'
}
# Arrays of tables in a section beside, and blank lines between a table and its members.
case_arrays_of_tables() { put config.toml << END
version = 2
[timeouts]
  "io.containerd.timeout.shim.load" = "7s"
[plugins."io.containerd.internal.v1.restart"]
  interval = "11s"
[plugins."io.containerd.service.v1.diff-service"]
  default = ["walking"]

[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/amd64"
  snapshotter = "native"
[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/arm64"
  snapshotter = "native"

[$cri.containerd.runtimes.runc]

  runtime_type = "io.containerd.runc.v2"

  [$cri.containerd.runtimes.runc.options]

    SystemdCgroup = true
END
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_version_alone() { put config.toml <<< 'version = 2'; }
case_version_3_alone() {
	put config.toml <<< 'version = 3'
	since=2
}
# Of format 3, for containerd 2.
case_version_3() {
	put config.toml << END
version = 3
imports = ["@etc/conf.d/*.toml"]
[$images3]
  snapshotter = "native"
  [$images3.pinned_images]
    sandbox = "registry.example/pause:3"
END
	put conf.d/10-cri.toml << END
version = 3
[$cri3.cni]
  bin_dirs = ["/x/bin"]
[$cri3.containerd.runtimes.runc]
  runtime_type = 'io.containerd.runc.v2'
  [$cri3.containerd.runtimes.runc.options]
    SystemdCgroup = true
END
	since=2
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
case_two_formats() {
	put config.toml << END
version = 3
imports = ["@etc/old.toml"]
END
	put old.toml << END
version = 2
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [$cri.containerd.runtimes.runc.options]
    SystemdCgroup = true
END
	since=2
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true'
}
# Files of format 1, or without one, which 2.x migrates by itself.
old_file() { # VERSION MAIN-VERSION PLUGIN
	put config.toml << END
$2
imports = ["@etc/conf.d/*.toml"]
END
	put conf.d/10.toml << END
$1
[$3.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [$3.containerd.runtimes.runc.options]
    SystemdCgroup = true
END
	since=2
	wants='containerd.runtimes.nvidia.options.SystemdCgroup=true containerd.runtimes.nvidia-cdi.options.SystemdCgroup=true'
}
case_2_import_without_version() { old_file '' 'version = 2' "$cri"; }
case_2_import_of_version_1() { old_file 'version = 1' 'version = 2' plugins.cri; }
case_2_3_no_version() {
	old_file '' '' plugins.cri
	since=2.3
}
case_2_3_version_1() {
	old_file 'version = 1' 'version = 1' plugins.cri
	since=2.3
}
# Files that containerd reads later decide otherwise: davit's file has to come behind them.
later_file() { # NAME
	put config.toml << END
version = 2
imports = ["@etc/conf.d/*.toml"]
END
	put "conf.d/$1"
}
case_later_default() {
	later_file runc.toml << END
version = 2
[$cri.containerd]
  default_runtime_name = "runc"
  [$cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
END
	words=--set-default
	wants='containerd.default_runtime_name="nvidia"'
}
case_later_runtime() {
	later_file nvidia.toml << END
version = 2
[$cri.containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
  [$cri.containerd.runtimes.nvidia.options]
    BinaryName = "/usr/bin/nvidia-container-runtime"
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
}
case_later_cdi() {
	later_file site.toml << END
version = 2
[$cri]
  enable_cdi = false
  [$cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
END
	words=--cdi
	wants='enable_cdi=true'
	since=1.7
}
# What the default runtime has and NVIDIA's lacks is copied, but for what NVIDIA's says itself.
case_nvidia_lacks_settings() {
	put config.toml << END
version = 2
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  privileged_without_host_devices = true
  pod_annotations = ["a/*"]
[$cri.containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
  [$cri.containerd.runtimes.nvidia.options]
    BinaryName = "/usr/bin/nvidia-container-runtime"
[$cri.containerd.runtimes.nvidia-cdi]
  runtime_type = "io.containerd.runc.v2"
  privileged_without_host_devices = false
END
	wants='containerd.runtimes.nvidia.privileged_without_host_devices=true containerd.runtimes.nvidia.pod_annotations=["a/*"] containerd.runtimes.nvidia-cdi.privileged_without_host_devices=false containerd.runtimes.nvidia-cdi.pod_annotations=["a/*"]'
}

# What Google's, Amazon's and Microsoft's nodes have.
case_gke() { put config.toml << END
version = 2
required_plugins = ["io.containerd.grpc.v1.cri"]
disabled_plugins = ["io.containerd.internal.v1.restart"]
oom_score = -999
[$cri]
  stream_server_address = "127.0.0.1"
  max_container_log_line_size = 262144
  sandbox_image = "gke.example/pause:3.8@sha256:880e"
[$cri.cni]
  bin_dir = "/home/kubernetes/bin"
[metrics]
  address = "127.0.0.1:1338"
[$cri.containerd]
  default_runtime_name = "runc"
  snapshotter = "gcfs"
  disable_snapshot_annotations = false
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[$cri.containerd.runtimes.runc.options]
  SystemdCgroup = true
[$cri.containerd.runtimes.gvisor]
  runtime_type = "io.containerd.runsc.v1"
  pod_annotations = [ "dev.gvisor.*" ]
[$cri.containerd.runtimes.gvisor.options]
  TypeUrl = "io.containerd.runsc.v1.options"
  ConfigPath = "/run/containerd/runsc/config.toml"
[proxy_plugins]
  [proxy_plugins.gcfs]
    type = "snapshot"
    address = "/run/containerd-gcfs-grpc/containerd-gcfs-grpc.sock"
END
	wants='containerd.runtimes.nvidia.options={"BinaryName":"/opt/davit/davit-runtime","SystemdCgroup":true}'
	wants_1='containerd.snapshotter="gcfs" cni.bin_dir="/home/kubernetes/bin"'
}
case_bottlerocket() {
	put cri-base.json <<< '{"ociVersion": "1.0.2"}'
	put config.toml << END
version = 2
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.zfs"]
[$cri]
enable_selinux = true
max_container_log_line_size = 16_384
enable_unprivileged_ports = true
[$cri.containerd]
default_runtime_name = "shimpei"
[$cri.containerd.runtimes.shimpei]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "@etc/cri-base.json"
[$cri.containerd.runtimes.shimpei.options]
SystemdCgroup = true
BinaryName = "shimpei"
END
	wants="containerd.default_runtime_name=\"shimpei\" containerd.runtimes.nvidia.base_runtime_spec=\"$etc/cri-base.json\" containerd.runtimes.shimpei.options.BinaryName=\"shimpei\""
}
case_aks() {
	put config.toml << END
version = 2
[$cri]
  [$cri.containerd]
    default_runtime_name = "nvidia-container-runtime"
    [$cri.containerd.runtimes.nvidia-container-runtime]
      runtime_type = "io.containerd.runc.v2"
    [$cri.containerd.runtimes.nvidia-container-runtime.options]
      BinaryName = "/usr/bin/nvidia-container-runtime"
      SystemdCgroup = true
    [$cri.containerd.runtimes.untrusted]
      runtime_type = "io.containerd.runc.v2"
  [$cri.registry.headers]
    X-Meta-Source-Client = ["azure/aks"]
END
	words='--set-default'
	wants='containerd.default_runtime_name="nvidia" containerd.runtimes.nvidia.options.SystemdCgroup=true containerd.runtimes.nvidia-container-runtime.options.BinaryName="/usr/bin/nvidia-container-runtime"'
}
# The file of the GPU Operator's toolkit beside davit's.
case_toolkit_drop_in() {
	local name
	put config.toml << END
version = 2
imports = ["@etc/conf.d/*.toml"]
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
	{
		printf 'version = 2\n[%s]\n  enable_cdi = true\n  [%s.containerd]\n    default_runtime_name = "nvidia"\n' "$cri" "$cri"
		printf '    [%s.containerd.runtimes.runc]\n      runtime_type = "io.containerd.runc.v2"\n' "$cri"
		for name in '' -cdi -legacy; do
			printf '    [%s.containerd.runtimes.nvidia%s]\n      runtime_type = "io.containerd.runc.v2"\n' "$cri" "$name"
			printf '      [%s.containerd.runtimes.nvidia%s.options]\n        SystemdCgroup = true\n' "$cri" "$name"
			printf '        BinaryName = "/usr/local/nvidia/toolkit/nvidia-container-runtime%s"\n' "${name/-/.}"
		done
	} | put conf.d/99-nvidia.toml
	wants='containerd.default_runtime_name="nvidia" containerd.runtimes.nvidia-legacy.options.SystemdCgroup=true'
	since=1.7
}
case_nydus() {
	put config.toml << END
version = 2
[proxy_plugins.nydus]
  type = "snapshot"
  address = "/run/containerd-nydus/containerd-nydus-grpc.sock"
  [proxy_plugins.nydus.exports]
    root = "/var/lib/nydus"
[$cri.containerd]
  snapshotter = "nydus"
  disable_snapshot_annotations = false
  [$cri.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    snapshotter = "overlayfs"
  [$cri.containerd.runtimes.kata]
    runtime_type = "io.containerd.kata.v2"
    snapshotter = "nydus"
END
	wants='containerd.runtimes.kata.snapshotter="nydus"'
	since=1.7
}

# --- each of them, with each containerd ------------------------------------------------------------

# A path of a section: plugins of several versions have theirs.
dump() {
	if [ -e "$etc/config.toml" ]; then
		"$containerd" --config "$etc/config.toml" config dump 2> "$work/dump-errors"
	else
		: > "$work/empty.toml"
		"$containerd" --config "$work/empty.toml" config dump 2> "$work/dump-errors"
	fi
}
below() { # VERSION VERSION: whether the first one is lower
	[ "$1" != "$2" ] && [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}
configure() { # OPTION...
	rc=0
	output=$("$davit" configure containerd --file "$etc/config.toml" --runtime-path "$program" \
		"$@" 2>&1) || rc=$?
}
files() {
	mkdir -p "$etc"
	(cd "$work" && find etc -type f -not -name '*.before-davit' -exec sha256sum {} + | sort -k 2)
}
run_case() { # NAME
	local name="containerd $version, ${1//_/ }" first later wants='' wants_1='' refused_2='' words='' since=0 until=99 disabled='' expected=0
	rm -rf "${work:?}/etc"
	"case_$1"
	! below "$version" "$since" || return 0
	! below "$until.999" "$version" || return 0
	[[ $version != 1.* ]] || wants+=" $wants_1"
	first=$(files)
	dump > "$work/before.toml"
	if [ "$containerd" = "${containerds[0]}" ]; then
		# shellcheck disable=SC2086 # words
		configure $words --dry-run
		[[ $version != 2.* || -z $refused_2 ]] || expected=1
		equal "$name: --dry-run changes nothing" "$expected $first" "$rc $(files)"
	fi
	# shellcheck disable=SC2086
	configure $words
	if [[ $version = 2.* ]] && [ -n "$refused_2" ]; then
		matches "$name: refused" "^davit: cannot .*$refused_2" "$output"
		equal "$name: refused, and nothing is changed" "1 $first" "$rc $(files)"
		return 0
	fi
	if [ $rc != 0 ]; then
		fail "$name: it is configured" "$output"
		return 0
	fi
	if ! dump > "$work/after.toml"; then
		fail "$name: containerd reads it" "$(tail -n 1 "$work/dump-errors")" "$(cat "$etc/conf.d/davit.toml")"
		return 0
	fi
	if [ -n "$disabled" ]; then
		matches "$name: it says what that means" 'disabled_plugins names the CRI plugin' "$output"
		equal "$name: nothing is lost" '' "$(diff <(grep -v imports "$work/before.toml") \
			<(grep -v imports "$work/after.toml") | grep '^<' || true)"
	else
		# shellcheck disable=SC2086 # words
		equal "$name: nothing is lost, and the runtimes are there" '' \
			"$(python3 "$compare" "$work/before.toml" "$work/after.toml" "$program" $wants)"
	fi
	later=$(files)
	# shellcheck disable=SC2086
	configure $words
	equal "$name: twice is once" "0 $later" "$rc $(files)"
	configure --remove
	equal "$name: taken back" "0 $first" "$rc $(files)"
}

# --- and the daemon itself, with some of them --------------------------------------------------------

# started NAME: whether the CRI plugin of a daemon with these files is in order.
started() {
	local i state='' address=$work/run/socket
	rm -rf "$work/run"
	mkdir -p "$work/run"
	"$containerd" --config "$etc/config.toml" --root "$work/run/root" --state "$work/run/state" \
		--address "$address" < /dev/null > "$work/run/log" 2>&1 &
	daemon=$!
	for ((i = 0; i < 100; i++)); do
		kill -0 $daemon 2> /dev/null || break
		if [ -S "$address" ] && state=$(timeout 10 "$ctr" --address "$address" plugins ls 2> /dev/null); then
			break
		fi
		sleep 0.1
	done
	kill $daemon 2> /dev/null || true
	wait $daemon 2> /dev/null || true
	grep -oE 'io\.containerd\.(grpc\.v1 +cri|cri\.v1 +runtime) .*' <<< "$state" | grep -oE '(ok|error|skip) *$' | sort -u | xargs
}
# What such a daemon makes is in this namespace alone.
for folder in /opt /run; do
	mount -t tmpfs tmpfs $folder
done
at_end 'umount -l /opt; umount -l /run'
install -D "$DAVIT_BUILD/davit-runtime" "$program"

start_cases() {
	local case
	ctr=$(dirname "$containerd")/ctr
	[ -x "$ctr" ] || ctr=$(command -v ctr)
	for case in no_file debian_package eks later_drop_in docker_package; do
		local wants='' wants_1='' refused_2='' words='' since=0 until=99 disabled=''
		rm -rf "${work:?}/etc"
		"case_$case"
		configure
		if [ $case = docker_package ]; then
			# What its users do, who want Kubernetes: nothing more is needed then.
			sed -i '/disabled_plugins/d' "$etc/config.toml"
		fi
		equal "containerd $version, ${case//_/ }: the daemon's CRI plugin" ok "$(started)"
	done
	# The opposite, which doctor names. A drop-in that isn't read would be named, too.
	rm -rf "$etc/conf.d"
	printf 'version = 2\n[%s.containerd.runtimes.other]\n  runtime_type = "io.containerd.runc.v2"\n' "$cri" > "$etc/config.toml"
	if [[ $version = 1.* ]]; then
		equal "containerd $version, a runtime without the default one: the CRI plugin" error "$(started)"
		matches "containerd $version, a runtime without the default one: doctor says so" \
			'FAIL +containerd.config .*not the default runtime runc' "$(doctor)"
	else
		equal "containerd $version, a runtime without the default one: the CRI plugin" ok "$(started)"
		matches "containerd $version, a runtime without the default one: doctor" 'ok +containerd.config' "$(doctor)"
	fi
}
# doctor looks at /etc/containerd.
doctor() {
	mount --bind "$etc" /etc/containerd
	"$davit" doctor --all --engine containerd 2>&1 | grep '^[a-zA-Z?-]* *containerd\.' || true
	umount /etc/containerd
}
# What doctor says of a state, and of its opposite, and what the daemon then does.
states() {
	local words
	rm -rf "${work:?}/etc"
	case_debian_package
	matches "containerd $version: not configured, doctor" 'warn +containerd.runtime .*no runtime nvidia' "$(doctor)"
	"$davit" configure containerd --file "$etc/config.toml" --runtime-path "$DAVIT_BUILD/davit-runtime" > /dev/null
	sed -i "s|$etc|/etc/containerd|" "$etc/config.toml"
	matches "containerd $version: configured, doctor" "ok +containerd.runtime .*$DAVIT_BUILD/davit-runtime" "$(doctor)"
	mv "$etc/conf.d/davit.toml" "$etc/conf.d/gone"
	matches "containerd $version: the import is gone, doctor" "FAIL +containerd.config .*an import names this file, but it doesn't exist" "$(doctor)"
	sed -i "s|/etc/containerd|$etc|" "$etc/config.toml"
	equal "containerd $version: the import is gone, the daemon doesn't start" '' "$(started)"
	mv "$etc/conf.d/gone" "$etc/conf.d/davit.toml"
	printf 'version = 2\n[%s.cni]\n  bin_dir = "/x"\n' "$cri" > "$etc/conf.d/zz.toml"
	sed -i 's|^imports.*|imports = ["/etc/containerd/conf.d/*.toml"]|' "$etc/config.toml"
	if [[ $version = 1.* ]]; then
		matches "containerd $version: a later file takes it away, doctor" 'warn +containerd.runtime .*no runtime nvidia' "$(doctor)"
	else
		matches "containerd $version: a later file is merged, doctor" 'ok +containerd.runtime ' "$(doctor)"
	fi
	# Where a relative pattern starts depends on the version.
	rm "$etc/conf.d/zz.toml"
	printf 'version = 2\nimports = ["conf.d/*.toml"]\n' > "$etc/config.toml"
	mount --bind "$etc" /etc/containerd
	if (cd / && "$containerd" --config /etc/containerd/config.toml config dump 2> /dev/null) | grep -q davit-runtime; then
		words='ok +containerd.runtime '
	else
		words='warn +containerd.runtime .*no runtime nvidia'
	fi
	umount /etc/containerd
	matches "containerd $version: a relative pattern, doctor" "$words" "$(doctor)"
	printf 'version = 2\n[plugins\n' > "$etc/config.toml"
	matches "containerd $version: not TOML, doctor" 'FAIL +containerd.config .*line 2, column 9' "$(doctor)"
	equal "containerd $version: not TOML, the daemon doesn't start" '' "$(started)"
	printf 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n' > "$etc/config.toml"
	matches "containerd $version: CRI is switched off, doctor" ' containerd.runtime .*is disabled' "$(doctor)"
}

# --- a drop-in that somebody has edited ---------------------------------------------------------------

# has FILE WORD...: how often each of them stands in a dump.
has() {
	local word
	for word in "${@:2}"; do
		grep -c "$word" "$1" || true
	done | xargs
}
edited() {
	local name="containerd $version, an edited drop-in" drop_in=$etc/conf.d/davit.toml later wants='' wants_1=''
	local others=$'\n'"[$cri.registry]
  config_path = \"/etc/certs.d\"
[$cri.containerd.runtimes.kata]
  runtime_type = \"io.containerd.kata.v2\""
	rm -rf "${work:?}/etc"
	case_debian_package
	configure
	sed -i '/runtimes.nvidia.options\]/a \  SystemdCgroup = true # ours' "$drop_in"
	printf '%s\n' "$others" >> "$drop_in"
	later=$(files)
	dump > "$work/before.toml"
	configure
	equal "$name: configured again, nothing changes" "0 $later nothing to change" "$rc $(files) $(tail -n 1 <<< "$output")"
	sed -i 's|bin_dir = .*|bin_dir = "/opt/other/bin"|' "$etc/config.toml"
	configure --set-default
	dump > "$work/after.toml"
	sed -i 's|/usr/lib/cni|/opt/other/bin|; s|default_runtime_name = "runc"|default_runtime_name = "nvidia"|' "$work/before.toml"
	sed -i "s|default_runtime_name = 'runc'|default_runtime_name = 'nvidia'|" "$work/before.toml"
	equal "$name: what others wrote is in force beside davit's new lines" '' "$(python3 "$compare" "$work/before.toml" \
		"$work/after.toml" "$program" containerd.runtimes.nvidia.options.SystemdCgroup=true \
		'containerd.default_runtime_name="nvidia"' 'containerd.runtimes.kata.runtime_type="io.containerd.kata.v2"')"
	later=$(files)
	configure --remove
	if [[ $version = 1.* ]]; then
		equal "$name: --remove is refused, and nothing is changed" "1 $later" "$rc $(files)"
		matches "$name: --remove, what would be lost" 'davit didn.t write .*kata.*fix: move it to .*config.toml .which then needs the default runtime.s table, too' "$output"
		sed -i '/registry\]/,$d' "$drop_in"
		printf '%s\n[%s.containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n' "$others" "$cri" >> "$etc/config.toml"
		configure --remove
	fi
	dump > "$work/after.toml"
	equal "$name: --remove leaves what others wrote, and nothing of davit" '0 1 1 0' \
		"$rc $(has "$work/after.toml" 'runtimes.kata\]' '/etc/certs.d' davit-runtime)"
	matches "$name: --remove names what goes with davit's runtime" 'also removed .*nvidia.options.SystemdCgroup = true' "$output"
	equal "$name: the daemon's CRI plugin then" ok "$(started)"
}

# Lines for which the migration to formats 3 and 4 has another place.
moved() {
	local name="containerd $version, lines that the migration moves" drop_in=$etc/conf.d/davit.toml later word wants='' wants_1=''
	rm -rf "${work:?}/etc"
	case_debian_package
	configure
	sed -i '/bin_dir/d' "$etc/config.toml"
	cat >> "$drop_in" << END

[grpc]
  address = "/run/site.sock"
  uid = 7
[ttrpc]
  gid = 7
[debug]
  address = "/run/site-debug.sock"
[metrics]
  address = "127.0.0.1:1338"
[stream_processors."io.containerd.ocicrypt.decoder.v1.tar"]
  accepts = ["site/accepts"]
[plugins."io.containerd.runtime.v2.task"]
  sched_core = true
[$cri.cni]
  bin_dir = "/site/bin"
  conf_dir = "/site/conf"
[$cri.registry]
  config_path = "/site/certs"
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  sandbox_mode = "shim"
END
	sed -i "/^version = 2/a [$cri]\nsandbox_image = \"site.example/pause:1\"\n[$cri.containerd]\nsnapshotter = \"native\"\ndiscard_unpacked_layers = true\ndisable_snapshot_annotations = false" "$drop_in"
	later=$(files)
	configure
	equal "$name: configured again, nothing changes" "0 $later nothing to change" "$rc $(files) $(tail -n 1 <<< "$output")"
	dump > "$work/after.toml"
	for word in site.sock site-debug.sock 127.0.0.1:1338 site/accepts /site/bin /site/conf /site/certs 'sandboxer = .shim' \
		site.example/pause:1 'snapshotter = .native' 'discard_unpacked_layers = true' 'disable_snapshot_annotations = false'; do
		grep -q "$word" "$work/after.toml" || fail "$name: in force" "$word"
	done
}

# --- two containerds -----------------------------------------------------------------------------------

# Another version lies beside it, whose answers are wrong for the daemon. In turn, a unit, a running
# daemon and nothing say which of them is the daemon's.
two_programs() {
	local name="containerd $version, two of them" wants='' wants_1='' how daemon='' notes
	mount -t tmpfs tmpfs /usr/local/bin
	mount -t tmpfs tmpfs /usr/lib/systemd/system
	mkdir -p /run/systemd/system
	# shellcheck disable=SC2016 # the script's own
	printf '#!/bin/sh\n[ "$1" = --version ] && echo containerd other v%s.0 || cat "$2"\n' \
		"$([[ $version = 1.* ]] && echo 2.1 || echo 1.6)" > /usr/local/bin/containerd
	chmod 755 /usr/local/bin/containerd
	for how in unit running neither; do
		rm -rf "${work:?}/etc" /run/systemd/system/*
		kubeadm 'options = { SystemdCgroup = true }'
		case $how in
		unit)
			printf '[Service]\nExecStart=/usr/local/bin/containerd\n' > /usr/lib/systemd/system/containerd.service
			mkdir /run/systemd/system/containerd.service.d
			printf '[Service]\nExecStart=\nExecStart=-/usr/bin/containerd --log-level info\n' \
				> /run/systemd/system/containerd.service.d/10-site.conf
			;;
		running)
			printf '[Service]\nExecStart=/usr/local/bin/containerd\n' > /run/systemd/system/containerd.service
			mkdir -p "$work/run"
			/usr/bin/containerd --config "$etc/config.toml" --root "$work/run/root" --state "$work/run/state" \
				--address "$work/run/socket" < /dev/null > "$work/run/log" 2>&1 &
			daemon=$!
			until [ "$(cat /proc/$daemon/comm)" = containerd ]; do sleep 0.05; done
			;;
		neither) rm /usr/lib/systemd/system/containerd.service ;;
		esac
		dump > "$work/before.toml"
		configure
		if [ -n "$daemon" ]; then
			kill "$daemon"
			wait "$daemon" || true
			daemon=''
		fi
		notes=$(grep -c 'have different versions' <<< "$output" || true)
		equal "$name, $how: it is configured, and a note says when none is known" \
			"0 $([ $how = neither ] && echo 1 || echo 0)" "$rc $notes"
		dump > "$work/after.toml" || true
		# shellcheck disable=SC2086 # words
		equal "$name, $how: nothing is lost" '' \
			"$(python3 "$compare" "$work/before.toml" "$work/after.toml" "$program" $wants)"
	done
	umount /usr/lib/systemd/system /usr/local/bin
}

# --- the file that the daemon reads -----------------------------------------------------------------

# Without --file: the running daemon's, else the unit's. Where a relative pattern starts follows from
# either's working directory. In a PID namespace of its own: other daemons of the machine don't count.
own_file() {
	local name="containerd $version, its file" unit=/run/systemd/system/containerd.service copies
	rm -rf "${work:?}/etc"
	mount -t tmpfs tmpfs /usr/lib/systemd/system
	mkdir -p "${unit%/*}" "$etc/"{unit,process,here/more}
	printf '[Service]\nWorkingDirectory=%s\nExecStart=/usr/bin/containerd --config %s --log-level error\n' \
		"$etc/here" "$etc/unit/config.toml" > "$unit"
	printf 'version = 2\nimports = ["more/*.toml"]\n' | put unit/config.toml
	put process/config.toml <<< 'version = 2'
	# Read by those versions alone in which a pattern starts at the working directory.
	put here/more/10.toml << END
version = 2
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  options = { SystemdCgroup = true }
END
	below "$version" 1.6.29 && copies=4 || copies=0
	rc=0
	# shellcheck disable=SC2016 # the other shell's
	output=$(unshare --pid --fork --mount-proc --kill-child bash -c '
		set -e
		etc=$1 run=$2 davit=$3 program=$4
		start() {
			rm -rf "$run"
			(cd "$etc/here" && exec /usr/bin/containerd "$@" --root "$run/root" --state "$run/state" --address "$run/socket") \
				< /dev/null > "$run.log" 2>&1 &
			while kill -0 $! && [ "$(tr "\0" " " < /proc/$!/cmdline | cut -d" " -f1)" != /usr/bin/containerd ]; do sleep 0.05; done
		}
		configure() { "$davit" configure containerd --runtime-path "$program" "$@" 2>&1 | grep -E "^davit[: ]" || true; }
		configure --dry-run
		"$davit" configure containerd --runtime-path "$program" --dry-run 2>&1 | grep -c "SystemdCgroup = true" || true
		start -c ../process/config.toml
		configure
		configure --remove
		# A `config dump` is not a daemon.
		start --config "$etc/unit/config.toml"
		configure
		kill %%; wait %% || true
		: > "$etc/other.toml"
		start -c ../other.toml
		configure
		kill %1; wait %1 || true
		configure
	' - "$etc" "$work/run" "$davit" "$program") || rc=$?
	umount /usr/lib/systemd/system
	rm "$unit"
	equal "$name: the unit's, the process's, the one of them that the unit names" "0
davit uses $etc/unit/config.toml, which containerd reads (--config of containerd.service)
$copies
davit uses $etc/process/config.toml, which containerd reads (--config of process N)
davit uses $etc/process/config.toml, which containerd reads (--config of process N)
davit uses $etc/unit/config.toml, which containerd reads (--config of process N)
davit: cannot choose a containerd: one reads $etc/process/config.toml, another one $etc/other.toml (fix: name a file with --file $etc/process/config.toml)
davit uses $etc/other.toml, which containerd reads (--config of process N)" \
		"$rc"$'\n'"$(printf '%s\n' "$output" | sed 's/process [0-9]*)/process N)/')"
	equal "$name: what is written" "$(printf '%s\n' conf.d/davit.toml unit/conf.d/davit.toml)" "$(cd "$etc" && find . -name davit.toml -printf '%P\n' | sort)"
}

# --- what is refused, with the cause ---------------------------------------------------------------

# refused NAME MESSAGE OPTION...
refused() {
	local before
	before=$(files)
	configure "${@:3}"
	matches "containerd $version, $1: refused" "^davit: cannot .*$2" "$output"
	equal "containerd $version, $1: nothing is changed" "1 $before" "$rc $(files)"
	rm -rf "${work:?}/etc"
}
refusals() {
	local kata="[$cri.containerd.runtimes.nvidia-cdi]
  runtime_type = \"io.containerd.kata-qemu-nvidia-gpu.v2\""
	rm -rf "${work:?}/etc"
	printf 'version = 2\n%s\n' "$kata" | put config.toml
	refused "Kata's runtime" 'nvidia-cdi already exists, as io.containerd.kata-qemu-nvidia-gpu.v2'
	put config.toml <<< 'version = 2'
	refused 'a runtime that does not exist' 'the runtime /no/such doesn.t exist' --runtime-path /no/such
	if [[ $version = 1.* ]]; then
		case_deprecated_tables
		refused 'the default beside the deprecated table' 'make nvidia the default runtime: the deprecated table default_runtime of .*config.toml comes before' --set-default
		put config.toml <<< 'version = 3'
		refused 'a newer format' 'supports versions up to 2, but this file has version 3 .fix: rewrite it in version 2, or upgrade containerd'
		printf 'version = 2\nimports = ["@etc/conf.d/*.toml"]\n' | put config.toml
		printf 'version = 3\n[debug]\n  level = "info"\n' | put conf.d/davit.toml
		refused "a newer format of others in davit's file" 'edit .*conf.d/davit.toml: .*supports versions up to 2, but this file has version 3'
	else
		# The cause is behind a warning of the old format.
		put config.toml <<< 'version = 2'
		printf 'version = 2\nimports = ["@etc/bad.toml"]\n' | put config.toml
		printf 'version = 2\nroot = 1\n' | put bad.toml
		refused 'a file that it cannot read' ': containerd: failed to unmarshal TOML'
	fi
	if [[ $version = 2.1.* ]]; then
		# 2.1 overlooks runtimes of format 2 where another file has some of format 3.
		printf 'version = 3\nimports = ["@etc/old.toml"]\n[%s.containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n' "$cri3" | put config.toml
		printf 'version = 2\n[%s.containerd]\n  default_runtime_name = "other"\n  [%s.containerd.runtimes.other]\n    runtime_type = "io.containerd.runc.v2"\n' "$cri" "$cri" | put old.toml
		refused 'two formats' 'config.toml has another format version than davit.s file, so containerd ignores runtimes.nvidia .fix: rewrite these files in one version'
	fi
	# A file that came after davit's, which stands before it.
	case_later_default
	rm "$etc/conf.d/runc.toml"
	configure
	case_later_default
	if [[ $version = 2.3.* ]]; then
		refused "a later file beside davit's" 'conf.d/runc.toml overrides default_runtime_name .fix: remove these settings from .*runc.toml, or run .*--remove, then again' --set-default
	fi
}

mapfile -t cases < <(compgen -A function case_)
for containerd in "${containerds[@]}"; do
	version=$("$containerd" --version | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1)
	# davit asks the containerd that is installed.
	mount --bind "$containerd" "$(command -v containerd)"
	for case in "${cases[@]}"; do
		run_case "${case#case_}"
	done
	refusals
	start_cases
	states
	edited
	[[ $version = 1.* ]] || moved
	two_programs
	own_file
	umount "$(command -v containerd)"
done
report_exit
