/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_options.h — how the commands of `haul cluster` reach the nodes. */
#ifndef HAUL_CLUSTER_OPTIONS_H
#define HAUL_CLUSTER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "node_facts.h"
#include "node_stream.h"
#include "option_table.h"
#include "option_value.h"

enum {
    CLUSTER_PASSWORD_BYTES_MAX = 1024,
    CLUSTER_TIMEOUT_MS_MIN = 10,
    CLUSTER_TIMEOUT_MS_MAX = 600000,
    CLUSTER_TIMEOUT_MS_DEFAULT = 5000,
    CLUSTER_RATE_UNIT = 1 << 20, /* Kvrocks limits in whole MB */
};

struct cluster_options {
    const char *nodes;
    const char *password_file;
    struct node_access access;
    char password[CLUSTER_PASSWORD_BYTES_MAX];
    bool wants_sizes; /* cluster_options_discover asks how large slots are */
};

/* For an options struct with a struct cluster_options cluster. */
#define CLUSTER_RULES(type)                                                                    \
    {.name = "nodes",                                                                          \
     .value_name = "HOST:PORT,...",                                                            \
     .help = "nodes of the cluster; the others are found",                                     \
     .group = "Cluster",                                                                       \
     OPTION_AT(option_text, type, cluster.nodes)},                                             \
        {.name = "password-file",                                                              \
         .value_name = "FILE",                                                                 \
         .help = "the nodes' password, which nobody else can read (default: the environment\n" \
                 "variable HAUL_CLUSTER_PASSWORD)",                                            \
         OPTION_AT(option_text, type, cluster.password_file)},                                 \
        {.name = "tls",                                                                        \
         .help = "connect with TLS",                                                           \
         OPTION_AT(option_flag, type, cluster.access.tls)},                                    \
        {.name = "tls-ca",                                                                     \
         .value_name = "FILE",                                                                 \
         .help = "authorities of the nodes' certificates (default: the system's)",             \
         OPTION_AT(option_text, type, cluster.access.ca_file)},                                \
        {.name = "tls-cert",                                                                   \
         .value_name = "FILE",                                                                 \
         .help = "certificate of this side, in PEM, if the nodes want one",                    \
         OPTION_AT(option_text, type, cluster.access.certificate)},                            \
        {.name = "tls-key",                                                                    \
         .value_name = "FILE",                                                                 \
         .help = "its private key",                                                            \
         OPTION_AT(option_text, type, cluster.access.private_key)},                            \
    {                                                                                          \
        .name = "timeout", .value_name = "TIME",                                               \
        .help = "give up on a node that does not answer for this time (default 5s)",           \
        OPTION_AT(option_duration, type, cluster.access.timeout_ms),                           \
        .min = CLUSTER_TIMEOUT_MS_MIN, .max = CLUSTER_TIMEOUT_MS_MAX                           \
    }

/* Check the options, and read the password into `access`, until the other call wipes it. Errors:
 * INVALID, AUTH (others can read the password file), NOT_FOUND and IO (the file). */
enum haul_status cluster_options_open(struct cluster_options *options,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void cluster_options_close(struct cluster_options *options);

/* Check the options, read the password, and ask all nodes. Ownership: `*list` is the caller's
 * (node_facts_list_fini). Errors: INVALID, AUTH (others can read the password file), those of
 * discovery_run, NOT_FOUND and IO (the file). */
enum haul_status cluster_options_discover(struct cluster_options *options,
                                          struct node_facts_list *list,
                                          struct haul_error *error) HAUL_MUST_CHECK;

#endif
