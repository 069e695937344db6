/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_link.c — the link contract in memory, between two threads of one process: the reference
 * for the other backends.
 *
 * An end changes the shared pipe under its lock and wakes the other end's eventfd; link_poll turns
 * the changes into events. link_poll empties the eventfd first, so that later changes wake again;
 * link_arm (has_work) sees what a poll left for lack of room.
 *
 * The end, for each side (in the pipe, see enum loopback_end):
 *
 *   OPEN --link_close, nothing in flight----> CLOSING --peer is CLOSING too (is_over)--> CLOSED(OK)
 *   OPEN --peer CLOSING, nothing in flight--> CLOSING   (answer_peer)
 *   OPEN --link_close with blocks in flight-> GONE      CLOSED(CANCELLED)
 *   OPEN --a failure, once reported---------> GONE      CLOSED(failure)
 *   OPEN --link_destroy---------------------> GONE
 *
 * Invariants: 1. the ring's slot of block n is n % slot_count, the same on both sides; 2. an end
 * that is not OPEN never changes again; 3. `returned` <= freed + cancelled <= submitted. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "assertion.h"
#include "bytes.h"
#include "credit.h"
#include "link_ops.h"
#include "loopback_link.h"
#include "loopback_listener.h"
#include "loopback_pipe.h"

enum { DESCRIPTION_BYTES = 12 };
#define DESCRIPTION_MAGIC UINT32_C(0x504f4f4c) /* "LOOP" */

struct loopback_link {
    struct link base;
    struct loopback_pipe *pipe;
    struct block_pool *pool; /* sender's */
    bool owns_pool;
    bool connected_reported;
    bool closing; /* our end is set: CLOSING or GONE */
    uint64_t deadline_ns;
    struct haul_error failure; /* status not OK: report CLOSED with it */
    /* Sender. */
    struct credit_sender sender_credit;
    uint64_t credits_seen;
    struct block *in_flight[HAUL_SLOT_COUNT_MAX];
    uint64_t returned;
    /* Receiver. */
    struct credit_receiver receiver_credit;
    uint64_t taken;
    /* Both: of the next block sent or received. */
    uint64_t next_sequence;
};

static struct loopback_link *loopback_of(const struct link *base)
{
    return (struct loopback_link *)(uintptr_t)base;
}

static void fail(struct loopback_link *link, enum haul_status status, const char *text)
{
    if (link->failure.status == HAUL_OK) {
        haul_error_set(&link->failure, status, NULL, 0, "%s", text);
    }
}

static enum loopback_end peer_end(const struct loopback_link *link)
{
    return link->base.sending ? link->pipe->receiver : link->pipe->sender;
}

/* Set our end, unless it is set already. Pipe lock held. */
static void say_end(struct loopback_link *link, enum loopback_end end)
{
    struct loopback_pipe *pipe = link->pipe;
    enum loopback_end *own = link->base.sending ? &pipe->sender : &pipe->receiver;
    link->closing = true;
    *own = *own == LOOPBACK_OPEN ? end : *own;
    loopback_pipe_wake(pipe->sender_fd);
    loopback_pipe_wake(pipe->receiver_fd);
}

/* Blocks that the peer has sent and this end has not taken. Pipe lock held. */
static bool has_arrived(const struct loopback_link *link)
{
    return !link->base.sending && link->taken < link->pipe->arrived;
}

/* --- connecting ------------------------------------------------------------------------------- */

static struct loopback_link *link_new(const struct link_config *config, struct loopback_pipe *pipe,
                                      bool sending)
{
    struct loopback_link *link = calloc(1, sizeof(*link));
    if (link != NULL) {
        link->base.ops = &loopback_link_ops;
        link->base.config = *config;
        link->base.sending = sending;
        link->pipe = pipe;
        link->next_sequence = config->first_sequence;
        link->deadline_ns = clock_deadline_ns(config->clock, config->options.peer_timeout_ms);
    }
    return link;
}

static enum haul_status add_pool(struct loopback_link *link, struct haul_error *error)
{
    const struct link_config *config = &link->base.config;
    link->pool = config->pool;
    if (link->pool != NULL) {
        return HAUL_OK;
    }
    link->owns_pool = true;
    return block_pool_create(config->options.slot_count, config->options.slot_size_bytes,
                             config->log, &link->pool, error);
}

