/* SPDX-License-Identifier: Apache-2.0 */
/* sim_fiber.h — stacks for the product's threads, switched by hand: the simulation chooses what
 * runs, and a killed process simply never runs its stacks again. */
#ifndef HAUL_SIM_FIBER_H
#define HAUL_SIM_FIBER_H

#include <stdbool.h>

struct sim_fiber;

/* Make a fiber that will run `entry`; its stack comes from a pool and returns there. */
struct sim_fiber *sim_fiber_create(void (*entry)(void *argument), void *argument);
/* Free a fiber, ended or not, but not the running one. */
void sim_fiber_destroy(struct sim_fiber *fiber);

/* From the scheduler: run the fiber until it calls sim_fiber_leave or `entry` returns. */
void sim_fiber_run(struct sim_fiber *fiber);
/* From the fiber: return to the scheduler. */
void sim_fiber_leave(void);
bool sim_fiber_has_ended(const struct sim_fiber *fiber);

#endif
