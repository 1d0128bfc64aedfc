# shellcheck shell=bash disable=SC2154 # variables of place.sh and cache.sh
# The four artifacts: the Kubernetes programs, the programs beside them, the root of a node, the images.

kubernetes_version=v1.34.4
provisioner_version=v0.0.30
node_suite=forky # CRIU 4.2 or newer is needed on kernels from 6.16, containerd 2.1 or newer to restore
image_suite=bookworm

make_artifacts() {
	# shellcheck source=/dev/null
	. "$root/ci/env.sh" # finds Go
	artifact kubernetes make_kubernetes "$testbed/kubernetes" "$kubernetes_version" "$(declare -f make_kubernetes)"
	artifact tools make_tools "$testbed/coredns" "$provisioner_version" "$(declare -f make_tools)"
	artifact node make_node "$node_suite" "$(declare -f make_node bootstrap)"
	artifact images make_images "$testbed/images" "${tools_path##*/}" "$image_suite" "$(declare -f make_images bootstrap)"
}

go_build() {
	env CGO_ENABLED=0 GOFLAGS=-buildvcs=false timeout 1800 nice go "$@"
}

make_kubernetes() {
	local package=k8s.io/component-base/version program
	(
		cd "$testbed/kubernetes" || exit
		go_build build -trimpath -o "$1/kubernetes" -ldflags "-s -w -X $package.gitVersion=$kubernetes_version \
			-X $package.gitMajor=1 -X $package.gitMinor=34 -X $package.gitTreeState=clean" .
	)
	for program in etcd kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubelet kubectl; do
		ln -s kubernetes "$1/$program"
	done
	mkdir "$1/bin"
	ln -s ../kubernetes "$1/bin/kubectl"
}

make_tools() {
	(cd "$testbed/coredns" && go_build build -trimpath -ldflags '-s -w' -o "$1/coredns" .)
	GOBIN=$1 go_build install -trimpath -ldflags '-s -w' \
		"github.com/rancher/local-path-provisioner@$provisioner_version"
}

# A Debian root from the mirror this machine is set up with: bootstrap SUITE FOLDER PACKAGES [OPTIONS...]
bootstrap() {
	local suite=$1 folder=$2 packages=$3 codename uri key
	shift 3
	codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
	read -r uri _ key < <("$root/ci/debian-sources" | awk -v s="$codename" '$2 == s')
	[ "$key" != - ] || key=/usr/share/keyrings/debian-archive-keyring.gpg
	timeout 600 mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" \
		--aptopt='Acquire::Check-Valid-Until "false"' --aptopt='Acquire::Retries "3"' \
		--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
		"$@" "$suite" "$folder" "deb [signed-by=$key] $uri $suite main"
	: >"$folder/etc/resolv.conf"
	rm -f "$folder/etc/hostname" "$folder/etc/machine-id"
}

make_node() {
	bootstrap "$node_suite" "$1/root" "containerd,runc,criu,containernetworking-plugins,nftables,iptables,conntrack,\
iproute2,util-linux,mount,procps,ca-certificates"
}

make_images() {
	bootstrap "$image_suite" "$1/base" ca-certificates
	timeout 900 "$testbed/images/build" "$1/base" "$tools_path" "$1/registry"
	rm -rf --one-file-system "$1/base"
}
