#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# containerd's drop-in can repeat a registry's password: no more users can read it than the file that
# has the password.
set -euo pipefail
# shellcheck source=tests/lib/place.sh
. "$(dirname "$0")/../lib/place.sh"
require_root
make_work
root=$work/root
etc=$root/etc/containerd
drop_in=$etc/conf.d/davit.toml
cri='plugins."io.containerd.grpc.v1.cri"'

begin() { # MODE OWNER:GROUP
	rm -rf --one-file-system "$root"
	mkdir -p "$etc"
	cat > "$etc/config.toml" << END
version = 2
[$cri.registry.configs."r.example".auth]
  password = "s3cret"
[$cri.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
END
	chown "$2" "$etc/config.toml"
	chmod "$1" "$etc/config.toml"
}
configure() { # OPTION...
	rc=0
	output=$("$davit" configure containerd --root "$root" "$@" 2>&1) || rc=$?
	# The program isn't in that root.
	output=$(grep -v "note: the runtime $root/.* doesn't exist: " <<< "$output" || true)
}
access() { # FILE...
	stat -c '%a %u:%g' "$@" | xargs
}

umask 022
begin 644 0:0
configure
equal 'a public file: the drop-in is public, too' '0 644 0:0' "$rc $(access "$drop_in")"
begin 600 0:0
configure
equal 'a private file: the drop-in with the password' '0 1 600 0:0' "$rc $(grep -c s3cret "$drop_in") $(access "$drop_in")"
begin 640 0:42
configure
equal "a group's file: the drop-in" '0 640 0:42' "$rc $(access "$drop_in")"
begin 600 1234:1234
configure
equal "an owner's file: the drop-in" '0 600 1234:1234' "$rc $(access "$drop_in")"

# Two files of two groups have no reader in common.
begin 640 0:42
sed -i "1a imports = [\"/etc/containerd/other.toml\"]" "$etc/config.toml"
printf 'version = 2\n[%s.cni]\n  bin_dir = "/x"\n' "$cri" > "$etc/other.toml"
chmod 640 "$etc/other.toml"
configure
equal 'two groups: the drop-in' '0 600 0' "$rc $(stat -c '%a %u' "$drop_in")"

# A drop-in from before.
begin 644 0:0
configure
chmod 600 "$etc/config.toml"
configure --dry-run
equal 'a looser drop-in, --dry-run: nothing is changed' '0 644 0:0' "$rc $(access "$drop_in")"
matches 'a looser drop-in, --dry-run: it says so' '^would tighten .*davit.toml: permissions' "$output"
configure
equal 'a looser drop-in: tightened' '0 600 0:0 600 0:0' "$rc $(access "$drop_in" "$etc/config.toml")"
matches 'a looser drop-in: it says so' '^tightened .*davit.toml: permissions' "$output"
configure
equal 'tightened: nothing is left to change' '0 nothing to change' "$rc $output"
chmod 644 "$drop_in"
configure --set-default
equal 'a looser drop-in with a change: tightened' '0 600 0:0' "$rc $(access "$drop_in")"
# Stricter than needed is the owner's choice.
chmod 644 "$etc/config.toml"
configure
equal 'a stricter drop-in stays' '0 600 0:0' "$rc $(access "$drop_in")"
report_exit
