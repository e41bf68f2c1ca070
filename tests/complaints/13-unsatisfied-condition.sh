#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An image's constraints: what it needs, what the host has, and the variable that was misspelt.
set -euo pipefail
# shellcheck source=tests/lib/complaint.sh
. "$(dirname "$0")/../lib/complaint.sh"
complaint 13 'nvidia-container-cli: requirement error: unsatisfied condition: cuda>=14.0, please update your driver'

has_host
new_bundle debian NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda>=14.0 brand=tesla,driver>=590,driver<591'
refused 'need and have' "davit: cannot satisfy NVIDIA_REQUIRE_CUDA: the image needs cuda>=14.0, the host has cuda 13.0 \
(driver $version) (fix: upgrade the driver, use an older image, or set NVIDIA_DISABLE_REQUIRE=1)"
doctor_says 'need and have' bundle.driver fail 'cuda>=14\.0.*13\.0' 'upgrade the driver' --bundle "$bundle"

new_bundle debian NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda>=14.0' NVIDIA_DISABLE_REQUIRES=1
refused 'a misspelt variable' "davit: cannot satisfy NVIDIA_REQUIRE_CUDA: the image needs cuda>=14.0, the host has \
cuda 13.0 (driver $version) (fix: upgrade the driver, use an older image, or set NVIDIA_DISABLE_REQUIRE=1; \
NVIDIA_DISABLE_REQUIRES is not read)"
doctor_says 'a misspelt variable' bundle.variables warn \
	'NVIDIA_DISABLE_REQUIRES is not read; did you mean NVIDIA_DISABLE_REQUIRE\?' 'correct the variable' --bundle "$bundle"

new_bundle debian NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda>=14.0' NVIDIA_DISABLE_REQUIRE=yes
refused 'a value that is no bool' "davit: cannot satisfy NVIDIA_REQUIRE_CUDA: the image needs cuda>=14.0, the host has \
cuda 13.0 (driver $version) (fix: upgrade the driver, use an older image, or set NVIDIA_DISABLE_REQUIRE=1; \
NVIDIA_DISABLE_REQUIRE=yes is neither true nor false)"

new_bundle debian NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda >= 12'
refused 'blanks in it' 'davit: cannot check NVIDIA_REQUIRE_CUDA: cannot read the constraint "cuda": it must be PROPERTY OPERATOR VALUE (fix: write constraints without blanks, such as cuda>=12.2,brand=tesla; properties are cuda, driver, arch and brand)'

new_bundle debian NVIDIA_VISIBLE_DEVICES=all 'NVIDIA_REQUIRE_CUDA=cuda>=14.0' NVIDIA_DISABLE_REQUIRE=1
works 'switched off' 'nvidia-smi -L' "$(both)"
report_exit
