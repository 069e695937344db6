/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_receiver.c — the receiving half of a verbs link. */
#include "verbs_receiver.h"

#include <string.h>

#include "assertion.h"
#include "slot_header.h"

/* --- making --------------------------------------------------------------------------------- */

void verbs_receiver_init(struct verbs_receiver *receiver, struct verbs_endpoint *endpoint,
                         const struct link_config *config, struct haul_link_stats *stats)
{
    *receiver = (struct verbs_receiver){
        .endpoint = endpoint,
        .stats = stats,
        .slot_count = config->options.slot_count,
        .slot_size_bytes = config->options.slot_size_bytes,
        .epoch = config->epoch,
        .frames_key = config->frames,
        .first_sequence = config->first_sequence,
        .next_sequence = config->first_sequence,
    };
    credit_receiver_init(&receiver->credit, receiver->slot_count, receiver->epoch);
}

static void drop_ring(struct verbs_receiver *receiver)
{
    if (receiver->pool != NULL) {
        block_pool_close(receiver->pool);
        block_pool_destroy(receiver->pool);
        receiver->pool = NULL;
    }
}

void verbs_receiver_fini(struct verbs_receiver *receiver)
{
    drop_ring(receiver);
    pages_unmap(&receiver->record);
    explicit_bzero(&receiver->frames_key, sizeof(receiver->frames_key));
}

/* From now on, anything but zeros there means that the peer has written to the slot. */
static void clear_header(struct block *slot)
{
    memset(slot->data, 0, SLOT_HEADER_BYTES);
}

static enum haul_status make_ring(struct verbs_receiver *receiver, const struct haul_log *log,
                                  struct haul_error *error)
{
    enum haul_status status = block_pool_create(receiver->slot_count, receiver->slot_size_bytes,
                                                log, &receiver->pool, error);
    if (status != HAUL_OK) {
        return status;
    }
    /* The bytes of a block may land in any order: the completion comes after all of them. */
    struct verbs_memory ring = {.access = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
                                          IBV_ACCESS_RELAXED_ORDERING};
    ring.data = block_pool_arena(receiver->pool, &ring.size_bytes);
    status = verbs_device_register(&receiver->endpoint->device, &ring, &receiver->ring, error);
    if (status != HAUL_OK) {
        drop_ring(receiver);
        return status;
    }
    for (uint32_t i = 0; i < receiver->slot_count; i++) {
        clear_header(block_pool_at(receiver->pool, i));
    }
    return HAUL_OK;
}

/* Memory that the posting call does not copy must be registered. */
static enum haul_status make_record(struct verbs_receiver *receiver, const struct haul_log *log,
                                    struct haul_error *error)
{
    enum haul_status status =
        pages_map(&receiver->record, CREDIT_FRAME_BYTES, "credit frame", log, error);
    if (status != HAUL_OK) {
        return status;
    }
    const struct verbs_memory memory = {.data = receiver->record.data,
                                        .size_bytes = CREDIT_FRAME_BYTES};
    return verbs_device_register(&receiver->endpoint->device, &memory, &receiver->record_region,
                                 error);
}

