#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs a command inside one or two guest kernels that have a soft-RoCE device; see README.md.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
usage='usage: run.sh [--hosts 1|2] [--netem "loss 1%"] [--timeout S] [--memory MB] [--memlock KB]
              [--assert-no-rnr] [--native] [--env NAME=VALUE]... -- COMMAND ARGS'

hosts=1 netem='' timeout=120 memory=2048 memlock='' assert_no_rnr=0 native=0
extra_env=() command=()
run='' builder='' bridge='' taps=() groups=() relays=() helpers=()

say() { printf 'rig: %s\n' "$*" >&2; }
die() { say "$*"; exit 2; }
broken() { say "$*"; exit 125; }

whole_number() { [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die "$1 needs a positive whole number, not '$2'"; }

parse() {
    while (($#)); do
        case $1 in
        --) shift; command=("$@"); break ;;
        --assert-no-rnr) assert_no_rnr=1; shift; continue ;;
        --native) native=1; shift; continue ;;
        -h | --help) printf '%s\n' "$usage"; exit 0 ;;
        --hosts | --netem | --timeout | --memory | --memlock | --env) ;;
        *) die "unknown argument '$1'"$'\n'"$usage" ;;
        esac
        (($# >= 2)) || die "$1 needs a value"
        case $1 in
        --hosts) [[ $2 == [12] ]] || die "--hosts needs 1 or 2"; hosts=$2 ;;
        --netem) netem=$2 ;;
        --timeout) whole_number "$1" "$2"; timeout=$2 ;;
        --memory) whole_number "$1" "$2"; memory=$2 ;;
        --memlock) whole_number "$1" "$2"; memlock=$2 ;;
        --env) [[ $2 =~ ^[A-Za-z_][A-Za-z0-9_]*= ]] || die "--env needs NAME=VALUE"; extra_env+=("$2") ;;
        esac
        shift 2
    done
    ((${#command[@]})) || die "no command"$'\n'"$usage"
    [[ -z $netem || $hosts == 2 ]] || die "--netem needs --hosts 2: traffic within one host passes no queue"
    ((!native || hosts == 1)) || die "--native supports one host only"
}

# shellcheck disable=SC2317 # called by a trap
finish() {
    local status=$? group name
    trap '' INT TERM HUP
    trap - EXIT
    set +e
    [[ -z $builder ]] || { kill -TERM "$builder" && wait "$builder"; } 2>/dev/null
    for group in "${groups[@]}"; do kill -KILL -- "-$group" 2>/dev/null; done
    for group in "${groups[@]}"; do wait "$group" 2>/dev/null; done
    for name in "${helpers[@]}"; do kill -KILL "$name" && wait "$name"; done 2>/dev/null
    # Without writers, the relays end by themselves once they have passed everything on.
    for name in "${relays[@]}"; do wait "$name" 2>/dev/null; done
    for name in "${taps[@]}" $bridge; do ip link del "$name" 2>/dev/null; done
    [[ -z $run ]] || rm -rf --one-file-system -- "$run"
    exit "$status"
}

# The directory of this run. It must not be a path that the guest covers with its own mounts, or
# that a kernel command line cannot carry.
make_run_directory() {
    local base=${TMPDIR:-/tmp}
    if [[ ! $base =~ ^/[A-Za-z0-9._/-]*$ || $base =~ ^/(dev|proc|sys|run)(/|$) ]]; then base=/tmp; fi
    run=$(mktemp -d "$base/haul-rig.XXXXXXXX")
    mkdir "$run/shared" "$run/sync"
}

kept_environment() {
    local name
    for name in $(compgen -e); do
        case $name in
        PATH | HOME | HAUL_* | *SAN_OPTIONS) printf '%s\0' "$name=${!name}" ;;
        esac
    done
}

# role_environment ROLE ADDRESS PEER TMP: fills the array `environment`.
role_environment() {
    mapfile -d '' -t environment < <(kept_environment)
    environment+=("HAUL_RIG_ROLE=$1" "HAUL_RIG_ADDRESS=$2" "HAUL_RIG_PEER=$3" "HAUL_RIG_TMP=$4"
                  "HAUL_RIG_SHARED=$run/shared"
                  MALLOC_TOP_PAD_=67108864 MALLOC_TRIM_THRESHOLD_=2147483647
                  MALLOC_MMAP_THRESHOLD_=33554432
                  "${extra_env[@]}")
}

# ---- native ----

native_address() {
    local port device netdev address
    for port in /sys/class/infiniband/*/ports/*; do
        grep -q ACTIVE "$port/state" 2>/dev/null || continue
        device=${port%/ports/*}
        for netdev in $(cat "$port"/gid_attrs/ndevs/* 2>/dev/null | sort -u) \
                      $(ls "$device/device/net" 2>/dev/null); do
            address=$(ip -4 -o addr show dev "$netdev" scope global 2>/dev/null |
                      awk 'NR == 1 { sub("/.*", "", $4); print $4 }')
            [[ -z $address ]] || { echo "$address"; return 0; }
        done
    done
    return 1
}

native_rnr() {
    cat /sys/class/infiniband/*/ports/*/hw_counters/{send_rnr_err,rnr_nak_retry_err} 2>/dev/null |
        awk '{ sum += $1 } END { print sum + 0 }' || true
}

native_report() {
    say "native command ended with status $1"
    rdma link >&2 || true
    { dmesg 2>/dev/null | tail -n 25; grep -H . /sys/class/infiniband/*/ports/*/hw_counters/*; } >&2 2>/dev/null || true
}

# Becomes the command on this machine (in a subshell).
become_native() {
    local drop=() name
    if [[ -n $memlock ]]; then
        ulimit -l "$memlock"
        ((EUID != 0)) || drop=(setpriv --inh-caps -ipc_lock --bounding-set -ipc_lock --)
    else
        ulimit -l unlimited 2>/dev/null || true
    fi
    for name in "${environment[@]}"; do
        case $name in MALLOC_*) ;; *) export "${name?}" ;; esac
    done
    exec setsid -- "${drop[@]}" "${command[@]}" </dev/null
}

run_native() {
    local address before after status=0 ended=''
    compgen -G '/sys/class/infiniband/*' >/dev/null || die "--native: this machine has no RDMA device"
    address=$(native_address) || die "--native: no active RDMA port with an IPv4 address"
    mkdir "$run/tmp"
    role_environment single "$address" "$address" "$run/tmp"
    before=$(native_rnr)
    (trap - EXIT; become_native) &
    groups+=("$!")
    setpriv --pdeathsig KILL sleep "$timeout" &
    helpers+=("$!")
    wait -n -p ended "${groups[0]}" "${helpers[0]}" || status=$?
    if [[ $ended == "${helpers[0]}" ]]; then
        say "timeout after $timeout s"
        status=124
    fi
    after=$(native_rnr)
    if ((assert_no_rnr && before != after)); then
        say "RNR counters moved from $before to $after"
        ((status == 124)) || status=90
    fi
    ((status == 0)) || native_report "$status"
    exit "$status"
}

# ---- guests ----

skip() { say "skipped: $*"; exit 77; }

make_network() {
    local name try=0
    { [[ -c /dev/net/tun ]] && : <>/dev/net/tun; } 2>/dev/null || skip "two hosts need /dev/net/tun, which cannot be opened here"
    until name=hr$(od -An -N4 -tx1 /dev/urandom | tr -d ' \n') &&
          ip link add "${name}b" type bridge forward_delay 0 mcast_snooping 0 2>"$run/error"; do
        ((++try < 5)) || skip "cannot make a bridge: $(<"$run/error")"
    done
    bridge=${name}b
    for tap in "${name}s" "${name}c"; do
        ip tuntap add dev "$tap" mode tap 2>"$run/error" ||
            skip "cannot make a tap on /dev/net/tun: $(<"$run/error")"
        taps+=("$tap")
        ip link set "$tap" addrgenmode none mtu 9000 master "$bridge" up
    done
    ip link set "$bridge" addrgenmode none mtu 9000 up
}

# The directory of the unlinked file that holds the guest's memory.
memory_directory() {
    local free
    free=$(df --output=avail -m /dev/shm 2>/dev/null | tail -n 1) || free=0
    if [[ -w /dev/shm ]] && ((free >= memory * hosts)); then echo /dev/shm; else echo "$run"; fi
}

write_config() { # role, address, peer, peer's role
    local dir=$run/$1
    mkdir "$dir" "$dir/tmp"
    cp "$here/init.sh" "$dir/init"
    chmod 755 "$dir/init"
    role_environment "$1" "$2" "$3" "$dir/tmp"
    head -c 512 /dev/urandom >"$dir/seed"
    cat >"$dir/config" <<END
rig_role=$1
rig_hosts=$hosts
rig_address=$2
rig_peer_role=$4
rig_tmp=$dir/tmp
rig_sync=$run/sync
rig_cwd=${PWD@Q}
rig_memlock=$memlock
rig_netem=${netem@Q}
rig_assert_no_rnr=$assert_no_rnr
rig_env=(${environment[*]@Q})
rig_command=(${command[*]@Q})
END
}

# Passes a stream on, line by line with a prefix, or unchanged.
relay() {
    if ((hosts == 1)); then exec cat; fi
    # shellcheck disable=SC2016 # perl's own variables
    exec perl -e 'my $p = shift; $| = 1; while (<STDIN>) { chomp; print "$p$_\n" }' "[$1] "
}

start_relays() {
    local fifo
    for fifo in out err; do mkfifo "$run/$1/$fifo"; done
    (trap - EXIT; relay "$1") <"$run/$1/out" &
    relays+=("$!")
    (trap - EXIT; relay "$1") <"$run/$1/err" >&2 &
    relays+=("$!")
}

start_guest() { # role, tap or nothing
    local dir=$run/$1 network=()
    [[ -z ${2-} ]] || network=("vec0:transport=tap,ifname=$2,depth=64,mtu=9000,gro=1")
    (
        trap - EXIT
        ulimit -c 0
        exec setsid setpriv --pdeathsig KILL -- env -i PATH="$PATH" HOME="$dir" TMPDIR="$memory_at" \
            "$kernel" "mem=${memory}M" rootfstype=hostfs rootflags=/ rw "init=$dir/init" "haul_rig=$dir" \
            "umid=$1" "uml_dir=$dir/uml/" con=null con0=null,fd:1 con1=null,fd:5 con2=null,fd:6 \
            "${network[@]}" quiet
    ) </dev/null >"$dir/log" 2>&1 5>"$dir/out" 6>"$dir/err" &
    groups+=("$!")
}

# Reports a guest that ended without a status, also to the other guest.
note_end() {
    [[ ! -e $run/sync/$1.done ]] || return 0
    echo 125 >"$run/sync/$1.done"
    say "guest $1 ended before its command did; the end of its kernel log:"
    tail -n 30 "$run/$1/log" >&2
}

wait_guests() {
    local ended status left=${#groups[@]} timer i
    setpriv --pdeathsig KILL sleep "$timeout" &
    timer=$!
    helpers+=("$timer")
    while ((left)); do
        ended=''
        wait -n -p ended "${groups[@]}" "$timer" || true
        if [[ $ended == "$timer" ]]; then
            expire
        fi
        for i in "${!groups[@]}"; do
            if [[ ${groups[i]} == "$ended" ]]; then
                note_end "${roles[i]}"
                kill -KILL -- "-$ended" 2>/dev/null || true
                unset "groups[i]"
                left=$((left - 1))
            fi
        done
    done
    exit "$(overall)"
}

# Gives the guests some seconds to report, then ends them.
expire() {
    local until=$((SECONDS + 8)) group alive=1
    say "timeout after $timeout s"
    : >"$run/sync/timeout"
    while ((alive && SECONDS < until)); do
        sleep 0.1
        alive=0
        for group in "${groups[@]}"; do if kill -0 "$group" 2>/dev/null; then alive=1; fi; done
    done
    exit 124
}

# The client's failure first, then the server's; a command that was stopped only because the other
# host failed does not count.
overall() {
    local role status=0 stopped=0 each
    for role in client single server; do
        [[ -e $run/sync/$role.done ]] || continue
        each=$(<"$run/sync/$role.done")
        if [[ $each == stopped ]]; then stopped=1; elif ((status == 0)); then status=$each; fi
    done
    if ((status == 0 && stopped)); then status=125; fi
    echo "$status"
}

run_guests() {
    "$here/build.sh" >"$run/kernel" & # not in the foreground: a signal must not wait for it
    builder=$!
    wait "$builder" || broken "no kernel to run"
    builder=''
    kernel=$(<"$run/kernel")
    memory_at=$(memory_directory)
    if ((hosts == 1)); then
        roles=(single)
        write_config single 10.99.0.1 10.99.0.1 ''
    else
        roles=(server client)
        make_network
        write_config server 10.99.0.1 10.99.0.2 client
        write_config client 10.99.0.2 10.99.0.1 server
    fi
    local i
    for i in "${!roles[@]}"; do
        start_relays "${roles[i]}"
        start_guest "${roles[i]}" "${taps[i]-}"
    done
    wait_guests
}

main() {
    parse "$@"
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    make_run_directory
    if ((native)); then run_native; else run_guests; fi
}

main "$@"
