/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_journal.c — a journal file as a disk may return it.
 *
 *   u8 flags (enum flags) | the file
 *
 * Whatever it contains: opening it for reading, opening it for writing, and opening it again after
 * more was appended all yield the same state; a commit is never taken back. */
#include <stdlib.h>
#include <string.h>

#include "assertion.h"
#include "crc32c.h"
#include "fake_disk.h"
#include "fuzz_target.h"
#include "journal.h"
#include "journal_samples.h"

enum flags {
    MEND = 1 << 0, /* valid checksums and record numbers */
    TARGET = 1 << 1,
    CRASH = 1 << 2, /* power loss before it is opened again */
    COPY = 1 << 3,  /* another file than the one that the header names */
};

enum { SEED_AT = 12, ROLE_AT = 10, JOB_ID_AT = 16, INODE_AT = 96, BIRTH_AT = 104 };
enum { HEADER_CRC_AT = 124, FILE_BYTES_MAX = 32 << 10 };

static const char identity[] = "identity";

/* --- the file --------------------------------------------------------------------------------- */

static void mend(uint8_t *file, size_t size, enum journal_role role)
{
    if (size < JOURNAL_HEADER_BYTES) {
        return;
    }
    put_u16(file + ROLE_AT, (uint16_t)role);
    memset(file + JOB_ID_AT, 'j', HAUL_JOB_BYTES);
    put_u32(file + HEADER_CRC_AT, crc32c(file, HEADER_CRC_AT));
    uint32_t seed = get_u32(file + SEED_AT);
    size_t at = JOURNAL_HEADER_BYTES;
    for (uint64_t number = 1; size - at >= JOURNAL_FRAME_BYTES; number++) {
        size_t covered = JOURNAL_FRAME_HEADER_BYTES + (size_t)get_u32(file + at);
        if (covered > size - at - 4) {
            return;
        }
        put_u64(file + at + 8, number);
        put_u32(file + at + covered, crc32c_extend(seed, file + at, covered));
        at += covered + 4;
    }
}

static struct journal_config config_of(struct fake_disk *disk, enum journal_role role)
{
    struct journal_config config = {
        .directory = "/db", .role = role, .identity = identity, .calls = &disk->calls};
    memset(config.job_id, 'j', sizeof(config.job_id));
    return config;
}

static struct fake_inode *put_file(struct fake_disk *disk, const struct journal_config *config,
                                   struct haul_slice bytes)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    char path[FAKE_PATH_BYTES];
    journal_name_format(config->role, config->job_id, name);
    (void)snprintf(path, sizeof(path), "%s/%s", config->directory, name);
    int entry = fake_disk_name(disk, path);
    disk->names[entry].inode = fake_disk_inode(disk, false);
    disk->names[entry].platter_inode = disk->names[entry].inode;
    struct fake_inode *inode = &disk->inodes[disk->names[entry].inode];
    fake_disk_reach(inode, bytes.size);
    if (bytes.size > 0) {
        memcpy(inode->bytes, bytes.data, bytes.size);
        memcpy(inode->platter, bytes.data, bytes.size);
    }
    inode->size = bytes.size;
    inode->platter_size = bytes.size;
    return inode;
}

/* The file is the one that its header names. */
static int named_identity(void *context, int fd, struct file_identity *named)
{
    struct fake_disk *disk = context;
    int result = fake_disk_identity(context, fd, named);
    const struct fake_inode *inode = &disk->inodes[disk->fds[fd].inode];
    if (result == 0 && inode->size >= JOURNAL_HEADER_BYTES) {
        named->inode = get_u64(inode->bytes + INODE_AT);
        named->birth_ns = get_u64(inode->bytes + BIRTH_AT);
    }
    return result;
}

/* --- states ----------------------------------------------------------------------------------- */