static void free_link(struct loopback_link *link)
{
    if (link->owns_pool && link->pool != NULL) {
        block_pool_close(link->pool);
        block_pool_destroy(link->pool);
    }
    loopback_pipe_drop(link->pipe);
    free(link);
}

static enum haul_status loopback_connect(const struct link_address *address,
                                         const struct link_ticket *ticket,
                                         const struct link_config *config, struct link **out,
                                         struct haul_error *error)
{
    struct loopback_pipe *pipe = NULL;
    enum haul_status status = loopback_pipe_create(ticket, &pipe, error);
    if (status != HAUL_OK) {
        return status;
    }
    struct loopback_link *link = link_new(config, pipe, true);
    if (link == NULL) {
        loopback_pipe_drop(pipe);
        loopback_pipe_drop(pipe);
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a link");
    }
    status = add_pool(link, error);
    if (status == HAUL_OK) {
        status = loopback_knock(config->hub, address, pipe, error);
    }
    if (status != HAUL_OK) {
        loopback_pipe_drop(pipe); /* the listener's reference */
        free_link(link);
        return status;
    }
    *out = &link->base;
    return HAUL_OK;
}

enum haul_status loopback_link_adopt(struct loopback_pipe *pipe, const struct link_config *config,
                                     struct link **out, struct haul_error *error)
{
    struct loopback_link *link = link_new(config, pipe, false);
    if (link == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a link");
    }
    enum haul_status status =
        block_pool_create(config->options.slot_count, config->options.slot_size_bytes, config->log,
                          &pipe->ring, error);
    if (status != HAUL_OK) {
        free(link); /* the caller keeps the reference */
        return status;
    }
    *out = &link->base;
    return HAUL_OK;
}

static struct block_pool *loopback_pool(struct link *base)
{
    return loopback_of(base)->pool;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static enum haul_status loopback_submit(struct link *base, struct block *block)
{
    struct loopback_link *link = loopback_of(base);
    struct loopback_pipe *pipe = link->pipe;
    if (link->failure.status != HAUL_OK || link->closing) {
        return HAUL_CLOSED;
    }
    if (!credit_sender_can_submit(&link->sender_credit)) {
        return HAUL_AGAIN;
    }
    block->header.type = SLOT_DATA;
    block->header.epoch = base->config.epoch;
    block->header.sequence = link->next_sequence++;
    slot_header_encode(&block->header, block->data);
    size_t size = SLOT_HEADER_BYTES + block->header.payload_size_bytes;
    (void)pthread_mutex_lock(&pipe->lock);
    struct block *slot = block_pool_at(pipe->ring, (uint32_t)(pipe->arrived % base->slot_count));
    memcpy(slot->data, block->data, size);
    pipe->arrived++;
    loopback_pipe_wake(pipe->receiver_fd);
    (void)pthread_mutex_unlock(&pipe->lock);
    link->in_flight[link->sender_credit.submitted % HAUL_SLOT_COUNT_MAX] = block;
    credit_sender_note_submitted(&link->sender_credit);
    block->state = BLOCK_IN_FLIGHT;
    base->stats.blocks_sent++;
    base->stats.bytes_sent += size;
    return HAUL_OK;
}

static void send_credit(struct loopback_link *link, bool idle)
{
    struct loopback_pipe *pipe = link->pipe;
    if (link->base.sending || !link->base.bound ||
        !credit_receiver_due(&link->receiver_credit, idle)) {
        return;
    }
    (void)pthread_mutex_lock(&pipe->lock);
    credit_receiver_report(&link->receiver_credit, &pipe->credit);
    pipe->credits++;
    loopback_pipe_wake(pipe->sender_fd);
    (void)pthread_mutex_unlock(&pipe->lock);
    link->base.stats.credits_sent++;
    link->base.stats.bytes_sent += CREDIT_FRAME_BYTES;
}

static void loopback_release(struct link *base, struct block *block)
{
    struct loopback_link *link = loopback_of(base);
    /* Slots are taken in order, so the slot and the count of taken blocks give the ordinal. */
    uint64_t behind = (link->taken - 1 - block->index) % base->slot_count;
    block->state = BLOCK_FREE;
    credit_receiver_release(&link->receiver_credit, link->taken - 1 - behind);
    send_credit(link, false);
}

static void loopback_note_applied(struct link *base, uint64_t count)
{
    struct loopback_link *link = loopback_of(base);
    credit_receiver_note_applied(&link->receiver_credit, count);
    send_credit(link, false);
}

/* --- describe and bind ------------------------------------------------------------------------ */

static size_t loopback_describe(const struct link *base, uint8_t *description)
{
    put_u32(description, DESCRIPTION_MAGIC);
    put_u32(description + 4, base->config.options.slot_count);
    put_u32(description + 8, base->config.options.slot_size_bytes);
    return DESCRIPTION_BYTES;
}

static enum haul_status loopback_bind(struct link *base, const uint8_t *description,
                                      size_t size_bytes, struct haul_error *error)
{
    struct loopback_link *link = loopback_of(base);
    const struct haul_link_options *options = &base->config.options;
    struct cursor cursor = cursor_of(description, size_bytes);
    uint32_t magic = cursor_u32(&cursor);
    uint32_t slot_count = cursor_u32(&cursor);
    uint32_t slot_size = cursor_u32(&cursor);
    if (link->closing || link->failure.status != HAUL_OK) {
        return haul_error_set(error, HAUL_CLOSED, NULL, 0, "the link is not open");
    }
    if (cursor.failed || cursor_left(&cursor) != 0 || magic != DESCRIPTION_MAGIC ||
        slot_count == 0 || slot_count > HAUL_SLOT_COUNT_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "malformed link description");
    }
    if (slot_size != options->slot_size_bytes) {
        return haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                              "the peer's slots have %u bytes, ours %u", slot_size,
                              options->slot_size_bytes);
    }
    base->slot_count = slot_count < options->slot_count ? slot_count : options->slot_count;
    base->payload_size_bytes_max = slot_size - SLOT_HEADER_BYTES;
    credit_sender_init(&link->sender_credit, base->slot_count, base->config.epoch);
    credit_receiver_init(&link->receiver_credit, base->slot_count, base->config.epoch);
    return HAUL_OK;
}

