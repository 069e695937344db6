# SPDX-License-Identifier: Apache-2.0
# bench_kvrocks.sh — the part `kvrocks` of ci/bench.sh: moves all slots between two Kvrocks nodes on
# this machine, by raw-key-value and by redis-command, next to a haul migration of as many records
# of the same size. KVROCKS_BIN names the server; redis-cli is needed as well.
#
# To be fair to Kvrocks: no speed limit (batches have one, so 8192 MB/s), pipelines of 1024, batches
# of $KVROCKS_BATCH_KB (default 1024), no compression, a compacted source, and the wall time of a
# synchronous CLUSTERX MIGRATE.
#
# If the server was built with server_patch, its migrate-transport haul takes turns with the others
# (tests/kvrocks/bench_slots.py; KVROCKS_BASELINE_BIN, if set, runs the others): the rows that begin
# with "slots".
# shellcheck shell=bash disable=SC2154,SC2034 # variables of ci/bench.sh

kvrocks_ids=("$(printf "a%.0s" {1..40})" "$(printf "b%.0s" {1..40})")

bench_kvrocks() {
    if [[ -z ${KVROCKS_BIN:-} ]]; then
        say 'part kvrocks: left out, KVROCKS_BIN names no server'
        return
    fi
    [[ -x $KVROCKS_BIN ]] || die "KVROCKS_BIN=$KVROCKS_BIN is no program"
    local value size=${kvrocks_size:-1000000000}
    ((!quick)) || size=50000000
    if grep -q migrate-rdma-lane "$KVROCKS_BIN"; then
        for value in ${KVROCKS_VALUES:-128 1000 16000}; do kvrocks_slots_of "$value" $((size >> 20)); done
    else
        say '  slots: left out, KVROCKS_BIN was built without server_patch'
    fi
    if ! command -v redis-cli >/dev/null; then
        say '  the tool beside the server: left out, redis-cli is missing: apt-get install redis-tools'
        return
    fi
    for value in ${KVROCKS_VALUES:-128 1000 16000}; do
        kvrocks_values_of "$value" $((size / (value + 16)))
    done
}

# --- migrate-transport haul -----------------------------------------------------------------------

# kvrocks_slots_of VALUE-BYTES MIB
kvrocks_slots_of() {
    local rival fast=3 slow=4 figures=$work/slots.json
    (($1 > 4000)) || { fast=4 slow=10; }
    say "  all slots, $2 MiB with values of $1 bytes ..."
    python3 -B "$root/tests/kvrocks/bench_slots.py" --mib "$2" --value-size "$1" --runs "$pairs" --json "$figures" >&2
    rival=$(jq -r '.runs | [to_entries[] | select(.key | startswith("raw-key-value"))]
        | min_by(.value | map(.seconds) | sort | .[(length - 1) / 2 | floor]) | .key' "$figures")
    kvrocks_slots_row "$1 B values, ingest" rate haul "$rival" "$fast"
    kvrocks_slots_row "$1 B values, ingest" rate haul redis-command "$slow"
    kvrocks_slots_row "$1 B values, write batches" rate haul-writebatch "$rival" null
    kvrocks_slots_row "$1 B values, ingest, source" source_cpu_s haul "$rival" 0.5
    kvrocks_slots_row "$1 B values, ingest, target" target_cpu_s haul "$rival" 0.25
}

# kvrocks_slots_row NAME FIGURE OURS THEIRS TARGET: GB/s, or CPU seconds a GB.
kvrocks_slots_row() {
    local ours theirs unit='CPU s/GB' better=less
    # shellcheck disable=SC2016 # variables of jq
    local runs='(.mib * 1048576 / 1e9) as $gb | .runs[$type]
        | map(if $figure == "rate" then $gb / .seconds else .[$figure] / $gb end)'
    ours=$(jq -c --arg type "$3" --arg figure "$2" "$runs" "$work/slots.json")
    theirs=$(jq -c --arg type "$4" --arg figure "$2" "$runs" "$work/slots.json")
    [[ $2 != rate ]] || { unit=GB/s better=more; }
    result --arg section kvrocks --arg name "slots, $1" --arg unit "$unit" \
        --argjson value "$(jq 'sort | .[(length - 1) / 2 | floor]' <<<"$ours")" --argjson runs "$ours" \
        --argjson other "$(jq 'sort | .[(length - 1) / 2 | floor]' <<<"$theirs")" \
        --argjson other_runs "$theirs" --arg other_name "$4" --argjson target "$5" --arg better "$better"
}

# --- the tool -------------------------------------------------------------------------------------

# kvrocks_start NAME INDEX TYPE: sets kvrocks_port of INDEX, kvrocks_pid of INDEX.
kvrocks_start() {
    local directory=$work/kvrocks/$1 port=$((21000 + 2 * (RANDOM % 5000) + $2))
    mkdir -p "$directory"
    cat >"$directory/conf" <<END
bind 127.0.0.1
port $port
dir $directory/data
log-dir $directory
pidfile $directory/pid
cluster-enabled yes
workers 2
migrate-type $3
migrate-speed 0
migrate-pipeline-size 1024
migrate-batch-size-kb ${KVROCKS_BATCH_KB:-1024}
migrate-batch-rate-limit-mb 8192
rocksdb.compression no
END
    mkdir -p "$directory/data"
    /usr/bin/time -f '%U %S %M %O' -o "$directory/time" "${KVROCKS_BASELINE_BIN:-$KVROCKS_BIN}" -c "$directory/conf" \
        >"$directory/log" 2>&1 &
    kvrocks_pid[$2]=$! kvrocks_port[$2]=$port
    servers+=("$!")
    timeout 30 bash -c "until redis-cli -p $port ping 2>/dev/null | grep -q PONG; do :; done" ||
        die "Kvrocks does not answer: $(tail -n 3 "$directory/log")"
}

kvrocks_topology() {
    local i nodes="${kvrocks_ids[0]} 127.0.0.1 ${kvrocks_port[0]} master - 0-16383"
    nodes+=$'\n'"${kvrocks_ids[1]} 127.0.0.1 ${kvrocks_port[1]} master -"
    for i in 0 1; do
        redis-cli -p "${kvrocks_port[i]}" clusterx setnodeid "${kvrocks_ids[i]}" >/dev/null
        redis-cli -p "${kvrocks_port[i]}" clusterx setnodes "$nodes" 1 >/dev/null
    done
}

# kvrocks_load VALUE-BYTES RECORDS: random values, then a finished compaction.
kvrocks_load() {
    local port=${kvrocks_port[0]}
    redis-cli -p "$port" config set migrate-speed 0 >/dev/null
    openssl enc -aes-128-ctr -K 0 -iv 0 -nosalt -in /dev/zero 2>/dev/null | base64 -w "$1" |
        awk -v count="$2" -v size="$1" 'NR > count { exit } {
            key = sprintf("key:%012d", NR)
            printf "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", length(key), key, size, $0 }' |
        redis-cli -p "$port" --pipe >/dev/null || die 'loading Kvrocks failed'
    redis-cli -p "$port" compact >/dev/null
    timeout 600 bash -c "until redis-cli -p $port info | grep -q '^is_compacting:no'; do sleep 1; done" ||
        die 'Kvrocks does not finish its compaction'
}

