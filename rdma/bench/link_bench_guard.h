/* SPDX-License-Identifier: Apache-2.0 */
/* link_bench_guard.h — a run whose blocks are protected by something else than a checksum: for
 * benchmarks of the layers above, which know how. */
#ifndef HAUL_LINK_BENCH_GUARD_H
#define HAUL_LINK_BENCH_GUARD_H

#include <stdint.h>

#include "haul/link_bench.h"
#include "slot_header.h"

/* Both functions may be called at once, by the threads of the two ends. */
struct link_bench_guard {
    /* Protect the payload, whose size is in the header and may become larger by `bytes`. `batch` of
     * the header is different for each block. */
    enum haul_status (*seal)(const void *context, struct slot_header *header, uint8_t *payload);
    /* Check the payload, and make it what it was, in place. Not for memory that a peer can write,
     * so not for RDMA. */
    enum haul_status (*open)(const void *context, const struct slot_header *header,
                             uint8_t *payload);
    uint32_t bytes;
    const void *context;
};

/* haul_link_bench_both with a guard. Errors: also INVALID (RDMA; a slot has no room for `bytes`),
 * CORRUPT (the receiving end could not open a block). */
enum haul_status link_bench_both_guarded(const struct haul_link_bench_options *options,
                                         const struct link_bench_guard *guard,
                                         struct haul_link_bench_result *result,
                                         struct haul_error *error) HAUL_MUST_CHECK;

#endif