/* --- polling ---------------------------------------------------------------------------------- */

static struct link_event *add(struct link_event *events, size_t *count, enum link_event_type type)
{
    struct link_event *event = &events[(*count)++];
    memset(event, 0, sizeof(*event));
    event->type = type;
    return event;
}

/* Take the accepting side's answer, once. Pipe lock held. */
static void take_answer(struct loopback_link *link, struct link_event *events, size_t *count)
{
    const struct loopback_pipe *pipe = link->pipe;
    if (link->connected_reported || !pipe->answered || link->failure.status != HAUL_OK) {
        return;
    }
    if (pipe->answer != HAUL_OK) {
        fail(link, pipe->answer, "the peer refused the link");
        return;
    }
    link->connected_reported = true;
    link->deadline_ns = link->closing ? link->deadline_ns : CLOCK_NEVER;
    (void)add(events, count, LINK_CONNECTED);
}

/* Take the newest credit frame. Pipe lock held. */
static void take_credit(struct loopback_link *link, struct link_event *events, size_t *count)
{
    const struct loopback_pipe *pipe = link->pipe;
    bool advanced = false;
    if (!link->base.sending || !link->base.bound || link->credits_seen == pipe->credits) {
        return;
    }
    link->credits_seen = pipe->credits;
    link->base.stats.credits_received++;
    link->base.stats.bytes_received += CREDIT_FRAME_BYTES;
    enum haul_status status = credit_sender_take(&link->sender_credit, &pipe->credit, &advanced);
    if (status != HAUL_OK) {
        fail(link, status, "an invalid credit frame");
    } else if (advanced) {
        link->base.freed_count = link->sender_credit.freed;
        link->base.applied_count = link->sender_credit.applied;
        (void)add(events, count, LINK_CREDIT);
    }
}

/* The peer has closed in order: this end does too, unless blocks are left. */
static void answer_peer(struct loopback_link *link)
{
    if (link->base.sending && link->sender_credit.freed < link->sender_credit.submitted) {
        fail(link, HAUL_CLOSED, "the peer closed while blocks were in flight");
    } else if (!has_arrived(link)) {
        say_end(link, LOOPBACK_CLOSING);
    }
}

