/* SPDX-License-Identifier: Apache-2.0 */
/* process_limit.h — checks that the process gets what a job needs, before it calls RocksDB, which
 * ends the process when it gets no thread or no memory. */
#ifndef HAUL_PROCESS_LIMIT_H
#define HAUL_PROCESS_LIMIT_H

#include "haul/status.h"

/* Acquire the descriptors, threads and address space of a small job, and release them. Raises the
 * soft limit of descriptors to the hard one.
 * Errors: LIMIT, NO_MEMORY; with a hint. */
enum haul_status process_limit_check(struct haul_error *error) HAUL_MUST_CHECK;

#endif
