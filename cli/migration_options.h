/* SPDX-License-Identifier: Apache-2.0 */
/* migration_options.h — option rules that several commands share. */
#ifndef HAUL_MIGRATION_OPTIONS_H
#define HAUL_MIGRATION_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/transport.h"
#include "option_table.h"
#include "option_value.h"

/* A config version from the command line; `given` because 0 is a valid version. */
struct config_version {
    bool given;
    uint64_t value;
};

OPTION_PARSER(option_config_version); /* struct config_version */

/* For an options struct with uint32_t members slot_count, slot_size_bytes and peer_timeout_ms; the
 * help text has their defaults. */
#define LINK_OPTION_RULES(type, slots, slot_size)                                           \
    {.name = "slots",                                                                       \
     .value_name = "N",                                                                     \
     .help = "slots in a link's ring (default " slots ")",                                  \
     OPTION_AT(option_u32, type, slot_count),                                               \
     .min = 2,                                                                              \
     .max = HAUL_SLOT_COUNT_MAX},                                                           \
        {.name = "slot-size",                                                               \
         .value_name = "SIZE",                                                              \
         .help = "size of a slot, a power of two (default " slot_size ")",                  \
         OPTION_AT(option_size_u32, type, slot_size_bytes),                                 \
         .min = HAUL_SLOT_SIZE_BYTES_MIN,                                                   \
         .max = HAUL_SLOT_SIZE_BYTES_MAX},                                                  \
    {                                                                                       \
        .name = "peer-timeout", .value_name = "TIME",                                       \
        .help = "give up on a silent peer after this time (default 5s)",                    \
        OPTION_AT(option_duration, type, peer_timeout_ms), .min = HAUL_PEER_TIMEOUT_MS_MIN, \
        .max = HAUL_PEER_TIMEOUT_MS_MAX                                                     \
    }

/* For an options struct with a const char *wal_dir. */
#define WAL_DIR_RULE(type)                                                       \
    {                                                                            \
        .name = "wal-dir", .value_name = "DIR",                                  \
        .help = "the database's log directory, if haul cannot find it and asks", \
        OPTION_AT(option_text, type, wal_dir)                                    \
    }

/* For an options struct with a const char *cpu_list. */
#define CPU_LIST_RULE(type)                                                                   \
    {                                                                                         \
        .name = "cpu-list", .value_name = "LIST",                                             \
        .help = "processors for its threads, such as 0-3,8 (default: near the network card)", \
        OPTION_AT(option_text, type, cpu_list)                                                \
    }

/* For an options struct with an enum haul_compression compression. */
#define COMPRESS_RULE(type)                                                                \
    {                                                                                      \
        .name = "compress", .value_name = "WHEN",                                          \
        .help = "compress payloads: auto (default: on slow links where it pays), off, on", \
        OPTION_AT(option_compression, type, compression)                                   \
    }

/* For an options struct with a bool log_data. */
#define LOG_DATA_RULE(type)                                                                  \
    {                                                                                        \
        .name = "log-data",                                                                  \
        .help = "also send the LogData of the log, for programs that read the target's log", \
        OPTION_AT(option_flag, type, log_data)                                               \
    }

/* Limits on what a job may use of the source, for an options struct with uint64_t
 * rate_bytes_per_second and pinned_bytes_max; begins the group "How". */
#define SOURCE_LIMIT_RULES(type)                                                                  \
    {.name = "rate",                                                                              \
     .value_name = "SIZE",                                                                        \
     .help = "bytes per second, at most (default: no limit)",                                     \
     .group = "How",                                                                              \
     OPTION_AT(option_size_u64, type, rate_bytes_per_second),                                     \
     .min = 1024,                                                                                 \
     .max = UINT64_C(1) << 50},                                                                   \
    {                                                                                             \
        .name = "pinned-max", .value_name = "SIZE",                                               \
        .help =                                                                                   \
            "stop, and keep what has arrived, when the log and old table files that the job\n"    \
            "retains take more of the disk than this; log that the database itself still needs\n" \
            "does not count (default: no limit)",                                                 \
        OPTION_AT(option_size_u64, type, pinned_bytes_max), .min = 1024, .max = UINT64_C(1) << 50 \
    }

/* For an options struct with a struct config_version config_version. */
#define CONFIG_VERSION_RULE(type)                                                     \
    {                                                                                 \
        .name = "config-version", .value_name = "N",                                  \
        .help = "the cluster's current config version (default: haul keeps its own)", \
        OPTION_AT(option_config_version, type, config_version), .max = UINT64_MAX - 1 \
    }

#endif
