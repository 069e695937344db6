/* SPDX-License-Identifier: Apache-2.0 */
/* load_writer.h — the built-in writer of `haul send --load`, which stands for the database's
 * clients. One thread puts and deletes (one in ten) at a steady rate, keeps a ledger, waits while
 * the range is frozen, and ends when the range has moved.
 *
 * Latencies are those of the store's write call. A write that waits for the freeze counts only for
 * the gap. */
#ifndef HAUL_LOAD_WRITER_H
#define HAUL_LOAD_WRITER_H

#include <stdint.h>

#include "haul/migration.h"
#include "haul/store.h"
#include "load_options.h"

struct load_latencies {
    uint64_t writes;
    double p50_us;
    double p99_us;
    double max_us;
};

struct load_result {
    uint64_t version; /* of the last write */
    double seconds;
    struct load_latencies before; /* before the migration began */
    struct load_latencies during;
    double longest_gap_ms; /* between two acknowledged writes since the migration began */
    struct haul_error error;
};

struct load_writer;

/* Fill in the defaults, check that the keys lie in one of `ranges` (none: everything) and that the
 * family exists, then start to write. Errors: INVALID, NOT_FOUND, and those of the store. */
enum haul_status load_writer_start(const struct load_options *options, struct haul_store *store,
                                   const struct haul_range *ranges, size_t range_count,
                                   struct load_writer **writer,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* For the source's hooks: freeze, unfreeze, release. */
void load_writer_hook(struct load_writer *writer, struct haul_hooks *hooks);
/* The rest of the lead, in which only the load runs; 0: the lead is over. */
uint32_t load_writer_lead_ms(const struct load_writer *writer);
/* Count latencies as "during" from now on. */
void load_writer_mark(struct load_writer *writer);
/* Stop the writer if it still runs, and free it. */
void load_writer_stop(struct load_writer *writer, struct load_result *result);

#endif
