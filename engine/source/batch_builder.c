/* SPDX-License-Identifier: Apache-2.0 */
/* batch_builder.c — fills blocks with records, and cuts records that fit none. */
#include "batch_builder.h"

#include <inttypes.h>
#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "crc32c.h"
#include "fragment.h"
#include "haul/store.h"
#include "record_limit.h"

void batch_builder_init(struct batch_builder *builder, struct outbox *outbox, uint32_t stream,
                        enum slot_kind kind, uint64_t next_batch)
{
    memset(builder, 0, sizeof(*builder));
    builder->outbox = outbox;
    builder->stream = stream;
    builder->kind = kind;
    builder->next_batch = next_batch;
}

void batch_builder_fini(struct batch_builder *builder)
{
    if (builder->block != NULL) {
        outbox_give_back(builder->outbox, builder->block);
        builder->block = NULL;
    }
    payload_packer_destroy(builder->packer);
    builder->packer = NULL;
}

enum {
    PACK_BYTES_MIN = 4 << 10,
    CACHE_LINE_BYTES = 64,
    HASHED_FIRST_BYTES_MIN = 256, /* hashing a shorter value writes no memory */
    FETCH_BYTES_MAX = 2 << 10,
    SUMMED_BYTES_MIN = 16 << 10, /* of records, which are still in the first-level cache */
    UNSUMMED_BYTES = 4 << 10,    /* the last ones, which may still be in the store buffer */
};

/* Compress the payload in its block, if compression is on and makes it smaller. */
static void pack(struct batch_builder *builder, struct block *block)
{
    struct outbox *outbox = builder->outbox;
    size_t size = block->header.payload_size_bytes;
    if (!atomic_load_explicit(&outbox->packs, memory_order_relaxed) || size < PACK_BYTES_MIN) {
        return;
    }
    if (builder->packer == NULL &&
        payload_packer_create(outbox->payload_bytes_max, &builder->packer) != HAUL_OK) {
        return; /* sent uncompressed */
    }
    uint64_t began_ns = clock_now_ns(&clock_monotonic);
    size_t packed = payload_pack(builder->packer, block_payload(block), size);
    if (packed > 0) {
        block->header.flags |= SLOT_COMPRESSED;
        block->payload_crc_known = false;
        block->header.payload_size_bytes = (uint32_t)packed;
    }
    atomic_fetch_add(&outbox->pack_ns, clock_now_ns(&clock_monotonic) - began_ns);
    atomic_fetch_add(&outbox->packed_bytes, packed > 0 ? packed : size);
    atomic_fetch_add(&outbox->raw_bytes, size);
}

static enum haul_status emit(struct batch_builder *builder, struct block *block, size_t size,
                             uint32_t record_count, uint32_t flags)
{
    block->header.kind = (uint8_t)builder->kind;
    block->header.stream = builder->stream;
    block->header.batch = builder->next_batch++;
    block->header.flags = flags;
    block->header.payload_size_bytes = (uint32_t)size;
    block->header.raw_size_bytes = (uint32_t)size;
    block->header.record_count = record_count;
    if (builder->history != NULL &&
        batch_history_note(builder->history, &builder->digest) != HAUL_OK) {
        outbox_give_back(builder->outbox, block);
        return HAUL_NO_MEMORY;
    }
    pack(builder, block);
    return outbox_emit(builder->outbox, block);
}

static void begin_sized(struct batch_builder *builder, size_t size)
{
    uint8_t *payload = block_payload(builder->block);
    raw_batch_begin(&builder->writer, payload, size);
    builder->sums = !block_key_seals(&builder->outbox->key);
    builder->summed_end = payload + RAW_BATCH_HEADER_BYTES;
    builder->summed_crc = 0;
}

static enum haul_status begin(struct batch_builder *builder)
{
    enum haul_status status = outbox_acquire(builder->outbox, &builder->block);
    if (status == HAUL_OK) {
        begin_sized(builder,
                    atomic_load_explicit(&builder->outbox->batch_bytes, memory_order_relaxed));
    }
    return status;
}

