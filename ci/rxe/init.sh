#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The first process of a guest kernel: sets up soft-RoCE, runs the command, powers off. Started by run.sh only.
set -euo pipefail
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# haul_rig comes from the guest kernel's command line. Until /proc, /sys and /dev are
# mounted below, those paths are the outer machine's own: nothing may be written there.
[[ $$ == 1 && -n ${haul_rig-} && -r $haul_rig/config ]] || { echo "init.sh: not inside a rig" >&2; exit 1; }
rig_role='' rig_hosts='' rig_peer_role='' rig_address='' rig_tmp='' rig_sync='' rig_cwd='' rig_memlock='' rig_netem=''
rig_assert_no_rnr=0
rig_env=() rig_command=()
# shellcheck source=/dev/null
source "$haul_rig/config"

status=125
device=rxe0
console_open=0

power_off() {
    sync || true
    if ((console_open)); then # setting the mode waits until the output is written
        stty -F /dev/tty1 raw || true
        stty -F /dev/tty2 raw || true
    fi
    perl -e 'syscall(169, 0xfee1dead, 672274793, 0x4321fedc, 0)' # reboot(2), power off
}

die() { echo "rig: $*" >&2; exit 125; }

# Reports how this host ended; the rename makes the report atomic.
publish() {
    echo "$1" >"$rig_sync/.$rig_role" && mv -f "$rig_sync/.$rig_role" "$rig_sync/$rig_role.$2"
}

on_exit() {
    trap - EXIT
    set +e
    if [[ ! -e $rig_sync/$rig_role.done ]]; then
        report >&2
        publish 125 "done"
    fi
    power_off
}

mount_new() { # type, directory, options
    mount -n -t "$1" -o "${3:-defaults}" "haul-$1" "$2" || die "cannot mount $1 on $2"
}

