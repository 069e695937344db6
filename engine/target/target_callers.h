/* SPDX-License-Identifier: Apache-2.0 */
/* target_callers.h — those who have connected to a target and are not its job: not yet, or because
 * another one runs. There are few of them, and few from one host. When there are too many, the
 * oldest goes, at first of those that have not said Hello: whoever has something to say gets
 * through, however many others are silent.
 *
 * Ownership: the callers are the list's until they are taken out. Thread: the loop's. */
#ifndef HAUL_TARGET_CALLERS_H
#define HAUL_TARGET_CALLERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target_driver.h"

enum { TARGET_CALLERS_MAX = 64, TARGET_CALLERS_OF_HOST_MAX = 8 };

/* Zeroed: none. */
struct target_callers {
    struct target_driver *callers[TARGET_CALLERS_MAX]; /* the oldest first */
    size_t count;
};

void target_callers_fini(struct target_callers *callers);

/* False: there is no room for one more from this host, and nobody who could make room. */
bool target_callers_make_room(struct target_callers *callers, const struct link_address *peer);
/* There is room. */
void target_callers_add(struct target_callers *callers, struct target_driver *driver);
void target_callers_remove(struct target_callers *callers, size_t index);

/* Let each do what it has to do. True: something happened. */
bool target_callers_poll(struct target_callers *callers);
uint64_t target_callers_deadline_ns(const struct target_callers *callers);

#endif