static void sum_until(struct batch_builder *builder, const uint8_t *end)
{
    size_t size = (size_t)(end - builder->summed_end);
    builder->summed_crc = crc32c_extend(builder->summed_crc, builder->summed_end, size);
    builder->summed_end = end;
}

/* The CRC of a batch is computed on the way, from the first-level cache. */
static inline void sum_now_and_then(struct batch_builder *builder)
{
    size_t waiting = (size_t)(builder->writer.at - builder->summed_end);
    if (builder->sums && waiting >= SUMMED_BYTES_MIN + UNSUMMED_BYTES) {
        sum_until(builder, builder->writer.at - UNSUMMED_BYTES);
    }
}

/* The rest, and the header, which is complete only now. */
static void sum_rest(struct batch_builder *builder, struct block *block, size_t size)
{
    sum_until(builder, builder->writer.at);
    block->payload_crc_seen = crc32c_join(crc32c(block_payload(block), RAW_BATCH_HEADER_BYTES),
                                          builder->summed_crc, size - RAW_BATCH_HEADER_BYTES);
    block->payload_crc_known = true;
}

static enum haul_status flush(struct batch_builder *builder, uint32_t flags)
{
    struct block *block = builder->block;
    builder->block = NULL;
    uint32_t count = builder->writer.count;
    size_t size = raw_batch_finish(&builder->writer);
    if (builder->sums) {
        sum_rest(builder, block, size);
    }
    return emit(builder, block, size, count, flags);
}

enum haul_status batch_builder_flush(struct batch_builder *builder)
{
    if (builder->block == NULL || builder->writer.count == 0) {
        return HAUL_OK;
    }
    return flush(builder, 0);
}

/* The place of the next byte of a batch that is larger than a block. */
struct fragment_writer {
    struct batch_builder *builder;
    struct block *block;
    size_t used;     /* of the block's payload */
    uint64_t offset; /* of the batch */
    uint64_t total;
    uint32_t record_count;
};

static enum haul_status emit_fragment(struct fragment_writer *writer)
{
    struct block *block = writer->block;
    writer->block = NULL;
    bool last = writer->offset == writer->total;
    block->reserved_bytes = last ? writer->total : 0;
    return emit(writer->builder, block, writer->used, last ? writer->record_count : 0,
                SLOT_FRAGMENT);
}

static enum haul_status write_fragments(struct fragment_writer *writer, struct haul_slice bytes)
{
    size_t capacity = writer->builder->outbox->payload_bytes_max;
    while (bytes.size > 0) {
        if (writer->block == NULL) {
            enum haul_status status = outbox_acquire(writer->builder->outbox, &writer->block);
            if (status != HAUL_OK) {
                return status;
            }
            fragment_header_encode(writer->total, writer->offset, block_payload(writer->block));
            writer->used = FRAGMENT_HEADER_BYTES;
        }
        size_t piece = capacity - writer->used;
        piece = piece < bytes.size ? piece : bytes.size;
        memcpy(block_payload(writer->block) + writer->used, bytes.data, piece);
        writer->used += piece;
        writer->offset += piece;
        bytes = slice_of(bytes.data + piece, bytes.size - piece);
        if (writer->used == capacity || writer->offset == writer->total) {
            enum haul_status status = emit_fragment(writer);
            if (status != HAUL_OK) {
                return status;
            }
        }
    }
    return HAUL_OK;
}

/* Encode a one-record batch up to the value's first byte. */
static size_t encode_head(uint8_t *at, uint32_t family_id, size_t key_size, size_t value_size,
                          size_t *key_at)
{
    memset(at, 0, RAW_BATCH_HEADER_BYTES);
    put_u32(at + 8, 1);
    uint8_t *next = at + RAW_BATCH_HEADER_BYTES;
    *next++ = family_id == 0 ? RAW_PUT : RAW_FAMILY_PUT;
    next = family_id == 0 ? next : put_varint32(next, family_id);
    next = put_varint32(next, (uint32_t)key_size);
    *key_at = (size_t)(next - at);
    next = put_varint32(next, (uint32_t)value_size);
    return (size_t)(next - at);
}

