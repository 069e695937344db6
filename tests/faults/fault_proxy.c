/* SPDX-License-Identifier: Apache-2.0 */
/* fault_proxy.c — forwards haul's TCP connections, tracks the position in them to the byte, and
 * does one named harm at one named place.
 *
 *   fault_proxy TO-ADDR:PORT [PLACE HARM MARK [VICTIM]]
 *
 * Prints "listening on ADDR:PORT". PLACE is KIND.DIRECTION.FRAME.OFFSET:
 *   KIND       control, or data
 *   DIRECTION  up (from the source), or down
 *   FRAME      preamble; of control: a message type, its first frame; of data: the n-th block or
 *              credit frame; `stream`: OFFSET counts from the connection's first byte
 *   OFFSET     this many bytes of the frame pass before the harm (all but one, if it is shorter)
 * HARM:
 *   cut        close both ends of every connection (new ones may come)
 *   cut-one    close only the connection in which the place lies
 *   kill       kill the process whose number stands in the file VICTIM
 *   stop       stop that process; the test continues it if it must go on
 *   stall      forward nothing any more on the existing connections
 *   flip       flip one bit of the next byte
 *   flip-each  the same, in every connection that reaches the place
 *
 * The file MARK is created when the harm is done. Without a PLACE every frame is reported on
 * stdout, KIND.DIRECTION.FRAME SIZE, when its last byte has passed.
 *
 * One thread and blocking writes: a block that one side does not read holds up the others. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "control_channel.h"
#include "slot_header.h"
#include "tcp_preamble.h"

enum {
    CONNECTIONS_MAX = 64,
    CHUNK_BYTES = 64 << 10,
    CREDIT_BYTES = 32,
    HEAD_BYTES_MAX = SLOT_HEADER_BYTES,
    PURPOSE_AT = 12,
    FRAME_TYPE_AT = 4,
    FRAME_SIZE_AT = 8,
    PAYLOAD_SIZE_AT = 40,
    FRAME_PREAMBLE = -1,
    FRAME_STREAM = -2,
};

enum direction { UP, DOWN };
static const char *const direction_names[] = {"up", "down"};
static const char *const kind_names[] = {[TCP_CONTROL] = "control", [TCP_DATA] = "data"};

/* One direction of a connection. */
struct stream {
    uint64_t position;    /* bytes forwarded */
    uint64_t frame_begin; /* of the current frame */
    uint64_t frame_bytes; /* its size; 0: its head has not passed */
    int frame;            /* which one it is, once the size is known */
    unsigned block_count; /* frames of a data stream so far */
    uint8_t head[HEAD_BYTES_MAX];
};

struct connection {
    int fd[2]; /* by the direction of reading: [UP] is the source's */
    bool open;
    bool ended[2];
    bool stalled;
    int purpose; /* 0: the preamble has not passed */
    struct stream stream[2];
};

static struct {
    struct sockaddr_in target;
    int listener;
    struct connection connections[CONNECTIONS_MAX];
    bool tracing;
    bool done; /* the harm */
    int purpose;
    enum direction direction;
    int frame;
    uint64_t offset;
    const char *harm;
    const char *mark;
    const char *victim;
} proxy;

