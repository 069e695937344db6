/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_sender.c — the sending half of a verbs link. */
#include "verbs_sender.h"

#include <string.h>

#include "assertion.h"
#include "slot_header.h"

static struct block **queued(struct verbs_sender *sender, uint64_t number)
{
    return &sender->queue[number % HAUL_SLOT_COUNT_MAX];
}

/* --- making --------------------------------------------------------------------------------- */

static enum haul_status take_pool(struct verbs_sender *sender, const struct link_config *config,
                                  struct haul_error *error)
{
    uint32_t slot_size = config->options.slot_size_bytes;
    if (config->pool == NULL) {
        sender->pool_is_ours = true;
        return block_pool_create(config->options.slot_count, slot_size, config->log, &sender->pool,
                                 error);
    }
    if (block_pool_block_size_bytes(config->pool) != slot_size) {
        return haul_error_set(error, HAUL_INVALID, "", 0,
                              "the pool has blocks of %u bytes, the slots have %u",
                              block_pool_block_size_bytes(config->pool), slot_size);
    }
    sender->pool = config->pool;
    return HAUL_OK;
}

enum haul_status verbs_sender_init(struct verbs_sender *sender, struct verbs_endpoint *endpoint,
                                   const struct link_config *config, struct haul_link_stats *stats,
                                   struct haul_error *error)
{
    *sender = (struct verbs_sender){
        .endpoint = endpoint,
        .stats = stats,
        .epoch = config->epoch,
        .frames_key = config->frames,
        .first_sequence = config->first_sequence,
        .next_sequence = config->first_sequence,
        .slot_count = config->options.slot_count,
        .slot_size_bytes = config->options.slot_size_bytes,
        .record_count = credit_frames_max(config->options.slot_count),
    };
    credit_sender_init(&sender->credit, sender->slot_count, config->epoch);
    enum haul_status status =
        pages_map(&sender->records, (uint64_t)sender->record_count * CREDIT_FRAME_BYTES,
                  "set of credit frames", config->log, error);
    return status == HAUL_OK ? take_pool(sender, config, error) : status;
}

void verbs_sender_fini(struct verbs_sender *sender)
{
    if (sender->pool != NULL && sender->pool_is_ours) {
        block_pool_close(sender->pool);
        block_pool_destroy(sender->pool);
    }
    sender->pool = NULL;
    pages_unmap(&sender->records);
    explicit_bzero(&sender->frames_key, sizeof(sender->frames_key));
}

enum haul_status verbs_sender_attach(struct verbs_sender *sender, struct haul_error *error)
{
    const struct verbs_device *device = &sender->endpoint->device;
    /* The device only reads the blocks: no access flags needed. */
    struct verbs_memory arena = {.access = 0};
    arena.data = block_pool_arena(sender->pool, &arena.size_bytes);
    enum haul_status status = verbs_device_register(device, &arena, &sender->arena, error);
    if (status != HAUL_OK) {
        return status;
    }
    /* Written in order, unlike the ring: a frame must not be seen before the previous one. */
    const struct verbs_memory records = {
        .data = sender->records.data,
        .size_bytes = (uint64_t)sender->record_count * CREDIT_FRAME_BYTES,
        .access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE,
    };
    status = verbs_device_register(device, &records, &sender->record_region, error);
    if (status != HAUL_OK) {
        return status;
    }
    return verbs_endpoint_open_queue(sender->endpoint, sender->slot_count + VERBS_QUEUE_SPARE,
                                     sender->record_count + VERBS_QUEUE_SPARE, error);
}

void verbs_sender_detach(struct verbs_sender *sender)
{
    verbs_device_unregister(&sender->endpoint->device, sender->record_region);
    verbs_device_unregister(&sender->endpoint->device, sender->arena);
    sender->record_region = NULL;
    sender->arena = NULL;
}

void verbs_sender_describe(const struct verbs_sender *sender, struct verbs_description *description)
{
    *description = (struct verbs_description){
        .sending = true,
        .slot_count = sender->slot_count,
        .slot_size_bytes = sender->slot_size_bytes,
        .address = (uint64_t)(uintptr_t)sender->records.data,
        .rkey = sender->record_region->rkey,
        .record_count = sender->record_count,
        .message_bytes_max = sender->endpoint->device.message_bytes_max,
    };
}

void verbs_sender_bind(struct verbs_sender *sender, const struct verbs_description *ring,
                       uint32_t slot_count)
{
    sender->ring_address = ring->address;
    sender->ring_rkey = ring->rkey;
    sender->ring_slot_count = ring->slot_count;
    credit_sender_init(&sender->credit, slot_count, sender->epoch);
}

/* --- blocks --------------------------------------------------------------------------------- */

static enum haul_status write_block(struct verbs_sender *sender, const struct block *block,
                                    struct haul_error *error)
{
    uint64_t number = block->header.sequence - sender->first_sequence;
    const struct verbs_write write = {
        .kind = VERBS_WORK_BLOCK,
        .index = (uint32_t)(number % HAUL_SLOT_COUNT_MAX),
        .data = block->data,
        .size_bytes = SLOT_HEADER_BYTES + block->header.payload_size_bytes,
        .urgent = block->urgent || (number + 1) % credit_quarter(sender->credit.slot_count) == 0,
        .lkey = sender->arena->lkey,
        .remote_address =
            sender->ring_address + number % sender->ring_slot_count * sender->slot_size_bytes,
        .rkey = sender->ring_rkey,
        .immediate = imm_pack(SLOT_DATA, block->header.sequence),
    };
    return verbs_queue_write(&sender->endpoint->queue, &write, error);
}

