/* SPDX-License-Identifier: Apache-2.0 */
/* sim_schedule.h — draws the next hand-over, by the shape of the world and the present owners. */
#ifndef HAUL_SIM_SCHEDULE_H
#define HAUL_SIM_SCHEDULE_H

struct sim_world;

/* Give each host its first cells, records and history. */
void sim_schedule_begin(struct sim_world *world);
/* May add one more task. */
void sim_schedule_step(struct sim_world *world);

#endif
