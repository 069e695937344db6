/* SPDX-License-Identifier: Apache-2.0 */
/* sim_repair.h — what an operator does about damaged records, moved directories, and what commands
 * that force an end have left on the other side. */
#ifndef HAUL_SIM_REPAIR_H
#define HAUL_SIM_REPAIR_H

#include <stdbool.h>

struct sim_world;
struct sim_host;

/* Type the next command that this host needs for that, if it is due. True: it needs one, or one
 * runs; type nothing else there. */
bool sim_repair_step(struct sim_world *world, struct sim_host *host);
/* Whether there is something left to do. */
bool sim_repair_is_open(struct sim_world *world, struct sim_host *host);

#endif
