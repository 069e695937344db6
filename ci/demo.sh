#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh — moves a whole database from one process to another and compares both.
#   ci/demo.sh [--rdma] [--keep] [SIZE]
#     SIZE    size of the database: 100M, 1G (default), 10G
#     --rdma  run sender and receiver in the soft-RoCE rig (ci/rxe), over verbs; 100M by default
#     --keep  keep the databases and print their directory
# Installs and builds what is missing. The databases are in a temporary directory.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() { sed -n '4,8s/^# \{0,3\}//p' "${BASH_SOURCE[0]}"; }

value_bytes=1000 # "1 KB values"
key_bytes=16
rdma=0 keep=0 size='' inside=''

parse() {
    while (($#)); do
        case $1 in
        --rdma) rdma=1 ;;
        --keep) keep=1 ;;
        --inside) inside=$2; shift ;; # internal: the part that runs in the rig
        -h | --help) usage; exit 0 ;;
        [0-9]*) size=$1 ;;
        *) usage >&2; exit 2 ;;
        esac
        shift
    done
    [[ -n $size ]] || { ((rdma)) && size=100M || size=1G; }
    [[ $size =~ ^([1-9][0-9]{0,6})([KMG]?)B?$ ]] || die "'$size' is not a size such as 100M or 1G"
    local factor=1
    case ${BASH_REMATCH[2]} in
    K) factor=1000 ;;
    M) factor=1000000 ;;
    G) factor=1000000000 ;;
    esac
    bytes=$((BASH_REMATCH[1] * factor))
}

clean_up() {
    local status=$?
    trap '' INT TERM
    [[ -z ${receiver_pid:-} ]] || kill "$receiver_pid" 2>/dev/null || true
    wait 2>/dev/null || true
    if [[ -n ${work:-} ]]; then
        if ((keep)); then say "databases kept in $work"; else rm -rf -- "$work"; fi
    fi
    exit "$status"
}

make_source() {
    local records=$((bytes / (value_bytes + key_bytes)))
    ((records > 0)) || die "$size is too small for one record of 1 KB"
    say "making a database of $records records of 1 KB with db_bench ..."
    db_bench --db="$1" --benchmarks=fillseq --num="$records" --value_size=$value_bytes \
        --key_size=$key_bytes --compression_type=none --seed=1 >"$work/db_bench.log" 2>&1 ||
        die "db_bench failed: $(tail -n 3 "$work/db_bench.log")"
}

# migrate SOURCE TARGET ADDRESS MODE
migrate() {
    "$haul" keygen "$work/key" >/dev/null || die "no key"
    start_receiver "$work/recv.log" --db "$2" --listen "$3:0" --transport "$4" --key "$work/key" --once
    [[ -n $receiver_address ]] || die "the receiver did not start: $(tail -n 1 "$work/recv.log")"
    say "the receiver listens on $receiver_address; sending (transport $4) ..."
    local status=0
    "$haul" send --db "$1" --to "$receiver_address" --transport "$4" --key "$work/key" --json >"$work/send.json" ||
        status=$?
    reap "$receiver_pid" || { say "receiver: $(tail -n 1 "$work/recv.log")"; status=1; }
    receiver_pid=''
    return "$status"
}

summarise() {
    local result=$work/send.json moved seconds
    moved=$(jq -r .bytes "$result") seconds=$(jq -r .seconds "$result")
    echo
    echo "records    $(jq -r .records "$result")"
    echo "bytes      $moved"
    awk -v bytes="$moved" -v seconds="$seconds" 'BEGIN {
        printf "seconds    %.2f\n", seconds
        printf "MB/s       %.1f\n", (seconds > 0 ? bytes / seconds / 1e6 : 0)
    }'
    echo "transport  $(jq -r .transport "$result")"
    jq -r '.fallback_reason // empty | "no RDMA    " + .' "$result" |
        fold -s -w 88 | sed '2,$s/^/           /'
    echo "verified   hand-over: $(jq -r .verified "$result"); haul verify: both sides equal"
}

has_rdma_device() { compgen -G '/sys/class/infiniband/*' >/dev/null; }

run_here() {
    local mode=auto address=127.0.0.1
    work=$(mktemp -d "${TMPDIR:-/tmp}/haul-demo.XXXXXX")
    has_rdma_device || say "no RDMA device on this machine: TCP will be used (--rdma for the soft-RoCE rig)"
    make_source "$work/source"
    haul=$(realpath "$haul")
    cd "$work" # short names in the output
    migrate source target "$address" "$mode" || die "the migration failed"
    say "comparing both databases ..."
    "$haul" verify --db source --with target || die "the databases differ"
    summarise
}

# In the rig: databases in the guest's memory, logs in the directory of the outer part.
run_inside() {
    local guest=$HAUL_RIG_TMP
    work=$inside keep=1
    trap - EXIT
    cp -r "$work/source" "$guest/source"
    migrate "$guest/source" "$guest/target" "$HAUL_RIG_ADDRESS" rdma || exit 1
    say "comparing both databases ..."
    "$haul" verify --db "$guest/source" --with "$guest/target" || die "the databases differ"
}

run_in_rig() {
    work=$(mktemp -d "${TMPDIR:-/tmp}/haul-demo.XXXXXX")
    say "preparing the soft-RoCE rig (its kernel is built on first use) ..."
    "$root/ci/rxe/build.sh" >/dev/null
    make_source "$work/source"
    # Source and target, and the memory of sender and receiver.
    local memory=$((1536 + 3 * bytes / 1000000))
    "$root/ci/rxe/run.sh" --timeout 1200 --memory "$memory" -- \
        "$root/ci/demo.sh" --rdma --inside "$work" "$size" || die "the migration in the rig failed"
    summarise
    echo "           soft-RoCE runs on one emulated processor: its speed says nothing about RDMA hardware"
}

parse "$@"
if [[ -n $inside ]]; then
    run_inside
    exit 0
fi
"$root/ci/install.sh"
say "building ..."
"$root/ci/build.sh" "$build" --target haul
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if ((rdma)); then run_in_rig; else run_here; fi
