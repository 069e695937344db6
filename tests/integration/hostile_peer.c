/* SPDX-License-Identifier: Apache-2.0 */
/* hostile_peer.c — a peer that breaks the protocol in one named way, on plain blocking sockets.
 *
 *   hostile_peer attack ADDR:PORT FAULT   acts as a sender to `haul recv` up to the fault, then
 *                                         waits until the other side hangs up: exit code 0
 *   hostile_peer listen FAULT             prints "listening on ADDR:PORT", and serves one
 *                                         `haul send`
 *
 *   connect -> preamble -> HELLO/WELCOME -> PLAN/PLAN_ACCEPTED -> data link -> LINK/LINK -> block
 *
 * Messages, preambles and headers come from the product's own encoders; the fault is one change to
 * their bytes. Every wait ends after WAIT_MS. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "control_channel.h"
#include "crc32c.h"
#include "link.h"
#include "link_sockaddr.h"
#include "message.h"
#include "plan.h"
#include "raw_batch.h"
#include "slot_header.h"
#include "tcp_description.h"
#include "tcp_preamble.h"

enum {
    WAIT_MS = 20000,
    FRAME_BYTES_MAX = CONTROL_FRAME_BYTES + CONTROL_BODY_BYTES_MAX,
    FRAME_TYPE_AT = 4,
    FRAME_SIZE_AT = 8,
    FRAME_CRC_AT = 12,
    BLOCK_BYTES_MAX = 64 << 10,
    HEADER_CRC_AT = 60,
};
#define FRAME_MAGIC UINT32_C(0x4c544348)

enum fault {
    FAULT_NONE, /* a sound block, then silence */
    FAULT_GARBAGE,
    FAULT_VERSION,
    FAULT_PREAMBLE_CRC,
    FAULT_FRAME_MAGIC,
    FAULT_FRAME_CRC,
    FAULT_FRAME_TRUNCATED,
    FAULT_FRAME_OVERSIZED,
    FAULT_MESSAGE_GARBAGE,
    FAULT_MESSAGE_EARLY,
    FAULT_BLOCK_MAGIC,
    FAULT_BLOCK_HEADER_CRC,
    FAULT_BLOCK_PAYLOAD_CRC,
    FAULT_BLOCK_SEQUENCE,
    FAULT_BLOCK_EPOCH,
    FAULT_BLOCK_OVERSIZED,
    FAULT_BLOCK_STREAM,
    FAULT_RECORD_OUTSIDE,
    FAULT_RECORD_TAG,
    FAULT_RECORD_FAMILY,
    FAULT_RECORD_TORN,
    FAULT_COUNT_LIES,
    FAULT_SILENT,
    FAULT_CLOSE,
    FAULT_COUNT,
};

static const char *const fault_names[FAULT_COUNT] = {
    [FAULT_NONE] = "none",
    [FAULT_GARBAGE] = "garbage",
    [FAULT_VERSION] = "version",
    [FAULT_PREAMBLE_CRC] = "preamble-crc",
    [FAULT_FRAME_MAGIC] = "frame-magic",
    [FAULT_FRAME_CRC] = "frame-crc",
    [FAULT_FRAME_TRUNCATED] = "frame-truncated",
    [FAULT_FRAME_OVERSIZED] = "frame-oversized",
    [FAULT_MESSAGE_GARBAGE] = "message-garbage",
    [FAULT_MESSAGE_EARLY] = "message-early",
    [FAULT_BLOCK_MAGIC] = "block-magic",
    [FAULT_BLOCK_HEADER_CRC] = "block-header-crc",
    [FAULT_BLOCK_PAYLOAD_CRC] = "block-payload-crc",
    [FAULT_BLOCK_SEQUENCE] = "block-sequence",
    [FAULT_BLOCK_EPOCH] = "block-epoch",
    [FAULT_BLOCK_OVERSIZED] = "block-oversized",
    [FAULT_BLOCK_STREAM] = "block-stream",
    [FAULT_RECORD_OUTSIDE] = "record-outside",
    [FAULT_RECORD_TAG] = "record-tag",
    [FAULT_RECORD_FAMILY] = "record-family",
    [FAULT_RECORD_TORN] = "record-torn",
    [FAULT_COUNT_LIES] = "count-lies",
    [FAULT_SILENT] = "silent",
    [FAULT_CLOSE] = "close",
};

