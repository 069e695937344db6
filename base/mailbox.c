/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.c — a mutex, two conditions, and an eventfd that is readable exactly while a message or
 * the close can be popped. Messages stand for batches of a megabyte or more, so a lock for each is
 * cheap. */
#include "mailbox.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "assertion.h"
#include "condition.h"
#include "planted_bug.h"

struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t readable;
    pthread_cond_t writable;
    size_t capacity;
    size_t message_size_bytes;
    size_t first;
    size_t count;
    bool closed;
    bool signalled;
    int fd;
    uint8_t *messages;
};

/* Keep the eventfd readable exactly while there is something to pop. Lock held. */
static void update_signal(struct mailbox *mailbox)
{
    bool wanted = mailbox->count > 0 || mailbox->closed;
    if (wanted == mailbox->signalled) {
        return;
    }
    eventfd_t value = 1;
    int result = wanted ? eventfd_write(mailbox->fd, 1) : eventfd_read(mailbox->fd, &value);
    haul_assert(result == 0);
    mailbox->signalled = wanted;
}

static void put_locked(struct mailbox *mailbox, const void *message)
{
    size_t index = (mailbox->first + mailbox->count) % mailbox->capacity;
    memcpy(mailbox->messages + index * mailbox->message_size_bytes, message,
           mailbox->message_size_bytes);
    mailbox->count++;
    update_signal(mailbox);
    (void)pthread_cond_signal(&mailbox->readable);
}

static void take_locked(struct mailbox *mailbox, void *message)
{
    memcpy(message, mailbox->messages + mailbox->first * mailbox->message_size_bytes,
           mailbox->message_size_bytes);
    mailbox->first = (mailbox->first + 1) % mailbox->capacity;
    mailbox->count--;
    update_signal(mailbox);
    (void)pthread_cond_signal(&mailbox->writable);
}

enum haul_status mailbox_create(size_t capacity, size_t message_size_bytes, struct mailbox **out)
{
    haul_assert(capacity > 0);
    haul_assert(message_size_bytes > 0);
    struct mailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (mailbox == NULL) {
        return HAUL_NO_MEMORY;
    }
    mailbox->fd = -1;
    mailbox->capacity = capacity;
    mailbox->message_size_bytes = message_size_bytes;
    (void)pthread_mutex_init(&mailbox->lock, NULL);
    condition_init(&mailbox->readable);
    condition_init(&mailbox->writable);
    enum haul_status status = HAUL_NO_MEMORY;
    haul_assert(capacity <= SIZE_MAX / message_size_bytes);
    mailbox->messages = malloc(capacity * message_size_bytes); /* written before it is read */
    if (mailbox->messages == NULL) {
        goto fail;
    }
    status = HAUL_LIMIT;
    mailbox->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (mailbox->fd < 0) {
        goto fail;
    }
    *out = mailbox;
    return HAUL_OK;
fail:
    mailbox_destroy(mailbox);
    return status;
}

void mailbox_destroy(struct mailbox *mailbox)
{
    if (mailbox == NULL) {
        return;
    }
    if (mailbox->fd >= 0) {
        (void)close(mailbox->fd);
    }
    (void)pthread_cond_destroy(&mailbox->writable);
    (void)pthread_cond_destroy(&mailbox->readable);
    (void)pthread_mutex_destroy(&mailbox->lock);
    free(mailbox->messages);
    free(mailbox);
}

enum haul_status mailbox_push_wait(struct mailbox *mailbox, const void *message,
                                   uint64_t deadline_ns)
{
    enum haul_status status = HAUL_OK;
    (void)pthread_mutex_lock(&mailbox->lock);
    while (!mailbox->closed && mailbox->count == mailbox->capacity && status == HAUL_OK) {
        if (!condition_wait(&mailbox->writable, &mailbox->lock, deadline_ns)) {
            status = HAUL_TIMEOUT;
        }
    }
    if (mailbox->closed) {
        status = HAUL_CLOSED;
    } else if (mailbox->count < mailbox->capacity) {
        put_locked(mailbox, message);
        status = HAUL_OK;
    }
    (void)pthread_mutex_unlock(&mailbox->lock);
    return status;
}

enum haul_status mailbox_push(struct mailbox *mailbox, const void *message)
{
    enum haul_status status = mailbox_push_wait(mailbox, message, 0);
    return status == HAUL_TIMEOUT ? HAUL_AGAIN : status;
}

enum haul_status mailbox_pop_wait(struct mailbox *mailbox, void *message, uint64_t deadline_ns)
{
    enum haul_status status = HAUL_OK;
    (void)pthread_mutex_lock(&mailbox->lock);
    while (!mailbox->closed && mailbox->count == 0 && status == HAUL_OK) {
        if (!condition_wait(&mailbox->readable, &mailbox->lock, deadline_ns)) {
            status = HAUL_TIMEOUT;
        }
    }
    if (mailbox->count > 0) {
        take_locked(mailbox, message);
        status = HAUL_OK;
    } else if (mailbox->closed) {
        status = HAUL_CLOSED;
    }
    (void)pthread_mutex_unlock(&mailbox->lock);
    return status;
}

enum haul_status mailbox_pop(struct mailbox *mailbox, void *message)
{
    enum haul_status status = mailbox_pop_wait(mailbox, message, 0);
    return status == HAUL_TIMEOUT ? HAUL_AGAIN : status;
}

void mailbox_close(struct mailbox *mailbox)
{
    (void)pthread_mutex_lock(&mailbox->lock);
    mailbox->closed = true;
    update_signal(mailbox);
    (void)pthread_cond_broadcast(&mailbox->readable);
    if (!HAUL_PLANTED_BUG(WRITERS_ASLEEP)) {
        (void)pthread_cond_broadcast(&mailbox->writable);
    }
    (void)pthread_mutex_unlock(&mailbox->lock);
}

size_t mailbox_count(struct mailbox *mailbox)
{
    (void)pthread_mutex_lock(&mailbox->lock);
    size_t count = mailbox->count;
    (void)pthread_mutex_unlock(&mailbox->lock);
    return count;
}

int mailbox_fd(const struct mailbox *mailbox)
{
    return mailbox->fd;
}
