#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# certificates.sh — trust by certificates of both sides, made as docs/SECURITY.md shows: who is let in,
# who is refused, and what an operator who gives the wrong files reads.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/harness.sh"
. "$(dirname "${BASH_SOURCE[0]}")/certificate_files.sh"
suite certificates "$@"

receive_with() { # NAME [ARGUMENT...]
    with "$1"
    receive "${tls[@]}" "${@:2}"
}

send_with() { # EXPECTED-CODE NAME [ARGUMENT...]
    with "$2"
    send "$1" "${tls[@]}" "${@:3}"
}

stays() { # DIR MANIFEST: it holds what it held
    run 0 "$haul" verify --db "$1" --manifest "$2"
}

# Neither database has changed, and the sender has no job.
nothing_happened() {
    kill -TERM "$receiver_pid"
    received 143
    stays target before
    stays source sent
    run 0 "$haul" status --db source --json
    [[ $(json '.jobs | length') == 0 ]]
}

# Databases on both sides, and what they hold.
make_both() {
    make_database source 200
    make_database target 100
    run 0 "$haul" verify --db target --write-manifest before
    run 0 "$haul" verify --db source --write-manifest sent
}

test_certificates__of_one_authority__job_commits_encrypted() {
    make_database source 2000 2
    make_usual
    receive_with receiver --tls-name a.example
    send_with 0 sender
    equal "$(json '.wire + " " + .trust')" 'secure certificate'
    received
    same source target
}

