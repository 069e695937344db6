/* SPDX-License-Identifier: Apache-2.0 */
/* sim_loss.h — what a sensible operator does about a lost host: take back what was given to it, and
 * end the jobs that it has left in doubt. */
#ifndef HAUL_SIM_LOSS_H
#define HAUL_SIM_LOSS_H

#include <stdbool.h>
#include <stdint.h>

struct sim_world;
struct sim_host;

/* Type the next command that this host needs for that, if it is due. True: the host needs one, or
 * one runs. */
bool sim_loss_step(struct sim_world *world, struct sim_host *host);
/* Whether there is something left to do. */
bool sim_loss_is_open(struct sim_world *world, struct sim_host *host);
/* Whether any host is lost. */
bool sim_loss_is_any(const struct sim_world *world);

#endif
