/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_link.c — the verbs backend: a link's life; its traffic is in verbs_sender.c and
 * verbs_receiver.c, its resources in verbs_endpoint.c. The functions of the arrows are here, in
 * verbs_life.c, verbs_events.c and verbs_traffic.c.
 *
 * The side that sends:
 *   RESOLVING_ADDRESS --on_address_resolved-----------------> RESOLVING_ROUTE
 *   RESOLVING_ROUTE   --on_route_resolved: queues, request--> CONNECTING
 *   CONNECTING        --on_response: the peer agreed--------> READY
 *   CONNECTING        --on_rejected: a stale connection-----> RESOLVING_ADDRESS (a new queue pair)
 * The side that receives:
 *   ACCEPTING         --on_established----------------------> READY
 * Both:
 *   READY    --on_ready: CONNECTED is reported--------------> OPEN
 *   OPEN     --verbs_close, check_end: nothing in flight----> CLOSING
 *   CLOSING  --advance_end: both ends sent and received-----> DRAINING (OK)
 *   any      --verbs_close with something in flight---------> DRAINING (CANCELLED)
 *   any      --fail: error completion, CM or device event,
 *              breach, deadline, the peer is gone-----------> DRAINING (error)
 *   DRAINING --on_draining: every request has completed, or
 *              the deadline; all resources are released-----> ENDED
 *   ENDED    --on_ended: all blocks are back----------------> CLOSED
 *
 * Invariants:
 *  1. A block comes back as CANCELLED only when the queue pair is gone, or the whole device with
 *     it: no device reads it then.
 *  2. What completed before the connection broke counts: the link acts on a disconnect only when
 *     the completion queue has been found empty after it.
 *  3. From ENDED on the link holds no verbs object; lent blocks stay readable until destroy.
 *     Objects that the device failed to release are written off.
 *  4. A receiver consumes no block before it is bound: the first one's completion waits.
 *
 * An end is orderly when both sides have sent SLOT_CLOSE, an empty write with an immediate. A side
 * sends it once it has nothing in flight, the peer sends its own, and a side that has sent and
 * received it disconnects. A disconnect without it means that the peer disappeared.
 *
 * Deadlines: connecting, accepting, closing and draining have one each. OPEN has none here: a slow
 * consumer is legal. The retries of the queue pair (verbs_endpoint.h) detect a dead peer when
 * something is sent, and the session's keep-alive does when nothing is. */
#include "verbs_link.h"

#include <stdlib.h>

#include "clock.h"
#include "link_ops.h"
#include "verbs_events.h"
#include "verbs_life.h"
#include "verbs_listener.h"
#include "verbs_traffic.h"

static struct verbs_link *verbs_link_of(struct link *link)
{
    return (struct verbs_link *)link;
}

static const struct verbs_link *const_verbs_link_of(const struct link *link)
{
    return (const struct verbs_link *)link;
}

/* --- one dispatch: what a poll does in each state -------------------------------------------- */

static size_t on_ready(struct verbs_link *link, struct link_event *events)
{
    verbs_life_enter(link, VERBS_LINK_OPEN);
    return verbs_life_put_event(events, LINK_CONNECTED, HAUL_OK, NULL);
}

static void on_draining(struct verbs_link *link)
{
    if (!verbs_traffic_drain(link) && clock_now_ns(link->base.config.clock) < link->deadline_ns) {
        return;
    }
    verbs_life_give_back(link);
    verbs_life_enter(link, VERBS_LINK_ENDED);
    link->deadline_ns = CLOCK_NEVER;
}

static size_t on_ended(struct verbs_link *link, struct link_event *events, size_t capacity)
{
    size_t count = 0;
    while (link->base.sending && count < capacity) {
        bool freed;
        struct block *block = verbs_sender_take_rest(&link->sender, &freed);
        if (block == NULL) {
            break;
        }
        block->state = BLOCK_FILLING;
        count += verbs_life_put_event(&events[count], LINK_DONE, freed ? HAUL_OK : HAUL_CANCELLED,
                                      block);
    }
    if (count < capacity) {
        verbs_life_put_event(&events[count], LINK_CLOSED, link->error.status, NULL);
        events[count].error = &link->error;
        verbs_life_enter(link, VERBS_LINK_CLOSED);
        count++;
    }
    return count;
}

