/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal_failures.c — what a job writes into its journal, with each call of the disk and each
 * allocation failing in turn, the sizes that a record may just have, and headers that fit their
 * checksum and not the file. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "crc32c.h"
#include "durable_file.h"
#include "failing_store.h"
#include "job_journal.h"
#include "journal_directory.h"

static const uint8_t job[HAUL_JOB_BYTES] = {1};
static const uint8_t other_job[HAUL_JOB_BYTES] = {2};
static const char path[] = "/db/haul/source-01000000000000000000000000000000.journal";
static const char temporary[] = "/db/haul/source-01000000000000000000000000000000.journal.tmp";

/* Offsets in the header. */
enum { AT_VERSION = 8, AT_ROLE = 10, AT_JOB_ID = 16, AT_INODE = 96, AT_BIRTH = 104, AT_CRC = 124 };

static struct journal *journal;
static struct journal_entry *entries;
static size_t entry_count;
static struct job_journals found;
static struct plan plan;
static struct haul_error error;

/* --- steps ------------------------------------------------------------------------------------ */

static void start(void)
{
    const struct haul_source_options options = {.lane = HAUL_LANE_WRITE_BATCH};
    failing_store_init(NULL, 0);
    check_or_stop(plan_make(&plan, &failing.base, &options, 0, &error) == HAUL_OK);
    plan.old_version = 4;
    plan.new_version = 5;
    memset(&error, 0, sizeof(error));
}

static enum haul_status open_journal(const uint8_t *id)
{
    bool existed = false;
    journal = NULL;
    return job_journal_open(&failing.base, JOURNAL_SOURCE, id, &journal, &existed, &error);
}

/* As a step does it that ends by closing: a failed journal must be opened again. */
static enum haul_status done(enum haul_status status)
{
    journal_close(journal);
    journal = NULL;
    return status;
}

static void look(bool was_failed)
{
    (void)was_failed;
    plan_fini(&plan);
    free(entries);
    entries = NULL;
    journal_close(journal);
    journal = NULL;
}

