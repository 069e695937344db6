/* SPDX-License-Identifier: Apache-2.0 */
/* sim_network.c — connections and listeners, and the socket calls of the product.
 *
 * A connection has two ends and two flows; end i writes flow i and the other end reads it. A flow
 * keeps all its bytes, so that a stranger can replay them. */
#include "sim_network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "assertion.h"
#include "clock.h"
#include "sim_descriptor.h"

enum {
    CONNECTION_COUNT = 192,
    LISTENER_COUNT = 12,
    NETWORK = 0x0a000000, /* the address of host n is this plus n */
    SEGMENT_COUNT = 64,
    BUFFER_BYTES_FIRST = 4096,
    REPLAY_MS_MAX = 4000,
    FD_NONE = -1, /* not accepted yet */
    FD_CLOSED = -2,
    FD_STRANGER = -3, /* accepts everything, and replays earlier bytes */
};

enum segment_type { SEGMENT_BYTES, SEGMENT_FIN, SEGMENT_RESET };

struct segment {
    enum segment_type type;
    uint64_t end; /* offset in the flow's bytes */
    uint64_t at_ns;
};

struct flow {
    uint8_t *bytes;
    size_t capacity;
    uint64_t written, delivered, read;
    uint64_t cut_at, silent_at, flip_at;
    bool fin_sent, fin_delivered;
    struct segment segments[SEGMENT_COUNT];
    uint32_t first, count;
    uint64_t last_ns; /* arrivals stay in order */
};

struct end {
    int fd;
    int host;
    int error; /* errno of the broken connection */
    uint64_t timeout_ns;
    size_t low_water;
};

enum connection_state { CONNECTION_UNUSED, CONNECTION_OPENING, CONNECTION_OPEN, CONNECTION_DEAD };

struct connection {
    enum connection_state state;
    bool accepted;
    bool refused;
    int to;       /* the host that was called */
    int listener; /* -1: nobody listens there */
    uint64_t open_ns;
    uint64_t latency_ns;
    uint64_t silent_since_ns; /* CLOCK_NEVER: not silent */
    uint64_t silent_until_ns;
    bool dies_silent; /* reset at the end of its silence */
    uint64_t replay_ns;
    struct end ends[2];
    struct flow flows[2];
};

struct listener {
    int fd; /* FD_NONE: unused */
    int host;
    uint16_t port;
};

struct sim_network_options sim_network_options;
struct sim_network_figures sim_network_figures;
static struct connection *connections[CONNECTION_COUNT];
static int connection_count;
static struct listener listeners[LISTENER_COUNT];
static bool healed;
static uint64_t due_ns; /* nothing happens before that by itself; 0: recompute */

static uint32_t draw(uint32_t limit)
{
    return sim_random_below(sim_kernel.random, limit + 1);
}

static bool chance(uint32_t parts)
{
    return !healed && parts > 0 && sim_random_chance(sim_kernel.random, parts);
}

void sim_network_init(void)
{
    memset(connections, 0, sizeof(connections));
    connection_count = 0;
    due_ns = 0;
    healed = false;
    memset(&sim_network_figures, 0, sizeof(sim_network_figures));
    for (int i = 0; i < LISTENER_COUNT; i++) {
        listeners[i].fd = FD_NONE;
    }
}

/* --- connections ------------------------------------------------------------------------------ */

static void notify(const struct connection *connection, int which)
{
    if (connection->ends[which].fd >= 0) {
        sim_descriptor_notify(connection->ends[which].fd);
    }
}

static void init_flow(struct flow *flow)
{
    uint8_t *bytes = flow->bytes;
    size_t capacity = flow->capacity;
    memset(flow, 0, sizeof(*flow));
    flow->bytes = bytes;
    flow->capacity = capacity;
    flow->cut_at = chance(sim_network_options.cut_parts) ? draw(sim_network_options.cut_bytes_max)
                                                         : UINT64_MAX;
    flow->silent_at = chance(sim_network_options.silence_parts)
                          ? draw(sim_network_options.cut_bytes_max)
                          : UINT64_MAX;
    flow->flip_at = chance(sim_network_options.flip_parts) ? draw(sim_network_options.cut_bytes_max)
                                                           : UINT64_MAX;
}

