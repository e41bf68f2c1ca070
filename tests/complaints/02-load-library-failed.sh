#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The libraries of the driver are not there, or not where davit looks: the line has the kernel
# module's version and where it was searched.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 2 'load library failed: libnvidia-ml.so.1'

has_host
find "$host/driver" -name 'lib*' -type f,l -delete
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
searched='/lib64, /lib, /usr/lib64, /usr/lib/x86_64-linux-gnu'
run_script 'echo started'
equal "$complaint: no libraries: it doesn't start" '1 ' "$((rc != 0)) $output"
# (The paths of this test are long: how much of the list fits, differs.)
equal "$complaint: no libraries: the line" "davit: cannot use the driver: the kernel module has version $version, \
but its libraries were not found in $host/driver: searched $searched, ... (fix: install the libraries of driver $version, or set driver.root or driver.search in $config)" \
	"$(hook_line "$errors" | sed "s|\(searched $searched, \)[^(]* (fix|\1... (fix|")"
host_unchanged "$complaint: no libraries"
doctor_says 'no libraries' driver.libraries fail "$version.*/lib64" 'driver\.root'

has_host
configure '.driver.root = $root' --arg root "$work/nowhere"
refused 'a driver.root that is not there' "davit: cannot open the directory $work/nowhere: No such file or directory \
(fix: set driver.root in $config)"

# A place that no list has: the configuration tells it.
has_host
mkdir -p "$work/opt"
mv "$host/driver/lib64" "$work/opt/lib64"
cp -a "$host/driver/bin" "$work/opt/"
refused_before=$(run_script true; hook_line "$errors")
matches "$complaint: an unusual place: the line names the key" 'driver\.search' "$refused_before"
configure '.driver.search = [$dir]' --arg dir "$work/opt/lib64"
works 'an unusual place, named in driver.search' 'nvidia-smi -L' "$(both)"

# What the host's own loader cache doesn't have, the container's gets all the same.
has_host --layout root
rm -f "$host/driver/etc/ld.so.cache"
works 'no loader cache on the host' 'nvidia-smi -L; dlprobe libnvidia-ml.so.1 | sed "s|: /lib/|: /usr/lib/|"' \
	"$(both)
libnvidia-ml.so.1: /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1"
report_exit
