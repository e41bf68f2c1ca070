#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The .rpms, as far as Debian's rpm can try them: what they hold and ask for, and installing them into
# an empty root, keeping what was edited, and removing them.
set -euo pipefail
# shellcheck source=tests/packages/common.sh
. "$(dirname "$0")/common.sh"
require_root
make_work
package=$packages/davit-$version-1.$(uname -m).rpm
compat=$packages/davit-nvidia-compat-$version-1.noarch.rpm
amd=$packages/davit-amd-compat-$version-1.noarch.rpm

files_of_deb() { # PACKAGE
	dpkg-deb --fsys-tarfile "$packages/$1"_*.deb | tar -t | sed 's#^\.##; s#/vendor-completions/#/site-functions/#' | grep -v '/$' | sort
}
files_of_rpm() { # PACKAGE
	rpm -qp --dump "$1" | awk '$5 !~ /^04/ { print $1 }' | sort
}
equal 'rpm: davit has the files of the .deb' "$(files_of_deb davit)" "$(files_of_rpm "$package")"
equal 'rpm: davit-nvidia-compat has the files of the .deb' "$(files_of_deb davit-nvidia-compat)" \
	"$(files_of_rpm "$compat")"
equal 'rpm: davit-amd-compat has the files of the .deb' "$(files_of_deb davit-amd-compat)" "$(files_of_rpm "$amd")"
equal 'rpm: davit-amd-compat: its names, what it needs and excludes' \
	"/usr/bin/amd-container-runtime /usr/bin/amd-ctk davit = $version amd-container-toolkit" \
	"$(files_of_rpm "$amd" | grep /bin/ | xargs) $(rpm -qp --requires "$amd" | grep ^davit) $(rpm -qp --conflicts "$amd")"
equal 'rpm: directories of others are not its own' '' "$(rpm -qp --dump "$package" |
	awk '$5 ~ /^04/ && $1 !~ /davit/ { print $1 }')"
equal 'rpm: a shell for its scripts and libc are all that it requires' '' "$(rpm -qp --requires "$package" |
	grep -vE '^(/bin/sh|libc\.so\.6\(.*\)|config\(davit\) = .*|rpmlib\(.*\) .*|rtld\(GNU_HASH\)|ld-linux.*)$' || true)"
equal 'rpm: the configuration is kept when it was edited' /etc/davit/config.json "$(rpm -qp --configfiles "$package")"
matches 'rpm: the next command is printed' '^  davit configure docker ' "$(rpm -qp --scripts "$package")"
equal 'rpm: davit-nvidia-compat takes the place of nothing by an upgrade' '' "$(rpm -qp --obsoletes "$compat")"
matches 'rpm: it conflicts with the toolkit' '^nvidia-container-toolkit$' "$(rpm -qp --conflicts "$compat")"
matches 'rpm: it needs the davit of its version' "^davit = $version$" "$(rpm -qp --requires "$compat")"

# The root has no shell, and nothing of what rpm would look for.
root=$work/root
mkdir "$root"
in_root() { # OPTION...
	rpm --root "$root" --dbpath /var/lib/rpm --nodeps --noscripts --force-debian "$@"
}
equal 'rpm: they install into an empty root' '' "$(in_root -i "$package" "$compat" "$amd" 2>&1)"
equal 'rpm: what is installed is what was packed' '' "$(in_root -V davit davit-nvidia-compat davit-amd-compat 2>&1)"
equal 'rpm: the installed program runs' "davit $version" "$("$root/usr/bin/nvidia-ctk" --version 2>&1 | sed -n 2p)"
printf '// mine\n{}\n' > "$root/etc/davit/config.json"
in_root -U --replacepkgs "$package" > "$work/log" 2>&1
equal 'rpm: installing it anew keeps the edited configuration' '// mine' "$(head -n 1 "$root/etc/davit/config.json")"
in_root -e davit-nvidia-compat davit-amd-compat davit > "$work/log" 2>&1
equal 'rpm: removing leaves the edited configuration alone' /etc/davit/config.json.rpmsave \
	"$(find "$root" ! -type d ! -path '*/var/lib/rpm/*' -printf '/%P\n')"

# --- its scripts ---------------------------------------------------------------------------------

script_of() { # TAG
	rpm -qp --qf "%{$1}" "$package" > "$work/$1"
	printf '%s\n' "$work/$1"
}
matches 'rpm: installing prints what comes next' '^  davit doctor ' "$(sh "$(script_of POSTIN)" 1)"
equal 'rpm: an upgrade prints nothing' '' "$(sh "$(script_of POSTIN)" 2 && sh "$(script_of PREUN)" 1 2>&1)"
mkdir "$work/bin"
printf '#!/bin/sh\nprintf "%%s\\n" "$*" >> %s/calls\n' "$work" > "$work/bin/systemctl"
chmod +x "$work/bin/systemctl"
PATH=$work/bin:$PATH sh "$(script_of PREUN)" 0 > "$work/log" 2>&1
equal 'rpm: removing it disables its units' 'davit-cdi.path davit-cdi.service davit-metrics.timer davit-prepare.service' \
	"$(sed -n 's/^--no-reload disable //p' "$work/calls" | xargs)"
report_exit