static struct connection *make_connection(int to)
{
    struct connection *made = NULL;
    for (int i = 0; i < connection_count && made == NULL; i++) {
        made = connections[i]->state == CONNECTION_UNUSED ? connections[i] : NULL;
    }
    if (made == NULL) {
        haul_assert(connection_count < CONNECTION_COUNT);
        made = sim_host_alloc(sizeof(*made));
        connections[connection_count++] = made;
    }
    made->state = CONNECTION_OPENING;
    made->accepted = false;
    made->to = to;
    made->refused = chance(sim_network_options.refuse_parts);
    made->listener = -1;
    made->latency_ns = (uint64_t)NS_PER_US * (1 + draw(sim_network_options.latency_us_max));
    made->open_ns = sim_kernel.now_ns + made->latency_ns;
    made->silent_since_ns = CLOCK_NEVER;
    made->dies_silent = false;
    made->replay_ns = CLOCK_NEVER;
    for (int i = 0; i < 2; i++) {
        made->ends[i] = (struct end){.fd = FD_NONE, .timeout_ns = CLOCK_NEVER, .low_water = 1};
        init_flow(&made->flows[i]);
    }
    sim_network_figures.connections++;
    return made;
}

static void reset(struct connection *connection, int error)
{
    connection->state = CONNECTION_DEAD;
    due_ns = 0;
    for (int i = 0; i < 2; i++) {
        connection->ends[i].error =
            connection->ends[i].error == 0 ? error : connection->ends[i].error;
        connection->flows[i].count = 0;
        notify(connection, i);
    }
}

static void push_segment(struct connection *connection, struct flow *flow, enum segment_type type)
{
    haul_assert(flow->count < SEGMENT_COUNT);
    uint64_t jitter = (uint64_t)NS_PER_US * draw(healed ? 0 : sim_network_options.jitter_us_max);
    uint64_t at_ns = sim_kernel.now_ns + connection->latency_ns + jitter;
    flow->last_ns = at_ns > flow->last_ns ? at_ns : flow->last_ns;
    flow->segments[(flow->first + flow->count++) % SEGMENT_COUNT] =
        (struct segment){.type = type, .end = flow->written, .at_ns = flow->last_ns};
    due_ns = 0;
}

static void append(struct flow *flow, const void *data, size_t size)
{
    size_t needed = (size_t)flow->written + size;
    if (needed > flow->capacity) {
        size_t capacity = flow->capacity == 0 ? BUFFER_BYTES_FIRST : flow->capacity;
        while (capacity < needed) {
            capacity *= 2;
        }
        flow->bytes = sim_host_grow(flow->bytes, (size_t)flow->written, capacity);
        flow->capacity = capacity;
    }
    memcpy(flow->bytes + flow->written, data, size);
    flow->written += size;
}

/* No process has it open any more; a replay may still need its bytes. */
static void check_unused(struct connection *connection)
{
    bool open = connection->ends[0].fd >= 0 || connection->ends[1].fd >= 0 ||
                (connection->ends[1].fd == FD_NONE && connection->state <= CONNECTION_OPEN);
    bool said = connection->flows[0].count > 0 && connection->ends[1].fd >= 0;
    if (!open && !said && connection->replay_ns == CLOCK_NEVER) {
        connection->state = CONNECTION_UNUSED;
    }
}

/* --- delivery --------------------------------------------------------------------------------- */

/* True: the connection is unchanged. */
static bool deliver_bytes(struct connection *connection, struct flow *flow, uint64_t until)
{
    uint64_t limit = flow->silent_at < until ? flow->silent_at : until;
    limit = flow->cut_at < limit ? flow->cut_at : limit;
    if (flow->flip_at >= flow->delivered && flow->flip_at < limit) {
        flow->bytes[flow->flip_at] ^= (uint8_t)(1U << draw(7));
        flow->flip_at = UINT64_MAX;
        sim_network_figures.flips++;
    }
    flow->delivered = limit;
    if (limit == until && flow->cut_at != until && flow->silent_at != until) {
        return true;
    }
    if (flow->cut_at == limit) {
        sim_network_figures.cuts++;
        reset(connection, ECONNRESET);
        return false;
    }
    sim_network_figures.silences++;
    flow->silent_at = UINT64_MAX;
    connection->silent_since_ns = sim_kernel.now_ns;
    connection->silent_until_ns = sim_kernel.now_ns + (uint64_t)NS_PER_MS * draw(10000);
    return false;
}

