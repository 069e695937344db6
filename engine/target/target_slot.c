/* SPDX-License-Identifier: Apache-2.0 */
/* target_slot.c — the first driver to take the slot keeps it. */
#include "target_slot.h"

#include <stddef.h>

bool target_slot_is_free(const struct target_slot *slot, const struct target_driver *driver)
{
    return slot->holder == NULL || slot->holder == driver;
}

bool target_slot_take(struct target_slot *slot, struct target_driver *driver)
{
    if (target_slot_is_free(slot, driver)) {
        slot->holder = driver;
    }
    return slot->holder == driver;
}
