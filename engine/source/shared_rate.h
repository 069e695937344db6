/* SPDX-License-Identifier: Apache-2.0 */
/* shared_rate.h — a rate limit of several sources: a token bucket, and whose turn it is.
 *
 * Start-time fair queueing: a take begins at the virtual time of the last one, or where the
 * source's own last take has ended if that is later, and ends that many bytes later. Of the sources
 * that wait, the one whose take begins first has the turn. So those that have something to send get
 * equal shares, one alone gets everything, and nobody saves up a share. A source that waits and has
 * not asked for SHARED_RATE_PATIENCE_MS loses its turn; sources ask ten times a second at least.
 *
 * Thread: any; one at a time for each share. */
#ifndef HAUL_SHARED_RATE_H
#define HAUL_SHARED_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"

enum {
    SHARED_RATE_TURN_MS = 1, /* when to ask again if it is another's turn */
    SHARED_RATE_PATIENCE_MS = 250,
};

/* One source's. Zeroed: without a limit. */
struct rate_share {
    struct haul_rate *rate;
    struct rate_share *next; /* of the rate; under its lock, like the rest */
    uint64_t end;            /* virtual time in bytes: where its last take ended */
    uint64_t waits_until_ns; /* 0: it does not wait */
};

/* `rate` NULL: without a limit. */
void rate_share_join(struct rate_share *share, struct haul_rate *rate);
void rate_share_leave(struct rate_share *share);

/* Take the bytes, at most RATE_LIMIT_BYTES_MAX. False: not yet; ask again at `*ready_ns`. */
bool rate_share_take(struct rate_share *share, uint64_t bytes, uint64_t now_ns, uint64_t *ready_ns);
/* They were not used. */
void rate_share_give(struct rate_share *share, uint64_t bytes);

#endif
