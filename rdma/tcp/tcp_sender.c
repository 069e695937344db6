/* SPDX-License-Identifier: Apache-2.0 */
/* tcp_sender.c — the sending half of a TCP link.
 *
 * Header and payload of a block lie side by side in its slot, so a block is one piece of a
 * gathering send, straight from the block's memory. A submit writes at once: the kernel copies
 * while the payload is still in the cache of its producer. Blocks that find the socket full wait
 * in the queue, and many of them go out in one call. */
#include "tcp_sender.h"

#include <string.h>
#include <sys/uio.h>

#include "assertion.h"
#include "planted_bug.h"
#include "tcp_socket.h"

enum {
    PARTS_PER_SEND = 16,
};

static struct block **queued(struct tcp_sender *sender, uint64_t number)
{
    return &sender->queue[number % HAUL_SLOT_COUNT_MAX];
}

static size_t frame_bytes(const struct block *block)
{
    return SLOT_HEADER_BYTES + (size_t)block->header.payload_size_bytes;
}

/* What to send next: the rest of the current block, further blocks, and the end after the last. */
static size_t gather(struct tcp_sender *sender, struct iovec *parts)
{
    size_t count = 0;
    size_t skip = sender->written_bytes;
    for (uint64_t n = sender->written; n < sender->submitted && count < PARTS_PER_SEND; n++) {
        const struct block *block = *queued(sender, n);
        parts[count++] =
            (struct iovec){.iov_base = block->data + skip, .iov_len = frame_bytes(block) - skip};
        skip = 0;
    }
    if (sender->end_bytes_left > 0 && count < PARTS_PER_SEND) {
        parts[count++] =
            (struct iovec){.iov_base = sender->end + sizeof(sender->end) - sender->end_bytes_left,
                           .iov_len = sender->end_bytes_left};
    }
    return count;
}

static void note_written(struct tcp_sender *sender, size_t bytes)
{
    sender->stats->bytes_sent += bytes;
    while (bytes > 0 && sender->written < sender->submitted) {
        size_t left = frame_bytes(*queued(sender, sender->written)) - sender->written_bytes;
        if (bytes < left) {
            sender->written_bytes += bytes;
            return;
        }
        bytes -= left;
        sender->written++;
        sender->written_bytes = 0;
        sender->stats->blocks_sent++;
    }
    haul_debug_assert(bytes <= sender->end_bytes_left);
    sender->end_bytes_left -= bytes;
}

static enum haul_status fail_frame(enum haul_status status, struct haul_error *error)
{
    const char *why = status == HAUL_FENCED    ? "the credit is of another epoch"
                      : status == HAUL_CORRUPT ? "a credit frame is damaged"
                                               : "a credit frame has impossible counts";
    return haul_error_set(error, status, "", 0, "%s", why);
}

static enum haul_status take_frame(struct tcp_sender *sender, const uint8_t *at,
                                   struct haul_error *error)
{
    enum tcp_frame_kind kind;
    struct credit_frame frame;
    enum haul_status status = tcp_frame_decode(at, &sender->frames_key, &kind, &frame);
    if (status != HAUL_OK) {
        return fail_frame(status, error);
    }
    /* The peer cannot have read bytes that the kernel does not have yet, nor anything before the
     * bind. */
    if (frame.freed > sender->written || frame.applied > sender->written || /* C2 */
        sender->peer_ended) {
        return fail_frame(HAUL_PROTOCOL, error);
    }
    bool advanced = false;
    status = credit_sender_take(&sender->credit, &frame, &advanced);
    if (status != HAUL_OK) {
        return fail_frame(status, error);
    }
    sender->advanced = sender->advanced || advanced;
    sender->peer_ended = kind == TCP_FRAME_END;
    sender->stats->credits_received++;
    return HAUL_OK;
}

static enum haul_status take_frames(struct tcp_sender *sender, struct haul_error *error)
{
    size_t at = 0;
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && sender->frame_bytes - at >= TCP_FRAME_BYTES) {
        status = take_frame(sender, sender->frames + at, error);
        at += TCP_FRAME_BYTES;
    }
    sender->frame_bytes -= at;
    memmove(sender->frames, sender->frames + at, sender->frame_bytes);
    return status;
}

