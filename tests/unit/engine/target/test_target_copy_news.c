/* SPDX-License-Identifier: Apache-2.0 */
/* test_target_copy_news.c — what a target does with the reports of its appliers: counters,
 * progress, digests and results. The appliers are fakes, and their link is closed. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clock.h"
#include "kept_log.h"
#include "link_ops.h"
#include "target_copy.h"
#include "target_plan.h"

enum { FAMILIES = 2, STREAMS = 3, THREADS = 2, NS_PER_PROGRESS = 50 * 1000000 };

static struct plan_family families[FAMILIES];
static struct plan_stream streams[STREAMS];
static struct target_journal journal;
static struct haul_target_options target;
static struct haul_store_ops ops;
static struct haul_store store = {&ops};
static struct link fake_link;
static struct target_copy copy;
static struct haul_error error;
static struct applier_note note;
static bool has_note;
static uint64_t sequence;
static uint64_t written_by_us;
static uint64_t free_bytes;
static unsigned space_asked;
static unsigned scanned; /* a bit for each family */
static bool tables_sure;
static enum haul_status tables_status;
static enum haul_status accumulated; /* whether the digest of family 1 is available */

/* --- the fakes -------------------------------------------------------------------------------- */

enum haul_status __wrap_applier_note(struct applier *applier, struct applier_note *taken);
enum haul_status __wrap_applier_note(struct applier *applier, struct applier_note *taken)
{
    (void)applier;
    *taken = note;
    bool had = has_note;
    has_note = false;
    return had ? HAUL_OK : HAUL_AGAIN;
}

uint32_t __wrap_applier_thread_count(const struct applier *applier);
uint32_t __wrap_applier_thread_count(const struct applier *applier)
{
    (void)applier;
    return THREADS;
}

void __wrap_applier_flush(struct applier *applier);
void __wrap_applier_flush(struct applier *applier)
{
    (void)applier;
}

uint64_t __wrap_applier_written_records(const struct applier *applier);
uint64_t __wrap_applier_written_records(const struct applier *applier)
{
    (void)applier;
    return written_by_us;
}

enum haul_status __wrap_applier_family_digest(const struct applier *applier, uint32_t family,
                                              struct digest *digest);
enum haul_status __wrap_applier_family_digest(const struct applier *applier, uint32_t family,
                                              struct digest *digest)
{
    (void)applier;
    *digest = (struct digest){.count = 10 + family, .bytes = 100 + family};
    return family == 1 ? accumulated : HAUL_OK;
}

enum haul_status __wrap_target_plan_tables(struct haul_store *asked, const struct plan *plan,
                                           uint32_t family, bool *sure, struct haul_error *failed);
enum haul_status __wrap_target_plan_tables(struct haul_store *asked, const struct plan *plan,
                                           uint32_t family, bool *sure, struct haul_error *failed)
{
    (void)asked;
    (void)plan;
    *sure = tables_sure || family == 0;
    return tables_status == HAUL_OK || family == 0
               ? HAUL_OK
               : haul_error_set(failed, tables_status, NULL, 0, "not checked");
}

enum haul_status __wrap_target_plan_digest(struct haul_store *asked, const struct plan *plan,
                                           uint32_t family, struct digest *digest,
                                           const struct haul_steps *steps,
                                           struct haul_error *failed);
enum haul_status __wrap_target_plan_digest(struct haul_store *asked, const struct plan *plan,
                                           uint32_t family, struct digest *digest,
                                           const struct haul_steps *steps,
                                           struct haul_error *failed)
{
    (void)asked;
    (void)plan;
    (void)steps;
    (void)failed;
    scanned |= 1U << family;
    *digest = (struct digest){.count = 1000 + family};
    return HAUL_OK;
}

static uint64_t tell_sequence(struct haul_store *asked)
{
    (void)asked;
    return sequence;
}

static enum haul_status tell_space(struct haul_store *asked, struct haul_space *space,
                                   struct haul_error *failed)
{
    (void)asked;
    (void)failed;
    space_asked++;
    *space = (struct haul_space){.free_bytes = free_bytes, .total_bytes = UINT64_C(1) << 40};
    return HAUL_OK;
}

static enum haul_status check_tables(struct haul_store *asked, uint32_t family_id,
                                     struct haul_slice start, struct haul_slice end, bool *sure,
                                     struct haul_error *failed)
{
    (void)asked;
    (void)family_id;
    (void)start;
    (void)end;
    (void)failed;
    *sure = true;
    return HAUL_OK;
}

