/* SPDX-License-Identifier: Apache-2.0 */
/* catch_up.h — decides between another round over the log and the freeze. Rounds continue until the
 * lag (the bytes that the last round found) is within its limit and the target is near, because
 * what the target still has to apply while writes are frozen is the pause.
 *
 *   lag over the limit----------------------------------> ROUND, after 1000 rounds GIVE_UP
 *   within, but the target has not applied enough, or
 *   the next round will be much smaller----------------> WAIT, and ROUND when it has applied all
 *   within, and near------------------------------------> FREEZE
 *
 * Pure arithmetic. Thread: the loop's. */
#ifndef HAUL_CATCH_UP_H
#define HAUL_CATCH_UP_H

#include <stdbool.h>
#include <stdint.h>

enum catch_up_step { CATCH_UP_ROUND, CATCH_UP_WAIT, CATCH_UP_FREEZE, CATCH_UP_GIVE_UP };

struct catch_up {
    uint64_t lag_bytes_max;
    uint64_t lag_bytes;         /* of the last round */
    uint64_t earlier_lag_bytes; /* of the round before it */
    uint64_t batches;           /* sent so far, in all rounds */
    uint64_t earlier_batches;   /* sent before the last round */
    uint64_t rounds;
};

void catch_up_init(struct catch_up *catch_up, uint64_t lag_bytes_max);

/* Note the end of a round that found `lag_bytes`; `batches` have been sent by now. */
void catch_up_note_round(struct catch_up *catch_up, uint64_t lag_bytes, uint64_t batches);

/* The next step when the target has applied `applied_batches`. */
enum catch_up_step catch_up_next(const struct catch_up *catch_up, uint64_t applied_batches);

/* Has the target applied everything that was sent? */
bool catch_up_is_level(const struct catch_up *catch_up, uint64_t applied_batches);

#endif
