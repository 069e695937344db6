/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.h — a bounded queue of fixed-size messages between threads. Worker threads wait for
 * messages by a deadline, event loops by a file descriptor. */
#ifndef HAUL_MAILBOX_H
#define HAUL_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/status.h"

struct mailbox;

/* Create for at most `capacity` messages of `message_size_bytes` each.
 * Errors: NO_MEMORY, LIMIT (no file descriptor left). */
enum haul_status mailbox_create(size_t capacity, size_t message_size_bytes,
                                struct mailbox **mailbox) HAUL_MUST_CHECK;
void mailbox_destroy(struct mailbox *mailbox);

/* Copy one message in. Errors: AGAIN (full), CLOSED. Thread: any. */
enum haul_status mailbox_push(struct mailbox *mailbox, const void *message) HAUL_MUST_CHECK;

/* As push, but waits for room until `deadline_ns` of the monotonic clock.
 * Errors: TIMEOUT, CLOSED. Thread: any. */
enum haul_status mailbox_push_wait(struct mailbox *mailbox, const void *message,
                                   uint64_t deadline_ns) HAUL_MUST_CHECK;

/* Take one message out. Errors: AGAIN (empty), CLOSED (empty and closed). Thread: any. */
enum haul_status mailbox_pop(struct mailbox *mailbox, void *message) HAUL_MUST_CHECK;

/* As pop, but waits until `deadline_ns`. Errors: TIMEOUT, CLOSED. Thread: any. */
enum haul_status mailbox_pop_wait(struct mailbox *mailbox, void *message,
                                  uint64_t deadline_ns) HAUL_MUST_CHECK;

/* Refuse further pushes and wake all waiters; what is inside can still be taken. Thread: any. */
void mailbox_close(struct mailbox *mailbox);

size_t mailbox_count(struct mailbox *mailbox);

/* Readable while a message (or the close) waits to be popped; level-triggered. Owned by the
 * mailbox. */
int mailbox_fd(const struct mailbox *mailbox);

#endif
