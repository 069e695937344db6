/* SPDX-License-Identifier: Apache-2.0 */
/* process_limit.h — checks that the process gets what a job needs, before it calls RocksDB, which
 * ends the process when it gets no thread or no memory. */
#ifndef HAUL_PROCESS_LIMIT_H
#define HAUL_PROCESS_LIMIT_H

#include <stdint.h>

#include "haul/status.h"

/* Acquire the descriptors, threads and address space of a small job, and release them. Raises the
 * soft limit of descriptors to the hard one.
 * Errors: LIMIT, NO_MEMORY; with a hint. */
enum haul_status process_limit_check(struct haul_error *error) HAUL_MUST_CHECK;
/* The same for `jobs` more jobs of a command that has its database open, at most
 * HAUL_TARGET_JOBS_MAX. Errors: LIMIT, NO_MEMORY; with a hint. */
enum haul_status process_limit_check_jobs(uint32_t jobs, struct haul_error *error) HAUL_MUST_CHECK;

#endif