/* Send one record as fragments, straight from the store's memory. */
static enum haul_status put_large(struct batch_builder *builder, uint32_t family_id,
                                  struct haul_slice key, struct haul_slice value)
{
    uint8_t head[RAW_BATCH_HEADER_BYTES + 1 + 3 * VARINT32_BYTES_MAX];
    size_t key_at = 0;
    batch_builder_fini(builder); /* a block begun and still empty may be the last one */
    digest_add(&builder->digest, builder->outbox->digest_key, key,
               value); /* before its last fragment ends a batch */
    size_t head_size = encode_head(head, family_id, key.size, value.size, &key_at);
    struct fragment_writer writer = {
        .builder = builder, .total = head_size + key.size + value.size, .record_count = 1};
    enum haul_status status = outbox_reserve(builder->outbox, writer.total);
    if (status == HAUL_OK) {
        status = write_fragments(&writer, slice_of(head, key_at));
    }
    if (status == HAUL_OK) {
        status = write_fragments(&writer, key);
    }
    if (status == HAUL_OK) {
        status = write_fragments(&writer, slice_of(head + key_at, head_size - key_at));
    }
    if (status == HAUL_OK) {
        status = write_fragments(&writer, value);
    }
    if (writer.block != NULL) {
        outbox_give_back(builder->outbox, writer.block);
    }
    return status;
}

/* The record did not fit the block being built, or there was none. */
static enum haul_status put_slowly(struct batch_builder *builder, uint32_t family_id,
                                   struct haul_slice key, struct haul_slice value,
                                   struct haul_error *error)
{
    enum haul_status status = record_limit_check(key, value, error);
    if (status == HAUL_OK) {
        status = batch_builder_flush(builder);
    }
    if (status != HAUL_OK) {
        return status;
    }
    size_t size = RAW_BATCH_HEADER_BYTES + raw_batch_put_size(family_id, key.size, value.size);
    if (size > builder->outbox->payload_bytes_max) {
        return put_large(builder, family_id, key, value);
    }
    if (builder->block == NULL) {
        status = begin(builder);
    }
    if (status == HAUL_OK && !raw_batch_put(&builder->writer, family_id, key, value)) {
        /* Larger than the wanted batch size, but not than a block. */
        begin_sized(builder, builder->outbox->payload_bytes_max);
        bool fits = raw_batch_put(&builder->writer, family_id, key, value);
        haul_assert(fits);
    }
    if (status == HAUL_OK) {
        digest_add(&builder->digest, builder->outbox->digest_key, key, value);
    }
    return status;
}

/* Hash before copying. A block returns from another processor (the one that sent it), so the bytes
 * of a record wait in the store buffer until this core owns their cache lines. Hashing a large
 * value writes a secret and reads it back, and that read waits for all stores before it. The cache
 * lines for the next record, which may be of the same size, are prefetched while the store looks
 * for it. */
static bool put_hashed_first(struct batch_builder *builder, uint32_t family_id,
                             struct haul_slice key, struct haul_slice value)
{
    struct raw_batch_writer *writer = &builder->writer;
    if (raw_batch_put_size(family_id, key.size, value.size) > (size_t)(writer->end - writer->at)) {
        return false;
    }
    digest_add(&builder->digest, builder->outbox->digest_key, key, value);
    bool fits = raw_batch_put(writer, family_id, key, value);
    haul_assert(fits);
    size_t size = value.size < FETCH_BYTES_MAX ? value.size : FETCH_BYTES_MAX;
    if (size <= (size_t)(writer->end - writer->at)) {
        for (size_t offset = 0; offset < size; offset += CACHE_LINE_BYTES) {
            __builtin_prefetch(writer->at + offset, 1);
        }
    }
    return true;
}

