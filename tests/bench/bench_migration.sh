# SPDX-License-Identifier: Apache-2.0
# bench_migration.sh — the part `migration` of ci/bench.sh: whole migrations over loopback TCP, from
# the start of `haul send` until the target owns and has everything durable, next to other ways to
# move the same database:
#
# with values of several sizes; with values of 1000 bytes also under live load, with compressed
# payloads, and with incompressible values. The part `shapes` has values of 16 and 256 MiB; 64 column
# families; most bytes in few keys; two sizes of the database ($growth_bytes), which show whether
# cost and memory grow with it; and the bytes that the target's disk finally has to write.
#
#   rsync   of a checkpoint to a daemon on this machine, with --fsync: as durable as haul's result
#   copy    tests/bench/bench_copy.c: one thread, scan and ingest, no network, no second process
#
# All of them take turns, once a round. The data lies in the page cache. Neither the source's nor the
# target's tables are compressed. haul's two processes and all their CPU time are included.
# shellcheck shell=bash disable=SC2154,SC2034 # variables of ci/bench.sh

bench_migration() {
    local value size=${migration_size:-1000000000}
    ((!quick)) || size=50000000
    migration_start_rsync
    for value in ${migration_values//,/ }; do
        migration_values_of "$value" "$size"
    done
    [[ ,$migration_values, != *,1000,* ]] || migration_conditions "$size"
}

# Values of 1000 bytes under other conditions, in turn.
migration_conditions() {
    local directory=$work/migration way round size=$1 records=$(($1 / 1016))
    local -A of=()
    say '  under load, compressed, with values that do not compress ...'
    migration_fill "$directory" --num="$records" --value_size=1000
    migration_fill "$directory-dense" --num="$records" --value_size=1000 --compression_ratio=1
    for ((round = 0; round < pairs; round++)); do
        for way in ingest loaded packed dense; do
            migration_once "$directory$([[ $way == dense ]] && echo -dense)" "$way"
            of[$way]+=" $(jq -n "$records * 1016 / 1e9 / $took")"
        done
    done
    migration_condition '5,000 writes a second meanwhile' "${of[loaded]}" "${of[ingest]}"
    migration_condition 'compressed on the wire' "${of[packed]}" "${of[ingest]}"
    migration_condition 'values that do not compress' "${of[dense]}" "${of[ingest]}"
    rm -rf "$directory" "$directory-dense"
}

# migration_condition NAME RATES RATES-WITHOUT
migration_condition() {
    local -a runs others
    read -ra runs <<<"$2"
    read -ra others <<<"$3"
    result --arg section migration --arg name "1000 B values, ingest, $1" --arg unit GB/s \
        --argjson value "$(median "${runs[@]}")" --argjson runs "$(numbers "${runs[@]}")" \
        --argjson other "$(median "${others[@]}")" --argjson other_runs "$(numbers "${others[@]}")" \
        --arg other_name without --argjson target null --arg better more
}

# The part `shapes`.
bench_shapes() {
    migration_shapes
    migration_growth
    migration_amplification
}

# migration_fill DIRECTORY OPTION...: a source, and an empty target of the same kind. Tables are not
# compressed unless an option requires it.
migration_fill() {
    local directory=$1
    shift
    rm -rf "$directory"
    mkdir "$directory"
    db_bench --db="$directory/source" --benchmarks=fillseq,flush,waitforcompaction --key_size=16 \
        --compression_type=none --seed=1 "$@" >"$directory/db_bench.log" 2>&1 ||
        die "db_bench failed: $(tail -n 3 "$directory/db_bench.log")"
    db_bench --db="$directory/empty" --benchmarks=fillseq,deleteseq,flush,compact \
        --compression_type=none "$@" --num=1 >>"$directory/db_bench.log" 2>&1 || die 'db_bench failed'
}

# migration_once DIRECTORY [WAY]: one run of haul alone, into a fresh target.
migration_once() {
    rm -rf "$1/target" "$1/source/haul"
    cp -a "$1/empty" "$1/target"
    "migration_by_${2:-ingest}" "$1"
}

# migration_single NAME DIRECTORY: a figure without a comparison.
migration_single() {
    local rates=() peaks bytes round
    for ((round = 0; round < (pairs + 1) / 2; round++)); do
        migration_once "$2"
        bytes=$(jq .bytes "$2/send.json")
        rates+=("$(jq -n "$bytes / 1e9 / $took")")
    done
    peaks=$peak_mib
    result --arg section migration --arg name "$1" --arg unit GB/s \
        --argjson value "$(median "${rates[@]}")" --argjson runs "$(numbers "${rates[@]}")" \
        --argjson bytes "$bytes" --argjson wire_bytes "$wire_bytes" --argjson peak_mib "$peaks" \
        --argjson target null --arg better more --arg note "peak MiB of sender and receiver: $peaks"
}

migration_shapes() {
    local directory=$work/migration records=100
    ((!quick)) || records=2
    say '  large values, many families ...'
    migration_fill "$directory" --num=$((records / 2)) --value_size=16777216
    migration_single '16 MiB values' "$directory"
    migration_fill "$directory" --num=$((records < 8 ? 2 : 8)) --value_size=$((256 << 20))
    migration_single '256 MiB values' "$directory"
    migration_fill "$directory" --num=$((records * 5000)) --value_size=1000 --num_column_families=64
    migration_single '64 column families, which the target has' "$directory"
    migration_fill "$directory" --num=$((records * 5000)) --value_size=100
    db_bench --db="$directory/source" --use_existing_db \
        --benchmarks=overwrite,flush,compact --key_size=16 --compression_type=none --seed=1 \
        --num=$((records * 500)) --writes=$((records * 1500)) --value_size=9000 \
        >"$directory/db_bench.log" 2>&1 || die 'db_bench failed'
    migration_single 'nine tenths of the bytes in a tenth of the keys' "$directory"
    rm -rf "$directory"
}

# Seconds a GB of a large database next to those of one of 1 GB. Values compress to a tenth and
# tables are compressed (lz4) on both sides: so 20 GB fit twice into the memory of this kind of
# machine, and no disk is measured.
migration_growth() {
    local directory=$work/migration small large round small_mib large_mib
    local small_size=1000000000 large_size=${growth_bytes:-20000000000} smalls=() larges=()
    local kind=(--value_size=1000 --compression_type=lz4 --compression_ratio=0.1)
    ((!quick)) || { small_size=20000000 large_size=100000000; }
    say '  a large database ...'
    migration_fill "$directory-large" --num=$((large_size / 1016)) "${kind[@]}"
    migration_fill "$directory" --num=$((small_size / 1016)) "${kind[@]}"
    for ((round = 0; round < (pairs + 1) / 2; round++)); do
        migration_once "$directory"
        smalls+=("$(jq -n "$took / ($small_size / 1e9)")") small_mib=$peak_mib
        migration_once "$directory-large"
        larges+=("$(jq -n "$took / ($large_size / 1e9)")") large_mib=$peak_mib
    done
    result --arg section migration --arg name "time a GB at $((large_size / 1000000)) MB" --arg unit s/GB \
        --argjson value "$(median "${larges[@]}")" --argjson runs "$(numbers "${larges[@]}")" \
        --argjson other "$(median "${smalls[@]}")" --argjson other_runs "$(numbers "${smalls[@]}")" \
        --arg other_name "at $((small_size / 1000000)) MB" --argjson target 1.15 --arg better less \
        --argjson peak_mib "$large_mib" --argjson other_peak_mib "$small_mib" \
        --arg note "peak MiB of sender and receiver: $small_mib, of the large one $large_mib"
    rm -rf "$directory" "$directory-large"
}

# Bytes that the target's process wrote, and compaction after it until none is pending.
migration_amplification() {
    local directory=$work/migration way blocks settled size=500000000
    ((!quick)) || size=50000000
    migration_fill "$directory" --num=$((size / 1016)) --value_size=1000
    for way in ingest writebatch; do
        rm -rf "$directory/target" "$directory/source/haul"
        cp -a "$directory/empty" "$directory/target"
        "migration_by_$way" "$directory"
        blocks=$written_blocks
        /usr/bin/time -f %O -o "$directory/settle.time" db_bench --db="$directory/target" \
            --use_existing_db --benchmarks=flush,waitforcompaction --compression_type=none \
            >"$directory/db_bench.log" 2>&1 || die 'db_bench failed'
        settled=$(<"$directory/settle.time")
        if ((blocks == 0)); then
            say '  write amplification: left out, this file system does not count what is written'
            return
        fi
        result --arg section migration --arg name "bytes written on the target, $way" --arg unit 'a byte moved' \
            --argjson value "$(jq -n "($blocks + $settled) * 512 / $size")" --argjson target null \
            --arg better less --arg note 'logs, tables, journals, and what compaction adds until it has settled'
    done
    rm -rf "$directory"
}

# migration_values_of VALUE-BYTES SIZE
migration_values_of() {
    local directory=$work/migration way round records=$(($2 / ($1 + 16)))
    local ways=(ingest readers2 writebatch rsync copy)
    local -A wall=() sender=() receiver=() wire=() peak=()
    say "  $records records with values of $1 bytes ..."
    migration_fill "$directory" --num="$records" --value_size="$1"
    cp -al "$directory/source" "$directory/checkpoint" # what a checkpoint of a closed database is
    for ((round = 0; round < pairs; round++)); do
        for way in "${ways[@]}"; do
            rm -rf "$directory/target" "$directory/source/haul"
            cp -a "$directory/empty" "$directory/target"
            "migration_by_$way" "$directory"
            wall[$way]+=" $took"
            sender[$way]+=" $sender_cpu" receiver[$way]+=" $receiver_cpu"
            wire[$way]=$wire_bytes
            peak[$way]=$peak_mib
        done
    done
    migration_results "$1" $((records * ($1 + 16)))
    rm -rf "$directory"
}

# migration_by_* DIRECTORY: one run; sets took (seconds), sender_cpu, receiver_cpu (seconds),
# wire_bytes, peak_mib, written_blocks of 512 bytes ("null" where there is none).
migration_by_ingest() { migration_by_haul "$1" ingest; }
migration_by_dense() { migration_by_haul "$1" ingest; }
migration_by_packed() { migration_by_haul "$1" ingest 1 --compress on; }
migration_by_readers2() { migration_by_haul "$1" ingest 2; }
migration_by_writebatch() { migration_by_haul "$1" writebatch; }

# The load begins before the migration: that time does not count. What it writes stays in the
# source.
migration_by_loaded() {
    migration_by_haul "$1" ingest 1 --load 5000 --load-for 100ms
    took=$(jq .seconds "$1/send.json")
}

# migration_by_haul DIRECTORY LANE [THREADS [OPTION-OF-SEND...]]; uses the caller's array
# migration_receiver, if there is one: options of recv.
migration_by_haul() {
    local directory=$1 lane=$2 threads=${3:-1} user system real sent received
    shift $(($# < 3 ? $# : 3))
    start_server "$directory/receiver.log" 'haul: listening on ' \
        /usr/bin/time -f '%e %U %S %M %O' -o "$directory/receiver.time" "$haul" recv \
        --db "$directory/target" --listen 127.0.0.1:0 --transport tcp --once \
        --lane "$lane" --appliers "$threads" ${migration_receiver[@]+"${migration_receiver[@]}"}
    [[ -n $server_line ]] || die "haul recv: $(tail -n 1 "$directory/receiver.log")"
    /usr/bin/time -f '%e %U %S %M' -o "$directory/sender.time" "$haul" send \
        --db "$directory/source" --to "${server_line##* }" --transport tcp --quiet --json \
        --readers "$threads" "$@" >"$directory/send.json" || die "haul send: $(cat "$directory/send.json")"
    wait "$server_pid" || die "haul recv: $(tail -n 1 "$directory/receiver.log")"
    read -r real user system sent <"$directory/sender.time"
    took=$real sender_cpu=$(migration_sum "$user" "$system")
    read -r real user system received written_blocks <"$directory/receiver.time"
    receiver_cpu=$(migration_sum "$user" "$system")
    wire_bytes=$(jq .wire_bytes "$directory/send.json")
    peak_mib="[$((sent / 1024)), $((received / 1024))]"
}

migration_sum() { awk "BEGIN { print $1 + $2 }"; }

migration_start_rsync() {
    mkdir -p "$work/rsync"
    cat >"$work/rsync/rsyncd.conf" <<END
use chroot = no
[target]
path = $work
read only = no
uid = $(id -u)
gid = $(id -g)
END
    rsync_port=$((20000 + RANDOM % 10000))
    rsync --daemon --no-detach --address 127.0.0.1 --port "$rsync_port" \
        --config "$work/rsync/rsyncd.conf" >"$work/rsync/log" 2>&1 &
    servers+=("$!")
    timeout 10 bash -c "until (: </dev/tcp/127.0.0.1/$rsync_port) 2>/dev/null; do :; done" &&
        kill -0 "$!" ||
        die "rsync does not listen: $(cat "$work/rsync/log")"
}

migration_by_rsync() {
    local user system
    rm -rf "$1/target"
    mkdir "$1/target"
    /usr/bin/time -f '%e %U %S' -o "$1/time" rsync -r --whole-file --fsync "$1/checkpoint/" \
        "rsync://127.0.0.1:$rsync_port/target/migration/target/" || die 'rsync failed'
    read -r took user system <"$1/time"
    sender_cpu=$(migration_sum "$user" "$system") receiver_cpu=null wire_bytes=null peak_mib=null
}

migration_by_copy() {
    "$build/tests/bench_copy" "$1/source" "$1/target" >"$1/copy.json" || die 'bench_copy failed'
    read -r took sender_cpu < <(jq -r '"\(.seconds) \(.cpu_seconds)"' "$1/copy.json")
    receiver_cpu=null wire_bytes=null peak_mib=null
}

# migration_results VALUE-BYTES BYTES: rates, and the ratio of the best of haul to the others.
migration_results() {
    local way floor=null
    case $1 in
    100) floor=0.25 ;;
    1000000) floor=1.2 ;;
    esac
    migration_result "$@" ingest '' "$floor"
    for way in readers2 writebatch; do
        migration_result "$@" "$way" '' null
    done
    migration_result "$@" ingest rsync "$([[ $1 == 1000 ]] && echo 1.5 || echo null)"
    migration_result "$@" ingest copy "$([[ $1 == 1000 ]] && echo 1.2 || echo null)"
}

# migration_result VALUE-BYTES BYTES WAY OTHER TARGET
migration_result() {
    local rates other_rates against=() name="$1 B values"
    case $3 in
    ingest) name+=', ingest' ;;
    readers2) name+=', ingest, 2 readers and appliers' ;;
    writebatch) name+=', write batches' ;;
    esac
    # shellcheck disable=SC2086 # lists of numbers
    rates=$(migration_rates "$2" ${wall[$3]})
    if [[ -n $4 ]]; then
        # shellcheck disable=SC2086
        other_rates=$(migration_rates "$2" ${wall[$4]})
        against=(--argjson other "$(jq 'sort | .[(length - 1) / 2 | floor]' <<<"$other_rates")"
            --argjson other_runs "$other_rates" --arg other_name "$4")
    fi
    # shellcheck disable=SC2086
    result --arg section migration --arg name "$name" --arg unit GB/s \
        --argjson value "$(jq 'sort | .[(length - 1) / 2 | floor]' <<<"$rates")" \
        --argjson runs "$rates" "${against[@]}" --argjson target "$5" --arg better more \
        --argjson bytes "$2" --argjson wire_bytes "${wire[$3]}" --argjson peak_mib "${peak[$3]}" \
        --argjson source_cpu_seconds_per_gb "$(migration_cost "$2" ${sender[$3]})" \
        --argjson target_cpu_seconds_per_gb "$(migration_cost "$2" ${receiver[$3]})" \
        --arg note "$(migration_note "$2" "$3")"
}

migration_rates() {
    local bytes=$1
    shift
    printf '%s\n' "$@" | jq -s "map($bytes / 1e9 / .)"
}

# CPU seconds a GB, the median.
migration_cost() {
    local bytes=$1
    shift
    awk "BEGIN { print $(median "$@") / ($bytes / 1e9) }"
}

migration_note() {
    # shellcheck disable=SC2086
    printf 'CPU seconds a GB: source %s, target %s' "$(migration_cost "$1" ${sender[$2]})" \
        "$(migration_cost "$1" ${receiver[$2]})"
}
