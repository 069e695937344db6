/* SPDX-License-Identifier: Apache-2.0 */
/* cluster_lines.h — before the first move of a run begins: the sources measure the lines that the
 * plan takes, their limits of a freeze are raised where a line asks for it, and the time is
 * estimated.
 *
 * How many links a job opens, and how much is on its way at once, libhaul decides by the round trip
 * that it finds. So there is nothing to be set. */
#ifndef HAUL_CLUSTER_LINES_H
#define HAUL_CLUSTER_LINES_H

#include "cluster_drive.h"
#include "run_control.h"
#include "signal_watch.h"

/* A line that cannot be measured is told, and stops nothing. Returns early after a signal. */
void cluster_lines_measure(struct drive *drive, const struct run_control *control,
                           struct signal_watch *signals, struct output *output);

#endif
