#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The .debs in a clean Debian: installed, used by a container, upgraded, beside NVIDIA's packages,
# removed and purged. What davit-nvidia-compat must get out of the way is a package of the same name.
set -euo pipefail
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
require_root
if [ "${DAVIT_TEST_NAMESPACE:-}" != "$$" ]; then
	export DAVIT_TEST_NAMESPACE=$$
	exec unshare --mount --propagation private "$script" "$@"
fi
make_work
machine=$(dpkg --print-architecture)
package=$packages/davit_${version}_$machine.deb
compat=$packages/davit-nvidia-compat_${version}_all.deb
amd=$packages/davit-amd-compat_${version}_all.deb

# --- what they are -------------------------------------------------------------------------------

# Whoever publishes packages names an address that is answered (DAVIT_PACKAGER).
equal 'deb: lintian has no error' '' "$(lintian --allow-root --suppress-tags \
	bogus-mail-host,bogus-mail-host-in-debian-changelog "$package" "$compat" "$amd" 2>&1 | grep '^E:' || true)"
matches 'deb: libc is all that it depends on' '^libc6 \(>= [0-9.]+\)$' "$(dpkg-deb -f "$package" Depends)"
DESTDIR=$work/all cmake --install "$packages" > "$work/log"
equal 'deb: all that CMake installs is in it, but for the library' "$(cd "$work/all" && find . ! -type d \
	! -path './usr/include/*' ! -name libdavit.a ! -name davit.pc | sed 's#/site-functions/#/vendor-completions/#; /\/man\//s/\.gz$//' | sort)" \
	"$(dpkg-deb --fsys-tarfile "$package" | tar -t | grep -v '/$' | sed '/\/man\//s/\.gz$//' |
		grep -vE '^\./(etc/davit/config\.json|usr/share/(doc|lintian)/.*)$' | sort)"
equal 'deb: every manual page is in it' "$(cd "$repository/docs" && find . -path './man/*.[1-8]' -printf '%f\n' | sort)" \
	"$(dpkg-deb --fsys-tarfile "$package" | tar -t | sed -n 's#^\./usr/share/man/man./##p' | sed 's/\.gz$//' |
		grep . | sort || true)"

# --- a clean Debian ------------------------------------------------------------------------------

# From where this machine's apt takes its packages, else Debian's own place.
. /etc/os-release
mirror=$(apt-get indextargets --format '$(CODENAME)|$(COMPONENT)|$(REPO_URI)' 'Created-By: Packages' |
	sed -n "s/^$VERSION_CODENAME|main|//p" | head -n 1)
root=$work/root
if ! output=$(mmdebstrap --variant=apt --include=runc,mount --architectures="$machine" --dpkgopt=force-unsafe-io \
	"$VERSION_CODENAME" "$root" "${mirror:-http://deb.debian.org/debian}" 2>&1); then
	fail 'deb: a clean Debian' 'mmdebstrap fails' "$(tail -n 20 <<< "$output")"
	report_exit
fi
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/run"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount --rbind /dev "$root/dev"

in_root() {
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@" < /dev/null
}
# apt COMMAND...: sets output and rc.
apt() {
	rc=0
	output=$(in_root apt-get -qy "$@" 2>&1) || rc=$?
}
files() {
	(cd "$root" && find . \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./fake \
		-o -path ./var/lib/dpkg -o -path ./var/lib/apt -o -path ./var/cache -o -path ./var/log -o -path ./tmp \
		\) -prune -o -printf '%p %m %l\n' | sort)
}
# newer DEB: sets `newer` to the same package of a version that is higher.
make_newer() {
	rm -rf "$work/unpacked"
	dpkg-deb -R "$1" "$work/unpacked"
	sed -i "s/$version/$version.1/" "$work/unpacked/DEBIAN/control"
	newer=$root/tmp/$(basename "${1/$version/$version.1}")
	dpkg-deb -Znone -b "$work/unpacked" "$newer" > "$work/log"
	newer=${newer#"$root"}
}

mkdir -p "$root"/etc/{docker,containerd,crio}
printf '{"debug": true}\n' > "$root/etc/docker/daemon.json"
printf 'version = 2\n' > "$root/etc/containerd/config.toml"
engines() {
	(cd "$root/etc" && find docker containerd crio -type f -exec sha256sum {} +)
}
engines_before=$(engines)
cp "$package" "$compat" "$root/tmp/"
before=$(files)

# --- install -------------------------------------------------------------------------------------

apt install "/tmp/${package##*/}"
equal 'deb: it installs' 0 "$rc"
matches 'deb: the next command is printed' '^  davit configure docker ' "$output"
matches 'deb: and doctor' '^  davit doctor ' "$output"
equal 'deb: nothing but its own files is there' "$(in_root dpkg -L davit | grep -v '^/\.$' | sort)" \
	"$(diff <(printf '%s\n' "$before") <(files) | sed -n 's/^> \.\([^ ]*\) .*/\1/p' |
		cat - <(in_root dpkg -L davit | grep -v '^/\.$' | while read -r file; do
			! grep -q "^\.$file " <<< "$before" || echo "$file"
		done) | sort)"
