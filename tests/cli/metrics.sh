#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# davit metrics: what it counts in a log that the hook has written, and in one that it hasn't; the text
# format; a file that is replaced in one step.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
make_work
log=$work/davit.log
format=$repository/tests/cli/prometheus.py

value() { # SERIES: of $output
	awk -v series="$1" '$1 == series { print $2 }' <<< "$output"
}
metrics() { # OPTION...
	rc=0
	output=$("$davit" metrics "$@" 2>&1) || rc=$?
}

# --- a log of every kind of line -------------------------------------------------------------------

date=2026-11-29T10:00:00.000Z
cat > "$log" << END
$date davit[1]:    1.500 ms info: container a: GPUs: 0; 5 nodes, 19 mounts, 9 links; by env NVIDIA_VISIBLE_DEVICES; driver 580.1
$date davit[2]:   40.250 ms info: container error: unknown-device: GPUs: 1; 5 nodes
$date davit[3]:    0.900 ms debug: the container requests no GPU
$date davit[4]:    2.000 ms error: unknown-device: davit: cannot inject GPU 7: the host has 2 GPUs
$date davit[5]:    2.000 ms error: no-driver: davit: cannot use the driver
$date davit[5]:    2.000 ms error: no-driver: davit: cannot use the driver
$date davit[6]:    2.000 ms error: davit: cannot do what versions without codes couldn't
$date davit[7]:    2.000 ms warning: what was made in container a stays
$date davit[8]: 40000.000 ms info: container slow: GPUs: 0
$date davit[9]:    nan ms info: container b: GPUs: 0
$date davit[9]:    -1 ms info: container b: GPUs: 0
not a line of davit's, "with" {braces}
$date davit[10]: $(printf 'x%.0s' {1..5000}) ms info: container c: GPUs: 0

END
printf '%s davit[11]:    1.000 ms info: container last: GPUs' "$date" >> "$log"
metrics --log "$log"
equal 'metrics: the format is Prometheus' '0 ' "$rc $("$format" <<< "$output")"
equal 'metrics: containers' 4 "$(value davit_containers_total)"
equal 'metrics: failures by code' '1 2 0 1' "$(value 'davit_failures_total{code="unknown-device"}') $(value \
	'davit_failures_total{code="no-driver"}') $(value 'davit_failures_total{code="system"}') $(value 'davit_failures_total{code="other"}')"
equal 'metrics: every code has its series' "$(sed -n 's/.*\[ERROR_[A-Z_]*\] = "\(.*\)",$/\1/p' "$repository/src/base/error.c" |
	sed '/^none$/d' | sort)" "$(sed -n 's/^davit_failures_total{code="\(.*\)"} .*/\1/p' <<< "$output" | sed '/^other$/d' | sort)"
equal 'metrics: times, in seconds' '1 2 3 3 4 40.042750' "$(value 'davit_container_seconds_bucket{le="0.001"}') $(value \
	'davit_container_seconds_bucket{le="0.002"}') $(value 'davit_container_seconds_bucket{le="0.05"}') $(value \
	'davit_container_seconds_bucket{le="30"}') $(value 'davit_container_seconds_bucket{le="+Inf"}') $(value davit_container_seconds_sum)"
equal 'metrics: warnings, and lines that are not understood' '1 5' \
	"$(value davit_warnings_total) $(value davit_unknown_lines_total)"
metrics --log "$work/none"
equal 'metrics: a log that does not exist yet counts nothing' '0 0 ' \
	"$rc $(value davit_containers_total) $("$format" <<< "$output")"
metrics --log "$work"
matches 'metrics: a directory is no log' '^1 davit: cannot read the log .*: not a regular file' "$rc $output"
mkfifo "$work/fifo"
metrics --log "$work/fifo"
matches 'metrics: nor is a FIFO, and nothing waits for it' '^1 davit: cannot read the log' "$rc $output"

# --- the configuration's log, the hook's lines -----------------------------------------------------

printf '{}\n' > "$work/davit.json"
metrics --config "$work/davit.json"
matches 'metrics: without log.file the message says what to set' '^1 davit: cannot count containers: .*\(fix: set log.file' "$rc $output"
rm "$log"
printf '{"driver": {"root": "%s"}, "log": {"file": "%s", "level": "info"}}\n' "$work/nothing" "$log" > "$work/davit.json"
mkdir -p "$work/bundle/rootfs"
printf '{"ociVersion": "1.0.2", "root": {"path": "rootfs"}, "process": {"args": ["x"], "cwd": "/", "env": ["NVIDIA_VISIBLE_DEVICES=all"]}}\n' \
	> "$work/bundle/config.json"
printf '{"ociVersion": "1.0.2", "id": "c", "status": "creating", "pid": %s, "bundle": "%s"}\n' $$ "$work/bundle" |
	"$hook" --config "$work/davit.json" prestart > "$work/out" 2>&1 || true
metrics --config "$work/davit.json"
equal 'metrics: a failure of the hook has its code' '0 1 0' "$rc $(awk -F '[{ ]' '$1 == "davit_failures_total" {
	n += $NF } END { print n }' <<< "$output") $(value 'davit_failures_total{code="other"}')"

# --- the file --------------------------------------------------------------------------------------

rm -rf "$work/node" && mkdir "$work/node"
metrics --config "$work/davit.json" --doctor --output "$work/node/davit.prom"
equal 'metrics: the file is written, and nothing else' '0  davit.prom' "$rc $output $(cd "$work/node" && echo *)"
output=$(< "$work/node/davit.prom")
equal 'metrics: its format is Prometheus, doctor included' '' "$("$format" < "$work/node/davit.prom")"
equal 'metrics: everybody may read it' 644 "$(stat -c %a "$work/node/davit.prom")"
equal "metrics: doctor's results" "$("$davit" doctor --config "$work/davit.json" --json |
	jq -r '.checks[] | "\(.id) \({ok: 0, skip: 0, warn: 1, fail: 2, unknown: 3}[.result])"')" \
	"$(sed -nE 's/^davit_check_status\{id="(.*)"\} (.*)/\1 \2/p' <<< "$output")"
before=$(stat -c %i "$work/node/davit.prom")
metrics --config "$work/davit.json" --output "$work/node/davit.prom"
equal 'metrics: it is replaced, not written into' no "$([ "$(stat -c %i "$work/node/davit.prom")" = "$before" ] && echo yes || echo no)"
report_exit
