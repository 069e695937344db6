/* SPDX-License-Identifier: Apache-2.0 */
/* sim_compare.h — compares the records of two simulated databases in some cells. */
#ifndef HAUL_SIM_COMPARE_H
#define HAUL_SIM_COMPARE_H

#include "sim_host.h"

/* Fails unless the target has exactly the source's records in these cells, all durable. A missing
 * record breaks I1, an additional one I2. */
void sim_compare_hosts(const struct sim_host *source, const struct sim_host *target, uint32_t cells,
                       const char *when);

#endif
