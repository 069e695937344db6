/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_intent.c — a source that waits for its turn checks again whether its database still
 * owns the ranges. */
#include "source_intent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "job_journal.h"
#include "migration_thread.h"
#include "ownership_file.h"
#include "rocks_fixture.h"

static struct rocks_fixture fixture;
static struct haul_error error;
static struct source_intent sent;
static bool no_random;
static void (*at_random)(void); /* once, before the job has a journal; or NULL */

enum haul_status __real_migration_random(uint8_t *bytes, size_t size_bytes);
enum haul_status __wrap_migration_random(uint8_t *bytes, size_t size_bytes);
enum haul_status __wrap_migration_random(uint8_t *bytes, size_t size_bytes)
{
    void (*meanwhile)(void) = at_random;
    at_random = NULL;
    if (meanwhile != NULL) {
        meanwhile();
    }
    return no_random ? HAUL_IO : __real_migration_random(bytes, size_bytes);
}

static void make_one(struct source_intent *intent, const struct haul_range *range)
{
    const struct haul_source_options options = {
        .store = fixture.store, .to = "127.0.0.1:7447", .ranges = range, .range_count = 1};
    *intent = (struct source_intent){.snapshot = NULL};
    check_or_stop(source_intent_init(intent, &options, &error) == HAUL_OK);
}

/* A source of k..l that has not begun. */
static void make(void)
{
    static const struct haul_range range = {.start = {(const uint8_t *)"k", 1},
                                            .end = {(const uint8_t *)"l", 1}};
    rocks_fixture_open(&fixture);
    make_one(&sent, &range);
}

/* A source of k..l that has begun. */
static void start(void)
{
    make();
    check_or_stop(source_intent_begin(&sent, &error) == HAUL_OK);
}

static void finish(void)
{
    source_intent_fini(&sent);
    rocks_fixture_close(&fixture);
}

/* An ownership_change: the context is the range. */
static enum haul_status give(void *context, struct ownership *ownership, struct haul_error *failed)
{
    const struct ownership_move move = {.family = "default",
                                        .ranges = context,
                                        .range_count = 1,
                                        .mark = {.state = OWNERSHIP_RELEASED}};
    uint32_t nobody = 0;
    (void)failed;
    check_or_stop(ownership_peer(ownership, "", &nobody) == HAUL_OK);
    return ownership_put(ownership, &move);
}

static void hand_over(const char *from, const char *to)
{
    char directory[sizeof(fixture.path) + 8];
    struct key_range range;
    check_or_stop(key_range_init(&range, text_slice(from), text_slice(to)) == HAUL_OK);
    (void)snprintf(directory, sizeof(directory), "%s/haul", fixture.path);
    check_or_stop(ownership_update(NULL, directory, give, &range, &error) == HAUL_OK);
    key_range_fini(&range);
}

static void test_source_intent_check_again__nothing_has_moved__ok(void)
{
    start();
    check_status(source_intent_check_again(&sent, &error), HAUL_OK);
    finish();
}

static void test_source_intent_check_again__a_neighbour_has_moved__ok(void)
{
    start();
    hand_over("l", "m");
    check_status(source_intent_check_again(&sent, &error), HAUL_OK);
    finish();
}

static void test_source_intent_check_again__a_part_has_moved__fenced(void)
{
    start();
    hand_over("kb", "kc");
    check_error(source_intent_check_again(&sent, &error), HAUL_FENCED, error);
    check(strstr(error.hint, "send from the database that owns it") != NULL);
    check_status(error.status, HAUL_FENCED);
    finish();
}

static struct source_intent second; /* of the same database */
static struct haul_range second_range;

static void begin_second(void)
{
    make_one(&second, &second_range);
    check_status(source_intent_begin(&second, &error), HAUL_OK);
}

/* Another job begins while this one does; both have read the journals, and neither was there. */
static void begin_in_one_moment(const char *from, const char *to, enum haul_status expected)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    make();
    second_range = (struct haul_range){.start = text_slice(from), .end = text_slice(to)};
    at_random = begin_second;
    check_status(source_intent_begin(&sent, &error), expected);
    check_status(job_journal_list(fixture.store, JOURNAL_SOURCE, &entries, &count, &error),
                 HAUL_OK);
    check_equal(count, expected == HAUL_OK ? 2 : 1); /* one that is refused leaves nothing */
    free(entries);
    source_intent_fini(&second);
    finish();
}