/* Has the connection ended, and how? Blocks that wait for the bind are dropped if the peer is gone.
 * Pipe lock held. */
static void check_end(struct loopback_link *link)
{
    enum loopback_end peer = peer_end(link);
    if (link->closing && has_arrived(link)) {
        fail(link, HAUL_CANCELLED, "closed while the peer had blocks in flight");
    } else if (peer == LOOPBACK_GONE && (!has_arrived(link) || !link->base.bound)) {
        fail(link, HAUL_CLOSED, "the peer disappeared");
    } else if (peer == LOOPBACK_CLOSING && !link->closing) {
        answer_peer(link);
    }
    if (clock_now_ns(link->base.config.clock) >= link->deadline_ns && peer == LOOPBACK_OPEN) {
        fail(link, HAUL_TIMEOUT, "the peer did not answer in time");
    }
}

/* Blocks come back in order: freed ones OK, the rest CANCELLED once the link has failed. */
static void return_blocks(struct loopback_link *link, struct link_event *events, size_t capacity,
                          size_t *count)
{
    uint64_t until =
        link->failure.status != HAUL_OK ? link->sender_credit.submitted : link->sender_credit.freed;
    while (link->returned < until && *count < capacity) {
        struct link_event *event = add(events, count, LINK_DONE);
        event->status = link->returned < link->sender_credit.freed ? HAUL_OK : HAUL_CANCELLED;
        event->block = link->in_flight[link->returned % HAUL_SLOT_COUNT_MAX];
        event->block->state = BLOCK_FILLING;
        link->returned++;
    }
}

/* Why the block must be refused; NULL: accept it. */
static const char *check_block(struct loopback_link *link, const struct slot_header *header,
                               enum haul_status *status)
{
    *status = HAUL_PROTOCOL;
    if (header->epoch != link->base.config.epoch) {
        *status = HAUL_FENCED;
        return "a block of another epoch";
    }
    if (header->type != SLOT_DATA || header->sequence != link->next_sequence) {
        return "a block out of sequence";
    }
    if (header->payload_size_bytes > link->base.payload_size_bytes_max) {
        return "a payload larger than a slot";
    }
    return credit_receiver_note_received(&link->receiver_credit) != HAUL_OK
               ? "a block without a credit"
               : NULL;
}

static void receive_one(struct loopback_link *link, struct link_event *events, size_t *count)
{
    struct block *slot =
        block_pool_at(link->pipe->ring, (uint32_t)(link->taken % link->base.slot_count));
    const char *why = NULL;
    enum haul_status status = slot_header_decode(slot->data, &slot->header, &why);
    if (status == HAUL_OK) {
        why = check_block(link, &slot->header, &status);
    }
    if (why != NULL) {
        fail(link, status, why);
        return;
    }
    link->taken++;
    link->next_sequence++;
    slot->state = BLOCK_LENT;
    slot->peer_writable = false;
    slot->payload_crc_known = false;
    link->base.stats.blocks_received++;
    link->base.stats.bytes_received += SLOT_HEADER_BYTES + slot->header.payload_size_bytes;
    add(events, count, LINK_RECEIVED)->block = slot;
}

static void receive_blocks(struct loopback_link *link, struct link_event *events, size_t capacity,
                           size_t *count)
{
    (void)pthread_mutex_lock(&link->pipe->lock);
    uint64_t arrived = link->pipe->arrived;
    (void)pthread_mutex_unlock(&link->pipe->lock);
    while (link->base.bound && !link->closing && link->failure.status == HAUL_OK &&
           link->taken < arrived && *count < capacity) {
        receive_one(link, events, count);
    }
}

/* Pipe lock held. */
static bool is_over(const struct loopback_link *link)
{
    bool orderly = link->closing && peer_end(link) == LOOPBACK_CLOSING && !has_arrived(link);
    return (!link->base.sending || link->returned == link->sender_credit.submitted) &&
           (link->failure.status != HAUL_OK || orderly);
}

