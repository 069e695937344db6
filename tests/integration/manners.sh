#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# manners.sh — haul as a process among others: what it inherits, what it leaves, what it prints.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
suite manners "$@"

# --- descriptors and signals ----------------------------------------------------------------------

receive_once() { receive_into "$1" "$own_host:0" --once; }

test_descriptors__closed_at_start__are_dev_null() {
    make_database source 200
    local port fd
    for port in $((20000 + $$ % 9000)) $((29000 + $$ % 900)) $((30000 + $$ % 900)); do # one may be in use
        "$haul" recv --db target --listen "$own_host:$port" --once <&- >&- 2>&- &
        receiver_pid=$!
        wait_for eval 'test -S target/haul/control || ! kill -0 $receiver_pid'
        sleep 0.2
        ! kill -0 "$receiver_pid" 2>/dev/null || break
    done
    for fd in 0 1 2; do
        equal "$(readlink "/proc/$receiver_pid/fd/$fd")" /dev/null
    done
    run 0 "$haul" send --db source --to "$own_host:$port" --transport tcp
    end_process "$receiver_pid" || fail "exit code $?"
    same source target
}

test_descriptors__each_closed_alone__nothing_is_written_into_the_database() {
    make_database source 100
    local before
    before=$("$kv" scan source | md5sum)
    "$haul" send --db source --to 127.0.0.1:1 -vv 2>&- || true
    "$haul" verify --db source --with source >&- || fail "exit code $?"
    "$haul" status --db source <&- >"$work/out"
    ! grep -arl 'haul: ' source || fail 'a message went into the database'
    equal "$("$kv" scan source | md5sum)" "$before"
}

test_file_size_limit__send_and_verify__no_death_by_signal() {
    make_database source 2000
    local code=0
    (ulimit -f 64; exec timeout "$limit" "$haul" send --db source --to 127.0.0.1:1 \
        >"$work/out" 2>"$work/err" </dev/null) || code=$?
    ((code > 0 && code < 124)) || fail "exit code $code"
    one_error .
    opens source
}

test_address_space__too_little__exit_code_8() {
    local kib command
    grep -q '^HAUL_SANITIZER:[A-Z]*=none' "$build/CMakeCache.txt" || skip 'a sanitizer needs terabytes'
    make_database source 100
    for kib in 60000 100000 150000 200000; do
        for command in 'send --db source --to 127.0.0.1:1' 'recv --db target --listen 127.0.0.1:0' \
            'verify --db source --with source' 'cancel --db source'; do
            # shellcheck disable=SC2086 # words of a command
            run 8 prlimit --as=$((kib * 1024)) "$haul" $command
            one_error 'ulimit -v'
        done
        run 0 prlimit --as=$((kib * 1024)) "$haul" status --db source
    done
    [[ ! -e target ]] || fail 'a database was made'
}

test_threads__too_few__exit_code_8() {
    reachable
    make_database source 100
    chown -R 65534 source
    cp "$haul" haul && chmod 755 haul
    run 8 setpriv --reuid=65534 --regid=65534 --clear-groups prlimit --nproc=5 \
        ./haul send --db source --to 127.0.0.1:1 --json
    one_error 'ulimit -u'
    equal "$(json .error.code)" LIMIT
}

test_descriptors__too_few__exit_code_8_before_a_database_is_opened() {
    local most command
    make_database source 100
    for most in 8 12 20 28 40; do
        for command in 'send --db source --to 127.0.0.1:1' 'recv --db target --listen 127.0.0.1:0' 'cancel --db source'; do
            # shellcheck disable=SC2086 # words of a command
            run 8 prlimit --nofile=$most "$haul" $command
            one_error 'ulimit -n'
        done
    done
    [[ ! -e target ]] || fail 'a database was made'
}

# 64 are enough for a small job, and haul raises a soft limit.
test_descriptors__few__the_job_is_done() {
    make_database source 2000
    start_receiver "$work/recv.log" --db target --listen "$own_host:0" --once
    prlimit --pid "$receiver_pid" --nofile=64:64
    run 0 prlimit --nofile=16:64 "$haul" send --db source --to "$receiver_address" --transport tcp
    end_process "$receiver_pid" || fail "exit code $?"
    same source target
}

# --- users and files ------------------------------------------------------------------------------

# Others may reach the working directory, and it lies where they may reach it.
reachable() {
    ((EUID == 0)) || skip 'only root can be several users'
    chmod 755 "$work"
    setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$work" ||
        skip 'the temporary directory is closed to others'
}

# The receiver hangs up; that is not the end of its job.
test_cancel__user_whom_the_receiver_does_not_answer__told_so_and_nothing_is_cancelled() {
    reachable
    make_database target 10
    cp "$haul" haul && chmod 755 haul
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    chmod 755 target
    chmod 777 target/haul target/haul/control
    run 7 setpriv --reuid=65534 --regid=65534 --clear-groups ./haul cancel --db target
    one_error 'does not answer user 65534.*: run haul as user 0'
    run 0 "$haul" status --db target --json
    equal "$(json .running.command)" recv
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
}

