/* SPDX-License-Identifier: Apache-2.0 */
/* sim_operator.h — the operators of a world: they start what is down, run receivers where ranges
 * are to arrive, and type commands until every task is done. */
#ifndef HAUL_SIM_OPERATOR_H
#define HAUL_SIM_OPERATOR_H

#include <stdbool.h>

struct sim_world;

void sim_operator_step(struct sim_world *world);
/* Every task is over and, once faults have ended, nothing of any job is left. */
bool sim_operator_is_done(struct sim_world *world);

#endif
