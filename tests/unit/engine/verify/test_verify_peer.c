/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify_peer.c — greeting another database's target, and what each answer means. The channel
 * is a fake that returns what the test has put into it. */
#include "verify_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "check.h"
#include "haul/migration.h"
#include "journal.h"
#include "link_sockaddr.h"
#include "migration_thread.h"
#include "stall_watch.h"

enum { EVENTS_MAX = 8, PEER_TIMEOUT_MS = 100, ADDRESSES = 3 };

static struct control_event events[EVENTS_MAX];
static uint8_t *bodies[EVENTS_MAX];
static size_t event_count;
static size_t event_at;
static struct message sent; /* the last one; released */
static haul_control_Hello hello;
static haul_control_Stop stop;
static unsigned sent_count;
static uint16_t ports[EVENTS_MAX]; /* of the addresses that were tried */
static unsigned connected_count;
static unsigned failing_connects;
static int open_channels;
static int watched_channels;
static uint32_t noted_timeout_ms;
static unsigned trusted_count;
static uint64_t now;
static struct verify_peer peer;
static struct message message;
static struct haul_error error;

static bool no_random;

static uint64_t tell_time(void *context)
{
    (void)context;
    return now;
}

static const struct haul_clock fake_clock = {.now_ns = tell_time};

/* --- the fake channel ------------------------------------------------------------------------- */

enum haul_status __wrap_control_channel_connect(const struct link_address *address,
                                                const struct link_ticket *ticket,
                                                const struct link_config *config,
                                                struct control_channel **channel,
                                                struct haul_error *failed);
enum haul_status __wrap_control_channel_connect(const struct link_address *address,
                                                const struct link_ticket *ticket,
                                                const struct link_config *config,
                                                struct control_channel **channel,
                                                struct haul_error *failed)
{
    static char channel_of_all;
    check_equal(ticket->version_min, 0);
    check_equal(config->options.peer_timeout_ms, PEER_TIMEOUT_MS);
    check_or_stop(connected_count < EVENTS_MAX);
    ports[connected_count++] =
        ntohs(((const struct sockaddr_in *)link_sockaddr_of(address))->sin_port);
    *channel = (struct control_channel *)(void *)&channel_of_all;
    if (failing_connects > 0) {
        failing_connects--;
        return haul_error_set(failed, HAUL_UNREACHABLE, NULL, 0, "no way there");
    }
    open_channels++;
    return HAUL_OK;
}

void __wrap_control_channel_destroy(struct control_channel *channel);
void __wrap_control_channel_destroy(struct control_channel *channel)
{
    check(channel != NULL);
    open_channels--;
}

enum haul_status __wrap_poll_group_add_control(struct poll_group *group,
                                               struct control_channel *channel);
enum haul_status __wrap_poll_group_add_control(struct poll_group *group,
                                               struct control_channel *channel)
{
    (void)group;
    (void)channel;
    watched_channels++;
    return HAUL_OK;
}

void __wrap_poll_group_remove_control(struct poll_group *group, struct control_channel *channel);
void __wrap_poll_group_remove_control(struct poll_group *group, struct control_channel *channel)
{
    (void)group;
    (void)channel;
    watched_channels--;
}

void __wrap_control_channel_trust(struct control_channel *channel);
void __wrap_control_channel_trust(struct control_channel *channel)
{
    (void)channel;
    trusted_count++;
}

void __wrap_control_channel_note_peer_timeout(struct control_channel *channel, uint32_t timeout_ms);
void __wrap_control_channel_note_peer_timeout(struct control_channel *channel, uint32_t timeout_ms)
{
    (void)channel;
    noted_timeout_ms = timeout_ms;
}

enum haul_status __wrap_control_channel_send(struct control_channel *channel, uint16_t type,
                                             const void *body, size_t size_bytes);
enum haul_status __wrap_control_channel_send(struct control_channel *channel, uint16_t type,
                                             const void *body, size_t size_bytes)
{
    struct haul_error ignored;
    (void)channel;
    check_or_stop(message_decode(type, slice_of(body, size_bytes), &sent, &ignored) == HAUL_OK);
    sent_count++;
    if (type == MESSAGE_HELLO) {
        hello = sent.as.hello;
    } else if (type == MESSAGE_STOP) {
        stop = sent.as.stop;
    }
    message_release(&sent);
    return HAUL_OK;
}

bool __wrap_control_channel_poll(struct control_channel *channel, struct control_event *event);
bool __wrap_control_channel_poll(struct control_channel *channel, struct control_event *event)
{
    (void)channel;
    if (event_at == event_count) {
        return false;
    }
    *event = events[event_at++];
    return true;
}

