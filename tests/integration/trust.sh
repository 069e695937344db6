#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# trust.sh — who may talk to whom: keys on both sides, on one side, of different making, readable by
# others, rotated; and what goes without a key.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite trust "$@"
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

keygen() { run 0 "$haul" keygen "$@"; }

# An address of this host that is not of the loopback interface.
other_address() {
    hostname -I | tr ' ' '\n' | grep -m1 -E '^[0-9]+\.' || skip 'this host has the loopback interface only'
}

stays() { # DIR MANIFEST: it holds what it held
    run 0 "$haul" verify --db "$1" --manifest "$2"
}

test_key__the_same_on_both_sides__job_commits() {
    make_database source 2000 2
    keygen key
    receive --key key
    send 0 --key key
    received
    same source target
}

test_key__another_one_or_none__exit_code_4_and_nothing_changed() {
    make_database source 200
    make_database target 100
    run 0 "$haul" verify --db target --write-manifest before
    keygen key
    keygen other
    receive --key key
    send 4 --key other
    one_error 'does not have the key of this side'
    send 4
    one_error 'authentication'
    run 4 "$haul" verify --db source --to "$receiver_address" --key other
    kill -TERM "$receiver_pid"
    received 143
    stays target before
    run 0 "$haul" status --db source --json
    [[ $(json '.jobs | length') == 0 ]]
}

test_key__the_receiver_has_none__exit_code_4() {
    make_database source 200
    keygen key
    receive
    send 4 --key key
    one_error 'does not have the key of this side'
    send 0
    received
}

test_key__interrupted_job__continues_with_it_only() {
    make_database source 20000
    keygen key
    keygen other
    receive --key key
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4MB --key key >send.out 2>send.err &
    sender=$!
    sender_reaches '.running.records > 100'
    kill -TERM "$sender"
    ended "$sender" 143
    run 4 "$haul" resume --db source --to "$receiver_address" --key other
    run 0 "$haul" resume --db source --to "$receiver_address" --key key
    received
    same source target
}

test_key__verify_between_hosts__with_it_only() {
    make_database source 500
    cp -r source target
    keygen key
    receive_into target "$own_host:0" --key key
    run 0 "$haul" verify --db source --to "$receiver_address" --key key
    run 4 "$haul" verify --db source --to "$receiver_address"
    kill -TERM "$receiver_pid"
    received 143
}

test_rotation__receivers_first__never_an_interruption() {
    make_database source 100
    keygen key
    cp -p key old
    keygen --rotate key
    receive_into target "$own_host:0" --key key
    send 0 --key old --prefix '0'
    send 0 --key key --prefix '1'
    kill -TERM "$receiver_pid"
    received 143
    keygen --retire key
    receive_into target "$own_host:0" --key key
    send 4 --key old --prefix '2'
    send 0 --key key --prefix '2'
    kill -TERM "$receiver_pid"
    received 143
}

test_key_file__others_can_read_it__refused_before_the_database_is_opened() {
    keygen key
    chmod 644 key
    run 4 "$haul" recv --db target --listen "$own_host:0" --key key
    one_error 'others can read the key .*chmod 600'
    [[ ! -e target ]]
    run 4 "$haul" send --db target --to "$own_host:1" --key key
}

test_key_file__missing_damaged_or_no_key__refused() {
    run 3 "$haul" recv --db target --listen "$own_host:0" --key nowhere
    one_error 'nowhere'
    (umask 077; echo hello >key)
    run 6 "$haul" recv --db target --listen "$own_host:0" --key key
    one_error 'no file of keys'
    [[ ! -e target ]]
    run 2 "$haul" recv --db target --listen "$own_host:0" --key key --insecure
}

test_credential__of_the_service_manager__is_the_key() {
    make_database source 100
    cp -r source again
    mkdir credentials
    keygen credentials/haul.key
    export CREDENTIALS_DIRECTORY=$PWD/credentials
    receive
    send 0
    received
    unset CREDENTIALS_DIRECTORY
    receive --key credentials/haul.key
    run 4 "$haul" send --db again --to "$receiver_address"
    one_error 'authentication'
    kill -TERM "$receiver_pid"
    received 143
}

# A start without the key that the service was given would be unnoticed.
test_credential__that_is_not_used__no_start() {
    mkdir credentials
    keygen credentials/haul.key
    export CREDENTIALS_DIRECTORY=$PWD/credentials
    local state command
    for state in good damaged dangling; do
        [[ $state != damaged ]] || echo rubbish >credentials/haul.key
        [[ $state != dangling ]] || ln -sf "$work/nothing" credentials/haul.key
        for command in 'recv --db target --listen 127.0.0.1:0' 'send --db source --to 127.0.0.1:9' \
            'verify --db source --to 127.0.0.1:9'; do
            # shellcheck disable=SC2086 # several words
            run 2 "$haul" $command --insecure
            one_error 'credential .*haul.key'
        done
    done
    run 3 "$haul" recv --db target --listen 127.0.0.1:0
    one_error 'haul.key'
    rm credentials/haul.key
    receive
    grep -q "no haul.key among the service manager's credentials" recv.log || fail "$(<recv.log)"
}

