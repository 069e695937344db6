/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_answer.c — what a target reports of itself and of its streams: each field, over the
 * wire. */
#include "target_answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "journal.h"
#include "payload_codec.h"
#include "rocks_fixture.h"

static uint8_t token[MESSAGE_TOKEN_BYTES];
static uint8_t session_id[MESSAGE_SESSION_BYTES];
static struct haul_target_options target;
static struct target_greeting greeting;
static struct message message;
static struct message received;
static struct haul_error error;

/* Encode, release, and decode again. */
static void send_it(void)
{
    uint8_t *body = NULL;
    size_t size = 0;
    check_or_stop(message_encode(&message, &body, &size) == HAUL_OK);
    check_or_stop(message_decode((uint16_t)message.type, slice_of(body, size), &received, &error) ==
                  HAUL_OK);
    message_release(&message);
    free(body);
}

/* --- Welcome ---------------------------------------------------------------------------------- */

static const haul_control_TransportOffer offers[] = {
    {.transport = HAUL_TRANSPORT_VERBS, .refusal = "it has no card"},
    {.transport = HAUL_TRANSPORT_TCP}};

static void greet(void)
{
    memset(token, 't', sizeof(token));
    memset(session_id, 's', sizeof(session_id));
    target = (struct haul_target_options){
        .link = {.slot_count = 12, .slot_size_bytes = 65536, .peer_timeout_ms = 4321}};
    greeting = (struct target_greeting){.target = &target,
                                        .identity = "store/instance",
                                        .token = token,
                                        .session_id = session_id,
                                        .offers = offers,
                                        .offer_count = CHECK_COUNT(offers)};
}

static void test_target_answer_welcome__options_and_names__each_is_told(void)
{
    greet();
    target_answer_welcome(&greeting, &message);
    check_equal(message.type, MESSAGE_WELCOME);
    send_it();
    const haul_control_Welcome *welcome = &received.as.welcome;
    check_equal(welcome->wire_version, MESSAGE_WIRE_VERSION);
    check_equal(welcome->journal_version, JOURNAL_FORMAT_VERSION);
    check(strncmp(welcome->software, "haul ", 5) == 0 && strlen(welcome->software) > 5);
    check_equal(welcome->target_identity.size, strlen("store/instance"));
    check(memcmp(welcome->target_identity.bytes, "store/instance", 14) == 0);
    check_equal(welcome->token.size, sizeof(token));
    check(memcmp(welcome->token.bytes, token, sizeof(token)) == 0);
    check_equal(welcome->session.size, sizeof(session_id));
    check(memcmp(welcome->session.bytes, session_id, sizeof(session_id)) == 0);
    check_equal(welcome->transports_count, 2);
    check_equal(welcome->transports[0].transport, HAUL_TRANSPORT_VERBS);
    check_text(welcome->transports[0].refusal, "it has no card");
    check_equal(welcome->transports[1].transport, HAUL_TRANSPORT_TCP);
    check_text(welcome->transports[1].refusal, "");
    check_equal(welcome->slot_count, 12);
    check_equal(welcome->slot_size_bytes, 65536);
    check_equal(welcome->compression, PAYLOAD_ZSTD);
    check_equal(welcome->features,
                MESSAGE_FEATURE_STARVED | MESSAGE_FEATURE_LOG_DATA | MESSAGE_FEATURE_KEYED);
    check_equal(welcome->peer_timeout_ms, 4321);
    message_release(&received);
}

static void test_target_answer_welcome__versions_and_no_transport__as_they_are(void)
{
    for (int known = 0; known < 2; known++) {
        greet();
        greeting.version = (struct version_claim){.version = 7, .authoritative = known};
        greeting.offer_count = 0;
        target_answer_welcome(&greeting, &message);
        send_it();
        check_equal(received.as.welcome.config_version, 7);
        check_equal(received.as.welcome.config_version_known, known);
        check_equal(received.as.welcome.transports_count, 0);
        message_release(&received);
    }
}

