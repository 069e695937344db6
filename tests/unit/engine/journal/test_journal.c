/* SPDX-License-Identifier: Apache-2.0 */
/* test_journal.c — the file of a journal: creating, appending, crashing, opening, listing. */
#include "journal.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#include "crc32c.h"
#include "fake_disk.h"
#include "journal_directory.h"
#include "journal_samples.h"

enum { SEED_COUNT = 40, SWEEP_CALLS_MAX = 400, WRITE_PIECE_BYTES = 7 };

static struct fake_disk disk;
static struct haul_error error;

static struct journal_config config_of(enum journal_role role)
{
    struct journal_config config = {
        .directory = "/db/haul",
        .role = role,
        .job_id = {0xab, 0x01, 0xff, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0x10},
        .identity = "database-one",
        .calls = &disk.calls,
        .read_only = false,
    };
    return config;
}

static const char target_path[] = "/db/haul/target-ab01ff0405060708090a0b0c0d0e0f10.journal";

static struct journal *create(enum journal_role role)
{
    struct journal_config config = config_of(role);
    struct journal *journal = NULL;
    check_status(journal_create(&config, &journal, &error), HAUL_OK);
    check_or_stop(journal != NULL);
    return journal;
}

static struct journal *open_again(enum journal_role role)
{
    struct journal_config config = config_of(role);
    struct journal *journal = NULL;
    check_status(journal_open(&config, &journal, &error), HAUL_OK);
    check_or_stop(journal != NULL);
    return journal;
}

/* The target's whole job, each record synced. */
static void append_all(struct journal *journal)
{
    for (size_t i = 0; i < CHECK_COUNT(sample_target); i++) {
        check_status(journal_append(journal, &sample_target[i], true, &error), HAUL_OK);
    }
}

/* The state after the first `count` records of the target, as text. */
static void text_after(size_t count, char text[SAMPLE_TEXT_BYTES])
{
    struct journal_state state;
    journal_state_init(&state, JOURNAL_TARGET);
    for (size_t i = 0; i < count; i++) {
        check_status(journal_state_reserve(&state, &sample_target[i], NULL), HAUL_OK);
        journal_state_apply(&state, &sample_target[i]);
    }
    sample_text(&state, text);
    journal_state_fini(&state);
}

/* Whether the state is that of some first records, at least `at_least` of them. */
static void check_is_prefix(const struct journal *journal, size_t at_least)
{
    char expected[SAMPLE_TEXT_BYTES];
    char actual[SAMPLE_TEXT_BYTES];
    size_t count = (size_t)journal_state(journal)->record_count;
    check(count >= at_least);
    check_or_stop(count <= CHECK_COUNT(sample_target));
    text_after(count, expected);
    sample_text(journal_state(journal), actual);
    check_text(actual, expected);
}

/* --- creating and opening --------------------------------------------------------------------- */

static void test_journal_open__after_each_append__state_equals_memory(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    for (size_t i = 0; i < CHECK_COUNT(sample_target); i++) {
        char memory[SAMPLE_TEXT_BYTES];
        char reopened[SAMPLE_TEXT_BYTES];
        check_status(journal_append(journal, &sample_target[i], i % 2 == 0, &error), HAUL_OK);
        sample_text(journal_state(journal), memory);
        journal_close(journal);
        journal = open_again(JOURNAL_TARGET);
        sample_text(journal_state(journal), reopened);
        check_text(reopened, memory);
    }
    check_equal(journal_state(journal)->phase, JOURNAL_PHASE_DONE);
    journal_close(journal);
    check_equal(fake_disk_open_count(&disk), 0);
    fake_disk_fini(&disk);
}

