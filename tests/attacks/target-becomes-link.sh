#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CVE-2024-0132, CVE-2025-23359: a destination is checked as a path, then mounted by path. What the
# image has in its compatibility and library directories turns a later target into ../../../.. and the
# root of the host is mounted inside.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
# shellcheck disable=SC2034 # in the texts that are run in the root
lib=usr/lib/x86_64-linux-gnu compat=usr/local/cuda/compat secrets=$out$canary

hostile debian 'mkdir -p $compat
	for name in libcuda.so.999.1 libcuda.so.1 libnvidia-ptxjitcompiler.so.999.1; do
		ln -s "$secrets" $compat/$name; ln -s "$out" $lib/$name 2> /dev/null || true
	done'
closed_or_blind 'compatibility libraries that are links out' 'done'

hostile debian 'mkdir -p $compat/libcuda.so.999.1 $lib/libcuda.so.999.1
	ln -s "$out" $compat/libcuda.so.999.1/x; ln -s "$out" $lib/libcuda.so.999.1/x'
closed_or_blind 'compatibility libraries that are directories with links out' 'done'

hostile debian 'mkdir -p usr/local; ln -s "$out" usr/local/cuda; ln -s "$secrets" compat'
closed_or_blind 'the directory of compatibility libraries is a link out' 'done'

# Every name that the hook makes is a link already, to the next one or out.
hostile debian 'for name in $(cd "$host/driver/lib64" && ls | grep "\.so\."); do
		ln -sfn "$out" $lib/$name; ln -sfn "$secrets" $lib/${name%%.so.*}.so.1
	done
	ln -sfn $out usr/bin/nvidia-smi; ln -sfn libcuda.so.1/.. $lib/gbm
	ln -sfn "$secrets" $lib/libcuda.so'
closed_or_blind 'library names that are links out' 'done'

# The link that the hook itself makes becomes a directory on the way of a later target.
hostile debian 'ln -sf libcuda.so.1 $lib/gbm; ln -sf libcuda.so $lib/vdpau; mkdir -p lib/firmware
	ln -s ../$lib/libcuda.so.1 lib/firmware/nvidia' NVIDIA_DRIVER_CAPABILITIES=all
closed_or_blind 'directories that are links to names which the hook makes' either

hostile debian 'mv $lib $lib.real; ln -s $out/usr/lib/x86_64-linux-gnu.real $lib'
closed_or_blind 'the library directory by a link with too many ..' 'done'

honest_works 'target becomes link'
report_exit
