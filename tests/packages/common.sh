# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# shellcheck source=tests/lib/place.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/place.sh"
packages=$DAVIT_BUILD-packages # made by `build`
version=$(sed -n 's/^project(davit VERSION \([0-9.]*\).*/\1/p' "$repository/CMakeLists.txt")