# kvrocks_run TYPE VALUE-BYTES RECORDS: sets took, sender_cpu, receiver_cpu.
kvrocks_run() {
    local began user system rest answer
    rm -rf "$work/kvrocks"
    kvrocks_start source 0 "$1"
    kvrocks_start target 1 "$1"
    kvrocks_topology
    kvrocks_load "$2" "$3"
    local before
    before=$(kvrocks_cpu 0) began=$EPOCHREALTIME
    answer=$(redis-cli -p "${kvrocks_port[0]}" clusterx migrate 0-16383 "${kvrocks_ids[1]}" sync 0)
    took=$(jq -n "$EPOCHREALTIME - $began")
    [[ $answer == OK ]] || die "CLUSTERX MIGRATE: $answer"
    sender_cpu=$(jq -n "$(kvrocks_cpu 0) - $before") receiver_cpu=$(kvrocks_cpu 1)
    for rest in 0 1; do
        redis-cli -p "${kvrocks_port[rest]}" shutdown >/dev/null 2>&1 || true
        wait "${kvrocks_pid[rest]}" 2>/dev/null || true
    done
}

# CPU seconds of the server so far.
kvrocks_cpu() {
    redis-cli -p "${kvrocks_port[$1]}" info cpu | tr -d '\r' |
        awk -F : '/^used_cpu_(sys|user):/ { sum += $2 } END { print sum + 0 }'
}

# kvrocks_values_of VALUE-BYTES RECORDS
kvrocks_values_of() {
    local pair type bytes=$(($2 * ($1 + 16))) directory=$work/migration
    local -A took_by=() sender_by=() receiver_by=()
    local -a kvrocks_port=() kvrocks_pid=()
    say "  $2 records with values of $1 bytes ..."
    migration_fill "$directory" --num="$2" --value_size="$1"
    for ((pair = 0; pair < pairs; pair++)); do
        for type in haul raw-key-value redis-command; do
            if [[ $type == haul ]]; then migration_once "$directory"; else kvrocks_run "$type" "$@"; fi
            took_by[$type]+=" $took" sender_by[$type]+=" $sender_cpu" receiver_by[$type]+=" $receiver_cpu"
        done
    done
    rm -rf "$directory" "$work/kvrocks"
    local fast=3 slow=4
    (($1 > 4000)) || { fast=4 slow=10; }
    kvrocks_result "$1 B values" raw-key-value "$fast" GB/s more "$bytes"
    kvrocks_result "$1 B values" redis-command "$slow" GB/s more "$bytes"
    kvrocks_cost "$1 B values, source" "$bytes" 0.5 "${sender_by[haul]}" "${sender_by[raw-key-value]}"
    kvrocks_cost "$1 B values, target" "$bytes" 0.25 "${receiver_by[haul]}" "${receiver_by[raw-key-value]}"
}

# kvrocks_result NAME TYPE TARGET UNIT BETTER BYTES; uses the caller's arrays.
kvrocks_result() {
    local ours theirs
    # shellcheck disable=SC2086 # lists of numbers
    ours=$(migration_rates "$6" ${took_by[haul]}) theirs=$(migration_rates "$6" ${took_by[$2]})
    result --arg section kvrocks --arg name "$1" --arg unit "$4" \
        --argjson value "$(jq 'sort | .[(length - 1) / 2 | floor]' <<<"$ours")" --argjson runs "$ours" \
        --argjson other "$(jq 'sort | .[(length - 1) / 2 | floor]' <<<"$theirs")" \
        --argjson other_runs "$theirs" --arg other_name "$2" --argjson target "$3" --arg better "$5"
}

# kvrocks_cost NAME BYTES TARGET OURS THEIRS: CPU seconds a GB.
kvrocks_cost() {
    # shellcheck disable=SC2086
    result --arg section kvrocks --arg name "$1" --arg unit 'CPU s/GB' \
        --argjson value "$(migration_cost "$2" $4)" --argjson other "$(migration_cost "$2" $5)" \
        --arg other_name raw-key-value --argjson target "$3" --arg better less
}
