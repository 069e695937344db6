/* SPDX-License-Identifier: Apache-2.0 */
/* link_bench_client.c — the sending end: fills, checksums and submits blocks as fast as credits
 * come back, for the requested time; then waits until the last one is freed. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "crc32c.h"
#include "link_bench_wire.h"

enum { EVENT_COUNT = 32 };

struct client_link {
    struct link_tx tx;
    bool connected;
    bool bound;
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX]; /* the peer's, until connected */
    size_t description_size;
    struct block *waiting; /* filled, refused for lack of a credit */
    bool stalled;
    uint64_t in_flight;
};

struct client {
    const struct bench_context *context;
    const struct haul_link_bench_options *options;
    struct link_address address;
    struct poll_group *group;
    struct control_channel *channel;
    struct client_link links[HAUL_LINK_COUNT_MAX];
    bool ready; /* links may be opened */
    bool opened;
    bool finished;   /* RESULT has arrived */
    bool ending;     /* END was sent */
    uint64_t now_ns; /* read once a round: the clock may be a system call */
    uint64_t started_ns;
    uint64_t stopped_ns;
    uint64_t made;
    uint64_t blocks;
    uint64_t bytes;
    uint64_t crc_errors;
    struct haul_error error; /* status not OK: the run is over */
};

static struct link_config make_config(const struct client *client)
{
    return (struct link_config){.options = client->options->link,
                                .epoch = BENCH_EPOCH,
                                .log = client->options->log,
                                .hub = client->context->hub};
}

static void note(struct client *client, enum haul_status status, const struct haul_error *error)
{
    if (status != HAUL_OK && client->error.status == HAUL_OK) {
        client->error = error == NULL ? (struct haul_error){.status = status} : *error;
        client->error.status = status;
    }
}

/* --- control ---------------------------------------------------------------------------------- */

static enum haul_status send_start(struct client *client)
{
    uint8_t body[BENCH_START_BYTES];
    struct bench_start start = {.transport = client->options->transport,
                                .link_count = client->options->link_count,
                                .slot_count = client->options->link.slot_count,
                                .slot_size_bytes = client->options->link.slot_size_bytes,
                                .without_crc = client->options->without_crc};
    bench_start_encode(&start, body);
    return control_channel_send(client->channel, BENCH_START, body, sizeof(body));
}

static void bind_link(struct client *client, struct client_link *sender)
{
    struct haul_error error = {0};
    enum haul_status status =
        link_bind(sender->tx.base, sender->description, sender->description_size, &error);
    sender->bound = status == HAUL_OK;
    note(client, status, &error);
}

static void on_description(struct client *client, struct haul_slice body)
{
    uint32_t index = 0;
    struct haul_slice description;
    struct haul_error error = {0};
    if (!bench_take_description(body, &index, &description) ||
        index >= client->options->link_count || client->links[index].description_size > 0 ||
        description.size == 0 || description.size > LINK_DESCRIPTION_BYTES_MAX) {
        note(client, HAUL_PROTOCOL, &error);
        return;
    }
    struct client_link *sender = &client->links[index];
    memcpy(sender->description, description.data, description.size);
    sender->description_size = description.size;
    if (sender->connected) {
        bind_link(client, sender);
    }
}

static void on_message(struct client *client, const struct control_event *event)
{
    struct cursor cursor = cursor_of(event->body.data, event->body.size);
    switch (event->message_type) {
    case BENCH_READY:
        client->ready = true;
        return;
    case BENCH_LINK:
        on_description(client, event->body);
        return;
    case BENCH_RESULT:
        client->crc_errors = cursor_u64(&cursor);
        client->finished = true;
        return;
    default:
        note(client, HAUL_PROTOCOL, &client->error);
    }
}

static bool poll_channel(struct client *client)
{
    struct control_event event;
    bool any = false;
    if (!poll_group_take_ready(client->group, control_channel_fd(client->channel))) {
        return false;
    }
    while (client->error.status == HAUL_OK && control_channel_poll(client->channel, &event)) {
        any = true;
        if (event.type == CONTROL_CONNECTED) {
            note(client, send_start(client), &event.error);
        } else if (event.type == CONTROL_MESSAGE) {
            on_message(client, &event);
        } else {
            note(client, event.error.status, &event.error);
        }
    }
    return any;
}