static void deliver_flow(struct connection *connection, int which)
{
    struct flow *flow = &connection->flows[which];
    int reader = 1 - which;
    while (flow->count > 0 && flow->segments[flow->first].at_ns <= sim_kernel.now_ns) {
        struct segment segment = flow->segments[flow->first];
        if (connection->ends[reader].fd == FD_CLOSED && segment.type == SEGMENT_BYTES) {
            reset(connection, ECONNRESET); /* nobody listens there */
            return;
        }
        if (segment.type == SEGMENT_RESET) {
            reset(connection, ECONNRESET);
            return;
        }
        if (segment.type == SEGMENT_BYTES && !deliver_bytes(connection, flow, segment.end)) {
            return;
        }
        flow->fin_delivered = flow->fin_delivered || segment.type == SEGMENT_FIN;
        flow->first = (flow->first + 1) % SEGMENT_COUNT;
        flow->count--;
        if (connection->ends[reader].fd == FD_STRANGER) {
            flow->read = flow->delivered;
        }
        notify(connection, reader);
    }
}

static int find_listener(int host, uint16_t port)
{
    for (int i = 0; i < LISTENER_COUNT; i++) {
        if (listeners[i].fd >= 0 && listeners[i].host == host && listeners[i].port == port) {
            return i;
        }
    }
    return -1;
}

int sim_network_host_at(const struct sockaddr_in *address)
{
    return (int)(ntohl(address->sin_addr.s_addr) - NETWORK) - 1;
}

static void put_address(struct sockaddr *address, socklen_t *size, int host, uint16_t port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
    in.sin_addr.s_addr = htonl(NETWORK + (uint32_t)host + 1);
    memcpy(address, &in, sizeof(in));
    *size = sizeof(in);
}

static void open_connection(struct connection *connection)
{
    if (connection->listener < 0 || listeners[connection->listener].fd < 0 || connection->refused) {
        sim_network_figures.refusals++;
        reset(connection, ECONNREFUSED);
        return;
    }
    connection->state = CONNECTION_OPEN;
    connection->ends[1].host = listeners[connection->listener].host;
    notify(connection, 0);
    sim_descriptor_notify(listeners[connection->listener].fd);
}

/* Replay to the listener what a sender sent to it before. */
static void replay(struct connection *from)
{
    uint64_t size = from->flows[0].written;
    int listener = find_listener(from->to, 7447);
    from->replay_ns = CLOCK_NEVER;
    check_unused(from);
    if (size == 0 || healed || listener < 0) {
        return;
    }
    struct connection *made = make_connection(from->to);
    made->listener = listener;
    made->ends[0].fd = FD_STRANGER;
    append(&made->flows[0], from->flows[0].bytes, (size_t)(1 + draw((uint32_t)size - 1)));
    push_segment(made, &made->flows[0], SEGMENT_BYTES);
    push_segment(made, &made->flows[0], SEGMENT_FIN);
    sim_network_figures.replays++;
}

