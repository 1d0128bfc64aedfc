# shellcheck shell=bash
# Source this: . ci/env.sh
# Puts a Go that can build the testbed, and the system administrator's tools, on PATH.
#
# Where the only Go is older than 1.24 it is told to fetch, through the Go module proxy, the toolchain a go.mod asks for.

os2os_go=$("$(dirname "${BASH_SOURCE[0]}")/go-path" || true)
if [ -z "$os2os_go" ] && [ -x /usr/lib/go-1.23/bin/go ]; then
	os2os_go=/usr/lib/go-1.23/bin
	export GOTOOLCHAIN=auto
fi
export PATH="${os2os_go:+$os2os_go:}$PATH:/usr/local/sbin:/usr/sbin:/sbin"
unset os2os_go
