# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # variables of the other files and of the scripts
# Programs of a newer Debian, taken out of its packages: for those that are static, or nearly so.

# The first mirror of Debian itself that this machine has.
suite_mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2> /dev/null |
		grep -v '^#' | grep -oE 'https?://[^ ]*/debian/?( |$)' | head -n 1 | tr -d ' '
}

# suite_unpack SUITE PACKAGE DIRECTORY: the package's files. 1, with the reason in suite_problem, when
# they can't be had. Nothing of this machine's own apt is changed. SUITE_KEPT=DIR keeps what is
# fetched there.
suite_unpack() {
	local place=${SUITE_KEPT:-$work/suites}/$1 log=$work/suite.log options file
	suite_problem=''
	mkdir -p "$place"/{lists/partial,cache/archives/partial,debs} "$3"
	file=$(find "$place/debs" -name "$2_*.deb" | head -n 1)
	if [ -z "$file" ]; then
		printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n' "$(suite_mirror)" "$1" \
			> "$place/sources.list"
		options=(-q -o Dir::Etc::SourceList="$place/sources.list" -o Dir::Etc::SourceParts=/dev/null
			-o Dir::State::Lists="$place/lists" -o Dir::Cache="$place/cache" -o APT::Sandbox::User=root
			-o Acquire::Languages=none -o Dir::Etc::Preferences=/dev/null
			-o Dir::Etc::PreferencesParts=/dev/null)
		if ! { apt-get "${options[@]}" update && (cd "$place/debs" && apt-get "${options[@]}" download "$2"); } \
			> "$log" 2>&1 < /dev/null; then
			suite_problem="$2 of $1 can't be had: $(grep -E '^(E|W):' "$log" | tail -n 1)"
			return 1
		fi
		file=$(find "$place/debs" -name "$2_*.deb" | head -n 1)
	fi
	dpkg-deb -x "$file" "$3"
}
