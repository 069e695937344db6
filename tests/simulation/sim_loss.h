/* SPDX-License-Identifier: Apache-2.0 */
/* sim_loss.h — what a sensible operator does about a host that never comes back: take back what it
 * was given, and end what it has left in doubt. */
#ifndef HAUL_SIM_LOSS_H
#define HAUL_SIM_LOSS_H

#include <stdbool.h>
#include <stdint.h>

struct sim_world;
struct sim_host;

/* Type the next command that this host needs for it, if it has its turn. True: it needs one, or
 * one runs. */
bool sim_loss_step(struct sim_world *world, struct sim_host *host);
/* Is there something left to do? */
bool sim_loss_is_open(struct sim_world *world, struct sim_host *host);
/* Is any host lost? */
bool sim_loss_is_any(const struct sim_world *world);

#endif
