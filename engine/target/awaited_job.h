/* SPDX-License-Identifier: Apache-2.0 */
/* awaited_job.h — the job that `once` waits for: its plan was accepted and its data links came up,
 * and then its source was lost.
 *
 * Only that source can end the wait, by the same job or by another job of its database that
 * supersedes it. The wait has one deadline, which no other caller can move.
 *
 * No clock, no I/O; times are monotonic nanoseconds. Thread: the loop's. */
#ifndef HAUL_AWAITED_JOB_H
#define HAUL_AWAITED_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "message.h"

enum { AWAITED_JOB_RETRY_MS_MAX = 24 * 3600 * 1000 };

/* Zeroed: no job is awaited. */
struct awaited_job {
    bool waits;
    haul_control_Hello hello; /* of the lost source */
    uint64_t until_ns;
};

/* The source of `hello` is lost. Wait for it as long as its Hello promises to retry, plus a margin,
 * or for `wait_ms` when that is not 0. Returns the wait in milliseconds. */
uint64_t awaited_job_begin(struct awaited_job *awaited, const haul_control_Hello *hello,
                           uint32_t wait_ms, uint64_t now_ns);
void awaited_job_end(struct awaited_job *awaited);

/* Is the job of this Hello the awaited one? Also true when no job is awaited. */
bool awaited_job_is(const struct awaited_job *awaited, const haul_control_Hello *hello);
/* Is the wait over without the source's return? */
bool awaited_job_is_over(const struct awaited_job *awaited, uint64_t now_ns);

#endif