/* What is left of it can be adopted, with the same state. */
static void test_journal_open__adopting_is_cut_short__header_is_whole(void)
{
    bool over = false;
    for (unsigned at = 1; !over; at++) {
        struct journal_config config = config_of(JOURNAL_TARGET);
        struct journal *journal = NULL;
        fake_disk_init(&disk, at);
        journal = create(JOURNAL_TARGET);
        append_all(journal);
        journal_close(journal);
        config.identity = "another identity, which is longer than the one before";
        config.adopts = true;
        fake_disk_fail(&disk, at, true);
        enum haul_status status = journal_open(&config, &journal, &error);
        over = status == HAUL_OK;
        journal_close(over ? journal : NULL);
        fake_disk_crash(&disk);
        check_or_stop(journal_open(&config, &journal, &error) == HAUL_OK);
        check_is_prefix(journal, CHECK_COUNT(sample_target));
        check_text(journal_identity(journal), config.identity);
        check(at < 50);
        journal_close(journal);
        fake_disk_fini(&disk);
    }
}

static void test_journal_append__short_writes__file_is_whole(void)
{
    fake_disk_init(&disk, 1);
    disk.write_bytes_max = WRITE_PIECE_BYTES;
    struct journal *journal = create(JOURNAL_TARGET);
    append_all(journal);
    journal_close(journal);
    journal = open_again(JOURNAL_TARGET);
    check_is_prefix(journal, CHECK_COUNT(sample_target));
    journal_close(journal);
    fake_disk_fini(&disk);
}

static void test_journal_create__there_is_one__exists(void)
{
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_TARGET));
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    check_error(journal_create(&config, &journal, &error), HAUL_EXISTS, error);
    journal_close(create(JOURNAL_SOURCE));
    fake_disk_fini(&disk);
}

static void test_journal_create__temporary_left_by_a_crash__is_replaced(void)
{
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_SOURCE));
    char temporary[sizeof(target_path) + 4];
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", target_path);
    int fd = fake_disk_open(&disk, temporary, O_CREAT, 0);
    check_equal(fake_disk_pwrite(&disk, fd, "old", 3, 0), 3);
    (void)fake_disk_close(&disk, fd);
    journal_close(create(JOURNAL_TARGET));
    journal_close(open_again(JOURNAL_TARGET));
    check(fake_disk_find(&disk, temporary) == NULL);
    fake_disk_fini(&disk);
}

/* A journal that could not be made durably does not exist: its name could vanish later. */
static void test_journal_create__nth_call_fails__no_journal_and_no_descriptor(void)
{
    enum haul_status status = HAUL_IO;
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    unsigned call = 0;
    while (status != HAUL_OK && call < SWEEP_CALLS_MAX) {
        fake_disk_init(&disk, 1);
        fake_disk_fail(&disk, ++call, false);
        status = journal_create(&config, &journal, &error);
        fake_disk_fail(&disk, 0, false);
        if (status == HAUL_OK) {
            journal_close(journal);
        } else {
            check(fake_disk_find(&disk, target_path) == NULL);
        }
        check_equal(fake_disk_open_count(&disk), 0);
        fake_disk_fini(&disk);
    }
    check(call > 1 && call < SWEEP_CALLS_MAX);
}

static void test_journal_create__another_process_is_at_it__busy(void)
{
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_SOURCE));
    char temporary[sizeof(target_path) + 4];
    (void)snprintf(temporary, sizeof(temporary), "%s.tmp", target_path);
    int fd = fake_disk_open(&disk, temporary, O_CREAT, 0);
    check_equal(fake_disk_flock(&disk, fd, LOCK_EX), 0);
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    check_error(journal_create(&config, &journal, &error), HAUL_BUSY, error);
    check_equal(error.status, HAUL_BUSY);
    fake_disk_fini(&disk);
}

static void test_journal_open__none_there__not_found(void)
{
    fake_disk_init(&disk, 1);
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    check_error(journal_open(&config, &journal, &error), HAUL_NOT_FOUND, error);
    check_equal(fake_disk_open_count(&disk), 0);
    fake_disk_fini(&disk);
}

static void test_journal_open__other_database__mismatch(void)
{
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_TARGET));
    struct journal_config config = config_of(JOURNAL_TARGET);
    config.identity = "database-two";
    struct journal *journal = NULL;
    check_error(journal_open(&config, &journal, &error), HAUL_MISMATCH, error);
    check(strstr(error.hint, "the database was replaced, restored or repaired") != NULL);
    fake_disk_fini(&disk);
}

