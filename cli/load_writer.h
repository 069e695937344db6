/* SPDX-License-Identifier: Apache-2.0 */
/* load_writer.h — the built-in writer of `haul send --load`: it stands for the clients of the
 * database that is moved. One thread puts and deletes (one in ten) at a steady rate, keeps a
 * ledger, waits while the range is frozen, and ends when the range has moved.
 *
 * Latencies are those of the store's write call; a write that met the freeze counts for the gap
 * only. */
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
    double longest_gap_ms; /* between two acknowledged writes, once the migration had begun */
    struct haul_error error;
};

struct load_writer;

/* Fill in the defaults; check that the keys lie in one of `ranges` (none: everything) and that the
 * family is there. Then write. Errors: INVALID, NOT_FOUND, and those of the store. */
enum haul_status load_writer_start(const struct load_options *options, struct haul_store *store,
                                   const struct haul_range *ranges, size_t range_count,
                                   struct load_writer **writer,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* For the source's hooks: freeze, unfreeze, release. */
void load_writer_hook(struct load_writer *writer, struct haul_hooks *hooks);
/* What is left of the lead, in which it writes alone; 0: it is over. */
uint32_t load_writer_lead_ms(const struct load_writer *writer);
/* From now on latencies count as "during". */
void load_writer_mark(struct load_writer *writer);
/* End it if it still writes, and free it. */
void load_writer_stop(struct load_writer *writer, struct load_result *result);

#endif
