# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# What is slow to make is made once a machine, in a folder named after a digest of its recipe.

# Build an artifact unless it is there, and set the variable NAME_path to its folder:
#
#	artifact NAME FUNCTION RECIPE...
#
# FUNCTION is called with an empty folder to fill; RECIPE are the files it depends on, or words. Whoever comes second
# waits for the first. What a killed run left is thrown away by the next.
artifact() {
	local name=$1 make=$2 digest path start=$SECONDS
	shift 2
	digest=$(digest_of "$@")
	path=$cache/$name-$digest
	declare -g "${name}_path=$path"
	[ ! -d "$path" ] || return 0
	mkdir -p "$cache"
	(
		exec {lock_fd}>"$cache/$name.lock"
		flock -w 1800 "$lock_fd" || fail "another process has been making '$name' for half an hour"
		[ ! -d "$path" ] || exit 0
		say "making '$name' (once; kept in $cache)"
		rm -rf --one-file-system "$path.part"
		mkdir "$path.part"
		# In the background, because errors don't end what runs before "||".
		$make "$path.part" >"$cache/$name.log" 2>&1 </dev/null &
		wait "$!" || {
			tail -n 30 "$cache/$name.log" >&2
			fail "making '$name' failed: $cache/$name.log"
		}
		mv -T "$path.part" "$path"
		say "made '$name' in $((SECONDS - start)) s"
	)
}

digest_of() {
	local item
	for item; do
		case $item in
		/*) find "$item" -type f -print0 | LC_ALL=C sort -z | xargs -0 cat ;;
		*) printf '%s\n' "$item" ;;
		esac
	done | sha256sum | cut -c1-12
}

# Remove it all, unless a testbed (of another checkout) is running from it.
purge_cache() {
	local user
	user=$(grep -ls "lowerdir=$cache/" /proc/[0-9]*/mountinfo | head -n 1) || true
	[ -z "$user" ] || fail "the cache is in use by another checkout's testbed, see $user"
	rm -rf --one-file-system "$cache"
}