# --- the key itself --------------------------------------------------------------------------------

# holds FILE: does it contain the key, as bytes or as text?
holds() {
    python3 -B - key "$1" <<'END'
import mmap, sys
secret = open(sys.argv[1]).read().split()[4]
with open(sys.argv[2], "rb") as file:
    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.seek(0, 2) else b""
    forms = [bytes.fromhex(secret), secret.encode(), secret.upper().encode()]
    sys.exit(all(data.find(form) < 0 for form in forms))
END
}

# A job with the key, as far as half of it.
half_a_job() {
    make_database source 20000
    keygen key
    receive --key key -vv --json
    mkdir sender # its core dump does not take the name of the receiver's
    (cd sender && exec "$haul" send --db ../source --to "$receiver_address" --transport tcp --rate 4MB \
        --key ../key -vv --json >send.out 2>send.err) &
    sender=$!
    sender_reaches '.running.records > 100'
}

test_key__during_a_job__in_no_argument_no_log_and_no_file() {
    local file
    half_a_job
    cat /proc/{"$sender","$receiver_pid"}/{cmdline,environ} >seen 2>/dev/null || true # the latter for root
    grep -q -- --key seen || fail 'no arguments'
    holds key || fail 'the search finds nothing'
    kill -TERM "$sender"
    ended "$sender" 143
    send 0 --key key -vv
    received
    while IFS= read -r file; do
        ! holds "$file" || fail "$file has the key"
    done < <(find . -type f ! -name key)
}

# copies_in PID: a line in $work/out for each copy of the key in its memory
copies_in() { run 0 python3 -B "$here/key_copies.py" "$1" key; }

# The one in the locked page. Stacks of threads have none either, also those that began before there
# was a connection.
test_key__in_memory__one_copy() {
    ((EUID == 0)) || skip 'needs root: other processes cannot look into it'
    grep -q '^HAUL_SANITIZER:[A-Z]*=none' "$build/CMakeCache.txt" || skip 'a sanitizer keeps what was freed'
    keygen key
    receive --key key
    copies_in "$receiver_pid"
    grep -q kept "$work/out" || fail 'the search finds nothing'
    equal "$(grep -c . "$work/out")" 1
    kill -TERM "$receiver_pid"
    received 143
    rm -rf key target
    half_a_job
    kill -STOP "$sender" "$receiver_pid" # the job must not end meanwhile
    copies_in "$receiver_pid"
    equal "$(cut -d' ' -f2 "$work/out")" kept
    copies_in "$sender"
    equal "$(cut -d' ' -f2 "$work/out")" kept
    kill -CONT "$sender" "$receiver_pid"
    kill -TERM "$sender"
    ended "$sender" 143
}

# aborted DIR ARGUMENT...: a receiver with them, in a directory of its own, dies as by a defect
aborted() {
    mkdir "$1"
    (cd "$1" && exec "$haul" recv --db db --listen "$own_host:0" "${@:2}" >out 2>err) &
    receiver_pid=$!
    receivers+=("$receiver_pid")
    wait_for grep -q 'listening on' "$1/err"
    kill -ABRT "$receiver_pid"
    ended "$receiver_pid" 134
}

test_core__of_a_process_with_a_key__there_is_none() {
    ulimit -c unlimited 2>/dev/null || skip 'core dumps are not allowed'
    keygen key
    aborted without
    [[ -n $(find without -name 'core*') ]] || skip 'this machine writes no core dumps here'
    aborted with --key ../key
    equal "$(find with -name 'core*')" ''
}

# --- no key ----------------------------------------------------------------------------------------

test_no_key__another_host__refused_on_both_sides() {
    make_database source 100
    local address
    address=$(other_address)
    run 4 "$haul" recv --db target --listen "$address:0"
    one_error 'without a key only this host is trusted.*--key'
    run 4 "$haul" recv --db target --listen '0.0.0.0:0'
    run 4 "$haul" send --db source --to "$address:7447"
    one_error 'without a key only this host is trusted.*--key'
    run 4 "$haul" verify --db source --to "$address:7447"
    receive_into target "$address:0" --once --insecure
    send 0 --insecure
    received
    same source target
}

# --- a neighbour that reaches 127.0.0.1 --------------------------------------------------------------

hosts=("haul-test-h-$$" "haul-test-n-$$")

part_from_neighbour() {
    local name
    for name in "${hosts[@]}"; do ip netns del "$name" 2>/dev/null || true; done
}