static void test_journal_open__open_elsewhere__busy(void)
{
    fake_disk_init(&disk, 1);
    struct journal *first = create(JOURNAL_TARGET);
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *second = NULL;
    check_error(journal_open(&config, &second, &error), HAUL_BUSY, error);
    journal_close(first);
    check_status(journal_open(&config, &second, &error), HAUL_OK);
    journal_close(second);
    fake_disk_fini(&disk);
}

static void test_journal_open__read_only_while_open_elsewhere__sees_the_state(void)
{
    fake_disk_init(&disk, 1);
    struct journal *writer = create(JOURNAL_TARGET);
    check_status(journal_append(writer, &sample_target[0], true, &error), HAUL_OK);
    struct journal_config config = config_of(JOURNAL_TARGET);
    config.read_only = true;
    config.identity = NULL;
    struct journal *reader = NULL;
    unsigned writable = disk.writable_count;
    check_status(journal_open(&config, &reader, &error), HAUL_OK);
    check_equal(disk.writable_count, writable); /* read-only: another user's, say */
    check_equal(journal_state(reader)->phase, JOURNAL_PHASE_PLANNED);
    check_text(journal_identity(reader), "database-one");
    check_error(journal_append(reader, &sample_target[1], true, &error), HAUL_INVALID, error);
    journal_close(reader);
    check_status(journal_append(writer, &sample_target[1], true, &error), HAUL_OK);
    journal_close(writer);
    fake_disk_fini(&disk);
}

static void test_journal_open__other_format_version__version(void)
{
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_TARGET));
    uint8_t *header = fake_disk_find(&disk, target_path)->bytes;
    header[8] = JOURNAL_FORMAT_VERSION + 1;
    put_u32(header + JOURNAL_HEADER_BYTES - 4, crc32c(header, JOURNAL_HEADER_BYTES - 4));
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    check_error(journal_open(&config, &journal, &error), HAUL_VERSION, error);
    check(strstr(error.hint, "with the haul that began it") != NULL);
    fake_disk_fini(&disk);
}

static void test_journal_open__header_cut_anywhere__corrupt(void)
{
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_TARGET));
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    for (size_t size = 0; size < JOURNAL_HEADER_BYTES; size++) {
        fake_disk_find(&disk, target_path)->size = size;
        check_error(journal_open(&config, &journal, &error), HAUL_CORRUPT, error);
    }
    fake_disk_fini(&disk);
}

/* --- damage ----------------------------------------------------------------------------------- */

static void test_journal_open__file_cut_anywhere__clean_prefix(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    append_all(journal);
    journal_close(journal);
    struct fake_inode *inode = fake_disk_find(&disk, target_path);
    while (inode->size > JOURNAL_HEADER_BYTES) {
        inode->size--;
        size_t cut = inode->size;
        journal = open_again(JOURNAL_TARGET);
        check_is_prefix(journal, 0);
        journal_close(journal);
        check(inode->size <= cut);
    }
    check_equal(inode->size, JOURNAL_HEADER_BYTES);
    fake_disk_fini(&disk);
}

static void test_journal_open__any_bit_flipped__found_or_clean_prefix(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    append_all(journal);
    journal_close(journal);
    struct fake_inode *inode = fake_disk_find(&disk, target_path);
    static uint8_t sound[FAKE_FILE_BYTES_MAX];
    size_t size = inode->size;
    memcpy(sound, inode->bytes, size);
    struct journal_config config = config_of(JOURNAL_TARGET);
    for (size_t bit = 0; bit < size * 8; bit++) {
        memcpy(inode->bytes, sound, size);
        inode->size = size;
        inode->bytes[bit / 8] ^= (uint8_t)(1U << bit % 8);
        enum haul_status status = journal_open(&config, &journal, &error);
        if (status == HAUL_OK) {
            /* Only the last record may look torn. */
            check_is_prefix(journal, CHECK_COUNT(sample_target) - 1);
            check(journal_state(journal)->record_count < CHECK_COUNT(sample_target));
            journal_close(journal);
        } else {
            check_status(status, HAUL_CORRUPT);
        }
    }
    fake_disk_fini(&disk);
}

