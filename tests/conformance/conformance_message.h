/* SPDX-License-Identifier: Apache-2.0 */
/* conformance_message.h — messages between a test and its peer process, outside the link:
 * addresses, descriptions, and phases that are reached. One packet each on a local socket. */
#ifndef HAUL_TESTS_CONFORMANCE_MESSAGE_H
#define HAUL_TESTS_CONFORMANCE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum conformance_message_kind {
    MESSAGE_BYTES = 1, /* the text of an address, or a link's description */
    MESSAGE_READY = 2,
};

struct conformance_message {
    uint8_t kind;
    uint8_t size_bytes;
    uint8_t bytes[96];
};

/* False: nothing could be sent; or nothing has arrived (now or ever). */
bool conformance_message_send(int fd, enum conformance_message_kind kind, const void *bytes,
                              size_t size_bytes);
bool conformance_message_take(int fd, struct conformance_message *message);

#endif
