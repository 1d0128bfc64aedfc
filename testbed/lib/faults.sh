# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# What mends the faults, and the faults that take more than a line.

restore_apiserver() {
	signal "$1/apiserver" CONT
	is_running "$1/apiserver" || start_apiserver "$1"
	await 60 "API server of $1" "$state/log/$1/apiserver.log" is_api_ready "$1"
}

# The API server stays without it, and answers again when it is back.
restore_etcd() {
	is_running "$1/etcd" || start_etcd "$1"
	restore_apiserver "$1"
}

restore_registry() {
	is_running lab/registry || start_registry
	await 30 "registry" "$state/log/lab/registry.log" is_registry_ready
}

# What a dead node's containers left in the cgroups would keep its kubelet busy for a minute.
restore_node() {
	if ! is_running "$1"; then
		remove_cgroups "$1"
		start_node "$1"
	fi
	await 30 "process 1 of $1" "$state/log/node/$1.log" node_process "$1"
}

# A small memory disk over the folder of the volumes. Those that are there stay where they are, but can't be removed.
make_disk_small() {
	# shellcheck disable=SC2016 # expanded there
	on_node "$1" 'mountpoint -q /opt/small || {
		mkdir -p /opt/small
		mount -t tmpfs small /opt/small -o size=48m
		for volume in /opt/local-path-provisioner/*/; do
			[ -d "$volume" ] || continue
			mkdir "/opt/small/${volume#/opt/local-path-provisioner/}"
			mount --bind "$volume" "/opt/small/${volume#/opt/local-path-provisioner/}"
		done
		mount --rbind /opt/small /opt/local-path-provisioner
	}'
}

# Lazily: pods may still be using what was made on it, which is lost.
make_disk_normal() {
	on_node "$1" 'if mountpoint -q /opt/small; then
		umount --lazy /opt/local-path-provisioner
		umount --lazy /opt/small
	fi'
}

on_node() {
	local pid
	pid=$(node_process "$1") || fail "node $1 does not run"
	nsenter --target "$pid" --mount --pid -- sh -ec "cd /; $2"
}

# Fails at once where more than a fault is amiss, say after a restart of the machine.
heal() {
	local cluster node space
	for space in lab "${clusters[@]}" $(printf "%s " "${nodes[@]}"); do
		is_running "net/$space" || return
	done
	mend_way || return
	restore_registry || return
	for cluster in "${clusters[@]}"; do
		link_up "$cluster" || return
		restore_etcd "$cluster" || return
		for node in ${nodes[$cluster]}; do
			restore_node "$node" || return
			make_disk_normal "$node" || return
		done
	done
	for cluster in "${clusters[@]}"; do
		wait_for_cluster "$cluster" || return
	done
}