static void test_journal_append__after_a_torn_tail__stands_where_the_tail_was(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    check_status(journal_append(journal, &sample_target[0], true, &error), HAUL_OK);
    size_t sound = fake_disk_find(&disk, target_path)->size;
    check_status(journal_append(journal, &sample_target[1], false, &error), HAUL_OK);
    journal_close(journal);
    fake_disk_find(&disk, target_path)->size = sound + 3;
    journal = open_again(JOURNAL_TARGET);
    check_equal(journal_state(journal)->record_count, 1);
    check_equal(fake_disk_find(&disk, target_path)->size, sound); /* nothing of it remains */
    check_status(journal_append(journal, &sample_target[1], true, &error), HAUL_OK);
    journal_close(journal);
    journal = open_again(JOURNAL_TARGET);
    check_is_prefix(journal, 2);
    journal_close(journal);
    fake_disk_fini(&disk);
}

static void test_journal_append__sound_record_behind_the_torn_one__never_comes_back(void)
{
    const struct journal_record torn = SAMPLE_DELTA(1, 1);
    const struct journal_record behind = SAMPLE_DELTA(8, 8);
    const struct journal_record later = SAMPLE_DELTA(2, 2);
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    check_status(journal_append(journal, &sample_target[0], false, &error), HAUL_OK);
    check_status(journal_append(journal, &torn, false, &error), HAUL_OK);
    check_status(journal_append(journal, &behind, false, &error), HAUL_OK);
    journal_close(journal);
    struct fake_inode *inode = fake_disk_find(&disk, target_path);
    inode->bytes[inode->size - 50] ^= 1; /* in the record before the last */
    journal = open_again(JOURNAL_TARGET);
    check_equal(journal_state(journal)->record_count, 1);
    check_status(journal_append(journal, &later, true, &error), HAUL_OK);
    journal_close(journal);
    journal = open_again(JOURNAL_TARGET);
    check_equal(journal_state(journal)->delta.next_batch, 2);
    journal_close(journal);
    fake_disk_fini(&disk);
}

static void test_journal_open__sound_frame_that_cannot_follow__corrupt(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    journal_close(journal);
    struct fake_inode *inode = fake_disk_find(&disk, target_path);
    const struct journal_frame frame = {
        .seed = get_u32(inode->bytes + 12), .flags = 0, .number = 1};
    journal_record_encode(&sample_target[10], &frame, inode->bytes + JOURNAL_HEADER_BYTES);
    inode->size = JOURNAL_HEADER_BYTES + JOURNAL_FRAME_BYTES + 16;
    struct journal_config config = config_of(JOURNAL_TARGET);
    check_error(journal_open(&config, &journal, &error), HAUL_CORRUPT, error);
    fake_disk_fini(&disk);
}

/* --- failing calls and crashes ---------------------------------------------------------------- */

/* Create, append all, close; returns the first status that is not OK. Counts acknowledged
 * records. */
static enum haul_status run_job(size_t *durable_count)
{
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    *durable_count = 0;
    enum haul_status status = journal_create(&config, &journal, &error);
    if (status != HAUL_OK) {
        return status;
    }
    for (size_t i = 0; status == HAUL_OK && i < CHECK_COUNT(sample_target); i++) {
        bool sync = i % 3 != 1;
        status = journal_append(journal, &sample_target[i], sync, &error);
        *durable_count = status == HAUL_OK && sync ? i + 1 : *durable_count;
    }
    journal_close(journal);
    return status;
}

