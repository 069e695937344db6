/* SPDX-License-Identifier: Apache-2.0 */
/* sim_report.h — the output of a simulation: lines on request, and the failure when an invariant
 * does not hold. */
#ifndef HAUL_SIM_REPORT_H
#define HAUL_SIM_REPORT_H

#include <stdbool.h>

#include "haul/log.h"
#include "sim_options.h"

extern bool sim_verbose;

/* The options of the running seed, for sim_fail and for failed assertions. */
void sim_report_begin(const struct sim_options *options);
__attribute__((format(printf, 1, 2))) void sim_say(const char *format, ...);
/* `invariant`: "I1" to "I10", or "liveness". */
__attribute__((noreturn, format(printf, 2, 3))) void sim_fail(const char *invariant,
                                                              const char *format, ...);

/* Print an event of a host. */
const struct haul_log *sim_report_log(int host);

#endif
