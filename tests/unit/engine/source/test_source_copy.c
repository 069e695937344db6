/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_copy.c — the data side of a source without a target: the test takes what it sends out
 * of the outbox. */
#include "source_copy.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "raw_batch.h"
#include "rocks_fixture.h"

enum { RECORDS = 200, LINKS_MAX = 4, SLOTS = 8, SLOT_BYTES = 65536, WAIT_MS = 20000 };

static struct rocks_fixture fixture;
static struct haul_source_options source;
static struct plan plan;
static struct haul_snapshot *snapshot;
static uint64_t sequence;
static struct poll_group *group;
static struct source_copy copy;
static haul_control_StreamPosition positions[2];
static haul_control_PlanAccepted accepted;
static struct haul_error error;
static struct source_event event;

/* A store of one stream. */
static void begin_as(bool adopted)
{
    memset(&accepted, 0, sizeof(accepted));
    memset(positions, 0, sizeof(positions));
    accepted.positions = positions;
    rocks_fixture_open(&fixture);
    rocks_fixture_fill(&fixture, 0, "k", RECORDS, 10);
    source = (struct haul_source_options){
        .lane = HAUL_LANE_WRITE_BATCH,
        .transports = {{HAUL_TRANSPORT_TCP}},
        .link = {.slot_count = SLOTS, .slot_size_bytes = SLOT_BYTES},
        .link_count = LINKS_MAX,
        .reader_count = 2,
        .batch_size_bytes_min = 1024,
        .batch_size_bytes_max = SLOT_BYTES,
    };
    const struct haul_range range = {text_slice("k"), text_slice("l")};
    source.ranges = &range;
    source.range_count = 1;
    check_or_stop(plan_make(&plan, fixture.store, &source, 0, &error) == HAUL_OK);
    check_or_stop(plan.stream_count == 1);
    check_or_stop(fixture.store->ops->snapshot_open(fixture.store, &snapshot, &sequence, &error) ==
                  HAUL_OK);
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    const struct source_copy_options options = {.chooses_links = true,
                                                .chooses_readers = true,
                                                .store = fixture.store,
                                                .source = &source,
                                                .plan = &plan,
                                                .snapshot = snapshot,
                                                .snapshot_sequence = sequence,
                                                .log_sequence = sequence,
                                                .adopted = adopted,
                                                .epoch = 1,
                                                .clock = &clock_monotonic,
                                                .group = group};
    check_or_stop(source_copy_init(&copy, &options, &error) == HAUL_OK);
}

static void begin(void)
{
    begin_as(false);
}

static void end(void)
{
    source_copy_fini(&copy);
    fixture.store->ops->snapshot_close(fixture.store, snapshot);
    plan_fini(&plan);
    poll_group_destroy(group);
    rocks_fixture_close(&fixture);
}

static void drain(void)
{
    struct block *block;
    while ((block = outbox_take(&copy.outbox)) != NULL) {
        outbox_give_back(&copy.outbox, block);
    }
}

/* Poll until there is an event; false: none in time. */
static bool next_event(void)
{
    for (int i = 0; i < WAIT_MS; i++) {
        (void)source_copy_poll(&copy, true);
        drain();
        if (source_copy_event(&copy, &event)) {
            return true;
        }
        (void)poll(NULL, 0, 1);
    }
    return false;
}

static void expect(enum source_event_type type)
{
    check_or_stop(next_event());
    check_equal(event.type, type);
}

static void start(void)
{
    check_or_stop(source_copy_start(&copy, &accepted, &error) == HAUL_OK);
}

/* How many more members the group accepts. */
static int room_of_group(void)
{
    int fds[POLL_GROUP_MEMBERS_MAX];
    int count = 0;
    while (count < POLL_GROUP_MEMBERS_MAX) {
        fds[count] = eventfd(0, EFD_CLOEXEC);
        if (poll_group_add_fd(group, fds[count]) != HAUL_OK) {
            (void)close(fds[count]);
            break;
        }
        count++;
    }
    for (int i = 0; i < count; i++) {
        poll_group_remove_fd(group, fds[i]);
        (void)close(fds[i]);
    }
    return count;
}

static int descriptor_count(void)
{
    DIR *entries = opendir("/proc/self/fd");
    int count = 0;
    check_or_stop(entries != NULL);
    while (readdir(entries) != NULL) {
        count++;
    }
    (void)closedir(entries);
    return count;
}

/* --- opened and closed again ------------------------------------------------------------------ */