/* After a failure the directory contains nothing, or a valid prefix with what was acknowledged. */
static void check_recovers(size_t durable_count)
{
    struct journal_config config = config_of(JOURNAL_TARGET);
    struct journal *journal = NULL;
    enum haul_status status = journal_open(&config, &journal, &error);
    if (status == HAUL_NOT_FOUND) {
        check_equal(durable_count, 0);
        return;
    }
    check_status(status, HAUL_OK);
    check_or_stop(status == HAUL_OK);
    check_is_prefix(journal, durable_count);
    journal_close(journal);
}

static void test_journal_append__nth_call_fails__reported_and_recovers(void)
{
    unsigned failed = 0;
    for (unsigned n = 1; n < SWEEP_CALLS_MAX; n++) {
        size_t durable_count = 0;
        fake_disk_init(&disk, n);
        fake_disk_fail(&disk, n, false);
        enum haul_status status = run_job(&durable_count);
        bool reached = disk.call_count >= n;
        check_equal(status != HAUL_OK, reached);
        check_equal(fake_disk_open_count(&disk), 0);
        if (reached) {
            check_equal(status, HAUL_IO);
            check_equal(error.status, HAUL_IO);
        }
        fake_disk_fail(&disk, 0, false);
        check_recovers(durable_count);
        fake_disk_fini(&disk);
        if (!reached) {
            break;
        }
        failed = n;
    }
    check(failed > 20 && failed < SWEEP_CALLS_MAX - 1);
}

static void test_journal_append__power_lost_at_nth_call__acknowledged_records_survive(void)
{
    for (unsigned n = 1; n < SWEEP_CALLS_MAX; n++) {
        bool reached = false;
        for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
            size_t durable_count = 0;
            fake_disk_init(&disk, seed);
            fake_disk_fail(&disk, n, true);
            (void)!run_job(&durable_count);
            reached = disk.call_count >= n;
            fake_disk_crash(&disk);
            check_recovers(durable_count);
            fake_disk_fini(&disk);
        }
        if (!reached) {
            return;
        }
    }
    check(false); /* the sweep never reached its end */
}

static void test_journal_open__nth_call_fails_then_power_lost__nothing_durable_is_lost(void)
{
    bool reached = true;
    for (unsigned n = 1; reached; n++) {
        size_t durable_count = 0;
        fake_disk_init(&disk, n);
        check_status(run_job(&durable_count), HAUL_OK);
        fake_disk_find(&disk, target_path)->size -= 1; /* something to truncate */
        fake_disk_fail(&disk, n, true);
        struct journal_config config = config_of(JOURNAL_TARGET);
        struct journal *journal = NULL;
        enum haul_status status = journal_open(&config, &journal, &error);
        reached = disk.call_count >= n;
        check_equal(status != HAUL_OK, reached);
        if (status == HAUL_OK) {
            journal_close(journal);
        }
        fake_disk_crash(&disk);
        check_recovers(CHECK_COUNT(sample_target) - 1);
        fake_disk_fini(&disk);
    }
}

static void test_journal_append__sync_fails__dead_and_never_synced_again(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    check_status(journal_append(journal, &sample_target[0], true, &error), HAUL_OK);
    fake_disk_fail(&disk, 2, false); /* pwrite, then fdatasync */
    check_error(journal_append(journal, &sample_target[1], true, &error), HAUL_IO, error);
    check_text(error.call, "fdatasync");
    check_equal(journal_state(journal)->record_count, 1);
    unsigned calls = disk.call_count;
    check_error(journal_sync(journal, &error), HAUL_IO, error);
    check_error(journal_append(journal, &sample_target[1], true, &error), HAUL_IO, error);
    check_equal(disk.call_count, calls);
    journal_close(journal);
    fake_disk_fini(&disk);
}

static void test_journal_open__after_a_failed_sync__makes_durable_what_it_shows(void)
{
    for (unsigned seed = 0; seed < SEED_COUNT; seed++) {
        fake_disk_init(&disk, seed);
        struct journal *journal = create(JOURNAL_TARGET);
        check_status(journal_append(journal, &sample_target[0], true, &error), HAUL_OK);
        fake_disk_fail(&disk, 2, false);
        check_error(journal_append(journal, &sample_target[1], true, &error), HAUL_IO, error);
        journal_close(journal);
        journal = open_again(JOURNAL_TARGET);
        size_t shown = (size_t)journal_state(journal)->record_count;
        check_equal(shown, 2);
        journal_close(journal);
        fake_disk_crash(&disk);
        check_recovers(shown);
        fake_disk_fini(&disk);
    }
}