test_files__umask_of_nothing__directory_and_socket_are_the_owners_alone() {
    make_database target 10
    mkdir -m 755 target/haul # as an earlier release made it
    umask 000
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    equal "$(stat -c %a target/haul)" 700
    equal "$(stat -c %a target/haul/control)" 600
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
}

test_files__umask_of_everything__their_owner_opens_them_again() {
    make_database source 100
    umask 0777
    receive_once target
    umask 0022 # the sockets of the harness
    (umask 0777 && exec "$haul" send --db source --to "$receiver_address" --transport tcp -q)
    received
    equal "$(find source target -type d ! -perm -700 -o -type f ! -perm -600)" ''
    equal "$(find target/haul -perm /077)" ''
}

test_files__haul_directory_is_a_link__nothing_is_followed() {
    make_database target 10
    mkdir elsewhere
    ln -s ../elsewhere target/haul
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    kill "$receiver_pid" 2>/dev/null || true # it listens, or has refused
    end_process "$receiver_pid" || true
    equal "$(find elsewhere -mindepth 1 | wc -l)" 0
}

# A name that haul is about to write may be a link to a file of somebody else.
test_files__links_at_the_names_of_temporary_files__not_followed() {
    make_database source 100
    mkdir -p -m 700 source/haul target/haul
    echo untouched >victim
    ln -s ../../victim source/haul/ownership.tmp
    ln -s ../../victim target/haul/ownership.tmp
    receive_once target
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp
    received
    # shellcheck disable=SC2016 # the shell becomes haul, with the same process id
    run 0 bash -c 'ln -s victim "manifest.tmp-$$"; exec "$@"' x "$haul" verify --db source --write-manifest manifest
    equal "$(cat victim)" untouched
    equal "$(find . -name '*.tmp*')" ''
    run 0 "$haul" verify --db target --manifest manifest
}

test_files__root_on_another_users_database__everything_stays_the_users() {
    reachable
    make_database source 100
    mkdir target
    chown -R 65534:65534 source target
    receive_once target
    run 0 "$haul" send --db source --to "$receiver_address" --transport tcp
    end_process "$receiver_pid" || fail "exit code $?"
    equal "$(find source target ! -user 65534 | wc -l)" 0
    same source target
}

test_files__database_that_its_owner_cannot_reach__root_warns_and_goes_on() {
    ((EUID == 0)) || skip 'only root can be several users'
    mkdir -m 700 closed
    make_database closed/source 10
    chown -R 65534 closed/source
    run 5 "$haul" send --db closed/source --to 127.0.0.1:1
    grep -q 'warning: new files will belong to root' "$work/err" || fail 'no warning'
}

test_files__database_of_somebody_else__hint_names_the_user() {
    reachable
    make_database source 10
    cp "$haul" haul && chmod 755 haul
    run 7 setpriv --reuid=65534 --regid=65534 --clear-groups ./haul send --db source --to 127.0.0.1:1
    one_error 'run haul as the user that owns the database'
}

test_lock__held_by_another_command__its_process_is_named() {
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    run 5 "$haul" send --db target --to 127.0.0.1:1
    one_error "in use by process $receiver_pid \\(haul\\).*haul status"
    kill "$receiver_pid"
    end_process "$receiver_pid" || true
}

test_control__silent_clients_in_every_place__cancel_gets_through() {
    start_receiver "$work/recv.log" --db target --listen "$own_host:0"
    python3 - "$work/target/haul" <<'END' &
import os, socket, sys, time
os.chdir(sys.argv[1])
silent = []
for i in range(20):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect('control')
    silent.append(client)
open('../../connected', 'w').close()
time.sleep(100)
END
    wait_for test -e connected
    run 0 "$haul" cancel --db target
    local code=0
    end_process "$receiver_pid" || code=$?
    equal "$code" 9
}

# --- hosts and file systems -----------------------------------------------------------------------

can_trace() { strace -o /dev/null true 2>/dev/null || skip 'no right to trace a process'; }

