/* SPDX-License-Identifier: Apache-2.0 */
/* test_job_journal.c — positions in a journal that is full or nearly so, and the peer that a job is
 * bound to. */
#include "job_journal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "config_version.h"
#include "rocks_fixture.h"

enum { KEY_BYTES = 8 << 10 };

static struct rocks_fixture fixture;
static struct journal *journal;
static struct haul_error error;
static uint8_t key[KEY_BYTES];

static void open_journal(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {1};
    bool existed = false;
    struct plan plan;
    struct haul_source_options options = {0};
    rocks_fixture_open(&fixture);
    check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
    plan.new_version = 1;
    check_or_stop(job_journal_open(fixture.store, JOURNAL_TARGET, job, &journal, &existed,
                                   &error) == HAUL_OK);
    check_or_stop(job_journal_plan(journal, &plan, &error) == HAUL_OK);
    plan_fini(&plan);
}

static void close_journal(void)
{
    journal_close(journal);
    rocks_fixture_close(&fixture);
}

static struct stream_position position(uint32_t stream, uint64_t next_batch, bool finished)
{
    return (struct stream_position){.stream = stream,
                                    .next_batch = next_batch,
                                    .finished = finished,
                                    .last_key =
                                        finished ? slice_of(NULL, 0) : slice_of(key, sizeof(key)),
                                    .resumable = true};
}

/* Records of `count` positions until there is no room for one more. */
static void fill_with(size_t count, uint64_t first_batch)
{
    static struct stream_position items[JOURNAL_POSITIONS_MAX];
    enum haul_status status = HAUL_OK;
    for (uint64_t batch = first_batch; status == HAUL_OK; batch++) {
        for (uint32_t i = 0; i < count; i++) {
            items[i] = (struct stream_position){
                .stream = i, .next_batch = batch, .last_key = slice_of(key, sizeof(key))};
        }
        struct journal_record record = {.type = JOURNAL_POSITION,
                                        .positions = {.items = items, .count = count}};
        status = journal_append(journal, &record, false, &error);
    }
    check_status(status, HAUL_LIMIT);
}

/* As many as a job of many terabytes would write. */
static void fill_journal(void)
{
    fill_with(JOURNAL_POSITIONS_MAX, 1);
    fill_with(1, 10000);
}

static void test_job_journal_positions__journal_full__finished_streams_have_room(void)
{
    open_journal();
    fill_journal();
    struct stream_position positions[] = {
        position(0, 100000, false),
        position(1, 100000, true),
        {.stream = PLAN_DELTA_STREAM, .next_batch = 7, .resumable = true}};
    check_status(job_journal_positions(journal, positions, CHECK_COUNT(positions), &error),
                 HAUL_OK);
    const struct journal_state *state = journal_state(journal);
    check(journal_state_position(state, 0)->next_batch < 100000); /* no room: repeats add nothing */
    check(journal_state_position(state, 1)->finished);
    close_journal();
}

/* Not even the smallest optional record has room. */
static void test_job_journal_positions__no_room_for_a_delta__goes_without(void)
{
    enum haul_status status = HAUL_OK;
    uint64_t batch = 1;
    open_journal();
    fill_journal();
    while (status == HAUL_OK) {
        const struct journal_record record = {.type = JOURNAL_DELTA,
                                              .delta = {.next_batch = batch}};
        status = journal_append(journal, &record, false, &error);
        batch += status == HAUL_OK;
    }
    check_status(status, HAUL_LIMIT);
    struct stream_position delta = {
        .stream = PLAN_DELTA_STREAM, .next_batch = batch + 100, .resumable = true};
    check_status(job_journal_positions(journal, &delta, 1, &error), HAUL_OK);
    check_equal(journal_state(journal)->delta.next_batch, batch - 1);
    struct stream_position finished = position(1, 100000, true);
    check_status(job_journal_positions(journal, &finished, 1, &error), HAUL_OK);
    check(journal_state_position(journal_state(journal), 1)->finished);
    close_journal();
}

static void test_job_journal_positions__finished_and_not__both_recorded(void)
{
    open_journal();
    struct stream_position positions[] = {position(4, 2, false), position(5, 9, true),
                                          position(4, 3, false), position(6, 1, true)};
    check_status(job_journal_positions(journal, positions, CHECK_COUNT(positions), &error),
                 HAUL_OK);
    const struct journal_state *state = journal_state(journal);
    check_equal(journal_state_position(state, 4)->next_batch, 3);
    check(!journal_state_position(state, 4)->finished);
    check(journal_state_position(state, 5)->finished && journal_state_position(state, 6)->finished);
    close_journal();
}