static const char garbage[] =
    "HTTP/1.1 400 Bad Request\r\nServer: none\r\nContent-Length: 0\r\n\r\n"
    "                                                                ";

/* What the attack has learned so far. */
struct attack {
    enum fault fault;
    struct link_address address;
    int control_fd;
    int data_fd;
    haul_control_Welcome welcome;
    uint32_t family_id; /* the target's id of the one family in the plan */
};

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "hostile_peer: %s: %s\n", what, strerror(errno));
    exit(1);
}

static bool wait_readable(int fd)
{
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    return poll(&watched, 1, WAIT_MS) > 0;
}

static void write_all(int fd, const void *data, size_t size)
{
    if (send(fd, data, size, MSG_NOSIGNAL) != (ssize_t)size) {
        die("send");
    }
}

/* False: the stream ended. */
static bool read_all(int fd, void *data, size_t size)
{
    uint8_t *at = data;
    while (size > 0) {
        if (!wait_readable(fd)) {
            die("nothing came in time");
        }
        ssize_t count = recv(fd, at, size, 0);
        if (count <= 0) {
            return false;
        }
        at += count;
        size -= (size_t)count;
    }
    return true;
}

/* --- control channel -------------------------------------------------------------------------- */

/* Send a frame, with the fault if it concerns frames. */
static void send_frame(const struct attack *attack, unsigned type, const uint8_t *body,
                       size_t body_size, bool faulty)
{
    uint8_t *frame = calloc(1, CONTROL_FRAME_BYTES + body_size);
    if (frame == NULL) {
        die("calloc");
    }
    size_t size = CONTROL_FRAME_BYTES + body_size;
    enum fault fault = faulty ? attack->fault : FAULT_NONE;
    put_u32(frame, fault == FAULT_FRAME_MAGIC ? ~FRAME_MAGIC : FRAME_MAGIC);
    put_u16(frame + FRAME_TYPE_AT, (uint16_t)type);
    put_u32(frame + FRAME_SIZE_AT,
            fault == FAULT_FRAME_OVERSIZED ? UINT32_C(0x7fffffff) : (uint32_t)body_size);
    if (body_size > 0) {
        memcpy(frame + CONTROL_FRAME_BYTES, body, body_size);
    }
    put_u32(frame + FRAME_CRC_AT, crc32c(frame, size));
    if (fault == FAULT_FRAME_CRC) {
        frame[FRAME_CRC_AT] ^= 1;
    }
    write_all(attack->control_fd, frame, fault == FAULT_FRAME_TRUNCATED ? size - 1 : size);
    free(frame);
}

static void send_message(const struct attack *attack, struct message *message, bool faulty)
{
    uint8_t *body = NULL;
    size_t size = 0;
    if (message_encode(message, &body, &size) != HAUL_OK) {
        die("message_encode");
    }
    send_frame(attack, message->type, body, size, faulty);
    free(body);
    message_release(message);
}

/* The next message, except keep-alives and progress. False: the stream ended. */
static bool receive_message(const struct attack *attack, struct message *message)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    for (;;) {
        if (!read_all(attack->control_fd, frame, CONTROL_FRAME_BYTES)) {
            return false;
        }
        unsigned type = get_u16(frame + FRAME_TYPE_AT);
        size_t size = get_u32(frame + FRAME_SIZE_AT);
        if (size > CONTROL_BODY_BYTES_MAX || !read_all(attack->control_fd, frame, size)) {
            die("a frame that ends early");
        }
        struct haul_slice body = {.data = frame, .size = size};
        if (type == CONTROL_TYPE_KEEPALIVE) {
            continue;
        }
        if (message_decode(type, body, message, NULL) != HAUL_OK) {
            die("message_decode");
        }
        if (message->type != MESSAGE_PROGRESS) {
            return true;
        }
        message_release(message);
    }
}