/* `silent`: calls that only tidy up, of which a temporary file needs some. */
static void sweep(void (*prepare)(void), enum haul_status (*act)(void), unsigned disk_calls_min,
                  unsigned silent)
{
    const struct failing_step step = {.error = &error,
                                      .prepare = prepare,
                                      .act = act,
                                      .look = look,
                                      .disk_calls_min = disk_calls_min,
                                      .silent = silent};
    failing_sweep(&step);
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum haul_status create(void)
{
    return done(open_journal(job));
}

/* A crash has left the temporary file of this very journal. */
static void a_temporary_is_left(void)
{
    start();
    const struct file_calls *calls = &failing.disk.calls;
    check_equal(calls->mkdir(calls->context, "/db/haul", 0700), 0);
    int fd = calls->open(calls->context, temporary, O_RDWR | O_CREAT, 0600);
    check_or_stop(fd >= 0);
    check_equal(calls->close(calls->context, fd), 0);
}

static void planned(void)
{
    start();
    check_status(open_journal(job), HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    check_status(job_journal_bind(journal, "db/1", "host:1", &error), HAUL_OK);
    journal_close(journal);
    journal = NULL;
}

static enum haul_status look_at_it(void)
{
    return done(job_journal_look(&failing.base, JOURNAL_SOURCE, job, &journal, &error));
}

static enum haul_status open_existing(void)
{
    return done(job_journal_open_existing(&failing.base, JOURNAL_SOURCE, job, &journal, &error));
}

/* Of another database, whose journals are adopted. */
static enum haul_status adopt(void)
{
    struct journal_config config = {.directory = "/db/haul",
                                    .role = JOURNAL_SOURCE,
                                    .identity = "another database",
                                    .calls = &failing.disk.calls,
                                    .adopts = true};
    memcpy(config.job_id, job, sizeof(job));
    enum haul_status status = journal_open(&config, &journal, &error);
    check(status != HAUL_OK || journal_is_of(journal, "another database"));
    check(status != HAUL_OK || !journal_is_copy(journal));
    return done(status);
}

static void test_journal_open__nth_call_fails__told_and_opened_when_done_again(void)
{
    static const struct failing_step adoption = {.error = &error,
                                                 .prepare = planned,
                                                 .act = adopt,
                                                 .look = look,
                                                 .disk_calls_min = 8,
                                                 .fixed_path = true};
    sweep(start, create, 8, 1);
    sweep(a_temporary_is_left, create, 8, 5);
    sweep(planned, open_existing, 4, 0);
    sweep(planned, look_at_it, 1, 0);
    failing_sweep(&adoption);
    failing_sweep_power(&adoption);
}

/* Another process adopts it at the same time: its new file is not ours to remove. */
static void test_journal_open__adopted_elsewhere_now__busy_and_that_file_stays(void)
{
    const struct file_calls *calls = &failing.disk.calls;
    int theirs = -1;
    planned();
    check_status(durable_file_open(calls, temporary, O_RDWR | O_CREAT | O_EXCL, &theirs, &error),
                 HAUL_OK);
    check_status(durable_file_lock(calls, theirs, temporary, &error), HAUL_OK);
    check_error(adopt(), HAUL_BUSY, error);
    check(fake_disk_find(&failing.disk, temporary) != NULL);
    (void)calls->close(calls->context, theirs);
    check_status(adopt(), HAUL_OK);
    check(fake_disk_find(&failing.disk, temporary) == NULL);
    look(true);
    failing_store_fini();
}

/* --- recording -------------------------------------------------------------------------------- */

static enum haul_status record_plan(void)
{
    enum haul_status status = open_journal(job);
    if (status == HAUL_OK && journal_state(journal)->plan_size == 0) {
        status = job_journal_plan(journal, &plan, &error);
    }
    return done(status);
}

static enum haul_status bind_again(void)
{
    enum haul_status status = open_journal(job);
    if (status == HAUL_OK) {
        status = job_journal_bind(journal, "db/1", "host:2", &error);
    }
    check(status != HAUL_OK || strcmp(journal_state(journal)->peer_address, "host:2") == 0);
    return done(status);
}

static enum haul_status decide_late(void)
{
    enum haul_status status = open_journal(job);
    if (status == HAUL_OK && journal_state(journal)->outcome == JOURNAL_OPEN) {
        status = job_journal_decide_late(journal, 4, 4, &error);
    }
    check(status != HAUL_OK || journal_state(journal)->decision.new_version == 5);
    check(status != HAUL_OK || job_journal_was_decided(journal, false));
    return done(status);
}

static enum haul_status end(void)
{
    enum haul_status status = open_journal(other_job);
    if (status == HAUL_OK) {
        status = job_journal_finish(journal, &error);
        journal = NULL;
    }
    return status;
}

static enum haul_status aborted(void)
{
    enum haul_status status = open_journal(job);
    if (status == HAUL_OK && journal_state(journal)->phase != JOURNAL_PHASE_ABORTED) {
        status = job_journal_aborted(journal, HAUL_OK, "for no reason", &error);
    }
    check(status != HAUL_OK || journal_state(journal)->abort_status == HAUL_CANCELLED);
    return done(status);
}

static void test_job_journal__nth_call_fails__told_and_recorded_when_done_again(void)
{
    sweep(start, record_plan, 10, 1);
    sweep(planned, bind_again, 6, 0);
    sweep(planned, decide_late, 8, 0);
    sweep(planned, aborted, 6, 0);
    sweep(start, end, 10, 1);
}

/* A decision that was begun, and reaches the disk with what it depends on. */
static void test_job_journal_decide_late__power_fails__decided_or_not_begun(void)
{
    static const struct failing_step step = {
        .error = &error, .prepare = planned, .act = decide_late, .look = look, .disk_calls_min = 8};
    failing_sweep_power(&step);
}

/* --- positions -------------------------------------------------------------------------------- */

/* More streams than a record has room for, finished ones among them, and the deltas. */
static enum haul_status record_positions(void)
{
    enum { COUNT = JOURNAL_POSITIONS_MAX + 40 };
    static struct stream_position items[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        items[i] = (struct stream_position){
            .stream = i, .next_batch = 2, .finished = i % 3 == 0, .resumable = true};
        items[i].last_key = items[i].finished ? slice_of(NULL, 0) : slice_of("k", 1);
    }
    items[COUNT - 1] =
        (struct stream_position){.stream = PLAN_DELTA_STREAM, .next_batch = 7, .resumable = true};
    enum haul_status status =
        job_journal_look(&failing.base, JOURNAL_TARGET, job, &journal, &error);
    journal_close(journal);
    journal = NULL;
    if (status == HAUL_OK) {
        status = job_journal_open_existing(&failing.base, JOURNAL_TARGET, job, &journal, &error);
    }
    size_t count = 0; /* those that an attempt before this one has not finished */
    for (uint32_t i = 0; i < COUNT && status == HAUL_OK; i++) {
        const struct stream_position *before =
            journal_state_position(journal_state(journal), items[i].stream);
        if (before == NULL || !before->finished) {
            items[count++] = items[i];
        }
    }
    if (status == HAUL_OK) {
        status = job_journal_positions(journal, items, count, &error);
    }
    const struct journal_state *state = status == HAUL_OK ? journal_state(journal) : NULL;
    for (uint32_t i = 0; i < COUNT - 1 && state != NULL; i++) {
        const struct stream_position *position = journal_state_position(state, i);
        check(position != NULL && position->next_batch == 2 && position->finished == (i % 3 == 0));
    }
    check(state == NULL || state->delta.next_batch == 7);
    return done(status);
}

static void target_planned(void)
{
    bool existed = false;
    start();
    check_status(job_journal_open(&failing.base, JOURNAL_TARGET, job, &journal, &existed, &error),
                 HAUL_OK);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    journal_close(journal);
    journal = NULL;
}

static void test_job_journal_positions__nth_call_fails__told_and_all_there_when_done_again(void)
{
    sweep(target_planned, record_positions, 8, 0);
}

/* --- finding ---------------------------------------------------------------------------------- */

static void some_are_left(void)
{
    planned();
    check_status(open_journal(other_job), HAUL_OK); /* without a record */
    journal_close(journal);
    journal = NULL;
}

static enum haul_status list(void)
{
    free(entries);
    entries = NULL;
    enum haul_status status =
        job_journal_list(&failing.base, JOURNAL_SOURCE, &entries, &entry_count, &error);
    check(status != HAUL_OK || entry_count >= 1);
    return status;
}

static enum haul_status find(void)
{
    enum haul_status status = job_journals_find(&failing.base, JOURNAL_SOURCE, &found, &error);
    check_equal(found.count, status == HAUL_OK ? 1 : 0);
    check(status != HAUL_OK || memcmp(journal_job_id(found.journals[0]), job, sizeof(job)) == 0);
    job_journals_close(&found);
    return status;
}

static void test_job_journals_find__nth_call_fails__told_and_found_when_done_again(void)
{
    sweep(some_are_left, list, 1, 0);
    sweep(some_are_left, find, 4, 0);
}

/* --- headers ---------------------------------------------------------------------------------- */

static uint8_t *header(void)
{
    struct fake_inode *file = fake_disk_find(&failing.disk, path);
    check_or_stop(file != NULL);
    return file->bytes;
}

static void seal(void)
{
    put_u32(header() + AT_CRC, crc32c(header(), AT_CRC));
}

static void check_opens(enum haul_status expected)
{
    check_status(job_journal_open_existing(&failing.base, JOURNAL_SOURCE, job, &journal, &error),
                 expected);
    look(false);
    failing_store_fini();
}

static void test_journal_open__checksum_fits_another_header__refused(void)
{
    planned();
    header()[0] ^= 1;
    seal();
    check_opens(HAUL_CORRUPT);
    planned();
    put_u16(header() + AT_ROLE, JOURNAL_TARGET);
    seal();
    check_opens(HAUL_CORRUPT);
    planned();
    header()[AT_JOB_ID] ^= 4;
    seal();
    check_opens(HAUL_CORRUPT);
    planned();
    header()[AT_INODE - 1] = 'x'; /* the identity does not end */
    seal();
    check_opens(HAUL_CORRUPT);
    planned();
    put_u16(header() + AT_VERSION, 0);
    seal();
    check_opens(HAUL_VERSION);
    planned();
    put_u16(header() + AT_VERSION, 3);
    check_opens(HAUL_CORRUPT); /* only its number is damaged */
}

static void test_journal_open__another_file_of_the_same_number__copy(void)
{
    planned();
    check(get_u64(header() + AT_INODE) != 0 && get_u64(header() + AT_BIRTH) != 0);
    put_u64(header() + AT_BIRTH, get_u64(header() + AT_BIRTH) + 1);
    seal();
    check_opens(HAUL_MISMATCH);
    planned();
    put_u64(header() + AT_INODE, get_u64(header() + AT_INODE) + 1);
    seal();
    check_opens(HAUL_MISMATCH);
    planned();
    put_u64(header() + AT_BIRTH, 0); /* made where nobody knows it */
    seal();
    check_opens(HAUL_OK);
    planned();
    put_u16(header() + AT_VERSION, 1); /* names no file */
    put_u64(header() + AT_INODE, 0);
    put_u64(header() + AT_BIRTH, 0);
    seal();
    check_opens(HAUL_OK);
}

static int identity_without_birth(void *context, int fd, struct file_identity *identity)
{
    int result = fake_disk_identity(context, fd, identity);
    identity->birth_ns = 0;
    return result;
}

static void test_journal_open__births_are_unknown_now__by_the_number(void)
{
    planned();
    failing.disk.calls.identity = identity_without_birth;
    check_opens(HAUL_OK);
}

static void test_journal_create__identity_too_long__invalid(void)
{
    static char endless[HAUL_IDENTITY_BYTES_MAX + 1];
    start();
    memset(endless, 'x', HAUL_IDENTITY_BYTES_MAX);
    struct journal_config config = {.directory = "/db/haul",
                                    .role = JOURNAL_SOURCE,
                                    .identity = endless,
                                    .calls = &failing.disk.calls};
    check_error(journal_create(&config, &journal, &error), HAUL_INVALID, error);
    endless[HAUL_IDENTITY_BYTES_MAX - 1] = '\0';
    check_status(journal_create(&config, &journal, &error), HAUL_OK);
    check_status(done(HAUL_OK), HAUL_OK);
    check_status(journal_open(&config, &journal, &error), HAUL_OK);
    check(journal_is_of(journal, endless));
    look(false);
    failing_store_fini();
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* Whether the record has a size, and is read again from exactly its bytes. */
static bool may_be(const struct journal_record *record)
{
    static struct journal_scratch scratch;
    struct journal_frame frame = {.number = 3, .seed = 9};
    struct journal_record read;
    size_t size = 0;
    size_t read_size = 0;
    if (journal_record_size(record, &size) != HAUL_OK) {
        return false;
    }
    uint8_t *memory = malloc(size);
    check_or_stop(memory != NULL);
    journal_record_encode(record, &frame, memory);
    check_status(journal_record_decode(slice_of(memory, size), &frame, &scratch, &read, &read_size),
                 HAUL_OK);
    check(read.type == record->type && read_size == size);
    free(memory);
    return true;
}

static bool may_be_peer(size_t identity_size, size_t address_size)
{
    static const uint8_t text[1024] = {[0 ... 1023] = 'x'};
    const struct journal_record record = {
        .type = JOURNAL_PEER,
        .peer = {.identity = slice_of(text, identity_size), .address = {text, address_size}}};
    return may_be(&record);
}

static bool may_be_family(const char *name, size_t size)
{
    const struct journal_record record = {.type = JOURNAL_FAMILY, .family = slice_of(name, size)};
    return may_be(&record);
}

static void test_journal_record_size__names_at_their_limits__just_accepted(void)
{
    char name[HAUL_NAME_BYTES_MAX];
    memset(name, 'n', sizeof(name));
    check(!may_be_peer(0, 5));
    check(may_be_peer(1, 0));
    check(may_be_peer(HAUL_IDENTITY_BYTES_MAX - 1, JOURNAL_ADDRESS_BYTES_MAX));
    check(!may_be_peer(HAUL_IDENTITY_BYTES_MAX, JOURNAL_ADDRESS_BYTES_MAX));
    check(!may_be_peer(HAUL_IDENTITY_BYTES_MAX - 1, JOURNAL_ADDRESS_BYTES_MAX + 1));
    check(!may_be_family(name, 0));
    check(may_be_family(name, 1));
    check(may_be_family(name, HAUL_NAME_BYTES_MAX - 1));
    check(!may_be_family(name, HAUL_NAME_BYTES_MAX));
    check(!may_be_family("a\0b", 3));
}

static bool may_be_aborted(enum haul_status status, size_t size)
{
    static uint8_t text[JOURNAL_TEXT_BYTES_MAX + 1];
    const struct journal_record record = {.type = JOURNAL_ABORTED,
                                          .aborted = {.status = status, .text = {text, size}}};
    return may_be(&record);
}

static bool may_be_plan(size_t size)
{
    static uint8_t bytes[JOURNAL_PLAN_BYTES_MAX + 1];
    const struct journal_record record = {.type = JOURNAL_PLAN, .plan = {bytes, size}};
    return may_be(&record);
}

static bool may_be_positions(size_t count)
{
    static struct stream_position items[JOURNAL_POSITIONS_MAX + 1];
    for (size_t i = 0; i <= JOURNAL_POSITIONS_MAX; i++) {
        items[i] = (struct stream_position){.stream = (uint32_t)i, .next_batch = 1};
    }
    const struct journal_record record = {.type = JOURNAL_POSITION,
                                          .positions = {.items = items, .count = count}};
    return may_be(&record);
}

static bool may_be_prepared(uint32_t count)
{
    static struct journal_prepared prepared;
    prepared = (struct journal_prepared){
        .old_version = 1, .new_version = 2, .epoch = 1, .digest_count = count};
    for (uint32_t i = 0; i < HAUL_FAMILY_COUNT_MAX; i++) {
        prepared.digests[i].family_id = i;
    }
    const struct journal_record record = {.type = JOURNAL_PREPARED, .prepared = &prepared};
    return may_be(&record);
}

static void test_journal_record_size__counts_at_their_limits__just_accepted(void)
{
    struct journal_record record = {.type = JOURNAL_EPOCH, .epoch = 0};
    check(!may_be(&record));
    record.epoch = 1;
    check(may_be(&record));
    record.type = (enum journal_type)999;
    check(!may_be(&record));
    check(!may_be_aborted(HAUL_OK, 1));
    check(may_be_aborted(HAUL_IO, JOURNAL_TEXT_BYTES_MAX));
    check(!may_be_aborted(HAUL_IO, JOURNAL_TEXT_BYTES_MAX + 1));
    check(!may_be_plan(0));
    check(may_be_plan(1));
    check(may_be_plan(JOURNAL_PLAN_BYTES_MAX));
    check(!may_be_plan(JOURNAL_PLAN_BYTES_MAX + 1));
    check(!may_be_positions(0));
    check(may_be_positions(JOURNAL_POSITIONS_MAX));
    check(!may_be_positions(JOURNAL_POSITIONS_MAX + 1));
    check(may_be_prepared(0));
    check(may_be_prepared(HAUL_FAMILY_COUNT_MAX));
    check(!may_be_prepared(HAUL_FAMILY_COUNT_MAX + 1));
}

static void test_journal_append__record_out_of_bounds__invalid_and_nothing_written(void)
{
    const struct journal_record nothing = {.type = JOURNAL_PLAN};
    start();
    check_status(open_journal(job), HAUL_OK);
    check_error(journal_append(journal, &nothing, true, &error), HAUL_INVALID, error);
    check_status(job_journal_plan(journal, &plan, &error), HAUL_OK);
    look(false);
    failing_store_fini();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_journal_open__nth_call_fails__told_and_opened_when_done_again),
    CHECK_TEST(test_journal_open__adopted_elsewhere_now__busy_and_that_file_stays),
    CHECK_TEST(test_job_journal__nth_call_fails__told_and_recorded_when_done_again),
    CHECK_TEST(test_job_journal_decide_late__power_fails__decided_or_not_begun),
    CHECK_TEST(test_job_journal_positions__nth_call_fails__told_and_all_there_when_done_again),
    CHECK_TEST(test_job_journals_find__nth_call_fails__told_and_found_when_done_again),
    CHECK_TEST(test_journal_open__checksum_fits_another_header__refused),
    CHECK_TEST(test_journal_open__another_file_of_the_same_number__copy),
    CHECK_TEST(test_journal_open__births_are_unknown_now__by_the_number),
    CHECK_TEST(test_journal_create__identity_too_long__invalid),
    CHECK_TEST(test_journal_record_size__names_at_their_limits__just_accepted),
    CHECK_TEST(test_journal_record_size__counts_at_their_limits__just_accepted),
    CHECK_TEST(test_journal_append__record_out_of_bounds__invalid_and_nothing_written),
};
CHECK_MAIN("journal_failures", tests)