static size_t verbs_poll(struct link *base, struct link_event *events, size_t capacity)
{
    struct verbs_link *link = verbs_link_of(base);
    size_t count = 0;
    if (capacity == 0) {
        return 0;
    }
    verbs_events_look(link);
    switch (link->state) {
    case VERBS_LINK_READY:
        count = on_ready(link, events);
        break;
    case VERBS_LINK_OPEN:
        count = base->sending ? verbs_traffic_send(link, events, capacity)
                              : verbs_traffic_receive(link, events, capacity);
        break;
    case VERBS_LINK_CLOSING:
        count = base->sending ? verbs_traffic_send(link, events, capacity)
                              : verbs_traffic_receive_end(link);
        break;
    case VERBS_LINK_RESOLVING_ADDRESS:
    case VERBS_LINK_RESOLVING_ROUTE:
    case VERBS_LINK_CONNECTING:
    case VERBS_LINK_ACCEPTING:
    case VERBS_LINK_DRAINING:
    case VERBS_LINK_ENDED:
    case VERBS_LINK_CLOSED:
        break;
    }
    if (link->polls_since_look == 0) {
        verbs_life_watch(link); /* not at every poll: the clock may be a system call */
    }
    verbs_life_check_deadline(link);
    if (link->state == VERBS_LINK_DRAINING) {
        on_draining(link);
    }
    if (link->state == VERBS_LINK_ENDED && count < capacity) {
        count += on_ended(link, events + count, capacity - count);
    }
    return count;
}

/* --- sleeping ------------------------------------------------------------------------------- */

static bool has_news(const struct verbs_link *link)
{
    switch (link->state) {
    case VERBS_LINK_READY:
    case VERBS_LINK_ENDED:
        return true;
    case VERBS_LINK_OPEN:
    case VERBS_LINK_CLOSING:
        if (link->disconnected) {
            return true;
        }
        return link->base.sending && verbs_sender_has_news(&link->sender);
    default:
        return false;
    }
}

static bool verbs_arm(struct link *base)
{
    struct verbs_link *link = verbs_link_of(base);
    if (has_news(link)) {
        return false;
    }
    link->look = true;
    verbs_life_start_watch(link);
    bool live = link->state >= VERBS_LINK_OPEN && link->state <= VERBS_LINK_DRAINING;
    return !live || link->endpoint.queue.qp == NULL || verbs_traffic_arm(link);
}

static int verbs_fd(const struct link *base)
{
    return const_verbs_link_of(base)->endpoint.epoll_fd;
}

static uint64_t earlier(uint64_t one_ns, uint64_t other_ns)
{
    return one_ns < other_ns ? one_ns : other_ns;
}

static uint64_t verbs_deadline_ns(const struct link *base)
{
    const struct verbs_link *link = const_verbs_link_of(base);
    uint64_t earliest_ns = earlier(link->deadline_ns, link->port_down_ns);
    if (link->state != VERBS_LINK_OPEN) {
        return earliest_ns;
    }
    earliest_ns = earlier(earliest_ns, link->sends.deadline_ns);
    earliest_ns = earlier(earliest_ns, link->arrivals.deadline_ns);
    return earlier(earliest_ns, link->quiet_ns);
}

/* --- making and unmaking -------------------------------------------------------------------- */

static void verbs_destroy(struct link *base)
{
    struct verbs_link *link = verbs_link_of(base);
    if (link->state < VERBS_LINK_ENDED) {
        verbs_endpoint_disconnect(&link->endpoint);
        verbs_life_give_back(link);
    }
    verbs_endpoint_fini(&link->endpoint);
    verbs_sender_fini(&link->sender);
    verbs_receiver_fini(&link->receiver);
    free(link);
}

