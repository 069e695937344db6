/* SPDX-License-Identifier: Apache-2.0 */
/* send_options.c — from the command line to the library. */
#include "send_options.h"

#include <stddef.h>

/* Reading everything takes long, and only this process's own load waits for it. */
static uint32_t freeze_max_of(const struct send_options *given)
{
    enum { LONG_MS = 86400000 };
    return given->freeze_max_ms == 0 && given->read_back ? LONG_MS : given->freeze_max_ms;
}

void send_options_source(const struct send_options *given, struct haul_store *store,
                         const struct haul_log *log, struct haul_source_options *options)
{
    *options = (struct haul_source_options){
        .size_bytes = sizeof(*options),
        .store = store,
        .to = given->to == NULL ? "127.0.0.1:1" : given->to, /* a dry run connects to no receiver */
        .transports = given->transports,
        .link = {.slot_count = given->slot_count,
                 .slot_size_bytes = given->slot_size_bytes,
                 .peer_timeout_ms = given->peer_timeout_ms},
        .link_count = given->link_count,
        .families = given->families.names,
        .family_count = given->families.count,
        .metadata_families = given->metadata_families.names,
        .metadata_family_count = given->metadata_families.count,
        .ranges = given->ranges.ranges,
        .range_count = given->ranges.count,
        .cpu_list = given->cpu_list,
        .compression = given->compression,
        .reader_count = given->reader_count,
        .batch_size_bytes_min = given->batch_size_bytes_min,
        .batch_size_bytes_max = given->batch_size_bytes_max,
        .rate_bytes_per_second = given->rate_bytes_per_second,
        .pinned_bytes_max = given->pinned_bytes_max,
        .read_back = given->read_back,
        .lane = given->lane,
        .log_data = given->log_data,
        .overwrite = given->overwrite,
        .keep_versions = given->config_version.given,
        .config_version = given->config_version.value,
        .freeze_max_ms = freeze_max_of(given),
        .retry_max_ms = given->retry_max_ms,
        .log = log,
        .keys = given->trust.keys,
        .insecure = given->trust.insecure,
        .wire = given->trust.wire,
    };
}

/* An option that the moves of a plan have themselves; NULL: none was given. */
static const char *find_single(const struct send_options *given)
{
    return given->to != NULL                    ? "--to"
           : given->families.count > 0          ? "--cf"
           : given->ranges.count > 0            ? "--range and --prefix"
           : given->metadata_families.count > 0 ? "--metadata-cf"
           : given->load.rate > 0               ? "--load"
                                                : NULL;
}

enum haul_status send_options_check(const struct send_options *given, struct haul_error *error)
{
    const char *single = find_single(given);
    if (given->plan != NULL && single != NULL) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "%s cannot be used with --plan", single);
        if (given->load.rate == 0) {
            haul_error_hint(error, "each move of the plan has its own");
        }
        return HAUL_INVALID;
    }
    if (given->plan == NULL && (given->parallel > 0 || given->stop_on_failure)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "%s belongs to --plan",
                              given->parallel > 0 ? "--parallel" : "--stop-on-failure");
    }
    return HAUL_OK;
}