static void check_silence(struct connection *connection)
{
    if (sim_kernel.now_ns >= connection->silent_until_ns) {
        connection->silent_since_ns = CLOCK_NEVER;
        if (connection->dies_silent) {
            reset(connection, ECONNRESET);
        }
        return;
    }
    for (int i = 0; i < 2; i++) {
        struct end *end = &connection->ends[i];
        bool over = end->timeout_ns != CLOCK_NEVER &&
                    sim_kernel.now_ns >= connection->silent_since_ns + end->timeout_ns;
        if (over && end->error == 0) {
            end->error = ETIMEDOUT;
            notify(connection, i);
        }
    }
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_of(const struct connection *connection)
{
    uint64_t next_ns = connection->replay_ns;
    if (connection->state != CONNECTION_OPENING && connection->state != CONNECTION_OPEN) {
        return next_ns;
    }
    if (connection->silent_since_ns != CLOCK_NEVER) {
        next_ns = earlier(next_ns, connection->silent_until_ns);
        for (int i = 0; i < 2; i++) {
            const struct end *end = &connection->ends[i];
            if (end->timeout_ns != CLOCK_NEVER && end->error == 0) {
                next_ns = earlier(next_ns, connection->silent_since_ns + end->timeout_ns);
            }
        }
        return next_ns;
    }
    if (connection->state == CONNECTION_OPENING) {
        return earlier(next_ns, connection->open_ns);
    }
    for (int i = 0; i < 2; i++) {
        const struct flow *flow = &connection->flows[i];
        if (flow->count > 0) {
            next_ns = earlier(next_ns, flow->segments[flow->first].at_ns);
        }
    }
    return next_ns;
}

static uint64_t look_for_next(void)
{
    uint64_t next_ns = CLOCK_NEVER;
    for (int i = 0; i < connection_count; i++) {
        next_ns = earlier(next_ns, next_of(connections[i]));
    }
    return next_ns;
}

void sim_network_deliver(void)
{
    if (sim_kernel.now_ns < due_ns) {
        return;
    }
    for (int i = 0; i < connection_count; i++) {
        struct connection *connection = connections[i];
        if (connection->replay_ns <= sim_kernel.now_ns) {
            replay(connection);
        }
        if (connection->state == CONNECTION_UNUSED || connection->state == CONNECTION_DEAD) {
            continue;
        }
        if (connection->silent_since_ns != CLOCK_NEVER) {
            check_silence(connection);
        }
        if (connection->silent_since_ns != CLOCK_NEVER) {
            continue;
        }
        if (connection->state == CONNECTION_OPENING && connection->open_ns <= sim_kernel.now_ns) {
            open_connection(connection);
        }
        for (int j = 0; j < 2 && connection->state == CONNECTION_OPEN; j++) {
            deliver_flow(connection, j);
        }
    }
    due_ns = look_for_next();
}

uint64_t sim_network_next_ns(void)
{
    return due_ns == 0 ? look_for_next() : due_ns;
}

/* --- faults ----------------------------------------------------------------------------------- */

static bool is_of(const struct connection *connection, int host)
{
    return host < 0 || connection->ends[0].host == host || connection->ends[1].host == host;
}

void sim_network_cut(int host)
{
    for (int i = 0; i < connection_count; i++) {
        if (connections[i]->state == CONNECTION_OPEN && is_of(connections[i], host)) {
            sim_network_figures.cuts++;
            reset(connections[i], ECONNRESET);
        }
    }
}

static void silence(struct connection *connection, uint32_t ms_max)
{
    connection->silent_since_ns = sim_kernel.now_ns;
    connection->silent_until_ns = sim_kernel.now_ns + (uint64_t)NS_PER_MS * draw(ms_max);
    due_ns = 0;
}

void sim_network_silence(int host)
{
    for (int i = 0; i < connection_count; i++) {
        if (connections[i]->state == CONNECTION_OPEN && is_of(connections[i], host)) {
            sim_network_figures.silences++;
            silence(connections[i], 10000);
        }
    }
}

void sim_network_power_failure(int host)
{
    for (int i = 0; i < connection_count; i++) {
        struct connection *connection = connections[i];
        if (connection->state == CONNECTION_OPEN && is_of(connection, host)) {
            silence(connection, 5000);
            connection->dies_silent = true;
        }
    }
}

void sim_network_heal(void)
{
    healed = true;
    due_ns = 0;
    for (int i = 0; i < connection_count; i++) {
        for (int j = 0; j < 2; j++) {
            struct flow *flow = &connections[i]->flows[j];
            flow->cut_at = UINT64_MAX;
            flow->silent_at = UINT64_MAX;
            flow->flip_at = UINT64_MAX;
        }
        connections[i]->replay_ns = CLOCK_NEVER;
        check_unused(connections[i]);
    }
}

/* --- descriptors ------------------------------------------------------------------------------ */

static struct connection *connection_of(const struct sim_descriptor *descriptor, int *which)
{
    *which = descriptor->network & 1;
    return connections[descriptor->network >> 1];
}

static bool has_waiting(int listener)
{
    for (int i = 0; i < connection_count; i++) {
        const struct connection *connection = connections[i];
        if (connection->state == CONNECTION_OPEN && !connection->accepted &&
            connection->listener == listener) {
            return true;
        }
    }
    return false;
}

static uint64_t room_of(const struct flow *flow)
{
    uint64_t used = flow->written - flow->read;
    bool full = used >= sim_network_options.buffer_bytes || flow->count + 2 >= SEGMENT_COUNT;
    return full ? 0 : sim_network_options.buffer_bytes - used;
}

uint32_t sim_network_events(const struct sim_descriptor *descriptor)
{
    if (descriptor->type == SIM_LISTENER) {
        return has_waiting(descriptor->network) ? EPOLLIN : 0;
    }
    int which;
    const struct connection *connection = connection_of(descriptor, &which);
    const struct end *end = &connection->ends[which];
    const struct flow *in = &connection->flows[1 - which];
    if (end->error != 0) {
        return EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDHUP;
    }
    if (connection->state == CONNECTION_OPENING) {
        return 0;
    }
    uint32_t events = 0;
    uint64_t waiting = in->delivered - in->read;
    bool enough = waiting >= end->low_water || waiting >= sim_network_options.buffer_bytes;
    events |= in->fin_delivered ? EPOLLIN | EPOLLRDHUP : 0;
    events |= waiting > 0 && enough ? (uint32_t)EPOLLIN : 0;
    events |= room_of(&connection->flows[which]) > 0 ? (uint32_t)EPOLLOUT : 0;
    return events;
}

static void close_end(struct connection *connection, int which)
{
    const struct flow *in = &connection->flows[1 - which];
    struct flow *out = &connection->flows[which];
    bool unread = in->delivered > in->read;
    connection->ends[which].fd = FD_CLOSED;
    due_ns = 0;
    if (connection->state == CONNECTION_OPENING) {
        reset(connection, ECONNRESET);
    } else if (connection->state == CONNECTION_OPEN && !out->fin_sent) {
        out->fin_sent = true;
        push_segment(connection, out, unread ? SEGMENT_RESET : SEGMENT_FIN);
    }
    if (which == 0 && chance(sim_network_options.replay_parts)) {
        connection->replay_ns = sim_kernel.now_ns + (uint64_t)NS_PER_MS * draw(REPLAY_MS_MAX);
    }
    check_unused(connection);
}

void sim_network_close(struct sim_descriptor *descriptor)
{
    if (descriptor->type == SIM_LISTENER) {
        listeners[descriptor->network].fd = FD_NONE;
        for (int i = 0; i < connection_count; i++) {
            struct connection *made = connections[i];
            bool waits = made->listener == descriptor->network && !made->accepted;
            made->listener = waits ? -1 : made->listener; /* its place is free */
            if (waits && made->state == CONNECTION_OPEN) {
                reset(made, ECONNRESET);
                made->ends[1].fd = FD_CLOSED;
            }
        }
        return;
    }
    if (descriptor->network >= 0) {
        int which;
        struct connection *connection = connection_of(descriptor, &which);
        close_end(connection, which);
    }
}

/* --- what the product calls ------------------------------------------------------------------- */

int __wrap_socket(int family, int type, int protocol);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_listen(int fd, int backlog);
int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size);
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found);
void __wrap_freeaddrinfo(struct addrinfo *found);

