/* SPDX-License-Identifier: Apache-2.0 */
/* sim_owner.h — what `haul owner`, `haul drop` and `haul cancel --accept-two-owners` do in a
 * simulated world, and which cells the flag contests there. */
#ifndef HAUL_SIM_OWNER_H
#define HAUL_SIM_OWNER_H

#include <stdint.h>

#include "sim_command.h"

/* Run a command with one of these verbs, in its own process. */
void sim_owner_run(struct sim_command *command);
/* The cells that a forgotten database may own from then on, although another one may own them
 * too. */
uint32_t sim_owner_forget_risk(struct sim_host *host);
/* The cells in which a rebuilt record may differ from the lost one: it claims what ended jobs have
 * given away, and does not claim what a frozen source may have given away. */
uint32_t sim_owner_rebuild_risk(struct sim_host *host);
/* The smallest request of families and spans that covers the cells; returns its own cells. */
uint32_t sim_owner_span(uint32_t cells);

#endif
