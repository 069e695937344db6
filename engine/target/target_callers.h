/* SPDX-License-Identifier: Apache-2.0 */
/* target_callers.h — peers that have connected to a target and are not its job: not yet, or because
 * another job runs. Their number is limited, in total and for one host. When there are too many,
 * the oldest is dropped, first among those that have not sent Hello: a real source gets through,
 * however many silent connections there are.
 *
 * Ownership: the list owns the callers until they are taken out. Thread: the loop's. */
#ifndef HAUL_TARGET_CALLERS_H
#define HAUL_TARGET_CALLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target_driver.h"

enum { TARGET_CALLERS_MAX = 64, TARGET_CALLERS_OF_HOST_MAX = 8 };

/* Zeroed: no callers. */
struct target_callers {
    struct target_driver *callers[TARGET_CALLERS_MAX]; /* the oldest first */
    size_t count;
};

void target_callers_fini(struct target_callers *callers);

/* False: there is no room for one more from this host, and no caller can be dropped. */
bool target_callers_make_room(struct target_callers *callers, const struct link_address *peer);
/* Requires room (target_callers_make_room). */
void target_callers_add(struct target_callers *callers, struct target_driver *driver);
void target_callers_remove(struct target_callers *callers, size_t index);

/* Poll each caller. True: something happened. */
bool target_callers_poll(struct target_callers *callers);
uint64_t target_callers_deadline_ns(const struct target_callers *callers);

#endif