/* --- links ------------------------------------------------------------------------------------ */

static void open_links(struct client *client)
{
    struct link_config config = make_config(client);
    client->opened = true;
    for (uint32_t i = 0; i < client->options->link_count; i++) {
        struct link_ticket ticket = {.index = i};
        struct haul_error error = {0};
        enum haul_status status = link_connect(client->options->transport, &client->address,
                                               &ticket, &config, &client->links[i].tx, &error);
        if (status == HAUL_OK) {
            status = poll_group_add_link(client->group, client->links[i].tx.base);
        }
        note(client, status, &error);
        if (status != HAUL_OK) {
            return;
        }
    }
}

static void on_link_event(struct client *client, struct client_link *sender, uint32_t index,
                          const struct link_event *event)
{
    switch (event->type) {
    case LINK_CONNECTED:
        sender->connected = true;
        note(client, bench_send_description(client->channel, sender->tx.base, index), event->error);
        if (sender->description_size > 0) {
            bind_link(client, sender);
        }
        return;
    case LINK_DONE:
        sender->in_flight--;
        sender->stalled = false;
        client->blocks += event->status == HAUL_OK;
        client->bytes += event->status == HAUL_OK ? client->options->payload_size_bytes : 0;
        block_pool_release(link_pool(sender->tx), event->block);
        return;
    case LINK_CREDIT:
        sender->stalled = false;
        return;
    case LINK_RECEIVED:
        haul_unreachable();
    case LINK_CLOSED:
        note(client, event->error->status == HAUL_OK ? HAUL_CLOSED : event->error->status,
             event->error);
        return;
    }
}

static bool poll_links(struct client *client)
{
    bool any = false;
    for (uint32_t i = 0; i < client->options->link_count; i++) {
        struct client_link *sender = &client->links[i];
        struct link_event events[EVENT_COUNT];
        size_t count =
            sender->tx.base == NULL ? 0 : link_poll(sender->tx.base, events, EVENT_COUNT);
        for (size_t j = 0; j < count; j++) {
            on_link_event(client, sender, i, &events[j]);
        }
        any = any || count == EVENT_COUNT; /* fewer: no more events */
    }
    return any;
}

static void protect(struct client *client, struct block *block)
{
    const struct link_bench_guard *guard = client->context->guard;
    if (guard != NULL) {
        note(client, guard->seal(guard->context, &block->header, block_payload(block)), NULL);
    } else if (!client->options->without_crc) {
        block->header.payload_crc =
            crc32c(block_payload(block), client->options->payload_size_bytes);
    }
}

/* The next block, filled and protected; NULL: no block is free. */
static struct block *make_block(struct client *client, struct client_link *sender)
{
    struct block *block = sender->waiting;
    sender->waiting = NULL;
    if (block != NULL) {
        return block;
    }
    if (block_pool_acquire(link_pool(sender->tx), 0, &block) != HAUL_OK) {
        return NULL;
    }
    block->header.type = SLOT_DATA;
    block->header.kind = SLOT_KIND_SNAPSHOT;
    block->header.epoch = BENCH_EPOCH;
    block->header.batch = client->made++;
    block->header.payload_size_bytes = client->options->payload_size_bytes;
    protect(client, block);
    return block;
}

static bool submit_blocks(struct client *client)
{
    bool any = false;
    for (uint32_t i = 0; i < client->options->link_count; i++) {
        struct client_link *sender = &client->links[i];
        struct block *block;
        while (!sender->stalled && (block = make_block(client, sender)) != NULL) {
            if (link_submit(sender->tx, block) != HAUL_OK) {
                sender->waiting = block;
                sender->stalled = true;
                break;
            }
            sender->in_flight++;
            any = true;
        }
    }
    return any;
}

static bool all_bound(const struct client *client)
{
    bool bound = client->opened;
    for (uint32_t i = 0; i < client->options->link_count; i++) {
        bound = bound && client->links[i].bound;
    }
    return bound;
}

static bool is_drained(const struct client *client)
{
    bool drained = true;
    for (uint32_t i = 0; i < client->options->link_count; i++) {
        drained = drained && client->links[i].in_flight == 0;
    }
    return drained;
}

