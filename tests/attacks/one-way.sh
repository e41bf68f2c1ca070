#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# There is one way into a container: outside of src/attach, nothing that works on one has the system
# calls that make or mount something, by whatever name. Files that write to the host are named here.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
cd "$repository"

# What makes or mounts: system calls, libc's wrappers, and sys's own functions for it.
calls='mount|umount2?|move_mount|open_tree|fsmount|mkdir|mkdirat|mknod|mknodat|symlink|symlinkat|link|linkat'
calls+='|rename|renameat|renameat2|unlink|unlinkat|rmdir|creat|ftruncate|truncate|pivot_root|chroot'
calls+='|fchmod|fchmodat|fchown|fchownat|root_mkdirs|mount_[a-z]*_attach|mount_source_attach'
calls+='|mount_make_private|mount_set_read_only'
# file: what it makes, and where.
declare -A host_side=(
	[src/sys/mount.c]='mechanism: called by attach alone'
	[src/sys/mount_by_path.c]='mechanism: called by attach alone'
	[src/sys/root.c]='root_mkdirs, for the host and for driver roots'
	[src/sys/log_file.c]='the log, on the host'
	[src/runtime/files.c]='config.json and davit.json, in the bundle'
	[src/apply/created_files.c]='the record, in the bundle'
	[src/apply/created_files_remove.c]='removes what the record names, from the root of a container that has ended'
	[src/hook/cdi_hook.c]='chmod of directories that a runtime made in /dev, by descriptor'
	[src/driver/prepare/make_node.c]='nodes in the host'"'"'s /dev'
	[src/try/cgroup.c]='a cgroup of its own'
	[src/try/root.c]='private mounts, and the way into the root'
	[src/cli/setup/cdi_generate.c]='specs in the host'"'"'s folders'
	[src/cli/setup/link_nodes.c]='links in the host'"'"'s /dev/char'
	[src/cli/setup/node_engine.c]='the way into the host'"'"'s root, for the command that restarts its engine'
	[src/cli/setup/node_files.c]='programs, names and units in the root of the host'
	[src/cli/setup/node_lock.c]='locks in a folder of root'"'"'s on the host'
	[src/cli/setup/node_record.c]='what was done to the host, in its /var/lib/davit'
	[src/cli/setup/node_saved.c]='mode and owner of files of the host that come back'
	[src/sys/file_save.c]='files of the host'
	[src/configure/file.c]='files of the host'
)

# uses FILE: the calls in it, comments and strings aside.
uses() {
	sed -e 's:/\*.*\*/::' -e 's/"[^"]*"//g' -e '/^[[:space:]]*\/\*/,/\*\//d' "$1" |
		grep -oE "(^|[^a-zA-Z0-9_])(sys_)?($calls)\(|O_CREAT|O_TMPFILE" |
		sed 's/[^a-zA-Z0-9_]//g' | sort -u
}

found=''
while IFS= read -r file; do
	case $file in
	# Nothing of a container is in reach of these.
	src/attach/* | src/nvml/* | src/sys/filter/*) continue ;;
	esac
	used=$(uses "$file" || true)
	if [ -z "$used" ]; then
		[ -z "${host_side[$file]:-}" ] || found+="$file has none of the calls any more"$'\n'
	elif [ -z "${host_side[$file]:-}" ]; then
		found+="$file: ${used//$'\n'/, }"$'\n'
	fi
done < <(find src -name '*.c' | sort)
equal 'only attach makes anything in a container' '' "$found"

# Those whose job is the container, but for what is named above, call attach.
container_side=$(grep -lE 'mount_(source|tmpfs|new|overlay)_attach|mount_make_' -r src --include='*.c' | sort | tr '\n' ' ')
equal 'mounts are attached by attach alone' \
	'src/attach/attach.c src/attach/file.c src/attach/place.c src/attach/view.c src/sys/mount.c ' "$container_side"
# The test can fail.
probe=$(mktemp --suffix=.c)
trap 'rm -f "$probe"' EXIT
printf 'static int f(int fd)\n{\n\treturn mkdirat(fd, "x", 0755); /* renameat( */\n}\n' > "$probe"
equal 'a call is seen, a comment is none' mkdirat "$(uses "$probe")"
report_exit
