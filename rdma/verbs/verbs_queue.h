/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_queue.h — a queue pair and its completion queue: posting, polling, sleeping, draining.
 *
 * Sizes, by which no queue can overflow and no peer ever gets "receiver not ready":
 *
 *   The receiver of a link posts slot_count + 8 receives. Each block takes one; the sender has at
 *   most slot_count blocks without a credit, and a receive is posted again before its slot's
 *   credit goes out. The end of the link takes one of the other eight.
 *   The sender of a link posts credit_frames_max(slot_count) + 8. No more credit frames than that
 *   can be unread (credit.h); each receive is posted again as its frame is read.
 *   Send queues: a sender has at most slot_count uncompleted blocks (checked separately from the
 *   credits, which may be faster) and the end; a receiver has one credit frame or the end.
 *   The completion queue holds the sum of both queues.
 *
 * Work request ids are kind (8 bits), generation (24), index (32). Completions of one direction
 * come in the order of posting, so the generation, a count of the posts of that direction, must be
 * that of the oldest one outstanding. This detects a completion that a provider reports twice, or
 * that does not belong to haul, before anything is done about it.
 *
 * Invariants:
 *   Q1 sends_done <= sends_posted <= sends_done + send_count; likewise for receives.
 *   Q2 Every CQ event taken is acknowledged exactly once, before the CQ is destroyed.
 *   Q3 Only id, status and vendor error of a completion with an error are read.
 *
 * Thread: the owner's. */
#ifndef HAUL_VERBS_QUEUE_H
#define HAUL_VERBS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "verbs_device.h"

enum verbs_work_kind {
    VERBS_WORK_RECEIVE = 1, /* an empty receive, for the immediate of a write */
    VERBS_WORK_BLOCK = 2,   /* a block's write; index: its place in the sender's queue */
    VERBS_WORK_CREDIT = 3,  /* a credit frame's write */
    VERBS_WORK_CLOSE = 4,   /* the orderly end */
};

enum {
    VERBS_QUEUE_SPARE = 8,
    VERBS_QUEUE_INLINE_BYTES = 32, /* a credit frame, if the device inlines any data */
    VERBS_QUEUE_BATCH = 16,        /* completions taken by one call */
};

/* `generation` is cut to 24 bits. */
uint64_t verbs_work_id(enum verbs_work_kind kind, uint64_t generation, uint32_t index);
enum verbs_work_kind verbs_work_kind(uint64_t id);
uint32_t verbs_work_generation(uint64_t id);
uint32_t verbs_work_index(uint64_t id);

/* Which completions end a sleep. Each wake-up costs several system calls. */
enum verbs_notify {
    VERBS_NOTIFY_NONE,
    VERBS_NOTIFY_URGENT, /* an urgent write of the peer, or the queue pair broke */
    VERBS_NOTIFY_ANY,    /* any write of the peer, and the end of any of our own */
};

struct verbs_completion {
    enum verbs_work_kind kind;
    uint32_t index;
    enum ibv_wc_status status;
    uint32_t vendor_error;
    /* Of a successful receive: */
    bool with_immediate; /* it announces a write; anything else breaks the protocol */
    uint32_t immediate;
    uint32_t size_bytes;
};

/* A write into the peer's memory with an immediate. */
struct verbs_write {
    enum verbs_work_kind kind;
    uint32_t index;
    const void *data; /* NULL: only the immediate */
    uint32_t size_bytes;
    uint32_t lkey;
    bool urgent;  /* ends the peer's sleep even when it waits for urgent completions only */
    bool inlined; /* the call copies the data, if the queue pair inlines */
    uint64_t remote_address;
    uint32_t rkey;
    uint32_t immediate;
};

struct verbs_queue {
    const struct verbs_api *api;
    struct verbs_leak *leak;          /* the device's */
    struct ibv_comp_channel *channel; /* its fd does not block */
    struct ibv_cq *cq;
    struct ibv_qp *qp;
    bool inlines; /* the device copies VERBS_QUEUE_INLINE_BYTES into the request itself */
    uint32_t send_count;
    uint32_t receive_count;
    uint64_t sends_posted;
    uint64_t sends_done;
    uint64_t receives_posted;
    uint64_t receives_done;
    unsigned events_taken;    /* events taken and not acknowledged */
    enum verbs_notify notify; /* requested and not taken */
    int polled_count;         /* completions waiting in `polled`, from `polled_at` on */
    int polled_at;
    struct ibv_wc polled[VERBS_QUEUE_BATCH];
};

/* Create with room for this many sends and receives. Errors: UNSUPPORTED (the device has less
 * room), LIMIT (locked memory, descriptors), NO_MEMORY, IO. */
enum haul_status verbs_queue_open(struct verbs_queue *queue, struct verbs_device *device,
                                  uint32_t send_count, uint32_t receive_count,
                                  struct haul_error *error) HAUL_MUST_CHECK;
/* Afterwards the device neither reads nor writes any memory, unless it has lost the queue pair:
 * then only after the device is closed. Accepts a half-opened queue. */
void verbs_queue_close(struct verbs_queue *queue);

/* Post one empty receive / all of them. Errors: IO. */
enum haul_status verbs_queue_post_receive(struct verbs_queue *queue,
                                          struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status verbs_queue_fill(struct verbs_queue *queue,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Post a write. The caller has checked that there is room. Errors: IO. */
enum haul_status verbs_queue_write(struct verbs_queue *queue, const struct verbs_write *write,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Peek at / take the next completion; take follows a successful peek.
 * Errors: AGAIN (none); IO (the queue is broken, or the completion impossible). */
enum haul_status verbs_queue_peek(struct verbs_queue *queue, struct verbs_completion *completion,
                                  struct haul_error *error) HAUL_MUST_CHECK;
void verbs_queue_take(struct verbs_queue *queue);

/* Make the channel readable with the next completion of the requested kind. Errors: AGAIN (a
 * completion of any kind is here already); IO. */
enum haul_status verbs_queue_arm(struct verbs_queue *queue, enum verbs_notify wanted,
                                 struct haul_error *error) HAUL_MUST_CHECK;
/* Take one notification, so that the channel is readable only for later ones. False: there was
 * none. More than one is due only if URGENT was requested first, and then ANY. */
bool verbs_queue_take_notification(struct verbs_queue *queue);

/* Make every outstanding request complete with an error, so that the queue runs empty. */
void verbs_queue_fail(struct verbs_queue *queue);
bool verbs_queue_is_empty(const struct verbs_queue *queue);

/* The room left for sends. */
static inline uint32_t verbs_queue_send_room(const struct verbs_queue *queue)
{
    return queue->send_count - (uint32_t)(queue->sends_posted - queue->sends_done);
}

/* The error for a failed completion, with `peer` named in the text. */
enum haul_status verbs_completion_fail(const struct verbs_completion *completion, const char *peer,
                                       struct haul_error *error);

#endif