test_certificates__by_host_name__job_commits() {
    make_database source 100
    make_usual
    make_certificate receiver ca DNS:localhost
    with receiver
    receive_into target 127.0.0.1:0 --once "${tls[@]}"
    receiver_address=localhost:${receiver_address##*:}
    send_with 0 sender
    received
    same source target
}

test_sender__wrong_authority_name_date_or_a_key__exit_code_4_and_nothing_changed() {
    make_both
    make_usual
    make_authority foreign
    make_certificate stranger foreign DNS:a.example
    make_certificate namesake ca DNS:b.example
    run 0 "$haul" keygen key
    receive_with receiver --tls-name a.example --allow-overwrite
    send_with 4 stranger --overwrite
    one_error 'does not trust the certificate of this side'
    send_with 4 namesake --overwrite
    one_error 'does not trust the certificate of this side'
    send 4 --key key --overwrite
    one_error 'does not have the key of this side'
    send 4 --overwrite
    one_error 'authentication'
    grep -q 'not trusted: unable to get' recv.log || { cat recv.log; fail 'the reason is not in the log'; }
    grep -q 'not trusted: hostname mismatch' recv.log || { cat recv.log; fail 'the name is not in the log'; }
    nothing_happened
}

test_receiver__wrong_authority_or_name__exit_code_4_and_nothing_changed() {
    make_both
    make_usual
    make_authority foreign
    make_certificate false foreign "IP:$own_host"
    with false
    receive "${tls[@]}" --allow-overwrite
    send_with 4 sender --overwrite
    one_error 'shows a certificate that is not trusted: unable to get'
    nothing_happened
    receive_with receiver --allow-overwrite
    send_with 4 sender --overwrite --tls-name db8.example
    one_error 'not trusted: hostname mismatch'
    nothing_happened
}

test_receiver__has_a_key_or_nothing__exit_code_4() {
    make_both
    make_usual
    run 0 "$haul" keygen key
    receive --key key
    send_with 4 sender
    one_error 'does not trust the certificate of this side, or has none'
    nothing_happened
    receive
    send_with 4 sender
    one_error 'does not trust the certificate of this side, or has none'
    nothing_happened
}

test_certificates__verify_between_hosts__with_them_only() {
    make_database source 500
    cp -r source target
    make_usual
    with receiver
    receive_into target "$own_host:0" "${tls[@]}"
    with sender
    run 0 "$haul" verify --db source --to "$receiver_address" "${tls[@]}"
    run 4 "$haul" verify --db source --to "$receiver_address" "${tls[@]}" --tls-name b.example
    run 4 "$haul" verify --db source --to "$receiver_address"
    kill -TERM "$receiver_pid"
    received 143
}

test_certificates__interrupted_job__continues_with_them_only() {
    make_database source 20000
    make_usual
    make_authority foreign
    make_certificate stranger foreign DNS:a.example
    receive_with receiver
    with sender
    "$haul" send --db source --to "$receiver_address" --transport tcp --rate 4MB "${tls[@]}" >send.out 2>send.err &
    sender=$!
    sender_reaches '.running.records > 100'
    kill -TERM "$sender"
    ended "$sender" 143
    with stranger
    run 4 "$haul" resume --db source --to "$receiver_address" "${tls[@]}"
    with sender
    run 0 "$haul" resume --db source --to "$receiver_address" "${tls[@]}"
    received
    same source target
}

test_files__wrong__refused_before_the_database_is_opened() {
    make_usual
    make_certificate late ca DNS:late.example -days -1
    with receiver
    local recv=("$haul" recv --db target --listen "$own_host:0")
    chmod 644 receiver.key
    run 4 "${recv[@]}" "${tls[@]}"
    one_error 'others can read the key .*chmod 600'
    chmod 600 receiver.key
    run 2 "${recv[@]}" --tls-cert receiver.pem --tls-key sender.key --tls-ca ca.pem
    one_error 'sender.key is not that of the certificate in receiver.pem'
    run 6 "${recv[@]}" --tls-cert receiver.csr --tls-key receiver.key --tls-ca ca.pem
    one_error 'receiver.csr is damaged, or has no certificate'
    run 3 "${recv[@]}" --tls-cert nowhere --tls-key receiver.key --tls-ca ca.pem
    one_error 'nowhere'
    run 4 "${recv[@]}" --tls-cert late.pem --tls-key late.key --tls-ca ca.pem
    one_error 'late.* expired on'
    openssl pkey -in receiver.key -aes256 -passout pass:secret -out locked.key
    chmod 600 locked.key
    run 2 "${recv[@]}" --tls-cert receiver.pem --tls-key locked.key --tls-ca ca.pem
    one_error 'locked.key is encrypted.*openssl pkey'
    [[ ! -e target ]]
}

test_options__that_do_not_go_together__exit_code_2() {
    make_usual
    run 0 "$haul" keygen key
    with receiver
    run 2 "$haul" recv --db target --listen "$own_host:0" "${tls[@]}" --key key
    one_error 'both a key and certificates'
    run 2 "$haul" send --db target --to "$own_host:1" "${tls[@]}" --insecure
    run 2 "$haul" send --db target --to "$own_host:1" --tls-cert receiver.pem --tls-ca ca.pem
    one_error '--tls-key is missing'
    run 2 "$haul" verify --db target --to "$own_host:1" --tls-name x
    [[ ! -e target ]]
}

# strangers COUNT: complete ClientHellos of clients that show no certificate
strangers() {
    python3 -B - "$receiver_address" "$1" <<'END'
import socket, ssl, sys
host, port = sys.argv[1].rsplit(":", 1)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
answers = set()
for _ in range(int(sys.argv[2])):
    with socket.create_connection((host, int(port)), 10) as plain:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing)
        done = False
        while not done:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                pass
            plain.sendall(outgoing.read())
            if not done:
                incoming.write(plain.recv(65536))
        answer = b""
        while piece := plain.recv(64):
            answer += piece
        answers.add(answer.hex())
print(*answers)
END
}

test_stranger__without_a_certificate__an_alert_and_the_job_goes_on() {
    make_database source 2000
    make_usual
    receive_with receiver
    equal "$(strangers 20)" 15030300020228
    grep -q 'it shows no certificate' recv.log || fail 'the reason is not in the log'
    send_with 0 sender
    received
    same source target
}

run_tests