static enum haul_status reserve(void *context, const struct haul_reservation *reservation,
                                struct haul_error *failed)
{
    (void)context;
    (void)reservation;
    (void)failed;
    return HAUL_OK;
}

/* --- a copy ----------------------------------------------------------------------------------- */

/* Stream 0 is metadata, of family 0; streams 1 and 2 are of family 1. */
static void begin(void)
{
    const struct link_config config = {.epoch = 1};
    memset(families, 0, sizeof(families));
    families[0].metadata = true;
    memcpy(families[0].family.name, "meta", sizeof("meta"));
    memcpy(families[1].family.name, "data", sizeof("data"));
    for (uint32_t i = 0; i < STREAMS; i++) {
        streams[i] = (struct plan_stream){.family = i > 0, .bytes = 10};
    }
    ops = (struct haul_store_ops){.sequence = tell_sequence, .space = tell_space};
    memset(&target, 0, sizeof(target));
    target.store = &store;
    target.log = &kept_log;
    memset(&journal, 0, sizeof(journal));
    journal.plan = (struct plan){.families = families,
                                 .family_count = FAMILIES,
                                 .streams = streams,
                                 .stream_count = STREAMS,
                                 .old_version = 3,
                                 .new_version = 4};
    target_copy_init(&copy, &target, &journal, NULL, &config);
    target_copy_count_finished(&copy);
    copy.applier = (struct applier *)(void *)&fake_link;
    copy.started = true;
    copy.started_ns = 1000;
    copy.started_sequence = 50;
    fake_link = (struct link){.stats = {.bytes_received = 77}};
    copy.links.links[0].rx.base = &fake_link;
    copy.links.links[0].closed = true;
    sequence = 50;
    written_by_us = scanned = space_asked = 0;
    free_bytes = UINT64_C(1) << 39;
    tables_sure = true;
    tables_status = HAUL_OK;
    accumulated = HAUL_OK;
}

static void end(void)
{
    memset(copy.links.links, 0, sizeof(copy.links.links));
    copy.applier = NULL;
    copy.positions.waiting_count = 0;
    free(copy.positions.waiting);
    free(copy.recorded);
}

static enum target_copy_news next(const struct applier_note *one)
{
    note = *one;
    has_note = true;
    return target_copy_next(&copy, &error);
}

/* A batch that the appliers had has taken effect. */
static enum target_copy_news applied(uint32_t stream, bool finished)
{
    copy.links.links[0].unapplied++;
    return next(&(struct applier_note){.type = APPLIER_APPLIED,
                                       .link = &fake_link,
                                       .stream = stream,
                                       .records = 5,
                                       .bytes = 60,
                                       .stream_finished = finished});
}

/* --- notes ------------------------------------------------------------------------------------ */

static void test_target_copy_next__batches__counted_each_in_its_place(void)
{
    begin();
    check_equal(applied(1, false), TARGET_COPY_WORKED);
    check_equal(applied(0, true), TARGET_COPY_WORKED);
    check_equal(applied(2, true), TARGET_COPY_WORKED);
    check_equal(applied(PLAN_DELTA_STREAM, false), TARGET_COPY_DELTA);
    check_equal(copy.records, 20);
    check_equal(copy.bytes, 240);
    check_equal(copy.delta_batches, 1);
    check_equal(copy.finished_metadata_streams, 1);
    check_equal(copy.moves, 4);
    check_equal(target_copy_next(&copy, &error), TARGET_COPY_NOTHING);
    check_equal(copy.moves, 4);
    end();
}

/* The source waits for the last delta of a round, and for the end of a stream. */
static void test_target_copy_next__somebody_waits__progress_at_once(void)
{
    static const struct {
        uint32_t stream;
        bool finished;
        bool more; /* batches with the appliers */
        bool at_once;
    } cases[] = {{1, false, false, false},
                 {1, true, true, true},
                 {PLAN_DELTA_STREAM, false, true, false},
                 {PLAN_DELTA_STREAM, false, false, true}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        copy.progress_sent_ns = 5 * (uint64_t)NS_PER_PROGRESS;
        copy.links.links[0].unapplied = cases[i].more;
        (void)applied(cases[i].stream, cases[i].finished);
        check_equal(target_copy_progress_ns(&copy),
                    NS_PER_PROGRESS * (cases[i].at_once ? UINT64_C(1) : UINT64_C(6)));
        end();
    }
}