# Two hosts; the second one sends packets for 127.0.0.1 to the first, which takes them, as hosts of
# kube-proxy do. in_host NUMBER COMMAND...: on one of them.
meet_neighbour() {
    local name
    ((EUID == 0)) || skip 'needs root'
    for name in "${hosts[@]}"; do ip netns add "$name" 2>/dev/null || skip 'no network namespaces'; done
    trap 'status=$?; part_from_neighbour; end_processes; exit "$status"' EXIT
    ip -n "${hosts[0]}" link add near0 type veth peer name far0 netns "${hosts[1]}" 2>/dev/null || skip 'no veth'
    ip -n "${hosts[0]}" addr add 10.9.0.1/24 dev near0
    ip -n "${hosts[1]}" addr add 10.9.0.2/24 dev far0
    ip -n "${hosts[0]}" link set near0 up
    ip -n "${hosts[1]}" link set far0 up
    ip -n "${hosts[0]}" link set lo up
    for name in 0 1; do
        in_host "$name" sysctl -qw net.ipv4.conf.all.route_localnet=1 || skip 'no right to set route_localnet'
    done
    ip -n "${hosts[1]}" route add 127.0.0.1/32 via 10.9.0.1 dev far0 src 10.9.0.2
}

in_host() { ip netns exec "${hosts[$1]}" "${@:2}"; }

test_no_key__neighbour_reaches_127_0_0_1__closed_at_once() {
    local tool=$haul
    make_database source 100
    make_database target 50
    run 0 "$haul" verify --db target --write-manifest before
    meet_neighbour
    printf '#!/bin/sh\nexec ip netns exec %s %s "$@"\n' "${hosts[0]}" "$tool" >here
    chmod 700 here
    haul=$work/here receive_into target 127.0.0.1:0 --once
    run 5 ip netns exec "${hosts[1]}" "$tool" verify --db source --to "$receiver_address" --retry 1ms
    run 5 ip netns exec "${hosts[1]}" "$tool" send --db source --to "$receiver_address" --retry 1ms --transport tcp --overwrite
    grep -q 'refused a connection from 10.9.0.2:.*only this host is trusted' recv.log || fail "$(<recv.log)"
    kill -TERM "$receiver_pid"
    received 143
    stays target before
    haul=$work/here receive_into target 127.0.0.1:0 --once --allow-overwrite
    run 0 ip netns exec "${hosts[0]}" "$tool" send --db source --to "$receiver_address" --transport tcp --overwrite
    received
    same source target
}

# shown TRUST TEXT WARNINGS ARGUMENT...: of both sides, while a job with these arguments runs
shown() {
    rm -rf source target
    cp -r full source
    receive "${@:4}"
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4MB --json "${@:4}" >send.out 2>send.err &
    sender=$!
    sender_reaches '.running.records > 100'
    equal "$(jq -r .running.trust status.json)" "$1"
    "$haul" status --db source >status.out
    "$haul" status --db target >>status.out
    [[ -z $2 ]] || equal "$(grep -cF "$2" status.out)" 2
    kill -TERM "$sender"
    ended "$sender" 143
    kill -TERM "$receiver_pid"
    received 143
    equal "$(json_of send.out .trust)" "$1"
    equal "$(cat send.err recv.log | grep -c 'warning: insecure: ' || true)" "$3"
}

test_trust__of_a_running_job__in_log_status_and_json() {
    make_database full 20000
    keygen key
    shown anybody 'insecure: every peer is trusted' 2 --insecure
    shown key 'the peer holds the key; data on its way: secure' 0 --key key
    shown host '' 0
    ! grep -q insecure status.out || fail 'this host only is not everybody'
}

test_no_key__default_address__this_host_only() {
    make_database source 10
    start_receiver "$work/recv.log" --db target --once
    [[ -n $receiver_address ]] || { grep -q 'in use' recv.log && skip 'port 7447 is in use'; fail "$(<recv.log)"; }
    equal "$receiver_address" 127.0.0.1:7447
    send 0
    received
}

# --- somebody on the path ---------------------------------------------------------------------------

# meddle [WHAT]: between the receiver and $path, from where $capture is taken.
meddle() {
    capture=$work/capture
    python3 -B "$here/meddler.py" "$receiver_address" "$capture" "$@" >meddler.out 2>meddler.err &
    wait_for test -s meddler.out
    path=$(<meddler.out)
}

send_by_path() { # EXPECTED-CODE ARGUMENT...
    run "$1" "$haul" send --db source --to "$path" --transport tcp --json --retry 20s "${@:2}"
}

seen() { grep -qaF "$1" "$capture"; }

planted=a-planted-value-that-nobody-else-has

