/* SPDX-License-Identifier: Apache-2.0 */
/* trust_options.h — whom a command trusts: --key, --tls-*, --insecure, the service manager's
 * credential. */
#ifndef HAUL_TRUST_OPTIONS_H
#define HAUL_TRUST_OPTIONS_H

#include <stdbool.h>

#include "haul/certificate_files.h"
#include "haul/key_file.h"
#include "haul/migration.h"
#include "option_table.h"
#include "option_value.h"

struct trust_options {
    const char *key; /* a file */
    struct haul_certificate_files tls;
    bool insecure;
    enum haul_wire wire;
    struct haul_keys *keys; /* NULL: none, or not loaded yet */
};

/* For an options struct with a struct trust_options trust. */
#define TRUST_RULES(type)                                                                  \
    {.name = "key",                                                                        \
     .value_name = "FILE",                                                                 \
     .help = "the key that both sides hold, from 'haul keygen' (default: the credential\n" \
             "haul.key of the service manager, if there is one)",                          \
     .group = "Trust",                                                                     \
     OPTION_AT(option_text, type, trust.key)},                                             \
        {.name = "tls-cert",                                                               \
         .value_name = "FILE",                                                             \
         .help = "instead of a key: this side's certificate, in PEM, and those\n"          \
                 "between it and the authority, at most 8",                                \
         OPTION_AT(option_text, type, trust.tls.certificate)},                             \
        {.name = "tls-key",                                                                \
         .value_name = "FILE",                                                             \
         .help = "its private key, not encrypted, which nobody else can read",             \
         OPTION_AT(option_text, type, trust.tls.private_key)},                             \
        {.name = "tls-ca",                                                                 \
         .value_name = "FILE",                                                             \
         .help = "the authorities of the other side's certificate",                        \
         OPTION_AT(option_text, type, trust.tls.authorities)},                             \
        {.name = "tls-name",                                                               \
         .value_name = "NAME",                                                             \
         .help = "the host name or address that the other side's certificate must have\n"  \
                 "(default: that of --to; recv: any)",                                     \
         OPTION_AT(option_text, type, trust.tls.peer_name)},                               \
    {                                                                                      \
        .name = "insecure",                                                                \
        .help = "without a key, trust other hosts than this one, and the\n"                \
                "network between; not beside a key, certificates or a credential",         \
        OPTION_AT(option_flag, type, trust.insecure)                                       \
    }

/* For commands that send or receive data, likewise. */
#define WIRE_RULE(type)                                                                         \
    {                                                                                           \
        .name = "wire", .value_name = "MODE",                                                   \
        .help =                                                                                 \
            "with a key: secure (default: data encrypted), auth (readable, protected against\n" \
            "change) or none (a checksum); both sides insist on the stronger of their modes",   \
        OPTION_AT(option_wire, type, trust.wire)                                                \
    }

/* Load the keys or certificates, if there are any. The process then writes no core dump, and only
 * root can look into it. Errors: INVALID (options that exclude or lack each other, or --insecure
 * beside a credential), AUTH (perhaps there is a credential), those of haul_keys_load and
 * haul_keys_load_certificates. */
enum haul_status trust_options_load(struct trust_options *options, const struct haul_log *log,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Wipe the keys. */
void trust_options_fini(struct trust_options *options);

#endif