static void test_source_intent_begin__another_begins_meanwhile__busy_if_they_overlap(void)
{
    begin_in_one_moment("ka", "kb", HAUL_BUSY);
    begin_in_one_moment("l", "m", HAUL_OK);
}

/* Two jobs with one id would be the same job. */
static void test_source_intent_begin__no_random_numbers__io(void)
{
    make();
    no_random = true;
    check_error(source_intent_begin(&sent, &error), HAUL_IO, error);
    check_text(error.call, "getrandom");
    no_random = false;
    finish();
}

/* An attempt to move everything; `version` 0: none is given. */
static enum haul_status attempt(bool resumes, uint64_t version, uint8_t job[HAUL_JOB_BYTES])
{
    const struct haul_source_options options = {.to = "127.0.0.1:7447",
                                                .store = fixture.store,
                                                .resume = resumes,
                                                .keep_versions = version > 0,
                                                .config_version = version};
    sent = (struct source_intent){.snapshot = NULL};
    check_or_stop(source_intent_init(&sent, &options, &error) == HAUL_OK);
    enum haul_status status = source_intent_begin(&sent, &error);
    memcpy(job, sent.journal.job, HAUL_JOB_BYTES);
    source_intent_fini(&sent);
    return status;
}

/* With haul's own counter instead, the record would fall behind the cluster's version. */
static void test_source_intent_begin__began_with_a_given_version__not_without_it(void)
{
    uint8_t job[HAUL_JOB_BYTES];
    uint8_t again[HAUL_JOB_BYTES];
    rocks_fixture_open(&fixture);
    check_status(attempt(false, 5, job), HAUL_OK);
    check_error(attempt(true, 0, again), HAUL_VERSION, error);
    check(strstr(error.text, "version 5") != NULL &&
          strstr(error.hint, "--config-version") != NULL);
    check_status(attempt(true, 5, again), HAUL_OK);
    check(memcmp(job, again, HAUL_JOB_BYTES) == 0);
    check_status(attempt(false, 0, again), HAUL_OK);
    check(memcmp(job, again, HAUL_JOB_BYTES) != 0);
    rocks_fixture_close(&fixture);
}

static enum haul_status init_with(struct haul_source_options options)
{
    options.to = "127.0.0.1:7447";
    sent = (struct source_intent){.snapshot = NULL};
    memset(&error, 0, sizeof(error));
    enum haul_status status = source_intent_init(&sent, &options, &error);
    source_intent_fini(&sent);
    return status;
}

static void test_source_intent_init__options__at_their_limits(void)
{
    static const uint8_t secret[HAUL_SECRET_BYTES_MAX + 1] = {1};
    static const struct {
        struct haul_source_options most;
        struct haul_source_options beyond;
    } cases[] = {
        {{.link_count = HAUL_LINK_COUNT_MAX}, {.link_count = HAUL_LINK_COUNT_MAX + 1}},
        {{.reader_count = HAUL_READER_COUNT_MAX}, {.reader_count = HAUL_READER_COUNT_MAX + 1}},
        {{.batch_size_bytes_min = HAUL_BATCH_SIZE_BYTES_MIN,
          .batch_size_bytes_max = HAUL_BATCH_SIZE_BYTES_MIN},
         {.batch_size_bytes_min = HAUL_BATCH_SIZE_BYTES_MIN - 1}},
        {{.batch_size_bytes_min = HAUL_BATCH_SIZE_BYTES_MIN},
         {.batch_size_bytes_min = HAUL_BATCH_SIZE_BYTES_MIN + 1,
          .batch_size_bytes_max = HAUL_BATCH_SIZE_BYTES_MIN}},
        {{.secret = {secret, HAUL_SECRET_BYTES_MAX}},
         {.secret = {secret, HAUL_SECRET_BYTES_MAX + 1}}},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        check_status(init_with(cases[i].most), HAUL_OK);
        check_error(init_with(cases[i].beyond), HAUL_INVALID, error);
    }
}

