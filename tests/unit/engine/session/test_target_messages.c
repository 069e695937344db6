/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_messages.c — what stands in Welcome and Refused: each field. */
#include "target_session_fixture.h"

static const uint8_t given_back_by[HAUL_JOB_BYTES] = {1};
static const uint8_t between[2 * HAUL_JOB_BYTES] = {2};
static const uint8_t waiting[HAUL_JOB_BYTES] = {3};
static const uint8_t owned_job[HAUL_JOB_BYTES] = {4};
static const uint8_t lost[HAUL_JOB_BYTES] = {5};

static void look_up(enum job_knowledge knowledge)
{
    struct message message = hello_of(CONFIG_VERSION, true);
    message.as.hello.resume = true;
    feed_message(&message);
    (void)take(TARGET_ACTION_LOOK_UP);
    const struct target_event event = {.type = TARGET_EVENT_LOOKED_UP,
                                       .knowledge = knowledge,
                                       .returned = (enum version_return)1,
                                       .given_back_by = {given_back_by, sizeof(given_back_by)},
                                       .between = {between, sizeof(between)},
                                       .waiting = {waiting, sizeof(waiting)},
                                       .epoch = EPOCH};
    target_session_event(session, &event, now_ns);
}

static void test_target_session__welcome__each_field(void)
{
    for (int owned = 0; owned < 2; owned++) {
        start();
        look_up(owned ? JOB_COMMITTED : JOB_UNKNOWN);
        if (take_message(MESSAGE_WELCOME)) {
            const haul_control_Welcome *welcome = &action.message.as.welcome;
            check_equal(welcome->slot_count, 64);
            check_equal(welcome->job_phase, owned ? JOB_COMMITTED : JOB_UNKNOWN);
            check_equal(welcome->given_back, owned ? 1 : 0);
            check(welcome->given_back_by.size == HAUL_JOB_BYTES &&
                  welcome->given_back_by.bytes[0] == 1);
            check(welcome->between.size == 2 * HAUL_JOB_BYTES && welcome->between.bytes[0] == 2);
            check(welcome->waiting.size == HAUL_JOB_BYTES && welcome->waiting.bytes[0] == 3);
            check_equal(welcome->config_version, CONFIG_VERSION);
            check(welcome->config_version_known);
        }
        finish();
    }
}

static void test_target_session__refused__the_jobs_that_it_knows(void)
{
    for (int known = 0; known < 2; known++) {
        start();
        walk_to(TARGET_CHECKING);
        struct target_event event = {.type = TARGET_EVENT_CHECKED,
                                     .owned_job = known ? owned_job : NULL,
                                     .lost = {lost, known ? sizeof(lost) : 0}};
        haul_error_set(&event.error, HAUL_MISMATCH, NULL, 0, "made up by the test");
        haul_error_hint(&event.error, "read the test");
        target_session_event(session, &event, now_ns);
        if (take_message(MESSAGE_REFUSED)) {
            const haul_control_Refused *refused = &action.message.as.refused;
            check_equal(refused->status, HAUL_MISMATCH);
            check_text(refused->text, "made up by the test");
            check_text(refused->hint, "read the test");
            check_equal(refused->owned_job.size, known ? HAUL_JOB_BYTES : 0);
            check(!known || refused->owned_job.bytes[0] == 4);
            check_equal(refused->lost.size, known ? HAUL_JOB_BYTES : 0);
            check(!known || refused->lost.bytes[0] == 5);
        }
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_session__welcome__each_field),
    CHECK_TEST(test_target_session__refused__the_jobs_that_it_knows),
};
CHECK_MAIN("target_messages", tests)
