/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_receiver.c — the receiving half of a TCP link.
 *
 *   HEADER --take_header: data--> PAYLOAD --finish_block: complete--> HEADER
 *   HEADER --take_header: SLOT_CLOSE--> ENDED
 *
 * Reads go straight into the block, READ_BYTES_MAX at a time, and the checksum of each read is
 * computed while the bytes are in the second-level cache. The read that can complete a payload
 * requests the next header too, so that a block in full flow costs no call for its header.
 *
 * Invariants:
 *  1. At most slot_count blocks are lent or being filled: credit_receiver_note_received refuses
 *     a header that came without a credit, so the pool always has a block for one that came with
 *     it.
 *  2. Outside state HEADER, `header` holds only bytes of the next header.
 *  3. The payload checksum is computed here and compared by the consumer. */
#include "tcp_receiver.h"

#include <string.h>
#include <sys/uio.h>

#include "assertion.h"
#include "crc32c.h"
#include "tcp_socket.h"

enum {
    READ_BYTES_MAX = 256 << 10,
    /* A sleep within a payload lasts until this many bytes wait. A fast sender pays for the
     * receiver's wake-ups: one for every segment would cost it a fifth of its speed. */
    WAKE_BYTES_MAX = 512 << 10,
};

static enum haul_status fail_sequence(const struct tcp_receiver *receiver,
                                      const struct slot_header *header, struct haul_error *error)
{
    if (header->epoch != receiver->epoch) {
        return haul_error_set(
            error, HAUL_FENCED, "", 0, "received a block of epoch %llu, expected %llu",
            (unsigned long long)header->epoch, (unsigned long long)receiver->epoch);
    }
    return haul_error_set(error, HAUL_PROTOCOL, "", 0, "received block %llu, expected %llu",
                          (unsigned long long)header->sequence,
                          (unsigned long long)receiver->next_sequence);
}

static enum haul_status start_block(struct tcp_receiver *receiver, const struct slot_header *header,
                                    struct haul_error *error)
{
    if (header->payload_size_bytes > receiver->payload_size_bytes_max) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0,
                              "a payload of %u bytes does not fit a slot of %u",
                              header->payload_size_bytes, receiver->payload_size_bytes_max);
    }
    enum haul_status status = credit_receiver_note_received(&receiver->credit);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "", 0, "received a block without a credit");
    }
    status = block_pool_acquire(receiver->pool, 0, &receiver->filling);
    haul_assert(status == HAUL_OK);
    receiver->filling->header = *header;
    receiver->filling->payload_crc_seen = 0;
    receiver->payload_bytes = 0;
    receiver->next_sequence++;
    receiver->state = TCP_RECEIVER_PAYLOAD;
    return HAUL_OK;
}

/* All 64 bytes have arrived. Before the bind, a data header waits. */
static enum haul_status take_header(struct tcp_receiver *receiver, struct haul_error *error)
{
    struct slot_header header;
    const char *why = "";
    enum haul_status status = slot_header_decode(receiver->header, &header, &why);
    if (status != HAUL_OK) {
        return haul_error_set(error, status, "", 0, "bad block header: %s", why);
    }
    if (header.epoch != receiver->epoch || header.sequence != receiver->next_sequence) {
        return fail_sequence(receiver, &header, error);
    }
    if (header.type == SLOT_CLOSE) {
        if (!slot_header_check_end(&header, &receiver->frames_key)) {
            return haul_error_set(error, HAUL_CORRUPT, "", 0, "the end of the blocks is damaged");
        }
        receiver->header_bytes = 0;
        receiver->state = TCP_RECEIVER_ENDED;
        return HAUL_OK;
    }
    if (header.type != SLOT_DATA) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0, "unknown block type %u", header.type);
    }
    if (!receiver->bound) {
        return HAUL_AGAIN;
    }
    receiver->header_bytes = 0;
    return start_block(receiver, &header, error);
}

static size_t payload_left(const struct tcp_receiver *receiver)
{
    return receiver->filling->header.payload_size_bytes - receiver->payload_bytes;
}

static struct block *finish_block(struct tcp_receiver *receiver)
{
    struct block *block = receiver->filling;
    receiver->filling = NULL;
    receiver->state = TCP_RECEIVER_HEADER;
    block->peer_writable = false;
    block->payload_crc_known = !receiver->sealed;
    block->state = BLOCK_LENT;
    receiver->stats->blocks_received++;
    return block;
}

