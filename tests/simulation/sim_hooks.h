/* SPDX-License-Identifier: Apache-2.0 */
/* sim_hooks.h — the hooks of a simulated embedder; their context is the command. Each of them
 * checks what was promised about the moment in which it is called. */
#ifndef HAUL_SIM_HOOKS_H
#define HAUL_SIM_HOOKS_H

#include "sim_command.h"

void sim_hooks_of_source(struct sim_command *command, struct haul_hooks *hooks);
void sim_hooks_of_target(struct sim_command *command, struct haul_hooks *hooks);

/* No freeze lasts longer than was promised: looked at now and then, and when it ends. */
void sim_hooks_check_freeze(const struct sim_command *command);

#endif
