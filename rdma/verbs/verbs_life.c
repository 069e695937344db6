/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_life.c — how a verbs link ends: in order, by a failure, or by a deadline. */
#include "verbs_life.h"

#include <string.h>

#include "clock.h"
#include "probe.h"
#include "slot_header.h"

/* Shorter interruptions, as of a switch, cost a few retransmissions instead of a new link. */
enum { PORT_DOWN_MS_MAX = 500 };

uint64_t verbs_life_deadline_ns(const struct verbs_link *link)
{
    return clock_deadline_ns(link->base.config.clock, link->base.config.options.peer_timeout_ms);
}

/* --- endings -------------------------------------------------------------------------------- */

/* A device that was removed, or whose driver restarts, returns errors, mostly EIO. */
static void tell_leak(struct verbs_link *link)
{
    struct verbs_leak *leak = &link->endpoint.device.leak;
    if (leak->count > 0) {
        haul_log(link->base.config.log, HAUL_LOG_WARNING,
                 "%s: the RDMA device failed to release %u object(s) of its link: %s: %s; a few "
                 "kilobytes are lost, nothing else",
                 link->peer_text, leak->count, leak->call, strerror(leak->code));
    }
    *leak = (struct verbs_leak){.count = 0};
}

/* Release everything that came from the RDMA libraries. */
void verbs_life_give_back(struct verbs_link *link)
{
    verbs_endpoint_close_queue(&link->endpoint);
    if (link->base.sending) {
        verbs_sender_detach(&link->sender);
    } else {
        verbs_receiver_detach(&link->receiver);
    }
    verbs_endpoint_close(&link->endpoint);
    tell_leak(link);
}

void verbs_life_enter(struct verbs_link *link, enum verbs_link_state state)
{
    PROBE3(link_state, link, link->state, state);
    link->state = state;
}

/* End the link, with `link->error` filled in. */
void verbs_life_fail(struct verbs_link *link)
{
    if (link->state >= VERBS_LINK_DRAINING) {
        return;
    }
    verbs_endpoint_disconnect(&link->endpoint);
    verbs_life_enter(link, VERBS_LINK_DRAINING);
    link->deadline_ns = verbs_life_deadline_ns(link);
}

void verbs_life_fail_with(struct verbs_link *link, enum haul_status status, const char *text)
{
    if (link->state < VERBS_LINK_DRAINING) {
        haul_error_set(&link->error, status, "", 0, "%s: %s", link->peer_text, text);
        verbs_life_fail(link);
    }
}

void verbs_life_lose_device(struct verbs_link *link, const char *text)
{
    verbs_life_fail_with(link, HAUL_IO, text);
    if (link->state == VERBS_LINK_DRAINING) {
        link->deadline_ns = 0;
    }
}

void verbs_life_port_down(struct verbs_link *link)
{
    uint32_t patience_ms = link->base.config.options.peer_timeout_ms;
    patience_ms = patience_ms < PORT_DOWN_MS_MAX ? patience_ms : PORT_DOWN_MS_MAX;
    if (link->port_down_ns == CLOCK_NEVER && link->state < VERBS_LINK_DRAINING) {
        link->port_down_ns = clock_deadline_ns(link->base.config.clock, patience_ms);
    }
}

void verbs_life_say_ended(struct verbs_link *link)
{
    haul_error_set(&link->error, HAUL_OK, "", 0, "closed by both sides");
}

/* Both sides have ended; lost last acknowledgements do not matter. */
bool verbs_life_both_ended(const struct verbs_link *link)
{
    return link->peer_ended && link->end_posted;
}

bool verbs_life_in_flight(const struct verbs_link *link)
{
    return link->base.sending ? verbs_sender_in_flight(&link->sender)
                              : verbs_receiver_in_flight(&link->receiver);
}

/* A receiver sends its last credits first. */
static bool end_may_go(const struct verbs_link *link)
{
    return link->base.sending ||
           (!link->receiver.record_in_flight && !verbs_receiver_has_news(&link->receiver));
}

static enum haul_status post_end(struct verbs_link *link)
{
    const struct verbs_write end = {
        .kind = VERBS_WORK_CLOSE,
        .urgent = true,
        .immediate = imm_pack(SLOT_CLOSE, link->base.sending ? link->sender.next_sequence
                                                             : link->receiver.next_record),
    };
    link->end_posted = true;
    return verbs_queue_write(&link->endpoint.queue, &end, &link->error);
}

void verbs_life_advance_end(struct verbs_link *link)
{
    if (!link->end_posted && end_may_go(link) && post_end(link) != HAUL_OK) {
        verbs_life_fail(link);
    } else if (link->end_done && link->peer_ended) {
        verbs_life_say_ended(link);
        verbs_life_fail(link);
    }
}

