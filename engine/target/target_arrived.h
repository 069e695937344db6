/* SPDX-License-Identifier: Apache-2.0 */
/* target_arrived.h — what has arrived of a resumed job: the streams' positions in the journal, and
 * whether the store still holds exactly the records that they had brought.
 *
 * Between two attempts anything may have happened to a database: an application deletes records, a
 * tool adds some. So the target reads the streams back and compares them with the digests of their
 * positions, unless the same receiver has kept the database open and nobody else has written to it.
 * Compaction changes no record, and so no digest.
 *
 * Once all streams are finished, deltas follow. They are applied before the journal counts them,
 * also after PREPARED, so a difference then proves nothing: treating it as one would restart the
 * copy only because a receiver was killed. Instead the ranges are read for the digests of the
 * hand-over.
 *
 * Thread: the call worker's. */
#ifndef HAUL_TARGET_ARRIVED_H
#define HAUL_TARGET_ARRIVED_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"

struct target_journal;

/* What the last attempt on this receiver left. Zeroed: unknown. */
struct target_left {
    bool known; /* all writes to the store were the job's, and its journal counts them */
    uint8_t job[HAUL_JOB_BYTES];
    uint64_t sequence; /* of the store at that time */
};

/* Fill in positions, deltas and digests of `journal`, whose file and plan are known, and remove
 * what was applied behind the positions. When the store holds anything else than what had arrived,
 * this clears the ranges, writes CLEARED, and the job starts over: `journal->begun_anew` is the
 * reason.
 * Errors: NO_MEMORY, CLOSED (the caller ended the steps), those of journal and store. */
enum haul_status target_arrived_restore(struct target_journal *journal,
                                        struct haul_error *error) HAUL_MUST_CHECK;

#endif
