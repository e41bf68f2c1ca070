#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CVE-2025-23266: the hook runs with an environment that the image decides: ENV
# LD_PRELOAD=/proc/self/cwd/poc.so is loaded into a process of root on the host.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
mark=$work/mark
printf '%s\n' '#include <fcntl.h>' '__attribute__((constructor)) static void mark(void)' '{' \
	"	(void)!open(\"$mark\", O_CREAT | O_WRONLY, 0644);" '}' > "$work/poc.c"
"${CC:-cc}" -shared -fPIC -o "$work/poc.so" "$work/poc.c"
(cd "$work" && LD_PRELOAD=/proc/self/cwd/poc.so /bin/true)
equal 'the library leaves its mark where a loader runs' "$mark" "$(ls "$mark")"
rm "$mark"

for stage in prestart createRuntime; do
	for variables in null '["LD_PRELOAD=/proc/self/cwd/poc.so", "LD_AUDIT=/proc/self/cwd/poc.so",
		"LD_LIBRARY_PATH=/proc/self/cwd", "GCONV_PATH=/proc/self/cwd", "PATH=/proc/self/cwd"]'; do
		name="$stage, environment of the hook: ${variables:0:30}"
		hostile debian 'cp "$work/poc.so" poc.so; cp "$work/poc.so" ../poc.so; cp "$work/poc.so" libc.so.6' \
			LD_PRELOAD=/proc/self/cwd/poc.so LD_AUDIT=/proc/self/cwd/poc.so
		edit_bundle '.hooks = {($stage): [.hooks.prestart[0] + {env: $variables} |
			.args[-1] = $stage | del(..|nulls)]}' --arg stage "$stage" --argjson variables "$variables"
		edit_bundle '.process.args = ["/bin/busybox", "true"]'
		rc=0
		# The runtime hands its own directory and environment down to hooks that have none.
		(cd "$bundle/rootfs" && "$ENGINE" --root "$work/state" run -b "$bundle" "davit-test-$unique") \
			> "$work/output" 2>&1 < <(:) || rc=$?
		equal "$name: the container runs" '0 ' "$rc $(grep -v 'ld.so' "$work/output" || true)"
		equal "$name: nothing was loaded" '' "$(ls "$mark" 2> /dev/null || true)"
		drop_bundle
	done
done
canary_untouched 'preloaded library'
honest_works 'preloaded library'
report_exit