/* The longest possible identity has no terminator of its own. */
static void test_target_answer_welcome__long_identity__as_much_as_goes(void)
{
    char identity[2 * sizeof(received.as.welcome.target_identity.bytes)];
    memset(identity, 'i', sizeof(identity) - 1);
    identity[sizeof(identity) - 1] = '\0';
    greet();
    greeting.identity = identity;
    target_answer_welcome(&greeting, &message);
    check_equal(message.as.welcome.target_identity.size,
                sizeof(message.as.welcome.target_identity.bytes));
    message_release(&message);
}

/* --- PlanAccepted ----------------------------------------------------------------------------- */

enum { FAMILIES = 2, STREAMS = 2 };

static struct plan_family families[FAMILIES];
static struct plan_stream streams[STREAMS];
static uint8_t last_key[] = "key";
static struct stream_position positions[STREAMS];
static struct target_journal journal;

static void make_record(void)
{
    memset(&journal, 0, sizeof(journal));
    families[0].target_id = 5;
    families[1].target_id = 3;
    journal.plan = (struct plan){.family_count = FAMILIES,
                                 .families = families,
                                 .stream_count = STREAMS,
                                 .streams = streams};
    positions[0] = (struct stream_position){
        .stream = 0, .next_batch = 9, .finished = true, .last_key = slice_of(last_key, 3)};
    positions[1] = (struct stream_position){.stream = 1, .next_batch = 0};
    journal.lane = HAUL_LANE_INGEST;
    journal.delta_next_batch = 77;
}

static void accept_plan(void)
{
    check_or_stop(target_answer_accepted(&journal, &message) == HAUL_OK);
    check_equal(message.type, MESSAGE_PLAN_ACCEPTED);
    send_it();
}

static void test_target_answer_accepted__new_job__lane_and_families(void)
{
    make_record();
    journal.delta_next_batch = 0;
    accept_plan();
    const haul_control_PlanAccepted *accepted = &received.as.plan_accepted;
    check_equal(accepted->lane, HAUL_LANE_INGEST);
    check_text(accepted->begun_anew, "");
    check_equal(accepted->family_ids_count, FAMILIES);
    check_equal(accepted->family_ids[0], 5);
    check_equal(accepted->family_ids[1], 3);
    check_equal(accepted->positions_count, 0);
    check_equal(accepted->delta_next_batch, 0);
    message_release(&received);
}

static void test_target_answer_accepted__resumed__where_each_stream_stands(void)
{
    make_record();
    journal.positions = positions;
    journal.lane = HAUL_LANE_WRITE_BATCH;
    (void)snprintf(journal.begun_anew, sizeof(journal.begun_anew), "its staging files are gone");
    accept_plan();
    const haul_control_PlanAccepted *accepted = &received.as.plan_accepted;
    check_equal(accepted->lane, HAUL_LANE_WRITE_BATCH);
    check_text(accepted->begun_anew, "its staging files are gone");
    check_equal(accepted->positions_count, STREAMS);
    check_equal(accepted->positions[0].stream, 0);
    check_equal(accepted->positions[0].next_batch, 9);
    check(accepted->positions[0].finished);
    check_equal(accepted->positions[0].last_key->size, 3);
    check(memcmp(accepted->positions[0].last_key->bytes, "key", 3) == 0);
    check_equal(accepted->positions[1].stream, 1);
    check_equal(accepted->positions[1].next_batch, 0);
    check(!accepted->positions[1].finished);
    check_equal(accepted->delta_next_batch, 77);
    message_release(&received);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_answer_welcome__options_and_names__each_is_told),
    CHECK_TEST(test_target_answer_welcome__versions_and_no_transport__as_they_are),
    CHECK_TEST(test_target_answer_welcome__long_identity__as_much_as_goes),
    CHECK_TEST(test_target_answer_accepted__new_job__lane_and_families),
    CHECK_TEST(test_target_answer_accepted__resumed__where_each_stream_stands),
};

CHECK_MAIN("target_answer", tests)
