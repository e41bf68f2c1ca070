# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# davit-runtime: its configuration is /etc/davit/config.json alone. A tmpfs over /etc, in our
# namespace only, keeps the machine's as it is. Needs place.sh, container.sh and $host.

runtime=$DAVIT_BUILD/davit-runtime

# configure_runtime LOW-LEVEL-RUNTIME [JQ-FILTER]: the fake host's configuration, changed.
configure_runtime() {
	if [ ! -e "$work/etc" ]; then
		mkdir "$work/etc"
		mount -t tmpfs tmpfs "$work/etc"
		mkdir -p "$work"/etc/{upper,work} "$work/etc/upper/davit"
		mount -t overlay overlay /etc \
			-o "lowerdir=/etc,upperdir=$work/etc/upper,workdir=$work/etc/work"
		at_end 'umount -l /etc'
	fi
	jq --arg low "$1" '.runtime.candidates = [$low] | '"${2:-.}" < "$host/davit.json" \
		> /etc/davit/config.json
}

# runtime_bundle KIND [NAME=VALUE...]: a bundle without any hook, for davit-runtime to edit.
runtime_bundle() {
	new_bundle "$@"
	edit_bundle 'del(.hooks)'
}
