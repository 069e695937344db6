/* SPDX-License-Identifier: Apache-2.0 */
/* target_slot.h — the receiver's single place for a job, and what its last job left. Thread: the
 * loop's. */
#ifndef HAUL_TARGET_SLOT_H
#define HAUL_TARGET_SLOT_H

#include <stdbool.h>

#include "target_arrived.h"
#include "target_damages.h"

struct target_driver;

/* Zeroed is free. */
struct target_slot {
    struct target_driver *holder; /* NULL: free */
    struct target_left left;      /* by the last job that was kept for a resume */
    struct target_damages damages;
};

/* Is it free, or held by `driver` already? */
bool target_slot_is_free(const struct target_slot *slot, const struct target_driver *driver);
/* False: another one holds it. */
bool target_slot_take(struct target_slot *slot, struct target_driver *driver);

#endif