equal 'deb: no unit is enabled' '' "$(find "$root/etc/systemd" -name '*davit*' 2> /dev/null)"
equal 'deb: no engine is changed' "$engines_before" "$(engines)"
equal 'deb: no hook is active' '' "$(find "$root/usr/share/containers" "$root/etc/containers" -name '*davit*' 2> /dev/null)"
equal 'deb: its configuration is accepted, and all defaults' "$(jq -S . <(sed 's#^\s*//.*##; s#/\*.*\*/##' "$repository/config/config.json"))" \
	"$(jq -S . <(sed 's#^\s*//.*##; s#/\*.*\*/##' "$root/etc/davit/config.json"))"
equal 'deb: the installed program runs' "davit $version" "$(in_root davit --version)"

# --- a container ---------------------------------------------------------------------------------

"$fixture/fake-host" "$root/fake/host"
"$fixture/fake-rootfs" debian "$root/fake/bundle/rootfs"
sed "s|$root||g" "$root/fake/host/davit.json" > "$root/etc/davit/config.json"
edited=$(cat "$root/etc/davit/config.json")
(cd "$root/fake/bundle" && runc spec)
make_bundle() { # JQ-FILTER
	jq '.process.terminal = false | .process.args = ["nvidia-smi", "-L"] | .root.readonly = false |
		.process.env += ["NVIDIA_VISIBLE_DEVICES=1"] | .linux.cgroupsPath = "/davit-test-packages" | '"$1" \
		< "$root/fake/bundle/config.json" > "$work/config.json"
	cat "$work/config.json" > "$root/fake/bundle/config.json"
}
at_end 'rmdir /sys/fs/cgroup/davit-test-packages "$root/sys/fs/cgroup/davit-test-packages" 2> /dev/null'
# As on a machine: the root is the file system's own.
run_in_root() {
	rc=0
	# shellcheck disable=SC2016 # for the inner shell
	output=$(unshare --mount --propagation private sh -c '
		cd "$1" && mkdir -p mnt && pivot_root . mnt && umount -l /mnt && cd / && shift && exec "$@"
		' sh "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@" 2>&1 < /dev/null) || rc=$?
}
make_bundle '.hooks = {prestart: [{path: "/usr/bin/davit-hook", args: ["davit-hook", "prestart"]}]}'
run_in_root runc run -b /fake/bundle davit-test-packages
equal 'deb: a container gets its GPU from the installed hook' "0 $(smi_line 0 "$uuid1")" "$rc $output"

# --- upgrade -------------------------------------------------------------------------------------

make_newer "$package"
apt install "$newer"
equal 'deb: it is upgraded' "$version.1" "$(in_root dpkg-query -W -f '${Version}' davit)"
equal 'deb: the upgrade keeps the edited configuration, without a question' "0 $edited" \
	"$rc $(cat "$root/etc/davit/config.json")"
equal 'deb: the upgrade says nothing of next commands' '' "$(grep 'davit configure' <<< "$output" || true)"

# --- beside NVIDIA's -----------------------------------------------------------------------------

mkdir -p "$work/dummy/DEBIAN" "$work/dummy/usr/bin"
printf 'Package: nvidia-container-toolkit\nVersion: 1.17.0-1\nArchitecture: all\nMaintainer: n <n@localhost>\nDescription: stands for it\n' \
	> "$work/dummy/DEBIAN/control"
printf 'theirs\n' > "$work/dummy/usr/bin/nvidia-ctk"
dpkg-deb -b "$work/dummy" "$root/tmp/dummy.deb" > "$work/log"
apt install /tmp/dummy.deb
equal 'deb: davit is installed beside the toolkit' '0 theirs' "$rc $(cat "$root/usr/bin/nvidia-ctk")"
make_newer "$compat"
apt -s install "$newer"
matches 'deb: apt says that davit-nvidia-compat and the toolkit exclude each other' \
	'^ +nvidia-container-toolkit$' "$(sed -n '/^The following packages will be REMOVED:/,/^[^ ]/p' <<< "$output")"
apt install "$newer"
equal 'deb: apt puts it in the place of the toolkit' '0 davit installed' \
	"$rc $(readlink "$root/usr/bin/nvidia-ctk") $(in_root dpkg-query -W -f '${db:Status-Status}' davit-nvidia-compat)"
equal 'deb: the toolkit is gone' '' "$(in_root dpkg -l nvidia-container-toolkit 2> /dev/null | grep '^ii' || true)"
make_bundle 'del(.hooks)'
run_in_root nvidia-container-runtime run -b /fake/bundle davit-test-packages
equal 'deb: nvidia-container-runtime is davit-runtime' "0 $(smi_line 0 "$uuid1")" "$rc $output"
apt install /tmp/dummy.deb --allow-downgrades
equal 'deb: and back: the toolkit takes the place of davit-nvidia-compat' '0 theirs' \
	"$rc $(cat "$root/usr/bin/nvidia-ctk")"
apt purge nvidia-container-toolkit

# --- AMD's names ---------------------------------------------------------------------------------

mkdir -p "$work/theirs/DEBIAN" "$work/theirs/usr/bin"
printf 'Package: amd-container-toolkit\nVersion: 1.3.0\nArchitecture: all\nMaintainer: n <n@localhost>\nDescription: stands for it\n' \
	> "$work/theirs/DEBIAN/control"
printf 'theirs\n' > "$work/theirs/usr/bin/amd-ctk"
dpkg-deb -b "$work/theirs" "$root/tmp/theirs.deb" > "$work/log"
apt install /tmp/theirs.deb
make_newer "$amd"
apt install "$newer"
equal "deb: davit-amd-compat takes the place of AMD's toolkit when it is asked for" '0 davit davit-runtime' \
	"$rc $(readlink "$root/usr/bin/amd-ctk") $(readlink "$root/usr/bin/amd-container-runtime")"
equal "deb: AMD's toolkit is gone" '' "$(in_root dpkg -l amd-container-toolkit 2> /dev/null | grep '^ii' || true)"
matches 'deb: amd-ctk is davit' 'cdi .*specs' "$(in_root amd-ctk --help)"
run_in_root amd-container-runtime --version
matches 'deb: amd-container-runtime is davit-runtime' '^0 .*runc version' "$rc $(xargs <<< "$output")"
apt purge davit-amd-compat
equal 'deb: and it goes' '' "$(find "$root/usr/bin" -name 'amd-*')"

# --- remove, purge -------------------------------------------------------------------------------

in_root davit configure docker > "$work/log"
apt remove davit
equal 'deb: it is removed' '0' "$rc"
matches 'deb: removing it names the engine that still calls it' \
	'^davit: docker still calls davit by /etc/docker/daemon.json \(fix: davit configure docker --remove' "$output"
equal 'deb: what was edited stays until it is purged' "$edited" "$(cat "$root/etc/davit/config.json")"
equal 'deb: its programs are gone' '' "$(find "$root/usr/bin" "$root/usr/libexec" -name '*davit*')"
apt purge davit
printf '{"debug": true}\n' > "$root/etc/docker/daemon.json"
find "$root/etc/docker" -name '*davit*' -delete
equal 'deb: after the purge the files are those before' "$before" "$(files)"
report_exit
