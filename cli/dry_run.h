/* SPDX-License-Identifier: Apache-2.0 */
/* dry_run.h — what `haul send` would send, judged by the source alone. */
#ifndef HAUL_DRY_RUN_H
#define HAUL_DRY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"

struct dry_run_family {
    char name[HAUL_NAME_BYTES_MAX];
    bool known;     /* whether `bytes` is known; not for a family with its own key order */
    uint64_t bytes; /* estimate of the size on disk */
};

struct dry_run {
    struct dry_run_family *families; /* the ranges that would be sent */
    size_t family_count;
    uint64_t bytes; /* the sum of the known ones */
};

/* Estimate what `options` select. Changes nothing, and contacts no receiver. `options` have passed
 * haul_source_check. Errors: NO_MEMORY, and those of the store. */
enum haul_status dry_run_look(const struct haul_source_options *options, struct dry_run *run,
                              struct haul_error *error) HAUL_MUST_CHECK;
void dry_run_fini(struct dry_run *run);

#endif
