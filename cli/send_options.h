/* SPDX-License-Identifier: Apache-2.0 */
/* send_options.h — what the command line of `haul send` says, and what the library gets of it. */
#ifndef HAUL_SEND_OPTIONS_H
#define HAUL_SEND_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"
#include "load_options.h"
#include "migration_options.h"
#include "option_value.h"
#include "output.h"
#include "range_option.h"
#include "trust_options.h"

enum { SEND_PARALLEL_DEFAULT = HAUL_TARGET_JOBS_DEFAULT };

struct send_options {
    struct output_options output;
    struct trust_options trust;
    const char *database;
    const char *wal_dir;
    const char *to;
    const char *plan;  /* a file that says for each move what is otherwise in `to`, `families`,
                        * `metadata_families` and `ranges`; NULL: a single job */
    uint32_t parallel; /* with a plan: jobs at the same time; 0: the default */
    bool stop_on_failure;
    struct haul_transport_list transports;
    struct name_list families;
    struct name_list metadata_families;
    struct range_list ranges;
    bool overwrite;
    bool dry_run;
    const char *cpu_list;
    enum haul_compression compression;
    uint32_t reader_count;
    uint32_t link_count;
    uint64_t rate_bytes_per_second;
    uint64_t pinned_bytes_max;
    bool read_back;
    enum haul_lane lane;
    bool log_data;
    uint32_t slot_count;
    uint32_t slot_size_bytes;
    uint32_t batch_size_bytes_min;
    uint32_t batch_size_bytes_max;
    uint32_t peer_timeout_ms;
    uint32_t freeze_max_ms;
    struct config_version config_version;
    uint32_t retry_max_ms;
    struct load_options load; /* rate 0: no load */
};

/* The options of the single job, with borrowed names. */
void send_options_source(const struct send_options *given, struct haul_store *store,
                         const struct haul_log *log, struct haul_source_options *options);

/* Errors: INVALID (options that exclude or need each other). */
enum haul_status send_options_check(const struct send_options *given,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