static void test_source_copy_close__ten_times__nothing_is_left(void)
{
    begin();
    int room = room_of_group();
    int descriptors = 0;
    for (int i = 0; i < 10; i++) {
        start();
        expect(SOURCE_EVENT_COPIED);
        source_copy_round(&copy);
        expect(SOURCE_EVENT_ROUND_DONE);
        source_copy_close(&copy);
        check_equal(copy.tasks + copy.running_tasks, 0);
        check(!copy.rounding && !copy.following && !copy.digests_ready && !copy.copying);
        check(!source_copy_poll(&copy, true));
        check(copy.readers == NULL);
        check_or_stop(source_copy_open(&copy, &error) == HAUL_OK);
        check_equal(room_of_group(), room);
        descriptors = i == 0 ? descriptor_count() : descriptors;
        check_equal(descriptor_count(), descriptors);
    }
    end();
}

static void test_source_copy_stop__readers_are_at_work__ends_and_can_be_closed(void)
{
    begin();
    int room = room_of_group();
    start();
    (void)source_copy_poll(&copy, true);
    source_copy_stop(&copy);
    check(!copy.copying);
    check_equal(room_of_group(), room); /* the outbox is a member, the readers are not yet */
    source_copy_stop(&copy);
    source_copy_close(&copy);
    check_or_stop(source_copy_open(&copy, &error) == HAUL_OK);
    check_equal(room_of_group(), room);
    start();
    expect(SOURCE_EVENT_COPIED);
    end();
}

/* --- what the distance decides ---------------------------------------------------------------- */

static void test_source_copy_note_distance__near_and_far__links_and_readers(void)
{
    static const struct {
        uint32_t round_trip_us;
        bool chooses_links;
        bool chooses_readers;
        uint32_t links;
        uint32_t readers;
        bool far;
        bool near;
    } cases[] = {
        {0, true, true, 1, 2, false, true},      {4999, true, true, 1, 2, false, false},
        {5000, true, true, 4, 4, true, false},   {5000, true, false, 4, 2, true, false},
        {4999, false, true, 4, 4, false, false}, {4999, false, false, 4, 2, false, false},
        {999, false, false, 4, 2, false, true},  {1000, false, false, 4, 2, false, false},
    };
    begin();
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        copy.options.chooses_links = cases[i].chooses_links;
        copy.options.chooses_readers = cases[i].chooses_readers;
        source_copy_note_distance(&copy, cases[i].round_trip_us);
        check_equal(copy.links.active_count, cases[i].links);
        check_equal(copy.reader_count, cases[i].readers);
        check_equal(copy.links.is_far, cases[i].far);
        check(!copy.links.is_near); /* slots and batch sizes were chosen by the operator */
        copy.options.chooses_window = true;
        source_copy_note_distance(&copy, cases[i].round_trip_us);
        check_equal(copy.links.is_near, cases[i].near);
        copy.options.chooses_window = false;
        check_equal(block_pool_count(copy.outbox.pool), SLOTS * cases[i].links);
    }
    end();
}

static void test_source_copy_note_compression__wish_and_offer__packing(void)
{
    static const struct {
        enum haul_compression wish;
        bool offered;
        enum pack_state state;
    } cases[] = {
        {HAUL_COMPRESSION_AUTO, true, PACK_WATCHING}, {HAUL_COMPRESSION_AUTO, false, PACK_OFF},
        {HAUL_COMPRESSION_OFF, true, PACK_OFF},       {HAUL_COMPRESSION_OFF, false, PACK_OFF},
        {HAUL_COMPRESSION_ON, true, PACK_ALWAYS},     {HAUL_COMPRESSION_ON, false, PACK_OFF},
    };
    begin();
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        source.compression = cases[i].wish;
        source_copy_note_compression(&copy, cases[i].offered, true);
        check_equal(copy.links.pack.state, cases[i].state);
        check_equal(atomic_load(&copy.outbox.packs), cases[i].state == PACK_ALWAYS);
    }
    end();
}

static unsigned warnings;

static void count_warnings(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    warnings += level == HAUL_LOG_WARNING && strstr(line, "LogData") != NULL;
}

/* LogData of a log batch goes out if it is wanted and taken. */
static void test_source_copy_note_log_data__wish_and_offer__sent_or_a_warning(void)
{
    static const struct haul_log log = {.write = count_warnings, .level_max = HAUL_LOG_WARNING};
    for (unsigned i = 0; i < 4; i++) {
        bool wish = (i & 1) != 0;
        bool taken = (i & 2) != 0;
        uint8_t memory[128];
        struct raw_batch_writer writer;
        atomic_bool stop = false;
        uint64_t bytes = 0;
        begin();
        source.log_data = wish;
        source.log = &log;
        warnings = 0;
        source_copy_note_log_data(&copy, taken);
        check_equal(warnings, wish && !taken);
        raw_batch_begin(&writer, memory, sizeof(memory));
        check_or_stop(raw_batch_log_data(&writer, text_slice("blob")) &&
                      raw_batch_put(&writer, 0, text_slice("k"), text_slice("v")));
        struct haul_slice batch = slice_of(memory, raw_batch_finish(&writer));
        check_status(fixture.store->ops->write(fixture.store, batch, 0, &error), HAUL_OK);
        check_status(log_tail_rewind(copy.tail, 0, &error), HAUL_OK);
        check_status(log_tail_round(copy.tail, &stop, &bytes, &error), HAUL_OK);
        struct block *block = outbox_take(&copy.outbox);
        check_or_stop(block != NULL);
        check_equal(block_payload(block)[RAW_BATCH_HEADER_BYTES] == RAW_LOG_DATA, wish && taken);
        outbox_give_back(&copy.outbox, block);
        end();
    }
}

