/* SPDX-License-Identifier: Apache-2.0 */
/* sender_links.c — opens links, falls back, queues and submits blocks. */
#include "sender_links.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "end_reason.h"
#include "probe.h"

enum { EVENT_COUNT = 32, BLOCK_COUNT_MIN = 4, NEAR_SLOT_COUNT = 8 };

struct sender_link {
    struct link_tx tx; /* base NULL: none */
    uint32_t index;    /* position in the list of links */
    bool connected;
    bool described; /* our LINK message was sent */
    bool bound;
    bool has_description;
    haul_control_LinkDescription description; /* the peer's, until we are connected */
    bool stalled;         /* the first block of the queue was refused for lack of a credit */
    struct block **queue; /* a ring with room for the whole pool */
    uint32_t first;
    uint32_t count;
    uint32_t capacity; /* of the queue: every block of the full-sized pool */
};

/* --- life ------------------------------------------------------------------------------------- */

enum haul_status sender_links_init(struct sender_links *links,
                                   const struct sender_links_options *options,
                                   struct outbox *outbox)
{
    memset(links, 0, sizeof(*links));
    links->options = *options;
    links->options.transports = transport_list_resolve(&options->transports);
    links->outbox = outbox;
    links->active_count = options->link_count;
    rate_share_join(&links->share, options->rate);
    rate_limit_init(&links->rate, options->rate_bytes_per_second,
                    rate_limit_burst(options->rate_bytes_per_second), clock_now_ns(options->clock));
    links->links = calloc(options->link_count, sizeof(*links->links));
    if (links->links == NULL) {
        return HAUL_NO_MEMORY;
    }
    for (uint32_t i = 0; i < options->link_count; i++) {
        links->links[i].index = i;
        links->links[i].capacity = block_pool_count(outbox->pool);
        links->links[i].queue = calloc(links->links[i].capacity, sizeof(*links->links[i].queue));
        if (links->links[i].queue == NULL) {
            return HAUL_NO_MEMORY;
        }
    }
    return HAUL_OK;
}

static void drop_link(struct sender_links *links, struct sender_link *sender)
{
    if (sender->tx.base == NULL) {
        return;
    }
    struct haul_link_stats stats;
    link_stats(sender->tx.base, &stats);
    link_stats_join(&links->closed_stats, &stats);
    poll_group_remove_link(links->options.group, sender->tx.base);
    link_destroy(sender->tx.base);
    sender->tx.base = NULL;
    sender->connected = false;
    sender->described = false;
    sender->bound = false;
    sender->has_description = false;
}

void sender_links_fini(struct sender_links *links)
{
    for (uint32_t i = 0; links->links != NULL && i < links->options.link_count; i++) {
        drop_link(links, &links->links[i]);
        free(links->links[i].queue);
    }
    free(links->links);
    links->links = NULL;
    rate_share_leave(&links->share);
}

