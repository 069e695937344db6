/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h — shows the progress of a migration: a bar on a terminal, otherwise a line from time
 * to time. */
#ifndef HAUL_PROGRESS_H
#define HAUL_PROGRESS_H

#include <stdint.h>

#include "haul/migration.h"
#include "output.h"

struct progress {
    struct output *output;
    uint64_t shown_ns;   /* when the last bar or line was shown */
    uint64_t sampled_ns; /* when `sampled_bytes` was taken, from which the speed is computed */
    uint64_t sampled_bytes;
    double bytes_per_second;
};

void progress_init(struct progress *progress, struct output *output);

/* Show `figures` if they are due. Returns the milliseconds until they are due again. */
uint32_t progress_show(struct progress *progress, const struct haul_progress *figures);

/* Print a line at once, also with --quiet, because the user requested it (SIGUSR1). */
void progress_answer(struct progress *progress, const struct haul_progress *figures);

/* The current monotonic time. */
uint64_t progress_now_ns(void);

#endif