enum haul_status tcp_sender_init(struct tcp_sender *sender, int fd,
                                 const struct link_config *config, struct haul_link_stats *stats,
                                 struct haul_error *error)
{
    *sender = (struct tcp_sender){
        .fd = fd,
        .stats = stats,
        .epoch = config->epoch,
        .next_sequence = config->first_sequence,
        .frames_key = config->frames,
    };
    /* The ring's size is unknown until the bind; the link submits nothing before. */
    credit_sender_init(&sender->credit, config->options.slot_count, config->epoch);
    if (config->pool != NULL) {
        sender->pool = config->pool;
        return HAUL_OK;
    }
    sender->owns_pool = true;
    return block_pool_create(config->options.slot_count, config->options.slot_size_bytes,
                             config->log, &sender->pool, error);
}

void tcp_sender_fini(struct tcp_sender *sender)
{
    if (sender->owns_pool && sender->pool != NULL) {
        block_pool_close(sender->pool);
        block_pool_destroy(sender->pool);
    }
    sender->pool = NULL;
    explicit_bzero(&sender->frames_key, sizeof(sender->frames_key));
}

void tcp_sender_bind(struct tcp_sender *sender, uint32_t slot_count)
{
    credit_sender_init(&sender->credit, slot_count, sender->epoch);
}

enum haul_status tcp_sender_submit(struct tcp_sender *sender, struct block *block)
{
    if (!credit_sender_can_submit(&sender->credit)) {
        return HAUL_AGAIN;
    }
    haul_assert(sender->submitted - sender->returned < HAUL_SLOT_COUNT_MAX); /* C3 */
    block->header.type = SLOT_DATA;
    block->header.epoch = sender->epoch;
    block->header.sequence = sender->next_sequence++;
    slot_header_encode(&block->header, block->data);
    credit_sender_note_submitted(&sender->credit);
    *queued(sender, sender->submitted) = block;
    sender->submitted++;
    return HAUL_OK;
}

enum haul_status tcp_sender_write(struct tcp_sender *sender, struct haul_error *error)
{
    while (tcp_sender_unwritten(sender)) {
        struct iovec parts[PARTS_PER_SEND];
        size_t count = gather(sender, parts);
        size_t sent = 0;
        enum haul_status status = tcp_socket_send(sender->fd, parts, count, &sent, error);
        if (status != HAUL_OK) {
            return status;
        }
        note_written(sender, sent);
    }
    return HAUL_OK;
}

enum haul_status tcp_sender_read(struct tcp_sender *sender, struct haul_error *error)
{
    if (sender->peer_ended) {
        return HAUL_AGAIN;
    }
    const struct iovec room = {.iov_base = sender->frames + sender->frame_bytes,
                               .iov_len = sizeof(sender->frames) - sender->frame_bytes};
    size_t received = 0;
    enum haul_status status = tcp_socket_receive(sender->fd, &room, 1, &received, error);
    if (status != HAUL_OK) {
        return status;
    }
    sender->stats->bytes_received += received;
    sender->frame_bytes += received;
    return take_frames(sender, error);
}

static struct block *take_next(struct tcp_sender *sender)
{
    haul_assert(sender->returned < sender->submitted); /* C1 */
    struct block *block = *queued(sender, sender->returned);
    *queued(sender, sender->returned) = NULL;
    sender->returned++;
    return block;
}

struct block *tcp_sender_take_freed(struct tcp_sender *sender)
{
    uint64_t free = HAUL_PLANTED_BUG(EARLY_REUSE) ? sender->submitted : sender->credit.freed;
    return sender->returned < free ? take_next(sender) : NULL;
}

struct block *tcp_sender_take_cancelled(struct tcp_sender *sender)
{
    return sender->returned < sender->submitted ? take_next(sender) : NULL;
}

void tcp_sender_end(struct tcp_sender *sender)
{
    if (sender->ending) {
        return;
    }
    struct slot_header header = {
        .type = SLOT_CLOSE, .epoch = sender->epoch, .sequence = sender->next_sequence};
    slot_header_tag_end(&header, &sender->frames_key);
    slot_header_encode(&header, sender->end);
    sender->end_bytes_left = sizeof(sender->end);
    sender->ending = true;
}

bool tcp_sender_in_flight(const struct tcp_sender *sender)
{
    return sender->credit.freed < sender->submitted;
}

bool tcp_sender_unwritten(const struct tcp_sender *sender)
{
    return sender->written < sender->submitted || sender->end_bytes_left > 0;
}

bool tcp_sender_has_news(const struct tcp_sender *sender)
{
    return sender->advanced || sender->returned < sender->credit.freed;
}
