/* SPDX-License-Identifier: Apache-2.0 */
/* link_death_tests.c — one side dies suddenly, in every phase of a link's life; the other must
 * notice in time and get all its blocks back.
 *
 * The victim is a child process that is killed with SIGKILL or, where both ends must live in one
 * process, an end that is destroyed without a close. A child runs this same program with `--peer`,
 * reaches the phase that its argument names, reports READY and goes on as if nothing were to
 * happen. */
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conformance_message.h"
#include "link_conformance.h"

enum { PEER_MESSAGE_FD = 3, BLOCK_COUNT = 3, PHASE_TEXT_BYTES_MAX = 32 };

/* Each includes those before it. */
enum phase {
    PHASE_CONNECTING, /* the connection was requested and not answered */
    PHASE_CONNECTED,  /* not bound */
    PHASE_BOUND,      /* and idle */
    PHASE_IN_FLIGHT,  /* the receiver holds blocks */
    PHASE_CLOSING,    /* the victim has called link_close, nothing in flight */
    PHASE_COUNT,
};

static const char *const phase_names[PHASE_COUNT] = {
    "connecting", "connected", "bound", "in-flight", "closing",
};

static uint32_t payload_size(uint64_t number)
{
    return (uint32_t)number * 100;
}

extern char **environ;

/* --- the peer process ------------------------------------------------------------------------- */

static struct conformance_party peer_party;
static struct conformance_end peer_end;

static int tell_ready(void)
{
    uint64_t never = 0;
    if (!conformance_message_send(PEER_MESSAGE_FD, MESSAGE_READY, NULL, 0)) {
        return 1;
    }
    /* The kill comes now; if it does not, the wait ends by itself. */
    (void)conformance_await(&peer_party, &never, 1);
    return 1;
}

/* Listen and send the address, or connect to the one given. */
static bool peer_begin(bool sends, const char *address_text)
{
    struct link_address address;
    char text[LINK_ADDRESS_TEXT_BYTES_MAX];
    conformance_party_init(&peer_party);
    peer_party.message_fd = PEER_MESSAGE_FD;
    peer_end.config = conformance_config();
    peer_end.holds = true;
    if (sends) {
        bool started = link_address_parse(address_text, &address, NULL) == HAUL_OK &&
                       conformance_connect(&peer_end, &address) == HAUL_OK;
        conformance_party_add(&peer_party, &peer_end);
        return started;
    }
    if (!conformance_listen(&peer_party)) {
        return false;
    }
    listener_address(peer_party.listener, &address);
    link_address_format(&address, text);
    return conformance_message_send(PEER_MESSAGE_FD, MESSAGE_BYTES, text, sizeof(text)) &&
           conformance_take_incoming(&peer_party);
}

static bool peer_connect(bool sends)
{
    if (!sends) {
        if (!conformance_accept(&peer_party, &peer_end)) {
            return false;
        }
        conformance_party_add(&peer_party, &peer_end);
    }
    return conformance_await(&peer_party, &peer_end.connected, 1);
}

static bool send_description(struct conformance_party *party, struct conformance_end *end)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    size_t size = link_describe(end->link, description);
    return conformance_message_send(party->message_fd, MESSAGE_BYTES, description, size);
}

static bool bind_to_description(struct conformance_party *party, struct conformance_end *end)
{
    return conformance_await(party, &party->described, ++party->described_used) &&
           link_bind(end->link, party->description, party->description_size, NULL) == HAUL_OK;
}

static bool peer_move_blocks(bool sends)
{
    return sends ? conformance_send(&peer_party, &peer_end, BLOCK_COUNT, payload_size)
                 : conformance_await(&peer_party, &peer_end.received, BLOCK_COUNT);
}

