/* SPDX-License-Identifier: Apache-2.0 */
/* sim_owner.h — what `haul owner`, `haul drop` and `haul cancel --accept-two-owners` do in a
 * simulated world, and what the flag contests there. */
#ifndef HAUL_SIM_OWNER_H
#define HAUL_SIM_OWNER_H

#include <stdint.h>

#include "sim_command.h"

/* Run a command with one of these verbs, in its process. */
void sim_owner_run(struct sim_command *command);
/* What a database that is forgotten may own from then on, and another one as well. */
uint32_t sim_owner_forget_risk(struct sim_host *host);
/* What a rebuilt record may say otherwise than the lost one: what ended jobs have given away is the
 * database's own, and what a frozen source may have given away is not. */
uint32_t sim_owner_rebuild_risk(struct sim_host *host);
/* The smallest request of families and spans that has all of the cells; its own cells. */
uint32_t sim_owner_span(uint32_t cells);

#endif
