/* SPDX-License-Identifier: Apache-2.0 */
/* link_conformance.c — drives links the way a poll loop does, and counts what they report. */
#include "link_conformance.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conformance_message.h"
#include "crc32c.h"
#include "link_ends.h"

enum { PARTY_TESTS_MAX = 96, PARTY_FDS_MAX = CONFORMANCE_ENDS_MAX + 2 };

struct conformance_pair pair;

static const struct conformance_backend *running_backend;

const struct conformance_backend *conformance_backend(void)
{
    return running_backend;
}

/* --- blocks ----------------------------------------------------------------------------------- */

static uint8_t pattern_byte(uint64_t number, uint32_t at)
{
    return (uint8_t)(number * 31 + at * 7 + (at >> 8));
}

static bool has_pattern(const uint8_t *payload, uint32_t size, uint64_t number)
{
    bool same = true;
    for (uint32_t i = 0; i < size; i++) {
        same = same && payload[i] == pattern_byte(number, i);
    }
    return same;
}

static void note_defect(struct conformance_end *end, bool sound, const char *text)
{
    if (!sound && end->defect == NULL) {
        end->defect = text;
    }
}

enum haul_status conformance_submit(struct conformance_end *sender, uint32_t payload_size_bytes)
{
    struct block *block = NULL;
    struct block_pool *pool = link_pool((struct link_tx){sender->link});
    enum haul_status status = block_pool_acquire(pool, 0, &block);
    if (status != HAUL_OK) {
        return status;
    }
    for (uint32_t i = 0; i < payload_size_bytes; i++) {
        block_payload(block)[i] = pattern_byte(sender->submitted, i);
    }
    block->header.kind = SLOT_KIND_DELTA;
    block->header.batch = sender->submitted;
    block->header.stream = 3;
    block->header.flags = SLOT_LAST;
    block->header.payload_size_bytes = payload_size_bytes;
    block->header.record_count = payload_size_bytes + 1;
    block->header.raw_size_bytes = payload_size_bytes + 2;
    block->header.payload_crc = crc32c(block_payload(block), payload_size_bytes);
    status = link_submit((struct link_tx){sender->link}, block);
    if (status != HAUL_OK) {
        block_pool_release(pool, block);
        return status;
    }
    sender->submitted++;
    return HAUL_OK;
}

static void check_received(struct conformance_end *end, const struct block *block)
{
    const struct slot_header *header = &block->header;
    uint32_t size = header->payload_size_bytes;
    note_defect(end, header->sequence == end->config.first_sequence + end->received,
                "a sequence number that is not the next one");
    note_defect(end, header->batch == end->received, "a block out of order");
    note_defect(end, header->epoch == end->config.epoch, "another epoch");
    note_defect(end,
                header->kind == SLOT_KIND_DELTA && header->stream == 3 &&
                    header->flags == SLOT_LAST && header->record_count == size + 1 &&
                    header->raw_size_bytes == size + 2,
                "a header field of the caller's is changed");
    note_defect(end, has_pattern(block_payload(block), size, header->batch),
                "a payload is changed");
    note_defect(end, crc32c(block_payload(block), size) == header->payload_crc,
                "the checksum does not fit the payload");
    note_defect(end, !block->payload_crc_known || block->payload_crc_seen == header->payload_crc,
                "the checksum seen is wrong");
}

void conformance_release(struct conformance_end *receiver, uint32_t position)
{
    struct block *block = receiver->lent[position];
    receiver->lent_count--;
    memmove(&receiver->lent[position], &receiver->lent[position + 1],
            (receiver->lent_count - position) * sizeof(receiver->lent[0]));
    if (!receiver->applies_not) {
        link_note_applied((struct link_rx){receiver->link}, 1);
    }
    link_release((struct link_rx){receiver->link}, block);
}

void conformance_release_all(struct conformance_end *receiver)
{
    while (receiver->lent_count > 0) {
        conformance_release(receiver, 0);
    }
}

/* --- events ----------------------------------------------------------------------------------- */