/* Everything but the connection. */
static enum haul_status create(const struct verbs_api *api, bool sending,
                               const struct link_config *config, struct verbs_link **link,
                               struct haul_error *error)
{
    struct verbs_link *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a link");
    }
    made->base.ops = &verbs_link_ops;
    made->base.config = *config;
    made->base.sending = sending;
    made->api = api;
    made->state = sending ? VERBS_LINK_RESOLVING_ADDRESS : VERBS_LINK_ACCEPTING;
    made->deadline_ns = verbs_life_deadline_ns(made);
    made->port_down_ns = CLOCK_NEVER;
    made->sends.deadline_ns = CLOCK_NEVER;
    made->arrivals.deadline_ns = CLOCK_NEVER;
    made->quiet_ns = CLOCK_NEVER;
    enum haul_status status =
        verbs_endpoint_init(&made->endpoint, api, config->options.peer_timeout_ms, error);
    if (sending) {
        made->sender.endpoint = &made->endpoint; /* for destroy, whatever happens next */
        if (status == HAUL_OK) {
            status =
                verbs_sender_init(&made->sender, &made->endpoint, config, &made->base.stats, error);
        }
    } else {
        verbs_receiver_init(&made->receiver, &made->endpoint, config, &made->base.stats);
    }
    if (status != HAUL_OK) {
        verbs_destroy(&made->base);
        return status;
    }
    *link = made;
    return HAUL_OK;
}

enum haul_status verbs_link_connect(const struct verbs_api *api, const struct verbs_target *target,
                                    const struct link_config *config, struct link **link,
                                    struct haul_error *error)
{
    struct verbs_link *made;
    enum haul_status status = create(api, true, config, &made, error);
    if (status != HAUL_OK) {
        return status;
    }
    made->peer = *target->address;
    made->ticket = *target->ticket;
    link_address_format(&made->peer, made->peer_text);
    status = verbs_events_dial(made, error);
    if (status != HAUL_OK) {
        verbs_destroy(&made->base);
        return status;
    }
    *link = &made->base;
    return HAUL_OK;
}

static enum haul_status agree(struct verbs_link *link, struct haul_error *error)
{
    enum haul_status status = verbs_endpoint_open_device(&link->endpoint, error);
    if (status == HAUL_OK) {
        status = verbs_receiver_attach(&link->receiver, link->base.config.log, error);
    }
    return status == HAUL_OK ? verbs_endpoint_accept(&link->endpoint, error) : status;
}

