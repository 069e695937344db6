/* SPDX-License-Identifier: Apache-2.0 */
/* job_journal.c — writes and reads the journal records of a migration. */
#include "job_journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "haul_folder.h"
#include "instance.h"
#include "message.h"
#include "planted_bug.h"

enum { PATH_BYTES_MAX = 1024 };

static enum haul_status make_config(const struct haul_store *store, enum journal_role role,
                                    const uint8_t *job, char *directory,
                                    struct journal_config *config, struct haul_error *error)
{
    if (!haul_directory_of(store, directory, PATH_BYTES_MAX)) {
        return haul_directory_too_long(error);
    }
    *config = (struct journal_config){.directory = directory,
                                      .role = role,
                                      .identity = store->ops->identity(store),
                                      .calls = haul_files_of(store)};
    memcpy(config->job_id, job, HAUL_JOB_BYTES);
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

enum haul_status job_journal_begin(const struct haul_store *store, const char *name,
                                   enum journal_role role, const uint8_t job[HAUL_JOB_BYTES],
                                   struct journal **journal, bool *existed,
                                   struct haul_error *error)
{
    int lock_fd = -1;
    if (name[0] == '\0' || HAUL_PLANTED_BUG(NAME_KEPT)) {
        return job_journal_open(store, role, job, journal, existed, error);
    }
    enum haul_status status = instance_hold(store, name, &lock_fd, error);
    if (status == HAUL_OK) {
        status = job_journal_open(store, role, job, journal, existed, error);
        instance_release(store, lock_fd);
    }
    return status;
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

enum haul_status job_journal_look(const struct haul_store *store, enum journal_role role,
                                  const uint8_t job[HAUL_JOB_BYTES], struct journal **journal,
                                  struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    struct journal_config config;
    enum haul_status status = make_config(store, role, job, directory, &config, error);
    config.read_only = true;
    return status == HAUL_OK ? journal_open(&config, journal, error) : status;
}

enum haul_status job_journal_list(const struct haul_store *store, enum journal_role role,
                                  struct journal_entry **entries, size_t *count,
                                  struct haul_error *error)
{
    char directory[PATH_BYTES_MAX];
    size_t kept = 0;
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_directory_too_long(error);
    }
    enum haul_status status =
        journal_directory_list(haul_files_of(store), directory, entries, count, error);
    for (size_t i = 0; status == HAUL_OK && i < *count; i++) {
        if ((*entries)[i].role == role) {
            (*entries)[kept++] = (*entries)[i];
        }
    }
    *count = status == HAUL_OK ? kept : 0;
    return status;
}

/* --- unfinished jobs -------------------------------------------------------------------------- */

/* One more item at the end of an array. NULL: no memory. */
static void *append_item(void *array_of_items, size_t *count, size_t item_bytes)
{
    void **items = array_of_items;
    void *larger = realloc(*items, (*count + 1) * item_bytes);
    if (larger == NULL) {
        return NULL;
    }
    *items = larger;
    return (uint8_t *)larger + (*count)++ * item_bytes;
}

static enum haul_status no_memory(struct haul_error *error)
{
    return haul_error_set(error, HAUL_NO_MEMORY, "realloc", 0, "no memory for earlier jobs");
}

static enum haul_status keep_aborted(struct job_journals *found, const struct journal *journal,
                                     struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    struct job_left *left =
        append_item(&found->aborted, &found->aborted_count, sizeof(*found->aborted));
    if (left == NULL) {
        return no_memory(error);
    }
    memset(left, 0, sizeof(*left));
    memcpy(left->id, journal_job_id(journal), sizeof(left->id));
    memcpy(left->peer, state->peer, sizeof(left->peer));
    memcpy(left->peer_address, state->peer_address, sizeof(left->peer_address));
    left->epoch = state->snapshot_count;
    return HAUL_OK;
}

/* Takes the journal over. */
static enum haul_status keep_journal(struct job_journals *found, struct journal *journal,
                                     struct haul_error *error)
{
    enum journal_phase phase = journal_state(journal)->phase;
    enum haul_status status = HAUL_OK;
    struct journal **kept = NULL;
    if (phase == JOURNAL_PHASE_DONE ||
        (phase == JOURNAL_PHASE_NEW && !HAUL_PLANTED_BUG(EMPTY_JOURNAL_KEPT))) {
        status = journal_remove(journal, error);
    } else if (phase == JOURNAL_PHASE_ABORTED && !journal_state(journal)->restored) {
        status = keep_aborted(found, journal, error);
    } else {
        kept = append_item(&found->journals, &found->count, sizeof(*found->journals));
        status = kept == NULL ? no_memory(error) : HAUL_OK;
    }
    if (kept == NULL) {
        journal_close(journal);
    } else {
        *kept = journal;
    }
    return status;
}

static enum haul_status keep_running(struct job_journals *found, const uint8_t *job,
                                     struct haul_error *error)
{
    uint8_t(*kept)[HAUL_JOB_BYTES] =
        append_item(&found->running, &found->running_count, sizeof(*found->running));
    if (kept == NULL) {
        return no_memory(error);
    }
    memcpy(kept, job, HAUL_JOB_BYTES);
    return HAUL_OK;
}

/* There can be many jobs that were given up, and only their names matter: do not open them for
 * writing, which would write and sync each of them again. */
static enum haul_status look_at(struct job_journals *found, struct journal_config *config,
                                struct haul_error *error)
{
    struct journal *journal = NULL;
    config->read_only = true;
    enum haul_status status = journal_open(config, &journal, error);
    const struct journal_state *state = status == HAUL_OK ? journal_state(journal) : NULL;
    bool aborted = state != NULL && state->phase == JOURNAL_PHASE_ABORTED && !state->restored;
    if (aborted && !journal_is_copy(journal)) { /* a copy is refused below */
        return keep_journal(found, journal, error);
    }
    journal_close(journal);
    journal = NULL;
    config->read_only = false;
    if (status == HAUL_OK) {
        status = journal_open(config, &journal, error);
    }
    /* Its process may have finished it meanwhile. */
    return status == HAUL_OK          ? keep_journal(found, journal, error)
           : status == HAUL_BUSY      ? keep_running(found, config->job_id, error)
           : status == HAUL_NOT_FOUND ? HAUL_OK
                                      : status;
}

enum haul_status job_journals_find(const struct haul_store *store, enum journal_role role,
                                   struct job_journals *found, struct haul_error *error)
{
    static const uint8_t none[HAUL_JOB_BYTES];
    char directory[PATH_BYTES_MAX];
    struct journal_config config;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    memset(found, 0, sizeof(*found));
    enum haul_status status = make_config(store, role, none, directory, &config, error);
    if (status == HAUL_OK) {
        status = job_journal_list(store, role, &entries, &count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        memcpy(config.job_id, entries[i].job_id, HAUL_JOB_BYTES);
        status = look_at(found, &config, error);
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
    free(found->journals);
    free(found->aborted);
    free(found->running);
    memset(found, 0, sizeof(*found));
}

/* --- peer ------------------------------------------------------------------------------------- */

bool job_journal_is_bound_to(const struct journal *journal, const char *identity)
{
    const char *peer = journal_state(journal)->peer;
    return peer[0] == '\0' || instance_is(peer, identity);
}

enum haul_status job_journal_bind(struct journal *journal, const char *identity,
                                  const char *address, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    if (!job_journal_is_bound_to(journal, identity)) {
        return haul_error_set(error, HAUL_MISMATCH, NULL, 0,
                              "the job was begun with database %s%s%s, this one is %s", state->peer,
                              state->peer_address[0] == '\0' ? "" : " at ", state->peer_address,
                              identity);
    }
    size_t size = strnlen(address, JOURNAL_ADDRESS_BYTES_MAX);
    if (state->peer[0] != '\0' && !state->restored && strlen(state->peer_address) == size &&
        memcmp(state->peer_address, address, size) == 0) {
        return HAUL_OK;
    }
    const char *bound = state->peer[0] == '\0' ? identity : state->peer; /* never changes */
    struct journal_record record = {
        .type = JOURNAL_PEER,
        .peer = {.identity = slice_of((const uint8_t *)bound, strlen(bound)),
                 .address = slice_of((const uint8_t *)address, size)}};
    return journal_append(journal, &record, true, error);
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

/* --- decision --------------------------------------------------------------------------------- */

bool job_journal_was_decided(const struct journal *journal, bool released)
{
    const struct journal_state *state = journal_state(journal);
    bool decided = state->outcome == JOURNAL_OPEN ? released : state->outcome == JOURNAL_COMMIT;
    return state->role == JOURNAL_SOURCE && state->phase != JOURNAL_PHASE_DONE && decided;
}

enum haul_status job_journal_decide_late(struct journal *journal, uint64_t old_version,
                                         uint64_t new_version, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    const struct journal_record begun = {.type = JOURNAL_SNAPSHOT, .snapshot = state->snapshot};
    const struct journal_record frozen = {.type = JOURNAL_FROZEN,
                                          .frozen_sequence = state->snapshot.sequence};
    enum haul_status status = HAUL_OK;
    if (state->phase == JOURNAL_PHASE_PLANNED) {
        status = journal_append(journal, &begun, false, error);
    }
    if (status == HAUL_OK && state->phase != JOURNAL_PHASE_FROZEN) {
        status = journal_append(journal, &frozen, false, error);
    }
    const struct journal_record decision = {
        .type = JOURNAL_DECISION,
        .decision = {.commit = true,
                     .old_version = old_version,
                     .new_version = new_version > old_version ? new_version : old_version + 1,
                     .epoch = state->snapshot_count}};
    return status == HAUL_OK ? journal_append(journal, &decision, true, error) : status;
}

/* --- positions -------------------------------------------------------------------------------- */

static enum haul_status append_delta(struct journal *journal, uint64_t next_batch,
                                     struct haul_error *error)
{
    struct journal_record record = {.type = JOURNAL_DELTA, .delta = {.next_batch = next_batch}};
    return journal_append(journal, &record, false, error);
}

/* A record being filled: its positions are either all finished or all unfinished. */
struct position_record {
    bool finished;
    size_t used;
    struct stream_position items[JOURNAL_POSITIONS_MAX];
};

/* A full journal omits unfinished positions. */
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

/* A record names a stream only once, with its newest position. */
static void put_item(struct position_record *filled, const struct stream_position *position)
{
    size_t at = 0;
    while (at < filled->used && filled->items[at].stream != position->stream) {
        at++;
    }
    filled->items[at] = *position;
    filled->used += at == filled->used ? 1 : 0;
}

/* Append all positions of finished streams, or all of unfinished ones. */
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
    /* Deltas last: a crash may lose the unsynced end, and a delta position without its streams
     * before it would let a resume put old records over newer ones. */
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
    enum journal_phase phase = journal_state(journal)->phase;
    enum haul_status status = HAUL_OK;
    if (phase != JOURNAL_PHASE_DONE && phase != JOURNAL_PHASE_NEW) {
        status = job_journal_mark(journal, JOURNAL_DONE, true, error);
    }
    if (status == HAUL_OK) {
        status = journal_remove(journal, error);
    }
    journal_close(journal);
    return status;
}