static int fail(int code)
{
    errno = code;
    return -1;
}

int __wrap_socket(int family, int type, int protocol)
{
    (void)family;
    (void)type;
    (void)protocol;
    return sim_descriptor_open(SIM_SOCKET);
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    struct sim_descriptor *descriptor = sim_descriptor_at(fd);
    int number;
    haul_assert(size >= sizeof(number)); /* a struct linger, of which nothing is simulated */
    memcpy(&number, value, sizeof(number));
    if (descriptor->type != SIM_SOCKET) {
        return 0;
    }
    if (level == IPPROTO_TCP && name == TCP_USER_TIMEOUT) {
        descriptor->counter = (uint64_t)number * (uint64_t)NS_PER_MS;
    }
    if (descriptor->network >= 0) {
        int which;
        struct end *end = &connection_of(descriptor, &which)->ends[which];
        end->timeout_ns = descriptor->counter;
        due_ns = 0;
        end->low_water =
            level == SOL_SOCKET && name == SO_RCVLOWAT ? (size_t)number : end->low_water;
        sim_descriptor_notify(fd);
    }
    return 0;
}

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
    int which;
    const struct connection *connection = connection_of(sim_descriptor_at(fd), &which);
    if (level == IPPROTO_TCP && name == TCP_INFO) {
        struct tcp_info info = {.tcpi_min_rtt =
                                    (uint32_t)(2 * connection->latency_ns / (uint64_t)NS_PER_US)};
        memcpy(value, &info, *size < sizeof(info) ? *size : sizeof(info));
        return 0;
    }
    haul_assert(level == SOL_SOCKET && name == SO_ERROR && *size == sizeof(int));
    memcpy(value, &connection->ends[which].error, sizeof(int));
    return 0;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)size;
    struct sim_descriptor *descriptor = sim_descriptor_at(fd);
    const struct sockaddr_in *to = (const struct sockaddr_in *)(const void *)address;
    struct connection *made = make_connection(sim_network_host_at(to));
    made->listener = find_listener(made->to, ntohs(to->sin_port));
    made->ends[0].fd = fd;
    made->ends[0].host = descriptor->process->host;
    made->ends[0].timeout_ns = descriptor->counter;
    due_ns = 0;
    for (int i = 0; i < connection_count; i++) {
        descriptor->network = connections[i] == made ? 2 * i : descriptor->network;
    }
    return fail(EINPROGRESS);
}

