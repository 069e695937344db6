/* SPDX-License-Identifier: Apache-2.0 */
/* sim_task.h — a hand-over that an operator has set out to do, with all the commands that it takes
 * until it is done or given up. */
#ifndef HAUL_SIM_TASK_H
#define HAUL_SIM_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_command.h"
#include "sim_truth.h"

enum { SIM_TASK_COUNT = 8 };

struct sim_task {
    struct sim_host *source;
    struct sim_host *target;
    struct sim_request request;
    bool mistaken; /* the source has handed a part over before: it has to be refused */
    struct sim_command *command; /* NULL: none runs */
    uint64_t next_ns;            /* when the next one is typed */
    uint32_t attempts;
    uint32_t busy_doublings; /* of the time until then: its target was busy, again and again */
    uint32_t handed_before;  /* decisions of the world when it began */
    bool overwrite;
    bool over;
    bool committed;
    /* Of the last command that ended by itself. */
    bool finished;
    enum sim_verb verb;
    enum haul_status outcome;
    char text[SIM_COMMAND_TEXT_BYTES];
};

/* The decision that was made for it, or NULL. */
const struct sim_handed *sim_task_decision(const struct sim_task *task);
/* Nothing is left to be said on either side. */
bool sim_task_is_settled(const struct sim_task *task);

#endif