enum haul_status __real_migration_random(uint8_t *bytes, size_t size_bytes);
enum haul_status __wrap_migration_random(uint8_t *bytes, size_t size_bytes);
enum haul_status __wrap_migration_random(uint8_t *bytes, size_t size_bytes)
{
    return no_random ? HAUL_IO : __real_migration_random(bytes, size_bytes);
}

/* --- what the target does --------------------------------------------------------------------- */

static void happen(enum control_event_type type, enum haul_status status)
{
    check_or_stop(event_count < EVENTS_MAX);
    events[event_count] = (struct control_event){.type = type};
    if (status != HAUL_OK) {
        haul_error_set(&events[event_count].error, status, NULL, 0, "told so");
    }
    event_count++;
}

/* Receive the message and release it. */
static void say(struct message *said)
{
    size_t size = 0;
    check_or_stop(message_encode(said, &bodies[event_count], &size) == HAUL_OK);
    const struct haul_slice body = slice_of(bodies[event_count], size);
    happen(CONTROL_MESSAGE, HAUL_OK);
    events[event_count - 1].message_type = (uint16_t)said->type;
    events[event_count - 1].body = body;
    message_release(said);
}

static struct message welcome(void)
{
    struct message said;
    message_init(&said, MESSAGE_WELCOME);
    said.as.welcome.verify = true;
    said.as.welcome.wire_version = MESSAGE_WIRE_VERSION;
    said.as.welcome.peer_timeout_ms = 4321;
    said.as.welcome.target_identity.size = 1;
    said.as.welcome.target_identity.bytes[0] = 't';
    return said;
}

static enum haul_status next(void)
{
    memset(&error, 0, sizeof(error));
    enum haul_status status = verify_peer_poll(&peer, &message, &error);
    if (status == HAUL_OK) {
        message_release(&message);
    }
    return status;
}

static void begin(void)
{
    struct verify_peer_options options = {.identity = "me/1",
                                          .peer_timeout_ms = PEER_TIMEOUT_MS,
                                          .secret = slice_of("word", 4),
                                          .clock = &fake_clock};
    memset(ports, 0, sizeof(ports));
    event_count = event_at = 0;
    sent_count = connected_count = failing_connects = trusted_count = 0;
    noted_timeout_ms = 0;
    now = 1000;
    check_or_stop(verify_peer_init(&peer, &options, "127.0.0.1:1000", &error) == HAUL_OK);
    for (size_t i = 1; i < ADDRESSES; i++) { /* a host of several addresses */
        peer.addresses.items[i] = peer.addresses.items[0];
        ((struct sockaddr_in *)link_sockaddr(&peer.addresses.items[i]))->sin_port =
            htons((uint16_t)(1000 + i));
    }
    peer.addresses.count = ADDRESSES;
}

static void begin_connected(void)
{
    begin();
    check_or_stop(verify_peer_open(&peer, &error) == HAUL_OK);
    happen(CONTROL_CONNECTED, HAUL_OK);
    check_status(next(), HAUL_AGAIN);
}

static void begin_greeted(void)
{
    begin_connected();
    struct message said = welcome();
    say(&said);
    check_status(next(), HAUL_OK);
    check(peer.greeted);
}

static void end(void)
{
    verify_peer_close(&peer);
    check_equal(open_channels, 0);
    check_equal(watched_channels, 0);
    check(peer.channel.channel == NULL && !peer.greeted && !peer.answered);
    for (size_t i = 0; i < EVENTS_MAX; i++) {
        free(bodies[i]);
        bodies[i] = NULL;
    }
}

/* --- greeting --------------------------------------------------------------------------------- */

static void test_verify_peer_poll__connected__says_hello_of_a_comparison(void)
{
    static const uint8_t nothing[HAUL_JOB_BYTES];
    begin_connected();
    check_equal(sent_count, 1);
    check_equal(trusted_count, 1);
    check(hello.verify);
    check_equal(hello.wire_version, MESSAGE_WIRE_VERSION);
    check_equal(hello.journal_version, JOURNAL_FORMAT_VERSION);
    check_equal(hello.peer_timeout_ms, PEER_TIMEOUT_MS);
    check(strncmp(hello.software, "haul ", 5) == 0 && strlen(hello.software) > 5);
    check_equal(hello.job.size, HAUL_JOB_BYTES);
    check(memcmp(hello.job.bytes, nothing, HAUL_JOB_BYTES) != 0);
    check_equal(hello.source_identity.size, 4);
    check(memcmp(hello.source_identity.bytes, "me/1", 4) == 0);
    check_equal(hello.secret.size, 4);
    check(memcmp(hello.secret.bytes, "word", 4) == 0);
    end();
    check_equal(sent_count, 1); /* nobody was greeted: no Stop */
}

