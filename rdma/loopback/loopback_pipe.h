/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_pipe.h — the state that the two ends of an in-memory link share.
 *
 * The connecting end creates it; the listener's queue, then the accepting end, holds the second
 * reference. An end makes every change under the lock, and then wakes the other one.
 * Ownership: the last loopback_pipe_drop frees it, ring and descriptors included. */
#ifndef HAUL_LOOPBACK_PIPE_H
#define HAUL_LOOPBACK_PIPE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "block_pool.h"
#include "credit.h"
#include "haul/status.h"
#include "link.h"

/* The state of an end; it never changes again once it is not OPEN. */
enum loopback_end {
    LOOPBACK_OPEN,
    LOOPBACK_CLOSING, /* orderly: nothing of this end follows */
    LOOPBACK_GONE,    /* failed, closed with blocks in flight, or destroyed without a close */
};

struct loopback_pipe {
    pthread_mutex_t lock;
    int references;
    bool answered;
    enum haul_status answer;
    enum loopback_end sender;
    enum loopback_end receiver;
    int sender_fd; /* eventfds; constant */
    int receiver_fd;
    struct link_ticket ticket;
    struct block_pool *ring; /* the receiver's; set before the answer OK, then constant */
    uint64_t arrived;        /* blocks placed in the ring since the beginning */
    struct credit_frame credit;
    uint64_t credits; /* frames sent; `credit` is the last */
};

/* With both references. Errors: NO_MEMORY, LIMIT (descriptors). */
enum haul_status loopback_pipe_create(const struct link_ticket *ticket, struct loopback_pipe **pipe,
                                      struct haul_error *error) HAUL_MUST_CHECK;
void loopback_pipe_drop(struct loopback_pipe *pipe);

void loopback_pipe_wake(int fd);

/* Answer the connecting end: OK, or the reason of a refusal. */
void loopback_pipe_answer(struct loopback_pipe *pipe, enum haul_status status);

#endif
