/* SPDX-License-Identifier: Apache-2.0 */
/* sim_repair.h — what an operator does about damaged records, directories that have moved, and
 * what commands that end a state by force have left on the other side. */
#ifndef HAUL_SIM_REPAIR_H
#define HAUL_SIM_REPAIR_H

#include <stdbool.h>

struct sim_world;
struct sim_host;

/* Type the next command that this host needs for it, if it has its turn. True: it needs one, or one
 * runs: nothing else should be typed there. */
bool sim_repair_step(struct sim_world *world, struct sim_host *host);
/* Is there something left to do? */
bool sim_repair_is_open(struct sim_world *world, struct sim_host *host);

#endif
