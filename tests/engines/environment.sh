#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The hook's own environment is data of an engine, or of an image: nothing in it has any effect.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
needs readelf
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host"
spare_crun_memlock

header=$(readelf -hlW "$hook")
matches 'davit-hook is position independent' 'Type: +DYN' "$header"
equal 'davit-hook names no loader' '' "$(grep -w INTERP <<< "$header" || true)"
equal 'davit-hook needs no library' '' "$(readelf -dW "$hook" | grep NEEDED || true)"

# A library that leaves a mark wherever it is loaded.
printf '#include <fcntl.h>\n__attribute__((constructor)) static void mark(void)\n{\n\t(void)!open("%s/mark", O_CREAT | O_WRONLY, 0644);\n}\n' \
	"$work" > "$work/mark.c"
"${CC:-cc}" -shared -fPIC -o "$work/mark.so" "$work/mark.c"
LD_PRELOAD=$work/mark.so /bin/true
equal 'the mark is left where a loader is' there "$([ -e "$work/mark" ] && echo there)"
rm "$work/mark"

mkdir "$work/libs"
cp "$work/mark.so" "$work/libs/libc.so.6"
cp "$work/mark.so" "$work/libs/libjson-c.so.5"
new_bundle debian NVIDIA_VISIBLE_DEVICES=1 "LD_PRELOAD=$work/mark.so"
edit_bundle '.hooks.prestart[0].env = ["LD_PRELOAD=\($w)/mark.so", "LD_LIBRARY_PATH=\($w)/libs",
	"LD_AUDIT=\($w)/mark.so", "NVIDIA_VISIBLE_DEVICES=0", "NVIDIA_DRIVER_CAPABILITIES=graphics",
	"TMPDIR=/nonexistent", "HOME=/nonexistent", "XDG_CONFIG_HOME=\($w)", "PATH=\($w)",
	"GLIBC_TUNABLES=glibc.malloc.check=3", "MALLOC_TRACE=\($w)/mark", "DAVIT_CONFIG=\($w)/x"]' \
	--arg w "$work"
run_script 'nvidia-smi -L 2>/dev/null'
equal 'a hostile environment of the hook: the container gets what it asked for' \
	"0 $(smi_line 0 "$uuid1")" "$rc $output"
equal 'and no library of the environment was loaded' '' "$(ls "$work/mark" 2> /dev/null || true)"
host_unchanged 'a hostile environment'
drop_bundle

# runc hands down its own environment to hooks that have none.
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.process.args = ["/usr/bin/nvidia-smi", "-L"]'
rc=0
output=$(NVIDIA_VISIBLE_DEVICES=0 NVIDIA_REQUIRE_CUDA='cuda>=99' DAVIT_CONFIG=/nonexistent \
	"$ENGINE" --root "$work/state" run -b "$bundle" "davit-test-$unique" 2>&1 < <(:)) || rc=$?
equal "the engine's environment: the container gets what it asked for" \
	"0 $(smi_line 0 "$uuid1")" "$rc $output"
drop_bundle
report_exit