static bool same_streams(const struct journal_state *a, const struct journal_state *b)
{
    bool same = a->stream_count == b->stream_count;
    for (size_t i = 0; same && i < a->stream_count; i++) {
        const struct stream_position *one = &a->streams[i].position;
        const struct stream_position *other = &b->streams[i].position;
        same = one->stream == other->stream && one->finished == other->finished &&
               one->next_batch == other->next_batch && digest_equal(&one->digest, &other->digest) &&
               one->last_key.size == other->last_key.size &&
               slice_compare(one->last_key, other->last_key) == 0;
    }
    return same;
}

static bool same_prepared(const struct journal_prepared *a, const struct journal_prepared *b)
{
    bool same = a->old_version == b->old_version && a->new_version == b->new_version &&
                a->epoch == b->epoch && a->frozen_sequence == b->frozen_sequence &&
                a->digest_count == b->digest_count;
    for (uint32_t i = 0; same && i < a->digest_count; i++) {
        same = a->digests[i].family_id == b->digests[i].family_id &&
               digest_equal(&a->digests[i].digest, &b->digests[i].digest);
    }
    return same;
}

static bool same_state(const struct journal_state *a, const struct journal_state *b)
{
    return a->role == b->role && a->phase == b->phase && a->outcome == b->outcome &&
           a->record_count == b->record_count && a->plan_size == b->plan_size &&
           slice_compare(slice_of(a->plan, a->plan_size), slice_of(b->plan, b->plan_size)) == 0 &&
           a->abort_status == b->abort_status && strcmp(a->abort_text, b->abort_text) == 0 &&
           a->snapshot_count == b->snapshot_count && a->frozen == b->frozen &&
           a->decided == b->decided && a->snapshot.sequence == b->snapshot.sequence &&
           a->snapshot.wal_sequence == b->snapshot.wal_sequence &&
           a->frozen_sequence == b->frozen_sequence && a->decision.commit == b->decision.commit &&
           a->decision.old_version == b->decision.old_version &&
           a->decision.new_version == b->decision.new_version &&
           a->decision.epoch == b->decision.epoch && a->epoch == b->epoch &&
           a->cleared == b->cleared && a->has_delta == b->has_delta &&
           a->delta.next_batch == b->delta.next_batch &&
           a->delta.wal_sequence == b->delta.wal_sequence &&
           a->committed.new_version == b->committed.new_version &&
           a->committed.epoch == b->committed.epoch && same_prepared(&a->prepared, &b->prepared) &&
           same_streams(a, b);
}

/* What must hold in every state that a file can lead to. */
static void check_state(const struct journal_state *state)
{
    bool decided_here = state->role == JOURNAL_SOURCE ? state->decided && state->decision.commit
                                                      : state->committed.new_version > 0;
    haul_assert((state->outcome == JOURNAL_COMMIT) == decided_here);
    haul_assert(state->outcome != JOURNAL_COMMIT || state->abort_status == HAUL_OK);
    enum journal_claim claim = journal_state_claim(state);
    if (state->role == JOURNAL_TARGET) {
        haul_assert((claim == JOURNAL_SERVES) == (state->outcome == JOURNAL_COMMIT));
    } else {
        haul_assert(claim != JOURNAL_SERVES || state->outcome != JOURNAL_COMMIT);
        /* After an abort the source owns the range again; the thaw follows. */
        haul_assert(claim != JOURNAL_SERVES || !state->frozen || state->outcome == JOURNAL_ABORT);
    }
}

/* --- more records ----------------------------------------------------------------------------- */

