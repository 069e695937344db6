/* SPDX-License-Identifier: Apache-2.0 */
/* awaited_job.h — the job that `once` waits for: one whose plan was accepted and whose data links
 * came up, and that has lost its source since.
 *
 * Only that source can end the wait: with the same job, or with another one of its database, which
 * supersedes it. The wait has one deadline, which no other caller moves.
 *
 * No clock, no I/O; times are monotonic nanoseconds. Thread: the loop's. */
#ifndef HAUL_AWAITED_JOB_H
#define HAUL_AWAITED_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

enum { AWAITED_JOB_RETRY_MS_MAX = 24 * 3600 * 1000 };

/* Zeroed: none. */
struct awaited_job {
    bool waits;
    haul_control_Hello hello; /* of the lost source */
    uint64_t until_ns;
};

/* The source of `hello` is lost. It is waited for as long as it said that it tries to come back,
 * and some more, or for `wait_ms` when that is not 0. Returns the wait in milliseconds. */
uint64_t awaited_job_begin(struct awaited_job *awaited, const haul_control_Hello *hello,
                           uint32_t wait_ms, uint64_t now_ns);
void awaited_job_end(struct awaited_job *awaited);

/* Is a job with this Hello the one, or does nobody wait? */
bool awaited_job_is(const struct awaited_job *awaited, const haul_control_Hello *hello);
/* Has the wait come to nothing? */
bool awaited_job_is_over(const struct awaited_job *awaited, uint64_t now_ns);

#endif
