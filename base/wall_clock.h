/* SPDX-License-Identifier: Apache-2.0 */
/* wall_clock.h — the time of day, for records that people read. It jumps: nothing is computed from
 * it, and no wait depends on it. */
#ifndef HAUL_WALL_CLOCK_H
#define HAUL_WALL_CLOCK_H

#include <stdint.h>

/* Seconds since 1970 by this host's clock. */
uint64_t wall_clock_s(void);

#endif
