#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers from a grammar (generate.py): what the image has at each place that davit touches, with
# each kind of volume, by each program and both runtimes. All pairs; FULL=1: all triples, which takes
# some ten minutes. SEED=N chooses others. Named cases are run alone; a failure says the command.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
# shellcheck source=tests/lib/container.sh
. "$repository/tests/lib/container.sh"
# shellcheck source=tests/lib/runtime.sh
. "$repository/tests/lib/runtime.sh"
ENGINE=runc CGROUP=v2
enter_namespace "$@"
for program in runc crun python3; do
	if ! command -v "$program" > /dev/null; then
		skip "${0##*/}" "$program isn't installed"
		report_exit
	fi
done
make_work
mount -t tmpfs -o mode=0755 tmpfs "$work"
mount --make-private "$work"
host=$work/fake-host
"$fixture/fake-host" "$host" --gpus 2
# Of a daemon of MPS, which every container then gets.
mkdir -p "$host/tmp/nvidia-mps"
ENGINE=crun
spare_crun_memlock
crun=$(command -v "$ENGINE")
# The root below all others: Debian's kind, and what the containers' commands are.
base=$(kind_root debian)
mkdir -p "$base/probe"
cp "$(command -v busybox)" "$base/probe/sh"
printf 'int main(void) { return 0; }\n' > "$work/control.c"
"${CC:-cc}" -o "$base/probe/control" "$work/control.c"
cp -a "$base" "$work/base-mapped"
chown -R 100000:100000 "$work/base-mapped"
# davit-runtime has its configuration in /etc, of this namespace alone; it becomes the one that the
# folder of its containers is named after.
cat > "$work/low-level" << END
#!/bin/sh
case "\$*" in
*/state-crun*) exec $crun "\$@" ;;
*) exec runc "\$@" ;;
esac
END
chmod +x "$work/low-level"
configure_runtime "$work/low-level"
cat > "$work/cli" << END
#!/bin/bash
# As containerd's client calls it: with the process of the state.
read -rd '' state
[[ \$state =~ \"pid\":\ *([0-9]+) ]]
exec $DAVIT_BUILD/davit-container-cli configure --pid="\${BASH_REMATCH[1]}" --device=0 --compute --compat32 --graphics \
	--utility --video --display "\$1"
END
chmod +x "$work/cli"
mkdir -p "$work/spec"
(cd "$work/spec" && runc spec)
# Another one in its place: generate-broken.sh shows that what it does is seen.
hook=${HOOK:-$hook}
export work cgroup hook crun base config=$host/davit.json fake_host=$host driver=$host/driver uuid=$uuid0
export cli=$work/cli base_mapped=$work/base-mapped runc runtime
runc=$(command -v runc)
template=$(cat "$work/spec/config.json")
# (CDI leaves the MPS pipes out, and says so.)
cdi=$("$davit" cdi generate --config "$config" --format json 2> /dev/null)
export template cdi
rc=0
python3 "$repository/tests/attacks/generate.py" "$@" || rc=$?
exit "$rc"
