/* SPDX-License-Identifier: Apache-2.0 */
/* job_journal.c — a migration's records. */
#include "job_journal.h"

#include <stdlib.h>
#include <string.h>

#include "journal_directory.h"
#include "message.h"
#include "version_record.h"

enum { PATH_BYTES_MAX = 1024 };

static enum haul_status make_config(const struct haul_store *store, enum journal_role role,
                                    const uint8_t *job, char *directory,
                                    struct journal_config *config, struct haul_error *error)
{
    if (!haul_directory_of(store, directory, PATH_BYTES_MAX)) {
        return haul_error_set(error, HAUL_LIMIT, NULL, 0, "the database's path is too long");
    }
    *config = (struct journal_config){.directory = directory,
                                      .role = role,
                                      .identity = store->ops->identity(store),
                                      .calls = haul_files_of(store)};
    memcpy(config->job_id, job, JOURNAL_JOB_ID_BYTES);
    return HAUL_OK;
}

enum haul_status job_journal_open(const struct haul_store *store, enum journal_role role,
                                  const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                  bool *existed, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct journal_config config;
    enum haul_status status = make_config(store, role, job, directory, &config, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = journal_open(&config, journal, error);
    *existed = status == HAUL_OK;
    if (status != HAUL_NOT_FOUND) {
        return status;
    }
    journal_directory_clean(config.calls, directory);
    return journal_create(&config, journal, error);
}

enum haul_status job_journal_open_existing(const struct haul_store *store, enum journal_role role,
                                           const uint8_t job[HAUL_JOB_BYTES],
                                           struct journal **journal, struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct journal_config config;
    enum haul_status status = make_config(store, role, job, directory, &config, error);
    return status == HAUL_OK ? journal_open(&config, journal, error) : status;
}

/* The next step of job_journal_find: one journal, opened. Takes it over. */
static enum haul_status look_at(struct journal *journal, struct journal **active,
                                struct journal **aborted, struct haul_error *error)
{
    enum journal_phase phase = journal_state(journal)->phase;
    if (phase == JOURNAL_PHASE_DONE) {
        enum haul_status status = journal_remove(journal, error);
        journal_close(journal);
        return status;
    }
    if (phase != JOURNAL_PHASE_ABORTED) {
        *active = journal;
    } else if (*aborted == NULL) {
        *aborted = journal;
    } else {
        journal_close(journal);
    }
    return HAUL_OK;
}

enum haul_status job_journal_find(const struct haul_store *store, enum journal_role role,
                                  struct journal **journal, struct haul_error *error)
{
    static const uint8_t none[HAUL_JOB_BYTES];
    char directory[PATH_BYTES_MAX];
    struct journal_config config;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = make_config(store, role, none, directory, &config, error);
    if (status == HAUL_OK) {
        status = journal_directory_list(config.calls, directory, &entries, &count, error);
    }
    struct journal *active = NULL;
    struct journal *aborted = NULL;
    for (size_t i = 0; i < count && status == HAUL_OK && active == NULL; i++) {
        struct journal *opened = NULL;
        if (entries[i].role != role) {
            continue;
        }
        memcpy(config.job_id, entries[i].job_id, JOURNAL_JOB_ID_BYTES);
        status = journal_open(&config, &opened, error);
        if (status == HAUL_OK) {
            status = look_at(opened, &active, &aborted, error);
        }
    }
    free(entries);
    if (status == HAUL_OK && active == NULL && aborted != NULL) {
        *journal = aborted;
        return HAUL_OK;
    }
    journal_close(aborted);
    if (status != HAUL_OK) {
        journal_close(active);
        return status;
    }
    *journal = active;
    return active == NULL ? HAUL_NOT_FOUND : HAUL_OK;
}

/* One journal more: in front of those that are ABORTED, unless it is one itself. */
static enum haul_status keep_journal(struct job_journals *found, struct journal *journal,
                                     struct haul_error *error)
{
    bool aborted = journal_state(journal)->phase == JOURNAL_PHASE_ABORTED;
    size_t at = found->count;
    while (!aborted && at > 0 &&
           journal_state(found->journals[at - 1])->phase == JOURNAL_PHASE_ABORTED) {
        at--;
    }
    if (at == JOB_JOURNALS_MAX) {
        journal_close(journal);
        return aborted ? HAUL_OK
                       : haul_error_set(error, HAUL_LIMIT, NULL, 0,
                                        "more than %d jobs of this database are open",
                                        JOB_JOURNALS_MAX);
    }
    if (found->count == JOB_JOURNALS_MAX) {
        journal_close(found->journals[--found->count]);
    }
    memmove(&found->journals[at + 1], &found->journals[at],
            (found->count - at) * sizeof(found->journals[0]));
    found->journals[at] = journal;
    found->count++;
    return HAUL_OK;
}

/* The job is over, or it never began: a full disk may leave a journal without a record. */
static bool may_go(const struct journal *journal)
{
    enum journal_phase phase = journal_state(journal)->phase;
    return phase == JOURNAL_PHASE_DONE || phase == JOURNAL_PHASE_NEW;
}

static enum haul_status keep_or_remove(struct job_journals *found, struct journal *journal,
                                       struct haul_error *error)
{
    if (!may_go(journal)) {
        return keep_journal(found, journal, error);
    }
    enum haul_status status = journal_remove(journal, error);
    journal_close(journal);
    return status;
}

enum haul_status job_journals_find(const struct haul_store *store, enum journal_role role,
                                   struct job_journals *found, struct haul_error *error)
{
    static const uint8_t none[HAUL_JOB_BYTES];
    char directory[PATH_BYTES_MAX];
    struct journal_config config;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    found->count = 0;
    enum haul_status status = make_config(store, role, none, directory, &config, error);
    if (status == HAUL_OK) {
        status = journal_directory_list(config.calls, directory, &entries, &count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        struct journal *opened = NULL;
        if (entries[i].role != role) {
            continue;
        }
        memcpy(config.job_id, entries[i].job_id, JOURNAL_JOB_ID_BYTES);
        status = journal_open(&config, &opened, error);
        if (status == HAUL_OK) {
            status = keep_or_remove(found, opened, error);
        }
    }
    free(entries);
    if (status != HAUL_OK) {
        job_journals_close(found);
    }
    return status;
}

struct journal *job_journals_take(struct job_journals *found, size_t index)
{
    struct journal *journal = found->journals[index];
    found->count--;
    memmove(&found->journals[index], &found->journals[index + 1],
            (found->count - index) * sizeof(found->journals[0]));
    return journal;
}

void job_journals_close(struct job_journals *found)
{
    while (found->count > 0) {
        journal_close(job_journals_take(found, found->count - 1));
    }
}

/* --- plan ------------------------------------------------------------------------------------- */

enum haul_status job_journal_plan(struct journal *journal, const struct plan *plan,
                                  struct haul_error *error)
{
    struct message message;
    uint8_t *bytes = NULL;
    size_t size = 0;
    enum haul_status status = plan_to_message(plan, &message);
    if (status == HAUL_OK) {
        status = message_encode(&message, &bytes, &size);
        message_release(&message);
    }
    if (status != HAUL_OK) {
        return haul_error_set(error, status, NULL, 0, "cannot encode the plan");
    }
    struct journal_record record = {.type = JOURNAL_PLAN, .plan = {bytes, size}};
    status = journal_append(journal, &record, true, error);
    free(bytes);
    return status;
}

enum haul_status job_journal_read_plan(const struct journal *journal, struct plan *plan,
                                       struct haul_error *error)
{
    struct haul_slice bytes = {journal_state(journal)->plan, journal_state(journal)->plan_size};
    struct message message;
    if (bytes.size == 0) {
        return HAUL_NOT_FOUND;
    }
    enum haul_status status = message_decode(MESSAGE_PLAN, bytes, &message, error);
    if (status == HAUL_OK) {
        status = plan_from_message(plan, &message, error);
        message_release(&message);
    }
    return status == HAUL_PROTOCOL ? HAUL_CORRUPT : status;
}

/* --- positions -------------------------------------------------------------------------------- */

static struct journal_position position_of(const struct stream_position *from)
{
    return (struct journal_position){.stream_id = from->stream,
                                     .finished = from->finished,
                                     .next_batch = from->next_batch,
                                     .digest = from->digest,
                                     .last_key = {from->last_key, from->last_key_size}};
}

static enum haul_status append_delta(struct journal *journal, uint64_t next_batch,
                                     struct haul_error *error)
{
    struct journal_record record = {.type = JOURNAL_DELTA, .delta = {.next_batch = next_batch}};
    return journal_append(journal, &record, false, error);
}

/* A record being filled, of positions that are all finished or all not. */
struct position_record {
    bool finished;
    size_t used;
    struct journal_position items[JOURNAL_POSITIONS_MAX];
};

/* A journal that is full does without positions that are not finished. */
static enum haul_status append_items(struct journal *journal, struct position_record *filled,
                                     struct haul_error *error)
{
    struct journal_record record = {.type = JOURNAL_POSITION,
                                    .positions = {.items = filled->items, .count = filled->used}};
    if (filled->used == 0) {
        return HAUL_OK;
    }
    filled->used = 0;
    enum haul_status status = journal_append(journal, &record, false, error);
    return status == HAUL_LIMIT && !filled->finished ? HAUL_OK : status;
}

/* A stream stands once in a record, with its newest position. */
static void put_item(struct position_record *filled, const struct stream_position *position)
{
    size_t at = 0;
    while (at < filled->used && filled->items[at].stream_id != position->stream) {
        at++;
    }
    filled->items[at] = position_of(position);
    filled->used += at == filled->used ? 1 : 0;
}

/* All positions of streams that are finished, or all of those that are not. */
static enum haul_status append_positions(struct journal *journal,
                                         const struct stream_position *positions, size_t count,
                                         struct position_record *filled, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        if (positions[i].stream != PLAN_DELTA_STREAM && positions[i].finished == filled->finished) {
            put_item(filled, &positions[i]);
        }
        if (filled->used == JOURNAL_POSITIONS_MAX) {
            status = append_items(journal, filled, error);
        }
    }
    return status == HAUL_OK ? append_items(journal, filled, error) : status;
}

enum haul_status job_journal_positions(struct journal *journal,
                                       const struct stream_position *positions, size_t count,
                                       struct haul_error *error)
{
    struct position_record filled = {.finished = false};
    enum haul_status status = append_positions(journal, positions, count, &filled, error);
    if (status == HAUL_OK) {
        filled.finished = true;
        status = append_positions(journal, positions, count, &filled, error);
    }
    /* Deltas last: a crash may take the end of what is not synced yet, and a delta position without
     * the streams under it would let a resume put old records over newer ones. */
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        if (positions[i].stream == PLAN_DELTA_STREAM) {
            status = append_delta(journal, positions[i].next_batch, error);
            status = status == HAUL_LIMIT ? HAUL_OK : status;
        }
    }
    return status == HAUL_OK ? journal_sync(journal, error) : status;
}

/* --- marks ------------------------------------------------------------------------------------ */

enum haul_status job_journal_mark(struct journal *journal, enum journal_type type, bool sync,
                                  struct haul_error *error)
{
    struct journal_record record = {.type = type};
    return journal_append(journal, &record, sync, error);
}

enum haul_status job_journal_aborted(struct journal *journal, enum haul_status reason,
                                     const char *text, struct haul_error *error)
{
    size_t size = strnlen(text, JOURNAL_TEXT_BYTES_MAX);
    struct journal_record record = {
        .type = JOURNAL_ABORTED,
        .aborted = {.status = reason == HAUL_OK ? HAUL_CANCELLED : reason,
                    .text = {(const uint8_t *)text, size}}};
    return journal_append(journal, &record, true, error);
}

enum haul_status job_journal_finish(struct journal *journal, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    if (journal_state(journal)->phase != JOURNAL_PHASE_DONE) {
        status = job_journal_mark(journal, JOURNAL_DONE, true, error);
    }
    if (status == HAUL_OK) {
        status = journal_remove(journal, error);
    }
    journal_close(journal);
    return status;
}