enum haul_status verbs_receiver_attach(struct verbs_receiver *receiver, const struct haul_log *log,
                                       struct haul_error *error)
{
    enum haul_status status = make_ring(receiver, log, error);
    while ((status == HAUL_LIMIT || status == HAUL_NO_MEMORY) &&
           receiver->slot_count / 2 >= VERBS_RECEIVER_SLOTS_MIN) {
        haul_log(log, HAUL_LOG_WARNING, "cannot register a ring of %u slots; trying %u",
                 receiver->slot_count, receiver->slot_count / 2);
        receiver->slot_count /= 2;
        status = make_ring(receiver, log, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    credit_receiver_init(&receiver->credit, receiver->slot_count, receiver->epoch);
    status = verbs_endpoint_open_queue(receiver->endpoint, VERBS_QUEUE_SPARE,
                                       receiver->slot_count + VERBS_QUEUE_SPARE, error);
    return status == HAUL_OK && !receiver->endpoint->queue.inlines
               ? make_record(receiver, log, error)
               : status;
}

void verbs_receiver_detach(struct verbs_receiver *receiver)
{
    verbs_device_unregister(&receiver->endpoint->device, receiver->record_region);
    verbs_device_unregister(&receiver->endpoint->device, receiver->ring);
    receiver->record_region = NULL;
    receiver->ring = NULL;
}

void verbs_receiver_describe(const struct verbs_receiver *receiver,
                             struct verbs_description *description)
{
    uint64_t ignored;
    *description = (struct verbs_description){
        .sending = false,
        .slot_count = receiver->slot_count,
        .slot_size_bytes = receiver->slot_size_bytes,
        .address = (uint64_t)(uintptr_t)block_pool_arena(receiver->pool, &ignored),
        .rkey = receiver->ring->rkey,
        .message_bytes_max = receiver->endpoint->device.message_bytes_max,
    };
}

void verbs_receiver_bind(struct verbs_receiver *receiver, const struct verbs_description *records,
                         uint32_t slot_count)
{
    receiver->record_address = records->address;
    receiver->record_rkey = records->rkey;
    receiver->record_count = records->record_count;
    credit_receiver_init(&receiver->credit, slot_count, receiver->epoch);
    receiver->bound = true;
}

/* --- blocks --------------------------------------------------------------------------------- */

static enum haul_status fail_header(const struct verbs_receiver *receiver,
                                    const struct slot_header *header, struct haul_error *error)
{
    if (header->epoch != receiver->epoch) {
        return haul_error_set(
            error, HAUL_FENCED, "", 0, "received a block of epoch %llu, expected %llu",
            (unsigned long long)header->epoch, (unsigned long long)receiver->epoch);
    }
    return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                          "received block %llu of type %u, expected %llu",
                          (unsigned long long)header->sequence, header->type,
                          (unsigned long long)receiver->next_sequence);
}

/* The header in the slot must be sound and agree with the completion. */
static enum haul_status check_header(const struct verbs_receiver *receiver, const uint8_t *bytes,
                                     uint32_t size_bytes, struct slot_header *header,
                                     struct haul_error *error)
{
    const char *why = "";
    enum haul_status status = slot_header_decode(bytes, header, &why);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "", 0, "bad block header: %s", why);
    }
    if (header->epoch != receiver->epoch || header->sequence != receiver->next_sequence ||
        header->type != SLOT_DATA) {
        return fail_header(receiver, header, error);
    }
    if (size_bytes - SLOT_HEADER_BYTES != header->payload_size_bytes) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "received %u bytes for a block of %u bytes", size_bytes,
                              header->payload_size_bytes);
    }
    return HAUL_OK;
}

/* The slot of the next block, and a copy of its header: the peer can write to the slot at any
 * time. */
static struct block *next_slot(const struct verbs_receiver *receiver,
                               uint8_t bytes[SLOT_HEADER_BYTES])
{
    uint64_t number = receiver->next_sequence - receiver->first_sequence;
    struct block *block = block_pool_at(receiver->pool, (uint32_t)(number % receiver->slot_count));
    memcpy(bytes, block->data, SLOT_HEADER_BYTES);
    return block;
}

static enum haul_status on_block(struct verbs_receiver *receiver,
                                 const struct verbs_completion *completion, struct block **arrived,
                                 struct haul_error *error)
{
    uint8_t bytes[SLOT_HEADER_BYTES];
    struct block *block = next_slot(receiver, bytes);
    struct slot_header header;
    enum haul_status status = check_header(receiver, bytes, completion->size_bytes, &header, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = credit_receiver_note_received(&receiver->credit);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "", 0, "received a block without a credit");
    }
    haul_assert(block->state == BLOCK_FREE);
    block->state = BLOCK_LENT;
    block->header = header;
    block->peer_writable = true;
    block->payload_crc_known = false;
    receiver->next_sequence++;
    receiver->stats->blocks_received++;
    receiver->stats->bytes_received += completion->size_bytes;
    *arrived = block;
    return HAUL_OK;
}

