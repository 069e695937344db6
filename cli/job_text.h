/* SPDX-License-Identifier: Apache-2.0 */
/* job_text.h — what an unfinished job means to an operator, and the commands that end its state.
 * docs/OPERATIONS.md has the same states, with their risks. */
#ifndef HAUL_JOB_TEXT_H
#define HAUL_JOB_TEXT_H

#include <stdbool.h>

#include "haul/job.h"

enum { JOB_TEXT_BYTES_MAX = 1024 };

/* Given up earlier; its journal only waits to inform the receiver. */
bool job_text_is_over(const struct haul_job *job);

/* Who owns the ranges, according to this database's journal alone. */
const char *job_text_claim(const struct haul_job *job);

/* The way out of the state, and a second one if the first is impossible. */
struct job_text_way {
    const char *purpose;              /* "go on"; "": no such way */
    char command[JOB_TEXT_BYTES_MAX]; /* "haul resume --db DIR --to ADDR:PORT" */
};
struct job_text_ways {
    struct job_text_way first;
    struct job_text_way second;
};
void job_text_ways(const struct haul_job *job, const char *directory, struct job_text_ways *ways);

#endif
