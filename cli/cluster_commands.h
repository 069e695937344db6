/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_commands.h — the commands behind `haul cluster`. */
#ifndef HAUL_CLUSTER_COMMANDS_H
#define HAUL_CLUSTER_COMMANDS_H

#include "command.h"

extern const struct command command_cluster_check;
extern const struct command command_cluster_plan;

#endif
