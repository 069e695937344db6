/* SPDX-License-Identifier: Apache-2.0 */
/* sim_fiber.h — stacks of their own for the product's threads, switched by hand: what runs when is
 * the simulation's choice, and a killed process leaves its stacks where they stand. */
#ifndef HAUL_SIM_FIBER_H
#define HAUL_SIM_FIBER_H

#include <stdbool.h>

struct sim_fiber;

/* A fiber that will run `entry`; its stack comes from a pool and goes back there. */
struct sim_fiber *sim_fiber_create(void (*entry)(void *argument), void *argument);
/* Whether it has ended or not; not the one that runs. */
void sim_fiber_destroy(struct sim_fiber *fiber);

/* From the scheduler: run the fiber until it calls sim_fiber_leave or its entry returns. */
void sim_fiber_run(struct sim_fiber *fiber);
/* From the fiber: back to the scheduler. */
void sim_fiber_leave(void);
bool sim_fiber_has_ended(const struct sim_fiber *fiber);

#endif