static void on_received(struct conformance_end *end, struct block *block)
{
    check_received(end, block);
    end->received++;
    end->lent[end->lent_count++] = block;
    if (!end->holds) {
        conformance_release_all(end);
    }
}

static void on_done(struct conformance_end *end, const struct link_event *event)
{
    bool cancelled = event->status == HAUL_CANCELLED;
    note_defect(end, cancelled || event->status == HAUL_OK, "DONE with an unlawful status");
    note_defect(end, event->block->header.batch == end->done, "blocks come back out of order");
    note_defect(end, cancelled || end->done_cancelled == 0, "DONE(OK) after a cancelled one");
    end->done++;
    end->done_cancelled += cancelled ? 1 : 0;
    end->done_ok += cancelled ? 0 : 1;
    end->moves++;
    block_pool_release(link_pool((struct link_tx){end->link}), event->block);
}

static void on_event(struct conformance_end *end, const struct link_event *event)
{
    note_defect(end, end->closed == 0, "an event after CLOSED");
    switch (event->type) {
    case LINK_CONNECTED:
        note_defect(end, end->connected == 0, "CONNECTED twice");
        end->connected++;
        return;
    case LINK_DONE:
        on_done(end, event);
        return;
    case LINK_RECEIVED:
        on_received(end, event->block);
        return;
    case LINK_CREDIT:
        end->credits++;
        end->moves++;
        return;
    case LINK_CLOSED:
        note_defect(end, end->done == end->submitted, "CLOSED before every block came back");
        end->error = *event->error;
        end->closed++;
        end->moves++;
        return;
    }
    note_defect(end, false, "an event of no known type");
}

static bool poll_end(struct conformance_end *end)
{
    struct link_event events[CONFORMANCE_EVENTS_MAX];
    size_t capacity = end->capacity == 0 ? CONFORMANCE_EVENTS_MAX : end->capacity;
    size_t count = link_poll(end->link, events, capacity);
    for (size_t i = 0; i < count; i++) {
        on_event(end, &events[i]);
    }
    end->freed = link_freed_count((struct link_tx){end->link});
    end->applied = link_applied_count((struct link_tx){end->link});
    return count > 0;
}

/* --- parties ---------------------------------------------------------------------------------- */

void conformance_party_init(struct conformance_party *party)
{
    memset(party, 0, sizeof(*party));
    party->message_fd = -1;
}

void conformance_party_add(struct conformance_party *party, struct conformance_end *end)
{
    party->ends[party->end_count++] = end;
}

static bool is_live(const struct conformance_end *end)
{
    return end->link != NULL && end->closed == 0;
}

static bool poll_listener(struct conformance_party *party)
{
    if (party->listener == NULL || party->incoming_count % 2 != 0) {
        return false;
    }
    memset(&party->incoming, 0xff, sizeof(party->incoming)); /* the listener sets all of it */
    if (listener_poll(party->listener, &party->incoming) != HAUL_OK) {
        return false;
    }
    party->incoming_count++;
    return true;
}

static bool poll_messages(struct conformance_party *party)
{
    struct conformance_message message;
    if (party->message_fd < 0 || !conformance_message_take(party->message_fd, &message)) {
        return false;
    }
    if (message.kind == MESSAGE_READY) {
        party->ready++;
    } else {
        memcpy(party->description, message.bytes, message.size_bytes);
        party->description_size = message.size_bytes;
        party->described++;
    }
    return true;
}

static bool poll_party(struct conformance_party *party)
{
    bool progress = poll_listener(party);
    for (size_t i = 0; i < party->end_count; i++) {
        if (is_live(party->ends[i])) {
            progress = poll_end(party->ends[i]) || progress;
        }
    }
    return poll_messages(party) || progress;
}

/* As a poll group does: arm everything, then sleep once, until the earliest deadline of a
 * member. */
