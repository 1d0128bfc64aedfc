# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# Namespaces and the cables between them. A namespace is held by a sleeping process, a cable has both its ends in
# namespaces: when the processes end all of it is gone, and nothing of it is ever seen outside.
#
#	lab ──── A ──┬── a-1        lab: the registry, and the commands that testbed/run runs; no way out
#	 │           └── a-2        A, B: a cluster's control plane; routers, with a bridge for the nodes
#	 └────── B ───── b-1

outside=$(readlink /proc/self/ns/net)

# A command in the namespace NAME: within NAME COMMAND...
within() {
	local pid
	pid=$(pid_of "net/$1") || fail "no network namespace '$1'"
	shift
	nsenter --target "$pid" --net -- "$@"
}

hold_namespace() {
	local name=$1
	spawn "net/$name" unshare --net sleep infinity
	await 10 "network namespace $name" "" has_left "$name"
	within "$name" ip link set lo up
}

# The process has to be inside before a cable is laid to it, or the cable would end outside.
has_left() {
	local pid space
	pid=$(pid_of "net/$1") && space=$(readlink "/proc/$pid/ns/net") && [ "$space" != "$outside" ]
}

# cable NAMESPACE INTERFACE NAMESPACE INTERFACE
cable() {
	ip link add name "$2" netns "$(pid_of "net/$1")" type veth peer name "$4" netns "$(pid_of "net/$3")"
	within "$1" ip link set "$2" up
	within "$3" ip link set "$4" up
}

make_network() {
	local cluster
	hold_namespace lab
	within lab ip address add "${registry%:*}/32" dev lo
	within lab sysctl -q -w net.ipv4.ip_forward=1
	for cluster in "${clusters[@]}"; do
		make_cluster_network "$cluster"
	done
}

make_cluster_network() {
	local cluster=$1 n=${number[$1]} node first=${nodes[$1]%% *}
	hold_namespace "$cluster"
	within "$cluster" sysctl -q -w net.ipv4.ip_forward=1
	cable lab "to-$cluster" "$cluster" lab
	within lab ip address add "10.0.$n.1/24" dev "to-$cluster"
	within "$cluster" ip address add "10.0.$n.2/24" dev lab
	within "$cluster" ip route add default via "10.0.$n.1"
	within "$cluster" ip link add nodes type bridge
	within "$cluster" ip address add "10.$n.0.1/24" dev nodes
	within "$cluster" ip link set nodes up
	within lab ip route add "10.$n.0.0/24" via "10.0.$n.2"
	within lab ip route add "$(pods_of "$cluster")" via "10.0.$n.2"
	within lab ip route add "$(services_of "$cluster")" via "10.0.$n.2"
	for node in ${nodes[$cluster]}; do
		make_node_network "$cluster" "$node"
	done
	within "$cluster" ip route add "$(services_of "$cluster")" via "$(node_address "$first")"
}

make_node_network() {
	local cluster=$1 node=$2 address
	address=$(node_address "$node")
	hold_namespace "$node"
	cable "$cluster" "$node" "$node" eth0
	within "$cluster" ip link set "$node" master nodes
	within "$node" ip address add "$address/24" dev eth0
	within "$node" ip route add default via "$(api_of "$cluster")"
	within "$cluster" ip route add "$(pods_of_node "$node")" via "$address"
}

# The cluster's cable to the lab: link_down CLUSTER, link_up CLUSTER
link_down() { within "$1" ip link set lab down; }
link_up() {
	within "$1" ip link set lab up
	within "$1" ip route replace default via "10.0.${number[$1]}.1"
}

# What the lab would forward, which is what passes between the clusters, is dropped without a word; connections that are
# there as well.
cut_way() {
	local cluster
	mend_way
	for cluster in "${clusters[@]}"; do
		within lab ip rule add pref 100 iif "to-$cluster" blackhole
	done
}
mend_way() { while within lab ip rule delete pref 100 2>/dev/null; do :; done; }