static void test_target_copy_flush__every_thread_answers__flushed_with_the_last(void)
{
    begin();
    target_copy_flush(&copy);
    check_equal(next(&(struct applier_note){.type = APPLIER_FLUSHED}), TARGET_COPY_WORKED);
    check_equal(next(&(struct applier_note){.type = APPLIER_FLUSHED}), TARGET_COPY_FLUSHED);
    end();
}

static void test_target_copy_next__failed__the_appliers_error(void)
{
    struct applier_note failed = {.type = APPLIER_FAILED};
    begin();
    haul_error_set(&failed.error, HAUL_NO_SPACE, NULL, 0, "full");
    check_equal(next(&failed), TARGET_COPY_FAILED);
    check_status(error.status, HAUL_NO_SPACE);
    check_text(error.text, "full");
    end();
}

/* They wait until the records can take them, in the order in which they came. */
static void test_target_copy_next__durable__its_positions_wait(void)
{
    begin();
    for (uint32_t stream = 0; stream < STREAMS; stream++) {
        struct stream_position *position = calloc(1, sizeof(*position));
        check_or_stop(position != NULL);
        *position = (struct stream_position){.stream = stream, .resumable = true};
        check_equal(next(&(struct applier_note){
                        .type = APPLIER_DURABLE, .positions = position, .position_count = 1}),
                    TARGET_COPY_DURABLE);
        check_or_stop(copy.positions.waiting_count == stream + 1);
        check_equal(copy.positions.waiting[stream].stream, stream);
    }
    end();
}

/* The journal has one more position: `count` records of the stream are durable. */
static void record(uint32_t stream, uint64_t count, bool finished)
{
    struct stream_position *position = calloc(1, sizeof(*position));
    check_or_stop(position != NULL);
    *position = (struct stream_position){.stream = stream,
                                         .resumable = true,
                                         .finished = finished,
                                         .digest = {.count = count, .bytes = 10 * count}};
    check_equal(next(&(struct applier_note){
                    .type = APPLIER_DURABLE, .positions = position, .position_count = 1}),
                TARGET_COPY_DURABLE);
    check(position_queue_take(&copy.positions));
    target_copy_recorded(&copy);
    check(!position_queue_is_busy(&copy.positions));
}

static void test_target_copy_recorded__streams_go_on__each_record_counts_once(void)
{
    begin();
    record(1, 5, false);
    record(1, 7, false);
    record(2, 3, false);
    check_equal(copy.durable_records, 10);
    check_equal(copy.durable_bytes, 100);
    check_equal(copy.recorded_streams, 0);
    record(2, 4, true);
    check_equal(copy.durable_records, 11);
    check_equal(copy.recorded_streams, 1);
    end();
}

static void test_target_copy_next__block_is_free__lent_no_more(void)
{
    begin();
    copy.links.links[0].lent = 1;
    check_equal(next(&(struct applier_note){.type = APPLIER_FREED, .link = &fake_link}),
                TARGET_COPY_WORKED);
    check_equal(copy.links.links[0].lent, 0);
    end();
}

/* The appliers have ended, and read no lent block any more. */
static void test_target_copy_stopped__blocks_are_lent__no_more(void)
{
    begin();
    copy.links.links[0].lent = 1;
    copy.links.links[0].unapplied = 1;
    target_copy_stopped(&copy);
    check_equal(copy.links.links[0].lent, 0);
    check_equal(receiver_links_unapplied(&copy.links), 0);
    end();
}

/* --- progress --------------------------------------------------------------------------------- */

