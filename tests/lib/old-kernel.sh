# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034 # read by the scripts
# A kernel without the system calls that davit prefers: its programs, linked anew with
# tests/attacks/without-calls.c, in a build folder which is else like $DAVIT_BUILD.

# All of them that are newer than Linux 4.18. (faccessat2 and clone3 are the C library's.)
new_calls=openat2,open_tree,move_mount,mount_setattr,fsopen,fsconfig,fsmount,close_range,faccessat2,clone3,statmount

# old_build FOLDER enosys|eperm CALL,...
old_build() {
	local entry program command object flags build=${DAVIT_BUILD:-build} calls=${3//,/,SYS_}
	case $build in /*) ;; *) build=$PWD/$build ;; esac
	mkdir -p "$1"
	for entry in "$build"/*; do
		ln -sfn "$entry" "$1/${entry##*/}"
	done
	for program in davit davit-hook davit-nvml davit-container-cli davit-runtime; do
		flags=()
		[ $program != davit-runtime ] || flags=(-DUNFILTERED)
		object=$1/without-calls.o
		"${CC:-cc}" -O2 -fPIE -Wall -Wextra -Werror -D_GNU_SOURCE "-DWITHOUT=SYS_$calls" "-DANSWER=${2^^}" \
			"${flags[@]}" -c -o "$object" \
			"$(dirname "${BASH_SOURCE[0]}")/../attacks/without-calls.c" || return
		command=$(ninja -C "$build" -t commands "$program" | tail -n 1)
		rm "$1/$program"
		(cd "$build" && eval "${command/ -o $program / -o "$1/$program" "$object" -Wl,--wrap=syscall }")
		[ -e "$1/$program" ] || return 1
	done
	rm "$object"
}