static size_t loopback_poll(struct link *base, struct link_event *events, size_t capacity)
{
    struct loopback_link *link = loopback_of(base);
    struct loopback_pipe *pipe = link->pipe;
    size_t count = 0;
    eventfd_t ignored;
    (void)eventfd_read(base->sending ? pipe->sender_fd : pipe->receiver_fd, &ignored);
    (void)pthread_mutex_lock(&pipe->lock);
    take_answer(link, events, &count);
    if (count < capacity) {
        take_credit(link, events, &count);
    }
    if (count < capacity) {
        check_end(link);
    }
    (void)pthread_mutex_unlock(&pipe->lock);
    if (base->sending) {
        return_blocks(link, events, capacity, &count);
    } else {
        receive_blocks(link, events, capacity, &count);
        send_credit(link, count == 0);
    }
    (void)pthread_mutex_lock(&pipe->lock);
    if (count < capacity && is_over(link)) {
        add(events, &count, LINK_CLOSED)->error = &link->failure;
        say_end(link, LOOPBACK_GONE); /* informs the other end of the failure */
    }
    (void)pthread_mutex_unlock(&pipe->lock);
    return count;
}

/* Would a poll do anything for which no wake-up follows? Pipe lock held. */
static bool has_work(const struct loopback_link *link)
{
    const struct loopback_pipe *pipe = link->pipe;
    if (link->failure.status != HAUL_OK || (pipe->answered && !link->connected_reported) ||
        peer_end(link) != LOOPBACK_OPEN) {
        return true;
    }
    if (link->base.sending) {
        return (link->base.bound && link->credits_seen != pipe->credits) ||
               link->returned < link->sender_credit.freed;
    }
    return (link->base.bound && credit_receiver_due(&link->receiver_credit, true)) ||
           ((link->base.bound || link->closing) && has_arrived(link));
}

static bool loopback_arm(struct link *base)
{
    struct loopback_link *link = loopback_of(base);
    (void)pthread_mutex_lock(&link->pipe->lock);
    bool idle = !has_work(link);
    (void)pthread_mutex_unlock(&link->pipe->lock);
    return idle;
}

static int loopback_fd(const struct link *base)
{
    const struct loopback_link *link = loopback_of(base);
    return base->sending ? link->pipe->sender_fd : link->pipe->receiver_fd;
}

static uint64_t loopback_deadline_ns(const struct link *base)
{
    return loopback_of(base)->deadline_ns;
}

/* --- the end ---------------------------------------------------------------------------------- */

static void loopback_close(struct link *base)
{
    struct loopback_link *link = loopback_of(base);
    struct loopback_pipe *pipe = link->pipe;
    if (link->closing) {
        return;
    }
    bool lent = link->receiver_credit.freed < link->receiver_credit.received;
    bool unreturned = link->returned < link->sender_credit.submitted;
    send_credit(link, true); /* report every block that is done to the sender */
    link->deadline_ns = clock_deadline_ns(base->config.clock, base->config.options.peer_timeout_ms);
    (void)pthread_mutex_lock(&pipe->lock);
    if (!pipe->answered) {
        fail(link, HAUL_CANCELLED, "closed before the peer answered");
    } else if (lent || unreturned || has_arrived(link)) {
        fail(link, HAUL_CANCELLED, "closed with blocks in flight");
    }
    say_end(link, link->failure.status == HAUL_OK ? LOOPBACK_CLOSING : LOOPBACK_GONE);
    (void)pthread_mutex_unlock(&pipe->lock);
}

static void loopback_destroy(struct link *base)
{
    struct loopback_link *link = loopback_of(base);
    (void)pthread_mutex_lock(&link->pipe->lock);
    say_end(link, LOOPBACK_GONE);
    (void)pthread_mutex_unlock(&link->pipe->lock);
    free_link(link);
}

const struct link_ops loopback_link_ops = {
    .transport = HAUL_TRANSPORT_LOOPBACK,
    .local = true,
    .connect = loopback_connect,
    .pool = loopback_pool,
    .submit = loopback_submit,
    .release = loopback_release,
    .note_applied = loopback_note_applied,
    .describe = loopback_describe,
    .bind = loopback_bind,
    .poll = loopback_poll,
    .arm = loopback_arm,
    .fd = loopback_fd,
    .deadline_ns = loopback_deadline_ns,
    .close = loopback_close,
    .destroy = loopback_destroy,
    .listen = loopback_listen,
};
