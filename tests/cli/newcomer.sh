#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The README's first command on a fresh machine: it installs what it needs instead of being skipped.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/packages.sh
. "$repository/tests/lib/packages.sh"
make_work

# A machine without jq, and a user who isn't root, so that nothing is installed here.
mkdir "$work/bin"
for folder in /usr/sbin /usr/bin; do
	ln -sf "$folder"/* "$work/bin/"
done
rm "$work/bin/jq" "$work/bin/id"
printf '#!/bin/sh\necho 65534\n' > "$work/bin/id"
chmod 0755 "$work/bin/id"
matches 'demo.sh without jq: it goes on' '^demo: .*not root' "$(PATH=$work/bin "$repository/tests/demo.sh" 2>&1 || true)"

# --- another distribution lacks some packages ----------------------------------------------------

# shellcheck disable=SC2317 # called by keep_available
apt-cache() { # show PACKAGE
	[ "$2" != lxd ]
}
# shellcheck disable=SC2154 # keep_available sets it
available_of() { # PACKAGE...
	missing=("$@") unavailable=()
	keep_available
	printf '%s; %s\n' "${missing[*]}" "${unavailable[*]}"
}
equal 'packages: those that exist are installed' 'jq runc; lxd' "$(MUST_WORK=0 available_of jq lxd runc)"
equal 'packages: CI needs all of them' 'jq lxd runc; ' "$(MUST_WORK=1 available_of jq lxd runc)"
report_exit
