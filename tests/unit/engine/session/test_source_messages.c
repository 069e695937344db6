/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_messages.c — what stands in the messages of a source: each field of each one. */
#include "journal_record.h"
#include "source_session_fixture.h"

enum { ROUND_SEQUENCE = 4711, BATCHES = 3 };

static const uint8_t secret[4] = {9, 8, 7, 6};
static struct source_session_options options;

/* Everything that a source can be told differs from nothing. */
static void open_full(bool decided)
{
    open_session_of(false); /* makes the plan */
    source_session_destroy(session);
    plan.old_version = 40;
    plan.new_version = 41;
    options = (struct source_session_options){.plan = &plan,
                                              .epoch = 5,
                                              .identity = "source/1",
                                              .source = {.lag_bytes_max = LAG_BYTES_MAX,
                                                         .freeze_max_ms = FREEZE_MAX_MS,
                                                         .read_back = true,
                                                         .link_count = 3,
                                                         .link = {.slot_size_bytes = 12345},
                                                         .secret = {secret, sizeof(secret)}},
                                              .version = {.version = 40, .authoritative = true},
                                              .peer_timeout_ms = PEER_TIMEOUT_MS,
                                              .retry_max_ms = RETRY_MAX_MS,
                                              .decided = decided,
                                              .frozen_sequence = decided ? 99 : 0,
                                              .moved_records = decided ? 55 : 0,
                                              .moved_bytes = decided ? 66 : 0};
    memset(options.job, 7, sizeof(options.job));
    check_or_stop(source_session_create(&options, &session) == HAUL_OK);
}

/* The next action is that message, in `action`; release it. */
static bool takes(enum message_type type)
{
    bool found = next_action() && action.type == SOURCE_ACTION_SEND && action.message.type == type;
    check(found);
    return found;
}

static void test_source_session__hello__each_field(void)
{
    open_full(false);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    if (takes(MESSAGE_HELLO)) {
        const haul_control_Hello *hello = &action.message.as.hello;
        check_equal(hello->wire_version, MESSAGE_WIRE_VERSION);
        check_equal(hello->journal_version, JOURNAL_FORMAT_VERSION);
        check(strncmp(hello->software, "haul ", 5) == 0);
        check(hello->job.size == HAUL_JOB_BYTES && hello->job.bytes[0] == 7);
        check_equal(hello->epoch, 5);
        check_equal(hello->config_version, 40);
        check(hello->config_version_known);
        check(hello->source_identity.size == 8 &&
              memcmp(hello->source_identity.bytes, "source/1", 8) == 0);
        check_equal(hello->link_count, 3);
        check_equal(hello->slot_size_bytes, 12345);
        check_equal(hello->peer_timeout_ms, PEER_TIMEOUT_MS);
        check(hello->secret.size == sizeof(secret) &&
              memcmp(hello->secret.bytes, secret, sizeof(secret)) == 0);
        check_equal(hello->retry_ms, RETRY_MAX_MS);
        check(!hello->resume);
        message_release(&action.message);
    }
    source_session_destroy(session);
}

/* Up to Prepare, which is in `action`. */
static bool prepare(void)
{
    bool resume = false;
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome(1);
    bind_to_target(1);
    check(sends(MESSAGE_PLAN, &resume));
    feed_accepted(1);
    check(does(SOURCE_ACTION_OPEN_LINKS));
    feed_type(SOURCE_EVENT_LINKS_UP, HAUL_OK, 1);
    check(does(SOURCE_ACTION_START_COPY));
    feed_type(SOURCE_EVENT_COPIED, HAUL_OK, 1);
    feed_progress(0, 1);
    check(does(SOURCE_ACTION_ROUND));
    feed_round_done(0, 0, 2);
    check(does(SOURCE_ACTION_FREEZE));
    const struct source_event frozen = {.type = SOURCE_EVENT_FROZEN, .frozen_ns = 2};
    source_session_event(session, &frozen, 3);
    check(does(SOURCE_ACTION_ROUND));
    const struct source_event last = {.type = SOURCE_EVENT_ROUND_DONE,
                                      .bytes = 10,
                                      .sequence = ROUND_SEQUENCE,
                                      .batches = BATCHES};
    source_session_event(session, &last, 4);
    feed_progress(BATCHES, 5);
    check(does(SOURCE_ACTION_DIGEST));
    feed_digested(6);
    return takes(MESSAGE_PREPARE);
}

