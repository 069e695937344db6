/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_verify.c — comparisons: requests of a source, and streams of pieces. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "bytes.h"
#include "corpus_writer.h"
#include "message.h"

enum { READ_BEHIND_IT = 128 };

static struct corpus_input input;

static void add_message(struct message *message, unsigned flags)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = message_encode(message, &bytes, &size);
    haul_assert(status == HAUL_OK && size <= UINT16_MAX);
    corpus_add_byte(&input, (unsigned)message->type | flags);
    corpus_add_byte(&input, (unsigned)size & 255);
    corpus_add_byte(&input, (unsigned)size >> 8);
    corpus_add(&input, bytes, size);
    free(bytes);
    message_release(message);
}

static void add_list(void)
{
    struct message message;
    message_init(&message, MESSAGE_VERIFY_LIST);
    add_message(&message, READ_BEHIND_IT);
}

static void add_next(uint32_t scan, unsigned flags)
{
    struct message message;
    message_init(&message, MESSAGE_VERIFY_NEXT);
    message.as.verify_next.scan = scan;
    add_message(&message, flags);
}

static void add_scan(uint32_t scan, const char *family, bool single, const char *after)
{
    struct message message;
    message_init(&message, MESSAGE_VERIFY_SCAN);
    haul_control_VerifyScan *wanted = &message.as.verify_scan;
    wanted->scan = scan;
    wanted->single = single;
    (void)snprintf(wanted->family, sizeof(wanted->family), "%s", family);
    if (after != NULL) {
        wanted->continues = true;
        wanted->after = message_bytes(slice_of(after, strlen(after)));
        wanted->ranges = calloc(1, sizeof(*wanted->ranges));
        haul_assert(wanted->after != NULL && wanted->ranges != NULL);
        wanted->ranges_count = 1;
        wanted->ranges[0].start = message_bytes(slice_of("\x10", 1));
        wanted->ranges[0].end = message_bytes(slice_of("\x90", 1));
    }
    add_message(&message, 0);
}

static void add_pieces(unsigned side, const char *keys)
{
    for (; *keys != '\0'; keys++) {
        corpus_add_byte(&input, side);
        corpus_add_byte(&input, (unsigned char)*keys);
        corpus_add_byte(&input, (unsigned char)*keys + 1U);
    }
}

void corpus_verify(void)
{
    corpus_add_byte(&input, 0);
    add_list();
    add_scan(1, "a", false, NULL);
    add_next(1, READ_BEHIND_IT);
    add_scan(2, "b", true, NULL);
    add_next(2, 0);
    add_next(2, READ_BEHIND_IT);
    corpus_write(&input, "verify", "both-families");

    corpus_add_byte(&input, 0);
    add_scan(1, "a", true, "\x20");
    add_next(1, 0);
    add_scan(2, "a", true, "\x30");
    add_next(2, READ_BEHIND_IT);
    corpus_write(&input, "verify", "from-a-place");

    for (unsigned how = 0; how < 4; how++) {
        char name[16];
        corpus_add_byte(&input, 1);
        corpus_add_byte(&input, how);
        add_pieces(0, "abcdf");
        add_pieces(1, how % 2 == 0 ? "abcdf" : "abcef");
        (void)snprintf(name, sizeof(name), "streams-%u", how);
        corpus_write(&input, "verify", name);
    }
}