enum haul_status verbs_receiver_on_completion(struct verbs_receiver *receiver,
                                              const struct verbs_completion *completion,
                                              struct block **block, struct haul_error *error)
{
    *block = NULL;
    if (completion->kind == VERBS_WORK_CREDIT) {
        receiver->record_in_flight = false;
        return HAUL_OK;
    }
    if (completion->kind != VERBS_WORK_RECEIVE) {
        return haul_error_set(error, HAUL_IO, "ibv_poll_cq", 0,
                              "the RDMA device completed a request that was never made");
    }
    if (!completion->with_immediate || imm_type(completion->immediate) != SLOT_DATA ||
        imm_distance(completion->immediate, receiver->next_sequence) != 0) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer announced 0x%x, expected block %llu", completion->immediate,
                              (unsigned long long)receiver->next_sequence);
    }
    if (completion->size_bytes < SLOT_HEADER_BYTES ||
        completion->size_bytes > receiver->slot_size_bytes) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "the peer wrote %u bytes into a slot of %u", completion->size_bytes,
                              receiver->slot_size_bytes);
    }
    return on_block(receiver, completion, block, error);
}

enum haul_status verbs_receiver_release(struct verbs_receiver *receiver, struct block *block,
                                        bool post, struct haul_error *error)
{
    enum haul_status status =
        post ? verbs_queue_post_receive(&receiver->endpoint->queue, error) : HAUL_OK;
    clear_header(block);
    block->state = BLOCK_FREE;
    credit_receiver_release(&receiver->credit, block->header.sequence - receiver->first_sequence);
    return status;
}

/* --- records -------------------------------------------------------------------------------- */

enum haul_status verbs_receiver_report(struct verbs_receiver *receiver, bool idle,
                                       struct haul_error *error)
{
    if (!receiver->bound || receiver->record_in_flight ||
        !credit_receiver_due(&receiver->credit, idle)) {
        return HAUL_OK;
    }
    struct credit_frame record;
    uint8_t bytes[CREDIT_FRAME_BYTES];
    credit_receiver_report(&receiver->credit, &record);
    credit_frame_encode(&record, CREDIT_RECORD_MAGIC, &receiver->frames_key, bytes);
    bool inlined = receiver->record_region == NULL;
    if (!inlined) {
        memcpy(receiver->record.data, bytes, sizeof(bytes)); /* the frame before it has arrived */
    }
    const struct verbs_write write = {
        .kind = VERBS_WORK_CREDIT,
        .data = inlined ? bytes : receiver->record.data,
        .size_bytes = sizeof(bytes),
        .lkey = inlined ? 0 : receiver->record_region->lkey,
        .urgent = true,
        .inlined = inlined,
        .remote_address = receiver->record_address +
                          receiver->next_record % receiver->record_count * CREDIT_FRAME_BYTES,
        .rkey = receiver->record_rkey,
        .immediate = imm_pack(SLOT_CREDIT, receiver->next_record),
    };
    enum haul_status status = verbs_queue_write(&receiver->endpoint->queue, &write, error);
    if (status == HAUL_OK) {
        receiver->next_record++;
        receiver->record_in_flight = true;
        receiver->stats->credits_sent++;
        receiver->stats->bytes_sent += sizeof(bytes);
    }
    return status;
}

bool verbs_receiver_in_flight(const struct verbs_receiver *receiver)
{
    return receiver->credit.freed < receiver->credit.received;
}

bool verbs_receiver_has_arrival(const struct verbs_receiver *receiver)
{
    if (receiver->pool == NULL || !receiver->bound) {
        return false;
    }
    uint8_t bytes[SLOT_HEADER_BYTES];
    const struct block *slot = next_slot(receiver, bytes);
    static const uint8_t cleared[SLOT_HEADER_BYTES];
    return slot->state == BLOCK_FREE && memcmp(bytes, cleared, sizeof(bytes)) != 0;
}

bool verbs_receiver_all_reported(const struct verbs_receiver *receiver)
{
    return receiver->credit.reported_freed == receiver->credit.received;
}

bool verbs_receiver_waits_for_sends(const struct verbs_receiver *receiver, bool idle)
{
    return receiver->record_in_flight && credit_receiver_due(&receiver->credit, idle);
}

bool verbs_receiver_has_news(const struct verbs_receiver *receiver)
{
    return receiver->bound && !receiver->record_in_flight &&
           credit_receiver_due(&receiver->credit, true);
}
