#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CVE-2024-0134, CVE-2025-23267: links, the configuration and the cache of the loader are written
# through a parent that is a link out of the root.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place
lib=usr/lib/x86_64-linux-gnu
for to in "$canary" "$out$canary"; do
	shown=${to//"$work"/TMP}
	hostile debian 'rm -r etc; ln -s "$to" etc'
	closed_or_blind "/etc is a link to $shown" closed
	hostile debian 'rm -r etc/ld.so.conf.d; ln -s "$to/ld.so.conf.d" etc/ld.so.conf.d'
	closed_or_blind "/etc/ld.so.conf.d is a link to $shown" 'done'
	hostile debian 'for file in ld.so.cache ld.so.conf.d/zz-davit.conf; do ln -sf "$to/ld.so.cache" etc/$file; done'
	closed_or_blind "the loader's files in /etc are links to $shown" 'done'
	hostile debian 'for file in ld.so.cache ld.so.conf ld.so.conf.d/zz-davit.conf; do ln -sf "$to/new" etc/$file; done'
	closed_or_blind "the loader's files in /etc are links to a new file in $shown" 'done'
	hostile debian 'mkdir -p usr/share; mv $lib "$work/aside"; ln -s "$to/x86_64-linux-gnu" $lib'
	closed_or_blind "/$lib is a link to $shown" closed
	rm -rf "$work/aside"
	hostile debian 'ln -s "$to" $lib/gbm; ln -s "$to" $lib/vdpau; ln -s "$to" etc/OpenCL' \
		NVIDIA_DRIVER_CAPABILITIES=all
	closed_or_blind "directories of graphics are links to $shown" either
	hostile musl 'mkdir -p etc; ln -s "$to/new" etc/ld-musl-x86_64.path'
	attack "the path file of musl is a link to $shown" either /bin/true
	drop_bundle
done
equal 'nothing was created' '' "$(ls -d "$canary/new" 2> /dev/null || true)"
honest_works 'outward parents'
report_exit
