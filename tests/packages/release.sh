#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a release uploads: the files, the source that builds, an SPDX document as its specification has it,
# checksums; what keeps a release from being made; the changelog's version.
set -euo pipefail
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
make_work
release=$repository/tests/packages/release
matches 'release: the changelog begins with the version that is built' "^$version( \(.*\))?$" \
	"$(sed -n 's/^## //p' "$repository/CHANGELOG.md" | head -n 1)"
matches 'release: SECURITY.md has it among the supported versions' "^\| ${version%.*} " \
	"$(grep -E "^\| [0-9]" "$repository/SECURITY.md")"

# --- what is refused -----------------------------------------------------------------------------

# A clone, in which a tag may be made and a file may change.
git -c safe.directory='*' clone -q --depth 1 "file://$repository" "$work/clone" 2> "$work/log"
git_clone() {
	git -C "$work/clone" -c user.name=n -c user.email=n@localhost "$@" > "$work/log" 2>&1
}
refused() { # sets `output`
	rc=0
	output=$("$work/clone/tests/packages/release" "$work/none" 2>&1) || rc=$?
	output="$rc $output"
}
# The scripts of this tree are what is tested, committed or not.
cp "$release" "$repository/tests/packages/sbom" "$work/clone/tests/packages/"
cp "$repository/CHANGELOG.md" "$repository/CMakeLists.txt" "$work/clone/"
git_clone add -A
git_clone commit --allow-empty -m 'the tree as it is'
refused
matches 'release: a commit without its tag is refused' "^1 .*no tag v$version" "$output"
git_clone tag "v$version"
printf 'x\n' >> "$work/clone/README.md"
refused
matches 'release: a tree with changes is refused' '^1 .*not committed' "$output"
git_clone checkout README.md
sed -i "s/^## $version.*/## $version (not released yet)/" "$work/clone/CHANGELOG.md"
git_clone commit --allow-empty -am 'no date'
git_clone tag -f "v$version"
refused
matches 'release: a changelog without the date is refused' '^1 .*CHANGELOG.md has no date' "$output"

# --- what is made --------------------------------------------------------------------------------

make() { # DIRECTORY
	RELEASE_UNTAGGED=1 RELEASE_BUILD=$packages "$release" "$1" > "$work/log" 2>&1
}
if ! make "$work/out"; then
	fail 'release: it is made' 'it fails' "$(tail -n 20 "$work/log")"
	report_exit
fi
machine=$(dpkg --print-architecture) architecture=$(uname -m)
equal 'release: all files are there, and no others' "$(printf '%s\n' SHA256SUMS "davit-$version.tar.gz" \
	"davit_${version}_$machine.deb" davit-{nvidia,amd}-compat_"${version}_all.deb" "davit-$version-1.$architecture.rpm" \
	davit-{nvidia,amd}-compat-"$version-1.noarch.rpm" "davit-$version.$architecture.spdx.json" | LC_ALL=C sort)" \
	"$(cd "$work/out" && printf '%s\n' * | LC_ALL=C sort)"
equal 'release: SHA256SUMS has each of them' "$(cd "$work/out" && printf '%s\n' davit* | LC_ALL=C sort)" \
	"$(cd "$work/out" && sha256sum --strict -c SHA256SUMS | sed 's/: OK$//' | LC_ALL=C sort)"
make "$work/again"
equal 'release: made again, all is the same' "$(cat "$work/out/SHA256SUMS")" "$(cat "$work/again/SHA256SUMS")"
tar -C "$work" -xf "$work/out/davit-$version.tar.gz"
equal 'release: the source has every file of the commit' \
	"$(git -c safe.directory='*' -C "$repository" ls-tree -r --name-only HEAD | LC_ALL=C sort)" \
	"$(cd "$work/davit-$version" && find . ! -type d -printf '%P\n' | LC_ALL=C sort)"
rc=0
output=$(cmake -G Ninja -S "$work/davit-$version" -B "$work/build" -DDAVIT_TESTS=OFF 2>&1 &&
	cmake --build "$work/build" --target davit_base 2>&1) || rc=$?
equal 'release: the source can be configured and compiled' 0 "$rc" "$output"

# --- the SPDX document ---------------------------------------------------------------------------

document=$work/out/davit-$version.$architecture.spdx.json
equal 'release: the SPDX document is as the specification has it' '' \
	"$("$repository/tests/packages/spdx.py" "$document")"
equal 'release: it lists the libraries that are linked in' 'elfutils gcc glibc json-c libcap2 libseccomp zlib' \
	"$(jq -r '.packages[] | select(.primaryPackagePurpose == "LIBRARY") | .name' "$document" | sed 's/^gcc-.*/gcc/' | sort | xargs)"
equal "release: their versions are the installed packages'" "$(dpkg-query -W -f '${source:Version}' "libelf-dev:$machine")" \
	"$(jq -r '.packages[] | select(.name == "elfutils") | .versionInfo' "$document")"
jq 'del(.packages[0].downloadLocation) | .packages[1].SPDXID = .packages[2].SPDXID | .packages[-1].licenseDeclared = "Own"' \
	"$document" > "$work/out/broken.json"
equal 'release: a broken document is noticed' '3' \
	"$("$repository/tests/packages/spdx.py" "$work/out/broken.json" | grep -cE 'downloadLocation|used twice|licenseDeclared')"
report_exit
