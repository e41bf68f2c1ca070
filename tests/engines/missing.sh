#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Modules that aren't loaded and nodes that aren't there: made when the configuration allows it,
# named in the error with what to do when not. `davit system prepare` makes all of them.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
with="$ENGINE, cgroup $CGROUP"
spare_crun_memlock

# --- a modprobe ----------------------------------------------------------------------------------

# "Loads" a module by moving $work/modules/NAME to where the fake host has what it stands for, and
# notes how it was called. A program, since davit runs no scripts.
cat > "$work/modprobe.c" << 'END'
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
int main(int argc, char **argv)
{
	char from[4096], to[4096], link[4096];
	FILE *note = fopen(WORK "/called", "a");
	DIR *fds = opendir("/proc/self/fd");
	struct sigaction action;

	for (int i = 0; i < argc; i++)
		fprintf(note, "%s ", argv[i]);
	for (char **e = environ; *e; e++)
		fprintf(note, "[%s] ", *e);
	for (struct dirent *e; (e = readdir(fds));) {
		ssize_t n = readlinkat(dirfd(fds), e->d_name, link, sizeof(link) - 1);
		if (n > 0 && strchr("0123456789", e->d_name[0])) {
			link[n] = '\0';
			if (!strstr(link, "called") && !strstr(link, "/fd"))
				fprintf(note, "%s:%.9s ", e->d_name, link);
		}
	}
	if (sigaction(SIGTERM, NULL, &action) == 0)
		fprintf(note, "%s\n", action.sa_handler == SIG_DFL ? "default" : "changed");
	fclose(note);
	if (access(WORK "/slow", F_OK) == 0)
		sleep(60);
	snprintf(from, sizeof(from), WORK "/modules/%s", argv[1]);
	ssize_t n = readlink(strcat(strcpy(link, from), ".to"), to, sizeof(to) - 1);
	if (n > 0)
		to[n] = '\0';
	if (n > 0 && renameat(AT_FDCWD, from, AT_FDCWD, to) == 0)
		return 0;
	fprintf(stderr, "modprobe: FATAL: Module %s not found in the test.\nanother line\n", argv[1]);
	return 1;
}
END
sbin=$(realpath /sbin)
mkdir -p "$work"/{upper,overlay,modules}
chmod 0755 "$work/upper"
"${CC:-cc}" -DWORK="\"$work\"" -o "$work/upper/modprobe" "$work/modprobe.c"
rm -f "$work/upper/called"
mount -t overlay overlay "$sbin" -o "lowerdir=$sbin,upperdir=$work/upper,workdir=$work/overlay"
at_end "umount -l $sbin"

# module NAME FILE PLACE: what modprobe NAME moves where.
module() {
	mv "$2" "$work/modules/$1"
	ln -sfn "$3" "$work/modules/$1.to"
}
without_uvm() {
	"$fixture/fake-host" "$host"
	rm "$host"/dev/nvidia-uvm*
	cp "$host/proc/devices" "$work/devices"
	sed -i '/nvidia-uvm$/d' "$host/proc/devices"
	module nvidia-uvm "$work/devices" "$host/proc/devices"
	rm -rf "$host/sys/module/nvidia_uvm"
}
called() {
	cat "$work/called" 2> /dev/null || true
	rm -f "$work/called"
}
configure() { # JQ-FILTER
	jq "$1" < "$host/davit.json" > "$work/davit.json"
	cat "$work/davit.json" > "$host/davit.json"
}
# The hook's line: runc shows it; crun drops what hooks say.
hook_says() { # NAME EXTENDED-REGULAR-EXPRESSION
	if [ "${ENGINE##*/}" = runc ]; then
		matches "$1" "$2" "$errors"
	else
		equal "$1 (crun doesn't show what)" 1 "$((rc != 0))"
	fi
}
with_uvm='nvidia-smi -L | wc -l; nodeprobe /dev/nvidia-uvm'
starts() { # NAME: a container with nvidia-uvm
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all
	run_script "$with_uvm"
	matches "$1: it starts" '^2$' "$output$errors"
	matches "$1: and may open nvidia-uvm" '^/dev/nvidia-uvm: (ok|ENXIO|ENODEV)$' "$output"
	drop_bundle
}

# --- nodes ---------------------------------------------------------------------------------------

"$fixture/fake-host" "$host"
before=$(stat -c '%n %a %u %t:%T' "$host"/dev/nvidia-uvm*)
rm "$host"/dev/nvidia-uvm*
name="nvidia-uvm's nodes are missing ($with)"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
plan=$("$davit" explain --bundle "$bundle" --config "$config")
matches "$name: explain says that they will be made" 'davit creates the node on the host first' "$plan"
matches "$name: so does --why" '^  because  .*davit creates the node on the host first' \
	"$("$davit" explain --bundle "$bundle" --config "$config" --why /dev/nvidia-uvm)"
equal "$name: and makes none" '' "$(find "$host/dev" -name '*uvm*')"
drop_bundle
starts "$name"
equal "$name: they are as the driver's own" "$before" "$(stat -c '%n %a %u %t:%T' "$host"/dev/nvidia-uvm*)"
equal "$name: no module was loaded" '' "$(called)"
starts "nvidia-uvm's nodes are there again ($with)"

rm "$host/dev/nvidia0"
name="a GPU's node is missing ($with)"
new_bundle debian NVIDIA_VISIBLE_DEVICES=1
run_script 'nvidia-smi -L | wc -l'
equal "$name: a container with the other one doesn't make it" '1 absent' \
	"$output $([ -e "$host/dev/nvidia0" ] || echo absent)"