static void test_target_copy_progress__due__each_figure(void)
{
    struct message message;
    begin();
    (void)applied(0, true);
    (void)applied(PLAN_DELTA_STREAM, false);
    copy.durable_records = 7;
    copy.durable_bytes = 8;
    copy.recorded_streams = STREAMS;
    copy.progress_sent_ns = NS_PER_PROGRESS;
    copy.started_ns = NS_PER_PROGRESS / 2;
    copy.starved_ns = 9000;
    check(!target_copy_progress(&copy, 2 * NS_PER_PROGRESS - 1, &message));
    check(target_copy_progress(&copy, 2 * NS_PER_PROGRESS, &message));
    check_equal(message.type, MESSAGE_PROGRESS);
    check_equal(message.as.progress.applied_records, 10);
    check_equal(message.as.progress.applied_bytes, 120);
    check_equal(message.as.progress.delta_applied_batches, 1);
    check_equal(message.as.progress.durable_records, 7);
    check_equal(message.as.progress.durable_bytes, 8);
    check_equal(message.as.progress.starved_us, 9);
    check_equal(message.as.progress.elapsed_us, NS_PER_PROGRESS * 3 / 2 / NS_PER_US);
    check(message.as.progress.snapshot_complete && message.as.progress.metadata_complete);
    check(!target_copy_progress(&copy, 9 * (uint64_t)NS_PER_PROGRESS, &message)); /* nothing new */
    check(target_copy_progress_ns(&copy) == CLOCK_NEVER);
    copy.recorded_streams = STREAMS - 1;
    copy.finished_metadata_streams = 0;
    copy.progress_due = true;
    check(target_copy_progress(&copy, 9 * (uint64_t)NS_PER_PROGRESS, &message));
    check(!message.as.progress.snapshot_complete && !message.as.progress.metadata_complete);
    copy.progress_due = true;
    copy.started = false;
    check(target_copy_progress_ns(&copy) == CLOCK_NEVER);
    end();
}

static uint64_t now;

static uint64_t now_of_test(void *context)
{
    (void)context;
    return now;
}

/* A second passes after each poll. Only one that leaves nothing to do counts. */
static void test_target_copy_poll_links__all_applied__starves_until_the_next_poll(void)
{
    static const struct haul_clock clock = {.now_ns = now_of_test};
    static const struct {
        bool started;
        unsigned unapplied;
        uint64_t starved_s;
    } cases[] = {{true, 0, 1}, {true, 1, 0}, {false, 0, 0}};
    struct haul_error failed = {0};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin();
        now = 5 * NS_PER_S;
        copy.links.config.clock = &clock;
        copy.started = cases[i].started;
        copy.links.links[0].lent = 1; /* keeps the closed link */
        copy.links.links[0].unapplied = cases[i].unapplied;
        check(!target_copy_poll_links(&copy, &failed));
        now += NS_PER_S;
        copy.links.links[0].unapplied = 1; /* something has come */
        check(!target_copy_poll_links(&copy, &failed));
        check_equal(copy.starved_ns, cases[i].starved_s * NS_PER_S);
        now += NS_PER_S;
        check(!target_copy_poll_links(&copy, &failed));
        check_equal(copy.starved_ns, cases[i].starved_s * NS_PER_S);
        copy.links.links[0].unapplied = 0;
        copy.links.links[0].lent = 0;
        end();
    }
}

static void test_target_copy_activity__news__another_number(void)
{
    bool idle = false;
    begin();
    uint64_t before = target_copy_activity(&copy, &idle);
    check(idle);
    check_equal(target_copy_activity(&copy, &idle), before);
    copy.links.links[0].unapplied = 1;
    check_equal(target_copy_activity(&copy, &idle), before);
    check(!idle);
    copy.links.links[0].unapplied = 0;
    (void)applied(1, false);
    uint64_t applied_one = target_copy_activity(&copy, &idle);
    check(applied_one != before);
    fake_link.stats.bytes_received++;
    check(target_copy_activity(&copy, &idle) != applied_one);
    end();
}

static void test_target_copy_check_space__often__asked_by_time_and_by_bytes(void)
{
    enum { INTERVAL_NS = 250 * 1000000, INTERVAL_BYTES = 8 << 20 };
    begin();
    check_status(target_copy_check_space(&copy, 1, &error), HAUL_OK);
    check_status(target_copy_check_space(&copy, INTERVAL_NS, &error), HAUL_OK);
    check_equal(space_asked, 1);
    check_status(target_copy_check_space(&copy, INTERVAL_NS + 1, &error), HAUL_OK);
    check_equal(space_asked, 2);
    copy.bytes = INTERVAL_BYTES - 1;
    check_status(target_copy_check_space(&copy, INTERVAL_NS + 2, &error), HAUL_OK);
    check_equal(space_asked, 2);
    copy.bytes = INTERVAL_BYTES;
    free_bytes = 0;
    target.keep_free_bytes = 1;
    check_error(target_copy_check_space(&copy, INTERVAL_NS + 2, &error), HAUL_NO_SPACE, error);
    check_equal(space_asked, 3);
    end();
}