mount_all() {
    mount_new proc /proc
    mount_new sysfs /sys
    mount_new devtmpfs /dev
    mkdir -p /dev/pts /dev/shm
    mount_new devpts /dev/pts
    mount_new tmpfs /dev/shm
    [[ $rig_cwd == /run/* ]] || mount_new tmpfs /run
    mount_new tmpfs "$rig_tmp" size=75%
    ln -sfn /proc/self/fd /dev/fd
    ln -sfn /proc/self/fd/0 /dev/stdin
    ln -sfn /proc/self/fd/1 /dev/stdout
    ln -sfn /proc/self/fd/2 /dev/stderr
    # hostfs caches writes; write them back soon, for the outer machine.
    echo 20 >/proc/sys/vm/dirty_writeback_centisecs
    echo 20 >/proc/sys/vm/dirty_expire_centisecs
    echo "haul-$rig_role" >/proc/sys/kernel/hostname
}

# The guest itself gathers hardly any entropy, and getrandom(2) waits for it.
seed_random() {
    [[ -r $haul_rig/seed ]] || die "no seed for the random numbers"
    perl -e '
        open(my $seed, "<:raw", $ARGV[0]) or die; read($seed, my $bytes, 512) == 512 or die;
        open(my $random, ">:raw", "/dev/random") or die;
        ioctl($random, 0x40085203, pack("iia512", 4096, 512, $bytes)) or die;  # RNDADDENTROPY
    ' "$haul_rig/seed" || die "cannot seed the random numbers"
}

open_consoles() {
    exec 3>/dev/tty1 4>/dev/tty2
    stty -F /dev/tty1 raw -echo
    stty -F /dev/tty2 raw -echo
    console_open=1
    exec >&3 2>&4 3>&- 4>&- </dev/null
}

# pause SECONDS: sleeps without a new process.
open_pause() {
    mkfifo "$rig_tmp/.pause"
    exec 9<>"$rig_tmp/.pause"
    rm "$rig_tmp/.pause"
}
pause() { read -rt "$1" -u 9 || true; }

# await SECONDS COMMAND...: polls until the command succeeds.
await() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS <= end)) || return 1
        pause 0.05
    done
}

port_active() {
    local gid
    grep -q ACTIVE "/sys/class/infiniband/$device/ports/1/state" 2>/dev/null || return 1
    for gid in "/sys/class/infiniband/$device/ports/1/gids"/*; do
        if grep -q '0000:0000:0000:0000:0000:ffff:' "$gid" 2>/dev/null; then return 0; fi
    done
    return 1
}

network() {
    local netdev=dummy0
    echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad
    ip link set lo up
    if ((rig_hosts == 1)); then
        [[ -e /sys/class/net/dummy0 ]] || ip link add dummy0 type dummy
    else
        netdev=vec0
    fi
    ip addr add "$rig_address/24" dev "$netdev"
    ip link set "$netdev" mtu 9000 up
    ((rig_hosts == 1)) || ethtool -K vec0 gro on >/dev/null
    rdma link add "$device" type rxe netdev "$netdev"
    await 10 port_active || die "the rxe port did not become active"
}

meet_peer() {
    ((rig_hosts == 2)) || return 0
    publish 0 ready
    await 30 test -e "$rig_sync/$rig_peer_role.ready" || die "the other host did not start"
    if [[ -n $rig_netem ]]; then
        # shellcheck disable=SC2086 # netem options are several words
        tc qdisc add dev vec0 root netem limit 10000 $rig_netem || die "netem refused: $rig_netem"
    fi
}

rnr_count() { cat "/sys/class/infiniband/$device/ports/1/hw_counters/send_rnr_err"; }

# Becomes the command, with only the documented environment.
become_command() {
    local name drop=()
    exec 9>&-
    cd "$rig_cwd" || die "no directory $rig_cwd inside the rig"
    ulimit -n 65536
    if [[ -n $rig_memlock ]]; then
        ulimit -l "$rig_memlock"
        drop=(setpriv --inh-caps -ipc_lock --bounding-set -ipc_lock --) # root would not be limited
    else
        ulimit -l unlimited
    fi
    for name in $(compgen -e); do unset "$name"; done
    export "${rig_env[@]}"
    PATH=${PATH:-/usr/sbin:/usr/bin:/sbin:/bin}
    exec "${drop[@]}" "${rig_command[@]}"
}

# Ends the command at the timeout, or some seconds after the other host failed.
watch() {
    local failed_since=
    while :; do
        pause 0.5
        if [[ -e $rig_sync/timeout ]]; then break; fi
        if ((rig_hosts == 2)) && [[ -e $rig_sync/$rig_peer_role.done ]]; then
            [[ $(<"$rig_sync/$rig_peer_role.done") != 0 ]] || continue
            : "${failed_since:=$SECONDS}"
            ((SECONDS - failed_since < 10)) || break
        fi
    done
    : >"$rig_tmp/.stopped"
    kill -TERM -- "-$1" 2>/dev/null
    pause 1
    kill -KILL -- "-$1" 2>/dev/null
}

run_command() {
    local child watcher
    set -m # the command gets a process group of its own
    (set +m; trap - EXIT; become_command) &
    child=$!
    (set +m +e; trap - EXIT; watch "$child") 2>/dev/null &
    watcher=$!
    set +m
    status=0
    wait "$child" || status=$?
    kill -KILL "$watcher" 2>/dev/null || true
    wait "$watcher" 2>/dev/null || true
}

report() {
    local counter
    echo "--- rig: $rig_role ended with status $status; guest status:"
    uptime || true
    grep -E 'MemTotal|MemFree|MemAvailable|Shmem:|Mlocked' /proc/meminfo || true
    # shellcheck disable=SC2009 # a listing, not a search
    ps -eo pid,ppid,stat,rss,wchan:20,args 2>/dev/null | grep -v '\[' | tail -n 30 || true
    echo "--- rig: rdma link"
    rdma link || true
    echo "--- rig: dmesg"
    dmesg | tail -n 25 || true
    echo "--- rig: hw_counters"
    for counter in /sys/class/infiniband/*/ports/*/hw_counters/*; do
        [[ ${counter##*/} == lifespan ]] || echo "${counter##*/} $(cat "$counter")"
    done
    echo "--- rig: end"
}

judge() {
    local before=$1 after
    after=$(rnr_count)
    if ((rig_assert_no_rnr && after != before)); then
        echo "rig: send_rnr_err moved from $before to $after (the command ended with $status)" >&2
        status=90
    fi
}

peer_done() { [[ -e $rig_sync/$rig_peer_role.done || -e $rig_sync/timeout ]]; }

main() {
    trap on_exit EXIT
    mount_all
    seed_random
    open_consoles
    open_pause
    network
    meet_peer
    local before
    before=$(rnr_count)
    run_command
    judge "$before"
    ((status == 0)) || report >&2
    if [[ -e $rig_tmp/.stopped ]]; then status=stopped; fi
    sync
    publish "$status" "done"
    # The other host may still need this kernel for its last acknowledgement.
    ((rig_hosts == 1)) || await 86400 peer_done
}

main
