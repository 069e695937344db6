/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h — count and order-independent digest of ranges of a database, family by family, by a
 * full scan; two databases hold the same when they agree. It finds accidents, not forgery. */
#ifndef HAUL_VERIFY_H
#define HAUL_VERIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "haul/store.h"

#ifdef __cplusplus
extern "C" {
#endif

struct haul_verify_options {
    const char *const *families; /* names; none: every family of the store */
    size_t family_count;
    const struct haul_range *ranges; /* none: everything */
    size_t range_count;
    /* Asked now and then; true ends the scan with STOPPED. May be NULL. */
    bool (*is_cancelled)(void *context);
    void *context;
};

/* Scan one store. `results` has room for HAUL_FAMILY_COUNT_MAX entries, in the store's order.
 * Errors: NOT_FOUND (a family), STOPPED, and those of the store. Thread: any. */
enum haul_status haul_verify_scan(struct haul_store *store,
                                  const struct haul_verify_options *options,
                                  struct haul_family_result *results, size_t *result_count,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Compare two scans by family name. Families without records need no counterpart. Returns the
 * number of families that differ; `*name` (may be NULL) gets the first of them. Thread: any. */
size_t haul_verify_differences(const struct haul_family_result *a, size_t a_count,
                               const struct haul_family_result *b, size_t b_count,
                               const char **name);

#ifdef __cplusplus
}
#endif

#endif
