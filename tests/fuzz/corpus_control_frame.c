/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_control_frame.c — streams of frames as a control channel writes them. */
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "assertion.h"
#include "control_channel.h"
#include "corpus_writer.h"

/* As in fuzz_control_frame.c. */
enum { MEND = 1, TRUST_FROM_START = 2, FALL_SILENT = 4 };

static struct corpus_input input;

static void add_head(unsigned flags, unsigned messages_to_trust, unsigned segment)
{
    corpus_add_byte(&input, flags);
    corpus_add_byte(&input, messages_to_trust);
    corpus_add_byte(&input, segment);
}

/* What a channel sends for these messages: types 1, 2, ... with bodies of these sizes. */
static void add_frames(const size_t *sizes, size_t count)
{
    static uint8_t bytes[CORPUS_INPUT_BYTES_MAX];
    int fds[2];
    int failed = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds);
    haul_assert(failed == 0);
    struct link_config config = {.clock = &clock_monotonic};
    struct control_channel *channel;
    enum haul_status status =
        control_channel_adopt((struct tls_socket){.fd = fds[1]}, &config, &channel, NULL);
    haul_assert(status == HAUL_OK);
    memset(bytes, 'b', sizeof(bytes));
    for (size_t i = 0; i < count; i++) {
        status = control_channel_send(channel, (uint16_t)(i + 1), bytes, sizes[i]);
        haul_assert(status == HAUL_OK);
    }
    ssize_t received = recv(fds[0], bytes, sizeof(bytes), 0);
    haul_assert(received > 0);
    corpus_add(&input, bytes, (size_t)received);
    control_channel_destroy(channel);
    (void)close(fds[0]);
}

static void write_case(const char *name)
{
    corpus_write(&input, "control_frame", name);
}

void corpus_control_frame(void)
{
    static const size_t small[] = {0, 5, 40};
    static const size_t border[] = {CONTROL_BODY_BYTES_MAX_UNTRUSTED};
    static const size_t large[] = {7, CONTROL_BODY_BYTES_MAX_UNTRUSTED + 1, 7};
    add_head(0, 0, 0);
    add_frames(small, 3);
    write_case("three-messages");
    add_head(0, 0, 1);
    add_frames(small, 3);
    write_case("byte-by-byte");
    add_head(FALL_SILENT, 0, 7);
    add_frames(small, 2);
    write_case("then-silent");
    add_head(0, 0, 0);
    add_frames(border, 1);
    write_case("largest-before-trust");
    add_head(0, 0, 0);
    add_frames(large, 3);
    write_case("too-large-before-trust");
    add_head(0, 1, 200);
    add_frames(large, 3);
    write_case("large-behind-trust");
    add_head(MEND | TRUST_FROM_START, 0, 3);
    add_frames(small, 3);
    input.bytes[3 + 4] = 0; /* the first message becomes a keep-alive with another checksum */
    write_case("keep-alive");
    add_head(MEND, 0, 0);
    add_frames(small, 3);
    input.size -= 9;
    write_case("torn");
    add_head(0, 0, 0);
    add_frames(small, 2);
    input.bytes[input.size - 1] ^= 1;
    write_case("damaged");
}