/* A stream advances and finishes within one call. */
static void test_job_journal_positions__same_stream_twice__ends_finished(void)
{
    open_journal();
    struct stream_position positions[] = {position(4, 2, false), position(4, 3, true)};
    check_status(job_journal_positions(journal, positions, CHECK_COUNT(positions), &error),
                 HAUL_OK);
    check(journal_state_position(journal_state(journal), 4)->finished);
    close_journal();
}

/* A database that takes over one range and hands over another has journals of both kinds, with any
 * job numbers. */
static void test_job_journals_find__journals_of_both_roles__only_those_asked_for(void)
{
    static const uint8_t ids[2][HAUL_JOB_BYTES] = {{1}, {2}};
    static const enum journal_role roles[] = {JOURNAL_SOURCE, JOURNAL_TARGET};
    struct haul_source_options options = {0};
    struct job_journals found;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    struct plan plan;
    for (size_t first = 0; first < 2; first++) {
        rocks_fixture_open(&fixture);
        check_or_stop(plan_make(&plan, fixture.store, &options, 0, &error) == HAUL_OK);
        plan.new_version = 1;
        for (size_t i = 0; i < 2; i++) {
            bool existed = true;
            check_status(job_journal_open(fixture.store, roles[(first + i) % 2], ids[i], &journal,
                                          &existed, &error),
                         HAUL_OK);
            check(!existed);
            check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
            journal_close(journal);
        }
        for (size_t i = 0; i < 2; i++) {
            check_status(job_journals_find(fixture.store, roles[(first + i) % 2], &found, &error),
                         HAUL_OK);
            check_or_stop(found.count == 1);
            check(memcmp(journal_job_id(found.journals[0]), ids[i], HAUL_JOB_BYTES) == 0);
            job_journals_close(&found);
            check_status(
                job_journal_list(fixture.store, roles[(first + i) % 2], &entries, &count, &error),
                HAUL_OK);
            check_equal(count, 1);
            free(entries);
        }
        plan_fini(&plan);
        rocks_fixture_close(&fixture);
    }
}

/* A full disk left it: nothing was promised to any peer. */
static void test_job_journals_find__journal_without_a_record__removed(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {2};
    struct job_journals found = {.count = 0};
    bool existed = true;
    rocks_fixture_open(&fixture);
    check_or_stop(job_journal_open(fixture.store, JOURNAL_SOURCE, job, &journal, &existed,
                                   &error) == HAUL_OK);
    journal_close(journal);
    check_status(job_journals_find(fixture.store, JOURNAL_SOURCE, &found, &error), HAUL_OK);
    check_equal(found.count, 0);
    job_journals_close(&found);
    check_or_stop(job_journal_open(fixture.store, JOURNAL_SOURCE, job, &journal, &existed,
                                   &error) == HAUL_OK);
    check(!existed);
    close_journal();
}

/* PEER repeats the name in the state, from the state's own memory. */
static void test_job_journal_bind__target_at_another_address__the_same_database(void)
{
    static const uint8_t job[HAUL_JOB_BYTES] = {1};
    open_journal();
    check_status(job_journal_bind(journal, "db/1", "host:1", &error), HAUL_OK);
    check_status(job_journal_bind(journal, "db/1", "host:2", &error), HAUL_OK);
    check_text(journal_state(journal)->peer, "db/1");
    check_error(job_journal_bind(journal, "db/2", "host:2", &error), HAUL_MISMATCH, error);
    journal_close(journal);
    check_or_stop(job_journal_open_existing(fixture.store, JOURNAL_TARGET, job, &journal, &error) ==
                  HAUL_OK);
    check_text(journal_state(journal)->peer, "db/1");
    check_text(journal_state(journal)->peer_address, "host:2");
    close_journal();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_job_journals_find__journals_of_both_roles__only_those_asked_for),
    CHECK_TEST(test_job_journal_positions__journal_full__finished_streams_have_room),
    CHECK_TEST(test_job_journal_positions__no_room_for_a_delta__goes_without),
    CHECK_TEST(test_job_journal_positions__finished_and_not__both_recorded),
    CHECK_TEST(test_job_journal_positions__same_stream_twice__ends_finished),
    CHECK_TEST(test_job_journals_find__journal_without_a_record__removed),
    CHECK_TEST(test_job_journal_bind__target_at_another_address__the_same_database),
};

CHECK_MAIN("job_journal", tests)
