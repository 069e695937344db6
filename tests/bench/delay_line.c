/* SPDX-License-Identifier: Apache-2.0 */
/* delay_line.c — a long line between two network namespaces, for kernels without netem.
 *
 *   delay_line NAMESPACE-A NAMESPACE-B DELAY-MS MBIT-PER-S QUEUE-KB
 *
 * Makes the TUN device `line0` in each namespace (MTU 1500) and carries IP packets between them: in
 * each direction at the given rate, then DELAY-MS later, in order. A packet that finds more than
 * QUEUE-KB waiting is dropped, as a router would. Prints "ready" when the devices exist; the caller
 * gives them addresses. Ends with SIGTERM, and the devices with it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    PACKET_BYTES_MAX = 1600,
    PACKET_COUNT_MAX = 1 << 16,
    PACKETS_PER_TURN = 64,
};

struct packet {
    uint64_t due_ns; /* when it leaves the far end */
    uint32_t size;
    uint8_t bytes[PACKET_BYTES_MAX];
};

/* One direction of the line. */
struct way {
    int from;
    int to;
    uint64_t delay_ns;
    uint64_t bits_per_s;
    uint64_t queue_ns;     /* the longest wait for the line */
    uint64_t line_free_ns; /* when the last packet has been sent */
    struct packet *packets;
    uint64_t head;
    uint64_t tail;
    uint64_t dropped;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "delay_line: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* A TUN device belongs to the namespace in which its descriptor was opened. */
static int open_device(const char *namespace)
{
    char path[256];
    (void)snprintf(path, sizeof(path), "/var/run/netns/%s", namespace);
    int space = open(path, O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) {
        die(path);
    }
    (void)close(space);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    (void)snprintf(request.ifr_name, sizeof(request.ifr_name), "line0");
    if (device < 0 || ioctl(device, TUNSETIFF, &request) != 0) {
        die("/dev/net/tun");
    }
    return device;
}

static void take(struct way *way, uint64_t now)
{
    for (int i = 0; i < PACKETS_PER_TURN; i++) {
        uint8_t drain[PACKET_BYTES_MAX];
        uint64_t start = way->line_free_ns > now ? way->line_free_ns : now;
        bool full = way->head - way->tail == PACKET_COUNT_MAX || start - now > way->queue_ns;
        struct packet *packet = &way->packets[way->head % PACKET_COUNT_MAX];
        ssize_t size = read(way->from, full ? drain : packet->bytes, PACKET_BYTES_MAX);
        if (size <= 0) {
            return;
        }
        if (full) {
            way->dropped++;
            continue;
        }
        way->line_free_ns = start + (uint64_t)size * 8 * 1000000000u / way->bits_per_s;
        packet->size = (uint32_t)size;
        packet->due_ns = way->line_free_ns + way->delay_ns;
        way->head++;
    }
}

static void give(struct way *way, uint64_t now)
{
    while (way->tail < way->head) {
        const struct packet *packet = &way->packets[way->tail % PACKET_COUNT_MAX];
        if (packet->due_ns > now) {
            return;
        }
        if (write(way->to, packet->bytes, packet->size) < 0 && errno == EAGAIN) {
            return;
        }
        way->tail++;
    }
}

static uint64_t next_due(const struct way *way, uint64_t before)
{
    if (way->tail == way->head) {
        return before;
    }
    uint64_t due = way->packets[way->tail % PACKET_COUNT_MAX].due_ns;
    return due < before ? due : before;
}

static void carry(struct way ways[2])
{
    for (;;) {
        uint64_t now = now_ns();
        uint64_t until = next_due(&ways[1], next_due(&ways[0], now + 1000000000u));
        uint64_t wait = until > now ? until - now : 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait / 1000000000u),
                                   .tv_nsec = (long)(wait % 1000000000u)};
        struct pollfd watched[2] = {{.fd = ways[0].from, .events = POLLIN},
                                    {.fd = ways[1].from, .events = POLLIN}};
        if (ppoll(watched, 2, &timeout, NULL) < 0 && errno != EINTR) {
            die("ppoll");
        }
        now = now_ns();
        for (int i = 0; i < 2; i++) {
            take(&ways[i], now);
            give(&ways[i], now);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        (void)fputs("Usage: delay_line NAMESPACE-A NAMESPACE-B DELAY-MS MBIT-PER-S QUEUE-KB\n",
                    stderr);
        return 2;
    }
    int devices[2] = {open_device(argv[1]), open_device(argv[2])};
    struct way ways[2];
    for (int i = 0; i < 2; i++) {
        ways[i] = (struct way){.from = devices[i], .to = devices[1 - i]};
        ways[i].delay_ns = strtoull(argv[3], NULL, 10) * 1000000u;
        ways[i].bits_per_s = strtoull(argv[4], NULL, 10) * 1000000u;
        ways[i].queue_ns =
            strtoull(argv[5], NULL, 10) * 8000u * 1000000000u / (ways[i].bits_per_s + 1);
        ways[i].packets = calloc(PACKET_COUNT_MAX, sizeof(*ways[i].packets));
        if (ways[i].packets == NULL || ways[i].bits_per_s == 0) {
            die("no memory, or no rate");
        }
    }
    (void)puts("ready");
    (void)fflush(stdout);
    carry(ways);
}