static void sleep_party(const struct conformance_party *party, uint64_t deadline_ns)
{
    struct pollfd fds[PARTY_FDS_MAX];
    nfds_t count = 0;
    bool armed = true;
    for (size_t i = 0; i < party->end_count; i++) {
        if (is_live(party->ends[i])) {
            struct link *link = party->ends[i]->link;
            uint64_t own_ns = link_deadline_ns(link);
            deadline_ns = own_ns < deadline_ns ? own_ns : deadline_ns;
            armed = link_arm(link) && armed;
            fds[count++] = (struct pollfd){.fd = link_fd(link), .events = POLLIN};
        }
    }
    if (party->listener != NULL && party->incoming_count % 2 == 0) {
        uint64_t own_ns = listener_deadline_ns(party->listener);
        deadline_ns = own_ns < deadline_ns ? own_ns : deadline_ns;
        fds[count++] = (struct pollfd){.fd = listener_fd(party->listener), .events = POLLIN};
    }
    if (party->message_fd >= 0) {
        fds[count++] = (struct pollfd){.fd = party->message_fd, .events = POLLIN};
    }
    if (armed) {
        (void)poll(fds, count, clock_ms_until(&clock_monotonic, deadline_ns, CONFORMANCE_WAIT_MS));
    }
}

bool conformance_await(struct conformance_party *party, const uint64_t *counter, uint64_t value)
{
    uint64_t deadline_ns = clock_deadline_ns(&clock_monotonic, CONFORMANCE_WAIT_MS);
    while (*counter < value) {
        if (clock_now_ns(&clock_monotonic) >= deadline_ns) {
            return false;
        }
        if (!poll_party(party)) {
            sleep_party(party, deadline_ns);
        }
    }
    return true;
}

/* --- connections ------------------------------------------------------------------------------ */

struct link_config conformance_config(void)
{
    struct link_config config = {.epoch = CONFORMANCE_EPOCH, .first_sequence = 1};
    config.options.slot_count = 4;
    config.options.slot_size_bytes = HAUL_SLOT_SIZE_BYTES_MIN;
    config.options.peer_timeout_ms = running_backend->limits.peer_timeout_ms;
    if (running_backend->prepare != NULL) {
        running_backend->prepare(&config);
    }
    return config;
}

bool conformance_listen(struct conformance_party *party)
{
    struct link_address address;
    struct link_config config = conformance_config();
    return running_backend->address(&address) &&
           listener_create(running_backend->transport, &address, &config, &party->listener, NULL) ==
               HAUL_OK;
}

bool conformance_take_incoming(struct conformance_party *party)
{
    return conformance_await(party, &party->incoming_count, party->incoming_count | 1);
}

bool conformance_accept(struct conformance_party *party, struct conformance_end *end)
{
    party->incoming_count++;
    return accept_end(party->listener, &party->incoming, &end->config, &end->link, NULL) == HAUL_OK;
}

void conformance_reject(struct conformance_party *party, enum haul_status reason)
{
    party->incoming_count++;
    listener_reject(party->listener, &party->incoming, reason);
}

void conformance_unlisten(struct conformance_party *party)
{
    if (party->listener != NULL) {
        if (party->incoming_count % 2 != 0) {
            conformance_reject(party, HAUL_BUSY);
        }
        listener_destroy(party->listener);
        party->listener = NULL;
    }
}

enum haul_status conformance_connect(struct conformance_end *end,
                                     const struct link_address *address)
{
    const struct link_ticket ticket = {.index = 2, .session = "session-of-test", .token = "token"};
    return connect_end(running_backend->transport, address, &ticket, &end->config, &end->link,
                       &end->error);
}

bool conformance_bind_both(struct conformance_end *sender, struct conformance_end *receiver)
{
    uint8_t of_sender[LINK_DESCRIPTION_BYTES_MAX];
    uint8_t of_receiver[LINK_DESCRIPTION_BYTES_MAX];
    size_t sender_size = link_describe(sender->link, of_sender);
    size_t receiver_size = link_describe(receiver->link, of_receiver);
    return link_bind(receiver->link, of_sender, sender_size, &receiver->error) == HAUL_OK &&
           link_bind(sender->link, of_receiver, receiver_size, &sender->error) == HAUL_OK;
}

