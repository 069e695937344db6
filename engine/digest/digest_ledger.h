/* SPDX-License-Identifier: Apache-2.0 */
/* digest_ledger.h — keeps the digest of a range exact while deltas are applied, so that a
 * hand-over needs no scan while writers are frozen.
 *
 * The base is the set of records at the ledger's beginning: a view on the source, and the data of
 * the copy on the target. For each key that a delta has touched, the ledger holds the key's present
 * contribution to the digest; it reads the base only at the first touch. The result is a difference
 * to the base. Joined to the base's digest, whenever that is known, it gives the present digest of
 * the range.
 *
 * A ledger that has touched many keys is *full*. Its owner then gives it a newer base, and the keys
 * are forgotten: digest_ledger_rebase if the base is the database that the deltas go into,
 * digest_ledger_succeed if it is a view. So memory does not grow with the length of a job.
 *
 * Invariants:
 *   L1 The difference of a family is the sum of the present contributions of its touched keys, less
 *      the sum of their contributions in the base, less the base's records in removed spans; plus
 *      the difference at the time the base was taken.
 *   L2 A key is read once from a base; on the target therefore before the first delta for it is
 *      applied.
 *   L3 Memory stays below the limit, which a full ledger reaches only by one enormous batch. A
 *      ledger that has reached it, or whose base could not be read, stays broken: its owner
 *      scans instead.
 *
 * Thread: one at a time. */
#ifndef HAUL_DIGEST_LEDGER_H
#define HAUL_DIGEST_LEDGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "digest.h"
#include "haul/slice.h"
#include "haul/status.h"
#include "span_set.h"

#define DIGEST_LEDGER_MEMORY_BYTES_DEFAULT (UINT64_C(256) << 20)
/* A ledger is full at this share of its memory: 32 MiB, about 300,000 keys of 24 bytes. */
enum { DIGEST_LEDGER_FULL_SHARE = 8 };

struct digest_ledger;

/* Takes one record of the base. A result other than OK ends the walk and becomes its result. */
typedef enum haul_status digest_ledger_visit(void *visit_context, struct haul_slice key,
                                             struct haul_slice value);

/* Access to the base. Both functions may read the database. */
struct digest_ledger_base {
    void *context;
    const struct digest_key *key; /* borrowed; NULL: none */
    /* The value of a key, borrowed until the next call. Errors: NOT_FOUND (absent), others. */
    enum haul_status (*value)(void *context, uint32_t family_id, struct haul_slice key,
                              struct haul_slice *value, struct haul_error *error);
    /* Visit each record of the span. Errors: those of `visit` and of the database. */
    enum haul_status (*walk)(void *context, const struct key_span *span, digest_ledger_visit *visit,
                             void *visit_context, struct haul_error *error);
};

/* `memory_bytes_max` 0: DIGEST_LEDGER_MEMORY_BYTES_DEFAULT. `base` is copied. Errors: NO_MEMORY. */
enum haul_status digest_ledger_create(const struct digest_ledger_base *base,
                                      uint64_t memory_bytes_max,
                                      struct digest_ledger **ledger) HAUL_MUST_CHECK;
void digest_ledger_destroy(struct digest_ledger *ledger);

/* Add one delta, in the order of the log; families have the base's numbers. Errors, after which the
 * ledger is broken and returns the same again: LIMIT, NO_MEMORY, those of the base. */
enum haul_status digest_ledger_put(struct digest_ledger *ledger, uint32_t family_id,
                                   struct haul_slice key, struct haul_slice value,
                                   struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status digest_ledger_delete(struct digest_ledger *ledger, uint32_t family_id,
                                      struct haul_slice key,
                                      struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status digest_ledger_delete_range(struct digest_ledger *ledger, uint32_t family_id,
                                            struct haul_slice begin, struct haul_slice end,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* Add all records of a batch of Put, Delete and DeleteRange, as delta_filter makes them. More
 * errors: CORRUPT, UNSUPPORTED (another record). */
enum haul_status digest_ledger_batch(struct digest_ledger *ledger, struct haul_slice batch,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* The key counts with a value that was read from the database when the delta was added, not with
 * the delta's own value: later deltas may already be in it. */
void digest_ledger_mark_ahead(struct digest_ledger *ledger, uint32_t family_id,
                              struct haul_slice key);

/* OK, or the error that broke the ledger. */
enum haul_status digest_ledger_status(const struct digest_ledger *ledger);
/* Is it time for a newer base? */
bool digest_ledger_is_full(const struct digest_ledger *ledger);
/* The base is the database that the deltas go into, and it contains all deltas so far: forget the
 * keys, keep the difference. */
void digest_ledger_rebase(struct digest_ledger *ledger);
/* `ledger` has a newer base than `older` and has taken every delta that is not in that base; both
 * have taken the same deltas up to here. From here on `ledger` has the difference to the base of
 * `older`, which is no longer needed. Reads the new base for each key that is ahead; `stop` ends
 * that early. Errors: CLOSED (stopped: both continue as before), those of the base and of a broken
 * ledger. */
enum haul_status digest_ledger_succeed(struct digest_ledger *ledger, struct digest_ledger *older,
                                       const atomic_bool *stop,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Turn the digest of the base into the present digest. Errors: the one that broke the ledger. */
enum haul_status digest_ledger_join(const struct digest_ledger *ledger, uint32_t family_id,
                                    struct digest *digest) HAUL_MUST_CHECK;

/* Keys touched since the base was taken. */
uint64_t digest_ledger_key_count(const struct digest_ledger *ledger);
uint64_t digest_ledger_memory_bytes(const struct digest_ledger *ledger);

#endif
