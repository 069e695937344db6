/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_session_verify.c — a source that compares: what it may request, and that none of its
 * sessions ever changes the store. */
#include "target_session.h"

#include <string.h>

#include "bytes.h"
#include "check.h"
#include "stall_watch.h"
#include "target_session_fixture.h"

static struct message hello_that_compares(void)
{
    struct message message = hello_of(CONFIG_VERSION, true);
    message.as.hello.verify = true;
    return message;
}

/* Up to the Welcome, without a look at any record. */
static void walk_to_verifying(void)
{
    struct message message = hello_that_compares();
    start();
    feed_message(&message);
    if (take_message(MESSAGE_WELCOME)) {
        check(action.message.as.welcome.verify);
        check_equal(action.message.as.welcome.slot_count, 64);
    }
    take_nothing();
    check_equal(state(), TARGET_VERIFYING);
}

static void feed_type(enum message_type type)
{
    struct message message;
    message_init(&message, type);
    feed_message(&message);
}

static void test_target_session_event__requests_of_a_comparison__handed_on(void)
{
    static const enum message_type types[] = {MESSAGE_VERIFY_LIST, MESSAGE_VERIFY_SCAN,
                                              MESSAGE_VERIFY_NEXT};
    walk_to_verifying();
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        feed_type(types[i]);
        if (take(TARGET_ACTION_VERIFY)) {
            check_equal(action.message.type, types[i]);
        }
        take_nothing();
    }
    finish();
}

static void test_target_session_event__comparison_not_answered_here__refused(void)
{
    struct message message = hello_that_compares();
    start_expecting(slice_of("", 0)); /* none of the embedder's options is set */
    feed_message(&message);
    check_refused(HAUL_UNSUPPORTED);
    finish();
}

static void test_target_session_event__comparison_without_the_secret__refused_auth(void)
{
    struct message message = hello_that_compares();
    start_expecting(slice_of("secret", 6));
    feed_message(&message);
    check_refused(HAUL_AUTH);
    finish();
}

/* It would find them equal. */
static void test_target_session_event__comparison_with_itself__refused(void)
{
    struct message message = hello_that_compares();
    message.as.hello.source_identity.size = 8;
    memcpy(message.as.hello.source_identity.bytes, "target/1", 8);
    start();
    feed_message(&message);
    check_refused(HAUL_MISMATCH);
    finish();
}

/* Config versions matter for jobs only. */
static void test_target_session_event__comparison_of_another_version__goes_on(void)
{
    struct message message = hello_of(CONFIG_VERSION + 5, true);
    message.as.hello.verify = true;
    start();
    feed_message(&message);
    (void)take_message(MESSAGE_WELCOME);
    finish();
}

/* Whatever arrives, nothing is looked up, checked, cleared or owned. */
static void test_target_session_event__job_messages_in_a_comparison__refused(void)
{
    static const enum message_type types[] = {
        MESSAGE_HELLO,     MESSAGE_PLAN,    MESSAGE_PREPARE,      MESSAGE_COMMIT,
        MESSAGE_COMMITTED, MESSAGE_WORKING, MESSAGE_VERIFY_PIECES};
    for (size_t i = 0; i < CHECK_COUNT(types); i++) {
        walk_to_verifying();
        feed_type(types[i]);
        check_refused(HAUL_PROTOCOL);
        finish();
    }
}

static void test_target_session_event__abort_in_a_comparison__nothing_cleared(void)
{
    walk_to_verifying();
    feed_abort(HAUL_CANCELLED);
    (void)take_message(MESSAGE_ABORTED);
    take_end();
    finish();
    walk_to_verifying();
    struct message message;
    message_init(&message, MESSAGE_ABORT);
    message.as.abort.jobs = message_bytes(slice_of("of sixteen bytes", 16));
    feed_message(&message);
    check_refused(HAUL_PROTOCOL);
    message_release(&message);
    finish();
}

static void test_target_session_event__requests_without_a_comparison__refused(void)
{
    start();
    walk_to(TARGET_GREETED);
    feed_type(MESSAGE_VERIFY_LIST);
    check_refused(HAUL_PROTOCOL);
    finish();
}

static void test_target_session_event__comparison_ends__never_ok(void)
{
    walk_to_verifying();
    feed_type(MESSAGE_STOP);
    take_end();
    check_status(outcome()->status, HAUL_CLOSED);
    finish();
    walk_to_verifying();
    feed(TARGET_EVENT_CHANNEL_DOWN, HAUL_CLOSED);
    take_end();
    check_status(outcome()->status, HAUL_CLOSED);
    finish();
}

static void test_target_session_event__another_job_begins__comparison_refused_busy(void)
{
    walk_to_verifying();
    feed(TARGET_EVENT_BUSY, HAUL_BUSY);
    check_refused(HAUL_BUSY);
    finish();
}

static void test_target_session_event__stopped_in_a_comparison__stop_and_nothing_kept(void)
{
    walk_to_verifying();
    feed(TARGET_EVENT_STOP, HAUL_STOPPED);
    (void)take_message(MESSAGE_STOP);
    take_end();
    check(!target_session_is_resumable(session));
    finish();
}

static void test_target_session_event__comparison_asks_for_nothing__ended_by_its_deadline(void)
{
    const uint64_t limit_ns = STALL_PEER_TIMEOUTS * (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS;
    walk_to_verifying();
    now_ns += limit_ns - 1;
    feed_type(MESSAGE_VERIFY_LIST);
    (void)take(TARGET_ACTION_VERIFY);
    check_equal(target_session_deadline_ns(session), now_ns + limit_ns);
    now_ns += limit_ns;
    feed(TARGET_EVENT_TICK, HAUL_OK);
    check_refused(HAUL_TIMEOUT);
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_session_event__requests_of_a_comparison__handed_on),
    CHECK_TEST(test_target_session_event__comparison_not_answered_here__refused),
    CHECK_TEST(test_target_session_event__comparison_without_the_secret__refused_auth),
    CHECK_TEST(test_target_session_event__comparison_with_itself__refused),
    CHECK_TEST(test_target_session_event__comparison_of_another_version__goes_on),
    CHECK_TEST(test_target_session_event__job_messages_in_a_comparison__refused),
    CHECK_TEST(test_target_session_event__abort_in_a_comparison__nothing_cleared),
    CHECK_TEST(test_target_session_event__requests_without_a_comparison__refused),
    CHECK_TEST(test_target_session_event__comparison_ends__never_ok),
    CHECK_TEST(test_target_session_event__another_job_begins__comparison_refused_busy),
    CHECK_TEST(test_target_session_event__stopped_in_a_comparison__stop_and_nothing_kept),
    CHECK_TEST(test_target_session_event__comparison_asks_for_nothing__ended_by_its_deadline),
};

CHECK_MAIN("target_session_verify", tests)
