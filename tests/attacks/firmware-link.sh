#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CVE-2024-0133: /lib/firmware/nvidia/VERSION in the image is a link out of the root, and files are
# created on the host.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
for place in lib/firmware/nvidia "lib/firmware/nvidia/$version"; do
	for to in "$canary" "$out$canary/new" "/proc/1/root$canary"; do
		hostile debian 'mkdir -p "$(dirname $place)"; ln -s "$to" $place'
		closed_or_blind "/$place is a link to ${to//"$work"/TMP}" 'done'
	done
done
hostile debian 'mkdir -p "lib/firmware/nvidia/$version"
	ln -s "$out$canary/created" "lib/firmware/nvidia/$version/gsp_ga10x.bin"'
closed_or_blind 'a firmware file is a link to a new file' 'done'
equal 'nothing was created' '' "$(ls -d "$canary/created" "$canary/new" 2> /dev/null || true)"
honest_works 'firmware link'
report_exit