static void test_verify_peer_poll__welcome__greeted_and_stop_at_the_end(void)
{
    begin_greeted();
    check_equal(noted_timeout_ms, 4321);
    end();
    check_equal(sent_count, 2);
    check_text(stop.text, "compared");
}

static void test_verify_peer_poll__welcomes_that_do_not_do__status_and_hint(void)
{
    static const struct {
        enum haul_status status;
        const char *text;
        bool hint;
    } expected[] = {{HAUL_UNSUPPORTED, "does not answer comparisons", true},
                    {HAUL_VERSION, "another batch format", true},
                    {HAUL_PROTOCOL, "does not name its database", false}};
    for (size_t i = 0; i < CHECK_COUNT(expected); i++) {
        begin_connected();
        struct message said = welcome();
        said.as.welcome.verify = i != 0;
        said.as.welcome.wire_version += i == 1;
        said.as.welcome.target_identity.size = i != 2;
        say(&said);
        check_status(next(), expected[i].status);
        check_status(error.status, expected[i].status);
        check(strstr(error.text, expected[i].text) != NULL);
        check_equal(error.hint[0] != '\0', expected[i].hint);
        check(!peer.greeted);
        end();
    }
}

/* --- answers ---------------------------------------------------------------------------------- */

static void test_verify_peer_poll__refused__what_the_target_says(void)
{
    static const struct {
        uint32_t told;
        enum haul_status status;
    } cases[] = {{HAUL_BUSY, HAUL_BUSY},
                 {HAUL_AUTH, HAUL_AUTH},
                 {HAUL_OK, HAUL_PROTOCOL},
                 {HAUL_STATUS_COUNT, HAUL_PROTOCOL}};
    for (size_t i = 0; i < 2 * CHECK_COUNT(cases); i++) {
        struct message said;
        bool words = i % 2 == 0;
        begin_connected();
        message_init(&said, MESSAGE_REFUSED);
        said.as.refused.status = cases[i / 2].told;
        (void)snprintf(said.as.refused.text, sizeof(said.as.refused.text), "%s",
                       words ? "a job runs" : "");
        (void)snprintf(said.as.refused.hint, sizeof(said.as.refused.hint), "%s",
                       words ? "wait" : "");
        say(&said);
        check_status(next(), cases[i / 2].status);
        check_status(error.status, cases[i / 2].status);
        check_text(error.text, words ? "the target refused: a job runs"
                                     : "the target refused: it gives no reason");
        check_text(error.hint, words ? "wait" : "");
        end();
    }
}

/* Each message before and after Welcome. */
static void test_verify_peer_poll__each_message__taken_or_out_of_place(void)
{
    static const struct {
        enum message_type type;
        enum haul_status before;
        enum haul_status after;
    } cases[] = {
        {MESSAGE_WORKING, HAUL_OK, HAUL_OK},
        {MESSAGE_STOP, HAUL_CLOSED, HAUL_CLOSED},
        {MESSAGE_VERIFY_FAMILIES, HAUL_PROTOCOL, HAUL_OK},
        {MESSAGE_VERIFY_PIECES, HAUL_PROTOCOL, HAUL_OK},
        {MESSAGE_HELLO, HAUL_PROTOCOL, HAUL_PROTOCOL},
        {MESSAGE_PLAN, HAUL_PROTOCOL, HAUL_PROTOCOL},
        {MESSAGE_WELCOME, HAUL_UNSUPPORTED /* an empty one */, HAUL_PROTOCOL},
    };
    for (size_t i = 0; i < 2 * CHECK_COUNT(cases); i++) {
        struct message said;
        bool greeted = i % 2 == 1;
        enum haul_status expected = greeted ? cases[i / 2].after : cases[i / 2].before;
        if (greeted) {
            begin_greeted();
        } else {
            begin_connected();
        }
        message_init(&said, cases[i / 2].type);
        if (said.type == MESSAGE_STOP) {
            (void)snprintf(said.as.stop.text, sizeof(said.as.stop.text), "the reason");
        }
        say(&said);
        check_status(next(), expected);
        if (expected != HAUL_OK) {
            check_status(error.status, expected);
            check(expected == HAUL_UNSUPPORTED ||
                  strstr(error.text,
                         expected == HAUL_CLOSED ? "the reason" : message_name(cases[i / 2].type)));
        }
        end();
    }
}

static void test_verify_peer_poll__bytes_that_are_no_message__protocol(void)
{
    begin_connected();
    happen(CONTROL_MESSAGE, HAUL_OK);
    events[event_count - 1].message_type = 9999;
    check_error(verify_peer_poll(&peer, &message, &error), HAUL_PROTOCOL, error);
    end();
}

/* --- addresses and ends ----------------------------------------------------------------------- */

