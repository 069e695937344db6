/* SPDX-License-Identifier: Apache-2.0 */
/* dry_run.h — what `haul send` would give, by the source alone. */
#ifndef HAUL_DRY_RUN_H
#define HAUL_DRY_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"

struct dry_run_family {
    char name[HAUL_NAME_BYTES_MAX];
    bool known;     /* the size; that of a range in a family with an order of its own is not */
    uint64_t bytes; /* estimate, as they lie on disk */
};

struct dry_run {
    struct dry_run_family *families; /* those that would go */
    size_t family_count;
    uint64_t bytes; /* of those that are known */
};

/* Look at what `options` select. Changes nothing, and asks no receiver. `options` have passed
 * haul_source_check. Errors: NO_MEMORY, and those of the store. */
enum haul_status dry_run_look(const struct haul_source_options *options, struct dry_run *run,
                              struct haul_error *error) HAUL_MUST_CHECK;
void dry_run_fini(struct dry_run *run);

#endif
