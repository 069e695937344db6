/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h — memory of whole pages straight from the system, for what a device reads and writes.
 *
 * No other object lies on these pages, and child processes do not inherit them: a fork can neither
 * copy what a device is about to write nor take a huge page away. Unmapping is safe even while a
 * device still holds a registration: the pages themselves are freed with it.
 *
 * Thread: any, one at a time. */
#ifndef HAUL_PAGES_H
#define HAUL_PAGES_H

#include <stdint.h>

#include "haul/log.h"
#include "haul/status.h"

struct pages {
    uint8_t *data; /* NULL: none */
    void *mapping; /* for munmap; `data` is aligned inside */
    uint64_t mapping_size_bytes;
};

/* Map `size_bytes` of zeroes for `purpose` (named in messages). From one huge page on: explicit
 * huge pages, if some are reserved and this process may use them; else memory that the kernel may
 * back with huge pages; else plain pages (logged at debug level). Errors: NO_MEMORY. */
enum haul_status pages_map(struct pages *pages, uint64_t size_bytes, const char *purpose,
                           const struct haul_log *log, struct haul_error *error) HAUL_MUST_CHECK;
/* Accepts a zeroed struct. */
void pages_unmap(struct pages *pages);

#endif
