#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The driver where distributions have it: each file of layouts/ tells where one of them puts the
# driver's files, and what davit finds there must be as in expected/. UPDATE=1 writes that anew:
# read what `git diff` then shows before you keep it.
#
# A line of a layout is one of
#   PATH              a file; of a library the fixture's stub of that name, `@` is the version
#   32 PATH           a 32-bit library
#   PATH -> TEXT      a link
#   cache DIR...      a loader cache of these directories
#   driver-root PATH  what driver.root is set to, beneath the layout's root
#   firmware PATH     what the kernel was told by firmware_class.path
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
drivers=$repository/tests/drivers
require_root
if [ "${DAVIT_TEST_MACHINE:-$(uname -m)}" != x86_64 ]; then
	skip 'drivers: layouts' 'they are written for x86_64'
	report_exit
fi
make_work
built=$DAVIT_BUILD/tests/fixture
version=$(cat "$built/driver-version")
host=$work/host
"$fixture/fake-host" "$host" --gpus 1 --majors captured
rm -rf "$host/driver"

put_file() { # PATH [FOLDER-OF-STUBS]
	local target=$root$1 name=${1##*/} stub
	mkdir -p "${target%/*}"
	for stub in "$built"/{driver,extras}/"${2:-lib64}/$name" "$built/driver/bin/$name"; do
		if [ -f "$stub" ]; then
			cp "$stub" "$target"
			return
		fi
	done
	case $name in
	lib*.so.*) # one that the fixture lacks: "libx.so.1.2.3" is "libx.so.1" to the loader
		stub=$name
		[[ $name = *."$version" ]] || stub=${name%%.so.*}.so.$(cut -d. -f1 <<< "${name#*.so.}")
		cc -x c -shared -nostdlib -Wl,-soname,"$stub" -o "$target" - <<< 'int x;'
		;;
	*.json | *.icd) # the library that it names is among the fixture's texts
		find "$built/driver" "$built/extras" -name "$name" -exec cp {} "$target" \; -quit
		[ -e "$target" ] || printf '{"library_path": "%s"}\n' "$(library_of "$name")" > "$target"
		;;
	*) printf 'x' > "$target" ;;
	esac
}

library_of() { # JSON-NAME
	case $1 in
	20_nvidia_xcb.json) echo libnvidia-egl-xcb.so.1 ;;
	20_nvidia_xlib.json) echo libnvidia-egl-xlib.so.1 ;;
	*) echo libGLX_nvidia.so.0 ;;
	esac
}

make_layout() { # FILE
	local line dir directories=''
	root=$work/root
	driver_root=$root
	rm -rf "$root" "$host/sys/module/firmware_class"
	mkdir -p "$root/etc"
	while read -r line; do
		line=${line//@/$version}
		case $line in
		'' | '#'*) ;;
		'32 '*) put_file "${line#32 }" lib32 ;;
		'cache '*) directories=${line#cache } ;;
		'driver-root '*) driver_root=$root${line#driver-root } ;;
		'firmware '*)
			mkdir -p "$host/sys/module/firmware_class/parameters"
			printf '%s\n' "$root${line#firmware }" > "$host/sys/module/firmware_class/parameters/path"
			;;
		*' -> '*)
			mkdir -p "$(dirname "$root${line%% -> *}")"
			ln -s "${line#* -> }" "$root${line%% -> *}"
			;;
		*) put_file "$line" ;;
		esac
	done < "$1"
	mkdir -p "$driver_root/etc"
	[ -n "$directories" ] || return 0
	for dir in $directories; do printf '%s\n' "$dir"; done > "$driver_root/etc/ld.so.conf"
	ldconfig -X -r "$driver_root"
}

for file in "$drivers"/layouts/*; do
	name=${file##*/}
	make_layout "$file"
	jq --arg root "$driver_root" '.driver.root = $root' < "$host/davit.json" > "$work/davit.json"
	rc=0
	"$davit" list --json --config "$work/davit.json" > "$work/answer" 2> "$work/errors" || rc=$?
	if [ "$rc" != 0 ]; then
		fail "layout $name" "exit $rc" "$(cat "$work/errors")"
		continue
	fi
	jq -r '.files[] | .path + " " + .target' < "$work/answer" |
		grep -v "^$host/\|^/tmp/nvidia-mps" | sed "s|$root/|/|g; s|$version|@|g" | sort > "$work/actual"
	[ "${UPDATE:-0}" != 1 ] || cp "$work/actual" "$drivers/expected/$name"
	equal "layout $name" "$(cat "$drivers/expected/$name")" "$(cat "$work/actual")"
	# What isn't found has to be a link, or of another version.
	while read -r path; do
		target="/${path##*/} "
		[[ $path != '32 '* ]] || target=" /usr/lib/i386-linux-gnu/${path##*/}"
		grep -qF "$target" "$work/actual" || fail "layout $name: everything is found" "not $path"
	done < <(grep -vE '^(#|cache|driver-root|firmware)|->|^$|# other' "$file")
	"$davit" doctor --all --config "$work/davit.json" > "$work/doctor" || true
	matches "layout $name: the doctor is content with the libraries" '^ok +driver.libraries' "$(cat "$work/doctor")"
	matches "layout $name: and with the programs" '^ok +driver.programs' "$(cat "$work/doctor")"
done
equal 'layouts: every expected answer has its layout' "$(ls "$drivers/layouts")" "$(ls "$drivers/expected")"
report_exit
