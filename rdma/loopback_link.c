/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_link.c — the link contract in memory, between two threads of one process: the reference
 * that the other backends are held against.
 *
 * Both ends share a `pipe`: the receiver's ring, the headers of blocks that have arrived, the
 * newest credit record, and what each end has done. An end changes the pipe under its lock and
 * signals the other end's eventfd; link_poll turns what has changed into events. The pipe lives
 * until both ends are gone. */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "assertion.h"
#include "bytes.h"
#include "credit.h"
#include "link_ops.h"
#include "loopback_hub.h"

enum { LISTENER_PENDING_MAX = 64, DESCRIPTION_BYTES = 12 };
#define DESCRIPTION_MAGIC UINT32_C(0x504f4f4c) /* "LOOP" */

/* What an end has done to the connection. */
enum end_state {
    END_OPEN,
    END_CLOSING, /* orderly: nothing of this end follows */
    END_GONE,    /* destroyed, or closed with blocks in flight */
};

struct pipe {
    pthread_mutex_t lock;
    int references;
    bool answered;
    enum haul_status answer;
    enum end_state sender;
    enum end_state receiver;
    int sender_fd;
    int receiver_fd;
    struct link_ticket ticket;
    struct block_pool *ring; /* the receiver's; NULL until accepted */
    uint64_t arrived;        /* blocks placed in the ring since the beginning */
    uint64_t first_sequence;
    struct credit_record credit;
    uint64_t credits;        /* records sent */
};

struct loopback_listener {
    struct listener base;
    uint16_t port;
    int fd;
    struct pipe *pending[LISTENER_PENDING_MAX];
    size_t pending_count;
    struct loopback_listener *next;
};

struct loopback_hub {
    pthread_mutex_t lock;
    struct loopback_listener *listeners;
    uint16_t next_port;
};

struct loopback_link {
    struct link base;
    struct pipe *pipe;
    struct block_pool *pool; /* sender's */
    bool owns_pool;
    bool connected_reported;
    bool closing;
    uint64_t deadline_ns;
    struct haul_error failure; /* status not OK: report CLOSED with it */
    /* Sender. */
    struct credit_sender sender_credit;
    uint64_t credits_seen;
    struct block *in_flight[HAUL_SLOT_COUNT_MAX];
    uint64_t returned;
    uint64_t next_sequence;
    /* Receiver. */
    struct credit_receiver receiver_credit;
    uint64_t taken;
};

/* --- hub -------------------------------------------------------------------------------------- */

enum haul_status loopback_hub_create(struct loopback_hub **out)
{
    struct loopback_hub *hub = calloc(1, sizeof(*hub));
    if (hub == NULL) {
        return HAUL_NO_MEMORY;
    }
    (void)pthread_mutex_init(&hub->lock, NULL);
    hub->next_port = 1;
    *out = hub;
    return HAUL_OK;
}

void loopback_hub_destroy(struct loopback_hub *hub)
{
    if (hub != NULL) {
        haul_assert(hub->listeners == NULL);
        (void)pthread_mutex_destroy(&hub->lock);
        free(hub);
    }
}

