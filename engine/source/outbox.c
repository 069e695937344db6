/* SPDX-License-Identifier: Apache-2.0 */
/* outbox.c — a block pool, a mailbox, and the checksum or the seal between them. */
#include "outbox.h"

#include <string.h>

#include "assertion.h"
#include "clock.h"
#include "crc32c.h"
#include "fragment.h"
#include "probe.h"

enum haul_status outbox_init(struct outbox *outbox, uint32_t block_count, uint32_t block_size_bytes,
                             uint64_t epoch, struct haul_error *error)
{
    memset(outbox, 0, sizeof(*outbox));
    outbox->epoch = epoch;
    outbox->payload_bytes_max = block_size_bytes - SLOT_HEADER_BYTES;
    atomic_store(&outbox->batch_bytes, outbox->payload_bytes_max);
    enum haul_status status =
        block_pool_create(block_count, block_size_bytes, NULL, &outbox->pool, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = mailbox_create(block_count, sizeof(struct block *), &outbox->filled);
    if (status != HAUL_OK) {
        block_pool_destroy(outbox->pool);
        memset(outbox, 0, sizeof(*outbox));
        return haul_error_set(error, status, NULL, 0, "no memory for the outbox");
    }
    byte_gate_init(&outbox->pieces, FRAGMENT_SESSION_BYTES_MAX);
    return HAUL_OK;
}

void outbox_seal(struct outbox *outbox, const struct block_key *key)
{
    outbox->key = *key;
    outbox->payload_bytes_max -= block_seal_bytes(key);
}

void outbox_fini(struct outbox *outbox)
{
    byte_gate_fini(&outbox->pieces);
    mailbox_destroy(outbox->filled);
    block_pool_destroy(outbox->pool);
    explicit_bzero(&outbox->key, sizeof(outbox->key));
    memset(outbox, 0, sizeof(*outbox));
}

enum haul_status outbox_resize(struct outbox *outbox, uint32_t block_count,
                               struct haul_error *error)
{
    struct block_pool *pool = NULL;
    enum haul_status status = block_pool_create(
        block_count, block_pool_block_size_bytes(outbox->pool), NULL, &pool, error);
    if (status == HAUL_OK) {
        block_pool_destroy(outbox->pool);
        outbox->pool = pool;
    }
    return status;
}

enum haul_status outbox_acquire(struct outbox *outbox, struct block **block)
{
    enum haul_status status = block_pool_acquire(outbox->pool, 0, block);
    if (status == HAUL_AGAIN) {
        atomic_fetch_add_explicit(&outbox->waits, 1, memory_order_relaxed);
        status = block_pool_acquire(outbox->pool, CLOCK_NEVER, block);
    }
    if (status == HAUL_OK) {
        (*block)->payload_crc_known = false;
    }
    return status;
}

enum haul_status outbox_emit(struct outbox *outbox, struct block *block)
{
    struct slot_header *header = &block->header;
    haul_assert(header->payload_size_bytes <= outbox->payload_bytes_max);
    header->type = SLOT_DATA;
    header->epoch = outbox->epoch;
    enum haul_status status = HAUL_OK;
    if (block_key_seals(&outbox->key)) {
        status = block_seal(&outbox->key, header, block_payload(block));
    } else {
        header->payload_crc = block->payload_crc_known
                                  ? block->payload_crc_seen
                                  : crc32c(block_payload(block), header->payload_size_bytes);
    }
    PROBE3(block_filled, header->stream, header->batch, header->payload_size_bytes);
    if (status == HAUL_OK) {
        status = mailbox_push(outbox->filled, &block);
        haul_assert(status != HAUL_AGAIN); /* it has room for every block of the pool */
    }
    if (status != HAUL_OK) {
        outbox_give_back(outbox, block);
    }
    return status;
}

void outbox_give_back(struct outbox *outbox, struct block *block)
{
    if (block->reserved_bytes > 0) {
        byte_gate_leave(&outbox->pieces, block->reserved_bytes);
    }
    block_pool_release(outbox->pool, block);
}

enum haul_status outbox_reserve(struct outbox *outbox, uint64_t bytes)
{
    return byte_gate_enter(&outbox->pieces, bytes);
}

struct block *outbox_take(struct outbox *outbox)
{
    struct block *block = NULL;
    return mailbox_pop(outbox->filled, &block) == HAUL_OK ? block : NULL;
}

void outbox_close(struct outbox *outbox)
{
    block_pool_close(outbox->pool);
    mailbox_close(outbox->filled);
    byte_gate_close(&outbox->pieces);
}