static void go_down(struct sender_links *links, const struct haul_error *error)
{
    if (links->state != SENDER_LINKS_DOWN) {
        links->error = *error;
        links->state = SENDER_LINKS_DOWN;
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

/* The first attempt of a session counts as 0: its index is the position alone, as older targets
 * expect it. */
static uint32_t index_of(const struct sender_links *links, uint32_t place)
{
    return link_index(links->attempt_count - 1, place);
}

/* Eight batches of 1 MiB in a round trip of less than 1 ms are more than a stream brings, and what
 * is in flight passes through the caches of both sides. Not for RDMA, where a receiver sleeps until
 * a quarter of the ring has arrived. */
static bool has_small_window(const struct sender_links *links)
{
    enum haul_transport transport = links->options.transports.items[links->choice];
    return links->is_near && transport == HAUL_TRANSPORT_TCP;
}

static uint32_t slot_count_of(const struct sender_links *links)
{
    uint32_t count = links->options.config.options.slot_count;
    return has_small_window(links) && count > NEAR_SLOT_COUNT ? NEAR_SLOT_COUNT : count;
}

/* The token and the key of the link that the ticket names. */
static enum haul_status take_secrets(struct sender_links *links, struct link_config *config,
                                     struct haul_error *error)
{
    struct link_secrets secrets = {.frames = {.used = false}};
    if (!links->keys->derived) {
        return HAUL_OK;
    }
    enum haul_status status =
        attempt_keys_link(links->keys, links->transport, links->ticket.index, &secrets);
    memcpy(links->ticket.token, secrets.token, LINK_TOKEN_BYTES);
    config->frames = secrets.frames;
    explicit_bzero(&secrets, sizeof(secrets));
    return status == HAUL_OK ? status
                             : haul_error_set(error, status, NULL, 0, "no key for a data link");
}

static enum haul_status connect_one(struct sender_links *links, struct sender_link *sender,
                                    struct haul_error *error)
{
    links->ticket.index = index_of(links, sender->index);
    struct link_config config = links->options.config;
    config.pool = links->outbox->pool;
    config.options.slot_count = slot_count_of(links);
    enum haul_status status = take_secrets(links, &config, error);
    if (status == HAUL_OK) {
        status = link_connect(links->transport, &links->options.address, &links->ticket, &config,
                              &sender->tx, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    status = poll_group_add_link(links->options.group, sender->tx.base);
    if (status != HAUL_OK) {
        haul_error_set(error, status, NULL, 0, "too many links for one loop");
        link_destroy(sender->tx.base);
        sender->tx.base = NULL;
    }
    return status;
}

static void connect_all(struct sender_links *links);

/* The memory cannot be registered: try with half the blocks. */
static bool shrink(struct sender_links *links, const struct haul_error *error)
{
    uint32_t half = block_pool_count(links->outbox->pool) / 2;
    struct haul_error ignored;
    if (error->status != HAUL_LIMIT || !link_pins_memory(links->transport) ||
        half < BLOCK_COUNT_MIN || outbox_resize(links->outbox, half, &ignored) != HAUL_OK) {
        return false;
    }
    haul_log(links->options.log, HAUL_LOG_WARNING, "%s; trying %u blocks", error->text, half);
    return true;
}

/* Use as many blocks as the active links can have in flight. */
static void resize_pool(struct sender_links *links)
{
    uint32_t wanted = slot_count_of(links) * links->active_count;
    struct haul_error ignored;
    if (block_pool_count(links->outbox->pool) != wanted) {
        (void)!outbox_resize(links->outbox, wanted, &ignored);
    }
}

void sender_links_use(struct sender_links *links, uint32_t link_count)
{
    haul_assert(link_count >= 1 && link_count <= links->options.link_count);
    links->active_count = link_count;
    links->options.config.path_bytes_per_second = links->options.rate_bytes_per_second / link_count;
    resize_pool(links);
}

/* Choose the next transport of the list. False: this was the last one. */
static bool choose_next(struct sender_links *links, const struct haul_error *error)
{
    const struct haul_transport_list *list = &links->options.transports;
    if (links->choice + 1 >= transport_list_count(list)) {
        return false;
    }
    links->choice++;
    /* Without RDMA, `auto` simply means TCP; RDMA that does not work deserves a warning. */
    enum haul_log_level level =
        error->status == HAUL_UNSUPPORTED ? HAUL_LOG_INFO : HAUL_LOG_WARNING;
    haul_error_format(error, links->fallback_reason, sizeof(links->fallback_reason));
    haul_log(links->options.log, level, "no %s, falling back to %s: %s",
             haul_transport_name(links->transport), haul_transport_name(list->items[links->choice]),
             links->fallback_reason);
    links->attempt_count = 0; /* the transport distinguishes the attempts */
    resize_pool(links);       /* on failure the pool stays small */
    return true;
}

/* An attempt failed while links were being opened. `last`: why, if there is no other way. */
static void fall_back_or(struct sender_links *links, const struct haul_error *error,
                         const struct haul_error *last)
{
    for (uint32_t i = 0; i < links->options.link_count; i++) {
        drop_link(links, &links->links[i]);
    }
    if (shrink(links, error) || choose_next(links, error)) {
        connect_all(links);
    } else {
        go_down(links, last);
    }
}

static void fall_back(struct sender_links *links, const struct haul_error *error)
{
    fall_back_or(links, error, error);
}

/* Does the peer accept links of the transport? Errors: UNSUPPORTED. */
static enum haul_status check_offer(const struct sender_links *links, struct haul_error *error)
{
    const char *name = haul_transport_name(links->transport);
    for (size_t i = 0; i < links->offer_count; i++) {
        const haul_control_TransportOffer *offer = &links->offers[i];
        if (offer->transport == (uint32_t)links->transport) {
            return offer->refusal[0] == '\0'
                       ? HAUL_OK
                       : haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0,
                                        "the target offers no %s: %s", name, offer->refusal);
        }
    }
    return haul_error_set(error, HAUL_UNSUPPORTED, NULL, 0, "the target does not support %s links",
                          name);
}

static void connect_all(struct sender_links *links)
{
    struct haul_error error = {0};
    links->transport = links->options.transports.items[links->choice];
    links->state = SENDER_LINKS_OPENING;
    links->attempt_count++;
    enum haul_status status = check_offer(links, &error);
    for (uint32_t i = 0; status == HAUL_OK && i < links->active_count; i++) {
        status = connect_one(links, &links->links[i], &error);
    }
    if (status != HAUL_OK) {
        fall_back(links, &error);
    }
}

void sender_links_open(struct sender_links *links, const struct link_ticket *ticket,
                       const struct attempt_keys *keys, const haul_control_TransportOffer *offers,
                       size_t offer_count)
{
    links->ticket = *ticket;
    links->keys = keys;
    links->offers = offers;
    links->offer_count = offer_count;
    links->attempt_count = 0;
    connect_all(links);
}

static const char *protection_of(const struct sender_links *links)
{
    switch (links->keys->block.wire) {
    case HAUL_WIRE_SECURE:
        return ", encrypted";
    case HAUL_WIRE_AUTH:
        return ", authenticated";
    case HAUL_WIRE_AUTO:
    case HAUL_WIRE_NONE:
        break;
    }
    return "";
}

static void check_up(struct sender_links *links)
{
    bool up = links->state == SENDER_LINKS_OPENING;
    uint32_t slots = UINT32_MAX;
    uint32_t payload = UINT32_MAX;
    for (uint32_t i = 0; up && i < links->active_count; i++) {
        const struct sender_link *sender = &links->links[i];
        up = sender->bound && sender->described;
        if (up) {
            uint32_t count = link_slot_count(sender->tx.base);
            uint32_t bytes = link_payload_size_bytes_max(sender->tx.base);
            slots = count < slots ? count : slots;
            payload = bytes < payload ? bytes : payload;
        }
    }
    if (!up) {
        return;
    }
    links->state = SENDER_LINKS_UP;
    payload -= block_seal_bytes(&links->outbox->key);
    links->outbox->payload_bytes_max =
        payload < links->outbox->payload_bytes_max ? payload : links->outbox->payload_bytes_max;
    uint32_t least = links->options.batch_bytes_min;
    uint32_t most = has_small_window(links) ? least : links->options.batch_bytes_max;
    batch_size_init(&links->batch_size, least, most, links->outbox->payload_bytes_max, slots);
    atomic_store(&links->outbox->batch_bytes, links->batch_size.bytes);
    haul_log(links->options.log, HAUL_LOG_INFO, "%u %s link(s), %u slots each%s",
             links->active_count, haul_transport_name(links->transport), slots,
             protection_of(links));
}

static void bind_sender(struct sender_links *links, struct sender_link *sender)
{
    struct haul_error error = {0};
    sender->has_description = false;
    enum haul_status status = link_bind(sender->tx.base, sender->description.description.bytes,
                                        sender->description.description.size, &error);
    sender->bound = status == HAUL_OK;
    if (status != HAUL_OK) {
        fall_back(links, &error);
    } else {
        check_up(links);
    }
}

void sender_links_describe(struct sender_links *links,
                           const haul_control_LinkDescription *description)
{
    uint32_t place = link_index_place(description->index);
    if (links->state != SENDER_LINKS_OPENING ||
        description->transport != (uint32_t)links->transport ||
        description->index != index_of(links, place)) {
        return; /* of an attempt that was given up */
    }
    if (place >= links->active_count || links->links[place].bound) {
        struct haul_error error = {0};
        haul_error_set(&error, HAUL_PROTOCOL, NULL, 0, "the target described unknown link %u",
                       place);
        fall_back(links, &error);
        return;
    }
    struct sender_link *sender = &links->links[place];
    sender->description = *description;
    sender->has_description = true;
    if (sender->connected) {
        bind_sender(links, sender);
    }
}

bool sender_links_next_message(struct sender_links *links, struct message *message)
{
    for (uint32_t i = 0; i < links->options.link_count; i++) {
        struct sender_link *sender = &links->links[i];
        if (sender->connected && !sender->described) {
            message_init(message, MESSAGE_LINK);
            haul_control_LinkDescription *to = &message->as.link;
            to->index = index_of(links, i);
            to->transport = (uint32_t)links->transport;
            to->description.size = (pb_size_t)link_describe(sender->tx.base, to->description.bytes);
            sender->described = true;
            check_up(links);
            return true;
        }
    }
    return false;
}

/* --- polling ---------------------------------------------------------------------------------- */

/* The answer that opens or refuses a link is not authenticated, and the target whose control
 * connection we have may not be the one that gave it: it costs the attempt, never the job. */
static void take_for_loss(struct haul_error *error)
{
    if (!end_reason_is_path(error->status) && error->status != HAUL_CORRUPT) {
        error->status = HAUL_CLOSED;
    }
}

static void on_closed(struct sender_links *links, struct sender_link *sender,
                      const struct haul_error *error)
{
    struct haul_error reason = *error;
    if (reason.status == HAUL_OK) {
        haul_error_set(&reason, HAUL_CLOSED, NULL, 0, "the target closed data link %u",
                       sender->index);
    }
    struct haul_error last = reason;
    if (link_was_refused(sender->tx.base)) {
        take_for_loss(&last);
    }
    if (links->state == SENDER_LINKS_OPENING) {
        fall_back_or(links, &reason, &last);
    } else if (links->state == SENDER_LINKS_UP) {
        go_down(links, &reason);
        drop_link(links, sender);
    } else {
        drop_link(links, sender);
    }
}

/* True: the link is closed. */
static bool on_event(struct sender_links *links, struct sender_link *sender,
                     const struct link_event *event)
{
    switch (event->type) {
    case LINK_CONNECTED:
        sender->connected = true;
        if (!sender->has_description) {
            return false;
        }
        bind_sender(links, sender);
        return !sender->bound; /* dropped; its place may already hold another link */
    case LINK_DONE:
        links->in_flight_blocks--;
        PROBE3(block_returned, sender->tx.base, event->block->header.stream,
               event->block->header.batch);
        outbox_give_back(links->outbox, event->block);
        sender->stalled = false;
        return false;
    case LINK_CREDIT:
        sender->stalled = false;
        return false;
    case LINK_RECEIVED:
        haul_unreachable();
    case LINK_CLOSED:
        on_closed(links, sender, event->error);
        return true;
    }
    return false;
}

static bool poll_one(struct sender_links *links, struct sender_link *sender)
{
    struct link_event events[EVENT_COUNT];
    size_t count = link_poll(sender->tx.base, events, EVENT_COUNT);
    bool gone = false;
    for (size_t i = 0; i < count && !gone; i++) {
        gone = on_event(links, sender, &events[i]);
    }
    return count > 0;
}

/* Move filled blocks into the queues of their links. */
static uint64_t delta_bytes(const struct block *block)
{
    return block->header.kind == SLOT_KIND_DELTA ? block->header.raw_size_bytes : 0;
}

static bool drain_outbox(struct sender_links *links)
{
    struct block *block;
    bool any = false;
    while ((block = outbox_take(links->outbox)) != NULL) {
        uint32_t index = block->header.stream % links->active_count;
        struct sender_link *sender = &links->links[index];
        haul_assert(sender->count < sender->capacity);
        sender->queue[(sender->first + sender->count) % sender->capacity] = block;
        sender->count++;
        links->queued_blocks++;
        links->queued_delta_bytes += delta_bytes(block);
        any = true;
    }
    return any;
}

void sender_links_rate(struct sender_links *links, uint64_t bytes_per_second)
{
    links->options.rate_bytes_per_second = bytes_per_second;
    links->options.config.path_bytes_per_second = bytes_per_second / links->active_count;
    rate_limit_change(&links->rate, bytes_per_second, rate_limit_burst(bytes_per_second),
                      clock_now_ns(links->options.clock));
    links->rate_ready_ns = 0; /* computed again for the block that waits */
}

void sender_links_pack(struct sender_links *links, enum pack_state state, uint32_t reader_count,
                       bool target_reports)
{
    pack_choice_init(&links->pack, state, reader_count, target_reports);
    atomic_store(&links->outbox->packs, pack_choice_packs(&links->pack));
}

void sender_links_note_target(struct sender_links *links, uint64_t starved_us, uint64_t target_us)
{
    links->waited.starved_us = starved_us;
    links->waited.target_us = target_us;
}

static bool chooses_packing(const struct sender_links *links)
{
    return links->pack.state != PACK_OFF && links->pack.state != PACK_ALWAYS;
}

/* Do blocks wait to be sent, in a link or for the rate? */
static bool is_behind(const struct sender_links *links)
{
    struct haul_link_stats stats;
    sender_links_stats(links, &stats);
    return stats.blocks_sent - links->closed_stats.blocks_sent < links->submitted_blocks ||
           links->rate_waited;
}

/* Account for the time since the last poll. A target that reports what it waits for shows whether
 * missing slots are the links' fault; otherwise only what the links have not passed on is. */
static void note_waiting(struct sender_links *links)
{
    if (!chooses_packing(links)) {
        return;
    }
    uint64_t now = clock_now_ns(links->options.clock);
    if (links->waits && links->polled_ns != 0) {
        links->waited.waited_ns += now - links->polled_ns;
    }
    links->polled_ns = now;
    links->waits = is_behind(links) ||
                   (links->pack.target_reports && block_pool_waiter_count(links->outbox->pool) > 0);
}

static void choose_packing(struct sender_links *links, const struct block *block)
{
    struct outbox *outbox = links->outbox;
    if (!chooses_packing(links)) {
        return;
    }
    struct pack_totals totals = links->waited;
    totals.raw_bytes = atomic_load(&outbox->raw_bytes);
    totals.packed_bytes = atomic_load(&outbox->packed_bytes);
    totals.pack_ns = atomic_load(&outbox->pack_ns);
    const struct pack_block note = {.bytes = block->header.payload_size_bytes,
                                    .raw_bytes = block->header.raw_size_bytes,
                                    .packed = (block->header.flags & SLOT_COMPRESSED) != 0};
    enum pack_state before = links->pack.state;
    pack_choice_note(&links->pack, &note, &totals, clock_now_ns(links->options.clock));
    atomic_store_explicit(&outbox->packs, pack_choice_packs(&links->pack), memory_order_relaxed);
    if (before == PACK_TRYING && links->pack.state == PACK_PACKING) {
        haul_log(links->options.log, HAUL_LOG_INFO, "the links are slow: compressing payloads");
    } else if (before == PACK_PACKING && links->pack.state != PACK_PACKING) {
        haul_log(links->options.log, HAUL_LOG_INFO,
                 "the links are not what the job waits for: no longer compressing payloads");
    }
}

static void note_submitted(struct sender_links *links, const struct block *block)
{
    links->queued_blocks--;
    links->queued_delta_bytes -= delta_bytes(block);
    links->in_flight_blocks++;
    links->submitted_records += block->header.record_count;
    links->submitted_bytes += block->header.raw_size_bytes;
    uint64_t waits = atomic_load_explicit(&links->outbox->waits, memory_order_relaxed);
    if (waits != links->waits_seen && !links->is_far) {
        /* Every block is in flight: the target does not keep up, and small batches stay in the
         * caches. */
        batch_size_note_stall(&links->batch_size);
    } else {
        batch_size_note_sent(&links->batch_size);
    }
    links->waits_seen = waits;
    atomic_store_explicit(&links->outbox->batch_bytes, links->batch_size.bytes,
                          memory_order_relaxed);
}

static uint64_t rate_bytes_of(const struct block *block)
{
    return SLOT_HEADER_BYTES + (uint64_t)block->header.payload_size_bytes;
}

/* Do the rate limits admit this block now? Then they are charged. */
static bool rate_allows(struct sender_links *links, const struct block *block)
{
    uint64_t bytes = rate_bytes_of(block);
    uint64_t now = clock_now_ns(links->options.clock);
    links->rate_ready_ns = rate_limit_ready_ns(&links->rate, bytes, now);
    if (links->rate_ready_ns > now ||
        !rate_share_take(&links->share, bytes, now, &links->rate_ready_ns)) {
        links->rate_waited = true;
        return false;
    }
    links->rate_ready_ns = 0;
    bool taken = rate_limit_take(&links->rate, bytes, now);
    haul_assert(taken);
    return true;
}

/* The link does not take the block. */
static void rate_give_back(struct sender_links *links, const struct block *block)
{
    rate_limit_give(&links->rate, rate_bytes_of(block));
    rate_share_give(&links->share, rate_bytes_of(block));
}

/* The end of a round or stream is awaited, so the target must not sleep over this block. In the
 * middle of a snapshot the last block of each quarter of the ring is enough. */
static bool is_urgent(const struct sender_link *sender, const struct block *block)
{
    bool last = (block->header.flags & SLOT_LAST) != 0;
    return last || (block->header.kind == SLOT_KIND_DELTA && sender->count == 1);
}

static bool submit_queue(struct sender_links *links, struct sender_link *sender)
{
    bool any = false;
    while (sender->tx.base != NULL && sender->count > 0 && !sender->stalled) {
        struct block *block = sender->queue[sender->first];
        if (!rate_allows(links, block)) {
            break;
        }
        block->urgent = is_urgent(sender, block);
        if (link_submit(sender->tx, block) != HAUL_OK) {
            rate_give_back(links, block);
            sender->stalled = true; /* a credit, a DONE or the CLOSED event ends the stall */
            batch_size_note_stall(&links->batch_size);
            break;
        }
        links->submitted_blocks++;
        choose_packing(links, block);
        links->rate_waited = false;
        sender->first = (sender->first + 1) % sender->capacity;
        sender->count--;
        note_submitted(links, block);
        any = true;
    }
    return any;
}

bool sender_links_poll(struct sender_links *links)
{
    bool any = false;
    for (uint32_t i = 0; i < links->options.link_count; i++) {
        if (links->links[i].tx.base != NULL) {
            any = poll_one(links, &links->links[i]) || any;
        }
    }
    if (links->state != SENDER_LINKS_UP) {
        return any;
    }
    any = drain_outbox(links) || any;
    for (uint32_t i = 0; i < links->options.link_count; i++) {
        any = submit_queue(links, &links->links[i]) || any;
    }
    note_waiting(links);
    return any;
}

uint64_t sender_links_deadline_ns(const struct sender_links *links)
{
    return links->rate_ready_ns == 0 ? CLOCK_NEVER : links->rate_ready_ns;
}

void sender_links_reset(struct sender_links *links)
{
    for (uint32_t i = 0; i < links->options.link_count; i++) {
        drop_link(links, &links->links[i]);
        links->links[i].count = 0;
        links->links[i].stalled = false;
    }
    links->in_flight_blocks = 0;
    links->submitted_blocks = 0;
    links->queued_blocks = 0;
    links->queued_delta_bytes = 0;
    links->rate_ready_ns = 0;
    links->state = SENDER_LINKS_CLOSED;
}

bool sender_links_is_idle(const struct sender_links *links)
{
    return links->in_flight_blocks == 0 && links->queued_blocks == 0 &&
           mailbox_count(links->outbox->filled) == 0;
}

void sender_links_close(struct sender_links *links)
{
    links->state = SENDER_LINKS_CLOSED;
    for (uint32_t i = 0; links->links != NULL && i < links->options.link_count; i++) {
        if (links->links[i].tx.base != NULL) {
            link_close(links->links[i].tx.base);
        }
    }
}

void sender_links_stats(const struct sender_links *links, struct haul_link_stats *stats)
{
    *stats = links->closed_stats;
    for (uint32_t i = 0; links->links != NULL && i < links->options.link_count; i++) {
        if (links->links[i].tx.base != NULL) {
            struct haul_link_stats one;
            link_stats(links->links[i].tx.base, &one);
            link_stats_join(stats, &one);
        }
    }
}