enum haul_status verbs_link_accept(const struct verbs_api *api, struct rdma_cm_id *id,
                                   const struct link_config *config, struct link **link,
                                   struct haul_error *error)
{
    struct verbs_link *made = NULL;
    enum haul_status status = create(api, false, config, &made, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    verbs_cm_peer(id, &made->peer);
    link_address_format(&made->peer, made->peer_text);
    status = verbs_endpoint_adopt(&made->endpoint, id, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    status = agree(made, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    *link = &made->base;
    return HAUL_OK;
fail:
    verbs_cm_reject(api, id, status);
    bool adopted = made != NULL && made->endpoint.id != NULL;
    if (made != NULL) {
        verbs_destroy(&made->base);
    }
    if (!adopted) {
        (void)api->destroy_id(id);
    }
    return status;
}

static enum haul_status verbs_connect(const struct link_address *address,
                                      const struct link_ticket *ticket,
                                      const struct link_config *config, struct link **link,
                                      struct haul_error *error)
{
    const struct verbs_target target = {.address = address, .ticket = ticket};
    return verbs_link_connect(&verbs_api_system, &target, config, link, error);
}

/* --- the calls of link.h -------------------------------------------------------------------- */

static struct block_pool *verbs_pool(struct link *base)
{
    return verbs_link_of(base)->sender.pool;
}

static enum haul_status verbs_submit(struct link *base, struct block *block)
{
    struct verbs_link *link = verbs_link_of(base);
    if (link->state != VERBS_LINK_OPEN) {
        return HAUL_CLOSED;
    }
    struct haul_error error;
    enum haul_status status = verbs_sender_submit(&link->sender, block, &error);
    if (status == HAUL_AGAIN) {
        return status;
    }
    block->state = BLOCK_IN_FLIGHT;
    if (status != HAUL_OK) {
        /* The block is accepted all the same and comes back cancelled. */
        verbs_life_fail_with(link, status, error.text);
    }
    return HAUL_OK;
}

static void verbs_release(struct link *base, struct block *block)
{
    struct verbs_link *link = verbs_link_of(base);
    struct haul_error error;
    bool open = link->state == VERBS_LINK_OPEN || link->state == VERBS_LINK_CLOSING;
    enum haul_status status = verbs_receiver_release(&link->receiver, block, open, &error);
    if (status != HAUL_OK) {
        verbs_life_fail_with(link, status, error.text);
    }
}

static void verbs_note_applied(struct link *base, uint64_t count)
{
    credit_receiver_note_applied(&verbs_link_of(base)->receiver.credit, count);
}

static size_t verbs_describe(const struct link *base, uint8_t *description)
{
    const struct verbs_link *link = const_verbs_link_of(base);
    struct verbs_description ours;
    if (link->state < VERBS_LINK_OPEN || link->state >= VERBS_LINK_DRAINING) {
        return 0; /* nothing for the peer to use */
    }
    if (base->sending) {
        verbs_sender_describe(&link->sender, &ours);
    } else {
        verbs_receiver_describe(&link->receiver, &ours);
    }
    verbs_description_encode(&ours, description);
    return VERBS_DESCRIPTION_BYTES;
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static enum haul_status verbs_bind(struct link *base, const uint8_t *description, size_t size_bytes,
                                   struct haul_error *error)
{
    struct verbs_link *link = verbs_link_of(base);
    if (link->state != VERBS_LINK_OPEN) {
        return haul_error_set(error, HAUL_CLOSED, "", 0, "the link is not open");
    }
    struct verbs_description theirs;
    enum haul_status status = verbs_description_decode(description, size_bytes, &theirs, error);
    if (status != HAUL_OK) {
        return status;
    }
    uint32_t slot_size = base->config.options.slot_size_bytes;
    if (theirs.sending == base->sending) {
        return haul_error_set(error, HAUL_PROTOCOL, "", 0, "the peer has the same role");
    }
    if (theirs.slot_size_bytes != slot_size) {
        haul_error_set(error, HAUL_MISMATCH, "", 0, "the peer's slots have %u bytes, ours %u",
                       theirs.slot_size_bytes, slot_size);
        haul_error_hint(error, "set the same slot size on both sides");
        return HAUL_MISMATCH;
    }
    base->slot_count = smaller(theirs.slot_count,
                               base->sending ? link->sender.slot_count : link->receiver.slot_count);
    uint32_t message = smaller(theirs.message_bytes_max, link->endpoint.device.message_bytes_max);
    base->payload_size_bytes_max = smaller(slot_size, message) - SLOT_HEADER_BYTES;
    if (base->sending) {
        verbs_sender_bind(&link->sender, &theirs, base->slot_count);
    } else {
        verbs_receiver_bind(&link->receiver, &theirs, base->slot_count);
    }
    return HAUL_OK;
}

static void verbs_close(struct link *base)
{
    struct verbs_link *link = verbs_link_of(base);
    if (link->state < VERBS_LINK_READY) {
        verbs_life_fail_with(link, HAUL_CANCELLED, "closed before it was connected");
    } else if (link->state > VERBS_LINK_OPEN) {
        return;
    } else if (verbs_life_in_flight(link)) {
        verbs_life_fail_with(link, HAUL_CANCELLED, "closed with blocks in flight");
    } else {
        verbs_life_begin_closing(link);
        verbs_life_advance_end(link);
    }
}

const struct link_ops verbs_link_ops = {
    .transport = HAUL_TRANSPORT_VERBS,
    .spins = true,
    .pins_memory = true,
    .connect = verbs_connect,
    .pool = verbs_pool,
    .submit = verbs_submit,
    .release = verbs_release,
    .note_applied = verbs_note_applied,
    .describe = verbs_describe,
    .bind = verbs_bind,
    .poll = verbs_poll,
    .arm = verbs_arm,
    .fd = verbs_fd,
    .deadline_ns = verbs_deadline_ns,
    .close = verbs_close,
    .destroy = verbs_destroy,
    .listen = verbs_listen,
};
