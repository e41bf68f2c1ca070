# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2154 # variables of bench.sh and tests/lib
# Each method to get a GPU, compared with the runtime alone: one start at a time and many at once, with
# runc and crun; and the time of davit-runtime's edit. Sourced by bench.sh.

# davit-runtime reads its configuration only from the fixed path, and executes this program.
configure_low_level() { # PROGRAM
	mountpoint -q /etc/davit || { mkdir -p /etc/davit && mount -t tmpfs tmpfs /etc/davit; }
	jq --arg low "$1" '.runtime = ((.runtime // {}) + {candidates: [$low]})' "$config" > /etc/davit/config.json
}

# NVIDIA's toolkit beside davit, where NVIDIA_TOOLKIT names the folder of its programs.
configure_nvidia() { # LOW-LEVEL
	local driver_root
	[ -n "${NVIDIA_TOOLKIT:-}" ] || return 0
	driver_root=$(jq -r '.driver.root // "/"' "$config")
	export XDG_CONFIG_HOME=$work/nvidia PATH=$NVIDIA_TOOLKIT:$PATH
	mkdir -p "$XDG_CONFIG_HOME/nvidia-container-runtime"
	cat > "$XDG_CONFIG_HOME/nvidia-container-runtime/config.toml" <<- END
		[nvidia-container-cli]
		root = "$driver_root"
		[nvidia-container-runtime]
		log-level = "error"
		runtimes = ["$1"]
		[nvidia-ctk]
		path = "$NVIDIA_TOOLKIT/nvidia-ctk"
	END
	[ -e "$work/nvidia.json" ] || "$NVIDIA_TOOLKIT/nvidia-ctk" --quiet cdi generate --driver-root "$driver_root" \
		--dev-root / --nvidia-cdi-hook-path "$NVIDIA_TOOLKIT/nvidia-cdi-hook" --format json \
		--output "$work/nvidia.json"
}

# The CDI spec of davit.
write_spec() { # [OPTION...]
	"$davit" cdi generate --config "$config" --output "$work/cdi.json" "$@" 2> /dev/null
}

# Applies the device `all` of a CDI spec to the bundle, as an engine does.
apply_cdi() { # SPEC
	local spec=$1 path name nodes='[]'
	jq '[.containerEdits, (.devices[] | select(.name == "all") | .containerEdits)] |
		{env: map(.env // []) | add, mounts: map(.mounts // []) | add,
		hooks: map(.hooks // []) | add, nodes: map(.deviceNodes // []) | add}' "$spec" > "$work/edits.json"
	while IFS=$'\t' read -r name path; do
		nodes=$(jq -c --arg name "$name" --argjson major "$((16#$(stat -L -c %t "$path")))" \
			--argjson minor "$((16#$(stat -L -c %T "$path")))" '. + [{path: $name, type: "c",
			major: $major, minor: $minor, fileMode: 438, uid: 0, gid: 0}]' <<< "$nodes")
	done < <(jq -r '.nodes[] | [.path, .hostPath // .path] | @tsv' "$work/edits.json")
	edit_bundle --argjson nodes "$nodes" --slurpfile edits "$work/edits.json" '$edits[0] as $e |
		.process.env += $e.env | .linux.devices += $nodes |
		.linux.resources.devices += ($nodes | map({allow: true, type, major, minor, access: "rw"})) |
		.mounts += ($e.mounts | map({destination: .containerPath, source: .hostPath, type: "bind", options})) |
		.hooks.createContainer += ($e.hooks | map({path, args}))'
}

# What davit-runtime would leave of the bundle, for the runtime alone to start.
edit_before() { # [JQ-FILTER]
	mkdir -p "$bundle"/{upper,work}
	mount -t overlay overlay "$bundle/rootfs" -o "lowerdir=$root,upperdir=$bundle/upper,workdir=$bundle/work"
	configure_low_level /bin/true
	"$runtime" create -b "$bundle" nobody
	umount "$bundle/rootfs"
	edit_bundle "${1:-.}"
}

# method_bundle METHOD NAME: sets `bundle` and `program`, which starts it.
method_bundle() {
	local words=("$hook" prestart)
	hook_command
	[ ${#hook_words[@]} -lt 4 ] || words=("$hook" --config "$config" prestart)
	program=$low
	case $1 in
	none | empty | floor) bench_bundle "$2" ;;
	nothing-asked) bench_bundle "$2" && program=$runtime ;;
	hook | record | edited | edited-alone) gpu_bundle "$2" "$devices" ;;
	runtime) gpu_bundle "$2" "$devices" && program=$runtime ;;
	cdi) bench_bundle "$2" && write_spec --mounts hook && apply_cdi "$work/cdi.json" ;;
	cdi-spec) bench_bundle "$2" && write_spec --mounts spec && apply_cdi "$work/cdi.json" ;;
	nvidia-cdi) bench_bundle "$2" && apply_cdi "$work/nvidia.json" ;;
	nvidia-runtime) gpu_bundle "$2" "$devices" && program=$NVIDIA_TOOLKIT/nvidia-container-runtime ;;
	esac
	case $1 in
	empty) add_hook "$bench_build/empty" ;;
	floor)
		gpu_bundle "$2" "$devices"
		[ -e "$work/plan-methods" ] || floor_plan "$root" "$work/plan-methods"
		sed "s|^root .*|root $bundle/rootfs|" "$work/plan-methods" > "$bundle/plan"
		add_hook "$bench_build/floor" "$bundle/plan"
		;;
	hook) add_hook "${words[@]}" ;;
	record)
		add_hook "$hook" -record "${words[@]:1}"
		edit_bundle '.hooks.poststop = [{path: $hook, args: ["davit-hook", "poststop"]}]' --arg hook "$hook"
		;;
	edited) edit_before ;;
	edited-alone) edit_before 'del(.hooks.poststop)' ;;
	esac
	[ "$program" = "$low" ] || cp "$bundle/config.json" "$bundle/config.fresh"
}

