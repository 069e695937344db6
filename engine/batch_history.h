/* SPDX-License-Identifier: Apache-2.0 */
/* batch_history.h — the digest of a stream after each of its batches: a source that has to go on
 * from batch n knows what the first n batches held without reading them again.
 * Thread: the reader of the stream; others when that has ended. */
#ifndef HAUL_BATCH_HISTORY_H
#define HAUL_BATCH_HISTORY_H

#include <stddef.h>

#include "digest.h"
#include "haul/status.h"

/* Zeroed is empty. */
struct batch_history {
    struct digest *after; /* [n]: of all records up to and with batch n */
    size_t count;
    size_t capacity;
};

/* The next batch has ended, with this digest. Errors: NO_MEMORY. */
enum haul_status batch_history_note(struct batch_history *history,
                                    const struct digest *digest) HAUL_MUST_CHECK;
/* Digest of the first `batch_count` batches; at most `count`. */
struct digest batch_history_at(const struct batch_history *history, size_t batch_count);
/* Forget all batches but the first `batch_count`. */
void batch_history_truncate(struct batch_history *history, size_t batch_count);
void batch_history_fini(struct batch_history *history);

#endif
