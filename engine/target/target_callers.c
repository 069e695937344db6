/* SPDX-License-Identifier: Apache-2.0 */
/* target_callers.c — a short list in the order of arrival. */
#include "target_callers.h"

#include <string.h>

#include "assertion.h"
#include "clock.h"

void target_callers_fini(struct target_callers *callers)
{
    while (callers->count > 0) {
        target_driver_destroy(callers->callers[--callers->count]);
    }
}

static bool is_of_host(const struct target_driver *caller, const struct link_address *peer)
{
    return peer == NULL || link_address_same_host(target_driver_peer(caller), peer);
}

/* Drop the oldest caller of the host (NULL: of any); one with a call under way cannot be
 * dropped. */
static bool drop_oldest(struct target_callers *callers, const struct link_address *peer,
                        bool silent)
{
    for (size_t i = 0; i < callers->count; i++) {
        struct target_driver *caller = callers->callers[i];
        bool may_go = silent ? target_driver_is_silent(caller) : !target_driver_has_calls(caller);
        if (may_go && is_of_host(caller, peer)) {
            target_callers_remove(callers, i);
            target_driver_destroy(caller);
            return true;
        }
    }
    return false;
}

bool target_callers_make_room(struct target_callers *callers, const struct link_address *peer)
{
    size_t of_host = 0;
    for (size_t i = 0; i < callers->count; i++) {
        of_host += is_of_host(callers->callers[i], peer);
    }
    if (of_host >= TARGET_CALLERS_OF_HOST_MAX) {
        return drop_oldest(callers, peer, true) || drop_oldest(callers, peer, false);
    }
    return callers->count < TARGET_CALLERS_MAX || drop_oldest(callers, NULL, true) ||
           drop_oldest(callers, NULL, false);
}

void target_callers_add(struct target_callers *callers, struct target_driver *driver)
{
    haul_assert(callers->count < TARGET_CALLERS_MAX);
    callers->callers[callers->count++] = driver;
}

void target_callers_remove(struct target_callers *callers, size_t index)
{
    haul_assert(index < callers->count);
    callers->count--;
    memmove(&callers->callers[index], &callers->callers[index + 1],
            (callers->count - index) * sizeof(callers->callers[0]));
}

bool target_callers_poll(struct target_callers *callers)
{
    bool any = false;
    for (size_t i = 0; i < callers->count; i++) {
        any = target_driver_poll(callers->callers[i]) || any;
    }
    return any;
}

uint64_t target_callers_deadline_ns(const struct target_callers *callers)
{
    uint64_t deadline = CLOCK_NEVER;
    for (size_t i = 0; i < callers->count; i++) {
        uint64_t one = target_driver_deadline_ns(callers->callers[i]);
        deadline = one < deadline ? one : deadline;
    }
    return deadline;
}
