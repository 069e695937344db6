/* SPDX-License-Identifier: Apache-2.0 */
/* send_show.h — what happens to the moves of a plan, for people and programs: lines or events in
 * JSON, and on a terminal a bar for each job and one for the whole. */
#ifndef HAUL_SEND_SHOW_H
#define HAUL_SEND_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "output.h"
#include "send_state.h"

struct send_show {
    struct output *output;
    const struct send_state *state;
    uint64_t shown_ns;   /* when figures were shown last */
    uint64_t sampled_ns; /* when `sampled_bytes` was taken, for the speed of the whole */
    uint64_t sampled_bytes;
    double bytes_per_second;
};

void send_show_init(struct send_show *show, struct output *output, const struct send_state *state);

/* An earlier run has handed it over. */
void send_show_done_before(const struct send_show *show, size_t index);
void send_show_begun(struct send_show *show, size_t index);
/* Its receiver has no place while other moves run there. */
void send_show_waits(struct send_show *show, size_t index);
/* It is DONE or FAILED. `result` NULL: no job has begun. */
void send_show_ended(struct send_show *show, size_t index, const struct haul_result *result);

/* The bars, or from time to time figures. */
void send_show_progress(struct send_show *show);
/* The figures at once, as a line for each job (SIGUSR1). */
void send_show_answer(struct send_show *show);

/* What a run would do: a line for each move, and one for all. Not with --json. */
void send_show_dry_run(const struct send_show *show);
/* The last line: all of it. Not with --json. */
void send_show_summary(const struct send_show *show);

#endif
