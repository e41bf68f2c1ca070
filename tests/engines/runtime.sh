#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit-runtime in the place of the runtime, in both modes: what containers get.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
enter_namespace "$@"
make_work
host=$work/host
config=$host/davit.json
"$fixture/fake-host" "$host" --mig
spare_crun_memlock
low=$(command -v "$ENGINE")
name_of_engine=${ENGINE##*/}
ENGINE=$runtime
one=$(smi_line 0 "$uuid1")

# gets_gpu NAME: the container at $bundle, which asks for GPU 1, has it.
gets_gpu() {
	local name="$1 ($with)"
	run_script 'nvidia-smi -L; dlprobe libcuda.so.1; nodeprobe /dev/nvidia0 /dev/nvidia1; ldconfig -p | grep -c "libcuda.so.1 (libc6,x86-64)"'
	equal "$name" "0 $one
libcuda.so.1: /usr/lib/x86_64-linux-gnu/libcuda.so.1
/dev/nvidia0: ENOENT
/dev/nvidia1: ENXIO
1" "$rc ${output//: \/lib\//: /usr/lib/}$errors"
	host_unchanged "$name"
}

give_proc() { # a prestart hook that gives the container /proc/driver/nvidia (see proc-mask.sh)
	cat > "$work/give-proc" << 'END'
#!/bin/sh
pid=$(jq .pid)
exec nsenter --mount="/proc/$pid/ns/mnt" sh -c "
	mount -t tmpfs tmpfs '$2/proc/driver' && cp -r '$1/proc/driver/nvidia' '$2/proc/driver/'"
END
	chmod +x "$work/give-proc"
	edit_bundle '.hooks.prestart = [{path: $give, args: ["give-proc", $host, $root],
		env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]' \
		--arg give "$work/give-proc" --arg host "$host" --arg root "$bundle/rootfs"
}

for way in spec spec-mounts hook; do
	mode=${way%-mounts}
	with="davit-runtime, mode $way, $name_of_engine, cgroup $CGROUP"
	configure_runtime "$low" ".runtime.mode = \"$mode\" | .runtime.mounts = \"$([ "$way" = "$mode" ] && echo auto || echo spec)\""

	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	gets_gpu 'one GPU'
	equal "the hooks of config.json ($with)" \
		"$([ "$mode" = spec ] && echo createContainer poststop || echo poststop prestart)" \
		"$(jq -r '.hooks | keys | join(" ")' < "$bundle/config.json")"
	gets_gpu 'the same bundle again'
	equal "the same bundle again ($with): one hook each" 2 "$(jq '[.hooks[][]] | length' < "$bundle/config.json")"
	drop_bundle

	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	edit_bundle '.root.path = "rootfs" | .root.readonly = true'
	gets_gpu 'a relative root.path, root.readonly'
	drop_bundle

	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	read_only_root
	edit_bundle '.root.readonly = true'
	gets_gpu 'a root on a read-only mount'
	# Nothing can be made in it, so there will be nothing to remove.
	[ "$mode" = hook ] || equal "a root on a read-only mount ($with): no poststop hook" createContainer \
		"$(jq -r '.hooks | keys | join(" ")' < "$bundle/config.json")"
	drop_bundle

	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	mkdir "$bundle/volume"
	edit_bundle '.mounts += [{destination: "/usr/local", type: "bind", source: "\($b)/volume", options: ["rbind", "ro"]},
		{destination: "/usr/bin/", type: "bind", source: "\($b)/rootfs/usr/bin", options: ["rbind", "ro"]}]' --arg b "$bundle"
	gets_gpu 'a read-only volume where a program goes'
	drop_bundle

	# The image's own file stands where a link goes.
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	echo old > "$bundle/rootfs/usr/lib/x86_64-linux-gnu/libcuda.so.1"
	gets_gpu 'a libcuda.so.1 in the image'
	drop_bundle

	for hooks in '{prestart: [$h]}' '{createRuntime: [$h]}' '{prestart: [$o, $h], createRuntime: [$h, $o]}'; do
		runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
		edit_bundle '{path: $hook, args: ["nvidia-container-runtime-hook", "prestart"]} as $h |
			{path: "/bin/sh", args: ["sh", "-c", "cat > /dev/null"]} as $o | .hooks = '"$hooks" --arg hook "$hook"
		gets_gpu "an engine's hook: $hooks"
		if [ "$mode" = spec ]; then
			equal "an engine's hook: $hooks ($with): it is gone" 'createContainer poststop' \
				"$(jq -r '[.hooks | to_entries[] | .key as $k | .value[] | select(.args[0] != "sh") | $k] | join(" ")' < "$bundle/config.json")"
		fi
		drop_bundle
	done

	# Not an edit, but another's hook beside it: it finds that there is nothing left to do.
	if [ "$mode" = spec ]; then
		runtime_bundle debian
		edit_bundle '.annotations = {"org.davit.devices": "1"} | .hooks = {prestart:
			[{path: $other, args: ["other", "prestart"]}]}' --arg other "$work/other"
		cp "$hook" "$work/other"
		gets_gpu 'asked for by annotation, our hook registered under another name'
		drop_bundle
	fi

	if [ ! -e /proc/driver/nvidia ]; then
		runtime_bundle debian NVIDIA_VISIBLE_DEVICES=0:1
		give_proc
		run_script 'cd /proc/driver/nvidia; ls gpus; find capabilities -type f | sort; grep Modify params; (echo x > params) 2>&1 | grep -c "Read-only file system"'
		equal "the mask over /proc/driver/nvidia ($with)" "0 0000:00:06.0