enum haul_status verbs_sender_submit(struct verbs_sender *sender, struct block *block,
                                     struct haul_error *error)
{
    /* Credit frames may overtake completions: both must leave room. */
    if (!credit_sender_can_submit(&sender->credit) ||
        sender->submitted - sender->completed >= sender->slot_count || /* V3 */
        sender->submitted - sender->returned >= HAUL_SLOT_COUNT_MAX) {
        return HAUL_AGAIN;
    }
    block->header.type = SLOT_DATA;
    block->header.epoch = sender->epoch;
    block->header.sequence = sender->next_sequence++;
    slot_header_encode(&block->header, block->data);
    credit_sender_note_submitted(&sender->credit); /* V2 */
    *queued(sender, sender->submitted) = block;
    sender->submitted++;
    return write_block(sender, block, error);
}

static enum haul_status on_written(struct verbs_sender *sender, uint32_t index,
                                   struct haul_error *error)
{
    if (sender->completed == sender->submitted ||
        index != sender->completed % HAUL_SLOT_COUNT_MAX) {
        return haul_error_set(error, HAUL_IO, "ibv_poll_cq", 0,
                              "the RDMA device completed blocks out of order");
    }
    const struct block *block = *queued(sender, sender->completed);
    sender->stats->blocks_sent++;
    sender->stats->bytes_sent += SLOT_HEADER_BYTES + (uint64_t)block->header.payload_size_bytes;
    sender->completed++;
    return HAUL_OK;
}

/* --- records -------------------------------------------------------------------------------- */

static enum haul_status fail_record(enum haul_status status, struct haul_error *error)
{
    const char *why = status == HAUL_FENCED    ? "the credit is of another epoch"
                      : status == HAUL_CORRUPT ? "a credit frame is damaged"
                                               : "a credit frame has impossible counts";
    return haul_error_set(error, status, "", 0, "%s", why);
}

static uint8_t *next_record(const struct verbs_sender *sender)
{
    return sender->records.data + sender->next_record % sender->record_count * CREDIT_FRAME_BYTES;
}

/* The frame's place is cleared before the frame counts. Only then may the peer write there again,
 * and anything but zeros means that it did. */
static enum haul_status take_next_record(struct verbs_sender *sender, struct credit_frame *record)
{
    /* The peer can write here at any time: trust only a private copy. */
    uint8_t bytes[CREDIT_FRAME_BYTES];
    memcpy(bytes, next_record(sender), sizeof(bytes));
    memset(next_record(sender), 0, sizeof(bytes));
    sender->next_record++;
    return credit_frame_decode(bytes, CREDIT_RECORD_MAGIC, &sender->frames_key, record);
}

bool verbs_sender_has_arrival(const struct verbs_sender *sender)
{
    static const uint8_t cleared[CREDIT_FRAME_BYTES];
    return sender->records.data != NULL &&
           memcmp(next_record(sender), cleared, sizeof(cleared)) != 0;
}

static enum haul_status on_record(struct verbs_sender *sender,
                                  const struct verbs_completion *completion,
                                  struct haul_error *error)
{
    if (!completion->with_immediate || imm_type(completion->immediate) != SLOT_CREDIT ||
        imm_distance(completion->immediate, sender->next_record) != 0 || /* V4 */
        completion->size_bytes != CREDIT_FRAME_BYTES) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer wrote something other than the next credit frame");
    }
    struct credit_frame record;
    enum haul_status status = take_next_record(sender, &record);
    bool advanced = false;
    if (status == HAUL_OK) {
        status = credit_sender_take(&sender->credit, &record, &advanced);
    }
    if (status != HAUL_OK) {
        return fail_record(status, error);
    }
    sender->advanced = sender->advanced || advanced;
    sender->stats->credits_received++;
    sender->stats->bytes_received += CREDIT_FRAME_BYTES;
    return HAUL_OK;
}

enum haul_status verbs_sender_on_completion(struct verbs_sender *sender,
                                            const struct verbs_completion *completion,
                                            struct haul_error *error)
{
    switch (completion->kind) {
    case VERBS_WORK_BLOCK:
        return on_written(sender, completion->index, error);
    case VERBS_WORK_RECEIVE:
        return on_record(sender, completion, error);
    case VERBS_WORK_CREDIT:
    case VERBS_WORK_CLOSE:
        break;
    }
    return haul_error_set(error, HAUL_IO, "ibv_poll_cq", 0,
                          "the RDMA device completed a request that was never made");
}

/* --- returning ------------------------------------------------------------------------------ */

static struct block *take_next(struct verbs_sender *sender)
{
    haul_assert(sender->returned < sender->submitted); /* V1 */
    struct block *block = *queued(sender, sender->returned);
    *queued(sender, sender->returned) = NULL;
    sender->returned++;
    return block;
}

struct block *verbs_sender_take_done(struct verbs_sender *sender)
{
    return sender->returned < sender->credit.freed && sender->returned < sender->completed
               ? take_next(sender)
               : NULL;
}

struct block *verbs_sender_take_rest(struct verbs_sender *sender, bool *freed)
{
    *freed = sender->returned < sender->credit.freed;
    return sender->returned < sender->submitted ? take_next(sender) : NULL;
}

bool verbs_sender_in_flight(const struct verbs_sender *sender)
{
    return sender->credit.freed < sender->submitted;
}

bool verbs_sender_waits_for_sends(const struct verbs_sender *sender)
{
    return sender->completed < sender->credit.freed ||
           sender->submitted - sender->completed >= sender->slot_count;
}

bool verbs_sender_has_news(const struct verbs_sender *sender)
{
    return sender->advanced ||
           (sender->returned < sender->credit.freed && sender->returned < sender->completed);
}
