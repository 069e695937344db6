/* SPDX-License-Identifier: Apache-2.0 */
/* sim_task.h — a hand-over that an operator wants done, with all the commands that it takes until
 * it is done or given up. */
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
    bool mistaken; /* the source has handed a part over before, so the job must be refused */
    struct sim_command *command; /* NULL: no command runs */
    uint64_t next_ns;            /* when the next command is typed */
    uint32_t attempts;
    uint32_t busy_doublings; /* of that delay: its target was busy, several times in a row */
    uint32_t handed_before;  /* decisions of the world when the task began */
    bool overwrite;
    bool over;
    bool committed;
    /* From the last command that ended normally. */
    bool finished;
    enum sim_verb verb;
    enum haul_status outcome;
    char text[SIM_COMMAND_TEXT_BYTES];
};

/* The decision that was made for the task, or NULL. */
const struct sim_handed *sim_task_decision(const struct sim_task *task);
/* Neither side has anything left to send. */
bool sim_task_is_settled(const struct sim_task *task);

#endif