capabilities/gpu0/mig/gi2/access
capabilities/gpu0/mig/gi2/ci0/access
ModifyDeviceFiles: 0
1" "$rc $output$errors"
		host_unchanged "the mask ($with)"
		drop_bundle
	fi

	runtime_bundle musl NVIDIA_VISIBLE_DEVICES=1
	run_script 'ls /usr/lib/libcuda.so.1; nodeprobe /dev/nvidia1'
	equal "a musl image ($with)" '0 /usr/lib/libcuda.so.1
/dev/nvidia1: ENXIO' "$rc $output$errors"
	drop_bundle

	# All of graphics: nodes with a group of their own.
	chown 0:44444 "$host/dev/dri/renderD129"
	chmod 0660 "$host/dev/dri/renderD129"
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1 NVIDIA_DRIVER_CAPABILITIES=all
	edit_bundle '.process.user = {uid: 1000, gid: 1000}'
	run_script 'nodeprobe /dev/dri/renderD129; id -G; ls /dev/dri/by-path | wc -l'
	if [ "$mode" = spec ]; then
		equal "a node of a group ($with)" '0 1000 44444 2' \
			"$rc $(tail -n +2 <<< "$output" | xargs)$errors"
		matches "a node of a group ($with): its members open it" '^/dev/dri/renderD129: (ENXIO|ENODEV|ok)' "$output"
	fi
	host_unchanged "capabilities all ($with)"
	drop_bundle

	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=7
	before=$(sha256sum < "$bundle/config.json")
	ENGINE_LOG=$work/log.json
	rc=0
	"$runtime" --root "$work/state" --log "$ENGINE_LOG" --log-format json create --bundle "$bundle" \
		"davit-test-$unique" > /dev/null 2> "$work/errors" < /dev/null || rc=$?
	if [ "$mode" = spec ]; then
		equal "an unknown GPU ($with): exit code 1, config.json as before" "1 $before" \
			"$rc $(sha256sum < "$bundle/config.json")"
		matches "an unknown GPU ($with): our line" '^davit: cannot .*7.*\(fix: ' "$(cat "$work/errors")"
		equal "an unknown GPU ($with): the same line in runc's log" "error $(cat "$work/errors")" \
			"$(jq -r '"\(.level) \(.msg)"' < "$ENGINE_LOG")"
	else
		matches "an unknown GPU ($with): the runtime fails" '^[1-9]' "$rc"
	fi
	rm -f "$ENGINE_LOG"
	"$low" --root "$work/state" delete -f "davit-test-$unique" > /dev/null 2>&1 || true
	drop_bundle

	for variable in none-at-all NVIDIA_VISIBLE_DEVICES=void NVIDIA_VISIBLE_DEVICES=; do
		runtime_bundle debian
		edit_bundle '.process.env += [$v] | .process.args = ["nodeprobe", "/dev/nvidiactl"]' \
			--arg v "${variable/none-at-all/A=B}"
		cp -p "$bundle/config.json" "$work/config.before"
		inode=$(stat -c %i "$bundle/config.json")
		rc=0
		output=$("$runtime" --root "$work/state" run -b "$bundle" "davit-test-$unique" 2>&1 < <(:)) || rc=$?
		equal "a container that asks for nothing ($variable, $with)" '0 /dev/nvidiactl: ENOENT' "$rc $output"
		equal "a container that asks for nothing ($variable, $with): config.json is the same file" \
			"$inode same" "$(stat -c %i "$bundle/config.json") $(cmp "$work/config.before" "$bundle/config.json" && echo same)"
		drop_bundle
	done

	# The engine's pipes: when `create` has returned, nobody has them but the container's process.
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	edit_bundle '.process.terminal = false'
	mkfifo "$bundle/out"
	exec {out}<> "$bundle/out"
	"$runtime" --root "$work/state" create -b "$bundle" --pid-file "$bundle/pid" "davit-test-$unique" > "$bundle/out" 2>&1 < /dev/null
	equal "the engine's pipes after create ($with)" "$(cat "$bundle/pid")" \
		"$(exec {out}<&-; find /proc/[0-9]*/fd -lname "$bundle/out" 2> /dev/null | cut -d / -f 3 | sort -u | grep -vx "$$" | paste -sd ' ')"
	exec {out}<&-
	"$low" --root "$work/state" delete -f "davit-test-$unique"
	drop_bundle

	# The mount namespace's user: the hook does everything.
	runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
	edit_bundle '.linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] |
		.linux.gidMappings = .linux.uidMappings'
	chown -R 100000:100000 "$bundle/rootfs"
	chmod 0755 "$bundle"
	gets_gpu 'a user namespace'
	drop_bundle
