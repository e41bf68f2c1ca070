#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# report.sh RESULTS.JSON DIRECTORY: the tables of a run of tests/bench.sh, and its charts in a directory.
set -euo pipefail
results=$1 charts=$2

# rows GROUP: name, median and 99th percentile in ms, calls, mounts, faults, memory in KiB, least ms,
# time on processors
rows() {
	jq -r --arg group "$1" '.results[] | select(.group == $group) |
		[.name, .median_us / 1000, .p99_us / 1000, .calls // "-", .mounts, .faults, .memory_kib,
			.min_us / 1000, (.cpu_us // 0) / 1000] | @tsv' \
		"$results"
}

has() { # GROUP
	jq -e --arg group "$1" 'any(.results[]; .group == $group)' "$results" > /dev/null
}

verdict='function verdict(value, limit) { return value <= limit ? "ok" : "OVER" }'

table_gpus() {
	rows gpus | awk -F '\t' "$verdict"'
		$1 == "empty" { empty = $0; next }
		{ split($1, part, "-"); count = part[2]; line[part[1], count] = $0 }
		part[1] == "hook" { counts[++n] = count }
		END {
			printf "%-6s %8s %8s %8s %8s %6s %-9s %8s %6s %6s %7s %7s %6s\n", "GPUs", "hook ms", "p99",
				"floor ms", "p99", "ratio", "limit 2.0", "of least", "calls", "floor", "mounts",
				"faults", "KiB"
			for (i = 1; i <= n; i++) {
				split(line["hook", counts[i]], h, "\t")
				split(line["floor", counts[i]], f, "\t")
				printf "%-6s %8.2f %8.2f %8.2f %8.2f %6.2f %-9s %8.2f %6s %6s %3d/%-3d %7d %6d\n",
					counts[i], h[2], h[3], f[2], f[3], h[2] / f[2], verdict(h[2] / f[2], 2),
					h[8] / f[8], h[4], f[4], h[5], f[5], h[6], h[7]
			}
			split(empty, e, "\t")
			printf "%-6s %8.2f %8.2f %43s %6s %22s %6d\n", "empty", e[2], e[3], "", e[4], "", e[7]
		}'
}

# In order, with the methods' names in the report.
method_titles='
	title["none"] = "the runtime alone"
	title["empty"] = "an empty program as hook"
	title["floor"] = "floor program as hook"
	title["hook"] = "davit-hook"
	title["record"] = "davit-hook -record, poststop"
	title["runtime"] = "davit-runtime"
	title["nothing-asked"] = "davit-runtime, nothing asked"
	title["edited"] = "createContainer, poststop"
	title["edited-alone"] = "createContainer"
	title["cdi"] = "CDI"
	title["cdi-spec"] = "CDI, --mounts spec"
	title["nvidia-cdi"] = "NVIDIA\047s toolkit, CDI"
	title["nvidia-runtime"] = "nvidia-container-runtime"'

table_methods() { # GROUP
	rows "$1" | awk -F '\t' "$verdict"'
		BEGIN { '"$method_titles"' }
		{ order[++n] = $1; median[$1] = $2; high[$1] = $3; least[$1] = $8; cpu[$1] = $9 }
		function share(method) { return median[method] - median["none"] }
		function limit(method) {
			if (method ~ /^(runtime|cdi)$/)
				return sprintf("limit 1.5 of the hook: %.2f %s", share(method) / share("hook"),
					verdict(share(method) / share("hook"), 1.5))
			if (method == "edited-alone")
				return sprintf("limit 1.3 of the hook: %.2f %s", share(method) / share("hook"),
					verdict(share(method) / share("hook"), 1.3))
			if (method == "nothing-asked")
				return "limit 0.8: " verdict(share(method), 0.8)
			if (method == "edited")
				return sprintf("poststop %+.2f, limit 1: %s", median[method] - median["edited-alone"],
					verdict(median[method] - median["edited-alone"], 1))
			return ""
		}
		END {
			printf "%-30s %8s %8s %8s %8s %8s %8s\n", "", "ms", "added", "p99", "least", "CPU ms", "added"
			for (i = 1; i <= n; i++)
				printf "%-30s %8.2f %+8.2f %8.2f %8.2f %8.2f %+8.2f  %s\n", title[order[i]], median[order[i]],
					share(order[i]), high[order[i]], least[order[i]], cpu[order[i]],
					cpu[order[i]] - cpu["none"], limit(order[i])
		}'
}

table_load() { # GROUP
	jq -r --arg group "$1" '.results[] | select(.group == $group) | [.name, .wall_us / 1000000, .starts,
		.median_us / 1000, .p99_us / 1000, .cpu_us / 1000] | @tsv' "$results" |
		awk -F '\t' "$verdict"'
			BEGIN { '"$method_titles"' }
			$1 == "none" { none = $2 }
			{ order[++n] = $1; wall[$1] = $2; starts = $3; median[$1] = $4; high[$1] = $5; cpu[$1] = $6 }
			END {
				printf "%-30s %8s %8s %9s %8s %8s %8s\n", "", "s", "added", "per s", "ms", "p99", "CPU ms"
				for (i = 1; i <= n; i++)
					printf "%-30s %8.3f %+7.1f%% %9.0f %8.1f %8.1f %8.2f  %s\n", title[order[i]], wall[order[i]],
						100 * (wall[order[i]] / none - 1), starts / wall[order[i]], median[order[i]],
						high[order[i]], cpu[order[i]], order[i] == "none" ? "" : \
						"limit 5%: " verdict(wall[order[i]] / none, 1.05)
			}'
}

table_edit() {
	rows edit | awk -F '\t' '
		{ median[$1] = $2; high[$1] = $3 }
		END {
			printf "asks for all: %+.2f ms; asks for nothing: %+.2f ms (beside the empty runtime, %.2f ms)\n",
				median["asked"] - median["without"], median["nothing-asked"] - median["without"],
				median["without"]
		}'
}

table_early() {
	rows early | awk -F '\t' "$verdict"'
		{ median[$1] = $2; high[$1] = $3; calls[$1] = $4; faults[$1] = $6; memory[$1] = $7 }
		END {
			ratio = median["hook"] / median["empty"]
			printf "hook %.3f ms (p99 %.3f), empty program %.3f ms (p99 %.3f): %.2f times, limit 1.5: %s\n",
				median["hook"], high["hook"], median["empty"], high["empty"], ratio, verdict(ratio, 1.5)
			printf "%s calls, %d faults (empty: %d), %d KiB\n", calls["hook"], faults["hook"],
				faults["empty"], memory["hook"]
		}'
}

table_config() {
	printf '%-10s %9s %9s %8s\n' 'KB' 'hook ms' p99 KiB
	rows config | awk -F '\t' '{ printf "%-10s %9.2f %9.2f %8d\n", $1, $2, $3, $7 }'
}

table_runc() { # GROUP
	rows "$1" | awk -F '\t' "$verdict"'
		$1 == "none" { none = $2 }
		{ printf "%-10s %9.2f %9.2f", $1, $2, $3 }
		$1 != "none" { printf "   %+.2f ms", $2 - none }
		$1 ~ /^hook/ { printf "  limit 3: %s", verdict($2 - none, 3) }
		{ printf "\n" }'
}

table_libraries() { # GROUP
	rows "$1" | awk -F '\t' "$verdict"'
		{ split($1, part, "-"); median[part[1], part[2]] = $2; high[part[1], part[2]] = $3 }
		part[1] == "hook" { counts[++n] = part[2] }
		END {
			printf "%-10s %9s %9s %12s %-10s %12s %9s\n", "libraries", "hook ms", "p99", "over 0: ms",
				"limit 10", "ldconfig ms", "p99"
			for (i = 1; i <= n; i++) {
				c = counts[i]
				more = median["hook", c] - median["hook", 0]
				printf "%-10s %9.2f %9.2f %12.2f %-10s %12.2f %9.2f\n", c, median["hook", c],
					high["hook", c], more, verdict(more, 10), median["ldconfig", c], high["ldconfig", c]
			}
		}'
}

section() { # GROUP TITLE TABLE
	has "$1" || return 0
	printf '\n%s\n' "$2"
	"$3" "$1"
}

jq -r '"\(.version) \(.commit), Linux \(.kernel), \(.cpus) CPUs, \(.model)",
	"davit-hook: \(.hook_bytes) bytes stripped, limit 1200000: \(if .hook_bytes <= 1200000 then "ok" else "OVER" end)",
	([.results[] | select(.name | startswith("hook")) | select(.group == "gpus" or .group == "early") | .memory_kib] |
	max // empty | "peak memory: \(.) KiB, limit 4096: \(if . <= 4096 then "ok" else "OVER" end)")' \
	"$results"
rounds=$(jq '[.results[].rounds] | min' "$results")
printf 'medians and 99th percentiles of at least %s rounds in turns; what containers write lies %s\n' \
	"$rounds" "$(jq -r .layers "$results")"
for engine in runc crun; do
	section methods-$engine "Every method: $engine run /bin/true, cgroup v2" table_methods
	section load-$engine "Many at once: $(jq -r --arg group load-$engine 'first(.results[] |
		select(.group == $group) | "\(.starts) starts, \(.at_once) at once")' "$results"), $engine" table_load
done
section methods-lifecycle 'As an engine starts it: runc create, start and delete of /bin/true, cgroup v2' table_methods
section edit "davit-runtime create with /bin/true as the low-level runtime" table_edit
section gpus 'The hook and the floor program, which does the same and nothing else' table_gpus
section early 'Leaving early: a container that asks for nothing, config.json as from Docker' table_early
section runc-v2 'runc run /bin/true, cgroup v2' table_runc
section runc-v1 'runc run /bin/true, cgroup v1' table_runc
section libraries 'Libraries in the image: the hook, and ldconfig on the same root' table_libraries
section cold 'The same with cold caches' table_libraries
section config 'Growth with config.json (a container that asks for nothing)' table_config

# --- the charts ----------------------------------------------------------------------------------

if command -v python3 > /dev/null; then
	"$(dirname "$0")/../../docs/pictures/plot" "$results" "$charts"
fi
