/* SPDX-License-Identifier: Apache-2.0 */
/* corpus_journal.c — the journals of two whole jobs, and given-up, torn and damaged ones. */
#include <stdio.h>
#include <string.h>

#include "assertion.h"
#include "corpus_writer.h"
#include "fake_disk.h"
#include "journal.h"
#include "journal_samples.h"

/* As in fuzz_journal.c. */
enum { MEND = 1, TARGET = 2, CRASH = 4, COPY = 8 };

static struct corpus_input input;
static struct fake_disk disk;

/* The file of a journal with these records. */
static void add_file(enum journal_role role, const struct journal_record *records, size_t count,
                     bool sync)
{
    fake_disk_init(&disk, 1);
    struct journal_config config = {
        .directory = "/db/haul", .role = role, .identity = "identity", .calls = &disk.calls};
    memset(config.job_id, 'j', sizeof(config.job_id));
    struct journal *journal = NULL;
    enum haul_status status = journal_create(&config, &journal, NULL);
    haul_assert(status == HAUL_OK);
    for (size_t i = 0; i < count; i++) {
        status = journal_append(journal, &records[i], sync, NULL);
        haul_assert(status == HAUL_OK);
    }
    journal_close(journal);
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[FAKE_PATH_BYTES];
    journal_name_format(role, config.job_id, name);
    (void)snprintf(path, sizeof(path), "/db/haul/%s", name);
    const struct fake_inode *inode = fake_disk_find(&disk, path);
    corpus_add(&input, inode->bytes, inode->size);
    fake_disk_fini(&disk);
}

static void write_case(const char *name)
{
    corpus_write(&input, "journal", name);
}

static void write_given_up(void)
{
    static const struct journal_record source[] = {
        SAMPLE_PLAN,
        {.type = JOURNAL_SNAPSHOT, .snapshot = {.sequence = 1000, .wal_sequence = 1001}},
        {.type = JOURNAL_FROZEN, .frozen_sequence = 1100},
        SAMPLE_DECISION(false),
        SAMPLE_ABORTED,
        {.type = JOURNAL_UNFROZEN},
        {.type = JOURNAL_DONE},
    };
    static const struct journal_record target[] = {
        SAMPLE_PLAN,    SAMPLE_POSITION,           {.type = JOURNAL_EPOCH, .epoch = 2},
        SAMPLE_ABORTED, {.type = JOURNAL_CLEARED}, {.type = JOURNAL_DONE},
    };
    corpus_add_byte(&input, MEND);
    add_file(JOURNAL_SOURCE, source, CHECK_COUNT(source), true);
    write_case("source-aborted");
    corpus_add_byte(&input, MEND | TARGET);
    add_file(JOURNAL_TARGET, target, CHECK_COUNT(target), true);
    write_case("target-aborted");
}

void corpus_journal(void)
{
    corpus_add_byte(&input, 0);
    add_file(JOURNAL_SOURCE, sample_source, CHECK_COUNT(sample_source), true);
    write_case("source");
    corpus_add_byte(&input, TARGET | CRASH);
    add_file(JOURNAL_TARGET, sample_target, CHECK_COUNT(sample_target), false);
    write_case("target");
    corpus_add_byte(&input, MEND);
    add_file(JOURNAL_SOURCE, sample_source, 6, true);
    write_case("source-frozen");
    corpus_add_byte(&input, MEND | TARGET);
    add_file(JOURNAL_TARGET, sample_target, 7, true);
    write_case("target-prepared");
    corpus_add_byte(&input, CRASH);
    add_file(JOURNAL_SOURCE, sample_source, 7, false);
    input.size -= 5;
    write_case("torn");
    corpus_add_byte(&input, TARGET);
    add_file(JOURNAL_TARGET, sample_target, CHECK_COUNT(sample_target), true);
    input.bytes[1 + JOURNAL_HEADER_BYTES + JOURNAL_FRAME_HEADER_BYTES] ^= 1;
    write_case("rotten");
    corpus_add_byte(&input, MEND | TARGET | CRASH);
    add_file(JOURNAL_TARGET, NULL, 0, true);
    write_case("empty");
    corpus_add_byte(&input, COPY);
    add_file(JOURNAL_SOURCE, sample_source, CHECK_COUNT(sample_source), true);
    write_case("copy");
    write_given_up();
}
