/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_traffic.c — takes completions in OPEN, CLOSING and DRAINING. */
#include "verbs_traffic.h"

#include "clock.h"
#include "slot_header.h"
#include "verbs_queue.h"

/* Blocks further apart than this are not a stream: no peer may have to wait longer for the next. */
#define STREAM_GAP_MAX_NS (UINT64_C(10) * NS_PER_MS)

static bool is_end(const struct verbs_completion *completion)
{
    return completion->kind == VERBS_WORK_RECEIVE && completion->with_immediate &&
           imm_type(completion->immediate) == SLOT_CLOSE;
}

/* A receiver's first block waits in the queue until the bind. */
static bool must_wait(const struct verbs_link *link, const struct verbs_completion *completion)
{
    return !link->base.bound && !link->base.sending && completion->kind == VERBS_WORK_RECEIVE &&
           completion->status == IBV_WC_SUCCESS && !is_end(completion);
}

static enum haul_status on_end(struct verbs_link *link, const struct verbs_completion *completion)
{
    uint64_t next = link->base.sending ? link->sender.next_record : link->receiver.next_sequence;
    if (imm_distance(completion->immediate, next) != 0 || completion->size_bytes != 0) {
        return haul_error_set(&link->error, HAUL_PROTOCOL, "", 0,
                              "the peer's end does not follow its last block");
    }
    link->peer_ended = true;
    return HAUL_OK;
}

static enum haul_status on_failed(struct verbs_link *link,
                                  const struct verbs_completion *completion)
{
    if (verbs_life_both_ended(link)) {
        verbs_life_say_ended(link);
        return HAUL_CLOSED;
    }
    return verbs_completion_fail(completion, link->peer_text, &link->error);
}

/* After a status other than OK the link is over, with `link->error` filled in. */
static enum haul_status on_completion(struct verbs_link *link,
                                      const struct verbs_completion *completion,
                                      struct block **block)
{
    if (completion->status != IBV_WC_SUCCESS) {
        return on_failed(link, completion);
    }
    if (completion->kind == VERBS_WORK_CLOSE) {
        link->end_done = true;
        return HAUL_OK;
    }
    if (completion->kind == VERBS_WORK_RECEIVE && link->peer_ended) {
        return haul_error_set(&link->error, HAUL_PROTOCOL, "", 0, "the peer wrote after its end");
    }
    if (is_end(completion)) {
        return on_end(link, completion);
    }
    if (!link->base.sending) {
        return verbs_receiver_on_completion(&link->receiver, completion, block, &link->error);
    }
    enum haul_status status = verbs_sender_on_completion(&link->sender, completion, &link->error);
    return status == HAUL_OK && completion->kind == VERBS_WORK_RECEIVE
               ? verbs_queue_post_receive(&link->endpoint.queue, &link->error)
               : status;
}

/* Take the next completion that can be processed now. AGAIN: none. Otherwise as on_completion. */
static enum haul_status take_completion(struct verbs_link *link, struct block **block)
{
    struct verbs_completion completion;
    enum haul_status status = verbs_queue_peek(&link->endpoint.queue, &completion, &link->error);
    if (status != HAUL_OK) {
        return status;
    }
    if (must_wait(link, &completion)) {
        return HAUL_AGAIN;
    }
    verbs_queue_take(&link->endpoint.queue);
    return on_completion(link, &completion, block);
}

static size_t put_done(struct verbs_link *link, struct link_event *events, size_t capacity)
{
    size_t count = 0;
    while (count < capacity) {
        struct block *block = verbs_sender_take_done(&link->sender);
        if (block == NULL) {
            break;
        }
        block->state = BLOCK_FILLING;
        count += verbs_life_put_event(&events[count], LINK_DONE, HAUL_OK, block);
    }
    if (count < capacity && link->sender.advanced) {
        link->sender.advanced = false;
        count += verbs_life_put_event(&events[count], LINK_CREDIT, HAUL_OK, NULL);
    }
    return count;
}

static void note_credit(struct verbs_link *link)
{
    link->base.freed_count = link->sender.credit.freed;
    link->base.applied_count = link->sender.credit.applied;
}

size_t verbs_traffic_send(struct verbs_link *link, struct link_event *events, size_t capacity)
{
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK) {
        struct block *none = NULL;
        status = take_completion(link, &none);
    }
    note_credit(link);
    if (status != HAUL_AGAIN) {
        verbs_life_fail(link);
        return 0;
    }
    verbs_life_check_end(link, true);
    return link->state < VERBS_LINK_DRAINING ? put_done(link, events, capacity) : 0;
}

size_t verbs_traffic_receive(struct verbs_link *link, struct link_event *events, size_t capacity)
{
    struct verbs_receiver *receiver = &link->receiver;
    size_t count = 0;
    enum haul_status status = HAUL_OK;
    while (status == HAUL_OK && count < capacity) {
        struct block *block = NULL;
        status = take_completion(link, &block);
        if (block != NULL) {
            count += verbs_life_put_event(&events[count], LINK_RECEIVED, HAUL_OK, block);
        }
    }
    bool drained = status == HAUL_AGAIN;
    if ((status == HAUL_OK || drained) && !link->end_posted) {
        status = verbs_receiver_report(receiver, link->state == VERBS_LINK_CLOSING, &link->error);
    }
    if (status != HAUL_OK && status != HAUL_AGAIN) {
        verbs_life_fail(link);
    } else {
        verbs_life_check_end(link, drained);
    }
    return count;
}