static void test_source_session__prepare_and_commit__each_field(void)
{
    open_full(false);
    if (prepare()) {
        const haul_control_Prepare *sent = &action.message.as.prepare;
        check_equal(sent->frozen_sequence, ROUND_SEQUENCE);
        check_equal(sent->freeze, 1);
        check_equal(sent->delta_batches, BATCHES);
        check_equal(sent->old_version, 40);
        check_equal(sent->new_version, 41);
        check_equal(sent->epoch, 5);
        check(sent->read_back);
        check_or_stop(sent->digests_count == 1);
        check(sent->digests[0].count == 5 && sent->digests[0].bytes == 8);
        message_release(&action.message);
    }
    struct message prepared;
    message_init(&prepared, MESSAGE_PREPARED);
    prepared.as.prepared.freeze = 1;
    prepared.as.prepared.frozen_sequence = ROUND_SEQUENCE;
    prepared.as.prepared.digests_count = 1;
    prepared.as.prepared.read_back = true;
    prepared.as.prepared.digests = calloc(1, sizeof(haul_control_FamilyDigest));
    check_or_stop(prepared.as.prepared.digests != NULL);
    prepared.as.prepared.digests[0] =
        (haul_control_FamilyDigest){.count = 5, .low = 6, .high = 7, .bytes = 8};
    feed_message(&prepared, 7);
    check(does(SOURCE_ACTION_DECIDE));
    feed_type(SOURCE_EVENT_DECIDED, HAUL_OK, 8);
    check(does(SOURCE_ACTION_RELEASE));
    if (takes(MESSAGE_COMMIT)) {
        const haul_control_Commit *sent = &action.message.as.commit;
        check_equal(sent->records, 5);
        check_equal(sent->bytes, 8);
        check_equal(sent->frozen_sequence, ROUND_SEQUENCE);
        check_equal(sent->new_version, 41);
        check_equal(sent->epoch, 5);
        message_release(&action.message);
    }
    struct source_session_figures figures;
    source_session_figures(session, &figures);
    check(figures.verified);
    check_equal(figures.freeze_started_ns, 2);
    check_equal(figures.lag_bytes, 10);
    check_equal(figures.lag_bytes_at_freeze, 0);
    source_session_destroy(session);
}

/* A job that was decided before tells what it has moved, by its record. */
static void test_source_session__commit_of_a_decided_job__figures_of_its_record(void)
{
    bool resume = false;
    open_full(true);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume) && resume);
    feed_welcome_of(JOB_PREPARED, 1);
    bind_to_target(1);
    if (takes(MESSAGE_COMMIT)) {
        const haul_control_Commit *sent = &action.message.as.commit;
        check_equal(sent->records, 55);
        check_equal(sent->bytes, 66);
        check_equal(sent->frozen_sequence, 99);
        message_release(&action.message);
    }
    source_session_destroy(session);
}

static void test_source_session__abort__why(void)
{
    bool resume = false;
    open_full(false);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    feed_welcome(1);
    bind_to_target(1);
    check(sends(MESSAGE_PLAN, &resume));
    feed_type(SOURCE_EVENT_CANCEL, HAUL_CANCELLED, 2);
    check(does(SOURCE_ACTION_STOP));
    if (takes(MESSAGE_ABORT)) {
        check_equal(action.message.as.abort.status, HAUL_CANCELLED);
        check_text(action.message.as.abort.text, "test");
        message_release(&action.message);
    }
    source_session_destroy(session);
}

/* What a target that refuses knows of jobs is kept for the operator. */
static void test_source_session__refused__the_jobs_that_it_names(void)
{
    bool resume = false;
    struct source_session_figures figures;
    struct message refused;
    open_full(false);
    feed_type(SOURCE_EVENT_CHANNEL_UP, HAUL_OK, 1);
    check(sends(MESSAGE_HELLO, &resume));
    message_init(&refused, MESSAGE_REFUSED);
    refused.as.refused.status = HAUL_MISMATCH;
    refused.as.refused.owned_job.size = HAUL_JOB_BYTES;
    memset(refused.as.refused.owned_job.bytes, 3, HAUL_JOB_BYTES);
    refused.as.refused.lost.size = HAUL_JOB_BYTES;
    memset(refused.as.refused.lost.bytes, 4, HAUL_JOB_BYTES);
    feed_message(&refused, 2);
    source_session_figures(session, &figures);
    check(figures.owned_job[0] == 3 && figures.owned_job[HAUL_JOB_BYTES - 1] == 3);
    check_equal(job_list_count(&figures.lost), 1);
    check(job_list_count(&figures.lost) == 0 || job_list_at(&figures.lost, 0)[0] == 4);
    source_session_destroy(session);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_session__hello__each_field),
    CHECK_TEST(test_source_session__prepare_and_commit__each_field),
    CHECK_TEST(test_source_session__commit_of_a_decided_job__figures_of_its_record),
    CHECK_TEST(test_source_session__abort__why),
    CHECK_TEST(test_source_session__refused__the_jobs_that_it_names),
};
CHECK_MAIN("source_messages", tests)
