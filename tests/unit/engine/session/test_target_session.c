/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_session.c — the target's state machine, event by event: greeting, continued jobs,
 * hand-over and commit. */
#include "target_session.h"

#include <string.h>

#include "bytes.h"
#include "check.h"
#include "target_session_fixture.h"

/* --- the happy path --------------------------------------------------------------------------- */

static void test_target_session_create__nothing_yet__waits_for_hello(void)
{
    start();
    take_nothing();
    check_equal(state(), TARGET_WAITING);
    check_equal(target_session_deadline_ns(session),
                start_ns + (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS);
    check_text(target_state_name(TARGET_WAITING), "WAITING");
    check_text(target_state_name(TARGET_ENDED), "ENDED");
    finish();
}

static void test_target_session_event__happy_path__ended_ok(void)
{
    start();
    walk_to(TARGET_ENDED);
    check_status(outcome()->status, HAUL_OK);
    check_equal(target_session_deadline_ns(session), CLOCK_NEVER);
    finish();
}

static void test_target_session_event__hello__kept_and_welcomed(void)
{
    start();
    feed_hello();
    check_equal(target_session_hello(session)->epoch, EPOCH);
    (void)take(TARGET_ACTION_LOOK_UP);
    feed_looked_up(JOB_UNKNOWN);
    if (take_message(MESSAGE_WELCOME)) {
        check_equal(action.message.as.welcome.slot_count, 64);
        check_equal(action.message.as.welcome.job_phase, JOB_UNKNOWN);
    }
    finish();
}

/* Also for a continued job: a release may have changed in between. */
static void test_target_session_event__hello_of_another_wire_version__refused_version(void)
{
    for (int resume = 0; resume < 2; resume++) {
        start();
        struct message message = hello_of(CONFIG_VERSION, true);
        message.as.hello.wire_version = MESSAGE_WIRE_VERSION + 1;
        message.as.hello.resume = resume == 1;
        feed_message(&message);
        check_refused(HAUL_VERSION);
        finish();
    }
}

static void test_target_session_event__plan_refused__reason_told(void)
{
    start();
    walk_to(TARGET_CHECKING);
    feed(TARGET_EVENT_CHECKED, HAUL_MISMATCH);
    check_refused(HAUL_MISMATCH);
    check_text(outcome()->text, "made up by the test");
    finish();
}

/* --- greeting --------------------------------------------------------------------------------- */

static void test_target_session_event__hello_without_job__refused_protocol(void)
{
    start();
    struct message message = hello_of(CONFIG_VERSION, true);
    message.as.hello.job.size = HAUL_JOB_BYTES - 1;
    feed_message(&message);
    check_refused(HAUL_PROTOCOL);
    finish();
}

static void test_target_session_event__hello_that_names_no_database__refused_protocol(void)
{
    static const char *const identities[] = {"", "a\tb", "\x7f", "\x80"};
    for (size_t i = 0; i < CHECK_COUNT(identities); i++) {
        start();
        struct message message = hello_of(CONFIG_VERSION, true);
        message.as.hello.source_identity.size = (pb_size_t)strlen(identities[i]);
        memcpy(message.as.hello.source_identity.bytes, identities[i], strlen(identities[i]));
        feed_message(&message);
        check_refused(HAUL_PROTOCOL);
        finish();
    }
}

/* Also for a source that continues: a Hello without the field reads as 0. */
static void test_target_session_event__hello_without_an_epoch__refused_protocol(void)
{
    for (int resume = 0; resume < 2; resume++) {
        start();
        struct message message = hello_of(CONFIG_VERSION, true);
        message.as.hello.epoch = 0;
        message.as.hello.resume = resume == 1;
        feed_message(&message);
        check_refused(HAUL_PROTOCOL);
        finish();
    }
}

/* A name of 64 bytes, or one with a NUL byte, would read differently in the journal. */
static void test_target_session_event__identity_that_a_journal_would_cut__refused_protocol(void)
{
    for (int zero = 0; zero < 2; zero++) {
        start();
        struct message message = hello_of(CONFIG_VERSION, true);
        message.as.hello.source_identity.size = zero == 1 ? 8 : HAUL_IDENTITY_BYTES_MAX;
        memset(message.as.hello.source_identity.bytes, 'x', HAUL_IDENTITY_BYTES_MAX);
        message.as.hello.source_identity.bytes[4] = zero == 1 ? 0 : 'x';
        feed_message(&message);
        check_refused(HAUL_PROTOCOL);
        finish();
    }
}

static void test_target_session_event__source_is_the_target__refused_before_anything(void)
{
    for (int resume = 0; resume < 2; resume++) {
        start();
        struct message message = hello_of(CONFIG_VERSION, true);
        message.as.hello.resume = resume == 1;
        message.as.hello.source_identity.size = 8;
        memcpy(message.as.hello.source_identity.bytes, "target/1", 8);
        feed_message(&message);
        check(take_message(MESSAGE_REFUSED));
        check_equal(action.message.as.refused.status, HAUL_MISMATCH);
        take_end();
        finish();
    }
}

static void feed_hello_with_secret(const void *secret, size_t size)
{
    struct message message = hello_of(CONFIG_VERSION, true);
    message.as.hello.secret.size = (pb_size_t)size;
    if (size > 0) {
        memcpy(message.as.hello.secret.bytes, secret, size);
    }
    feed_message(&message);
}

/* The receiver started under another name than its records have by now. */
static void test_target_session_event__records_were_forgotten__welcome_has_the_name_of_now(void)
{
    start();
    walk_to(TARGET_LOOKING);
    const struct target_event event = {
        .type = TARGET_EVENT_LOOKED_UP, .epoch = EPOCH, .identity = "target/2"};
    target_session_event(session, &event, now_ns);
    if (take_message(MESSAGE_WELCOME)) {
        const haul_control_Welcome *welcome = &action.message.as.welcome;
        check_equal(welcome->target_identity.size, 8);
        check(memcmp(welcome->target_identity.bytes, "target/2", 8) == 0);
    }
    finish();
}

static void test_target_session_event__source_has_the_name_of_now__refused(void)
{
    start();
    struct message message = hello_of(CONFIG_VERSION, true);
    message.as.hello.source_identity.size = 8;
    memcpy(message.as.hello.source_identity.bytes, "target/2", 8);
    feed_message(&message);
    (void)take(TARGET_ACTION_LOOK_UP);
    const struct target_event event = {
        .type = TARGET_EVENT_LOOKED_UP, .epoch = EPOCH, .identity = "target/2"};
    target_session_event(session, &event, now_ns);
    check_refused(HAUL_MISMATCH);
    finish();
}

static void test_target_session_event__secret_as_expected__goes_on(void)
{
    start_expecting(slice_of("0123456789abcdef", 16));
    feed_hello_with_secret("0123456789abcdef", 16);
    (void)take(TARGET_ACTION_LOOK_UP);
    finish();
}

static void test_target_session_event__other_secret__refused_auth(void)
{
    static const struct {
        const char *text;
        size_t size;
    } wrong[] = {
        {"", 0}, {"0123456789abcde", 15}, {"0123456789abcdeF", 16}, {"0123456789abcdef0", 17}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        start_expecting(slice_of("0123456789abcdef", 16));
        feed_hello_with_secret(wrong[i].text, wrong[i].size);
        check_refused(HAUL_AUTH);
        finish();
    }
}

/* A target that expects no secret accepts one. */
static void test_target_session_event__secret_not_asked_for__goes_on(void)
{
    start();
    feed_hello_with_secret("x", 1);
    (void)take(TARGET_ACTION_LOOK_UP);
    finish();
}

static void test_target_session_event__config_version_of_source_newer__refused_version(void)
{
    start();
    struct message message = hello_of(CONFIG_VERSION + 1, true);
    feed_message(&message);
    check_refused(HAUL_VERSION);
    check(strstr(outcome()->hint, "target's view is stale") != NULL);
    finish();
}

static void test_target_session_event__config_version_of_source_older__refused(void)
{
    start();
    struct message message = hello_of(CONFIG_VERSION - 1, true);
    feed_message(&message);
    check_refused(HAUL_VERSION);
    check(strstr(outcome()->hint, "source's view is stale") != NULL);
    finish();
}

static void test_target_session_event__one_config_version_unknown__goes_on(void)
{
    start();
    struct message message = hello_of(CONFIG_VERSION - 1, false);
    feed_message(&message);
    (void)take(TARGET_ACTION_LOOK_UP);
    finish();
    start_with(CONFIG_VERSION - 1, false);
    feed_hello();
    (void)take(TARGET_ACTION_LOOK_UP);
    finish();
}

/* A commit of the job itself may have raised our version. */
static void test_target_session_event__resumed_with_older_config_version__goes_on(void)
{
    start();
    struct message message = hello_of(CONFIG_VERSION - 1, true);
    message.as.hello.resume = true;
    feed_message(&message);
    (void)take(TARGET_ACTION_LOOK_UP);
    take_nothing();
    check_equal(state(), TARGET_LOOKING);
    finish();
}

/* The source came back before it sent its intent; meanwhile another job raised our version. */
static void test_target_session_event__resumed_unknown_older_version__refused(void)
{
    start();
    struct message message = hello_of(CONFIG_VERSION - 1, true);
    message.as.hello.resume = true;
    feed_message(&message);
    (void)take(TARGET_ACTION_LOOK_UP);
    feed_looked_up(JOB_UNKNOWN);
    check_refused(HAUL_VERSION);
    finish();
}

/* An undecided source sends its plan, and the versions must agree by then. */
static void test_target_session_event__resumed_with_another_version__plan_refused(void)
{
    static const enum job_knowledge phases[] = {JOB_COPYING, JOB_PREPARED};
    for (size_t i = 0; i < CHECK_COUNT(phases); i++) {
        start();
        struct message message = hello_of(CONFIG_VERSION - 1, true);
        message.as.hello.resume = true;
        feed_message(&message);
        (void)take(TARGET_ACTION_LOOK_UP);
        feed_looked_up(phases[i]);
        (void)take_message(MESSAGE_WELCOME);
        feed_plan();
        check_refused(HAUL_VERSION);
        check(strstr(outcome()->hint, "source's view is stale") != NULL);
        finish();
    }
}

/* A session without an attempt has none to end: what is prepared stays. */
static void test_target_session_event__abort_of_a_source_without_an_attempt__kept(void)
{
    for (int looked_up = 0; looked_up < 2; looked_up++) {
        start();
        struct message message = hello_of(CONFIG_VERSION, true);
        message.as.hello.resume = true;
        message.as.hello.epoch = MESSAGE_EPOCH_NONE;
        feed_message(&message);
        (void)take(TARGET_ACTION_LOOK_UP);
        if (looked_up == 1) {
            feed_looked_up(JOB_PREPARED);
            (void)take_message(MESSAGE_WELCOME);
        }
        feed_abort(HAUL_CANCELLED);
        if (looked_up == 0) {
            feed_looked_up(JOB_PREPARED);
        }
        while (target_session_action(session, &action)) {
            check(action.type != TARGET_ACTION_CLEAR);
            if (action.type == TARGET_ACTION_SEND) {
                check_equal(action.message.type, MESSAGE_STOP);
                message_release(&action.message);
            }
        }
        finish();
    }
}

static void test_target_session_event__stale_epoch_in_records__refused_fenced(void)
{
    start();
    walk_to(TARGET_LOOKING);
    feed(TARGET_EVENT_LOOKED_UP, HAUL_FENCED);
    check_refused(HAUL_FENCED);
    finish();
}

/* --- jobs that were here before --------------------------------------------------------------- */

static void test_target_session_event__resumed_prepared_commit__owned(void)
{
    start();
    walk_to_resumed(JOB_PREPARED);
    feed_commit(NEW_VERSION, EPOCH);
    (void)take(TARGET_ACTION_OWN);
    check_equal(target_session_prepare(session)->new_version, NEW_VERSION);
    feed(TARGET_EVENT_OWNED, HAUL_OK);
    if (take_message(MESSAGE_COMMITTED)) {
        check_equal(action.message.as.committed.new_version, NEW_VERSION);
        check_text(action.message.as.committed.warning, "");
    }
    take_end();
    check_status(outcome()->status, HAUL_OK);
    finish();
}

static void test_target_session_event__owned_with_a_warning__committed_has_it(void)
{
    const struct target_event owned = {.type = TARGET_EVENT_OWNED, .warning = "a hook failed"};
    start();
    walk_to(TARGET_OWNING);
    target_session_event(session, &owned, now_ns);
    check(take_message(MESSAGE_COMMITTED));
    check_text(action.message.as.committed.warning, "a hook failed");
    take_end();
    finish();
}

static void test_target_session_event__resumed_prepared_other_commit__in_doubt(void)
{
    start();
    walk_to_resumed(JOB_PREPARED);
    feed_commit(NEW_VERSION + 1, EPOCH);
    take_end();
    check_status(outcome()->status, HAUL_IN_DOUBT);
    finish();
}

/* The source has not decided: it copies on, and the earlier preparation does not count. */
static void test_target_session_event__resumed_prepared_plan__commit_needs_prepare(void)
{
    start();
    walk_to_resumed(JOB_PREPARED);
    feed_plan();
    (void)take(TARGET_ACTION_CHECK);
    feed_checked();
    (void)take(TARGET_ACTION_START);
    (void)take_message(MESSAGE_PLAN_ACCEPTED);
    feed_commit(NEW_VERSION, EPOCH);
    (void)take_message(MESSAGE_ABORT);
    take_clear();
    check_status(outcome()->status, HAUL_PROTOCOL);
    finish();
}

static void test_target_session_event__resumed_copying_or_new__commit_refused(void)
{
    static const enum job_knowledge phases[] = {JOB_UNKNOWN, JOB_COPYING, JOB_COMMITTED};
    for (size_t i = 0; i < CHECK_COUNT(phases); i++) {
        start();
        walk_to_resumed(phases[i]);
        feed_commit(NEW_VERSION, EPOCH);
        check_refused(HAUL_PROTOCOL);
        finish();
    }
}

static void test_target_session_event__resumed_copying_plan__goes_on_receiving(void)
{
    start();
    walk_to_resumed(JOB_COPYING);
    feed_plan();
    (void)take(TARGET_ACTION_CHECK);
    feed_checked();
    (void)take(TARGET_ACTION_START);
    (void)take_message(MESSAGE_PLAN_ACCEPTED);
    check_equal(state(), TARGET_RECEIVING);
    finish();
}

/* Aborted means that nothing is left, and the source then forgets the job. */
static void test_target_session_event__resumed_then_abort__cleared_before_aborted(void)
{
    static const enum job_knowledge phases[] = {JOB_COPYING, JOB_PREPARED};
    for (size_t i = 0; i < CHECK_COUNT(phases); i++) {
        start();
        walk_to_resumed(phases[i]);
        feed_abort(HAUL_CANCELLED);
        take_clear();
        feed(TARGET_EVENT_CLEARED, HAUL_OK);
        (void)take_message(MESSAGE_ABORTED);
        (void)take(TARGET_ACTION_END);
        take_nothing();
        check_status(outcome()->status, HAUL_CANCELLED);
        finish();
    }
}

static void test_target_session_event__abort_while_records_are_read__they_tell(void)
{
    start();
    walk_to(TARGET_LOOKING);
    feed_abort(HAUL_CANCELLED);
    take_nothing();
    feed_looked_up(JOB_UNKNOWN);
    (void)take_message(MESSAGE_ABORTED);
    take_end();
    finish();
    start();
    walk_to(TARGET_LOOKING);
    feed_abort(HAUL_CANCELLED);
    feed_looked_up(JOB_COPYING);
    take_clear();
    finish();
}

/* A newer attempt has the job: an older one must not clear anything of it. */
static void test_target_session_event__abort_then_stale_epoch__refused_not_cleared(void)
{
    start();
    walk_to(TARGET_LOOKING);
    feed_abort(HAUL_CANCELLED);
    feed(TARGET_EVENT_LOOKED_UP, HAUL_FENCED);
    check_refused(HAUL_FENCED);
    finish();
}

/* --- hand-over -------------------------------------------------------------------------------- */

static void test_target_session_event__prepare_before_deltas__waits_for_applied(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed_prepare();
    take_nothing();
    feed_applied(DELTA_COUNT - 1);
    take_nothing();
    check_equal(state(), TARGET_RECEIVING);
    feed_applied(DELTA_COUNT);
    (void)take(TARGET_ACTION_FLUSH);
    take_nothing();
    check_equal(target_session_prepare(session)->frozen_sequence, FROZEN_SEQUENCE);
    finish();
}

/* Batches that PlanAccepted counted as applied need not come again. */
static void test_target_session_event__prepare_without_new_deltas__flushed_at_once(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed_prepare_of(NEW_VERSION, EPOCH, DELTA_FIRST);
    (void)take(TARGET_ACTION_FLUSH);
    finish();
}

static void test_target_session_event__prepare_of_another_epoch__cleared_fenced(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed_prepare_of(NEW_VERSION, EPOCH + 1, DELTA_FIRST);
    check_cleared(HAUL_FENCED);
    finish();
}

static void test_target_session_event__prepare_of_another_version__cleared_protocol(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    feed_prepare_of(NEW_VERSION + 1, EPOCH, DELTA_FIRST);
    check_cleared(HAUL_PROTOCOL);
    finish();
}

static void test_target_session_event__prepare_lacks_a_digest__cleared_protocol(void)
{
    start();
    walk_to(TARGET_RECEIVING);
    struct message message;
    message_init(&message, MESSAGE_PREPARE);
    message.as.prepare.new_version = NEW_VERSION;
    message.as.prepare.epoch = EPOCH;
    message.as.prepare.delta_batches = DELTA_FIRST;
    message.as.prepare.digests = peer_digests;
    message.as.prepare.digests_count = FAMILY_COUNT - 1;
    feed_message(&message);
    check_cleared(HAUL_PROTOCOL);
    finish();
}

/* Each part of the last family's digest counts. */
static void test_target_session_event__digests_differ__cleared_corrupt(void)
{
    for (int part = 0; part < 3; part++) {
        start();
        walk_to(TARGET_FLUSHING);
        digests[1].count += part == 0;
        digests[1].low += part == 1;
        digests[1].high += part == 2;
        feed(TARGET_EVENT_FLUSHED, HAUL_OK);
        check_cleared(HAUL_CORRUPT);
        finish();
    }
}

static void test_target_session_event__recorded__prepared_carries_our_digests(void)
{
    start();
    walk_to(TARGET_RECORDING);
    feed(TARGET_EVENT_RECORDED, HAUL_OK);
    if (take_message(MESSAGE_PREPARED)) {
        const haul_control_Prepared *prepared = &action.message.as.prepared;
        check_equal(prepared->frozen_sequence, FROZEN_SEQUENCE);
        check_equal(prepared->digests_count, FAMILY_COUNT);
        check_equal(prepared->digests[1].count, digests[1].count);
        check_equal(prepared->digests[1].bytes, digests[1].bytes);
    }
    take_nothing();
    check_equal(state(), TARGET_PREPARED);
    finish();
}

static void test_target_session_event__recording_fails__no_prepared(void)
{
    start();
    walk_to(TARGET_RECORDING);
    feed(TARGET_EVENT_RECORDED, HAUL_MISMATCH);
    check_cleared(HAUL_MISMATCH);
    finish();
}

/* The driver still records the first Prepare: it must stay unchanged until that is done. */
static void test_target_session_event__second_prepare_while_recording__flushed_again(void)
{
    start();
    walk_to(TARGET_RECORDING);
    feed_prepare_of(NEW_VERSION, EPOCH, DELTA_COUNT + 1);
    take_nothing();
    check_equal(target_session_prepare(session)->delta_batches, DELTA_COUNT);
    feed(TARGET_EVENT_RECORDED, HAUL_OK);
    take_nothing();
    check_equal(state(), TARGET_RECEIVING);
    feed_applied(DELTA_COUNT + 1);
    (void)take(TARGET_ACTION_FLUSH);
    check_equal(target_session_prepare(session)->delta_batches, DELTA_COUNT + 1);
    finish();
}

static void test_target_session_event__second_prepare_while_flushing__flushed_again(void)
{
    start();
    walk_to(TARGET_FLUSHING);
    feed_prepare();
    take_nothing();
    feed(TARGET_EVENT_FLUSHED, HAUL_OK);
    (void)take(TARGET_ACTION_FLUSH);
    take_nothing();
    check_equal(state(), TARGET_FLUSHING);
    finish();
}

static void test_target_session_event__second_prepare_when_prepared__prepared_again(void)
{
    start();
    walk_to(TARGET_PREPARED);
    feed_prepare();
    (void)take(TARGET_ACTION_FLUSH);
    walk_to(TARGET_PREPARED);
    finish();
}

/* --- commit ----------------------------------------------------------------------------------- */

static void test_target_session_event__commit_of_another_version_or_epoch__never_owned(void)
{
    start();
    walk_to(TARGET_PREPARED);
    feed_commit(NEW_VERSION + 1, EPOCH);
    check_in_doubt();
    finish();
    start();
    walk_to(TARGET_PREPARED);
    feed_commit(NEW_VERSION, EPOCH + 1);
    check_in_doubt();
    finish();
}

static void test_target_session_event__commit_while_a_prepare_waits__never_owned(void)
{
    start();
    walk_to(TARGET_PREPARED);
    feed_prepare_of(NEW_VERSION, EPOCH, DELTA_COUNT + 1);
    take_nothing();
    feed_commit(NEW_VERSION, EPOCH);
    check_in_doubt();
    finish();
}

static void test_target_session_event__commit_before_prepared__cleared_protocol(void)
{
    for (int at = TARGET_RECEIVING; at <= TARGET_RECORDING; at++) {
        start();
        walk_to((enum target_state)at);
        feed_commit(NEW_VERSION, EPOCH);
        check_cleared(HAUL_PROTOCOL);
        finish();
    }
}

static void test_target_session_event__owning_fails__in_doubt_without_committed(void)
{
    start();
    walk_to(TARGET_OWNING);
    feed(TARGET_EVENT_OWNED, HAUL_IO);
    check_in_doubt();
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_session_create__nothing_yet__waits_for_hello),
    CHECK_TEST(test_target_session_event__happy_path__ended_ok),
    CHECK_TEST(test_target_session_event__hello__kept_and_welcomed),
    CHECK_TEST(test_target_session_event__hello_of_another_wire_version__refused_version),
    CHECK_TEST(test_target_session_event__plan_refused__reason_told),
    CHECK_TEST(test_target_session_event__hello_without_job__refused_protocol),
    CHECK_TEST(test_target_session_event__hello_that_names_no_database__refused_protocol),
    CHECK_TEST(test_target_session_event__hello_without_an_epoch__refused_protocol),
    CHECK_TEST(test_target_session_event__identity_that_a_journal_would_cut__refused_protocol),
    CHECK_TEST(test_target_session_event__source_is_the_target__refused_before_anything),
    CHECK_TEST(test_target_session_event__records_were_forgotten__welcome_has_the_name_of_now),
    CHECK_TEST(test_target_session_event__source_has_the_name_of_now__refused),
    CHECK_TEST(test_target_session_event__secret_as_expected__goes_on),
    CHECK_TEST(test_target_session_event__other_secret__refused_auth),
    CHECK_TEST(test_target_session_event__secret_not_asked_for__goes_on),
    CHECK_TEST(test_target_session_event__config_version_of_source_newer__refused_version),
    CHECK_TEST(test_target_session_event__config_version_of_source_older__refused),
    CHECK_TEST(test_target_session_event__one_config_version_unknown__goes_on),
    CHECK_TEST(test_target_session_event__resumed_with_older_config_version__goes_on),
    CHECK_TEST(test_target_session_event__resumed_with_another_version__plan_refused),
    CHECK_TEST(test_target_session_event__abort_of_a_source_without_an_attempt__kept),
    CHECK_TEST(test_target_session_event__resumed_unknown_older_version__refused),
    CHECK_TEST(test_target_session_event__stale_epoch_in_records__refused_fenced),
    CHECK_TEST(test_target_session_event__resumed_prepared_commit__owned),
    CHECK_TEST(test_target_session_event__owned_with_a_warning__committed_has_it),
    CHECK_TEST(test_target_session_event__resumed_prepared_other_commit__in_doubt),
    CHECK_TEST(test_target_session_event__resumed_prepared_plan__commit_needs_prepare),
    CHECK_TEST(test_target_session_event__resumed_copying_or_new__commit_refused),
    CHECK_TEST(test_target_session_event__resumed_copying_plan__goes_on_receiving),
    CHECK_TEST(test_target_session_event__resumed_then_abort__cleared_before_aborted),
    CHECK_TEST(test_target_session_event__abort_while_records_are_read__they_tell),
    CHECK_TEST(test_target_session_event__abort_then_stale_epoch__refused_not_cleared),
    CHECK_TEST(test_target_session_event__prepare_before_deltas__waits_for_applied),
    CHECK_TEST(test_target_session_event__prepare_without_new_deltas__flushed_at_once),
    CHECK_TEST(test_target_session_event__prepare_of_another_epoch__cleared_fenced),
    CHECK_TEST(test_target_session_event__prepare_of_another_version__cleared_protocol),
    CHECK_TEST(test_target_session_event__prepare_lacks_a_digest__cleared_protocol),
    CHECK_TEST(test_target_session_event__digests_differ__cleared_corrupt),
    CHECK_TEST(test_target_session_event__recorded__prepared_carries_our_digests),
    CHECK_TEST(test_target_session_event__recording_fails__no_prepared),
    CHECK_TEST(test_target_session_event__second_prepare_while_recording__flushed_again),
    CHECK_TEST(test_target_session_event__second_prepare_while_flushing__flushed_again),
    CHECK_TEST(test_target_session_event__second_prepare_when_prepared__prepared_again),
    CHECK_TEST(test_target_session_event__commit_of_another_version_or_epoch__never_owned),
    CHECK_TEST(test_target_session_event__commit_while_a_prepare_waits__never_owned),
    CHECK_TEST(test_target_session_event__commit_before_prepared__cleared_protocol),
    CHECK_TEST(test_target_session_event__owning_fails__in_doubt_without_committed),
};

CHECK_MAIN("target_session", tests)
