#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# `davit config`: what is in force, what is wrong, and NVIDIA's configuration taken over.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
make_work
umask 022

# run ARGUMENT...: sets output (standard output), errors and rc.
run() {
	rc=0
	output=$("$davit" "$@" 2> "$work/errors") || rc=$?
	errors=$(cat "$work/errors")
}

# --- show ----------------------------------------------------------------------------------------

defaults=$repository/config/config.json
run config show --config "$defaults"
equal 'show: the shipped file is all defaults' "$(grep -cE '^\s+"[a-z-]+": [^{]' "$defaults") 0" \
	"$(grep -c '(default)$' <<< "$output") $(sed 1d <<< "$output" | grep -vc '(default)$' || true)"
printf '{"policy": {"accept-env": "privileged", "capabilities": ["utility"]}}\n' > "$work/some.json"
run config show --config "$work/some.json"
equal 'show: what differs isn'\''t marked' "policy.accept-env \"privileged\"
policy.capabilities [\"utility\"]" "$(sed 1d <<< "$output" | grep -v '(default)$' | tr -s ' ')"
equal 'show: where it is from' "$work/some.json" "$(head -n 1 <<< "$output")"
run config show --json --config "$work/some.json"
equal 'show --json: what differs' '["policy.accept-env","policy.capabilities"]' "$(jq -c .changed <<< "$output")"
jq .config <<< "$output" > "$work/shown.json"
run config show --json --config "$work/shown.json"
equal 'show --json: its answer is a configuration that means the same' "$(jq -S . "$work/shown.json")" \
	"$(jq -S .config <<< "$output")"
run config show --config "$work/none.json"
equal 'show: a file that was named must be there' 1 "$rc"

# --- check ---------------------------------------------------------------------------------------

run config check "$defaults"
equal 'check: a good file' "0 $defaults is valid" "$rc $output"
bad() { # NAME TEXT REGULAR-EXPRESSION
	printf '%s\n' "$2" > "$work/bad.json"
	run config check "$work/bad.json"
	equal "check, $1: exit code" 1 "$rc"
	matches "check, $1: one line" "^davit: cannot read $work/bad.json: $3" "$errors"
	run config check --json --config "$work/bad.json"
	equal "check --json, $1" "1 bad-config" "$rc $(jq -r .error.code <<< "$output")"
}
bad 'no JSON' $'{\n\t"cgroups": auto\n}' 'line 2, column [0-9]+: .*\(fix: '
bad 'an unknown key' '{"driver": {"rot": "/"}}' 'unknown key "driver.rot" \(fix: did you mean "driver.root"\?\)'
bad 'a value of the wrong type' '{"driver": {"load-modules": 1}}' 'driver.load-modules must be true or false'
chmod 0666 "$work/some.json"
run config check "$work/some.json"
matches 'check: others can write it' '^davit: cannot trust .*\(fix: chmod go-w ' "$errors"

# --- import --------------------------------------------------------------------------------------

# The file that NVIDIA's packages install, with every key set that it has.
cat > "$work/config.toml" << 'END'
disable-require = true
swarm-resource = "DOCKER_RESOURCE_GPU"
accept-nvidia-visible-devices-envvar-when-unprivileged = false
accept-nvidia-visible-devices-as-volume-mounts = true
supported-driver-capabilities = "compute, utility"

[nvidia-container-cli]
root = "/run/nvidia/driver"
path = "/usr/bin/nvidia-container-cli"
environment = []
debug = "/var/log/nvidia-container-toolkit.log"
ldcache = "/etc/ld.so.cache"
load-kmods = false
no-cgroups = true
user = "root:video"
ldconfig = "@/sbin/ldconfig.real"

[nvidia-container-runtime]
debug = "/var/log/nvidia-container-runtime.log"
log-level = "info"
# Specify the runtimes to consider.
runtimes = [
	"docker-runc", # of old
	'crun',
]
mode = "auto"

    [nvidia-container-runtime.modes.csv]
    mount-spec-path = "/etc/nvidia-container-runtime/host-files-for-container.d"

    [nvidia-container-runtime.modes.cdi]
    default-kind = "nvidia.com/gpu"
    annotation-prefixes = ["cdi.k8s.io/"]
    spec-dirs = ["/etc/cdi", "/var/run/cdi"]

    [nvidia-container-runtime.modes.legacy]
    cuda-compat-mode = "disabled"

[nvidia-container-runtime-hook]
path = "nvidia-container-runtime-hook"
skip-mode-detection = false

[nvidia-ctk]
path = "nvidia-ctk"

[features]
ignore-imex-channel-requests = true
disable-imex-channel-creation = true
allow-ldconfig-from-container = false
something-new = 3
END
run config import "$work/config.toml"
equal 'import: what has a counterpart' '{"policy":{"ignore-requirements":true,"env-names":["DOCKER_RESOURCE_GPU","NVIDIA_VISIBLE_DEVICES"],"accept-env":"privileged","accept-mounts":true,"capabilities":["compute","utility"],"imex":false},"driver":{"root":"/run/nvidia/driver","load-modules":false,"csv":"/etc/nvidia-container-runtime/host-files-for-container.d"},"cgroups":"never","runtime":{"candidates":["docker-runc","crun"]},"cdi":{"annotation-prefixes":["cdi.k8s.io/"],"spec-dirs":["/etc/cdi","/var/run/cdi"]},"cuda-compat":"never","log":{"file":"/var/log/nvidia-container-toolkit.log","level":"debug"}}' \
	"$(jq -c . <<< "$output")"
equal 'import: each key that has none is named' \
	"features.allow-ldconfig-from-container
features.disable-imex-channel-creation
features.something-new
nvidia-container-cli.environment
nvidia-container-cli.ldcache
nvidia-container-cli.ldconfig
nvidia-container-cli.path
nvidia-container-cli.user
nvidia-container-runtime-hook.path
nvidia-container-runtime-hook.skip-mode-detection
nvidia-container-runtime.debug
nvidia-container-runtime.log-level
nvidia-container-runtime.mode
nvidia-container-runtime.modes.cdi.default-kind
nvidia-ctk.path" \
	"$(sed -n 's/^davit: skipped: \([^ ]*\) = .*: .*/\1/p' <<< "$errors" | sort)"
matches 'import: with its value and the reason' \
	'^davit: skipped: nvidia-container-cli.ldconfig = "@/sbin/ldconfig.real": davit merges the loader cache itself' "$errors"
matches 'import: a key that nobody knows' "features.something-new = 3: davit has no such key" "$errors"
equal 'import: nothing else is said' "$(wc -l <<< "$errors")" "$(grep -c '^davit: skipped: ' <<< "$errors")"
run config import "$work/config.toml" --output "$work/new/config.json"
equal 'import --output: says so' "0 wrote $work/new/config.json" "$rc $output"
equal 'import --output: davit takes it' "$work/new/config.json is valid" \
	"$("$davit" config check "$work/new/config.json" 2>&1)"
printf '{}\n' > "$work/new/config.json"
run config import "$work/config.toml" --output "$work/new/config.json"
equal 'import --output: no file is replaced' '1 {}' "$rc $(cat "$work/new/config.json")"
matches 'import --output: says how' '^davit: cannot write .*: it already exists \(fix: .*--force\)' "$errors"
run config import "$work/config.toml" --output "$work/new/config.json" --force --json
equal 'import --force: it is' '0 true' "$rc $(jq '.policy."ignore-requirements"' "$work/new/config.json")"
equal 'import --json: the same' "$(jq -cS . "$work/new/config.json")" "$(jq -cS .config <<< "$output")"
equal 'import --json: what is left out' '{"key":"nvidia-ctk.path","value":"\"nvidia-ctk\"","why":"davit calls no such program"}' \
	"$(jq -c '.left_out[] | select(.key == "nvidia-ctk.path")' <<< "$output")"
equal 'import --output: nothing else is left there' config.json "$(ls -A "$work/new")"

# import_of NAME TOML EXPECTED-JSON
import_of() {
	printf '%s\n' "$2" > "$work/one.toml"
	run config import "$work/one.toml"
	equal "import, $1" "$3" "$(jq -c . <<< "$output")"
}
import_of 'an empty file' '' '{}'
import_of 'dotted keys' 'nvidia-container-cli.root = "/x"' '{"driver":{"root":"/x"}}'
import_of 'the runtime'\''s log' $'[nvidia-container-runtime]\ndebug = "/x"\nlog-level = "warn"' \
	'{"log":{"file":"/x","level":"warning"}}'
import_of 'a log that is none' $'[nvidia-container-runtime]\ndebug = "/dev/null"' '{}'
import_of 'the mode legacy' $'[nvidia-container-runtime]\nmode = "legacy"' '{"runtime":{"mode":"hook"}}'
import_of 'all capabilities' 'supported-driver-capabilities = "all"' '{"policy":{"capabilities":["all"]}}'
import_of 'an escape' 'swarm-resource = "A\"B"' \
	'{"policy":{"env-names":["A\"B","NVIDIA_VISIBLE_DEVICES"]}}'

# bad_import NAME TOML REGULAR-EXPRESSION
bad_import() {
	printf '%s\n' "$2" > "$work/bad.toml"
	run config import "$work/bad.toml" --output "$work/never.json"
	equal "import, $1: refused" '1 no' "$rc $([ -e "$work/never.json" ] && echo yes || echo no)"
	matches "import, $1: one line" "^davit: cannot .*$3" "$errors"
}
bad_import 'no TOML' $'a = 1\n[b' 'read .*/bad.toml: line 2, column 3: '
bad_import 'a value of the wrong type' $'\ndisable-require = "yes"' 'line 2, column 19: it must be true or false'
bad_import 'a list that is none' 'nvidia-container-runtime.runtimes = ["a" "b"]' 'column 42: a `,` or the end of an array is missing'
bad_import 'an unknown capability' 'supported-driver-capabilities = "compute,vidio"' \
	'import .*/bad.toml: .*unknown capability "vidio"'
bad_import 'a relative root' 'nvidia-container-cli.root = "x"' 'driver.root must be an absolute path'
run config import "$work/nowhere.toml"
matches 'import: no such file' '^davit: cannot read .*nowhere.toml: the file doesn'\''t exist \(fix: ' "$errors"
report_exit