# with_hosts LINE...: the next command of `run` finds these in /etc/hosts.
with_hosts() {
    unshare -m true 2>/dev/null || skip 'no right to make a mount namespace'
    printf '%s\n' "$@" '127.0.0.1 localhost' >hosts
    # shellcheck disable=SC2016 # words of the inner shell
    named=(unshare -m sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$work/hosts")
}

test_address__name_of_two_and_nobody_on_the_first__the_second_is_found() {
    local second=127.0.$(($$ % 250 + 1)).77 port
    make_database source 100
    with_hosts '::1 two-addresses' '127.0.0.9 two-addresses' "$second two-addresses"
    (($("${named[@]}" getent ahosts two-addresses | grep -c STREAM) > 1)) || skip 'one address only'
    start_receiver "$work/recv.log" --db target --listen "$second:0" --once
    port=${receiver_address##*:}
    run 0 "${named[@]}" "$haul" send --db source --to "two-addresses:$port" --transport tcp --retry 1ms
    end_process "$receiver_pid" || fail "exit code $?"
    same source target
    run 5 "${named[@]}" "$haul" send --db target --to "two-addresses:$port" --transport tcp --retry 1ms
    one_error 'is .haul recv. running there'
}

test_listen__host_without_ipv6__listens_on_ipv4() {
    case $(ldd "$haul") in *libasan* | *libtsan*) skip 'sanitizers come before the shim' ;; esac
    cat >shim.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>
int socket(int family, int type, int protocol)
{
    int (*real)(int, int, int) = (int (*)(int, int, int))dlsym(RTLD_NEXT, "socket");
    if (family == AF_INET6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return real(family, type, protocol);
}
C
    cc -shared -fPIC -o shim.so shim.c
    # In a network namespace of its own: the default port may be in use in this one.
    local alone=()
    ! unshare -n true 2>/dev/null || alone=(unshare -n)
    printf '#!/bin/sh\nLD_PRELOAD=%s exec %s %s "$@"\n' "$work/shim.so" "${alone[*]}" "$haul" >alone
    chmod 755 alone
    haul=$work/alone start_receiver "$work/recv.log" --db target --once --insecure
    ! grep -q 'in use' "$work/recv.log" || skip 'the default port is in use, and there is no network namespace'
    [[ $receiver_address == 0.0.0.0:7447 ]] || { cat "$work/recv.log"; fail "it listens on '$receiver_address'"; }
    kill -TERM "$receiver_pid"
    ended "$receiver_pid" 143
}

test_lock__file_system_without_locks__hint_names_the_lock_service() {
    can_trace
    make_database source 100
    ASAN_OPTIONS=detect_leaks=0 run 7 strace -f -qq -o "$work/trace" -P "$work/source/LOCK" -e trace=fcntl \
        -e inject=fcntl:error=ENOLCK "$haul" send --db source --to 127.0.0.1:1
    one_error 'lock service'
    opens source
}

# --- names and keys -------------------------------------------------------------------------------

test_directory__closed_to_the_user__says_so() {
    local command
    reachable
    make_database source 10
    cp "$haul" haul && chmod 755 haul
    chmod 700 source
    for command in 'send --db source --to 127.0.0.1:1' 'verify --db source --with source' 'status --db source' \
        'drop --db source --yes' 'owner --db source'; do
        # shellcheck disable=SC2086 # words of a command
        run 7 setpriv --reuid=65534 --regid=65534 --clear-groups ./haul $command
        one_error 'Permission denied: run haul as the user that owns the database'
    done
}

test_directory__path_too_long__every_command_names_the_limit() {
    local path=$work command
    while ((${#path} < 950)); do path+=/$(printf 'y%.0s' {1..100}); done
    mkdir -p "$path"
    make_database source 10
    cp -r source "$path/db"
    for command in 'send --to 127.0.0.1:1' 'recv --listen 127.0.0.1:0' 'verify --with source' status owner cancel \
        'drop --yes' 'resume --to 127.0.0.1:1' 'resolve --to 127.0.0.1:1'; do
        # shellcheck disable=SC2086 # words of a command
        run 2 "$haul" $command --db "$path/db"
        one_error 'up to 899 bytes: use a shorter path, or a symbolic link'
    done
    ln -s "$path/db" short
    run 0 "$haul" verify --db short --with source
}

test_status__path_is_a_file__says_so() {
    echo text >file
    run 3 "$haul" status --db file
    one_error 'file is not a directory'
}

test_prefix__text_that_begins_with_0x__help_tells_how() {
    local command
    "$kv" put source 0xabc 1 other 2
    run 0 "$haul" verify --db source --with source --prefix '\0xab' --json
    equal "$(json '.families[0].records')" 1
    for command in send verify; do
        run 0 "$haul" "$command" --help
        # shellcheck disable=SC1003
        grep -qF "'\\0xab'" "$work/out" || fail "haul $command --help does not tell"
    done
    run 2 "$haul" send --db source --to 127.0.0.1:1 --prefix 0xabc
    one_error '\\0x for the text 0x'
}

test_messages__names_with_control_characters__escaped_on_every_stream() {
    local bad=$'a\e[31m\nhaul: error: forged\x9b' stream
    make_database source 10
    run 3 "$haul" send --db source --to 127.0.0.1:1 --cf "$bad" --json
    run 3 "$haul" status --db "$bad"
    one_error 'a\\x1b\[31m\\x0ahaul'
    run 2 "$haul" "$bad"
    run 2 "$haul" send --db source --to 127.0.0.1:1 --range "$bad"
    # What verify, owner and drop print on stdout includes names from the database.
    "$build/tests/store_maker" source "create a\\x1b[31m\\x0ahaul:\\x9b" 'put k v'
    "$haul" verify --db source --with source >"$work/verify.out" 2>"$work/verify.err" || fail "exit code $?"
    grep -qF 'a\x1b[31m\x0ahaul:\x9b: 1 records' "$work/verify.out" || { cat "$work/verify.out"; fail 'no name'; }
    for stream in "$work/out" "$work/err" "$work/verify.out" "$work/verify.err"; do
        ! LC_ALL=C grep -q $'[\x01-\x09\x0b-\x1f\x7f-\xff]' "$stream" || fail 'a control character'
    done
}

run_tests
