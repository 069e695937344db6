/* SPDX-License-Identifier: Apache-2.0 */
/* target_arrived.h — what has arrived of a job that goes on: where its streams stand by the
 * journal, and whether the store still holds what they had brought, no less and no more.
 *
 * Between two attempts anything may have happened to a database: an application deletes records, a
 * tool adds some. So the streams are read back and compared with the digests of their positions,
 * unless the same receiver has had the database open since, and nobody else has written to it.
 * Compaction changes no record, and so no digest.
 *
 * Once all streams are finished, changes follow, which are applied before any record counts them,
 * also behind PREPARED: a difference then proves nothing, and would have everything copied anew for
 * a receiver that was only killed. The ranges are read for the digests of the hand-over instead.
 *
 * Thread: the call worker's. */
#ifndef HAUL_TARGET_ARRIVED_H
#define HAUL_TARGET_ARRIVED_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"

struct target_journal;

/* What the last attempt on this receiver has left behind. Zeroed: not known. */
struct target_left {
    bool known; /* all writes to the store were the job's, and its records have them */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t sequence; /* of the store, then */
};

/* Fill in positions, deltas and digests of a record whose journal and plan are known, and remove
 * what was applied behind the positions. When the store holds something else than what had arrived,
 * the ranges are cleared, CLEARED stands in the journal, and the job begins anew:
 * `record->begun_anew` says why.
 * Errors: NO_MEMORY, CLOSED (a step was not to be taken), those of journal and store. */
enum haul_status target_arrived_restore(struct target_journal *journal,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
