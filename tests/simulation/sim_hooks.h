/* SPDX-License-Identifier: Apache-2.0 */
/* sim_hooks.h — the hooks of a simulated embedder; their context is the command. Each hook checks
 * what is promised for the moment of its call. */
#ifndef HAUL_SIM_HOOKS_H
#define HAUL_SIM_HOOKS_H

#include "sim_command.h"

void sim_hooks_of_source(struct sim_command *command, struct haul_hooks *hooks);
void sim_hooks_of_target(struct sim_command *command, struct haul_hooks *hooks);

/* Cells that the command's hook has reserved for jobs. */
uint32_t sim_hooks_reserved(const struct sim_command *command);

/* Checks that no freeze exceeds the promised time: from time to time, and at its end. */
void sim_hooks_check_freeze(const struct sim_command *command);

#endif
