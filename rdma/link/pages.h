/* SPDX-License-Identifier: Apache-2.0 */
/* pages.h — memory of whole pages straight from the system: for what a device reads and writes.
 *
 * No other object lies on these pages, and a child of the process does not get them: a fork can
 * neither copy what a device is about to write nor take a huge page away. Unmapping is safe even
 * while a device still holds a registration: the pages themselves go when it does.
 *
 * Thread: any, one at a time. */
#ifndef HAUL_PAGES_H
#define HAUL_PAGES_H

#include <stdint.h>

#include "haul/log.h"
#include "haul/status.h"

struct pages {
    uint8_t *data; /* NULL: none */
    void *mapping; /* what munmap gets; `data` is aligned inside */
    uint64_t mapping_size_bytes;
};

/* Map `size_bytes` of zeroes for `purpose` (named in messages). From one huge page on: explicit
 * huge pages, if there are reserved ones that this process may really use; else memory that the
 * kernel may back with huge pages; else plain pages (the debug log tells). Errors: NO_MEMORY. */
enum haul_status pages_map(struct pages *pages, uint64_t size_bytes, const char *purpose,
                           const struct haul_log *log, struct haul_error *error) HAUL_MUST_CHECK;
/* Accepts zeroed ones. */
void pages_unmap(struct pages *pages);

#endif
