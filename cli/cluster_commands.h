/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_commands.h — the commands behind `haul cluster`. */
#ifndef HAUL_CLUSTER_COMMANDS_H
#define HAUL_CLUSTER_COMMANDS_H

#include "command.h"

extern const struct command command_cluster_check;
extern const struct command command_cluster_plan;
extern const struct command command_cluster_run;
extern const struct command command_cluster_status;
extern const struct command command_cluster_pause;
extern const struct command command_cluster_resume;
extern const struct command command_cluster_abort;
extern const struct command command_cluster_rate;

/* Carry a plan out, and report how it ended. Returns the exit code. */
struct drive_options;
int cmd_cluster_drive(const struct drive_options *options, struct output *output);

#endif