static void test_target_copy_check_space__records_arrive__claims_the_rest(void)
{
    enum { INTERVAL_NS = 250 * 1000000 };
    struct space_claims claims = {.bytes = {0}};
    const struct space_claim other = {.all = &claims, .index = 1};
    begin();
    journal.claim = (struct space_claim){.all = &claims, .index = 0};
    check_status(target_copy_check_space(&copy, 1, &error), HAUL_OK);
    check_equal(space_claim_others(&other), 10 * STREAMS);
    copy.bytes = 7;
    copy.durable_bytes = 4;
    check_status(target_copy_check_space(&copy, INTERVAL_NS + 1, &error), HAUL_OK);
    check_equal(space_claim_others(&other), 10 * STREAMS - 7);
    copy.durable_bytes = 8; /* an earlier attempt has brought a part */
    check_status(target_copy_check_space(&copy, 2 * INTERVAL_NS + 1, &error), HAUL_OK);
    check_equal(space_claim_others(&other), 10 * STREAMS - 8);
    copy.recorded_streams = STREAMS; /* the estimate was too large */
    check_status(target_copy_check_space(&copy, 3 * INTERVAL_NS + 1, &error), HAUL_OK);
    check_equal(space_claim_others(&other), 0);
    copy.recorded_streams = 0;
    copy.bytes = 10 * STREAMS + 1; /* or too small */
    check_status(target_copy_check_space(&copy, UINT64_C(4) * INTERVAL_NS + 1, &error), HAUL_OK);
    check_equal(space_claim_others(&other), 0);
    end();
}

/* --- digests ---------------------------------------------------------------------------------- */

static bool take_digests(bool source_reads_back)
{
    const haul_control_Prepare prepare = {.read_back = source_reads_back};
    return target_copy_take_digests(&copy, &prepare);
}

/* A bit for each family that must be scanned. */
static unsigned wanted(void)
{
    return (unsigned)copy.scan_wanted[0] | (unsigned)copy.scan_wanted[1] << 1;
}

static void test_target_copy_take_digests__each_reason_to_scan__alone(void)
{
    begin();
    check(take_digests(false));
    check_equal(wanted(), 0);
    check_equal(copy.digests[1].count, 11);
    check(!take_digests(true));
    check_equal(wanted(), 3);
    target.read_back = true;
    check(!take_digests(false));
    target.read_back = false;
    accumulated = HAUL_LIMIT;
    check(!take_digests(false));
    check_equal(wanted(), 2);
    accumulated = HAUL_OK;
    sequence += 5; /* of other writers */
    check(!take_digests(false));
    check(kept_log_had("info: others write to this database (5 records): the range is scanned"));
    check_equal(wanted(), 3);
    written_by_us = 5;
    check(take_digests(false));
    check_equal(wanted(), 0);
    sequence++;
    target.hooks.reserve = reserve; /* keeps others off the ranges */
    check(take_digests(false));
    end();
}

static void test_target_copy_scan_digests__tables_have_changed__that_family_alone(void)
{
    begin();
    journal.lane = HAUL_LANE_INGEST;
    check(take_digests(false)); /* a store that forgets no tables */
    ops.tables_check = check_tables;
    check(!take_digests(false)); /* the tables must be looked for */
    check_status(target_copy_scan_digests(&copy, &error), HAUL_OK);
    check_equal(scanned, 0);
    tables_sure = false;
    tables_status = HAUL_IO; /* what cannot be checked has not changed */
    check_error(target_copy_scan_digests(&copy, &error), HAUL_IO, error);
    check_equal(wanted(), 0);
    check_equal(scanned, 0);
    tables_status = HAUL_OK;
    check_status(target_copy_scan_digests(&copy, &error), HAUL_OK);
    check(kept_log_had("info: column family 'data': ingested tables have changed: the range"));
    check_equal(scanned, 2);
    check_equal(copy.digests[0].count, 10);
    check_equal(copy.digests[1].count, 1001);
    journal.lane = HAUL_LANE_WRITE_BATCH;
    scanned = 0;
    check(take_digests(false));
    check_status(target_copy_scan_digests(&copy, &error), HAUL_OK);
    check_equal(scanned, 0);
    end();
}