int conformance_peer_main(const char *phase, const char *address)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    bool sends = strncmp(phase, "sender-", 7) == 0;
    const char *name = strchr(phase, '-') + 1;
    int last = 0;
    while (strcmp(phase_names[last], name) != 0) {
        last++;
    }
    if (!peer_begin(sends, address)) {
        return 2;
    }
    if (last == PHASE_CONNECTING) {
        return tell_ready();
    }
    if (!peer_connect(sends)) {
        return 3;
    }
    if (last == PHASE_CONNECTED) {
        return tell_ready();
    }
    if (!send_description(&peer_party, &peer_end) || !bind_to_description(&peer_party, &peer_end)) {
        return 4;
    }
    if (last == PHASE_IN_FLIGHT && !peer_move_blocks(sends)) {
        return 5;
    }
    if (last == PHASE_CLOSING) {
        link_close(peer_end.link);
    }
    return tell_ready();
}

/* --- the victim, seen from outside ------------------------------------------------------------ */

static pid_t victim_process;

static void reap_victim(void)
{
    if (victim_process > 0) {
        (void)kill(victim_process, SIGKILL);
        (void)waitpid(victim_process, NULL, 0);
        victim_process = 0;
    }
}

static void spawn_victim(bool sends, enum phase phase)
{
    int fds[2];
    char name[PHASE_TEXT_BYTES_MAX];
    char address[LINK_ADDRESS_TEXT_BYTES_MAX] = "-";
    char program[] = "/proc/self/exe";
    char option[] = "--peer";
    char *const arguments[] = {program, option, name, address, NULL};
    posix_spawn_file_actions_t actions;
    (void)snprintf(name, sizeof(name), "%s-%s", sends ? "sender" : "receiver", phase_names[phase]);
    if (sends) {
        link_address_format(&pair.address, address);
    }
    check_or_stop(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, fds[1], PEER_MESSAGE_FD);
    int result = posix_spawn(&victim_process, program, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    pair.party.message_fd = fds[0];
    check_or_stop(result == 0);
}

/* Bring the surviving end, connected to a process, to the phase. */
static void survive_process(struct conformance_end *survivor, bool victim_sends, enum phase phase)
{
    struct conformance_party *party = &pair.party;
    spawn_victim(victim_sends, phase);
    if (victim_sends) {
        check_or_stop(conformance_take_incoming(party));
    } else {
        conformance_pair_await(&party->described, ++party->described_used);
        party->description[sizeof(party->description) - 1] = '\0';
        check_or_stop(link_address_parse((const char *)party->description, &pair.address, NULL) ==
                      HAUL_OK);
        check_or_stop(conformance_connect(survivor, &pair.address) == HAUL_OK);
    }
    if (phase == PHASE_CONNECTING) {
        conformance_pair_await(&party->ready, 1);
        return;
    }
    if (victim_sends) {
        check_or_stop(conformance_accept(party, survivor));
    }
    conformance_pair_await(&survivor->connected, 1);
    if (phase >= PHASE_BOUND) {
        /* Ours comes last, so that the victim cannot be further than we are. */
        check_or_stop(bind_to_description(party, survivor));
        check_or_stop(send_description(party, survivor));
    }
    if (phase == PHASE_IN_FLIGHT && !victim_sends) {
        check_or_stop(conformance_send(party, survivor, BLOCK_COUNT, payload_size));
    }
    if (phase == PHASE_IN_FLIGHT && victim_sends) {
        conformance_pair_await(&survivor->received, BLOCK_COUNT);
    }
    if (phase == PHASE_CLOSING) {
        party->end_count = 0; /* the survivor must not answer the close before the kill */
    }
    conformance_pair_await(&party->ready, 1);
    party->end_count = 2;
}

/* The same with both ends in this process. */
static void survive_end(struct conformance_end *victim, enum phase phase)
{
    check_or_stop(conformance_connect(&pair.sender, &pair.address) == HAUL_OK);
    check_or_stop(conformance_take_incoming(&pair.party));
    if (phase == PHASE_CONNECTING) {
        return;
    }
    check_or_stop(conformance_accept(&pair.party, &pair.receiver));
    conformance_pair_await(&pair.sender.connected, 1);
    conformance_pair_await(&pair.receiver.connected, 1);
    if (phase >= PHASE_BOUND) {
        conformance_pair_bind();
    }
    if (phase == PHASE_IN_FLIGHT) {
        check_or_stop(conformance_send(&pair.party, &pair.sender, BLOCK_COUNT, payload_size));
        conformance_pair_await(&pair.receiver.received, BLOCK_COUNT);
    }
    if (phase == PHASE_CLOSING) {
        link_close(victim->link);
    }
}

static void kill_victim(struct conformance_end *victim)
{
    if (victim_process > 0) {
        reap_victim();
        (void)close(pair.party.message_fd);
        pair.party.message_fd = -1;
    } else if (victim->link != NULL) {
        conformance_drop(victim);
    } else {
        conformance_unlisten(&pair.party);
    }
}

/* --- the tests -------------------------------------------------------------------------------- */

static void check_status_of_end(enum phase phase, enum haul_status status)
{
    if (phase == PHASE_CLOSING) {
        /* What the victim had sent before it died decides. */
        check(status == HAUL_OK || status == HAUL_CLOSED);
    } else if (phase == PHASE_CONNECTING) {
        check(status != HAUL_OK && status != HAUL_TIMEOUT);
    } else {
        check_status(status, HAUL_CLOSED);
    }
}

static void check_death(bool victim_sends, enum phase phase)
{
    struct conformance_end *victim = victim_sends ? &pair.sender : &pair.receiver;
    struct conformance_end *survivor = victim_sends ? &pair.receiver : &pair.sender;
    const struct conformance_limits *limits = &conformance_backend()->limits;
    reap_victim();
    conformance_pair_begin();
    pair.receiver.holds = true;
    if (limits->peers_are_processes) {
        survive_process(survivor, victim_sends, phase);
    } else {
        survive_end(victim, phase);
    }
    uint64_t killed_ns = clock_now_ns(&clock_monotonic);
    kill_victim(victim);
    /* Accepting a peer that is dead by now fails at once, or the link reports it. */
    if (phase != PHASE_CONNECTING || !victim_sends || conformance_accept(&pair.party, survivor)) {
        conformance_pair_await(&survivor->closed, 1);
        check_status_of_end(phase, survivor->error.status);
    }
    uint64_t took_ms = (clock_now_ns(&clock_monotonic) - killed_ns) / NS_PER_MS;
    check(took_ms < 2 * (uint64_t)limits->peer_timeout_ms);
    check_equal(survivor->done, survivor->submitted);
    check_equal(survivor->done_ok, 0);
    conformance_release_all(survivor);
    conformance_pair_end();
}

#define DEATH_TEST(role, sends, name, phase)                                 \
    static void test_link_poll__##role##_dies_##name##__closed_in_time(void) \
    {                                                                        \
        check_death(sends, phase);                                           \
    }

DEATH_TEST(sender, true, connecting, PHASE_CONNECTING)
DEATH_TEST(sender, true, connected, PHASE_CONNECTED)
DEATH_TEST(sender, true, bound, PHASE_BOUND)
DEATH_TEST(sender, true, with_blocks_in_flight, PHASE_IN_FLIGHT)
DEATH_TEST(sender, true, closing, PHASE_CLOSING)
DEATH_TEST(receiver, false, connecting, PHASE_CONNECTING)
DEATH_TEST(receiver, false, connected, PHASE_CONNECTED)
DEATH_TEST(receiver, false, bound, PHASE_BOUND)
DEATH_TEST(receiver, false, with_blocks_in_flight, PHASE_IN_FLIGHT)
DEATH_TEST(receiver, false, closing, PHASE_CLOSING)

/* A receiver that binds only after its sender died may still get what had arrived; its end comes in
 * any case. */
static void test_link_bind__receiver_after_its_sender_died__closed(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    uint8_t of_sender[LINK_DESCRIPTION_BYTES_MAX];
    conformance_pair_begin();
    conformance_pair_connect();
    size_t size = link_describe(pair.receiver.link, description);
    size_t size_of_sender = link_describe(pair.sender.link, of_sender);
    check_or_stop(link_bind(pair.sender.link, description, size, NULL) == HAUL_OK);
    check_or_stop(conformance_send(&pair.party, &pair.sender, BLOCK_COUNT, payload_size));
    conformance_drop(&pair.sender);
    enum haul_status status = link_bind(pair.receiver.link, of_sender, size_of_sender, NULL);
    check(status == HAUL_OK || status == HAUL_CLOSED);
    conformance_pair_await_closed(&pair.receiver, HAUL_CLOSED);
    check(pair.receiver.received <= BLOCK_COUNT);
    conformance_pair_end();
}

/* An unbound receiver learns of the death too, whether blocks had come or not. The blocks are
 * dropped. */
static void test_link_poll__sender_dies_after_blocks_before_the_bind__closed_in_time(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX];
    conformance_pair_begin();
    conformance_pair_connect();
    size_t size = link_describe(pair.receiver.link, description);
    check_or_stop(link_bind(pair.sender.link, description, size, NULL) == HAUL_OK);
    check_or_stop(conformance_send(&pair.party, &pair.sender, BLOCK_COUNT, payload_size));
    uint64_t killed_ns = clock_now_ns(&clock_monotonic);
    conformance_drop(&pair.sender);
    conformance_pair_await_closed(&pair.receiver, HAUL_CLOSED);
    uint64_t took_ms = (clock_now_ns(&clock_monotonic) - killed_ns) / NS_PER_MS;
    check(took_ms < 2 * (uint64_t)conformance_backend()->limits.peer_timeout_ms);
    check_equal(pair.receiver.received, 0);
    conformance_pair_end();
}

