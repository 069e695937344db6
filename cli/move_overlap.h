/* SPDX-License-Identifier: Apache-2.0 */
/* move_overlap.h — whether two moves of a plan would give the same key away. */
#ifndef HAUL_MOVE_OVERLAP_H
#define HAUL_MOVE_OVERLAP_H

#include "haul/status.h"
#include "send_plan.h"

/* Errors: INVALID (they overlap: `error` names both; or there are more column families than a
 * database can have), NO_MEMORY. */
enum haul_status move_overlap_check(const struct send_plan *plan,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
