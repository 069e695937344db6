/* SPDX-License-Identifier: Apache-2.0 */
/* sim_operator.h — the operators of a world: start what is down, receive where something is to
 * arrive, and type command after command until every task is done. */
#ifndef HAUL_SIM_OPERATOR_H
#define HAUL_SIM_OPERATOR_H

#include <stdbool.h>

struct sim_world;

void sim_operator_step(struct sim_world *world);
/* Every task is over; once faults are, too, nothing of any job is left either. */
bool sim_operator_is_done(struct sim_world *world);

#endif
