/* SPDX-License-Identifier: Apache-2.0 */
/* sim_schedule.h — which hand-over comes next: by the shape of the world, and by who owns what. */
#ifndef HAUL_SIM_SCHEDULE_H
#define HAUL_SIM_SCHEDULE_H

struct sim_world;

/* Give each host its first cells, records and history. */
void sim_schedule_begin(struct sim_world *world);
/* Perhaps one more task. */
void sim_schedule_step(struct sim_world *world);

#endif
