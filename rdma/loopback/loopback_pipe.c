/* SPDX-License-Identifier: Apache-2.0 */
/* loopback_pipe.c — the shared half of an in-memory link. */
#include "loopback_pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

static void close_fd(int fd)
{
    if (fd >= 0) {
        (void)close(fd);
    }
}

static void free_pipe(struct loopback_pipe *pipe)
{
    if (pipe->ring != NULL) {
        block_pool_close(pipe->ring);
        block_pool_destroy(pipe->ring);
    }
    close_fd(pipe->sender_fd);
    close_fd(pipe->receiver_fd);
    (void)pthread_mutex_destroy(&pipe->lock);
    free(pipe);
}

enum haul_status loopback_pipe_create(const struct link_ticket *ticket, struct loopback_pipe **out,
                                      struct haul_error *error)
{
    struct loopback_pipe *pipe = calloc(1, sizeof(*pipe));
    if (pipe == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for a link");
    }
    (void)pthread_mutex_init(&pipe->lock, NULL);
    pipe->references = 2;
    pipe->ticket = *ticket;
    pipe->sender_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pipe->receiver_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pipe->sender_fd < 0 || pipe->receiver_fd < 0) {
        int code = errno;
        free_pipe(pipe);
        return haul_error_set(error, HAUL_LIMIT, "eventfd", code, "no descriptor for a link");
    }
    *out = pipe;
    return HAUL_OK;
}

void loopback_pipe_drop(struct loopback_pipe *pipe)
{
    (void)pthread_mutex_lock(&pipe->lock);
    int left = --pipe->references;
    (void)pthread_mutex_unlock(&pipe->lock);
    if (left == 0) {
        free_pipe(pipe);
    }
}

void loopback_pipe_wake(int fd)
{
    (void)eventfd_write(fd, 1);
}

void loopback_pipe_answer(struct loopback_pipe *pipe, enum haul_status status)
{
    (void)pthread_mutex_lock(&pipe->lock);
    pipe->answered = true;
    pipe->answer = status;
    loopback_pipe_wake(pipe->sender_fd);
    loopback_pipe_wake(pipe->receiver_fd); /* an accepting end can now poll its CONNECTED */
    (void)pthread_mutex_unlock(&pipe->lock);
}