/* --- where the target stands ------------------------------------------------------------------ */

/* The target has this many batches of stream 0, up to the key. */
static void stand_at(uint64_t next_batch, const char *key, bool finished)
{
    free(positions[0].last_key);
    positions[0] = (haul_control_StreamPosition){.next_batch = next_batch, .finished = finished};
    positions[0].last_key = message_bytes(text_slice(key));
    check_or_stop(positions[0].last_key != NULL);
    accepted.positions_count = 1;
}

static void test_source_copy_start__positions_that_cannot_be__protocol(void)
{
    begin();
    stand_at(1, "m", false); /* outside of the range */
    check_error(source_copy_start(&copy, &accepted, &error), HAUL_PROTOCOL, error);
    check(strstr(error.text, "stream 0") != NULL && !copy.copying);
    stand_at(1, "k5", false); /* nothing was sent */
    check_error(source_copy_start(&copy, &accepted, &error), HAUL_PROTOCOL, error);
    check(!copy.copying);
    stand_at(0, "m", false); /* it has nothing, so there is no key */
    accepted.delta_next_batch = 1;
    check_error(source_copy_start(&copy, &accepted, &error), HAUL_PROTOCOL, error);
    accepted.delta_next_batch = 0;
    start();
    expect(SOURCE_EVENT_COPIED);
    free(positions[0].last_key);
    end();
}

/* This process has sent all of it before: it neither reads nor sends anything again. */
static void test_source_copy_start__stream_finished_before__done_and_counted(void)
{
    begin();
    start();
    expect(SOURCE_EVENT_COPIED);
    uint64_t batches = copy.histories[0].count;
    source_copy_close(&copy);
    check_or_stop(source_copy_open(&copy, &error) == HAUL_OK);
    stand_at(batches, "k00000199", true);
    start();
    check_equal(copy.done_streams, 1);
    check(copy.stream_done[0]);
    expect(SOURCE_EVENT_COPIED);
    check_equal(copy.links.submitted_blocks + copy.running_tasks, 0);
    source_copy_digest(&copy);
    expect(SOURCE_EVENT_DIGESTED);
    check_equal(source_copy_total(&copy).count, RECORDS);
    free(positions[0].last_key);
    end();
}

/* A job of an earlier process: the source scans what the target has, and does not send it. */
static void test_source_copy_start__adopted_and_finished__all_are_counted(void)
{
    begin_as(true);
    stand_at(3, "k00000199", true);
    start();
    expect(SOURCE_EVENT_COPIED);
    check_equal(copy.links.submitted_blocks, 0);
    source_copy_digest(&copy);
    expect(SOURCE_EVENT_DIGESTED);
    check_equal(source_copy_total(&copy).count, RECORDS);
    free(positions[0].last_key);
    end();
}

/* --- links, and the log that grows ------------------------------------------------------------ */

static void test_source_copy_event__links_go_up_and_down__each_once(void)
{
    begin();
    check(!source_copy_event(&copy, &event));
    copy.links.state = SENDER_LINKS_UP;
    check(source_copy_event(&copy, &event));
    check_equal(event.type, SOURCE_EVENT_LINKS_UP);
    check(!source_copy_event(&copy, &event));
    copy.links.state = SENDER_LINKS_DOWN;
    haul_error_set(&copy.links.error, HAUL_CLOSED, NULL, 0, "it is gone");
    check(source_copy_event(&copy, &event));
    check_equal(event.type, SOURCE_EVENT_LINKS_DOWN);
    check_status(event.error.status, HAUL_CLOSED);
    check_text(event.error.text, "it is gone");
    check_equal(copy.links.state, SENDER_LINKS_CLOSED);
    check(!source_copy_event(&copy, &event));
    end();
}

/* The log is read ahead for the digests when enough of it is there, but not while writes wait; a
 * round that is requested meanwhile comes after it. */