method_case() { # METHOD ENGINE
	method_bundle "$1" "methods-$2-$1"
	add_case "$cases" "$1" mount "$bundle" "$root" "$program" --root "$work/state-$2" run \
		-b "$bundle" "davit-bench-$2-$1"
}

# As an engine starts a container: create, start, delete. nvidia-container-runtime edits nothing on
# `run`.
lifecycle_case() { # METHOD
	method_bundle "$1" "lifecycle-$1"
	add_case "$cases" "$1" mount "$bundle" "$root" /bin/sh "$work/lifecycle" "$program" \
		"$work/state-lifecycle" "$bundle" "davit-bench-lifecycle-$1"
}

# A bundle for each of those that run at once.
load_case() { # METHOD ENGINE
	local first slot
	method_bundle "$1" "load-$2-$1-0"
	first=$bundle
	for ((slot = 1; slot < slots; slot++)); do
		bundle=${first%-0}-$slot
		mkdir -p "$bundle/rootfs"
		for file in config.json config.fresh plan; do
			[ ! -e "$first/$file" ] ||
				sed "s|load-$2-$1-0|load-$2-$1-$slot|g" "$first/$file" > "$bundle/$file"
		done
	done
	add_case "$cases" "$1" mount "${first%-0}-@" "$root" "$program" --root "$work/state-$2" run \
		-b "${first%-0}-@" "davit-bench-load-$2-$1-@"
}

group_methods() {
	local engine low program method slots=${SLOTS:-32} starts=${STARTS:-96} nvidia=()
	[ -z "${NVIDIA_TOOLKIT:-}" ] || nvidia=(nvidia-cdi nvidia-runtime)
	if ! within v2 true 2> /dev/null; then
		printf 'not measured: the methods, without cgroup v2\n' >&2
		return
	fi
	choose_host "${runc_counts[0]}"
	for engine in runc crun; do
		low=$(command -v $engine) || continue
		ENGINE=$engine
		spare_crun_memlock
		[ "$ENGINE" = $engine ] || low=$ENGINE
		# A folder of carried programs may be anybody's, whose programs davit-runtime doesn't run.
		if [ -n "${bin:-}" ]; then
			mkdir -p "$work/low-level"
			cp -L "$low" "$work/low-level/$engine"
			low=$work/low-level/$engine
		fi
		new_cases
		for method in none empty hook record floor runtime nothing-asked edited edited-alone \
			cdi cdi-spec; do
			# crun takes it for a failure when nobody reads the state.
			[ "$method-$engine" != empty-crun ] || continue
			[ "$method" != floor ] || [ -n "$unified" ] || continue
			method_case "$method" $engine
		done
		configure_low_level "$low"
		printf 'measuring: methods, %s\n' $engine >&2
		within v2 "$measure" -r "$ROUNDS" "$cases" | add_results methods-$engine
		new_cases
		for method in none hook record runtime nothing-asked cdi cdi-spec; do
			load_case "$method" $engine
		done
		configure_low_level "$low"
		printf 'measuring: methods, %s, %s starts, %s at once\n' $engine "$starts" "$slots" >&2
		within v2 "$measure" -r "${LOAD_ROUNDS:-3}" -p "$slots" -n "$starts" "$cases" |
			add_results load-$engine
	done
	low=$work/low-level/runc
	[ -e "$low" ] || low=$(command -v runc)
	cat > "$work/lifecycle" << 'END'
"$1" --root "$2" create -b "$3" "$4" && "$1" --root "$2" start "$4" && "$1" --root "$2" delete --force "$4"
END
	configure_nvidia "$low"
	new_cases
	for method in none hook runtime cdi cdi-spec "${nvidia[@]}"; do
		lifecycle_case "$method"
	done
	configure_low_level "$low"
	printf 'measuring: methods, create, start, delete\n' >&2
	within v2 "$measure" -r "$ROUNDS" "$cases" | add_results methods-lifecycle
	new_cases
	low=/bin/true
	configure_low_level $low
	gpu_bundle edit-asked "$devices"
	cp "$bundle/config.json" "$bundle/config.fresh"
	add_case "$cases" asked mount "$bundle" "$root" "$runtime" create -b "$bundle" nobody
	bench_bundle edit-nothing
	add_case "$cases" nothing-asked mount "$bundle" "$root" "$runtime" create -b "$bundle" nobody
	add_case "$cases" without mount "$bundle" "$root" $low
	measure_group edit -r "$ROUNDS"
}
