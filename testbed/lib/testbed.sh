# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# The testbed as a whole: fresh start, health, end.

here=$(dirname "${BASH_SOURCE[0]}")
for part in place cgroup cache artifacts pki network cluster nodes faults; do
	# shellcheck source=/dev/null
	. "$here/$part.sh"
done

umask 022

# Where the artifacts are that the running testbed was started from.
load_paths() {
	[ -f "$state/ready" ] || return 1
	# shellcheck source=/dev/null
	. "$state/ready"
}

# Everything that a finished `up` left is running and answers. A glance, one second at most for each question.
is_healthy() {
	local cluster node job jobs=()
	load_paths || return
	for cluster in "${clusters[@]}"; do
		for node in ${nodes[$cluster]}; do
			is_running "$node" || return 1
		done
	done
	is_running lab/registry && is_registry_ready >/dev/null 2>&1 || return 1
	for cluster in "${clusters[@]}"; do
		is_cluster_ready "$cluster" >/dev/null 2>&1 &
		jobs+=("$!")
	done
	for job in "${jobs[@]}"; do
		wait "$job" || return 1
	done
}

start_fresh() {
	tear_down
	mkdir -p "$state/log"
	raise_limits
	make_network
	make_pki
	start_registry
	local cluster node
	for cluster in "${clusters[@]}"; do
		start_etcd "$cluster"
		start_apiserver "$cluster"
	done
	for cluster in "${clusters[@]}"; do
		for node in ${nodes[$cluster]}; do
			write_node "$node"
			start_node "$node"
		done
	done
	write_environment
	wait_until_up
}

wait_until_up() {
	local cluster
	await 30 "registry" "$state/log/lab/registry.log" is_registry_ready
	for cluster in "${clusters[@]}"; do
		await 90 "API server of $cluster" "$state/log/$cluster/apiserver.log" is_api_ready "$cluster"
		start_controllers "$cluster"
		await 30 "addons of $cluster" "$state/log/$cluster/addons.log" apply_addons "$cluster"
		start_provisioner "$cluster"
	done
	for cluster in "${clusters[@]}"; do
		wait_for_cluster "$cluster"
	done
}

wait_for_cluster() {
	local node
	await 120 "nodes and name service of $1" "$state/log/$1/apiserver.log" is_cluster_ready "$1" && return
	kubectl_in "$1" get nodes,pods --all-namespaces -o wide >&2 || true
	for node in ${nodes[$1]}; do
		say "the end of the kubelet's log on $node:"
		tail -n 15 "$state/nodes/$node/log/kubelet.log" >&2 || true
	done
	return 1
}

# One user's processes may open too few watches for three kubelets and their pods (128). The only change to the machine.
raise_limits() {
	local file=/proc/sys/fs/inotify/max_user_instances
	[ "$(cat "$file")" -ge 2048 ] || echo 2048 >"$file" || say "can't raise fs.inotify.max_user_instances"
}

# What testbed/run needs to know, so that it needs no other program to find out.
write_environment() {
	cat >"$state/environment" <<-END
		export KUBECONFIG=$(printf %q "$state/kubeconfig")
		export O2_REGISTRY=$registry
		export O2_REGISTRY_CA=$(printf %q "$state/pki/registry/ca.crt")
		export SSL_CERT_FILE=$(printf %q "$state/pki/bundle.crt")
		export CURL_CA_BUNDLE=$(printf %q "$state/pki/bundle.crt")
		export NO_PROXY=\${NO_PROXY:+\$NO_PROXY,}127.0.0.1,10.0.0.0/8
		export no_proxy=\$NO_PROXY
		export PATH=$(printf %q "$kubernetes_path/bin"):\$PATH
	END
	echo "$tracking/net/lab/cgroup.procs" >"$state/lab"
}

mark_ready() {
	local name
	for name in kubernetes_path tools_path node_path images_path; do
		printf '%s=%q\n' "$name" "${!name}"
	done >"$state/ready.part"
	mv "$state/ready.part" "$state/ready"
}

# End everything and remove what was written. Mounts and network namespaces end with the last process in them.
tear_down() {
	rm -f "$state/ready"
	end .
	remove_cgroups
	rm -rf --one-file-system "$state"
}
