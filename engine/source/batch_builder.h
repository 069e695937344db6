/* SPDX-License-Identifier: Apache-2.0 */
/* batch_builder.h — the sending end of one stream: takes records, emits numbered blocks.
 *
 * Records are encoded in place, from the store's memory into the registered block: one copy. A
 * record that fits no block is sent as fragments (fragment.h), alone in its batch. */
#ifndef HAUL_BATCH_BUILDER_H
#define HAUL_BATCH_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "batch_history.h"
#include "outbox.h"
#include "payload_codec.h"
#include "raw_batch.h"

struct batch_builder {
    struct outbox *outbox;
    uint32_t stream;
    enum slot_kind kind;
    uint64_t next_batch;
    struct block *block; /* being filled; NULL: none */
    struct raw_batch_writer writer;
    bool sums;                 /* blocks are not sealed: they need a CRC */
    const uint8_t *summed_end; /* of the records whose CRC is `summed_crc` */
    uint32_t summed_crc;
    struct digest digest;          /* of every record put */
    struct payload_packer *packer; /* NULL: nothing has been compressed yet */
    struct batch_history *history; /* updated after each batch; may be NULL */
};

void batch_builder_init(struct batch_builder *builder, struct outbox *outbox, uint32_t stream,
                        enum slot_kind kind, uint64_t next_batch);
/* Returns an unsent block to the pool. */
void batch_builder_fini(struct batch_builder *builder);

/* Errors of all functions: CLOSED (the job ends), LIMIT (record too large). */
enum haul_status batch_builder_put(struct batch_builder *builder, uint32_t family_id,
                                   struct haul_slice key, struct haul_slice value,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Send a complete WriteBatch representation as a batch of its own, whatever its size. */
enum haul_status batch_builder_send(struct batch_builder *builder, struct haul_slice batch,
                                    uint32_t record_count,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Append all records of a complete WriteBatch representation to the batch being built. The records
 * stay in one batch; a representation that is too large for that is sent alone. */
enum haul_status batch_builder_append(struct batch_builder *builder, struct haul_slice batch,
                                      uint32_t record_count,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Send the batch being built, if any. */
enum haul_status batch_builder_flush(struct batch_builder *builder) HAUL_MUST_CHECK;
/* Flush, and mark the last batch as the end (an empty one if there is none to mark). */
enum haul_status batch_builder_finish(struct batch_builder *builder) HAUL_MUST_CHECK;

#endif
