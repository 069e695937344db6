#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install.sh — installs the Debian packages for building, testing, the demo and the benchmarks.
#   ci/install.sh [--fuzz]
#     --fuzz   also the packages that tests/fuzz/fuzz.sh needs
# Prints what it installs. Does nothing, and needs neither root nor sudo, if no package is missing.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages=(
    gcc g++ make cmake pkg-config
    librocksdb-dev libisal-dev libxxhash-dev libnanopb-dev nanopb libjansson-dev libhiredis-dev
    libcurl4-openssl-dev
    libnuma-dev libzstd-dev libjemalloc-dev
    libibverbs-dev librdmacm-dev ibverbs-providers
    systemtap-sdt-dev # static tracepoints; a build without it has none
    # tests and demo
    libcunit1-dev rocksdb-tools socat jq strace
    # benchmarks
    iperf3 perftest time rsync iproute2 gnuplot-nox
)
# Seals blocks; exists for this architecture only, and a build without it uses OpenSSL alone.
[[ $(dpkg --print-architecture) != amd64 ]] || packages+=(libipsec-mb-dev)
[[ ${1:-} != --fuzz ]] || packages+=(clang libclang-rt-dev ninja-build afl++)

is_installed() {
    [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]
}

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
((${#missing[@]})) || exit 0

say "installing: ${missing[*]}"
become=()
if ((EUID != 0)); then
    command -v sudo >/dev/null || die "not root and no sudo; as root: apt-get install ${missing[*]}"
    become=(sudo)
fi
export DEBIAN_FRONTEND=noninteractive
"${become[@]}" apt-get update -q >&2
"${become[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -qy --no-install-recommends "${missing[@]}" >&2
