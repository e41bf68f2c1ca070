#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same attacks where it isn't the hook that brings a GPU into the container: davit-container-cli,
# and davit-runtime, which leaves a hook to the runtime for what config.json has no words for.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/attack.sh
. "$repository/tests/lib/attack.sh"
enter_namespace "$@"
attack_place

by() { # INJECTOR SCRIPT [NAME=VALUE...]
	again "by $1" INJECTOR="$1" "${@:3}" "$repository/tests/attacks/$2.sh"
}

for script in shared-volume target-becomes-link swapped-source firmware-link library-volume; do
	by container-cli $script
done
by container-cli matrix EVERY="${EVERY:-8}"
by container-cli race ROUNDS=60 SECONDS_MAX=8
for script in shared-volume firmware-link places library-volume; do
	by runtime $script
done
report_exit