/* Where the next bytes go: the payload, and the header after it if it is within reach. */
static size_t spread(struct tcp_receiver *receiver, struct iovec *parts, size_t *wanted_bytes)
{
    size_t count = 0;
    size_t payload = 0;
    if (receiver->state == TCP_RECEIVER_PAYLOAD) {
        size_t left = payload_left(receiver);
        payload = left < READ_BYTES_MAX ? left : READ_BYTES_MAX;
        parts[count++] =
            (struct iovec){.iov_base = block_payload(receiver->filling) + receiver->payload_bytes,
                           .iov_len = payload};
        if (payload < left) {
            *wanted_bytes = payload;
            return count;
        }
    }
    size_t header = sizeof(receiver->header) - receiver->header_bytes;
    parts[count++] =
        (struct iovec){.iov_base = receiver->header + receiver->header_bytes, .iov_len = header};
    *wanted_bytes = payload + header;
    return count;
}

static void note_received(struct tcp_receiver *receiver, size_t bytes)
{
    receiver->stats->bytes_received += bytes;
    if (receiver->state == TCP_RECEIVER_PAYLOAD) {
        struct block *block = receiver->filling;
        size_t left = payload_left(receiver);
        size_t payload = bytes < left ? bytes : left;
        if (!receiver->sealed) {
            block->payload_crc_seen = crc32c_extend(
                block->payload_crc_seen, block_payload(block) + receiver->payload_bytes, payload);
        }
        receiver->payload_bytes += payload;
        bytes -= payload;
    }
    receiver->header_bytes += bytes;
}

static enum haul_status read_some(struct tcp_receiver *receiver, struct haul_error *error)
{
    if (receiver->drained) {
        return HAUL_AGAIN;
    }
    struct iovec parts[2];
    size_t wanted;
    size_t received = 0;
    size_t count = spread(receiver, parts, &wanted);
    enum haul_status status = tcp_socket_receive(receiver->fd, parts, count, &received, error);
    if (status != HAUL_OK) {
        return status;
    }
    receiver->drained = received < wanted;
    note_received(receiver, received);
    return HAUL_OK;
}

enum haul_status tcp_receiver_init(struct tcp_receiver *receiver, int fd,
                                   const struct link_config *config, struct haul_link_stats *stats,
                                   struct haul_error *error)
{
    *receiver = (struct tcp_receiver){
        .state = TCP_RECEIVER_HEADER,
        .fd = fd,
        .stats = stats,
        .epoch = config->epoch,
        .first_sequence = config->first_sequence,
        .next_sequence = config->first_sequence,
        .payload_size_bytes_max = config->options.slot_size_bytes - SLOT_HEADER_BYTES,
        .frames_key = config->frames,
        .sealed = config->sealed,
    };
    credit_receiver_init(&receiver->credit, config->options.slot_count, config->epoch);
    return block_pool_create(config->options.slot_count, config->options.slot_size_bytes,
                             config->log, &receiver->pool, error);
}

void tcp_receiver_fini(struct tcp_receiver *receiver)
{
    if (receiver->pool != NULL) {
        block_pool_close(receiver->pool);
        block_pool_destroy(receiver->pool);
        receiver->pool = NULL;
    }
    explicit_bzero(&receiver->frames_key, sizeof(receiver->frames_key));
}

void tcp_receiver_bind(struct tcp_receiver *receiver, uint32_t slot_count)
{
    credit_receiver_init(&receiver->credit, slot_count, receiver->epoch);
    receiver->bound = true;
}

void tcp_receiver_begin(struct tcp_receiver *receiver)
{
    receiver->drained = false;
}

enum haul_status tcp_receiver_next(struct tcp_receiver *receiver, struct block **block,
                                   struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK) {
        if (receiver->state == TCP_RECEIVER_ENDED) {
            return HAUL_AGAIN;
        }
        if (receiver->state == TCP_RECEIVER_PAYLOAD && payload_left(receiver) == 0) {
            *block = finish_block(receiver);
            return HAUL_OK;
        }
        if (receiver->state == TCP_RECEIVER_HEADER &&
            receiver->header_bytes == sizeof(receiver->header)) {
            status = take_header(receiver, error);
        } else {
            status = read_some(receiver, error);
        }
    }
    return status;
}

