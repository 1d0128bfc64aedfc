# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# Nodes: a Debian root below an overlay, in namespaces of its own, with containerd, kubelet and kube-proxy.

# The files of a node that differ from the image: write_node NODE
write_node() {
	local node=$1 cluster upper=$state/nodes/$1/upper pki
	cluster=$(cluster_of "$node")
	pki=$state/pki/$cluster
	mkdir -p "$upper/etc/ssl/certs" "$upper/etc/kubernetes" "$upper/etc/cni/net.d" "$upper/etc/containerd" \
		"$upper/etc/criu" "$upper/usr/local/sbin" "$state/nodes/$node"/{work,root}
	cat "$node_path/root/etc/ssl/certs/ca-certificates.crt" "$state/pki/registry/ca.crt" \
		>"$upper/etc/ssl/certs/ca-certificates.crt"
	printf %s "$label-$node" | md5sum | cut -c1-32 >"$upper/etc/machine-id"
	echo "$node" >"$upper/etc/hostname"
	printf '127.0.0.1 localhost\n%s %s\n' "$(node_address "$node")" "$node" >"$upper/etc/hosts"
	install -m 755 "$testbed/node/init" "$upper/usr/local/sbin/node-init"
	install -m 600 "$pki/$node.kubeconfig" "$upper/etc/kubernetes/kubelet.kubeconfig"
	install -m 600 "$pki/kube-proxy.kubeconfig" "$upper/etc/kubernetes/proxy.kubeconfig"
	install -m 644 "$pki/ca.crt" "$upper/etc/kubernetes/ca.crt"
	node_address "$node" >"$upper/etc/kubernetes/address"
	fill_in "$node" "$testbed/node/kubelet.yaml" "$upper/etc/kubernetes/kubelet.yaml"
	fill_in "$node" "$testbed/node/proxy.yaml" "$upper/etc/kubernetes/proxy.yaml"
	fill_in "$node" "$testbed/node/containerd.toml" "$upper/etc/containerd/config.toml"
	fill_in "$node" "$testbed/node/network.conflist" "$upper/etc/cni/net.d/10-testbed.conflist"
	cp "$testbed/node/criu.conf" "$upper/etc/criu/runc.conf"
}

fill_in() {
	local cluster
	cluster=$(cluster_of "$1")
	sed -e "s|@REGISTRY@|$registry|g" -e "s|@DNS@|$(dns_of "$cluster")|g" -e "s|@PODS@|$(pods_of "$cluster")|g" \
		-e "s|@NODE_PODS@|$(pods_of_node "$1")|g" "$2" >"$3"
}

# The process that waits for process 1 stays outside of the node's cgroup: v2 hands controllers down only from a cgroup
# without processes.
start_node() {
	local node=$1 groups
	mapfile -t groups < <(make_node_cgroups "$node")
	spawn "node/$node" nsenter --target "$(pid_of "net/$node")" --net -- \
		unshare --mount --pid --uts --ipc --fork --kill-child --propagation private \
		"$testbed/node/start" "$node" "$state/nodes/$node" "$node_path/root" "$kubernetes_path" "${groups[@]}"
}

# The node's process 1, as seen from outside.
node_process() {
	local pid
	for pid in $(pids_below "$tracking/$1"); do
		if [ "$(awk '/^NSpid:/ { print NF ":" $NF }' "/proc/$pid/status" 2>/dev/null)" = 3:1 ]; then
			echo "$pid"
			return
		fi
	done
	return 1
}