/* --- run -------------------------------------------------------------------------------------- */

/* Send until the time is over, and END when the last block is back. */
static bool pump(struct client *client)
{
    if (!all_bound(client) || client->ending) {
        return false;
    }
    uint64_t now = client->now_ns;
    client->started_ns = client->started_ns == 0 ? now : client->started_ns;
    const struct haul_link_bench_options *options = client->options;
    bool cancelled = options->is_cancelled != NULL && options->is_cancelled(options->context);
    if (!cancelled && now - client->started_ns < (uint64_t)(options->seconds * 1e9)) {
        return submit_blocks(client);
    }
    if (is_drained(client)) {
        client->stopped_ns = now;
        client->ending = true;
        note(client, control_channel_send(client->channel, BENCH_END, NULL, 0), &client->error);
    }
    return false;
}

static void run(struct client *client)
{
    while (!client->finished && client->error.status == HAUL_OK) {
        client->now_ns = clock_now_ns(&clock_monotonic);
        bool any = poll_channel(client);
        if (client->ready && !client->opened) {
            open_links(client);
        }
        any = poll_links(client) || any;
        any = pump(client) || any;
        (void)poll_group_wait(client->group, any,
                              client->now_ns + BENCH_WAIT_MS * (uint64_t)NS_PER_MS);
    }
}

static void fill_result(const struct client *client, struct haul_link_bench_result *result)
{
    result->transport = client->options->transport;
    result->bytes = client->bytes;
    result->blocks = client->blocks;
    result->seconds = (double)(client->stopped_ns - client->started_ns) * 1e-9;
    result->bytes_per_second = result->seconds > 0 ? (double)result->bytes / result->seconds : 0;
    for (uint32_t i = 0; i < client->options->link_count; i++) {
        if (client->links[i].tx.base != NULL) {
            struct haul_link_stats stats;
            link_stats(client->links[i].tx.base, &stats);
            link_stats_join(&result->link, &stats);
        }
    }
}

static void tear_down(struct client *client)
{
    for (uint32_t i = 0; i < client->options->link_count; i++) {
        struct client_link *sender = &client->links[i];
        if (sender->tx.base == NULL) {
            continue;
        }
        poll_group_remove_link(client->group, sender->tx.base);
        if (sender->waiting != NULL) {
            block_pool_release(link_pool(sender->tx), sender->waiting);
        }
        link_destroy(sender->tx.base);
    }
    if (client->channel != NULL) {
        poll_group_remove_control(client->group, client->channel);
        control_channel_destroy(client->channel);
    }
    poll_group_destroy(client->group);
}

enum haul_status bench_client_run(const struct bench_context *context,
                                  struct haul_link_bench_result *result, struct haul_error *error)
{
    struct client client = {.context = context, .options = context->options};
    double cpu = bench_cpu_seconds();
    struct link_config config = make_config(&client);
    struct link_ticket ticket = {.index = 0};
    memset(result, 0, sizeof(*result));
    enum haul_status status =
        bench_check_address(context, client.options->address, &client.address, error);
    if (status == HAUL_OK) {
        status =
            poll_group_create(link_spin_us(&client.options->link), &clock_monotonic, &client.group);
        if (status != HAUL_OK) {
            haul_error_set(error, status, NULL, 0, "cannot create the loop");
        }
    }
    if (status == HAUL_OK) {
        status = control_channel_connect(&client.address, &ticket, &config, &client.channel, error);
    }
    if (status == HAUL_OK) {
        status = poll_group_add_control(client.group, client.channel);
    }
    if (status == HAUL_OK) {
        run(&client);
        status = client.error.status;
        fill_result(&client, result);
        if (status != HAUL_OK && error != NULL) {
            *error = client.error;
        } else if (status == HAUL_OK && client.crc_errors > 0) {
            status = haul_error_set(error, HAUL_CORRUPT, NULL, 0,
                                    "%llu blocks arrived with a wrong checksum",
                                    (unsigned long long)client.crc_errors);
        }
    }
    tear_down(&client);
    result->cpu_seconds = bench_cpu_seconds() - cpu;
    return status;
}