static void test_source_copy_poll__log_grows__followed_unless_frozen(void)
{
    enum { WRITES = 12000 };
    begin();
    start();
    expect(SOURCE_EVENT_COPIED);
    (void)source_copy_poll(&copy, true);
    check(!copy.following);
    rocks_fixture_fill(&fixture, 0, "kk", WRITES, 10);
    source_copy_freeze(&copy, true);
    (void)source_copy_poll(&copy, true);
    check(copy.frozen && !copy.following);
    source_copy_freeze(&copy, false);
    (void)source_copy_poll(&copy, true);
    check(copy.following && copy.tasks == 1);
    source_copy_round(&copy);
    check(!copy.rounding);
    expect(SOURCE_EVENT_ROUND_DONE);
    check(!copy.following && !copy.follow_failed);
    check(event.sequence >= sequence + WRITES);
    source_copy_digest(&copy);
    expect(SOURCE_EVENT_DIGESTED);
    check_equal(source_copy_total(&copy).count, RECORDS + WRITES);
    end();
}

/* Requests from before the path was lost need no answer after it. */
static void test_source_copy_close__round_waits_for_the_follower__gone_with_it(void)
{
    enum { WRITES = 12000 };
    begin();
    start();
    expect(SOURCE_EVENT_COPIED);
    rocks_fixture_fill(&fixture, 0, "kk", WRITES, 10);
    (void)source_copy_poll(&copy, true);
    check(copy.following);
    source_copy_round(&copy);
    check(copy.round_waiting);
    copy.follow_failed = true;
    copy.links_reported = true;
    copy.digests_ready = true;
    source_copy_close(&copy);
    check(!copy.following && !copy.rounding && !copy.round_waiting && !copy.follow_failed);
    check(!copy.links_reported && !copy.digests_ready);
    check_or_stop(source_copy_open(&copy, &error) == HAUL_OK);
    end();
}

/* --- to the end ------------------------------------------------------------------------------- */

static void test_source_copy_event__a_whole_copy__each_event_once_and_its_figures(void)
{
    begin();
    start();
    uint64_t before = source_copy_activity(&copy);
    expect(SOURCE_EVENT_COPIED);
    check_equal(copy.done_streams, 1);
    check_equal(copy.tasks, 0);
    check(!source_copy_event(&copy, &event));
    check_equal(source_copy_lag_bytes(&copy), 0);
    rocks_fixture_put(&fixture, 0, text_slice("k1"), text_slice("new"));
    rocks_fixture_put(&fixture, 0, text_slice("z"), text_slice("outside"));
    source_copy_round(&copy);
    check(copy.rounding);
    check(source_copy_activity(&copy) != before); /* a reader is at work */
    expect(SOURCE_EVENT_ROUND_DONE);
    check(!copy.rounding);
    check_equal(event.sequence, sequence + 2);
    check_equal(event.batches, 1);
    check(event.bytes >= 5 && event.bytes < 64);
    for (int read_back = 0; read_back < 2; read_back++) {
        source.read_back = read_back;
        source_copy_digest(&copy);
        expect(SOURCE_EVENT_DIGESTED);
        check_equal(event.digests[0].count, RECORDS + 1);
        check_equal(source_copy_total(&copy).count, RECORDS + 1);
        check_equal(source_copy_total(&copy).bytes, copy.family_digests[0].bytes);
        check(!source_copy_event(&copy, &event));
    }
    end();
}

/* The scans that a lost path has ended need no answer. */
static void test_source_copy_digest__closed_before_it_came__the_next_one_comes(void)
{
    begin();
    source.read_back = true;
    start();
    expect(SOURCE_EVENT_COPIED);
    source_copy_digest(&copy);
    source_copy_close(&copy);
    check_or_stop(source_copy_open(&copy, &error) == HAUL_OK);
    start();
    expect(SOURCE_EVENT_COPIED);
    source_copy_digest(&copy);
    expect(SOURCE_EVENT_DIGESTED);
    check_equal(event.digests[0].count, RECORDS);
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_copy_close__ten_times__nothing_is_left),
    CHECK_TEST(test_source_copy_stop__readers_are_at_work__ends_and_can_be_closed),
    CHECK_TEST(test_source_copy_note_distance__near_and_far__links_and_readers),
    CHECK_TEST(test_source_copy_note_compression__wish_and_offer__packing),
    CHECK_TEST(test_source_copy_note_log_data__wish_and_offer__sent_or_a_warning),
    CHECK_TEST(test_source_copy_start__positions_that_cannot_be__protocol),
    CHECK_TEST(test_source_copy_start__adopted_and_finished__all_are_counted),
    CHECK_TEST(test_source_copy_start__stream_finished_before__done_and_counted),
    CHECK_TEST(test_source_copy_event__links_go_up_and_down__each_once),
    CHECK_TEST(test_source_copy_poll__log_grows__followed_unless_frozen),
    CHECK_TEST(test_source_copy_close__round_waits_for_the_follower__gone_with_it),
    CHECK_TEST(test_source_copy_event__a_whole_copy__each_event_once_and_its_figures),
    CHECK_TEST(test_source_copy_digest__closed_before_it_came__the_next_one_comes),
};
CHECK_MAIN("source_copy", tests)