/* Each record of a whole job, where it may follow. */
static void append_all(struct journal *journal)
{
    const struct journal_state *state = journal_state(journal);
    bool is_source = state->role == JOURNAL_SOURCE;
    const struct journal_record *records = is_source ? sample_source : sample_target;
    size_t count = is_source ? CHECK_COUNT(sample_source) : CHECK_COUNT(sample_target);
    for (size_t i = 0; i < count; i++) {
        struct haul_error error;
        enum journal_outcome before = state->outcome;
        uint64_t records_before = state->record_count;
        enum haul_status status = journal_append(journal, &records[i], i % 2 == 0, &error);
        haul_assert(status == HAUL_OK || status == HAUL_INVALID);
        haul_assert(state->record_count == records_before + (status == HAUL_OK ? 1 : 0));
        haul_assert(before == JOURNAL_OPEN || state->outcome == before);
        check_state(state);
    }
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum haul_status open_journal(const struct journal_config *config, struct journal **journal)
{
    struct haul_error error = {.status = HAUL_OK};
    enum haul_status status = journal_open(config, journal, &error);
    haul_assert(status == HAUL_OK || (error.status == status && error.text[0] != '\0'));
    haul_assert(status == HAUL_OK || status == HAUL_CORRUPT || status == HAUL_VERSION ||
                status == HAUL_MISMATCH || status == HAUL_LIMIT);
    return status;
}

/* Open again; the state must equal that of `journal`, which is closed. */
static struct journal *open_again(const struct journal_config *config, struct journal *journal)
{
    struct journal *again = NULL;
    struct journal_config reading = *config;
    reading.read_only = true;
    reading.identity = NULL;
    expect_status(open_journal(&reading, &again), HAUL_OK);
    haul_assert(same_state(journal_state(again), journal_state(journal)));
    journal_close(journal);
    journal = again;
    expect_status(open_journal(config, &again), HAUL_OK);
    haul_assert(same_state(journal_state(again), journal_state(journal)));
    journal_close(journal);
    return again;
}

/* Power loss; descriptors from before can still be closed. */
static void crash_disk(struct fake_disk *disk)
{
    static struct fake_disk before;
    before = *disk;
    fake_disk_crash(disk);
    memcpy(disk->fds, before.fds, sizeof(disk->fds));
}

static void try_file(struct fake_disk *disk, const struct journal_config *config, bool crash)
{
    struct journal *reader = NULL;
    struct journal *journal = NULL;
    struct journal_config reading = *config;
    reading.read_only = true;
    enum haul_status status = open_journal(&reading, &reader);
    bool copy = status == HAUL_OK && journal_is_copy(reader);
    enum haul_status written = open_journal(config, &journal);
    bool was_copy_first = status != HAUL_OK && written == HAUL_MISMATCH; /* before its records */
    if (!was_copy_first) {
        expect_status(written, copy ? HAUL_MISMATCH : status);
    }
    if (copy) {
        journal_close(reader);
    }
    if (copy || status != HAUL_OK) {
        return;
    }
    haul_assert(same_state(journal_state(reader), journal_state(journal)));
    journal_close(reader);
    check_state(journal_state(journal));
    if (crash) {
        /* Everything that opening has read is durable when it returns. */
        crash_disk(disk);
    }
    journal = open_again(config, journal);
    append_all(journal);
    journal = open_again(config, journal);
    if (journal_state(journal)->phase == JOURNAL_PHASE_DONE) {
        struct haul_error error;
        expect_status(journal_remove(journal, &error), HAUL_OK);
    }
    journal_close(journal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fake_disk disk;
    struct cursor input = cursor_of(data, size);
    unsigned flags = cursor_u8(&input);
    size_t file_size = cursor_left(&input);
    struct haul_slice file =
        cursor_slice(&input, file_size > FILE_BYTES_MAX ? FILE_BYTES_MAX : file_size);
    enum journal_role role = (flags & TARGET) != 0 ? JOURNAL_TARGET : JOURNAL_SOURCE;
    fake_disk_init(&disk, 1);
    disk.space_bytes = SIZE_MAX / 2; /* truncation adds to it */
    if ((flags & COPY) == 0) {
        disk.calls.identity = named_identity;
    }
    struct journal_config config = config_of(&disk, role);
    struct fake_inode *inode = put_file(&disk, &config, file);
    if ((flags & MEND) != 0) {
        mend(inode->bytes, file.size, role);
        memcpy(inode->platter, inode->bytes, file.size);
    }
    try_file(&disk, &config, (flags & CRASH) != 0);
    haul_assert(fake_disk_open_count(&disk) == 0);
    fake_disk_fini(&disk);
    return 0;
}