static void test_target_copy_is_quiet__batches_of_this_prepare__only_then(void)
{
    const haul_control_Prepare prepare = {.delta_batches = 1};
    begin();
    check(!target_copy_is_quiet(&copy, &prepare));
    (void)applied(PLAN_DELTA_STREAM, false);
    check(target_copy_is_quiet(&copy, &prepare));
    copy.links.links[0].unapplied = 1;
    check(!target_copy_is_quiet(&copy, &prepare));
    end();
}

static void test_target_copy_leave__others_wrote__not_known(void)
{
    struct target_left left;
    begin();
    journal.job[0] = 9;
    sequence = 60;
    written_by_us = 10;
    target_copy_leave(&copy, &left);
    check(left.known);
    check_equal(left.sequence, 60);
    check_equal(left.job[0], 9);
    sequence = 61;
    target_copy_leave(&copy, &left);
    check(!left.known);
    end();
}

/* --- the result ------------------------------------------------------------------------------- */

static void test_target_copy_result__ended_well__each_field(void)
{
    static struct haul_result result;
    struct haul_progress figures;
    begin();
    journal.resumed = true;
    journal.lane = HAUL_LANE_INGEST;
    copy.digests[0] = (struct digest){.count = 3, .bytes = 30};
    copy.digests[1] = (struct digest){.count = 4, .bytes = 40, .low = 1};
    memset(&result, 0, sizeof(result));
    target_copy_result(&copy, &result);
    check(result.resumed);
    check_equal(result.lane, HAUL_LANE_INGEST);
    check_equal(result.old_version, 3);
    check_equal(result.new_version, 4);
    check_equal(result.family_count, FAMILIES);
    check_text(result.families[0].name, "meta");
    check_text(result.families[1].name, "data");
    check_equal(result.families[1].records, 4);
    check_equal(result.families[1].bytes, 40);
    check_equal(strlen(result.families[1].digest), 32);
    check(strcmp(result.families[0].digest, result.families[1].digest) != 0);
    check_equal(result.progress.records, 7);
    check_equal(result.progress.bytes, 70);
    check_equal(result.link.bytes_received, 77);
    memset(&result, 0, sizeof(result));
    result.status = HAUL_IO;
    target_copy_result(&copy, &result);
    check_equal(result.progress.records, 0);
    memset(&result, 0, sizeof(result));
    copy.started_ns = 0;
    target_copy_result(&copy, &result);
    check_equal(result.progress.records, 0);
    (void)applied(1, false);
    target_copy_figures(&copy, 5, &figures);
    check(figures.seconds == 0.0);
    copy.started_ns = 1000;
    target_copy_figures(&copy, 1000 + NS_PER_S / 2, &figures);
    check(figures.seconds == 0.5);
    check_equal(figures.records, 5);
    check_equal(figures.bytes, 60);
    check_equal(figures.wire_bytes, 77);
    check_equal(figures.bytes_expected, 30);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_target_copy_next__batches__counted_each_in_its_place),
    CHECK_TEST(test_target_copy_next__somebody_waits__progress_at_once),
    CHECK_TEST(test_target_copy_flush__every_thread_answers__flushed_with_the_last),
    CHECK_TEST(test_target_copy_next__failed__the_appliers_error),
    CHECK_TEST(test_target_copy_next__durable__its_positions_wait),
    CHECK_TEST(test_target_copy_recorded__streams_go_on__each_record_counts_once),
    CHECK_TEST(test_target_copy_next__block_is_free__lent_no_more),
    CHECK_TEST(test_target_copy_stopped__blocks_are_lent__no_more),
    CHECK_TEST(test_target_copy_progress__due__each_figure),
    CHECK_TEST(test_target_copy_poll_links__all_applied__starves_until_the_next_poll),
    CHECK_TEST(test_target_copy_activity__news__another_number),
    CHECK_TEST(test_target_copy_check_space__often__asked_by_time_and_by_bytes),
    CHECK_TEST(test_target_copy_check_space__records_arrive__claims_the_rest),
    CHECK_TEST(test_target_copy_take_digests__each_reason_to_scan__alone),
    CHECK_TEST(test_target_copy_scan_digests__tables_have_changed__that_family_alone),
    CHECK_TEST(test_target_copy_is_quiet__batches_of_this_prepare__only_then),
    CHECK_TEST(test_target_copy_leave__others_wrote__not_known),
    CHECK_TEST(test_target_copy_result__ended_well__each_field),
};
CHECK_MAIN("target_copy_news", tests)
