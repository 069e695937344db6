#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# verify.sh — `haul verify`: the first key that differs, and manifests that travel to another host.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite verify "$@"

# pair COMMAND...: two equal databases, a and b; the commands make the difference in b.
pair() {
    rm -rf a b
    "$maker" a "${options[@]}" 'fill key 5000 50' 'create other' 'fill key 1000 50'
    cp -r a b
    (($# == 0)) || "$maker" b "$@"
}
options=()

# differs PATTERN: the message of a comparison of the two.
differs() {
    run 6 "$haul" verify --db a --with b
    one_error "$1"
}

test_verify__value_changed__its_key_is_named() {
    pair 'put key00001234 x'
    differs "column family, 'default' the first; the first key is key00001234, with another value"
}

test_verify__record_on_one_side_only__the_side_is_named() {
    pair 'delete key00000777' 'put key00000888 x'
    differs 'the first key is key00000777, only in --db'
    pair 'put key00000777a x' 'delete key00000888'
    differs 'the first key is key00000777a, only in --with'
}

test_verify__difference_at_the_ends__named() {
    pair 'put \e x'
    differs 'the first key is the empty one, only in --with'
    pair 'put zzz x'
    differs 'the first key is zzz, only in --with'
    pair 'delete key00004999'
    differs 'the first key is key00004999, only in --db'
}

test_verify__key_that_is_no_text__hexadecimal() {
    pair 'put \x00\xff x'
    differs 'the first key is 0x00ff, only in --with'
}

test_verify__backward_order__the_first_in_that_order() {
    options=('options comparator=rocksdb.ReverseBytewiseComparator')
    pair 'put key00000100 x' 'put key00004000 x'
    differs 'the first key is key00004000, with another value'
    options=()
}

test_verify__second_family__named_with_its_key() {
    pair 'use other' 'delete key00000500'
    differs "'other' the first; the first key is key00000500, only in --db"
}

# --- manifests ------------------------------------------------------------------------------------

test_verify__manifest_of_an_equal_database__exit_0() {
    pair
    run 0 "$haul" verify --db a --write-manifest manifest
    run 0 "$haul" verify --db b --manifest manifest --json
    equal "$(json .equal)" true
    equal "$(json '.families_with | map(.records) | add')" 6000
    (($(stat -c %s manifest) < 30000)) || fail 'the manifest is large'
}

test_verify__manifest_and_a_difference__told_between_which_keys() {
    local first last
    pair 'put key00003456 x'
    run 0 "$haul" verify --db a --write-manifest manifest
    run 6 "$haul" verify --db b --manifest manifest
    one_error "'default' the first; the first key lies after key[0-9]*, and not after key[0-9]*"
    read -r first last < <(sed -n 's/.*lies after key0*\([0-9]*\), and not after key0*\([0-9]*\).*/\1 \2/p' "$work/err")
    ((first < 3456 && 3456 <= last && last - first < 2000)) || fail "$first to $last"
}

test_verify__manifest_and_a_family_less__exit_6() {
    pair 'drop other'
    run 0 "$haul" verify --db a --write-manifest manifest
    run 6 "$haul" verify --db b --manifest manifest
    one_error "1 column family, 'other' the first"
}

test_verify__manifest_of_a_part__only_that_is_compared() {
    pair 'put key00003456 x' 'use other' 'delete key00000500'
    run 0 "$haul" verify --db a --write-manifest manifest --cf default --range key00001:key00003
    run 0 "$haul" verify --db b --manifest manifest
    run 0 "$haul" verify --db a --write-manifest manifest --cf default --range key00003:
    run 6 "$haul" verify --db b --manifest manifest
    run 2 "$haul" verify --db b --manifest manifest --cf default
    one_error '--manifest determines what is compared'
}

test_verify__manifest_that_was_cut__refused() {
    pair
    run 0 "$haul" verify --db a --write-manifest manifest
    head -c 2000 manifest >cut
    run 6 "$haul" verify --db b --manifest cut
    one_error 'cut is not a complete manifest'
    echo rubbish >rubbish
    run 6 "$haul" verify --db b --manifest rubbish
    one_error 'rubbish is not a complete manifest'
    run 3 "$haul" verify --db b --manifest nothing
    one_error 'cannot read nothing'
}

test_verify__manifest_through_a_pipe__compared() {
    pair 'put key00003456 x'
    "$haul" verify --db a --write-manifest - >manifest 2>"$work/a.err"
    head -n 1 manifest | grep -q '^haul-manifest 1$' && tail -n 1 manifest | grep -q '^end$' || fail 'more than a manifest'
    "$haul" verify --db a --write-manifest - 2>"$work/a.err" | "$haul" verify --db a --manifest - >/dev/null
    local code=0
    "$haul" verify --db a --write-manifest - 2>"$work/a.err" |
        "$haul" verify --db b --manifest - >"$work/out" 2>"$work/err" || code=$?
    equal "$code" 6
    one_error "'default' the first; the first key lies after"
}

# The reader of a pipe must not mistake a part for the whole.
test_verify__scan_fails_behind_the_first_pieces__no_whole_manifest() {
    local table
    pair
    "$maker" a compact
    table=$(find a -name '*.sst' -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
    dd if=/dev/urandom of="$table" bs=1 seek=$(($(stat -c %s "$table") / 2)) count=2000 conv=notrunc 2>dd.err
    local code=0
    "$haul" verify --db a --write-manifest - >manifest 2>"$work/err" || code=$?
    ((code == 6 || code == 7)) || fail "exit code $code"
    [[ $(tail -n 1 manifest) != end ]] || fail 'it looks whole'
}

# While the receiver has its database open.
test_verify__against_a_running_receiver__what_it_has() {
    pair
    receive_into target "$own_host:0"
    run 0 "$haul" send --db a --to "$receiver_address" --transport tcp
    run 0 "$haul" verify --db target --write-manifest manifest
    run 0 "$haul" verify --db b --manifest manifest
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
}

# --- against a receiver -----------------------------------------------------------------------------

# receive [COMMAND...]: two databases a and b, which differ by the commands, and a receiver over b.
receive() {
    pair "$@"
    # After `cp` it is a different database.
    rm b/IDENTITY
    "$maker" b 'use other' 'put zz x' 'delete zz' flush
    receive_into b "$own_host:0" --allow-overwrite
}

end_receiver() {
    kill -TERM "$receiver_pid"
    end_process "$receiver_pid" || true
}

# proxy PLACE HARM [VICTIM]: in front of the receiver; sets proxy_address.
proxy() {
    mkfifo proxy.pipe
    "$build/tests/fault_proxy" "$receiver_address" "$1" "$2" "$work/mark" ${3:+"$3"} >proxy.pipe 2>proxy.err &
    read -r _ _ proxy_address <proxy.pipe
}

# differs_remotely PATTERN [OPTION...]
differs_remotely() {
    local pattern=$1
    shift
    run 6 "$haul" verify --db a --to "$receiver_address" "$@"
    one_error "$pattern"
}

# Each comparison has a key of its own, so nobody can prepare records whose digests collide.
test_verify__twice__other_digests() {
    local first
    receive
    run 0 "$haul" verify --db a --with b --json
    first=$(json '.families[0].digest')
    run 0 "$haul" verify --db a --with b --json
    [[ $(json '.families[0].digest') != "$first" ]] || fail 'the same digest in two comparisons of directories'
    run 0 "$haul" verify --db a --to "$receiver_address" --json
    first=$(json '.families[0].digest')
    run 0 "$haul" verify --db a --to "$receiver_address" --json
    [[ $(json '.families[0].digest') != "$first" ]] || fail 'the same digest in two comparisons of hosts'
    end_receiver
}

test_verify_to__equal__exit_0_and_nothing_is_changed() {
    receive
    find b -type f ! -name 'LOG*' -exec sha256sum {} + | sort >before
    run 0 "$haul" verify --db a --to "$receiver_address" --json
    equal "$(json .equal)" true
    equal "$(json '.families_with | map(.records) | add')" 6000
    equal "$(json '.families[0].digest')" "$(json '.families_with[0].digest')"
    find b -type f ! -name 'LOG*' -exec sha256sum {} + | sort >after
    cmp before after || fail 'the target was changed'
    kill -0 "$receiver_pid" || fail 'the receiver has ended'
    end_receiver
}

test_verify_to__differences__the_first_key_is_named() {
    receive 'put key00001234 x' 'delete key00002000' 'put key00003000a x'
    differs_remotely "'default' the first; the first key is key00001234, with another value"
    differs_remotely 'the first key is key00002000, only in --db' --range key00001235:
    differs_remotely 'the first key is key00003000a, only on the receiver' --range key00002001:
    run 0 "$haul" verify --db a --to "$receiver_address" --range key00003001: --range :key00001234
    run 0 "$haul" verify --db a --to "$receiver_address" --cf other
    run 3 "$haul" verify --db a --to "$receiver_address" --cf nothing
    one_error "no column family named 'nothing'"
    end_receiver
}

test_verify_to__difference_at_the_ends__named() {
    receive 'put \e x' 'use other' 'delete key00000999'
    differs_remotely "2 column families, 'default' the first; the first key is the empty one, only on the receiver"
    differs_remotely "the first key is key00000999, only in --db" --cf other
    end_receiver
}

test_verify_to__family_of_one_side__named() {
    receive 'create third' 'fill key 10 50'
    differs_remotely "1 column family, 'third' the first; the first key is key00000000, only on the receiver"
    end_receiver
}

test_verify_to__backward_order__the_first_in_that_order() {
    options=('options comparator=rocksdb.ReverseBytewiseComparator')
    receive 'put key00000100 x' 'put key00004000 x'
    options=()
    differs_remotely 'the first key is key00004000, with another value'
    run 3 "$haul" verify --db a --to "$receiver_address" --prefix key
    one_error 'so it has no byte ranges'
    end_receiver
}

test_verify_to__after_a_job__equal() {
    pair
    receive_into target "$own_host:0"
    run 0 "$haul" send --db a --to "$receiver_address" --transport tcp
    run 0 "$haul" verify --db a --to "$receiver_address"
    end_receiver
}

# Small answers of some MB in total: the connection is lost in the second one.
test_verify_to__connection_lost_in_the_middle__goes_on() {
    rm -rf a b
    "$maker" a 'fill key 30000 500'
    cp -r a b
    rm b/IDENTITY
    receive_into b "$own_host:0"
    proxy control.down.stream.5000 cut
    run 0 "$haul" verify --db a --to "$proxy_address" --json
    [[ -e mark ]] || fail 'the connection was not cut'
    equal "$(json .equal)" true
    equal "$(json '.families_with[0].records')" 30000
    grep -q 'trying again' "$work/err" || fail 'no word about it'
    end_receiver
}

# Both sides start again after their pieces had diverged.
test_verify_to__connection_lost_behind_a_difference__all_is_counted() {
    rm -rf a b
    "$maker" a 'fill key 30000 500'
    cp -r a b
    rm b/IDENTITY
    "$maker" b 'put key00000002 x'
    receive_into b "$own_host:0"
    proxy control.down.stream.5000 cut
    run 6 "$haul" verify --db a --to "$proxy_address" --json
    [[ -e mark ]] || fail 'the connection was not cut'
    one_error 'the first key is key00000002, with another value'
    equal "$(json '[.families[0].records, .families_with[0].records] | join(" ")')" '30000 30000'
    end_receiver
}

# A job comes first; the comparison gets BUSY, and retries.
test_verify_to__job_begins_meanwhile__job_first_then_equal() {
    local verify code=0
    receive
    proxy control.down.17.4 stop "$work/victim"
    "$haul" verify --db a --to "$proxy_address" --peer-timeout 60s >"$work/out" 2>"$work/err" &
    verify=$!
    echo "$verify" >victim
    timeout "$limit" bash -c 'until [[ -e mark ]]; do sleep 0.02; done' || fail 'it was not stopped'
    run 0 "$haul" send --db a --cf other --overwrite --to "$receiver_address" --transport tcp
    kill -CONT "$verify"
    end_process "$verify" || code=$?
    equal "$code" 0
    grep -q '^equal$' "$work/out" || fail 'no result'
    end_receiver
}

test_verify_to__job_runs__busy() {
    local send
    receive
    proxy control.down.8.0 stall
    "$haul" send --db a --cf default --overwrite --to "$proxy_address" --transport tcp 2>send.err >send.out &
    send=$!
    timeout "$limit" bash -c 'until [[ -e mark ]]; do sleep 0.02; done' || fail 'it did not stall'
    run 5 "$haul" verify --db a --to "$receiver_address" --retry 1s --json
    equal "$(json .error.code)" BUSY
    equal "$(json .error.retryable)" true
    kill -9 "$send"
    end_receiver
}

test_verify_to__signal__ends_and_says_so() {
    local verify code=0
    receive
    proxy control.down.20.4 stall
    "$haul" verify --db a --to "$proxy_address" >"$work/out" 2>"$work/err" &
    verify=$!
    timeout "$limit" bash -c 'until [[ -e mark ]]; do sleep 0.02; done' || fail 'it did not stall'
    kill -TERM "$verify"
    end_process "$verify" || code=$?
    equal "$code" 143
    end_receiver
}

test_verify_to__nobody_there__temporary() {
    pair
    run 5 "$haul" verify --db a --to 127.0.0.1:1 --retry 1s --json
    equal "$(json .error.code)" REFUSED
}

test_verify_to__its_own_receiver__refused() {
    receive
    run 3 "$haul" verify --db b --to "$receiver_address"
    one_error 'the target is the source itself'
    end_receiver
}

test_verify_to__with_another_comparison__usage() {
    run 2 "$haul" verify --db a --to 127.0.0.1:1 --with b
    one_error '--to excludes'
}

test_verify__manifest_cannot_be_written__named_with_the_reason() {
    local name
    pair
    mkdir directory
    for name in nowhere/manifest directory; do
        run 3 "$haul" verify --db a --write-manifest $name
        one_error "cannot write $name.*check the name"
        run 3 "$haul" verify --db b --manifest $name
        one_error "cannot read $name"
    done
    run 3 "$haul" verify --db a --write-manifest a/CURRENT
    one_error 'a/CURRENT lies inside a database'
    run 0 "$haul" verify --db a --with a
    if [[ -c /dev/full ]]; then
        run 7 "$haul" verify --db a --write-manifest /dev/full
        one_error 'file system of the manifest'
        [[ -c /dev/full ]] || fail 'the device was removed'
    fi
}

test_verify__scan_fails__an_older_manifest_stays() {
    pair
    run 0 "$haul" verify --db a --write-manifest manifest
    cp manifest older
    run 3 "$haul" verify --db nowhere --write-manifest manifest
    cmp older manifest
    ln -s manifest link
    run 0 "$haul" verify --db a --write-manifest link --cf other
    [[ -L link ]] || fail 'the link was replaced'
    ! cmp -s older manifest || fail 'the manifest is the older one'
    equal "$(find . -maxdepth 1 -name '*.tmp*')" ''
}

test_verify__something_behind_the_manifest__refused() {
    pair 'put key00003456 x'
    run 0 "$haul" verify --db a --write-manifest manifest
    run 0 "$haul" verify --db b --write-manifest other
    cat manifest other >both
    (cat manifest && echo more) >longer
    for manifest in both longer; do
        run 6 "$haul" verify --db a --manifest $manifest
        one_error "$manifest is not a complete manifest"
    done
}

test_verify__options_that_exclude_each_other__named() {
    pair
    run 2 "$haul" verify --db a
    one_error 'needs --with DIR, --to ADDR:PORT, --manifest FILE, --write-manifest FILE or --ledger FILE'
    run 2 "$haul" verify --db a --ledger l --with b
    one_error '--ledger excludes --with'
    run 2 "$haul" verify --db a --ledger l --write-manifest m
    run 2 "$haul" verify --db a --write-manifest - --json
    equal "$(json .error.message)" '--json and --write-manifest - exclude each other'
}

run_tests