static void expect_message(const struct attack *attack, enum message_type type,
                           struct message *message)
{
    if (!receive_message(attack, message)) {
        die("the other side hung up before the fault");
    }
    if (message->type == MESSAGE_REFUSED) {
        (void)fprintf(stderr, "hostile_peer: refused: %s\n", message->as.refused.text);
    }
    if (message->type != type) {
        (void)fprintf(stderr, "hostile_peer: %s came\n", message_name(message->type));
        exit(1);
    }
}

/* --- the steps of an attack ------------------------------------------------------------------- */

static int open_connection(const struct attack *attack, enum tcp_purpose purpose)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    struct link_ticket ticket = {.index = 0};
    enum haul_status answer = HAUL_OK;
    uint16_t versions[2];
    if (attack->fault == FAULT_VERSION) {
        ticket.version_min = 90;
        ticket.version_max = 91;
    }
    if (purpose == TCP_DATA) {
        memcpy(ticket.session, attack->welcome.session.bytes, LINK_SESSION_BYTES);
        memcpy(ticket.token, attack->welcome.token.bytes, LINK_TOKEN_BYTES);
    }
    int fd = socket(link_sockaddr_of(&attack->address)->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)link_sockaddr_of(&attack->address),
                          attack->address.size) != 0) {
        die("connect");
    }
    tcp_preamble_encode(purpose, &ticket, bytes);
    if (attack->fault == FAULT_PREAMBLE_CRC) {
        bytes[HEADER_CRC_AT] ^= 1;
    } else if (attack->fault == FAULT_GARBAGE) {
        memcpy(bytes, garbage, sizeof(bytes));
    }
    write_all(fd, bytes, sizeof(bytes));
    bool answered = read_all(fd, bytes, sizeof(bytes));
    if (attack->fault == FAULT_VERSION || attack->fault == FAULT_PREAMBLE_CRC ||
        attack->fault == FAULT_GARBAGE) {
        exit(answered && read_all(fd, bytes, 1) ? 1 : 0);
    }
    if (!answered || tcp_answer_decode(bytes, &answer, &versions[0], &versions[1]) != HAUL_OK ||
        answer != HAUL_OK) {
        die("the preamble was not accepted");
    }
    return fd;
}

static void greet(struct attack *attack)
{
    struct message message;
    message_init(&message, MESSAGE_HELLO);
    haul_control_Hello *hello = &message.as.hello;
    hello->wire_version = MESSAGE_WIRE_VERSION;
    hello->journal_version = 1;
    hello->job.size = HAUL_JOB_BYTES;
    memset(hello->job.bytes, 0xa5, HAUL_JOB_BYTES);
    (void)snprintf(hello->software, sizeof(hello->software), "hostile_peer");
    hello->epoch = 1;
    memcpy(hello->source_identity.bytes, "hostile", 7);
    hello->source_identity.size = 7;
    hello->link_count = 1;
    hello->slot_size_bytes = BLOCK_BYTES_MAX;
    bool faulty = attack->fault >= FAULT_FRAME_MAGIC && attack->fault <= FAULT_FRAME_OVERSIZED;
    send_message(attack, &message, faulty);
    if (attack->fault == FAULT_FRAME_TRUNCATED) {
        (void)shutdown(attack->control_fd, SHUT_WR);
    }
    if (!faulty) {
        expect_message(attack, MESSAGE_WELCOME, &message);
        attack->welcome = message.as.welcome;
    }
}

static void propose(struct attack *attack)
{
    struct plan_family family = {
        .family = {.name = "default", .comparator = "leveldb.BytewiseComparator"}};
    struct key_range range;
    struct plan_stream stream = {.bytes = 1 << 10};
    if (key_range_init(&range, slice_of("b", 1), slice_of("m", 1)) != HAUL_OK ||
        key_range_init(&stream.range, slice_of("b", 1), slice_of("m", 1)) != HAUL_OK) {
        die("key_range_init");
    }
    struct plan plan = {
        .family_count = 1,
        .families = &family,
        .range_count = 1,
        .ranges = &range,
        .stream_count = 1,
        .streams = &stream,
        .old_version = attack->welcome.config_version,
        .new_version = attack->welcome.config_version + 1,
    };
    struct message message;
    if (plan_to_message(&plan, &message) != HAUL_OK) {
        die("plan_to_message");
    }
    send_message(attack, &message, false);
    key_range_fini(&range);
    key_range_fini(&stream.range);
    expect_message(attack, MESSAGE_PLAN_ACCEPTED, &message);
    attack->family_id = message.as.plan_accepted.family_ids[0];
    message_release(&message);
}

