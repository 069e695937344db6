/* SPDX-License-Identifier: Apache-2.0 */
/* conformance_message.c — packets between a test and its peer process. */
#include "conformance_message.h"

#include <string.h>
#include <sys/socket.h>

bool conformance_message_send(int fd, enum conformance_message_kind kind, const void *bytes,
                              size_t size_bytes)
{
    struct conformance_message message = {.kind = (uint8_t)kind, .size_bytes = (uint8_t)size_bytes};
    if (size_bytes > 0) {
        memcpy(message.bytes, bytes, size_bytes);
    }
    return send(fd, &message, sizeof(message), MSG_NOSIGNAL) == (ssize_t)sizeof(message);
}

bool conformance_message_take(int fd, struct conformance_message *message)
{
    return recv(fd, message, sizeof(*message), MSG_DONTWAIT) == (ssize_t)sizeof(*message) &&
           message->size_bytes <= sizeof(message->bytes);
}
