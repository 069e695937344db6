/* SPDX-License-Identifier: Apache-2.0 */
/* log_digest.h — follows the write-ahead log while a job runs, and keeps account of how its writes
 * change count and digest of the plan's ranges.
 *
 * It begins at a view whose digest the copy computes, and reads the log with a ledger (see
 * digest_ledger.h) whose base is that view. When the ledger is full, a newer view is taken and a
 * second ledger over it follows along; as soon as both have passed that view, the second one
 * replaces the first. So memory stays bounded however many keys are written, and nothing is
 * scanned while writes are frozen.
 *
 *   position    base view          newer view                    both have passed it
 *   ------------|------------------|-----------------------------|----------------->
 *   ledger      ===================================================
 *   successor                      =================================================
 *
 * Thread: one at a time, except for log_digest_hurry. */
#ifndef HAUL_LOG_DIGEST_H
#define HAUL_LOG_DIGEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "digest.h"
#include "haul/store.h"
#include "plan.h"

struct log_digest;

struct log_digest_options {
    struct haul_store *store;
    const struct plan *plan;              /* borrowed */
    const struct haul_snapshot *snapshot; /* borrowed */
    uint64_t sequence;                    /* of the snapshot: the log is read after it */
    uint64_t memory_bytes_max;            /* of each ledger; 0: the ledger's default */
};

/* Errors: NO_MEMORY. */
enum haul_status log_digest_create(const struct log_digest_options *options,
                                   struct log_digest **follower,
                                   struct haul_error *error) HAUL_MUST_CHECK;
void log_digest_destroy(struct log_digest *follower);

/* Read the log to its present end. `stop` ends it early with CLOSED. A ledger that breaks is no
 * error here. Errors: GAP, UNSUPPORTED (a kind of log entry that cannot be moved), LIMIT (a record
 * that is too large), STORE, CLOSED. */
enum haul_status log_digest_follow(struct log_digest *follower, const atomic_bool *stop,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* The same between two rounds, when nothing waits for the result: returns early when writes are
 * about to be frozen, and leaves the rest to the round of the freeze. */
enum haul_status log_digest_follow_ahead(struct log_digest *follower, const atomic_bool *stop,
                                         struct haul_error *error) HAUL_MUST_CHECK;
/* Take a newer view when it is time, or let the successor replace the current ledger. May look up
 * many keys. The next call retries what has failed. */
void log_digest_renew(struct log_digest *follower);
/* Set `hurry` when writes are about to be frozen, clear it when they continue. While it is set,
 * log_digest_follow_ahead and log_digest_renew end early and do nothing.
 * Thread: any. */
void log_digest_hurry(struct log_digest *follower, bool hurry);

/* The log was read up to and including this sequence number. */
uint64_t log_digest_sequence(const struct log_digest *follower);
/* Turn the digest of one family of the plan from that of the snapshot into that of the log
 * position. Errors: LIMIT and others: the ledger gave up, and the family must be scanned. */
enum haul_status log_digest_join(const struct log_digest *follower, uint32_t family,
                                 struct digest *digest) HAUL_MUST_CHECK;

#endif
