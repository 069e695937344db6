/* SPDX-License-Identifier: Apache-2.0 */
/* target_permit.h — what the receiver's options allow a source: column families, ranges, and to
 * clear records that lie in them. */
#ifndef HAUL_TARGET_PERMIT_H
#define HAUL_TARGET_PERMIT_H

#include <stdbool.h>

#include "haul/migration.h"
#include "plan.h"

/* Does the target take the plan's column families and ranges? Ranges that touch or overlap allow
 * what they cover together. Touches nothing. Errors: UNSUPPORTED. Thread: any. */
enum haul_status target_permit_check(const struct haul_target_options *target,
                                     const struct plan *plan,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* The same for ranges of one family, which a source wants to compare; no ranges: all of it. */
enum haul_status target_permit_check_family(const struct haul_target_options *target,
                                            const char *family, const struct haul_range *ranges,
                                            size_t range_count,
                                            struct haul_error *error) HAUL_MUST_CHECK;

/* Does the target take the family at all? If not, a source does not even learn that it is there. */
bool target_permit_takes(const struct haul_target_options *target, const char *family);

/* The plan was to overwrite, and this target does not allow that: adds so to NOT_EMPTY. */
void target_permit_explain(struct haul_error *error);

/* Are the limits in the options sound? Errors: INVALID. Thread: any. */
enum haul_status target_permit_check_options(const struct haul_target_options *target,
                                             struct haul_error *error) HAUL_MUST_CHECK;

#endif