static _Noreturn void die(const char *what)
{
    (void)fprintf(stderr, "fault_proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- connections -------------------------------------------------------------------------------*/

static void shut(struct connection *connection)
{
    if (connection->open) {
        (void)close(connection->fd[UP]);
        (void)close(connection->fd[DOWN]);
        connection->open = false;
    }
}

static void set_nodelay(int fd)
{
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

static void accept_one(void)
{
    int fd = accept4(proxy.listener, NULL, NULL, SOCK_CLOEXEC);
    struct connection *connection = proxy.connections;
    while (connection < proxy.connections + CONNECTIONS_MAX && connection->open) {
        connection++;
    }
    if (fd < 0 || connection == proxy.connections + CONNECTIONS_MAX) {
        die("accept");
    }
    int onward = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (onward < 0 ||
        connect(onward, (struct sockaddr *)&proxy.target, sizeof(proxy.target)) != 0) {
        /* Nobody listens there: the caller must see a reset, as if it had connected directly. */
        struct linger reset = {.l_onoff = 1};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        (void)close(onward);
        (void)close(fd);
        return;
    }
    set_nodelay(fd);
    set_nodelay(onward);
    memset(connection, 0, sizeof(*connection));
    connection->open = true;
    connection->fd[UP] = fd;
    connection->fd[DOWN] = onward;
}

/* --- where we stand ----------------------------------------------------------------------------*/

static size_t head_bytes(const struct connection *connection, enum direction direction)
{
    if (connection->stream[direction].frame_begin == 0) {
        return TCP_PREAMBLE_BYTES;
    }
    if (connection->purpose == TCP_CONTROL) {
        return CONTROL_FRAME_BYTES;
    }
    return direction == UP ? SLOT_HEADER_BYTES : CREDIT_BYTES;
}

/* The head has passed: determine size and kind of the frame. */
static void on_head(struct connection *connection, enum direction direction)
{
    struct stream *stream = &connection->stream[direction];
    stream->frame_bytes = head_bytes(connection, direction);
    if (stream->frame_begin == 0) {
        stream->frame = FRAME_PREAMBLE;
        if (direction == UP) {
            connection->purpose = (int)get_u16(stream->head + PURPOSE_AT);
        }
    } else if (connection->purpose == TCP_CONTROL) {
        stream->frame = (int)get_u16(stream->head + FRAME_TYPE_AT);
        stream->frame_bytes += get_u32(stream->head + FRAME_SIZE_AT);
    } else {
        stream->frame = (int)stream->block_count++;
        stream->frame_bytes += direction == UP ? get_u32(stream->head + PAYLOAD_SIZE_AT) : 0;
    }
}

static void tell_frame(const struct connection *connection, enum direction direction)
{
    const struct stream *stream = &connection->stream[direction];
    char number[16] = "preamble";
    if (stream->frame != FRAME_PREAMBLE) {
        (void)snprintf(number, sizeof(number), "%d", stream->frame);
    }
    (void)printf("%s.%s.%s %llu\n", kind_names[connection->purpose], direction_names[direction],
                 number, (unsigned long long)stream->frame_bytes);
    (void)fflush(stdout);
}

/* Account for a byte that passes. */
static void note_byte(struct connection *connection, enum direction direction, uint8_t byte)
{
    struct stream *stream = &connection->stream[direction];
    uint64_t at = stream->position++ - stream->frame_begin;
    size_t head = head_bytes(connection, direction);
    if (at < head) {
        stream->head[at] = byte;
    }
    if (stream->frame_bytes == 0 && at + 1 == head) {
        on_head(connection, direction);
    }
    if (stream->frame_bytes != 0 && at + 1 == stream->frame_bytes) {
        if (proxy.tracing) {
            tell_frame(connection, direction);
        }
        stream->frame_begin = stream->position;
        stream->frame_bytes = 0;
    }
}

/* The frame that the next byte belongs to, as far as `data`, which is not forwarded yet, shows. A
 * control frame names itself in its first bytes. */
static int frame_of_next(const struct connection *connection, enum direction direction,
                         const uint8_t *data, size_t size)
{
    const struct stream *stream = &connection->stream[direction];
    if (stream->frame_begin == 0) {
        return FRAME_PREAMBLE;
    }
    if (stream->frame_bytes != 0) {
        return stream->frame;
    }
    if (connection->purpose == TCP_DATA) {
        return (int)stream->block_count;
    }
    uint8_t type[2];
    for (size_t i = 0; i < sizeof(type); i++) {
        uint64_t at = FRAME_TYPE_AT + i;
        uint64_t passed = stream->position - stream->frame_begin;
        if (at >= passed && at - passed >= size) {
            return FRAME_STREAM; /* of a frame that came in pieces: unknown */
        }
        type[i] = at < passed ? stream->head[at] : data[at - passed];
    }
    return (int)get_u16(type);
}

static int purpose_of(const struct connection *connection, const uint8_t *data, size_t size)
{
    if (connection->purpose == 0 && connection->stream[UP].position == 0 &&
        size >= TCP_PREAMBLE_BYTES) {
        return (int)get_u16(data + PURPOSE_AT);
    }
    return connection->purpose;
}

static bool is_the_place(const struct connection *connection, enum direction direction,
                         const uint8_t *data, size_t size)
{
    const struct stream *stream = &connection->stream[direction];
    if (proxy.done || proxy.harm == NULL || direction != proxy.direction ||
        connection->purpose != proxy.purpose) {
        return false;
    }
    if (proxy.frame == FRAME_STREAM) {
        return stream->position == proxy.offset;
    }
    uint64_t offset = proxy.offset;
    if (stream->frame_bytes != 0 && offset >= stream->frame_bytes) {
        offset = stream->frame_bytes - 1; /* numbers in it may be shorter this time */
    }
    return stream->position - stream->frame_begin == offset &&
           frame_of_next(connection, direction, data, size) == proxy.frame;
}

/* --- harm --------------------------------------------------------------------------------------*/

static void signal_victim(int number)
{
    /* The victim writes its number as soon as it runs, so the file may not be complete yet. */
    long pid = 0;
    while (pid <= 0) {
        FILE *file = fopen(proxy.victim, "re");
        if (file != NULL) {
            if (fscanf(file, "%ld", &pid) != 1) {
                pid = 0;
            }
            (void)fclose(file);
        }
    }
    (void)kill((pid_t)pid, number);
}

static void harm(struct connection *connection, uint8_t *byte)
{
    bool again = strcmp(proxy.harm, "flip-each") == 0;
    proxy.done = !again;
    if (again || strcmp(proxy.harm, "flip") == 0) {
        *byte ^= 0x10;
    } else if (strcmp(proxy.harm, "cut-one") == 0) {
        shut(connection);
    } else if (strcmp(proxy.harm, "kill") == 0) {
        signal_victim(SIGKILL);
    } else if (strcmp(proxy.harm, "stop") == 0) {
        signal_victim(SIGSTOP);
    } else {
        for (struct connection *each = proxy.connections;
             each < proxy.connections + CONNECTIONS_MAX; each++) {
            if (strcmp(proxy.harm, "stall") == 0) {
                each->stalled = true;
            } else {
                shut(each);
            }
        }
    }
    int fd = open(proxy.mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 || close(fd) != 0) {
        die(proxy.mark);
    }
}

/* --- passing on --------------------------------------------------------------------------------*/

static void pass(struct connection *connection, enum direction direction, const uint8_t *data,
                 size_t size)
{
    while (size > 0 && connection->open) {
        ssize_t count = send(connection->fd[!direction], data, size, MSG_NOSIGNAL);
        if (count <= 0) {
            shut(connection);
            return;
        }
        data += count;
        size -= (size_t)count;
    }
}

static void on_end(struct connection *connection, enum direction direction)
{
    (void)shutdown(connection->fd[!direction], SHUT_WR);
    connection->ended[direction] = true;
    if (connection->ended[!direction]) {
        shut(connection);
    }
}

static void on_readable(struct connection *connection, enum direction direction)
{
    static uint8_t chunk[CHUNK_BYTES];
    ssize_t count = recv(connection->fd[direction], chunk, sizeof(chunk), 0);
    if (count < 0) {
        shut(connection);
        return;
    }
    if (count == 0) {
        on_end(connection, direction);
        return;
    }
    size_t size = (size_t)count;
    size_t sent = 0;
    if (direction == UP) {
        connection->purpose = purpose_of(connection, chunk, size);
    }
    for (size_t i = 0; i < size; i++) {
        if (is_the_place(connection, direction, chunk + i, size - i)) {
            pass(connection, direction, chunk + sent, i - sent);
            sent = i;
            harm(connection, chunk + i);
            if (!connection->open || connection->stalled) {
                return;
            }
        }
        note_byte(connection, direction, chunk[i]);
    }
    pass(connection, direction, chunk + sent, size - sent);
}

static void serve(void)
{
    for (;;) {
        struct pollfd waits[1 + 2 * CONNECTIONS_MAX] = {{.fd = proxy.listener, .events = POLLIN}};
        for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
            const struct connection *connection = &proxy.connections[i];
            for (int direction = UP; direction <= DOWN; direction++) {
                bool reads =
                    connection->open && !connection->stalled && !connection->ended[direction];
                waits[1 + 2 * i + (size_t)direction] =
                    (struct pollfd){.fd = reads ? connection->fd[direction] : -1, .events = POLLIN};
            }
        }
        if (poll(waits, sizeof(waits) / sizeof(waits[0]), -1) < 0) {
            die("poll");
        }
        for (size_t i = 0; i < 2 * CONNECTIONS_MAX; i++) {
            struct connection *connection = &proxy.connections[i / 2];
            if (waits[1 + i].revents != 0 && connection->open && !connection->stalled) {
                on_readable(connection, (enum direction)(i % 2));
            }
        }
        if (waits[0].revents != 0) {
            accept_one();
        }
    }
}

/* --- the command line --------------------------------------------------------------------------*/

static void parse_place(char *place)
{
    char *part[4] = {NULL};
    for (int i = 0; i < 4; i++) {
        part[i] = strsep(&place, ".");
        if (part[i] == NULL) {
            die("PLACE is KIND.DIRECTION.FRAME.OFFSET");
        }
    }
    proxy.purpose = strcmp(part[0], "data") == 0 ? TCP_DATA : TCP_CONTROL;
    proxy.direction = strcmp(part[1], "down") == 0 ? DOWN : UP;
    proxy.frame = strcmp(part[2], "preamble") == 0 ? FRAME_PREAMBLE
                  : strcmp(part[2], "stream") == 0 ? FRAME_STREAM
                                                   : (int)strtol(part[2], NULL, 10);
    proxy.offset = strtoull(part[3], NULL, 10);
}

static void listen_here(void)
{
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(own);
    proxy.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (proxy.listener < 0 || bind(proxy.listener, (struct sockaddr *)&own, size) != 0 ||
        listen(proxy.listener, CONNECTIONS_MAX) != 0 ||
        getsockname(proxy.listener, (struct sockaddr *)&own, &size) != 0) {
        die("listen");
    }
    (void)printf("listening on 127.0.0.1:%u\n", ntohs(own.sin_port));
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    char *port = argc > 1 ? strrchr(argv[1], ':') : NULL;
    if (port == NULL || (argc != 2 && argc != 5 && argc != 6)) {
        (void)fprintf(stderr, "usage: fault_proxy TO-ADDR:PORT [PLACE HARM MARK [VICTIM]]\n");
        return 2;
    }
    *port = '\0';
    proxy.target.sin_family = AF_INET;
    proxy.target.sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10));
    if (inet_pton(AF_INET, argv[1], &proxy.target.sin_addr) != 1) {
        die(argv[1]);
    }
    proxy.tracing = argc == 2;
    if (!proxy.tracing) {
        parse_place(argv[2]);
        proxy.harm = argv[3];
        proxy.mark = argv[4];
        proxy.victim = argc == 6 ? argv[5] : NULL;
    }
    listen_here();
    serve();
}
