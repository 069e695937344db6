#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the user-mode kernel with soft-RoCE once, caches it, and prints its path.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source_package=linux-source-6.1
packages=("$source_package" gcc make xz-utils flex bison bc libelf-dev libssl-dev
          rdma-core ibverbs-providers ibverbs-utils rdmacm-utils perftest
          iperf3 iproute2 ethtool util-linux)
scratch=
child=

say() { printf 'rxe build: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# shellcheck disable=SC2317 # called by a trap
finish() {
    local status=$?
    trap - EXIT INT TERM HUP
    if [[ -n $child ]]; then
        kill -TERM -- "-$child" 2>/dev/null || true
        wait "$child" 2>/dev/null || true
    fi
    [[ -z $scratch ]] || rm -rf -- "$scratch"
    exit "$status"
}

# Runs a long command in its own session, so that a signal ends all of its processes.
step() {
    setsid -- "$@" >&2 </dev/null 9>&- &
    child=$!
    local status=0
    wait "$child" || status=$?
    child=
    return "$status"
}

installed() { [[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null) == ii* ]]; }

install_packages() {
    command -v dpkg-query >/dev/null || die "needs a Debian system (no dpkg-query)"
    local package missing=()
    for package in "${packages[@]}"; do
        installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    ((EUID == 0)) || die "missing packages, and not root: apt-get install ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    step apt-get update -q || die "apt-get update failed"
    step apt-get install -qy --no-install-recommends "${missing[@]}" || die "apt-get install failed"
}

check_config() {
    local option bad=0
    while IFS= read -r option; do
        [[ $option == CONFIG_* ]] || continue
        grep -qxF -- "$option" "$1" || { say "option did not take effect: $option"; bad=1; }
    done <"$here/rxe.config"
    ((bad == 0)) || die "the kernel would lack options"
}

# Replaces the kernel's restore_fp_registers by ours.
replace_register_code() {
    local file=$1/arch/x86/um/os-Linux/registers.c
    grep -q '^int restore_fp_registers(' "$file" || die "no restore_fp_registers in this kernel"
    sed -i 's/^int restore_fp_registers(/static int __attribute__((unused)) replaced_registers(/' "$file"
    cat "$here/xstate_registers.c" >>"$file"
}

# Builds in $scratch (same file system as the cache), then publishes by rename.
build() {
    local target=$1 log=$scratch/log
    say "building $target (a few minutes)"
    step tar -xf "/usr/src/$source_package.tar.xz" -C "$scratch" || die "cannot unpack the kernel source"
    local tree=$scratch/$source_package
    replace_register_code "$tree"
    local make=(make -C "$tree" ARCH=um)
    step "${make[@]}" -s "KCONFIG_ALLCONFIG=$here/rxe.config" allnoconfig || die "allnoconfig failed"
    check_config "$tree/.config"
    # shellcheck disable=SC2016 # expanded by the inner shell
    step bash -c 'log=$1; shift; exec "$@" >"$log" 2>&1' - "$log" \
        "${make[@]}" "-j$(nproc)" linux || { tail -n 40 "$log" >&2; die "the kernel does not build"; }
    mkdir -p "${target%/*}"
    cp "$tree/.config" "${target%/*}/config"
    mv "$tree/linux" "$target"
}

main() {
    (($# == 0)) || die "usage: build.sh (no arguments)"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    local cache=${HAUL_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/haul}
    mkdir -p "$cache"
    exec 9>"$cache/rxe.lock"
    setsid flock 9 &
    child=$!
    wait "$child"
    child=
    install_packages
    local version hash target
    version=$(dpkg-query -W -f '${Version}' "$source_package" | tr -c 'A-Za-z0-9.+\n-' _)
    hash=$(cat "$here/rxe.config" "$here/xstate_registers.c" | sha256sum | cut -c1-12)
    target=$cache/rxe-$version-$hash/linux
    if [[ ! -x $target ]]; then
        scratch=$(mktemp -d "$cache/build.XXXXXX")
        build "$target"
    fi
    printf '%s\n' "$target"
}

main "$@"