static void open_link(struct attack *attack)
{
    attack->data_fd = open_connection(attack, TCP_DATA);
    struct tcp_description description = {.slot_count = attack->welcome.slot_count,
                                          .slot_size_bytes = attack->welcome.slot_size_bytes};
    struct message message;
    message_init(&message, MESSAGE_LINK);
    message.as.link.transport = HAUL_TRANSPORT_TCP;
    tcp_description_encode(&description, message.as.link.description.bytes);
    message.as.link.description.size = TCP_DESCRIPTION_BYTES;
    send_message(attack, &message, false);
    expect_message(attack, MESSAGE_LINK, &message);
    message_release(&message);
}

/* A batch of two records into `payload`, with the fault if it concerns records. */
static size_t make_payload(const struct attack *attack, uint8_t *payload)
{
    struct raw_batch_writer writer;
    const char *second = attack->fault == FAULT_RECORD_OUTSIDE ? "z-outside" : "d-second";
    uint32_t family = attack->family_id + (attack->fault == FAULT_RECORD_FAMILY ? 77 : 0);
    raw_batch_begin(&writer, payload, BLOCK_BYTES_MAX);
    if (!raw_batch_put(&writer, attack->family_id, slice_of("c-first", 7), slice_of("1", 1)) ||
        !raw_batch_put(&writer, family, slice_of(second, strlen(second)), slice_of("2", 1))) {
        die("raw_batch_put");
    }
    size_t size = raw_batch_finish(&writer);
    if (attack->fault == FAULT_COUNT_LIES) {
        put_u32(payload + 8, 3);
    } else if (attack->fault == FAULT_RECORD_TAG) {
        payload[RAW_BATCH_HEADER_BYTES] = 0x7f;
    } else if (attack->fault == FAULT_RECORD_TORN) {
        size -= 3;
    }
    return size;
}

static void send_block(const struct attack *attack)
{
    static uint8_t block[SLOT_HEADER_BYTES + BLOCK_BYTES_MAX];
    enum fault fault = attack->fault;
    uint8_t *payload = block + SLOT_HEADER_BYTES;
    size_t size = make_payload(attack, payload);
    struct slot_header header = {
        .type = SLOT_DATA,
        .kind = SLOT_KIND_SNAPSHOT,
        .epoch = fault == FAULT_BLOCK_EPOCH ? 9 : 1,
        .sequence = fault == FAULT_BLOCK_SEQUENCE ? 5 : 0,
        .stream = fault == FAULT_BLOCK_STREAM ? 99 : 0,
        .flags = SLOT_LAST,
        .payload_size_bytes = fault == FAULT_BLOCK_OVERSIZED ? UINT32_MAX : (uint32_t)size,
        .record_count = 2,
        .raw_size_bytes = (uint32_t)size,
        .payload_crc = crc32c(payload, size) ^ (fault == FAULT_BLOCK_PAYLOAD_CRC ? 1U : 0U),
    };
    slot_header_encode(&header, block);
    if (fault == FAULT_BLOCK_MAGIC) {
        block[0] ^= 1;
    } else if (fault == FAULT_BLOCK_HEADER_CRC) {
        block[HEADER_CRC_AT] ^= 1;
    }
    write_all(attack->data_fd, block, SLOT_HEADER_BYTES + size);
}