static void test_journal_append__disk_full__as_before_and_goes_on_later(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    check_status(journal_append(journal, &sample_target[0], true, &error), HAUL_OK);
    disk.space_bytes = 30;
    check_error(journal_append(journal, &sample_target[1], true, &error), HAUL_NO_SPACE, error);
    check_equal(error.code, ENOSPC);
    check_is_prefix(journal, 1);
    disk.space_bytes = SIZE_MAX / 2;
    check_status(journal_append(journal, &sample_target[1], true, &error), HAUL_OK);
    journal_close(journal);
    journal = open_again(JOURNAL_TARGET);
    check_is_prefix(journal, 2);
    journal_close(journal);
    fake_disk_fini(&disk);
}

static void test_journal_append__disk_full_and_cut_fails__dead(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    disk.space_bytes = 0;
    fake_disk_fail(&disk, 2, false); /* pwrite, then ftruncate */
    check_error(journal_append(journal, &sample_target[0], true, &error), HAUL_IO, error);
    disk.space_bytes = SIZE_MAX / 2;
    check_error(journal_append(journal, &sample_target[0], true, &error), HAUL_IO, error);
    journal_close(journal);
    fake_disk_fini(&disk);
}

static void test_journal_append__record_that_cannot_follow__invalid_and_nothing_written(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    unsigned calls = disk.call_count;
    check_error(journal_append(journal, &sample_target[10], true, &error), HAUL_INVALID, error);
    check(strstr(error.text, "COMMITTED cannot follow in phase NEW") != NULL);
    check_equal(disk.call_count, calls);
    check_status(journal_append(journal, &sample_target[0], true, &error), HAUL_OK);
    journal_close(journal);
    fake_disk_fini(&disk);
}

static void test_journal_sync__nothing_appended__makes_no_call(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    check_status(journal_append(journal, &sample_target[0], false, &error), HAUL_OK);
    unsigned calls = disk.call_count;
    check_status(journal_sync(journal, &error), HAUL_OK);
    check_equal(disk.call_count, calls + 1);
    check_status(journal_sync(journal, &error), HAUL_OK);
    check_equal(disk.call_count, calls + 1);
    journal_close(journal);
    fake_disk_fini(&disk);
}

/* --- removing and listing --------------------------------------------------------------------- */

static void test_journal_remove__not_done__invalid_and_kept(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    check_status(journal_append(journal, &sample_target[0], true, &error), HAUL_OK);
    check_error(journal_remove(journal, &error), HAUL_INVALID, error);
    check(strstr(error.hint, "finish or abort it first") != NULL);
    static const struct journal_record aborted = SAMPLE_ABORTED;
    check_status(journal_append(journal, &aborted, true, &error), HAUL_OK);
    check_error(journal_remove(journal, &error), HAUL_INVALID, error); /* its target may not know */
    journal_close(journal);
    journal_close(open_again(JOURNAL_TARGET));
    fake_disk_fini(&disk);
}

static void test_journal_remove__never_begun__gone(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    check_status(journal_remove(journal, &error), HAUL_OK);
    journal_close(journal);
    struct journal_config config = config_of(JOURNAL_TARGET);
    check_error(journal_open(&config, &journal, &error), HAUL_NOT_FOUND, error);
    fake_disk_fini(&disk);
}

static void test_journal_remove__done__gone_for_good(void)
{
    fake_disk_init(&disk, 1);
    struct journal *journal = create(JOURNAL_TARGET);
    append_all(journal);
    check_status(journal_remove(journal, &error), HAUL_OK);
    journal_close(journal);
    fake_disk_crash(&disk);
    struct journal_config config = config_of(JOURNAL_TARGET);
    check_error(journal_open(&config, &journal, &error), HAUL_NOT_FOUND, error);
    fake_disk_fini(&disk);
}