void tcp_receiver_release(struct tcp_receiver *receiver, struct block *block)
{
    credit_receiver_release(&receiver->credit, block->header.sequence - receiver->first_sequence);
    block_pool_release(receiver->pool, block);
}

static enum haul_status write_frame(struct tcp_receiver *receiver, struct haul_error *error)
{
    while (receiver->frame_bytes_left > 0) {
        const struct iovec rest = {.iov_base = receiver->frame + sizeof(receiver->frame) -
                                               receiver->frame_bytes_left,
                                   .iov_len = receiver->frame_bytes_left};
        size_t sent = 0;
        enum haul_status status = tcp_socket_send(receiver->fd, &rest, 1, &sent, error);
        if (status != HAUL_OK) {
            return status;
        }
        receiver->stats->bytes_sent += sent;
        receiver->frame_bytes_left -= sent;
    }
    return HAUL_OK;
}

static void put_frame(struct tcp_receiver *receiver, enum tcp_frame_kind kind)
{
    struct credit_frame frame;
    credit_receiver_report(&receiver->credit, &frame);
    tcp_frame_encode(kind, &frame, &receiver->frames_key, receiver->frame);
    receiver->frame_bytes_left = sizeof(receiver->frame);
    receiver->stats->credits_sent++;
}

enum haul_status tcp_receiver_report(struct tcp_receiver *receiver, bool idle,
                                     struct haul_error *error)
{
    enum haul_status status = write_frame(receiver, error);
    if (status != HAUL_OK || receiver->ended) {
        return status;
    }
    if (receiver->ending) {
        put_frame(receiver, TCP_FRAME_END);
        receiver->ended = true;
    } else if (credit_receiver_due(&receiver->credit, idle)) {
        put_frame(receiver, TCP_FRAME_CREDIT);
    }
    return write_frame(receiver, error);
}

void tcp_receiver_end(struct tcp_receiver *receiver)
{
    receiver->ending = true;
}

bool tcp_receiver_in_flight(const struct tcp_receiver *receiver)
{
    return receiver->credit.freed < receiver->credit.received || tcp_receiver_awaits_bind(receiver);
}

bool tcp_receiver_all_reported(const struct tcp_receiver *receiver)
{
    return receiver->credit.reported_freed == receiver->credit.received;
}

bool tcp_receiver_has_news(const struct tcp_receiver *receiver)
{
    bool block_complete = receiver->state == TCP_RECEIVER_PAYLOAD && payload_left(receiver) == 0;
    bool header_complete = receiver->state == TCP_RECEIVER_HEADER && receiver->bound &&
                           receiver->header_bytes == sizeof(receiver->header);
    bool credit_waits = !receiver->ended && receiver->frame_bytes_left == 0 &&
                        credit_receiver_due(&receiver->credit, true);
    return block_complete || header_complete || credit_waits;
}

enum haul_status tcp_receiver_arm(struct tcp_receiver *receiver, struct haul_error *error)
{
    size_t wanted = 1;
    if (receiver->state == TCP_RECEIVER_PAYLOAD) {
        /* No more than the rest of the payload: nothing need follow it. */
        size_t left = payload_left(receiver);
        wanted = left < WAKE_BYTES_MAX ? left : WAKE_BYTES_MAX;
    }
    if (wanted == receiver->wake_bytes) {
        return HAUL_OK;
    }
    enum haul_status status = tcp_socket_wake_at(receiver->fd, wanted, error);
    if (status == HAUL_OK) {
        receiver->wake_bytes = wanted;
    }
    return status;
}

bool tcp_receiver_awaits_bind(const struct tcp_receiver *receiver)
{
    return !receiver->bound && receiver->state == TCP_RECEIVER_HEADER &&
           receiver->header_bytes == sizeof(receiver->header);
}

bool tcp_receiver_wants_bytes(const struct tcp_receiver *receiver)
{
    return receiver->state == TCP_RECEIVER_PAYLOAD ||
           (receiver->state == TCP_RECEIVER_HEADER &&
            receiver->header_bytes < sizeof(receiver->header));
}

bool tcp_receiver_unwritten(const struct tcp_receiver *receiver)
{
    return receiver->frame_bytes_left > 0 || (receiver->ending && !receiver->ended);
}