test_wire__each_mode__hides_and_shows_what_it_says() {
    make_database source 300
    ldb --db=source put planted "$planted" >/dev/null
    keygen key
    local mode
    for mode in secure auth none; do
        rm -rf target
        cp -r source again
        receive --key key --wire none
        meddle
        run 0 "$haul" send --db again --to "$path" --transport tcp --json --key key --wire "$mode"
        equal "$(json '.wire + " " + .trust')" "$mode key"
        received
        same source target
        if [[ $mode == secure ]]; then
            ! seen "$planted" || fail 'the value can be read'
            ! seen default || fail 'the name of a column family can be read'
        else
            seen "$planted" || fail 'the value was expected to be readable'
        fi
        kill "%%"
        rm -rf again meddler.out
    done
}

test_wire__two_modes__the_stronger_counts() {
    make_database source 100
    keygen key
    receive --key key
    send 0 --key key --wire none
    equal "$(json .wire)" secure
    received
    run 2 "$haul" send --db source --to "$own_host:1" --wire secure
    one_error 'only with a key'
}

# 19 is AUTH: the link that it was for has been opened.
test_wire__token_seen_on_the_path__no_second_use() {
    make_database source 2000
    keygen key
    receive --key key
    meddle token
    send_by_path 0 --key key
    received
    same source target
    equal "$(grep answered meddler.err)" 'answered 19'
    equal "$(json .retries)" 0
    kill "%%"
}

# Somebody has taken the receiver's address. What he gets is in $work/heard, a line for each connection.
false_target() {
    python3 -B - >"$work/false" 2>"$work/heard" <<'END' &
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(f"127.0.0.1:{listener.getsockname()[1]}", flush=True)
while True:
    source = listener.accept()[0]
    heard = source.recv(1 << 16)
    source.sendall(bytes.fromhex("16030300050200000100"))  # no ServerHello
    while data := source.recv(1 << 16):
        heard += data
    print(heard.hex(), file=sys.stderr, flush=True)
END
    wait_for test -s "$work/false"
}

test_false_target__with_a_key__hears_a_client_hello_and_nothing_else() {
    local line size
    make_database source 100
    keygen key
    false_target
    run 4 "$haul" send --db source --to "$(<false)" --transport tcp --key key
    one_error 'does not have the key of this side'
    kill "%%"
    [[ -s heard ]] || fail 'nobody came'
    while IFS= read -r line; do
        [[ ${line:0:2} == 16 && ${line:10:2} == 01 ]] || fail "no ClientHello: $line"
        size=$((10 + 2 * 16#${line:6:4}))
        [[ ${line:size} == '' || ${line:size} == 15030?000202?? ]] || fail "more than that: ${line:size}"
    done <heard
    run 0 "$haul" owner --db source --json
    equal "$(json .config_version)" 0
}

# Whatever he does, the target gets what the source has, or nothing.
test_wire__somebody_meddles__noticed_and_sent_again() {
    local mode what
    keygen key
    make_database source 12000
    for mode in secure auth; do
        for what in bit records stream swap replay drop shorten end credit control; do
            rm -rf target again meddler.out
            cp -r source again
            receive --key key --wire none
            echo "$mode, $what:"
            meddle "$what"
            run 0 "$haul" send --db again --to "$path" --transport tcp --json --retry 20s --key key --wire "$mode"
            received
            same source target
            grep -q meddled meddler.err || fail "$what was not tried"
            [[ $(json .retries) -ge 1 ]] || fail "$mode: $what was not noticed"
            kill "%%"
        done
    done
}

# Not taken for damage, with a hint at the hardware.
test_key__fifo_device_or_directory__usage_by_name() {
    local name
    mkfifo fifo
    mkdir directory
    make_database source 10
    run 0 "$haul" keygen key
    for name in fifo directory /dev/null; do
        run 2 timeout 20 "$haul" send --db source --to 127.0.0.1:1 --key "$name"
        one_error "$name is not a regular file"
        run 2 timeout 20 "$haul" recv --db target --listen 127.0.0.1:0 --tls-cert "$name" --tls-key key --tls-ca key
        one_error 'is not a regular file'
        run 2 timeout 20 "$haul" recv --db target --listen 127.0.0.1:0 --tls-cert key --tls-key "$name" --tls-ca key
        one_error "$name is not a regular file"
        run 2 "$haul" keygen "$name"
        one_error "$name is not a regular file"
    done
    sed 's/$/\r/' key >crlf
    chmod 600 crlf
    run 6 "$haul" send --db source --to 127.0.0.1:1 --key crlf
    one_error 'crlf is damaged or edited'
}

test_key__on_one_side_only__hint_about_keys() {
    make_database source 10
    run 0 "$haul" keygen key
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --key key
    run 4 "$haul" send --db source --to "$receiver_address" --transport tcp
    one_error 'same key, or certificates'
}

run_tests
