# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# Every process of the testbed lives in a cgroup below one named after the checkout, and is found, paused and ended there:
# no pid is ever written down, so none can be stale.

# The hierarchy used for that: v2 where there is one (also beside v1), else v1's pids.
find_tracking() {
	local mount
	mount=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
	[ -n "$mount" ] || mount=$(awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { print $2; exit }' /proc/self/mounts)
	[ -n "$mount" ] || fail "no cgroup hierarchy is mounted"
	tracking=$mount/$label
}
find_tracking

is_pure_v2() { [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; }

# Mount points of the v1 hierarchies.
v1_mounts() { awk '$3 == "cgroup" { print $2 }' /proc/self/mounts; }

# Start a program in the background, in the cgroup NAME, its output in the log NAME: spawn NAME COMMAND...
# Signals are set back because the shell starts background programs with SIGINT ignored, which even pods would inherit.
spawn() {
	local name=$1
	shift
	mkdir -p "$tracking/$name" "$(dirname "$state/log/$name")"
	(
		echo "$BASHPID" >"$tracking/$name/cgroup.procs"
		[ -z "${lock_fd:-}" ] || exec {lock_fd}<&-
		cd /
		exec setsid env --default-signal=INT,QUIT "$@" </dev/null >>"$state/log/$name.log" 2>&1
	) &
}

# The first process in the cgroup NAME.
pid_of() {
	local pid
	read -r pid 2>/dev/null <"$tracking/$1/cgroup.procs" && echo "$pid"
}

pids_below() { find "$1" -name cgroup.procs -exec cat {} + 2>/dev/null || true; }

is_running() { [ -d "$tracking/$1" ] && [ -n "$(pids_below "$tracking/$1")" ]; }

# Send a signal to all in the cgroup NAME: signal NAME SIGNAL
signal() {
	local pid
	for pid in $(pids_below "$tracking/$1"); do
		kill "-$2" "$pid" 2>/dev/null || true
	done
}

# End all processes in the cgroup NAME ("." is the whole testbed), and wait until they have ended.
end() {
	local group=$tracking/$1 tries=0
	[ -d "$group" ] || return 0
	while [ -n "$(pids_below "$group")" ]; do
		if [ -e "$group/cgroup.kill" ]; then
			echo 1 >"$group/cgroup.kill"
		else
			signal "$1" KILL
		fi
		tries=$((tries + 1))
		[ "$tries" -le 200 ] || fail "processes in $group do not end: $(pids_below "$group" | tr '\n' ' ')"
		sleep 0.05
	done
}

# Remove the emptied cgroups NAME, or all, in every hierarchy. For a moment after its last process one still counts as
# busy.
remove_cgroups() {
	local group tries name=$label${1:+/$1}
	for group in "${tracking%/*}/$name" $(v1_mounts | sed "s|\$|/$name|"); do
		for tries in {1..100}; do
			[ -d "$group" ] || break
			find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.05
		done
		[ ! -d "$group" ] || fail "cgroup $group can't be removed after $tries tries"
	done
}

# Make the cgroups of a node, in every hierarchy, and print them.
make_node_cgroups() {
	local mount group name
	mkdir -p "$tracking/$1"
	if is_pure_v2; then
		for group in "${tracking%/*}" "$tracking"; do
			sed 's/\([a-z_]\+\)/+\1/g' "$group/cgroup.controllers" >"$group/cgroup.subtree_control"
		done
	fi
	echo "$tracking/$1"
	for mount in $(v1_mounts); do
		for group in "$mount/$label" "$mount/$label/$1"; do
			mkdir -p "$group"
			for name in cpuset.cpus cpuset.mems; do
				[ ! -e "$group/$name" ] || cat "${group%/*}/$name" >"$group/$name"
			done
		done
		echo "$mount/$label/$1"
	done
}
