/* SPDX-License-Identifier: Apache-2.0 */
/* link_bench_server.c — the receiving end: checks the checksum of every block and frees its
 * slot. */
#include <stdlib.h>
#include <string.h>

#include "acceptor.h"
#include "assertion.h"
#include "bytes.h"
#include "link_bench_wire.h"

enum { EVENT_COUNT = 32 };

struct server_link {
    struct link_rx rx; /* base NULL: no link */
    bool bound;
    bool connected;
    bool has_description;
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    size_t description_size;
};

struct server {
    const struct bench_context *context;
    const struct haul_link_bench_options *options;
    struct poll_group *group;
    struct acceptor *acceptor;
    struct control_channel *channel;
    struct bench_start start;
    bool started;
    bool run_ended;
    struct server_link links[HAUL_LINK_COUNT_MAX];
    uint64_t crc_errors;
    uint64_t blocks;
    uint64_t bytes;
    uint64_t now_ns; /* read once a round: the clock may be a system call */
    uint64_t first_ns;
    uint64_t last_ns;
    struct haul_link_stats stats;
};

static struct link_config make_config(const struct server *server)
{
    struct link_config config = {.options = server->options->link,
                                 .epoch = BENCH_EPOCH,
                                 .log = server->options->log,
                                 .hub = server->context->hub};
    if (server->started) {
        config.options.slot_count = server->start.slot_count;
        config.options.slot_size_bytes = server->start.slot_size_bytes;
    }
    return config;
}

/* --- a run's end ------------------------------------------------------------------------------ */

static void drop_link(struct server *server, struct server_link *receiver)
{
    struct haul_link_stats stats;
    link_stats(receiver->rx.base, &stats);
    link_stats_join(&server->stats, &stats);
    poll_group_remove_link(server->group, receiver->rx.base);
    link_destroy(receiver->rx.base);
    memset(receiver, 0, sizeof(*receiver));
}

static void end_run(struct server *server)
{
    for (int i = 0; i < HAUL_LINK_COUNT_MAX; i++) {
        if (server->links[i].rx.base != NULL) {
            drop_link(server, &server->links[i]);
        }
    }
    if (server->channel != NULL) {
        poll_group_remove_control(server->group, server->channel);
        control_channel_destroy(server->channel);
        server->channel = NULL;
    }
    server->run_ended = server->started;
    server->started = false;
}

/* --- control ---------------------------------------------------------------------------------- */

static enum haul_status send_result(struct server *server)
{
    uint8_t body[BENCH_RESULT_BYTES];
    put_u64(body, server->crc_errors);
    put_u64(body + 8, server->blocks);
    return control_channel_send(server->channel, BENCH_RESULT, body, sizeof(body));
}

static void bind_link(struct server *server, struct server_link *receiver)
{
    struct haul_error error = {0};
    receiver->has_description = false;
    receiver->bound = link_bind(receiver->rx.base, receiver->description,
                                receiver->description_size, &error) == HAUL_OK;
    if (!receiver->bound) {
        haul_log(server->options->log, HAUL_LOG_WARNING, "%s", error.text);
        link_close(receiver->rx.base);
    }
}

static enum haul_status on_description(struct server *server, struct haul_slice body)
{
    uint32_t index = 0;
    struct haul_slice description;
    if (!bench_take_description(body, &index, &description) || index >= HAUL_LINK_COUNT_MAX ||
        server->links[index].rx.base == NULL || description.size > LINK_DESCRIPTION_BYTES_MAX) {
        return HAUL_PROTOCOL;
    }
    struct server_link *receiver = &server->links[index];
    memcpy(receiver->description, description.data, description.size);
    receiver->description_size = description.size;
    receiver->has_description = true;
    if (receiver->connected && !receiver->bound) {
        bind_link(server, receiver);
    }
    return HAUL_OK;
}

static enum haul_status on_start(struct server *server, struct haul_slice body)
{
    enum haul_status status = bench_start_decode(body, &server->start);
    server->started = status == HAUL_OK;
    server->crc_errors = 0;
    server->blocks = 0;
    server->bytes = 0;
    server->first_ns = 0;
    memset(&server->stats, 0, sizeof(server->stats));
    return status == HAUL_OK ? control_channel_send(server->channel, BENCH_READY, NULL, 0) : status;
}