/* The other side must end it: the session's channel closes, with or without a last message. */
static int await_end(const struct attack *attack)
{
    struct message message;
    while (receive_message(attack, &message)) {
        (void)printf("%s", message_name(message.type));
        if (message.type == MESSAGE_REFUSED) {
            (void)printf(": %s", message.as.refused.text);
        } else if (message.type == MESSAGE_ABORT) {
            (void)printf(": %s", message.as.abort.text);
        }
        (void)printf("\n");
        bool last = message.type == MESSAGE_REFUSED || message.type == MESSAGE_ABORT ||
                    message.type == MESSAGE_ABORTED;
        message_release(&message);
        if (last) {
            return 0;
        }
    }
    return 0;
}

static int run_attack(const char *address, enum fault fault)
{
    static const uint8_t nonsense[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct attack attack = {.fault = fault, .control_fd = -1, .data_fd = -1};
    struct haul_error error;
    if (link_address_parse(address, &attack.address, &error) != HAUL_OK) {
        die(error.text);
    }
    attack.control_fd = open_connection(&attack, TCP_CONTROL);
    if (fault == FAULT_MESSAGE_GARBAGE || fault == FAULT_MESSAGE_EARLY) {
        unsigned type = fault == FAULT_MESSAGE_GARBAGE ? MESSAGE_HELLO : MESSAGE_COMMIT;
        send_frame(&attack, type, nonsense, fault == FAULT_MESSAGE_GARBAGE ? sizeof(nonsense) : 0,
                   false);
        return await_end(&attack);
    }
    greet(&attack);
    if (fault >= FAULT_FRAME_MAGIC && fault <= FAULT_FRAME_OVERSIZED) {
        return await_end(&attack);
    }
    propose(&attack);
    open_link(&attack);
    send_block(&attack);
    if (fault == FAULT_NONE) {
        (void)printf("sent\n");
        return 0;
    }
    return await_end(&attack);
}

/* --- the listening side ----------------------------------------------------------------------- */

static void answer(int fd, enum fault fault)
{
    uint8_t bytes[TCP_PREAMBLE_BYTES];
    if (fault == FAULT_CLOSE) {
        return;
    }
    if (fault == FAULT_GARBAGE) {
        write_all(fd, garbage, sizeof(garbage) - 1);
    } else if (fault == FAULT_VERSION) {
        tcp_answer_encode(HAUL_VERSION, bytes);
        put_u16(bytes + 8, 90);
        put_u16(bytes + 10, 91);
        put_u32(bytes + HEADER_CRC_AT, crc32c(bytes, HEADER_CRC_AT));
        write_all(fd, bytes, sizeof(bytes));
    }
    while (wait_readable(fd) && recv(fd, bytes, sizeof(bytes), 0) > 0) {
        /* Until the other side gives up. */
    }
}

static int run_listen(enum fault fault)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listening < 0 || bind(listening, (struct sockaddr *)&address, size) != 0 ||
        listen(listening, 1) != 0 ||
        getsockname(listening, (struct sockaddr *)&address, &size) != 0) {
        die("listen");
    }
    (void)printf("listening on 127.0.0.1:%u\n", (unsigned)ntohs(address.sin_port));
    (void)fflush(stdout);
    if (!wait_readable(listening)) {
        die("nobody came");
    }
    int fd = accept(listening, NULL, NULL);
    if (fd < 0) {
        die("accept");
    }
    answer(fd, fault);
    (void)close(fd);
    return 0;
}

static enum fault parse_fault(const char *name)
{
    for (int fault = 0; fault < FAULT_COUNT; fault++) {
        if (strcmp(fault_names[fault], name) == 0) {
            return (enum fault)fault;
        }
    }
    return FAULT_COUNT;
}

int main(int argc, char **argv)
{
    enum fault fault = argc > 1 ? parse_fault(argv[argc - 1]) : FAULT_COUNT;
    if (fault != FAULT_COUNT && argc == 4 && strcmp(argv[1], "attack") == 0) {
        return run_attack(argv[2], fault);
    }
    if (fault != FAULT_COUNT && argc == 3 && strcmp(argv[1], "listen") == 0) {
        return run_listen(fault);
    }
    (void)fprintf(stderr, "usage: hostile_peer attack ADDR:PORT FAULT | listen FAULT\n");
    return 2;
}