static void test_verify_peer_open__addresses_lead_nowhere__each_once(void)
{
    begin();
    failing_connects = 2;
    check_status(verify_peer_open(&peer, &error), HAUL_OK);
    check_equal(connected_count, 3);
    check(ports[0] == 1000 && ports[1] == 1001 && ports[2] == 1002);
    end();
    begin();
    failing_connects = ADDRESSES;
    check_error(verify_peer_open(&peer, &error), HAUL_UNREACHABLE, error);
    check_equal(connected_count, ADDRESSES);
    check(peer.channel.channel == NULL);
    struct message said;
    message_init(&said, MESSAGE_STOP);
    check_error(verify_peer_send(&peer, &said, &error), HAUL_CLOSED, error);
    check(strstr(error.text, "STOP") != NULL);
    end();
}

/* If nobody answers at an address, the next one is tried; after an answer it is not. */
static void test_verify_peer_poll__closed__next_address_unless_answered(void)
{
    begin();
    check_status(verify_peer_open(&peer, &error), HAUL_OK);
    happen(CONTROL_CLOSED, HAUL_REFUSED);
    check_status(next(), HAUL_AGAIN);
    check_equal(connected_count, 2);
    check_equal(open_channels, 1);
    happen(CONTROL_CLOSED, HAUL_REFUSED);
    happen(CONTROL_CLOSED, HAUL_TIMEOUT);
    check_status(next(), HAUL_TIMEOUT);
    check_text(error.text, "told so");
    check_equal(connected_count, 3);
    end();
    begin_connected();
    happen(CONTROL_CLOSED, HAUL_CLOSED);
    check_status(next(), HAUL_CLOSED);
    check_equal(connected_count, 1);
    end();
}

static void test_verify_peer_open__again__older_channel_is_gone(void)
{
    begin();
    for (int i = 0; i < 5; i++) {
        check_status(verify_peer_open(&peer, &error), HAUL_OK);
        check_equal(open_channels, 1);
        check_equal(watched_channels, 1);
    }
    end();
}

static void test_verify_peer_poll__hello_is_not_answered__timeout_behind_the_limit(void)
{
    begin_connected();
    now += (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS;
    check_status(next(), HAUL_AGAIN);
    now++;
    check_error(verify_peer_poll(&peer, &message, &error), HAUL_TIMEOUT, error);
    end();
    begin_greeted(); /* after the greeting, others watch the peer */
    now += (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS * 2 * STALL_PEER_TIMEOUTS;
    check_status(next(), HAUL_AGAIN);
    end();
}

/* A peer that sends Working waits for us, not we for it. */
static void test_verify_peer_poll__working_instead_of_welcome__timeout_in_the_end(void)
{
    begin_connected();
    for (unsigned i = 0; i <= STALL_PEER_TIMEOUTS; i++) {
        struct message said;
        message_init(&said, MESSAGE_WORKING);
        event_count = event_at = 0;
        free(bodies[0]);
        say(&said);
        check_status(next(), HAUL_OK);
        now += (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS - (i == STALL_PEER_TIMEOUTS);
        if (i == STALL_PEER_TIMEOUTS - 1) {
            check_status(next(), HAUL_AGAIN);
        }
    }
    check_error(verify_peer_poll(&peer, &message, &error), HAUL_TIMEOUT, error);
    end();
}

static void test_verify_peer_poll__no_random_numbers__io(void)
{
    begin();
    check_or_stop(verify_peer_open(&peer, &error) == HAUL_OK);
    happen(CONTROL_CONNECTED, HAUL_OK);
    no_random = true;
    check_error(verify_peer_poll(&peer, &message, &error), HAUL_IO, error);
    no_random = false;
    check_text(error.call, "getrandom");
    check_equal(sent_count, 0);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verify_peer_poll__no_random_numbers__io),
    CHECK_TEST(test_verify_peer_poll__connected__says_hello_of_a_comparison),
    CHECK_TEST(test_verify_peer_poll__welcome__greeted_and_stop_at_the_end),
    CHECK_TEST(test_verify_peer_poll__welcomes_that_do_not_do__status_and_hint),
    CHECK_TEST(test_verify_peer_poll__refused__what_the_target_says),
    CHECK_TEST(test_verify_peer_poll__each_message__taken_or_out_of_place),
    CHECK_TEST(test_verify_peer_poll__bytes_that_are_no_message__protocol),
    CHECK_TEST(test_verify_peer_open__addresses_lead_nowhere__each_once),
    CHECK_TEST(test_verify_peer_poll__closed__next_address_unless_answered),
    CHECK_TEST(test_verify_peer_open__again__older_channel_is_gone),
    CHECK_TEST(test_verify_peer_poll__hello_is_not_answered__timeout_behind_the_limit),
    CHECK_TEST(test_verify_peer_poll__working_instead_of_welcome__timeout_in_the_end),
};
CHECK_MAIN("verify_peer", tests)