static enum haul_status on_message(struct server *server, const struct control_event *event)
{
    switch (event->message_type) {
    case BENCH_START:
        return server->started ? HAUL_PROTOCOL : on_start(server, event->body);
    case BENCH_LINK:
        return on_description(server, event->body);
    case BENCH_END:
        return send_result(server);
    default:
        return HAUL_PROTOCOL;
    }
}

static bool poll_channel(struct server *server)
{
    struct control_event event;
    bool any = false;
    if (server->channel == NULL ||
        !poll_group_take_ready(server->group, control_channel_fd(server->channel))) {
        return false;
    }
    while (server->channel != NULL && control_channel_poll(server->channel, &event)) {
        any = true;
        if (event.type == CONTROL_CLOSED || on_message(server, &event) != HAUL_OK) {
            end_run(server);
        }
    }
    return any;
}

/* --- links ------------------------------------------------------------------------------------ */

static bool is_sound(const struct server *server, struct block *block)
{
    const struct link_bench_guard *guard = server->context->guard;
    uint32_t crc;
    struct haul_slice payload;
    if (guard != NULL) {
        return guard->open(guard->context, &block->header, block_payload(block)) == HAUL_OK;
    }
    return server->start.without_crc || block_take_payload(block, NULL, &payload, &crc) == HAUL_OK;
}

static void on_received(struct server *server, struct server_link *receiver, struct block *block)
{
    server->first_ns = server->first_ns == 0 ? server->now_ns : server->first_ns;
    server->last_ns = server->now_ns;
    server->crc_errors += !is_sound(server, block);
    server->blocks++;
    server->bytes += block->header.payload_size_bytes;
    link_release(receiver->rx, block);
    link_note_applied(receiver->rx, 1);
}

static bool poll_one(struct server *server, struct server_link *receiver, uint32_t index)
{
    struct link_event events[EVENT_COUNT];
    size_t count = link_poll(receiver->rx.base, events, EVENT_COUNT);
    bool closed = false;
    for (size_t i = 0; i < count; i++) {
        if (events[i].type == LINK_CONNECTED) {
            receiver->connected = true;
            closed = bench_send_description(server->channel, receiver->rx.base, index) != HAUL_OK;
            if (receiver->has_description) {
                bind_link(server, receiver);
            }
        } else if (events[i].type == LINK_RECEIVED) {
            on_received(server, receiver, events[i].block);
        } else if (events[i].type == LINK_CLOSED) {
            closed = true;
        }
    }
    if (closed) {
        drop_link(server, receiver);
    }
    return count == EVENT_COUNT; /* fewer: no more events */
}

static bool poll_links(struct server *server)
{
    bool any = false;
    for (uint32_t i = 0; i < HAUL_LINK_COUNT_MAX; i++) {
        if (server->links[i].rx.base != NULL && server->channel != NULL) {
            any = poll_one(server, &server->links[i], i) || any;
        }
    }
    return any;
}

/* --- incoming --------------------------------------------------------------------------------- */

static bool may_admit(const struct server *server, const struct link_incoming *incoming)
{
    return server->started && incoming->ticket.index < server->start.link_count &&
           server->links[incoming->ticket.index].rx.base == NULL;
}

static void keep_link(struct server *server, uint32_t index, struct link_rx rx)
{
    memset(&server->links[index], 0, sizeof(server->links[index]));
    server->links[index].rx = rx;
    if (poll_group_add_link(server->group, rx.base) != HAUL_OK) {
        link_destroy(rx.base);
        server->links[index].rx.base = NULL;
    }
}

static void take_control(struct server *server, struct acceptor_arrival *arrival)
{
    struct link_config config = make_config(server);
    struct haul_error error = {0};
    if (server->channel != NULL) {
        listener_reject(arrival->listener, &arrival->incoming, HAUL_BUSY);
        return;
    }
    struct tls_socket socket = acceptor_take(arrival);
    if (control_channel_adopt(socket, &config, &server->channel, &error) != HAUL_OK) {
        server->channel = NULL;
    } else if (poll_group_add_control(server->group, server->channel) != HAUL_OK) {
        control_channel_destroy(server->channel);
        server->channel = NULL;
    }
}

