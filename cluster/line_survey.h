/* SPDX-License-Identifier: Apache-2.0 */
/* line_survey.h — the lines that a plan sends data over: what was measured of them, and what that
 * asks of the nodes. Without network and clock. */
#ifndef HAUL_CLUSTER_LINE_SURVEY_H
#define HAUL_CLUSTER_LINE_SURVEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cluster_run.h"
#include "haul/status.h"
#include "plan_file.h"

/* From the source of moves to their destination. */
struct survey_line {
    size_t first_move; /* the first of the run that takes this line */
    bool measured;
    uint64_t round_trip_us;
    uint64_t rate; /* bytes a second; 0: unknown */
};

/* Zeroed: empty. */
struct line_survey {
    struct survey_line *lines;
    size_t count;
};

/* The lines of the moves that have not been done yet. Ownership: line_survey_fini.
 * Errors: NO_MEMORY. */
enum haul_status line_survey_init(const struct cluster_run *run, struct line_survey *survey,
                                  struct haul_error *error) HAUL_MUST_CHECK;
void line_survey_fini(struct line_survey *survey);

/* Seconds that the moves which are not done take at least: in each wave the slowest, at the rate
 * of its line, or at `rate_max` (0: no limit) if that is less. Negative: nothing was measured. */
double line_survey_seconds(const struct line_survey *survey, const struct cluster_run *run,
                           const struct cluster_plan *plan, uint64_t rate_max);

/* The same of the longest move from this source; 0: unknown. */
double line_survey_longest_seconds(const struct line_survey *survey, const struct cluster_run *run,
                                   const struct cluster_plan *plan, const char *source,
                                   uint64_t rate_max);

/* What migrate-rdma-freeze-max-ms has to be at least for hand-overs from this source: ten round
 * trips, to which a hand-over comes between sites (server_patch/README.md). 0: unknown. */
uint64_t line_survey_freeze_ms_min(const struct line_survey *survey, const struct cluster_run *run,
                                   const char *source);

#endif
