# shellcheck shell=bash disable=SC2034 # what is set here is for the checks
# Sourced by every check: which files it looks at, with which flags, and how it ends.
#
# A check looks at what git tracks, prints what it finds as file:line: message, and as its last line what it looked at.
# It exits 0 when all is well, 1 when something was found, and also when it had nothing to look at: a check that checks
# nothing must not look like one that passed.
#
#	. "$(dirname "$0")/check.sh"
#	tracked 'lib/*.c'
#	for file in "${files[@]}"; do grep -n bad "$file" && failed=1; done
#	conclude "${#files[@]}" "files" "without anything bad"
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
failed=0 files=() flags=()

# Set `files` to the tracked files that match the patterns (git's: * goes across folders) and still exist.
tracked() {
	local file
	files=()
	while IFS= read -r -d '' file; do
		if [ -f "$file" ]; then files+=("$file"); fi
	done < <(git ls-files -z -- "$@")
}

C_FILES=('lib/*.[ch]' 'cmd/*.[ch]' 'testbed/*.[ch]')
SOURCES=('lib/*.c' 'cmd/*.c' 'testbed/*.c')
HEADERS=('lib/*.h' 'cmd/*.h' 'testbed/*.h')

# Set `flags` to the Makefile's flags for the compiler, with their quotes read as a shell reads them.
read_flags() {
	if [ -z "${LINT_FLAGS:-}" ]; then LINT_FLAGS=$(make -s --no-print-directory print-cflags); fi
	export LINT_FLAGS # for the checks that call themselves once a file
	eval "flags=($LINT_FLAGS)"
}

# A tool that a check can't do without.
need() {
	command -v "$1" >/dev/null && return
	echo "ci/${0##*/}: $1 is missing: run 'ci/deps lint'"
	exit 1
}

# For checks that take seconds a file: call the check again with --one FILE for each, as many at a time as there are
# processors. There it calls `once`.
each() {
	printf '%s\0' "$@" | xargs -0 -n 1 -P "$(nproc)" "ci/${0##*/}" --one | awk '!said[$0]++' || failed=1
}

# Run the command and print what it says, unless it passed before on the same text: same preprocessed file with its
# comments and macros, same configuration file, same tool, same command.
once() {
	local file=$1 config=$2 digest mark said
	shift 2
	digest=$({
		gcc "${flags[@]}" -E -dD -CC "$file" || date +%N
		cat "$config"
		stat -L -c '%n %s %Y' "$(command -v "$1")"
		echo "$*"
	} 2>&1 | sha256sum)
	mark=build/lint/${0##*/}/${digest%% *}
	[ ! -e "$mark" ] || return 0
	if said=$("$@" 2>&1); then
		mkdir -p "${mark%/*}"
		: >"$mark"
		return 0
	fi
	# The lines that name a place, from the root of the checkout, without the excerpts between them.
	said=${said//"$PWD/"/}
	grep -E '^[^ :]+:[0-9]+:' <<<"$said" | sed 's/^\.\///' || echo "$file:1: $said"
	return 1
}

# Leave with what was found: 12 "headers" "compile alone".
conclude() {
	local count=$1 noun=$2 claim=$3
	if [ "$count" -eq 0 ]; then
		echo "nothing to check: 0 $noun"
		exit 1
	fi
	if [ "$failed" -ne 0 ]; then claim="not all $claim"; fi
	echo "$count $noun, $claim"
	exit "$failed"
}
