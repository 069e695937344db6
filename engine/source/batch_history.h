/* SPDX-License-Identifier: Apache-2.0 */
/* batch_history.h — the digest of a stream after each of its batches. A source that continues from
 * batch n knows the content of the first n batches without reading them again. Thread: the reader
 * of the stream; any, once that has ended. */
#ifndef HAUL_BATCH_HISTORY_H
#define HAUL_BATCH_HISTORY_H

#include <stddef.h>

#include "digest.h"
#include "haul/status.h"

/* Zeroed is empty. */
struct batch_history {
    struct digest base; /* of the first `base_count` batches, sent by an earlier process */
    size_t base_count;
    struct digest *after; /* [n]: of all records up to and including batch base_count + n */
    size_t count;         /* batches known, including those of the base */
    size_t capacity;
};

/* Begin with batches that an earlier process has sent; `base`: the digest of their records, as far
 * as it is known. */
void batch_history_adopt(struct batch_history *history, size_t batch_count,
                         const struct digest *base);

/* The next batch has ended, with this digest. Errors: NO_MEMORY. */
enum haul_status batch_history_note(struct batch_history *history,
                                    const struct digest *digest) HAUL_MUST_CHECK;
/* Digest of the first `batch_count` batches; from base_count to count. */
struct digest batch_history_at(const struct batch_history *history, size_t batch_count);
/* Forget all batches but the first `batch_count`; from base_count to count. */
void batch_history_truncate(struct batch_history *history, size_t batch_count);
void batch_history_fini(struct batch_history *history);

#endif
