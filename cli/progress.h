/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h — shows how far a migration is: a bar on a terminal, a line now and then elsewhere. */
#ifndef HAUL_PROGRESS_H
#define HAUL_PROGRESS_H

#include <stdint.h>

#include "haul/migration.h"
#include "output.h"

struct progress {
    struct output *output;
    uint64_t shown_ns;   /* of the last bar or line */
    uint64_t sampled_ns; /* of `sampled_bytes`: the speed is taken from there on */
    uint64_t sampled_bytes;
    double bytes_per_second;
};

void progress_init(struct progress *progress, struct output *output);

/* Show `figures` if it is time to. Returns milliseconds until it is time again. */
uint32_t progress_show(struct progress *progress, const struct haul_progress *figures);

/* A line at once, also with --quiet: somebody asked for it (SIGUSR1). */
void progress_answer(struct progress *progress, const struct haul_progress *figures);

/* The current monotonic time. */
uint64_t progress_now_ns(void);

#endif