bool conformance_send(struct conformance_party *party, struct conformance_end *sender,
                      uint64_t count, uint32_t (*payload_size_bytes)(uint64_t number))
{
    uint64_t until = sender->submitted + count;
    while (sender->submitted < until) {
        enum haul_status status = conformance_submit(sender, payload_size_bytes(sender->submitted));
        if (status != HAUL_OK && (status != HAUL_AGAIN ||
                                  !conformance_await(party, &sender->moves, sender->moves + 1))) {
            return false;
        }
    }
    return true;
}

void conformance_drop(struct conformance_end *end)
{
    link_destroy(end->link);
    end->link = NULL;
}

/* --- the usual pair --------------------------------------------------------------------------- */

void conformance_pair_end(void)
{
    conformance_drop(&pair.sender);
    conformance_drop(&pair.receiver);
    conformance_unlisten(&pair.party);
    if (pair.party.message_fd > 0) {
        (void)close(pair.party.message_fd);
    }
    memset(&pair, 0, sizeof(pair));
    pair.party.message_fd = -1;
}

void conformance_pair_begin(void)
{
    conformance_pair_end();
    conformance_party_init(&pair.party);
    pair.sender.config = conformance_config();
    pair.receiver.config = conformance_config();
    conformance_party_add(&pair.party, &pair.sender);
    conformance_party_add(&pair.party, &pair.receiver);
    check_or_stop(conformance_listen(&pair.party));
    listener_address(pair.party.listener, &pair.address);
}

void conformance_pair_await(const uint64_t *counter, uint64_t value)
{
    bool reached = conformance_await(&pair.party, counter, value);
    if (pair.sender.defect != NULL || pair.receiver.defect != NULL) {
        (void)printf("  sender: %s; receiver: %s\n",
                     pair.sender.defect == NULL ? "sound" : pair.sender.defect,
                     pair.receiver.defect == NULL ? "sound" : pair.receiver.defect);
    }
    check(pair.sender.defect == NULL);
    check(pair.receiver.defect == NULL);
    check_or_stop(reached);
}

void conformance_pair_await_closed(const struct conformance_end *end, enum haul_status status)
{
    conformance_pair_await(&end->closed, 1);
    check_status(end->error.status, status);
}

void conformance_pair_connect(void)
{
    check_or_stop(conformance_connect(&pair.sender, &pair.address) == HAUL_OK);
    check_or_stop(conformance_take_incoming(&pair.party));
    check_or_stop(conformance_accept(&pair.party, &pair.receiver));
    conformance_pair_await(&pair.sender.connected, 1);
    conformance_pair_await(&pair.receiver.connected, 1);
}

void conformance_pair_bind(void)
{
    check_or_stop(conformance_bind_both(&pair.sender, &pair.receiver));
}

void conformance_pair_open(void)
{
    conformance_pair_begin();
    conformance_pair_connect();
    conformance_pair_bind();
}

/* --- the program ------------------------------------------------------------------------------ */

static size_t add_tests(struct check_test *all, size_t count, const struct conformance_tests *tests)
{
    memcpy(&all[count], tests->tests, tests->count * sizeof(all[0]));
    return count + tests->count;
}

int conformance_main(const struct conformance_backend *backend, int argc, char **argv)
{
    static struct check_test all[PARTY_TESTS_MAX];
    running_backend = backend;
    pair.party.message_fd = -1;
    const char *missing = backend->missing == NULL ? NULL : backend->missing();
    if (missing != NULL) {
        (void)printf("SKIPPED %s: %s\n", backend->suite, missing);
        return 0;
    }
    if (argc == 4 && strcmp(argv[1], "--peer") == 0) {
        return conformance_peer_main(argv[2], argv[3]);
    }
    size_t count = add_tests(all, 0, &conformance_life_tests);
    count = add_tests(all, count, &conformance_flow_tests);
    count = add_tests(all, count, &conformance_death_tests);
    int result = check_main(backend->suite, all, count, argc, argv);
    conformance_pair_end();
    return result;
}
