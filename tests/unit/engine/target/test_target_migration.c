/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_migration.c — a receiver as an embedder runs it, and sources that come as far as
 * their plan, over real sockets. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "control_channel.h"
#include "haul/migration.h"
#include "journal.h"
#include "message.h"
#include "migration_wait.h"
#include "plan.h"
#include "rocks_fixture.h"

enum { PEER_TIMEOUT_MS = 5000, TURNS_MAX = 10000 };

static struct rocks_fixture source;
static struct rocks_fixture target;
static struct haul_migration *migration;
static struct control_channel *channel;
static struct message heard;
static struct haul_error error;

static void start(bool once)
{
    rocks_fixture_open(&source);
    rocks_fixture_open(&target);
    const struct haul_target_options options = {.store = target.store,
                                                .listen = "127.0.0.1:0",
                                                .transports = {{HAUL_TRANSPORT_TCP}},
                                                .once = once,
                                                .link = {.peer_timeout_ms = PEER_TIMEOUT_MS}};
    memset(&error, 0, sizeof(error));
    memset(&heard, 0, sizeof(heard));
    channel = NULL;
    check_or_stop(haul_target_start(&options, &migration, &error) == HAUL_OK);
}

static void finish(void)
{
    message_release(&heard);
    control_channel_destroy(channel);
    channel = NULL;
    haul_migration_destroy(migration);
    rocks_fixture_close(&source);
    rocks_fixture_close(&target);
}

static void pause_briefly(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    (void)nanosleep(&pause, NULL);
}

/* The next event of the connection; false: none in time. */
static bool next(struct control_event *event)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        if (control_channel_poll(channel, event)) {
            return true;
        }
        pause_briefly();
    }
    return false;
}

static void hear(enum message_type type)
{
    struct control_event event;
    message_release(&heard);
    do {
        check_or_stop(next(&event) && event.type == CONTROL_MESSAGE);
    } while (event.message_type == MESSAGE_WORKING || event.message_type == MESSAGE_PROGRESS);
    check_or_stop(message_decode(event.message_type, event.body, &heard, &error) == HAUL_OK);
    check_text(message_name(heard.type), message_name(type));
}

/* Send and release it. */
static void say(struct message *message)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    check_or_stop(message_encode(message, &bytes, &size) == HAUL_OK);
    check_status(control_channel_send(channel, (uint16_t)message->type, bytes, size), HAUL_OK);
    free(bytes);
    message_release(message);
}

static void come(void)
{
    const struct link_config config = {.clock = &clock_monotonic,
                                       .options = {.peer_timeout_ms = PEER_TIMEOUT_MS}};
    const struct link_ticket ticket = {.version_min = 0};
    struct link_address address;
    struct control_event event;
    struct message said;
    check_or_stop(link_address_parse(haul_migration_address(migration), &address, &error) ==
                  HAUL_OK);
    check_or_stop(control_channel_connect(&address, &ticket, &config, &channel, &error) == HAUL_OK);
    control_channel_trust(channel);
    check_or_stop(next(&event) && event.type == CONTROL_CONNECTED);
    message_init(&said, MESSAGE_HELLO);
    said.as.hello.wire_version = MESSAGE_WIRE_VERSION;
    said.as.hello.journal_version = JOURNAL_FORMAT_VERSION;
    said.as.hello.epoch = 1;
    said.as.hello.job.size = HAUL_JOB_BYTES;
    memset(said.as.hello.job.bytes, 1, HAUL_JOB_BYTES);
    said.as.hello.source_identity.size = 8;
    memcpy(said.as.hello.source_identity.bytes, "source/1", 8);
    say(&said);
    hear(MESSAGE_WELCOME);
}

static void plan_it(void)
{
    const struct haul_range range = {.start = text_slice("k"), .end = text_slice("l")};
    const struct haul_source_options asked = {
        .ranges = &range, .range_count = 1, .lane = HAUL_LANE_WRITE_BATCH};
    struct plan plan;
    struct message said;
    check_or_stop(plan_make(&plan, source.store, &asked, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(plan_to_message(&plan, &said) == HAUL_OK);
    say(&said);
    plan_fini(&plan);
    hear(MESSAGE_PLAN_ACCEPTED);
}

/* Whether that happens in time. */
static bool comes_to(enum haul_phase phase)
{
    struct haul_progress progress = {.phase = HAUL_PHASE_ENDED};
    for (int i = 0; i < TURNS_MAX; i++) {
        haul_migration_progress(migration, &progress);
        if (progress.phase == phase) {
            return true;
        }
        pause_briefly();
    }
    return false;
}

static void test_target_migration__a_job_comes_and_goes__progress_says_so(void)
{
    start(false);
    check(comes_to(HAUL_PHASE_LISTENING));
    come();
    plan_it();
    check(comes_to(HAUL_PHASE_COPYING));
    control_channel_destroy(channel);
    channel = NULL;
    check(comes_to(HAUL_PHASE_LISTENING));
    finish();
}

static void test_target_migration__stopped_with_a_job__kept_and_source_is_told(void)
{
    struct haul_result result = {.status = HAUL_AGAIN};
    start(true);
    come();
    plan_it();
    haul_migration_stop(migration);
    hear(MESSAGE_STOP);
    check_status(migration_wait(migration, TURNS_MAX, &result), HAUL_STOPPED);
    check_status(result.status, HAUL_STOPPED);
    finish();
}

static void test_target_migration__cancelled_with_a_job__source_is_told(void)
{
    struct haul_result result = {.status = HAUL_AGAIN};
    start(true);
    come();
    plan_it();
    haul_migration_cancel(migration);
    hear(MESSAGE_ABORT);
    check_status(migration_wait(migration, TURNS_MAX, &result), HAUL_CANCELLED);
    check_equal(result.job[0], 1);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_migration__a_job_comes_and_goes__progress_says_so),
    CHECK_TEST(test_target_migration__stopped_with_a_job__kept_and_source_is_told),
    CHECK_TEST(test_target_migration__cancelled_with_a_job__source_is_told),
};
CHECK_MAIN("target_migration", tests)
