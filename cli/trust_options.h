/* SPDX-License-Identifier: Apache-2.0 */
/* trust_options.h — whom a command trusts: --key, --insecure, the service manager's credential. */
#ifndef HAUL_TRUST_OPTIONS_H
#define HAUL_TRUST_OPTIONS_H

#include <stdbool.h>

#include "haul/key_file.h"
#include "haul/migration.h"
#include "option_table.h"
#include "option_value.h"

struct trust_options {
    const char *key; /* a file */
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
    {                                                                                      \
        .name = "insecure",                                                                \
        .help = "without a key, trust other hosts than this one, and the\n"                \
                "network between",                                                         \
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

/* Load the keys, if there are any. The process then writes no core dump, and only root can look
 * into it. Errors: INVALID (both options), those of haul_keys_load. */
enum haul_status trust_options_load(struct trust_options *options,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Wipe the keys. */
void trust_options_fini(struct trust_options *options);

#endif
