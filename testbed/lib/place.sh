# shellcheck shell=bash disable=SC2034 # used by the other parts
# Where things are and what they are called. Everything else in lib/ needs this one.

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
testbed=$root/testbed
state=$(readlink -f "$root/.testbed") # where it is a link, another checkout's testbed is shared
cache=${OS2OS_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/os2os}/testbed

# The one kind of name that is seen outside the namespaces is a cgroup's: it tells checkouts apart.
suffix=$(printf %s "${state%/.testbed}" | sha256sum | cut -c1-6)
label=o2-$suffix

clusters=(A B)
declare -A number=([A]=1 [B]=2)
declare -A nodes=([A]="a-1 a-2" [B]="b-1")

# Addresses, all of them inside the namespaces: <n> is the cluster's number, <i> the node's.
#
#	10.0.0.1        the registry, in the lab
#	10.0.<n>.1, .2  the link between the lab and a cluster
#	10.<n>.0.1      the cluster's API server and router
#	10.<n>.0.1<i>   its nodes
#	10.10<n>.<i>.*  their pods
#	10.20<n>.*      its services, name service at .0.10
registry=10.0.0.1:5000

api_of() { echo "10.${number[$1]}.0.1"; }
cluster_of() {
	local letter=${1%-*}
	echo "${letter^^}"
}
node_address() { echo "10.${number[$(cluster_of "$1")]}.0.1${1#*-}"; }
pods_of_node() { echo "10.10${number[$(cluster_of "$1")]}.${1#*-}.0/24"; }
pods_of() { echo "10.10${number[$1]}.0.0/16"; }
services_of() { echo "10.20${number[$1]}.0.0/16"; }
dns_of() { echo "10.20${number[$1]}.0.10"; }

# A proxy that this machine may need is not for what is inside.
export NO_PROXY=${NO_PROXY:+$NO_PROXY,}127.0.0.1,10.0.0.0/8
export no_proxy=$NO_PROXY

say() { echo "testbed: $*" >&2; }
fail() {
	say "$*"
	exit 1
}

need_root() { [ "$(id -u)" -eq 0 ] || fail "needs root"; }

need_programs() {
	local program missing=()
	for program in curl docker-registry gcc ip jq mmdebstrap openssl python3 setsid skopeo unshare; do
		command -v "$program" >/dev/null || missing+=("$program")
	done
	[ ${#missing[@]} -eq 0 ] || fail "missing: ${missing[*]} (ci/deps testbed installs them)"
}

# Namespaces of mounts can't be made below a root that isn't one itself.
need_root_mount() { mountpoint -q / || fail "the root is no mount point, as in a bare chroot: bind it on itself first"; }

# One of up, down and fault at a time in a checkout. The lock is on this folder, so it leaves nothing behind.
lock() {
	exec {lock_fd}<"$testbed/lib"
	flock -w "${1:-2400}" "$lock_fd" || fail "another testbed command of this checkout holds the lock"
}

# Wait until a command succeeds: await SECONDS "what is waited for" LOGFILE COMMAND...
await() {
	local limit=$1 what=$2 log=$3 end
	shift 3
	end=$((SECONDS + limit))
	until ("$@") >/dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			say "not ready after $limit s: $what"
			if [ -f "$log" ]; then
				say "the end of ${log#"$root"/}:"
				tail -n 15 "$log" >&2
			fi
			return 1
		fi
		sleep 0.1
	done
}