static uint16_t port_of(const struct link_address *address)
{
    return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

static struct link_address address_of(uint16_t port)
{
    struct link_address address = {.size = sizeof(struct sockaddr_in)};
    struct sockaddr_in *in = (struct sockaddr_in *)&address.storage;
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

/* Hub lock held. */
static struct loopback_listener *find_listener(const struct loopback_hub *hub, uint16_t port)
{
    struct loopback_listener *listener = hub->listeners;
    while (listener != NULL && listener->port != port) {
        listener = listener->next;
    }
    return listener;
}

/* --- pipe ------------------------------------------------------------------------------------- */

static struct pipe *pipe_create(void)
{
    struct pipe *pipe = calloc(1, sizeof(*pipe));
    if (pipe == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&pipe->lock, NULL);
    pipe->references = 2;
    pipe->sender_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pipe->receiver_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return pipe;
}

static void pipe_drop(struct pipe *pipe)
{
    (void)pthread_mutex_lock(&pipe->lock);
    int left = --pipe->references;
    (void)pthread_mutex_unlock(&pipe->lock);
    if (left > 0) {
        return;
    }
    if (pipe->ring != NULL) {
        block_pool_close(pipe->ring);
        block_pool_destroy(pipe->ring);
    }
    (void)close(pipe->sender_fd);
    (void)close(pipe->receiver_fd);
    (void)pthread_mutex_destroy(&pipe->lock);
    free(pipe);
}

static void wake(int fd)
{
    (void)eventfd_write(fd, 1);
}

static struct loopback_link *loopback_of(const struct link *base)
{
    return (struct loopback_link *)(uintptr_t)base;
}

static void fail(struct loopback_link *link, enum haul_status status, const char *text)
{
    if (link->failure.status == HAUL_OK && !link->base.closed_reported) {
        haul_error_set(&link->failure, status, NULL, 0, "%s", text);
    }
}

/* --- connecting ------------------------------------------------------------------------------- */

static struct loopback_link *link_new(const struct link_config *config, struct pipe *pipe,
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

static enum haul_status knock(struct loopback_hub *hub, uint16_t port, struct pipe *pipe)
{
    enum haul_status status = HAUL_REFUSED;
    (void)pthread_mutex_lock(&hub->lock);
    struct loopback_listener *listener = find_listener(hub, port);
    if (listener != NULL && listener->pending_count < LISTENER_PENDING_MAX) {
        listener->pending[listener->pending_count++] = pipe;
        wake(listener->fd);
        status = HAUL_OK;
    }
    (void)pthread_mutex_unlock(&hub->lock);
    return status;
}

static enum haul_status loopback_connect(const struct link_address *address,
                                         const struct link_ticket *ticket,
                                         const struct link_config *config, struct link **out,
                                         struct haul_error *error)
{
    struct pipe *pipe = pipe_create();
    struct loopback_link *link = pipe == NULL ? NULL : link_new(config, pipe, true);
    enum haul_status status = HAUL_NO_MEMORY;
    if (link != NULL) {
        pipe->ticket = *ticket;
        status = add_pool(link, error);
    }
    if (status == HAUL_OK) {
        status = knock(config->hub, port_of(address), pipe);
        if (status != HAUL_OK) {
            haul_error_set(error, status, NULL, 0, "nothing listens at loopback port %u",
                           port_of(address));
        }
    }
    if (status == HAUL_OK) {
        *out = &link->base;
        return HAUL_OK;
    }
    if (link != NULL && link->owns_pool) {
        block_pool_destroy(link->pool);
    }
    if (pipe != NULL) {
        pipe_drop(pipe);
        pipe_drop(pipe);
    }
    free(link);
    return status;
}

static struct block_pool *loopback_pool(struct link *base)
{
    return loopback_of(base)->pool;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static enum haul_status loopback_submit(struct link *base, struct block *block)
{
    struct loopback_link *link = loopback_of(base);
    struct pipe *pipe = link->pipe;
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
    wake(pipe->receiver_fd);
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
    if (!link->base.bound || !credit_receiver_due(&link->receiver_credit, idle)) {
        return;
    }
    struct pipe *pipe = link->pipe;
    (void)pthread_mutex_lock(&pipe->lock);
    credit_receiver_report(&link->receiver_credit, &pipe->credit);
    pipe->credits++;
    wake(pipe->sender_fd);
    (void)pthread_mutex_unlock(&pipe->lock);
    link->base.stats.credits_sent++;
    link->base.stats.bytes_sent += CREDIT_RECORD_BYTES;
}

static void loopback_release(struct link *base, struct block *block)
{
    struct loopback_link *link = loopback_of(base);
    /* Slots are taken in order, so the ordinal follows from the slot and what was taken. */
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
    if (cursor.failed || cursor_left(&cursor) != 0 || magic != DESCRIPTION_MAGIC ||
        slot_count == 0 || slot_count > HAUL_SLOT_COUNT_MAX) {
        return haul_error_set(error, HAUL_PROTOCOL, NULL, 0, "malformed link description");
    }
    if (slot_size != options->slot_size_bytes) {
        return haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                              "the peer's slots have %u bytes, ours %u", slot_size,
                              options->slot_size_bytes);
    }
    base->slot_count = base->sending ? slot_count : options->slot_count;
    base->payload_size_bytes_max = slot_size - SLOT_HEADER_BYTES;
    credit_sender_init(&link->sender_credit, base->slot_count, base->config.epoch);
    credit_receiver_init(&link->receiver_credit, base->slot_count, base->config.epoch);
    return HAUL_OK;
}

/* --- polling ---------------------------------------------------------------------------------- */

static enum end_state peer_state(const struct loopback_link *link)
{
    return link->base.sending ? link->pipe->receiver : link->pipe->sender;
}

static struct link_event *add(struct link_event *events, size_t *count, enum link_event_type type)
{
    struct link_event *event = &events[(*count)++];
    memset(event, 0, sizeof(*event));
    event->type = type;
    return event;
}

/* Newest credit record. Pipe lock held. */
static void take_credit(struct loopback_link *link, struct link_event *events, size_t *count)
{
    struct pipe *pipe = link->pipe;
    bool advanced = false;
    if (link->credits_seen == pipe->credits) {
        return;
    }
    link->credits_seen = pipe->credits;
    link->base.stats.credits_received++;
    enum haul_status status =
        credit_sender_take(&link->sender_credit, &pipe->credit, &advanced);
    if (status != HAUL_OK) {
        fail(link, status, "a credit record that does not fit");
    } else if (advanced) {
        link->base.freed_count = link->sender_credit.freed;
        link->base.applied_count = link->sender_credit.applied;
        (void)add(events, count, LINK_CREDIT);
    }
}

/* Blocks come back in order: freed ones OK, the rest CANCELLED once the link has failed. */
static void return_blocks(struct loopback_link *link, struct link_event *events, size_t capacity,
                          size_t *count)
{
    uint64_t until = link->failure.status != HAUL_OK ? link->sender_credit.submitted
                                                     : link->sender_credit.freed;
    while (link->returned < until && *count < capacity) {
        struct link_event *event = add(events, count, LINK_DONE);
        event->status = link->returned < link->sender_credit.freed ? HAUL_OK : HAUL_CANCELLED;
        event->block = link->in_flight[link->returned % HAUL_SLOT_COUNT_MAX];
        event->block->state = BLOCK_FILLING;
        link->returned++;
    }
}

static const char *check_block(const struct loopback_link *link, const struct slot_header *header,
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
    return header->payload_size_bytes > link->base.payload_size_bytes_max
               ? "a payload larger than a slot"
               : NULL;
}

static bool receive_one(struct loopback_link *link, struct link_event *events, size_t *count)
{
    struct pipe *pipe = link->pipe;
    (void)pthread_mutex_lock(&pipe->lock);
    bool arrived = link->taken < pipe->arrived;
    (void)pthread_mutex_unlock(&pipe->lock);
    if (!arrived) {
        return false;
    }
    struct block *slot =
        block_pool_at(pipe->ring, (uint32_t)(link->taken % link->base.slot_count));
    const char *why = NULL;
    enum haul_status status = slot_header_decode(slot->data, &slot->header, &why);
    if (status == HAUL_OK) {
        why = check_block(link, &slot->header, &status);
    }
    if (why == NULL && credit_receiver_note_received(&link->receiver_credit) != HAUL_OK) {
        why = "a block without a credit";
    }
    if (why != NULL) {
        fail(link, status, why);
        return false;
    }
    link->taken++;
    link->next_sequence++;
    slot->state = BLOCK_LENT;
    slot->peer_writable = false;
    slot->payload_crc_known = false;
    link->base.stats.blocks_received++;
    link->base.stats.bytes_received += SLOT_HEADER_BYTES + slot->header.payload_size_bytes;
    add(events, count, LINK_RECEIVED)->block = slot;
    return true;
}

static void check_answer(struct loopback_link *link, struct link_event *events, size_t *count)
{
    const struct pipe *pipe = link->pipe;
    if (link->connected_reported || !pipe->answered) {
        return;
    }
    if (pipe->answer != HAUL_OK) {
        fail(link, pipe->answer, "the peer refused the link");
        return;
    }
    link->connected_reported = true;
    (void)add(events, count, LINK_CONNECTED);
}

/* Has the connection come to its end, and how? Pipe lock held. */
static void check_end(struct loopback_link *link)
{
    enum end_state peer = peer_state(link);
    bool drained = link->base.sending ? link->returned == link->sender_credit.submitted
                                      : link->taken == link->pipe->arrived;
    if (peer == END_GONE && drained && !link->closing) {
        fail(link, HAUL_CLOSED, "the peer disappeared");
    } else if (peer == END_GONE && link->base.sending) {
        fail(link, HAUL_CLOSED, "the peer disappeared");
    } else if (peer == END_CLOSING && drained && !link->closing) {
        link->closing = true; /* nothing more can come: answer the close */
        *(link->base.sending ? &link->pipe->sender : &link->pipe->receiver) = END_CLOSING;
        wake(link->base.sending ? link->pipe->receiver_fd : link->pipe->sender_fd);
    }
    if (link->deadline_ns != CLOCK_NEVER &&
        clock_now_ns(link->base.config.clock) >= link->deadline_ns) {
        fail(link, HAUL_TIMEOUT, "the peer did not answer in time");
    }
}

static bool is_over(const struct loopback_link *link)
{
    bool returned = !link->base.sending || link->returned == link->sender_credit.submitted;
    bool orderly = link->closing && peer_state(link) != END_OPEN;
    return returned && (link->failure.status != HAUL_OK || orderly);
}

static size_t loopback_poll(struct link *base, struct link_event *events, size_t capacity)
{
    struct loopback_link *link = loopback_of(base);
    struct pipe *pipe = link->pipe;
    size_t count = 0;
    eventfd_t ignored;
    (void)eventfd_read(base->sending ? pipe->sender_fd : pipe->receiver_fd, &ignored);
    (void)pthread_mutex_lock(&pipe->lock);
    check_answer(link, events, &count);
    if (base->sending && base->bound && count < capacity) {
        take_credit(link, events, &count);
    }
    check_end(link);
    (void)pthread_mutex_unlock(&pipe->lock);
    if (link->connected_reported && !link->closing) {
        link->deadline_ns = CLOCK_NEVER;
    }
    if (base->sending) {
        return_blocks(link, events, capacity, &count);
    }
    while (!base->sending && base->bound && count < capacity && !link->closing &&
           receive_one(link, events, &count)) {
    }
    send_credit(link, count == 0);
    (void)pthread_mutex_lock(&pipe->lock);
    bool over = is_over(link);
    (void)pthread_mutex_unlock(&pipe->lock);
    if (over && count < capacity) {
        add(events, &count, LINK_CLOSED)->error = link->failure;
        link_close(base); /* a failed end tells the other one */
    }
    return count;
}

static bool loopback_arm(struct link *base)
{
    struct loopback_link *link = loopback_of(base);
    struct pipe *pipe = link->pipe;
    (void)pthread_mutex_lock(&pipe->lock);
    bool idle = base->sending ? link->credits_seen == pipe->credits
                              : !base->bound || link->taken == pipe->arrived;
    idle = idle && link->failure.status == HAUL_OK;
    (void)pthread_mutex_unlock(&pipe->lock);
    base->stats.sleeps++;
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

static void set_end(struct loopback_link *link, enum end_state state)
{
    struct pipe *pipe = link->pipe;
    (void)pthread_mutex_lock(&pipe->lock);
    enum end_state *own = link->base.sending ? &pipe->sender : &pipe->receiver;
    *own = *own < state ? state : *own;
    wake(pipe->sender_fd);
    wake(pipe->receiver_fd);
    (void)pthread_mutex_unlock(&pipe->lock);
}

static void loopback_close(struct link *base)
{
    struct loopback_link *link = loopback_of(base);
    if (link->closing) {
        return;
    }
    bool idle = link->returned == link->sender_credit.submitted;
    if (base->sending && !idle) {
        fail(link, HAUL_CANCELLED, "closed with blocks in flight");
    }
    link->closing = true;
    link->deadline_ns =
        clock_deadline_ns(base->config.clock, base->config.options.peer_timeout_ms);
    set_end(link, link->failure.status == HAUL_OK ? END_CLOSING : END_GONE);
}

static void loopback_destroy(struct link *base)
{
    struct loopback_link *link = loopback_of(base);
    set_end(link, END_GONE);
    if (link->owns_pool) {
        block_pool_close(link->pool);
        block_pool_destroy(link->pool);
    }
    pipe_drop(link->pipe);
    free(link);
}

/* --- listening -------------------------------------------------------------------------------- */

static struct loopback_listener *listener_of(const struct listener *base)
{
    return (struct loopback_listener *)(uintptr_t)base;
}

static enum haul_status loopback_listen(const struct link_address *address,
                                        const struct link_config *config, struct listener **out,
                                        struct haul_error *error)
{
    struct loopback_hub *hub = config->hub;
    struct loopback_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a listener");
    }
    listener->base.ops = &loopback_link_ops;
    listener->base.config = *config;
    listener->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    listener->port = port_of(address);
    (void)pthread_mutex_lock(&hub->lock);
    while (listener->port == 0 && find_listener(hub, hub->next_port) != NULL) {
        hub->next_port++;
    }
    listener->port = listener->port == 0 ? hub->next_port++ : listener->port;
    bool taken = find_listener(hub, listener->port) != NULL;
    if (!taken) {
        listener->next = hub->listeners;
        hub->listeners = listener;
    }
    (void)pthread_mutex_unlock(&hub->lock);
    if (taken) {
        (void)close(listener->fd);
        free(listener);
        return haul_error_set(error, HAUL_BUSY, NULL, 0, "loopback port %u is in use",
                              port_of(address));
    }
    *out = &listener->base;
    return HAUL_OK;
}

static void loopback_listen_address(const struct listener *base, struct link_address *address)
{
    *address = address_of(listener_of(base)->port);
}

static void answer(struct pipe *pipe, enum haul_status status)
{
    (void)pthread_mutex_lock(&pipe->lock);
    pipe->answered = true;
    pipe->answer = status;
    wake(pipe->sender_fd);
    (void)pthread_mutex_unlock(&pipe->lock);
}

static bool speaks_our_version(const struct link_ticket *ticket)
{
    uint16_t low = ticket->version_min == 0 ? LINK_VERSION_MIN : ticket->version_min;
    uint16_t high = ticket->version_max == 0 ? LINK_VERSION_MAX : ticket->version_max;
    return low <= LINK_VERSION_MAX && high >= LINK_VERSION_MIN;
}

static enum haul_status loopback_listen_poll(struct listener *base,
                                             struct link_incoming *incoming)
{
    struct loopback_listener *listener = listener_of(base);
    struct loopback_hub *hub = base->config.hub;
    eventfd_t ignored;
    (void)eventfd_read(listener->fd, &ignored);
    for (;;) {
        struct pipe *pipe = NULL;
        (void)pthread_mutex_lock(&hub->lock);
        if (listener->pending_count > 0) {
            pipe = listener->pending[0];
            listener->pending_count--;
            memmove(&listener->pending[0], &listener->pending[1],
                    listener->pending_count * sizeof(listener->pending[0]));
        }
        (void)pthread_mutex_unlock(&hub->lock);
        if (pipe == NULL) {
            return HAUL_AGAIN;
        }
        if (speaks_our_version(&pipe->ticket)) {
            incoming->ticket = pipe->ticket;
            incoming->peer = address_of(0);
            incoming->handle = pipe;
            return HAUL_OK;
        }
        answer(pipe, HAUL_VERSION);
        pipe_drop(pipe);
    }
}

static void loopback_listen_reject(struct listener *base, struct link_incoming *incoming,
                                   enum haul_status reason)
{
    (void)base;
    answer(incoming->handle, reason);
    pipe_drop(incoming->handle);
    incoming->handle = NULL;
}

static enum haul_status loopback_listen_accept(struct listener *base,
                                               struct link_incoming *incoming,
                                               const struct link_config *config,
                                               struct link **out, struct haul_error *error)
{
    struct pipe *pipe = incoming->handle;
    struct loopback_link *link = link_new(config, pipe, false);
    enum haul_status status =
        link == NULL ? HAUL_NO_MEMORY
                     : block_pool_create(config->options.slot_count,
                                         config->options.slot_size_bytes, config->log,
                                         &pipe->ring, error);
    if (status != HAUL_OK) {
        free(link);
        loopback_listen_reject(base, incoming, HAUL_BUSY);
        return status;
    }
    answer(pipe, HAUL_OK);
    wake(pipe->receiver_fd); /* the accepting side has a CONNECTED event to poll */
    incoming->handle = NULL;
    *out = &link->base;
    return HAUL_OK;
}

static int loopback_listen_fd(const struct listener *base)
{
    return listener_of(base)->fd;
}

static uint64_t loopback_listen_deadline_ns(const struct listener *base)
{
    (void)base;
    return CLOCK_NEVER;
}

static void loopback_listen_destroy(struct listener *base)
{
    struct loopback_listener *listener = listener_of(base);
    struct loopback_hub *hub = base->config.hub;
    (void)pthread_mutex_lock(&hub->lock);
    struct loopback_listener **at = &hub->listeners;
    while (*at != listener) {
        at = &(*at)->next;
    }
    *at = listener->next;
    (void)pthread_mutex_unlock(&hub->lock);
    for (size_t i = 0; i < listener->pending_count; i++) {
        answer(listener->pending[i], HAUL_REFUSED);
        pipe_drop(listener->pending[i]);
    }
    (void)close(listener->fd);
    free(listener);
}

const struct link_ops loopback_link_ops = {
    .transport = HAUL_TRANSPORT_LOOPBACK,
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
    .listen_address = loopback_listen_address,
    .listen_poll = loopback_listen_poll,
    .listen_accept = loopback_listen_accept,
    .listen_reject = loopback_listen_reject,
    .listen_fd = loopback_listen_fd,
    .listen_deadline_ns = loopback_listen_deadline_ns,
    .listen_destroy = loopback_listen_destroy,
};