static void test_journal_directory_list__journals_and_other_files__only_journals_in_order(void)
{
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_TARGET));
    journal_close(create(JOURNAL_SOURCE));
    (void)fake_disk_close(&disk, fake_disk_open(&disk, "/db/haul/ownership", O_CREAT, 0));
    struct journal_entry *entries = NULL;
    size_t count = 0;
    check_status(journal_directory_list(&disk.calls, "/db/haul", &entries, &count, &error),
                 HAUL_OK);
    check_or_stop(count == 2);
    check_equal(entries[0].role, JOURNAL_SOURCE);
    check_equal(entries[1].role, JOURNAL_TARGET);
    check_equal(entries[1].job_id[2], 0xff);
    free(entries);
    fake_disk_fini(&disk);
}

static void test_journal_directory_list__no_directory__none(void)
{
    fake_disk_init(&disk, 1);
    struct journal_entry *entries = NULL;
    size_t count = 1;
    check_status(journal_directory_list(&disk.calls, "/db/haul", &entries, &count, &error),
                 HAUL_OK);
    check_equal(count, 0);
    check(entries == NULL);
    fake_disk_fini(&disk);
}

static int make_file(const char *name)
{
    int fd = fake_disk_open(&disk, name, O_CREAT, 0);
    check(fd >= 0);
    return fd;
}

static void test_journal_directory_clean__unfinished_journals__only_those_nobody_makes(void)
{
    static const char left[] = "/db/haul/source-000102030405060708090a0b0c0d0e0f.journal.tmp";
    static const char locked[] = "/db/haul/target-000102030405060708090a0b0c0d0e0f.journal.tmp";
    static const char other[] = "/db/haul/ownership.tmp";
    /* a journal's name, and more than a name has room for */
    static const char longer[] = "/db/haul/source-000102030405060708090a0b0c0d0e0f.journal"
                                 ".source-000102030405060708090a0b0c0d0e0f.journal.tmp";
    fake_disk_init(&disk, 1);
    journal_close(create(JOURNAL_SOURCE));
    (void)fake_disk_close(&disk, make_file(left));
    (void)fake_disk_close(&disk, make_file(other));
    (void)fake_disk_close(&disk, make_file(longer));
    int fd = make_file(locked);
    check_equal(fake_disk_flock(&disk, fd, LOCK_EX), 0);
    journal_directory_clean(&disk.calls, "/db/haul");
    check(fake_disk_find(&disk, left) == NULL);
    check(fake_disk_find(&disk, locked) != NULL);
    check(fake_disk_find(&disk, other) != NULL);
    check(fake_disk_find(&disk, longer) != NULL);
    journal_close(open_again(JOURNAL_SOURCE));
    fake_disk_fini(&disk);
}

static void test_journal_name_parse__not_a_journal__false(void)
{
    static const char *const names[] = {
        "",
        "source-",
        "ownership",
        "source-ab01ff0405060708090a0b0c0d0e0f10",
        "target-ab01ff0405060708090a0b0c0d0e0f1.journal",
        "target-AB01ff0405060708090a0b0c0d0e0f10.journal",
        "target-ab01ff0405060708090a0b0c0d0e0f10.journal.tmp",
        "middle-ab01ff0405060708090a0b0c0d0e0f10.journal",
    };
    for (size_t i = 0; i < CHECK_COUNT(names); i++) {
        enum journal_role role;
        uint8_t job_id[HAUL_JOB_BYTES];
        check(!journal_name_parse(names[i], &role, job_id));
    }
}

/* --- the system's own calls ------------------------------------------------------------------- */

