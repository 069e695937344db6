/* SPDX-License-Identifier: Apache-2.0 */
/* process_limit.h — does the process get what a job cannot do without? Looked at before RocksDB is
 * asked for anything: it ends the process when it gets no thread or no memory. */
#ifndef HAUL_PROCESS_LIMIT_H
#define HAUL_PROCESS_LIMIT_H

#include "haul/status.h"

/* Take the descriptors, the threads and the address space of a small job, and give them back. The
 * soft limit of descriptors is raised to the hard one.
 * Errors: LIMIT, NO_MEMORY; with a hint. */
enum haul_status process_limit_check(struct haul_error *error) HAUL_MUST_CHECK;

#endif