/* Blocks that arrived complete before the sender died are delivered before its end. */
static void test_link_poll__sender_dies_after_its_blocks__received_then_closed(void)
{
    conformance_pair_open();
    check_or_stop(conformance_send(&pair.party, &pair.sender, BLOCK_COUNT, payload_size));
    conformance_pair_await(&pair.sender.done_ok, BLOCK_COUNT);
    conformance_drop(&pair.sender);
    conformance_pair_await_closed(&pair.receiver, HAUL_CLOSED);
    check_equal(pair.receiver.received, BLOCK_COUNT);
    conformance_pair_end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_link_poll__sender_dies_connecting__closed_in_time),
    CHECK_TEST(test_link_poll__sender_dies_connected__closed_in_time),
    CHECK_TEST(test_link_poll__sender_dies_bound__closed_in_time),
    CHECK_TEST(test_link_poll__sender_dies_with_blocks_in_flight__closed_in_time),
    CHECK_TEST(test_link_poll__sender_dies_closing__closed_in_time),
    CHECK_TEST(test_link_poll__receiver_dies_connecting__closed_in_time),
    CHECK_TEST(test_link_poll__receiver_dies_connected__closed_in_time),
    CHECK_TEST(test_link_poll__receiver_dies_bound__closed_in_time),
    CHECK_TEST(test_link_poll__receiver_dies_with_blocks_in_flight__closed_in_time),
    CHECK_TEST(test_link_poll__receiver_dies_closing__closed_in_time),
    CHECK_TEST(test_link_bind__receiver_after_its_sender_died__closed),
    CHECK_TEST(test_link_poll__sender_dies_after_blocks_before_the_bind__closed_in_time),
    CHECK_TEST(test_link_poll__sender_dies_after_its_blocks__received_then_closed),
};

const struct conformance_tests conformance_death_tests = {tests, CHECK_COUNT(tests)};
