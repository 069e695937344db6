# SPDX-License-Identifier: Apache-2.0
# certificate_files.sh — sourced after harness.sh: authorities and certificates, made as
# docs/SECURITY.md shows.
# shellcheck shell=bash disable=SC2034 # the variables are for the script that sources this

# make_authority NAME
make_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.pem" 2>openssl.err
}

# make_certificate NAME AUTHORITY ALTERNATIVE-NAME [ARGUMENT OF x509...]
make_certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.csr" 2>openssl.err
    openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 365 "${@:4}" \
        -extfile <(echo "subjectAltName = $3") -out "$1.pem" 2>openssl.err
}

# An authority, the receiver's certificate for its address, and the sender's for a name.
make_usual() {
    make_authority ca
    make_certificate receiver ca "IP:$own_host"
    make_certificate sender ca DNS:a.example
}

# with NAME [AUTHORITY]: sets $tls, the options of a side with this certificate
with() { tls=(--tls-cert "$1.pem" --tls-key "$1.key" --tls-ca "${2:-ca}.pem"); }