size_t verbs_traffic_receive_end(struct verbs_link *link)
{
    struct link_event event;
    if (verbs_traffic_receive(link, &event, 1) > 0) {
        verbs_life_fail_with(link, HAUL_CANCELLED, "closed while the peer had blocks in flight");
    }
    return 0;
}

/* Take credits that arrived before the end: a block that was freed must not be reported as
 * cancelled. */
static void drain_completion(struct verbs_link *link, const struct verbs_completion *completion)
{
    struct haul_error ignored;
    if (link->base.sending && completion->status == IBV_WC_SUCCESS &&
        completion->kind == VERBS_WORK_RECEIVE && !is_end(completion)) {
        if (verbs_sender_on_completion(&link->sender, completion, &ignored) == HAUL_OK) {
            note_credit(link);
        }
    }
}

bool verbs_traffic_drain(struct verbs_link *link)
{
    struct verbs_queue *queue = &link->endpoint.queue;
    struct verbs_completion completion;
    struct haul_error ignored;
    enum haul_status status = HAUL_OK;
    while (queue->qp != NULL && status == HAUL_OK && !verbs_queue_is_empty(queue)) {
        status = verbs_queue_peek(queue, &completion, &ignored);
        if (status == HAUL_OK) {
            verbs_queue_take(queue);
            drain_completion(link, &completion);
        }
    }
    return status != HAUL_AGAIN;
}

/* --- sleeping ------------------------------------------------------------------------------- */

/* Is the next completion one of our own successful writes, on an open link? */
static bool is_settled(const struct verbs_link *link, const struct verbs_completion *completion)
{
    return link->state == VERBS_LINK_OPEN && completion->status == IBV_WC_SUCCESS &&
           completion->kind != VERBS_WORK_RECEIVE;
}

/* Take completions that need no poll. OK: another one waits, in `completion`. Errors: AGAIN (none
 * waits); as on_completion. */
static enum haul_status settle(struct verbs_link *link, struct verbs_completion *completion)
{
    struct verbs_queue *queue = &link->endpoint.queue;
    struct block *none = NULL;
    enum haul_status status = verbs_queue_peek(queue, completion, &link->error);
    while (status == HAUL_OK && is_settled(link, completion)) {
        verbs_queue_take(queue);
        status = on_completion(link, completion, &none);
        if (status == HAUL_OK) {
            status = verbs_queue_peek(queue, completion, &link->error);
        }
    }
    return status;
}

/* Do blocks arrive one at a time? They are a stream if the last ones followed soon after those
 * before, and the next may be up to twice as late. */
static bool is_quiet(struct verbs_link *link)
{
    const struct haul_clock *clock = link->base.config.clock;
    if (link->blocks_seen != link->receiver.credit.received) {
        uint64_t now = clock_now_ns(clock);
        uint64_t gap = now - link->blocks_seen_ns;
        link->blocks_seen = link->receiver.credit.received;
        link->blocks_seen_ns = now;
        link->quiet_ns = gap <= STREAM_GAP_MAX_NS ? now + 2 * gap : CLOCK_NEVER;
    } else if (link->quiet_ns != CLOCK_NEVER && clock_now_ns(clock) >= link->quiet_ns) {
        link->quiet_ns = CLOCK_NEVER;
    }
    return link->quiet_ns == CLOCK_NEVER;
}

/* While blocks stream in, a quarter of the ring is worth a wake-up and a credit frame. Otherwise
 * each block is, and the peer gets every credit that it may be waiting for. Arm before sending, so
 * that the completion of our own frame does not count as news. */
static enum haul_status arm_receiver(struct verbs_link *link)
{
    struct verbs_receiver *receiver = &link->receiver;
    bool quiet = is_quiet(link);
    bool any = quiet || verbs_receiver_waits_for_sends(receiver, quiet);
    enum haul_status status = verbs_queue_arm(
        &link->endpoint.queue, any ? VERBS_NOTIFY_ANY : VERBS_NOTIFY_URGENT, &link->error);
    return status == HAUL_OK ? verbs_receiver_report(receiver, quiet, &link->error) : status;
}

static enum haul_status arm_sender(struct verbs_link *link)
{
    const struct verbs_sender *sender = &link->sender;
    if (verbs_sender_has_news(sender)) {
        return HAUL_AGAIN;
    }
    bool any = verbs_sender_waits_for_sends(sender);
    return verbs_queue_arm(&link->endpoint.queue, any ? VERBS_NOTIFY_ANY : VERBS_NOTIFY_URGENT,
                           &link->error);
}

static enum haul_status arm(struct verbs_link *link)
{
    if (link->state != VERBS_LINK_OPEN) {
        return verbs_queue_arm(&link->endpoint.queue, VERBS_NOTIFY_ANY, &link->error);
    }
    return link->base.sending ? arm_sender(link) : arm_receiver(link);
}

bool verbs_traffic_arm(struct verbs_link *link)
{
    struct verbs_completion completion;
    enum haul_status status = settle(link, &completion);
    if (status == HAUL_OK) {
        return must_wait(link, &completion);
    }
    if (status == HAUL_AGAIN) {
        status = arm(link);
    }
    if (status != HAUL_OK && status != HAUL_AGAIN) {
        verbs_life_fail(link);
    }
    return status == HAUL_OK;
}