void verbs_life_begin_closing(struct verbs_link *link)
{
    verbs_life_enter(link, VERBS_LINK_CLOSING);
    link->deadline_ns = verbs_life_deadline_ns(link);
}

/* The peer sent its end while the link was open. It is orderly if nothing is in flight. */
static void on_peer_end(struct verbs_link *link)
{
    if (link->base.sending && verbs_life_in_flight(link)) {
        verbs_life_fail_with(link, HAUL_CLOSED, "the peer closed while blocks were in flight");
    } else if (!link->base.sending && !verbs_receiver_all_reported(&link->receiver)) {
        verbs_life_fail_with(link, HAUL_PROTOCOL, "the peer closed before its blocks were freed");
    } else {
        verbs_life_begin_closing(link);
    }
}

/* `drained`: the completion queue was found empty after the last known event. */
void verbs_life_check_end(struct verbs_link *link, bool drained)
{
    if (link->state == VERBS_LINK_OPEN && link->peer_ended) {
        on_peer_end(link);
    }
    if (link->state == VERBS_LINK_CLOSING) {
        verbs_life_advance_end(link);
    }
    if (link->disconnected && drained && link->state < VERBS_LINK_DRAINING) {
        if (verbs_life_both_ended(link)) {
            verbs_life_say_ended(link);
            verbs_life_fail(link);
        } else {
            verbs_life_fail_with(link, HAUL_CLOSED, "the peer disappeared");
        }
    }
}

static bool has_sends_outstanding(const struct verbs_link *link)
{
    const struct verbs_queue *queue = &link->endpoint.queue;
    return link->state == VERBS_LINK_OPEN && queue->sends_done < queue->sends_posted;
}

/* Does the peer's next write lie in memory already? */
static bool has_arrival(const struct verbs_link *link)
{
    return link->state == VERBS_LINK_OPEN &&
           (link->base.sending ? verbs_sender_has_arrival(&link->sender)
                               : verbs_receiver_has_arrival(&link->receiver));
}

static uint64_t arrivals_taken(const struct verbs_link *link)
{
    return link->base.sending ? link->sender.next_record : link->receiver.next_sequence;
}

static void start(const struct verbs_link *link, struct verbs_watch *watch, uint64_t count)
{
    watch->count = count;
    watch->deadline_ns = verbs_life_deadline_ns(link);
}

/* Has the deadline passed without a change of the count? The watch ends at its deadline. */
static bool has_stalled(const struct verbs_link *link, struct verbs_watch *watch, uint64_t count)
{
    if (watch->deadline_ns == CLOCK_NEVER ||
        clock_now_ns(link->base.config.clock) < watch->deadline_ns) {
        return false;
    }
    watch->deadline_ns = CLOCK_NEVER;
    return watch->count == count;
}

void verbs_life_start_watch(struct verbs_link *link)
{
    if (link->arrivals.deadline_ns == CLOCK_NEVER && has_arrival(link)) {
        start(link, &link->arrivals, arrivals_taken(link));
    }
    if (link->sends.deadline_ns == CLOCK_NEVER && has_sends_outstanding(link)) {
        start(link, &link->sends, link->endpoint.queue.sends_done);
    }
}

void verbs_life_watch(struct verbs_link *link)
{
    if (has_stalled(link, &link->arrivals, arrivals_taken(link)) && has_arrival(link)) {
        verbs_life_fail_with(link, HAUL_TIMEOUT, "its device lost a completion");
    }
    if (has_stalled(link, &link->sends, link->endpoint.queue.sends_done) &&
        has_sends_outstanding(link)) {
        verbs_life_fail_with(link, HAUL_TIMEOUT, "its network no longer acknowledges writes");
    }
}

void verbs_life_check_deadline(struct verbs_link *link)
{
    if (link->port_down_ns != CLOCK_NEVER &&
        clock_now_ns(link->base.config.clock) >= link->port_down_ns) {
        verbs_life_fail_with(link, HAUL_UNREACHABLE, "our RDMA port is down");
        link->port_down_ns = CLOCK_NEVER;
    }
    if (link->deadline_ns == CLOCK_NEVER || link->state >= VERBS_LINK_DRAINING ||
        clock_now_ns(link->base.config.clock) < link->deadline_ns) {
        return;
    }
    if (verbs_life_both_ended(link)) {
        verbs_life_say_ended(link);
    } else {
        haul_error_set(&link->error, HAUL_TIMEOUT, "", 0, "%s did not %s within %u ms",
                       link->peer_text,
                       link->state == VERBS_LINK_CLOSING ? "end the link" : "answer over RDMA",
                       link->base.config.options.peer_timeout_ms);
    }
    verbs_life_fail(link);
}

size_t verbs_life_put_event(struct link_event *event, enum link_event_type type,
                            enum haul_status status, struct block *block)
{
    event->type = type;
    event->status = status;
    event->block = block;
    event->error = NULL;
    return 1;
}