done
# A later ldconfig (an apt-get install in the container) keeps the driver: the image's own, where the
# libraries lie elsewhere; and the host's, which in an image of another distribution doesn't know that
# one's directories.
with="$name_of_engine, cgroup $CGROUP"
configure_runtime "$low"
runtime_bundle debian NVIDIA_VISIBLE_DEVICES=1
mkdir "$work/volume"
edit_bundle '.mounts += [{destination: "/usr/lib/x86_64-linux-gnu", type: "bind", source: $volume, options: ["rbind", "rw"]}]' \
	--arg volume "$work/roots/debian/usr/lib/x86_64-linux-gnu"
run_script 'rm /etc/ld.so.cache; ldconfig; dlprobe libcuda.so.1'
equal "a later ldconfig, libraries in /opt/davit/lib ($with)" '0 libcuda.so.1: /opt/davit/lib/libcuda.so.1' "$rc $output$errors"
drop_bundle
runtime_bundle rhel NVIDIA_VISIBLE_DEVICES=1
edit_bundle '.mounts += [{destination: "/mnt/ldconfig", type: "bind", source: "/sbin/ldconfig", options: ["bind", "ro"]}]'
run_script 'rm /etc/ld.so.cache; /mnt/ldconfig -f /etc/ld.so.conf -C /etc/ld.so.cache; dlprobe libcuda.so.1; cat /etc/ld.so.conf.d/zz-davit.conf | xargs'
equal "another distribution's ldconfig ($with)" '0 libcuda.so.1: /usr/lib64/libcuda.so.1
/lib64 /usr/lib64 /lib /usr/lib' "$rc ${output//: \/lib64\//: /usr/lib64/}$errors"
drop_bundle
report_exit