drop_bundle
starts "$name"

name="missing nodes, load-modules false ($with)"
"$fixture/fake-host" "$host"
configure '.driver."load-modules" = false'
rm "$host/dev/nvidia-uvm"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "$with_uvm"
hook_says "$name: the error names it and what to do" \
	'/dev/nvidia-uvm to the container: the host has no such node \(fix: run `davit system prepare`'
equal "$name: none is made" absent "$([ -e "$host/dev/nvidia-uvm" ] || echo absent)"
host_unchanged "$name"
drop_bundle

name="missing nodes, ModifyDeviceFiles 0 ($with)"
"$fixture/fake-host" "$host"
sed -i 's/^ModifyDeviceFiles: 1/ModifyDeviceFiles: 0/' "$host/proc/driver/nvidia/params"
rm "$host/dev/nvidia-uvm"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "$with_uvm"
hook_says "$name: the error says why" 'ModifyDeviceFiles is 0'
host_unchanged "$name"
drop_bundle

# --- modules -------------------------------------------------------------------------------------

name="the module nvidia-uvm isn't loaded ($with)"
without_uvm
starts "$name"
equal "$name: how modprobe was called" \
	'modprobe nvidia-uvm [LANG=C] 0:/dev/null 1:/dev/null 2:pipe:[ default' \
	"$(called | sed 's/pipe:\[[0-9]*/pipe:[/')"
starts "the module nvidia-uvm is loaded now ($with)"
equal "the module nvidia-uvm is loaded now ($with): modprobe isn't called" '' "$(called)"

name="the module nvidia-uvm can't be loaded ($with)"
without_uvm
rm "$work/modules/nvidia-uvm"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "$with_uvm"
hook_says "$name: modprobe's first line is in the error" \
	'modprobe: FATAL: Module nvidia-uvm not found in the test\. \(fix: run `davit system prepare`'
called > /dev/null
drop_bundle
new_bundle debian NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=utility
run_script 'nvidia-smi -L | wc -l'
equal "$name: who doesn't need it, doesn't care" '2 ' "$output $(called)"
drop_bundle

name="a modprobe that others can write ($with)"
without_uvm
chmod 0777 "$work/upper/modprobe" "$sbin/modprobe"
new_bundle debian NVIDIA_VISIBLE_DEVICES=all
run_script "$with_uvm"
hook_says "$name: is refused" 'modprobe: it must be a regular file that only root can write'
equal "$name: and not run" '' "$(called)"
chmod 0755 "$sbin/modprobe"
drop_bundle

name="the module nvidia isn't loaded ($with)"
"$fixture/fake-host" "$host"
module nvidia "$host/proc/driver/nvidia" "$host/proc/driver/nvidia"
starts "$name"
matches "$name: modprobe was called once" '^modprobe nvidia \[LANG=C\]' "$(called)"

if [ "$CGROUP" = v2 ] && [ "${ENGINE##*/}" = runc ]; then
	name="a modprobe that hangs ($with)"
	without_uvm
	: > "$work/slow"
	new_bundle debian NVIDIA_VISIBLE_DEVICES=all
	started=$SECONDS
	run_script "$with_uvm"
	hook_says "$name: is given up" 'run modprobe: it didn.t finish within 10 s'
	equal "$name: within seconds" 1 "$((SECONDS - started < 20))"
	equal "$name: and killed" '' "$(pgrep -f '^modprobe nvidia-uvm' || true)"
	rm "$work/slow"
	called > /dev/null
	drop_bundle
fi

# --- davit system prepare ------------------------------------------------------------------------

name='davit system prepare'
without_uvm
stale=$(stat -c '%t:%T' "$host/dev/nvidia1")
rm -r "$host"/dev/{nvidia0,nvidiactl,nvidia-caps,nvidia-modeset} "$host/sys/module/nvidia_modeset"
rm "$host/dev/nvidia1"
mknod "$host/dev/nvidia1" c 195 99
mkdir "$work/modeset"
module nvidia-modeset "$work/modeset" "$host/sys/module/nvidia_modeset"
rc=0
output=$("$davit" system prepare --config "$config" 2>&1) || rc=$?
uvm=$(awk '$2 == "nvidia-uvm" { print $1; exit }' "$host/proc/devices")
caps=$(awk '$2 == "nvidia-caps" { print $1; exit }' "$host/proc/devices")
equal "$name: says what it did" "0 loaded the kernel module nvidia-uvm
loaded the kernel module nvidia-modeset
created $host/dev/nvidiactl (c 195:255)
created $host/dev/nvidia-uvm (c $uvm:0)
created $host/dev/nvidia-uvm-tools (c $uvm:1)
created $host/dev/nvidia-modeset (c 195:254)
created $host/dev/nvidia0 (c 195:0)
replaced the stale $host/dev/nvidia1 (c 195:1)
created $host/dev/nvidia-caps/nvidia-cap1 (c $caps:1)
created $host/dev/nvidia-caps/nvidia-cap2 (c $caps:2)" "$rc $output"
equal "$name: the stale node has its number" "$stale" "$(stat -c '%t:%T' "$host/dev/nvidia1")"
equal "$name: capabilities have their own modes" '400 444' \
	"$(stat -c %a "$host"/dev/nvidia-caps/nvidia-cap1) $(stat -c %a "$host"/dev/nvidia-caps/nvidia-cap2)"
called > /dev/null
equal "$name: again, nothing" 'everything is in place' \
	"$("$davit" system prepare --config "$config" 2>&1)"
equal "$name: and modprobe isn't called" '' "$(called)"
report_exit