static void test_source_intent_init__nothing_given__defaults(void)
{
    make();
    const struct haul_source_options *options = &sent.options;
    check_equal(options->link.slot_count, HAUL_SLOT_COUNT_DEFAULT);
    check_equal(options->link.slot_size_bytes, HAUL_SLOT_SIZE_BYTES_DEFAULT);
    check_equal(options->link.peer_timeout_ms, HAUL_PEER_TIMEOUT_MS_DEFAULT);
    check_equal(options->freeze_max_ms, HAUL_FREEZE_MAX_MS_DEFAULT);
    check_equal(options->retry_max_ms, HAUL_RETRY_MAX_MS_DEFAULT);
    check_equal(options->lag_bytes_max, HAUL_LAG_BYTES_MAX_DEFAULT);
    check_equal(options->batch_size_bytes_min, HAUL_BATCH_SIZE_BYTES_MIN_DEFAULT);
    check_equal(options->batch_size_bytes_max, HAUL_BATCH_SIZE_BYTES_MAX_DEFAULT);
    check_equal(options->reader_count, 1);
    check(sent.chooses_links && sent.chooses_readers && sent.chooses_window);
    finish();
}

static void test_source_intent_init__a_size_given__window_is_not_ours(void)
{
    static const struct haul_source_options given[] = {{.link = {.slot_count = 16}},
                                                       {.batch_size_bytes_min = 1 << 20},
                                                       {.batch_size_bytes_max = 4 << 20},
                                                       {.link = {.slot_size_bytes = 4 << 20}}};
    for (size_t i = 0; i < CHECK_COUNT(given); i++) {
        struct haul_source_options options = given[i];
        options.to = "127.0.0.1:7447";
        sent = (struct source_intent){.snapshot = NULL};
        check_status(source_intent_init(&sent, &options, &error), HAUL_OK);
        check_equal(sent.chooses_window, given[i].link.slot_size_bytes > 0);
        source_intent_fini(&sent);
    }
}

/* --- streams ---------------------------------------------------------------------------------- */

static size_t cuts_wanted;

static enum haul_status large_range(struct haul_store *store, uint32_t family_id,
                                    struct haul_slice start_key, struct haul_slice end_key,
                                    uint64_t *bytes, struct haul_error *failed)
{
    (void)store, (void)family_id, (void)start_key, (void)end_key, (void)failed;
    *bytes = 250 << 20;
    return HAUL_OK;
}

static enum haul_status count_cuts(struct haul_store *store, uint32_t family_id,
                                   struct haul_slice start_key, struct haul_slice end_key,
                                   struct haul_slice *keys, size_t capacity, size_t *count,
                                   struct haul_error *failed)
{
    (void)store, (void)family_id, (void)start_key, (void)end_key, (void)keys, (void)failed;
    cuts_wanted = capacity;
    *count = 0;
    return HAUL_OK;
}

/* Chosen by haul, the number of readers is known only when the target is: a stream for each. */
static void test_source_intent_begin__readers_given_or_not__streams_for_them(void)
{
    static const struct {
        uint32_t readers;
        size_t cuts;
    } table[] = {{0, 3}, {1, 0}, {2, 3}};
    for (size_t i = 0; i < CHECK_COUNT(table); i++) {
        rocks_fixture_open(&fixture);
        struct haul_store_ops ops = *fixture.store->ops;
        ops.range_size = large_range;
        ops.range_split = count_cuts;
        fixture.store->ops = &ops;
        const struct haul_source_options options = {
            .to = "127.0.0.1:7447", .store = fixture.store, .reader_count = table[i].readers};
        sent = (struct source_intent){.snapshot = NULL};
        cuts_wanted = 0;
        check_or_stop(source_intent_init(&sent, &options, &error) == HAUL_OK);
        check_status(source_intent_begin(&sent, &error), HAUL_OK);
        check_equal(cuts_wanted, table[i].cuts);
        finish();
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_intent_begin__another_begins_meanwhile__busy_if_they_overlap),
    CHECK_TEST(test_source_intent_begin__no_random_numbers__io),
    CHECK_TEST(test_source_intent_begin__began_with_a_given_version__not_without_it),
    CHECK_TEST(test_source_intent_begin__readers_given_or_not__streams_for_them),
    CHECK_TEST(test_source_intent_check_again__nothing_has_moved__ok),
    CHECK_TEST(test_source_intent_check_again__a_neighbour_has_moved__ok),
    CHECK_TEST(test_source_intent_check_again__a_part_has_moved__fenced),
    CHECK_TEST(test_source_intent_init__options__at_their_limits),
    CHECK_TEST(test_source_intent_init__nothing_given__defaults),
    CHECK_TEST(test_source_intent_init__a_size_given__window_is_not_ours),
};
CHECK_MAIN("source_intent", tests)