static void test_file_calls_system__whole_life_of_a_journal__works(void)
{
    char parent[] = "/tmp/haul-test-XXXXXX";
    check_or_stop(mkdtemp(parent) != NULL);
    char directory[64];
    (void)snprintf(directory, sizeof(directory), "%s/haul", parent);
    struct journal_config config = config_of(JOURNAL_TARGET);
    config.calls = NULL;
    config.directory = directory;
    struct journal *journal = NULL;
    struct journal *second = NULL;
    check_status(journal_create(&config, &journal, &error), HAUL_OK);
    check_error(journal_open(&config, &second, &error), HAUL_BUSY, error);
    append_all(journal);
    journal_close(journal);
    check_status(journal_open(&config, &journal, &error), HAUL_OK);
    check_is_prefix(journal, CHECK_COUNT(sample_target));
    struct journal_entry *entries = NULL;
    size_t count = 0;
    check_status(journal_directory_list(NULL, directory, &entries, &count, &error), HAUL_OK);
    check_equal(count, 1);
    free(entries);
    check_status(journal_remove(journal, &error), HAUL_OK);
    journal_close(journal);
    check_equal(rmdir(directory), 0);
    check_equal(rmdir(parent), 0);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_journal_open__after_each_append__state_equals_memory),
    CHECK_TEST(test_journal_open__adopting_is_cut_short__header_is_whole),
    CHECK_TEST(test_journal_append__short_writes__file_is_whole),
    CHECK_TEST(test_journal_create__there_is_one__exists),
    CHECK_TEST(test_journal_create__temporary_left_by_a_crash__is_replaced),
    CHECK_TEST(test_journal_create__nth_call_fails__no_journal_and_no_descriptor),
    CHECK_TEST(test_journal_create__another_process_is_at_it__busy),
    CHECK_TEST(test_journal_open__none_there__not_found),
    CHECK_TEST(test_journal_open__other_database__mismatch),
    CHECK_TEST(test_journal_open__open_elsewhere__busy),
    CHECK_TEST(test_journal_open__read_only_while_open_elsewhere__sees_the_state),
    CHECK_TEST(test_journal_open__other_format_version__version),
    CHECK_TEST(test_journal_open__header_cut_anywhere__corrupt),
    CHECK_TEST(test_journal_open__file_cut_anywhere__clean_prefix),
    CHECK_TEST(test_journal_open__any_bit_flipped__found_or_clean_prefix),
    CHECK_TEST(test_journal_append__after_a_torn_tail__stands_where_the_tail_was),
    CHECK_TEST(test_journal_append__sound_record_behind_the_torn_one__never_comes_back),
    CHECK_TEST(test_journal_open__sound_frame_that_cannot_follow__corrupt),
    CHECK_TEST(test_journal_append__nth_call_fails__reported_and_recovers),
    CHECK_TEST(test_journal_append__power_lost_at_nth_call__acknowledged_records_survive),
    CHECK_TEST(test_journal_open__nth_call_fails_then_power_lost__nothing_durable_is_lost),
    CHECK_TEST(test_journal_append__sync_fails__dead_and_never_synced_again),
    CHECK_TEST(test_journal_open__after_a_failed_sync__makes_durable_what_it_shows),
    CHECK_TEST(test_journal_append__disk_full__as_before_and_goes_on_later),
    CHECK_TEST(test_journal_append__disk_full_and_cut_fails__dead),
    CHECK_TEST(test_journal_append__record_that_cannot_follow__invalid_and_nothing_written),
    CHECK_TEST(test_journal_sync__nothing_appended__makes_no_call),
    CHECK_TEST(test_journal_remove__not_done__invalid_and_kept),
    CHECK_TEST(test_journal_remove__never_begun__gone),
    CHECK_TEST(test_journal_remove__done__gone_for_good),
    CHECK_TEST(test_journal_directory_list__journals_and_other_files__only_journals_in_order),
    CHECK_TEST(test_journal_directory_list__no_directory__none),
    CHECK_TEST(test_journal_directory_clean__unfinished_journals__only_those_nobody_makes),
    CHECK_TEST(test_journal_name_parse__not_a_journal__false),
    CHECK_TEST(test_file_calls_system__whole_life_of_a_journal__works),
};
CHECK_MAIN("journal", tests)
