#!/usr/bin/env bash
# Makes an authority and the certificate of one member of a cluster: authority.pem, member.pem and member-key.pem.
# For trying TLS out; a cluster has an authority that signs, and renews, one for each of its machines.
#
# Usage: certificates.sh FOLDER [ALTERNATIVE NAMES OF THE MEMBER, such as IP:10.0.0.1,DNS:node-1.example]
set -euo pipefail

(($# == 1 || $# == 2)) || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2 && exit 2; }
names=${2:-IP:127.0.0.1,DNS:localhost}
mkdir -p "$1"
cd "$1"
umask 077 # keys are their owner's

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc)
openssl req -x509 "${new_key[@]}" -keyout authority-key.pem -out authority.pem -days 365 \
    -subj "/CN=an authority" 2>/dev/null
openssl req -x509 "${new_key[@]}" -keyout member-key.pem -out member.pem -days 30 -subj "/CN=a member" \
    -CA authority.pem -CAkey authority-key.pem -addext "subjectAltName=$names" \
    -addext "basicConstraints=critical,CA:FALSE" 2>/dev/null
openssl verify -CAfile authority.pem member.pem