static void take_link(struct server *server, struct acceptor_arrival *arrival)
{
    uint32_t index = arrival->incoming.ticket.index;
    struct link_config config = make_config(server);
    struct link_rx rx = {NULL};
    struct haul_error error = {0};
    if (!may_admit(server, &arrival->incoming)) {
        listener_reject(arrival->listener, &arrival->incoming, HAUL_AUTH);
    } else if (listener_accept(arrival->listener, &arrival->incoming, &config, &rx, &error) ==
               HAUL_OK) {
        keep_link(server, index, rx);
    } else {
        haul_log(server->options->log, HAUL_LOG_WARNING, "%s", error.text);
    }
}

/* An address of this host may be one that others reach. */
static bool is_own(const struct server *server, const struct acceptor_arrival *arrival)
{
    struct link_address local;
    acceptor_address(server->acceptor, &local);
    return listener_transport(arrival->listener) == HAUL_TRANSPORT_LOOPBACK ||
           link_address_is_loopback(&arrival->incoming.peer) ||
           link_address_same_host(&arrival->incoming.peer, &local);
}

static void take(struct server *server, struct acceptor_arrival *arrival)
{
    if (server->context->both && !is_own(server, arrival)) {
        listener_reject(arrival->listener, &arrival->incoming, HAUL_AUTH);
    } else if (arrival->incoming.control) {
        take_control(server, arrival);
    } else {
        take_link(server, arrival);
    }
}

static bool poll_arrivals(struct server *server)
{
    struct acceptor_arrival arrival;
    int count = 0;
    while (count < ACCEPTOR_ARRIVALS_PER_TURN_MAX &&
           acceptor_poll(server->acceptor, &arrival) == HAUL_OK) {
        take(server, &arrival);
        count++;
    }
    return count > 0;
}

/* --- run -------------------------------------------------------------------------------------- */

static enum haul_status listen_all(struct server *server, struct haul_error *error)
{
    const char *address = server->options->address;
    const struct acceptor_options options = {
        .listen = address == NULL ? "127.0.0.1:0" : address,
        .loopback_only = !server->context->both && !server->options->insecure,
        .transports = {{server->options->transport}},
        .config = make_config(server),
        .group = server->group,
    };
    struct link_address bound;
    enum haul_status status = bench_check_address(server->context, options.listen, &bound, error);
    if (status == HAUL_OK) {
        status = acceptor_create(&options, &server->acceptor, error);
    }
    if (status == HAUL_OK && server->options->on_listening != NULL) {
        char text[LINK_ADDRESS_TEXT_BYTES_MAX];
        acceptor_address(server->acceptor, &bound);
        link_address_format(&bound, text);
        server->options->on_listening(server->options->context, text);
    }
    return status;
}

static bool is_over(const struct server *server)
{
    const struct haul_link_bench_options *options = server->options;
    bool cancelled = options->is_cancelled != NULL && options->is_cancelled(options->context);
    return cancelled || (server->run_ended && !options->keep_serving);
}

static void run(struct server *server)
{
    while (!is_over(server)) {
        server->now_ns = clock_now_ns(&clock_monotonic);
        bool any = poll_arrivals(server);
        any = poll_channel(server) || any;
        any = poll_links(server) || any;
        uint64_t deadline = server->now_ns + BENCH_WAIT_MS * (uint64_t)NS_PER_MS;
        uint64_t arrivals = acceptor_deadline_ns(server->acceptor);
        (void)poll_group_wait(server->group, any, arrivals < deadline ? arrivals : deadline);
    }
}

static void fill_result(const struct server *server, struct haul_link_bench_result *result)
{
    result->transport = server->start.transport;
    result->bytes = server->bytes;
    result->blocks = server->blocks;
    result->seconds = (double)(server->last_ns - server->first_ns) * 1e-9;
    result->bytes_per_second = result->seconds > 0 ? (double)result->bytes / result->seconds : 0;
    result->link = server->stats;
}

enum haul_status bench_server_run(const struct bench_context *context,
                                  struct haul_link_bench_result *result, struct haul_error *error)
{
    struct server server = {.context = context, .options = context->options};
    double cpu = bench_cpu_seconds();
    memset(result, 0, sizeof(*result));
    enum haul_status status =
        poll_group_create(link_spin_us(&server.options->link), &clock_monotonic, &server.group);
    if (status == HAUL_OK) {
        status = listen_all(&server, error);
    }
    if (status == HAUL_OK) {
        run(&server);
        end_run(&server);
        fill_result(&server, result);
    }
    acceptor_destroy(server.acceptor);
    poll_group_destroy(server.group);
    result->cpu_seconds = bench_cpu_seconds() - cpu;
    return status;
}
