# SPDX-License-Identifier: Apache-2.0
# bench_trust.sh — the part `trust` of ci/bench.sh: what a key costs. Whole migrations over loopback
# TCP with each mode of --wire, in turns; blocks on the bare link (tests/bench/bench_sealed_link.c);
# and the handshake and the cryptography of a block alone, in processor time
# (tests/bench/bench_seal.c).
# shellcheck shell=bash disable=SC2154,SC2034 # variables of ci/bench.sh

bench_trust() {
    local size=${migration_size:-1000000000}
    ((!quick)) || size=50000000
    "$haul" keygen "$work/key" >/dev/null || die 'haul keygen failed'
    trust_alone
    trust_link
    trust_migrations 100 "$size"
    trust_migrations 1000 "$size"
}

trust_alone() {
    local milliseconds=2000 mode library
    ((!quick)) || milliseconds=50
    "$build/tests/bench_seal" "$milliseconds" >"$work/seal.json" || die 'bench_seal failed'
    library=$(jq -r .library "$work/seal.json")
    result --arg section trust --arg name 'TLS handshake with a key, both sides, CPU time' \
        --arg unit ms --argjson value "$(jq .handshake_ms "$work/seal.json")" \
        --argjson target 10 --arg better less
    for mode in secure auth; do
        result --arg section trust --arg name "sealing blocks of 1 MiB, $mode, $library, one thread" \
            --arg unit GB/s --argjson value "$(jq ".${mode}_seal_gb_s" "$work/seal.json")" \
            --argjson other "$(jq .crc32c_gb_s "$work/seal.json")" --arg other_name CRC32C \
            --argjson target null --arg better more
    done
}

trust_link() {
    local milliseconds=2000 mode runs others
    ((!quick)) || milliseconds=50
    "$build/tests/bench_sealed_link" "$milliseconds" "$pairs" >"$work/link.json" ||
        die 'bench_sealed_link failed'
    others=$(jq -r '.none | map(tostring) | join(" ")' "$work/link.json")
    for mode in secure auth; do
        runs=$(jq -r ".$mode | map(tostring) | join(\" \")" "$work/link.json")
        trust_row "bare TCP link, blocks of 1 MiB, $mode" GB/s more "$runs" "$others" \
            "$([[ $mode == secure ]] && echo 0.6 || echo null)" CRC32C
    done
}

# trust_migrations VALUE-BYTES SIZE
trust_migrations() {
    local directory=$work/migration way round records=$(($2 / ($1 + 16)))
    local ways=(none auth secure)
    local -A rates=() cpus=()
    say "  $records records with values of $1 bytes ..."
    migration_fill "$directory" --num="$records" --value_size="$1"
    for ((round = 0; round < pairs; round++)); do
        for way in "${ways[@]}"; do
            migration_once "$directory" "wire_$way"
            rates[$way]+=" $(jq -n "$2 / 1e9 / $took")"
            cpus[$way]+=" $(jq -n "$sender_cpu / ($2 / 1e9)")"
        done
    done
    for way in secure auth; do
        trust_row "$1 B values, ingest, --wire $way" GB/s more "${rates[$way]}" "${rates[none]}" \
            "$([[ $way == secure ]] && echo 0.9 || echo null)" '--wire none'
        trust_row "$1 B values, ingest, --wire $way, sender's CPU" s/GB less "${cpus[$way]}" \
            "${cpus[none]}" null '--wire none'
    done
    rm -rf "$directory"
}

# trust_row NAME UNIT BETTER FIGURES OTHER-FIGURES TARGET OTHER-NAME
trust_row() {
    local -a runs others
    read -ra runs <<<"$4"
    read -ra others <<<"$5"
    result --arg section trust --arg name "$1" --arg unit "$2" --arg better "$3" \
        --argjson value "$(median "${runs[@]}")" --argjson runs "$(numbers "${runs[@]}")" \
        --argjson other "$(median "${others[@]}")" --argjson other_runs "$(numbers "${others[@]}")" \
        --arg other_name "$7" --argjson target "$6"
}

migration_by_wire_none() { trust_by none "$1"; }
migration_by_wire_auth() { trust_by auth "$1"; }
migration_by_wire_secure() { trust_by secure "$1"; }

# trust_by MODE DIRECTORY
trust_by() {
    local migration_receiver=(--key "$work/key" --wire "$1")
    migration_by_haul "$2" ingest 1 "${migration_receiver[@]}"
}