enum haul_status batch_builder_put(struct batch_builder *builder, uint32_t family_id,
                                   struct haul_slice key, struct haul_slice value,
                                   struct haul_error *error)
{
    if (builder->block == NULL || key.size > HAUL_KEY_BYTES_MAX) {
        return put_slowly(builder, family_id, key, value, error);
    }
    if (value.size >= HASHED_FIRST_BYTES_MIN) {
        if (put_hashed_first(builder, family_id, key, value)) {
            sum_now_and_then(builder);
            return HAUL_OK;
        }
    } else if (raw_batch_put(&builder->writer, family_id, key, value)) {
        digest_add(&builder->digest, builder->outbox->digest_key, key, value);
        sum_now_and_then(builder);
        return HAUL_OK;
    }
    return put_slowly(builder, family_id, key, value, error);
}

enum haul_status batch_builder_send(struct batch_builder *builder, struct haul_slice batch,
                                    uint32_t record_count, struct haul_error *error)
{
    if (batch.size > FRAGMENT_TOTAL_BYTES_MAX) {
        haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                       "the log has a write batch of %zu bytes; at most %" PRIu64, batch.size,
                       (uint64_t)FRAGMENT_TOTAL_BYTES_MAX);
        haul_error_hint(error, "run the job again: its snapshot then includes the batch");
        return HAUL_UNSUPPORTED;
    }
    enum haul_status status = batch_builder_flush(builder);
    if (status != HAUL_OK) {
        return status;
    }
    if (batch.size > builder->outbox->payload_bytes_max) {
        batch_builder_fini(builder); /* a block begun and still empty may be the last one */
        struct fragment_writer writer = {
            .builder = builder, .total = batch.size, .record_count = record_count};
        status = outbox_reserve(builder->outbox, writer.total);
        if (status == HAUL_OK) {
            status = write_fragments(&writer, batch);
        }
        if (writer.block != NULL) {
            outbox_give_back(builder->outbox, writer.block);
        }
        return status;
    }
    struct block *block = builder->block; /* begun, and still empty */
    builder->block = NULL;
    if (block == NULL) {
        status = outbox_acquire(builder->outbox, &block);
    }
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "the job ends");
    }
    memcpy(block_payload(block), batch.data, batch.size);
    return emit(builder, block, batch.size, record_count, 0);
}

enum haul_status batch_builder_append(struct batch_builder *builder, struct haul_slice batch,
                                      uint32_t record_count, struct haul_error *error)
{
    struct haul_slice records =
        slice_of(batch.data + RAW_BATCH_HEADER_BYTES, batch.size - RAW_BATCH_HEADER_BYTES);
    if (builder->block != NULL &&
        records.size > (size_t)(builder->writer.end - builder->writer.at)) {
        enum haul_status status = batch_builder_flush(builder);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (builder->block == NULL) {
        enum haul_status status = begin(builder);
        if (status != HAUL_OK) {
            return status;
        }
    }
    if (records.size > (size_t)(builder->writer.end - builder->writer.at)) {
        return batch_builder_send(builder, batch, record_count, error);
    }
    memcpy(builder->writer.at, records.data, records.size);
    builder->writer.at += records.size;
    builder->writer.count += record_count;
    return HAUL_OK;
}

enum haul_status batch_builder_finish(struct batch_builder *builder)
{
    if (builder->block != NULL && builder->writer.count > 0) {
        return flush(builder, SLOT_LAST);
    }
    enum haul_status status = HAUL_OK;
    if (builder->block == NULL) {
        status = outbox_acquire(builder->outbox, &builder->block);
    }
    if (status == HAUL_OK) {
        struct block *block = builder->block;
        builder->block = NULL;
        status = emit(builder, block, 0, 0, SLOT_LAST);
    }
    return status;
}
