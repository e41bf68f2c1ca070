#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The same commit, built in another directory, at another time, by somebody with other settings, gives
# the same bytes; and the plain installation below another prefix, with the library in use.
set -euo pipefail
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
make_work

# --- twice ---------------------------------------------------------------------------------------

mkdir "$work/elsewhere"
(cd "$repository" && find . -mindepth 1 -maxdepth 1 ! -name '.*' ! -name 'build*' ! -name tests -print0 |
	tar -c --null -T -) | tar -C "$work/elsewhere" -x
find "$work/elsewhere" -exec touch -d '2001-02-03' {} +
# Beside the first one: the Installed-Size that CPack writes counts directories as their file system does.
made=$DAVIT_BUILD-packages-again
rm -rf "$made"
at_end "rm -rf '$made'"
SOURCE_DATE_EPOCH=$(sed -n 's/.*SOURCE_DATE_EPOCH} \([0-9]*\).*/\1/p' "$packages/packages/cpack.cmake")
export SOURCE_DATE_EPOCH
if ! output=$(umask 022 && TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nonexistent "$repository/tests/packages/build" \
	"$work/elsewhere" "$made" 2>&1); then
	fail 'reproducible' 'the second build fails' "$(tail -n 30 <<< "$output")"
	report_exit
fi
sums() { # DIRECTORY
	(cd "$1" && sha256sum davit davit-hook davit-runtime davit-container-cli davit-nvml src/libdavit.a \
		./*.deb ./*.rpm)
}
equal 'reproducible: programs, library and packages of two builds are the same' "$(sums "$packages")" \
	"$(sums "$made")"
equal 'reproducible: no path of the build is in a program' '' "$(grep -laF -e "$work" -e "$made" "$made"/davit* || true)"

# --- cmake --install -----------------------------------------------------------------------------

# Every directory elsewhere, and all of it below DESTDIR.
prefix=$work/prefix
cmake -S "$work/elsewhere" -B "$made" -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_BINDIR=programs \
	-DCMAKE_INSTALL_LIBEXECDIR=inner -DCMAKE_INSTALL_LIBDIR=lib/some-triplet \
	-DCMAKE_INSTALL_INCLUDEDIR=headers -DCMAKE_INSTALL_DATADIR=data -DDAVIT_NVIDIA_NAMES=ON > "$work/log" 2>&1
cmake --build "$made" >> "$work/log" 2>&1
DESTDIR=$work/destination cmake --install "$made" >> "$work/log" 2>&1
equal 'cmake --install: DESTDIR holds everything' 'destination' "$(cd "$work" && find . -path "*programs/davit" |
	cut -d / -f 2)"
cmake --install "$made" >> "$work/log" 2>&1
equal 'cmake --install: the same files below DESTDIR and without' "$(cd "$prefix" && find . | sort)" \
	"$(cd "$work/destination$prefix" && find . | sort)"
for file in programs/davit programs/davit-hook programs/nvidia-ctk inner/davit/davit-nvml data/davit/config.json \
	lib/some-triplet/libdavit.a lib/some-triplet/pkgconfig/davit.pc headers/davit/pipeline.h; do
	[ -e "$prefix/$file" ] || fail 'cmake --install: every directory can be chosen' "there is no $file" \
		"$(cd "$prefix" && find . -type f)"
done
equal 'cmake --install: the chosen directories are all there are' 'data headers inner lib programs share' \
	"$(cd "$prefix" && printf '%s\n' * share | sort -u | xargs)"
matches 'cmake --install: the hook file names the chosen directory' "\"$prefix/programs/davit-hook\"" \
	"$(cat "$prefix/data/davit/hooks.d/davit.json")"

# --- the library ---------------------------------------------------------------------------------

cat > "$work/embed.c" << 'END'
#include <davit/pipeline.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	AUTO_ARENA arena = {0};
	AUTO_PIPELINE pipeline = PIPELINE_INIT;
	AUTO_FD fd = -1;
	struct config config;
	struct root root;
	struct error err = {0};

	if (argc != 3 || config_load(argv[2], &arena, &config, &err) < 0 ||
	    pipeline_read(&pipeline, &config, argv[1], &arena, &err) < 0 ||
	    pipeline_request(&pipeline, &arena, &err) < 0 || pipeline_driver(&pipeline, &arena, &err) < 0 ||
	    root_open(pipeline.rootfs, &root, &err) < 0 ||
	    pipeline_plan(&pipeline, &root, &arena, &err) < 0)
		return printf("%s\n", err.message), 1;
	printf("%zu operations for %zu GPU\n", pipeline.plan.count, pipeline.selection.count);
	return 0;
}
END
export PKG_CONFIG_PATH=$prefix/lib/some-triplet/pkgconfig
equal 'library: pkg-config knows its version' "$version" "$(pkg-config --modversion davit)"
# shellcheck disable=SC2046 # options, to be split
if ! output=$(cd "$work" && "${CC:-cc}" -std=gnu17 -Wall -Wextra -Werror -o embed embed.c $(pkg-config --cflags --libs davit) 2>&1); then
	fail 'library: a program of its own links with it' 'it does not build' "$output"
	report_exit
fi
require_root
"$fixture/fake-host" "$work/host" --majors captured
"$fixture/fake-rootfs" debian "$work/bundle/rootfs"
(cd "$work/bundle" && runc spec)
jq '.process.env += ["NVIDIA_VISIBLE_DEVICES=1"]' < "$work/bundle/config.json" > "$work/config.json"
mv "$work/config.json" "$work/bundle/config.json"
expected=$("$davit" explain --bundle "$work/bundle" --config "$work/host/davit.json" --json |
	jq -r '"\(.operations | length) operations for 1 GPU"')
equal 'library: its plan is that of davit explain' "$expected" \
	"$("$work/embed" "$work/bundle" "$work/host/davit.json" 2>&1 || true)"
report_exit
