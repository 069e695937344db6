# SPDX-License-Identifier: Apache-2.0
# bench_memory.sh — the part `memory` of ci/bench.sh: whole migrations over TCP, and the peak of
# sender's and receiver's resident memory, against a bound that does not grow with the database:
#
#   the ring of the links + RocksDB's block cache + its write buffers + 64 MiB for the rest
#
# The ring is slots x slot size x links; cache and buffers are those of the database's OPTIONS. The
# peak comes from the kernel (getrusage); its parts come from /proc ten times a second, so they may
# belong to different moments and miss a short peak.
# shellcheck shell=bash disable=SC2154 # variables of ci/bench.sh

memory_slots=16 memory_slot_mib=4 memory_rest_mib=64
# The block cache of a database that is opened with its stored options (engine/store/rocks_open.c);
# RocksDB's default for a new one has the same size.
memory_cache_mib=8

bench_memory() {
    local size
    for size in ${sizes//,/ }; do
        [[ $size =~ ^([1-9][0-9]{0,6})([KMG])$ ]] || die "'$size' is not a size such as 100M or 1G"
        local factor=1000
        case ${BASH_REMATCH[2]} in
        M) factor=1000000 ;;
        G) factor=1000000000 ;;
        esac
        memory_run "$size" $((BASH_REMATCH[1] * factor))
    done
}

# memory_run NAME BYTES
memory_run() {
    local directory=$work/memory
    rm -rf "$directory"
    mkdir "$directory"
    say "  a database of $1 ..."
    db_bench --db="$directory/source" --benchmarks=fillseq --num=$(($2 / 1016)) --value_size=1000 \
        --key_size=16 --compression_type=none --seed=1 >"$directory/db_bench.log" 2>&1 ||
        die "db_bench failed: $(tail -n 3 "$directory/db_bench.log")"
    memory_migrate "$directory"
    memory_result "$1" sender "$directory" source
    memory_result "$1" receiver "$directory" target
    rm -rf "$directory"
}

timed() { # FILE COMMAND...: replaces this process; its peak in KiB goes into FILE
    exec /usr/bin/time --quiet -f '%M' -o "$@"
}

memory_migrate() {
    local directory=$1 receiver sender watcher status=0
    local ring_options=(--slots "$memory_slots" --slot-size "${memory_slot_mib}M")
    start_server "$directory/receiver.log" 'haul: listening on ' \
        /usr/bin/time -f '%M' -o "$directory/receiver.peak" \
        "$haul" recv --db "$directory/target" --listen 127.0.0.1:0 --transport tcp --once "${ring_options[@]}"
    receiver=$server_pid
    [[ -n $server_line ]] || die "the receiver did not start: $(tail -n 1 "$directory/receiver.log")"
    timed "$directory/sender.peak" "$haul" send --db "$directory/source" --transport tcp --quiet \
        --to "${server_line##* }" "${ring_options[@]}" 2>"$directory/sender.log" &
    sender=$!
    servers+=("$sender")
    memory_watch "$sender" "$directory/sender.parts" &
    watcher=$!
    memory_watch "$receiver" "$directory/receiver.parts" &
    wait "$sender" || status=$?
    wait "$receiver" || status=$?
    wait "$watcher" $!
    ((status == 0)) || die "the migration failed: $(tail -n 1 "$directory/sender.log")"
}

# memory_watch PID FILE: the largest value of each figure in KiB of the child of PID (time's), until
# the process ends.
memory_watch() {
    local child='' key value _ never
    local -A most=()
    exec {never}<> <(:) # reading from it only waits
    while kill -0 "$1" 2>/dev/null; do
        [[ -n $child ]] || read -r child _ <"/proc/$1/task/$1/children" || true
        if [[ -n $child ]]; then
            while read -r key value _; do
                case $key in
                RssAnon: | RssFile: | RssShmem: | HugetlbPages:)
                    ((value <= ${most[$key]:-0})) || most[$key]=$value
                    ;;
                esac
            done <"/proc/$child/status" || break
        fi 2>/dev/null
        read -r -t 0.1 -u "$never" _ || true
    done
    for key in "${!most[@]}"; do echo "${key%:} ${most[$key]}"; done >"$2"
}

# The write buffers of all column families, by the newest OPTIONS file.
memory_buffers_mib() {
    local file newest=''
    for file in "$1"/OPTIONS-*; do [[ $file == *.dbtmp ]] || newest=$file; done
    awk -F = '
        { gsub(/ /, "") }
        $1 == "write_buffer_size" { size = $2 }
        $1 == "max_write_buffer_number" { count = $2 }
        /^\[/ { sum += size * count; size = count = 0 }
        END { print int((sum + size * count) / 1048576) }' "$newest"
}

# memory_result SIZE ROLE DIRECTORY DATABASE
memory_result() {
    local directory=$3 ring=$((memory_slots * memory_slot_mib)) buffers peak bound parts
    buffers=$(memory_buffers_mib "$directory/$4")
    peak=$(awk '{ printf "%.1f", $1 / 1024 }' <(tail -n 1 "$directory/$2.peak"))
    bound=$((ring + memory_cache_mib + buffers + memory_rest_mib))
    parts=$(awk '{ printf "%s%s %.1f", (NR > 1 ? ", " : ""), $1, $2 / 1024 }' "$directory/$2.parts")
    result --arg section memory --arg name "$1 over TCP, $2" --arg unit MiB \
        --argjson value "$peak" --argjson other "$bound" --arg other_name bound \
        --argjson target 1 --arg better less --arg parts "$parts" \
        --argjson bound "{\"ring\": $ring, \"block_cache\": $memory_cache_mib,
            \"write_buffers\": $buffers, \"rest\": $memory_rest_mib}" \
        --arg note "largest parts seen: $parts; bound: ring $ring + block cache $memory_cache_mib \
+ write buffers $buffers + $memory_rest_mib"
}