int __wrap_bind(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)size;
    const struct sockaddr_in *at = (const struct sockaddr_in *)(const void *)address;
    uint16_t port = ntohs(at->sin_port);
    struct sim_descriptor *descriptor = sim_descriptor_at(fd);
    if (find_listener(descriptor->process->host, port) >= 0) {
        return fail(EADDRINUSE);
    }
    for (int i = 0; i < LISTENER_COUNT; i++) {
        if (listeners[i].fd < 0) {
            listeners[i] =
                (struct listener){.fd = fd, .host = descriptor->process->host, .port = port};
            descriptor->type = SIM_LISTENER;
            descriptor->network = i;
            return 0;
        }
    }
    haul_unreachable();
}

int __wrap_listen(int fd, int backlog)
{
    (void)fd;
    (void)backlog;
    return 0;
}

int __wrap_accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    (void)address, (void)size, (void)flags;
    int listener = sim_descriptor_at(fd)->network;
    for (int i = 0; i < connection_count; i++) {
        struct connection *connection = connections[i];
        if (connection->state == CONNECTION_OPEN && !connection->accepted &&
            connection->listener == listener) {
            int made = sim_descriptor_open(SIM_SOCKET);
            sim_descriptor_at(made)->network = 2 * i + 1;
            connection->accepted = true;
            connection->ends[1].fd = made;
            return made;
        }
    }
    return fail(EAGAIN);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    (void)flags;
    int which;
    struct connection *connection = connection_of(sim_descriptor_at(fd), &which);
    struct flow *flow = &connection->flows[which];
    if (connection->ends[which].error != 0) {
        return fail(connection->ends[which].error);
    }
    uint64_t room = room_of(flow);
    room = room > 1 && chance(500) ? 1 + draw((uint32_t)room - 1) : room;
    if (connection->state != CONNECTION_OPEN || room == 0) {
        return fail(EAGAIN);
    }
    uint64_t before = flow->written;
    for (size_t i = 0; i < message->msg_iovlen && room > 0; i++) {
        const struct iovec *part = &message->msg_iov[i];
        size_t size = part->iov_len < room ? part->iov_len : (size_t)room;
        if (size > 0) {
            append(flow, part->iov_base, size);
        }
        room -= size;
    }
    push_segment(connection, flow, SEGMENT_BYTES);
    ssize_t sent = (ssize_t)(flow->written - before);
    sim_yield();
    return sent;
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    (void)flags;
    int which;
    struct connection *connection = connection_of(sim_descriptor_at(fd), &which);
    struct flow *flow = &connection->flows[1 - which];
    uint64_t left = flow->delivered - flow->read;
    if (left == 0) {
        int error = connection->ends[which].error;
        return error != 0 ? fail(error) : flow->fin_delivered ? 0 : fail(EAGAIN);
    }
    left = left > 1 && chance(500) ? 1 + draw((uint32_t)left - 1) : left;
    uint64_t before = flow->read;
    for (size_t i = 0; i < message->msg_iovlen && left > 0; i++) {
        const struct iovec *part = &message->msg_iov[i];
        size_t size = part->iov_len < left ? part->iov_len : (size_t)left;
        if (size > 0) {
            memcpy(part->iov_base, flow->bytes + flow->read, size);
        }
        flow->read += size;
        left -= size;
    }
    notify(connection, 1 - which);
    return (ssize_t)(flow->read - before);
}

int __wrap_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    int which;
    const struct connection *connection = connection_of(sim_descriptor_at(fd), &which);
    put_address(address, size, connection->ends[1 - which].host, 40000);
    return 0;
}

int __wrap_getsockname(int fd, struct sockaddr *address, socklen_t *size)
{
    put_address(address, size, sim_descriptor_at(fd)->process->host, 7447);
    return 0;
}

/* Every address is numeric. */
int __wrap_getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                       struct addrinfo **found)
{
    static struct sockaddr_in storage;
    static struct addrinfo info;
    (void)hints;
    storage = (struct sockaddr_in){.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)strtoul(port, NULL, 10))};
    int result = inet_pton(AF_INET, host, &storage.sin_addr);
    haul_assert(result == 1);
    info = (struct addrinfo){.ai_family = AF_INET,
                             .ai_addr = (struct sockaddr *)&storage,
                             .ai_addrlen = sizeof(storage)};
    *found = &info;
    return 0;
}

void __wrap_freeaddrinfo(struct addrinfo *found)
{
    (void)found;
}
