/* SPDX-License-Identifier: Apache-2.0 */
/* sim_compare.h — do two simulated databases hold the same records in some cells? */
#ifndef HAUL_SIM_COMPARE_H
#define HAUL_SIM_COMPARE_H

#include "sim_host.h"

/* Fails unless the target has in these cells what the source has, record by record, all of it
 * durable: a record that is missing breaks I1, another one I2. */
void sim_compare_hosts(const struct sim_host *source, const struct sim_host *target, uint32_t cells,
                       const char *when);

#endif
