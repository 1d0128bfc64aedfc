# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# Certificate authorities, certificates and kubeconfigs, new with every fresh start, in .testbed/pki.

# new_authority DIRECTORY NAME
new_authority() {
	mkdir -p "$1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$2" \
		-keyout "$1/ca.key" -out "$1/ca.crt" -addext keyUsage=critical,keyCertSign,cRLSign,digitalSignature 2>/dev/null
}

# new_certificate DIRECTORY NAME SUBJECT [ALTERNATIVE NAMES], signed by DIRECTORY/ca
new_certificate() {
	local usage=clientAuth names=()
	if [ -n "${4:-}" ]; then
		usage=serverAuth
		names=(-addext "subjectAltName=$4")
	fi
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "$3" \
		-CA "$1/ca.crt" -CAkey "$1/ca.key" -keyout "$1/$2.key" -out "$1/$2.crt" -addext basicConstraints=CA:FALSE \
		-addext "extendedKeyUsage=$usage" "${names[@]}" 2>/dev/null
}

# A kubeconfig for one user of one cluster: kubeconfig CLUSTER SERVER CERTIFICATE
kubeconfig() {
	local pki=$state/pki/$1
	cat <<-END
		apiVersion: v1
		kind: Config
		current-context: $1
		clusters:
		- name: $1
		  cluster: {server: "https://$2:6443", certificate-authority-data: $(base64 -w0 "$pki/ca.crt")}
		contexts:
		- name: $1
		  context: {cluster: $1, user: $1-$3}
		users:
		- name: $1-$3
		  user: {client-certificate-data: $(base64 -w0 "$pki/$3.crt"), client-key-data: $(base64 -w0 "$pki/$3.key")}
	END
}

make_cluster_pki() {
	local cluster=$1 pki=$state/pki/$1 api node name
	api=$(api_of "$cluster")
	new_authority "$pki" "cluster-$cluster"
	new_certificate "$pki" apiserver /CN=kube-apiserver "IP:$api,IP:127.0.0.1,IP:$(services_of "$cluster" | sed 's|0/16|1|'),\
DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local"
	new_certificate "$pki" admin /O=system:masters/CN=admin
	new_certificate "$pki" apiserver-kubelet /O=system:masters/CN=apiserver-kubelet
	new_certificate "$pki" aggregator /CN=aggregator
	for name in kube-controller-manager kube-scheduler kube-proxy; do
		new_certificate "$pki" "$name" "/CN=system:$name"
		kubeconfig "$cluster" "$api" "$name" >"$pki/$name.kubeconfig"
	done
	for node in ${nodes[$cluster]}; do
		new_certificate "$pki" "$node" "/O=system:nodes/CN=system:node:$node"
		kubeconfig "$cluster" "$api" "$node" >"$pki/$node.kubeconfig"
	done
	kubeconfig "$cluster" "$api" admin >"$pki/admin.kubeconfig"
	openssl ecparam -genkey -name prime256v1 -noout -out "$pki/accounts.key"
	openssl ec -in "$pki/accounts.key" -pubout -out "$pki/accounts.pub" 2>/dev/null
}

make_pki() {
	local cluster pki=$state/pki
	umask 077
	new_authority "$pki/registry" registry
	new_certificate "$pki/registry" server /CN=registry "IP:${registry%:*},IP:127.0.0.1"
	cat /etc/ssl/certs/ca-certificates.crt "$pki/registry/ca.crt" >"$pki/bundle.crt"
	for cluster in "${clusters[@]}"; do
		make_cluster_pki "$cluster"
	done
	make_user_kubeconfig
	umask 022
}

# One file with a context for each cluster.
make_user_kubeconfig() {
	local files cluster
	for cluster in "${clusters[@]}"; do
		files=${files:+$files:}$state/pki/$cluster/admin.kubeconfig
	done
	KUBECONFIG=$files "$kubernetes_path/kubectl" config view --flatten >"$state/kubeconfig"
}
