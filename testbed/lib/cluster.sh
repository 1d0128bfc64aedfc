# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# The registry, and a cluster's control plane: plain processes in the lab's and the cluster's network namespace.

# A daemon in a namespace, started again when it ends: daemon NAMESPACE NAME COMMAND...
daemon() {
	local space=$1 name=$2
	shift 2
	spawn "$space/$name" nsenter --target "$(pid_of "net/$space")" --net -- "$testbed/lib/keep" "$@"
}

# Over the cached storage lies a folder of this checkout's, in a mount namespace that ends with the registry.
start_registry() {
	local pki=$state/pki/registry folder=$state/registry
	mkdir -p "$folder/upper" "$folder/work" "$folder/root"
	# shellcheck disable=SC2016 # expanded inside
	daemon lab registry env REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY="$folder/root" REGISTRY_HTTP_ADDR="$registry" \
		REGISTRY_HTTP_TLS_CERTIFICATE="$pki/server.crt" REGISTRY_HTTP_TLS_KEY="$pki/server.key" \
		unshare --mount bash -c 'mount -t overlay registry -o "$1" "$2" && exec docker-registry serve "$3"' registry \
		"lowerdir=$images_path/registry,upperdir=$folder/upper,workdir=$folder/work" "$folder/root" \
		"$testbed/images/registry.yaml"
}

start_etcd() {
	daemon "$1" etcd "$kubernetes_path/etcd" --name "$1" --data-dir "$state/etcd/$1" --log-level warn \
		--listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
		--listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
		--initial-cluster "$1=http://127.0.0.1:2380" --quota-backend-bytes 4294967296 --unsafe-no-fsync
}

start_apiserver() {
	local pki=$state/pki/$1 issuer
	issuer=https://$(api_of "$1"):6443
	daemon "$1" apiserver "$kubernetes_path/kube-apiserver" --etcd-servers http://127.0.0.1:2379 \
		--advertise-address "$(api_of "$1")" --secure-port 6443 --service-cluster-ip-range "$(services_of "$1")" \
		--client-ca-file "$pki/ca.crt" --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key" \
		--kubelet-client-certificate "$pki/apiserver-kubelet.crt" --kubelet-client-key "$pki/apiserver-kubelet.key" \
		--kubelet-preferred-address-types InternalIP --authorization-mode Node,RBAC --allow-privileged \
		--enable-admission-plugins NodeRestriction \
		--service-account-issuer "$issuer" --service-account-key-file "$pki/accounts.pub" \
		--service-account-signing-key-file "$pki/accounts.key" \
		--requestheader-client-ca-file "$pki/ca.crt" --requestheader-allowed-names aggregator \
		--requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group \
		--requestheader-extra-headers-prefix X-Remote-Extra- \
		--proxy-client-cert-file "$pki/aggregator.crt" --proxy-client-key-file "$pki/aggregator.key"
}

start_controllers() {
	local pki=$state/pki/$1 config=$state/pki/$1/kube-controller-manager.kubeconfig
	daemon "$1" controller-manager "$kubernetes_path/kube-controller-manager" --bind-address 127.0.0.1 \
		--kubeconfig "$config" --authentication-kubeconfig "$config" --authorization-kubeconfig "$config" \
		--leader-elect=false --use-service-account-credentials --cluster-name "$1" --root-ca-file "$pki/ca.crt" \
		--service-account-private-key-file "$pki/accounts.key" --service-cluster-ip-range "$(services_of "$1")" \
		--cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key"
	config=$pki/kube-scheduler.kubeconfig
	daemon "$1" scheduler "$kubernetes_path/kube-scheduler" --bind-address 127.0.0.1 --leader-elect=false \
		--kubeconfig "$config" --authentication-kubeconfig "$config" --authorization-kubeconfig "$config"
}

# Runs beside the cluster, as its administrator; what it needs inside is in addons/storage.yaml.
start_provisioner() {
	echo '{"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": ["/opt/local-path-provisioner"]}]}' \
		>"$state/provisioner.json"
	daemon "$1" provisioner "$tools_path/local-path-provisioner" start --config "$state/provisioner.json" \
		--kubeconfig "$state/pki/$1/admin.kubeconfig" --helper-image "$registry/busybox:1" \
		--namespace local-path-storage --configmap-name local-path-config \
		--service-account-name local-path-provisioner-service-account
}

kubectl_in() {
	local cluster=$1
	shift
	within lab "$kubernetes_path/kubectl" --kubeconfig "$state/pki/$cluster/admin.kubeconfig" --request-timeout 10s "$@"
}

apply_addons() {
	sed -e "s|@REGISTRY@|$registry|g" -e "s|@DNS@|$(dns_of "$1")|g" "$testbed"/addons/*.yaml |
		kubectl_in "$1" apply -f - >"$state/log/$1/addons.log"
}

is_api_ready() {
	within lab curl -sSf -m 3 --cacert "$state/pki/$1/ca.crt" "https://$(api_of "$1"):6443/readyz"
}

is_registry_ready() {
	within lab curl -sSf -m 3 --cacert "$state/pki/registry/ca.crt" "https://$registry/v2/"
}

# Asks the API server as its administrator, for a path: ask CLUSTER PATH
ask() {
	local pki=$state/pki/$1
	within lab curl -sSf -m 5 --cacert "$pki/ca.crt" --cert "$pki/admin.crt" --key "$pki/admin.key" \
		"https://$(api_of "$1"):6443$2"
}

# Nodes, the kubelets themselves (a dead node's condition stays for 40 s), and the name service, asked from outside by
# its service's address.
is_cluster_ready() {
	local answer node
	answer=$(ask "$1" /api/v1/nodes) || return
	for node in ${nodes[$1]}; do
		jq -e --arg node "$node" 'any(.items[] | select(.metadata.name == $node) | .status.conditions[];
			.type == "Ready" and .status == "True")' <<<"$answer" || return
		ask "$1" "/api/v1/nodes/$node/proxy/healthz" || return
	done
	within lab curl -sSf -m 5 "http://$(dns_of "$1"):8181/ready"
}
