/* SPDX-License-Identifier: Apache-2.0 */
/* job.c — the jobs of a database, by their journals. */
#include "haul/job.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "closed_database.h"
#include "config_version.h"
#include "durable_file.h"
#include "haul_folder.h"
#include "instance.h"
#include "job_journal.h"
#include "journal.h"
#include "journal_directory.h"
#include "lost_jobs.h"
#include "manifest_progress.h"
#include "owner_change.h"
#include "ownership_file.h"
#include "planted_bug.h"
#include "source_earlier.h"
#include "source_journal.h"
#include "source_left_over.h"
#include "staging.h"
#include "target_commit.h"
#include "target_held.h"
#include "target_journal.h"
#include "target_left_over.h"
#include "wall_clock.h"

const char *haul_job_role_name(enum haul_job_role role)
{
    return role == HAUL_JOB_SOURCE ? "source" : "target";
}

const char *haul_job_claim_name(enum haul_job_claim claim)
{
    static const char *const names[] = {[HAUL_JOB_SERVES] = "serves",
                                        [HAUL_JOB_IN_DOUBT] = "in doubt",
                                        [HAUL_JOB_YIELDS] = "yields"};
    return names[claim];
}

const char *haul_job_condition_name(enum haul_job_condition condition)
{
    static const char *const names[] = {
        [HAUL_JOB_SOUND] = "sound", [HAUL_JOB_FOREIGN] = "foreign", [HAUL_JOB_DAMAGED] = "damaged"};
    return names[condition];
}

/* --- listing ---------------------------------------------------------------------------------- */

static enum haul_job_claim claim_of(const struct journal_state *state)
{
    switch (journal_state_claim(state)) {
    case JOURNAL_SERVES:
        return HAUL_JOB_SERVES;
    case JOURNAL_IN_DOUBT:
        return HAUL_JOB_IN_DOUBT;
    case JOURNAL_YIELDS:
        return HAUL_JOB_YIELDS;
    }
    return HAUL_JOB_IN_DOUBT;
}

static void describe(const struct journal *journal, struct haul_job *job)
{
    const struct journal_state *state = journal_state(journal);
    uint64_t epoch = job->role == HAUL_JOB_SOURCE ? state->snapshot_count : state->epoch;
    job->claim = claim_of(state);
    bool decided = state->outcome == JOURNAL_COMMIT;
    job->restored = state->restored && !decided;
    job->parted = (job->restored || decided) && state->parted;
    job->returned = state->returned;
    job->epoch = epoch == 0 ? 1 : epoch;
    for (size_t i = 0; i < state->stream_count; i++) {
        job->durable_records += state->streams[i].position.digest.count;
        job->durable_bytes += state->streams[i].position.digest.bytes;
    }
    (void)snprintf(job->phase, sizeof(job->phase), "%s", journal_phase_name(state->phase));
    (void)snprintf(job->sentence, sizeof(job->sentence), "%s",
                   journal_phase_sentence(state->phase));
}

/* Judged by the files: another process may have the database open. */
static bool has_changed(const char *database, const struct journal_state *state)
{
    if (state->phase != JOURNAL_PHASE_PREPARED || !state->has_held) {
        return false;
    }
    const struct manifest_progress listed = manifest_progress_of(database, false);
    const struct journal_held now = {
        .sequence = closed_database_sequence(database, state->held.sequence + 1),
        .manifest = listed.file,
        .manifest_bytes = listed.bytes};
    return target_held_compare(state, &now) != TARGET_HELD_SAME;
}

/* The journal cannot be read: nothing is known about the job, so nothing is done about it. */
static void describe_damaged(const struct journal_entry *entry, struct haul_job *job)
{
    bool gives = entry->role == JOURNAL_SOURCE;
    *job = (struct haul_job){.role = gives ? HAUL_JOB_SOURCE : HAUL_JOB_TARGET,
                             .claim = HAUL_JOB_IN_DOUBT,
                             .epoch = 1,
                             .condition = HAUL_JOB_DAMAGED,
                             .phase = "DAMAGED",
                             .sentence = "its journal cannot be read"};
    memcpy(job->id, entry->job_id, HAUL_JOB_BYTES);
}

/* False: the job is done, or its journal was removed since it was listed. */
static bool read_job(const char *database, const struct closed_database *closed,
                     const struct journal_entry *entry, struct haul_job *job,
                     enum haul_status *status, struct haul_error *error)
{
    struct journal_config config = {
        .directory = closed->directory, .role = entry->role, .read_only = true};
    struct journal *journal = NULL;
    memcpy(config.job_id, entry->job_id, HAUL_JOB_BYTES);
    *status = journal_open(&config, &journal, error);
    if (*status == HAUL_NOT_FOUND) {
        *status = HAUL_OK;
        return false;
    }
    if (*status == HAUL_CORRUPT) {
        describe_damaged(entry, job);
        *status = HAUL_OK;
        return true;
    }
    if (*status != HAUL_OK) {
        return false;
    }
    bool done = journal_state(journal)->phase == JOURNAL_PHASE_DONE;
    memset(job, 0, sizeof(*job));
    job->role = entry->role == JOURNAL_SOURCE ? HAUL_JOB_SOURCE : HAUL_JOB_TARGET;
    memcpy(job->id, entry->job_id, HAUL_JOB_BYTES);
    memcpy(job->peer, journal_state(journal)->peer, sizeof(job->peer));
    bool ours = !journal_is_copy(journal) && journal_is_of(journal, closed->identity);
    job->condition = ours ? HAUL_JOB_SOUND : HAUL_JOB_FOREIGN;
    describe(journal, job);
    job->changed = ours && has_changed(database, journal_state(journal));
    journal_close(journal);
    return !done;
}

/* Read all jobs, whichever database they belong to. */
static enum haul_status read_jobs(const char *database, const struct closed_database *closed,
                                  struct haul_job **out, size_t *count, struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t entry_count = 0;
    enum haul_status status =
        journal_directory_list(NULL, closed->directory, &entries, &entry_count, error);
    struct haul_job *jobs = status == HAUL_OK ? calloc(entry_count + 1, sizeof(*jobs)) : NULL;
    if (status == HAUL_OK && jobs == NULL) {
        status = haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the jobs");
    }
    for (size_t i = 0; i < entry_count && status == HAUL_OK; i++) {
        *count += read_job(database, closed, &entries[i], &jobs[*count], &status, error);
    }
    free(entries);
    if (status != HAUL_OK) {
        free(jobs);
        *count = 0;
        return status;
    }
    *out = jobs;
    return HAUL_OK;
}

/* The change of the ownership record is the decision; the journal may lack it after a crash. An
 * unreadable record is ignored here: `haul owner` shows the way out. */
static void note_decided(const struct closed_database *closed, struct haul_job *jobs, size_t count)
{
    struct ownership ownership;
    struct haul_error ignored;
    if (count == 0 || ownership_read(NULL, closed->directory, &ownership, &ignored) != HAUL_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        struct haul_job *job = &jobs[i];
        bool open = job->role == HAUL_JOB_SOURCE && job->condition == HAUL_JOB_SOUND &&
                    job->claim != HAUL_JOB_YIELDS && strcmp(job->phase, "ABORTED") != 0;
        if (open && ownership_has_moved(&ownership, job->id, OWNERSHIP_GAVE)) {
            job->claim = HAUL_JOB_YIELDS;
            job->restored = false;
            job->parted = false;
            (void)snprintf(job->phase, sizeof(job->phase), "%s",
                           journal_phase_name(JOURNAL_PHASE_COMMITTED));
            (void)snprintf(job->sentence, sizeof(job->sentence), "%s",
                           journal_phase_sentence(JOURNAL_PHASE_COMMITTED));
        }
    }
    ownership_fini(&ownership);
}

enum haul_status haul_jobs_list(const char *directory, struct haul_job **out, size_t *count,
                                struct haul_error *error)
{
    struct stat found;
    struct closed_database closed;
    struct instance_view view;
    *out = NULL;
    *count = 0;
    if (strlen(directory) >= HAUL_DIRECTORY_BYTES_MAX) {
        return haul_directory_too_long(error);
    }
    if (stat(directory, &found) != 0) {
        return haul_error_set(error, HAUL_NOT_FOUND, "stat", errno, "no directory %s", directory);
    }
    if (!S_ISDIR(found.st_mode)) {
        haul_error_set(error, HAUL_NOT_FOUND, NULL, 0, "%s is not a directory", directory);
        haul_error_hint(error, "give the directory of the database");
        return HAUL_NOT_FOUND;
    }
    enum haul_status status = closed_database_look(directory, false, &closed, error);
    if (status == HAUL_OK) {
        status = instance_look(&closed.place, &view, error);
    }
    if (status == HAUL_OK) {
        status = read_jobs(directory, &closed, out, count, error);
    }
    if (status == HAUL_OK) {
        note_decided(&closed, *out, *count);
    }
    bool ours = status != HAUL_OK || view.state == INSTANCE_NONE || view.state == INSTANCE_SAME;
    for (size_t i = 0; i < *count; i++) {
        struct haul_job *job = &(*out)[i];
        bool known = job->condition == HAUL_JOB_DAMAGED;
        job->condition = ours || known ? job->condition : HAUL_JOB_FOREIGN;
    }
    return status;
}

/* --- giving up -------------------------------------------------------------------------------- */

enum haul_status haul_job_give_up(struct haul_store *store, const struct haul_job *job,
                                  struct haul_error *error)
{
    enum haul_status status = instance_check_store(store, error);
    if (status != HAUL_OK) {
        return status;
    }
    return job->role == HAUL_JOB_SOURCE
               ? source_left_over_give_up(store, job->id, false, error)
               : target_left_over_give_up(store, job->id, NULL, NULL, error);
}

/* The ownership record may show what a damaged journal no longer does. Errors: UNCONFIRMED. */
static enum haul_status name_risk(struct haul_store *store, const struct haul_job *job,
                                  struct haul_error *error)
{
    bool source = job->role == HAUL_JOB_SOURCE;
    bool moved = false;
    uint64_t new_version = 0;
    struct haul_error ignored;
    enum haul_status status =
        source ? config_version_released(store, job->id, &moved, &new_version, &ignored)
               : config_version_imported(store, job->id, &moved, &new_version, &ignored);
    if (status == HAUL_OK && moved && source) {
        haul_error_set(
            error, HAUL_UNCONFIRMED, NULL, 0,
            "its journal is damaged, and the job was decided: without the journal a target "
            "that has not got the decision never gets it, and its ranges have no owner until "
            "`haul owner --reclaim` takes them back");
    } else if (status == HAUL_OK && moved) {
        haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                       "its journal is damaged, and the job was decided: this database owns the "
                       "ranges, and its source may not know it");
    } else {
        haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                       "its journal is damaged: it is unknown whether the job was decided");
    }
    haul_error_hint(error, "--accept-two-owners moves the journal aside; what it received stays");
    return HAUL_UNCONFIRMED;
}

/* A damaged record, which comes after the journals, need not hold it. */
static enum haul_status note_unconfirmed(struct haul_store *store, const uint8_t *job,
                                         struct haul_error *error)
{
    enum haul_status status = lost_jobs_note_unconfirmed(store, job, error);
    return status == HAUL_CORRUPT ? HAUL_OK : status;
}

/* Errors: UNCONFIRMED, those of the record and of the rename. */
static enum haul_status set_aside(struct haul_store *store, const struct haul_job *job,
                                  bool accept_two_owners, struct haul_error *error)
{
    char directory[STAGING_PATH_BYTES_MAX];
    char name[JOURNAL_NAME_BYTES_MAX];
    char aside[DURABLE_FILE_ASIDE_BYTES_MAX];
    enum journal_role role = job->role == HAUL_JOB_SOURCE ? JOURNAL_SOURCE : JOURNAL_TARGET;
    if (!accept_two_owners) {
        return name_risk(store, job, error);
    }
    if (!haul_directory_of(store, directory, sizeof(directory))) {
        return haul_directory_too_long(error);
    }
    journal_name_format(role, job->id, name);
    const struct file_calls *calls = haul_files_of(store);
    enum haul_status status =
        role == JOURNAL_SOURCE ? note_unconfirmed(store, job->id, error) : HAUL_OK;
    if (status == HAUL_OK) {
        status = durable_file_aside(calls, directory, name, wall_clock_s(), aside, error);
    }
    if (status == HAUL_OK) {
        status = durable_file_rename(calls, directory, name, aside, error);
    }
    return status == HAUL_OK && role == JOURNAL_TARGET ? staging_remove_of(store, job->id, error)
                                                       : status;
}

enum haul_status haul_job_force_give_up(struct haul_store *store, const struct haul_job *job,
                                        bool accept_two_owners, struct haul_error *error)
{
    struct journal *journal = NULL;
    struct haul_error cause = {.status = HAUL_OK};
    enum journal_role role = job->role == HAUL_JOB_SOURCE ? JOURNAL_SOURCE : JOURNAL_TARGET;
    enum haul_status status = instance_check_store(store, error);
    if (status != HAUL_OK) {
        return status;
    }
    status = job_journal_look(store, role, job->id, &journal, &cause);
    bool prepared = status == HAUL_OK && journal_state(journal)->phase == JOURNAL_PHASE_PREPARED;
    journal_close(journal);
    if (status == HAUL_CORRUPT) {
        return set_aside(store, job, accept_two_owners, error);
    }
    if (prepared && accept_two_owners) {
        return target_left_over_force_give_up(store, job->id, error);
    }
    if (prepared) {
        haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                       "the source may have decided: its ranges have no owner then, until "
                       "`haul owner --reclaim` takes them back there");
        haul_error_hint(error, "when the source is lost for good: --accept-two-owners");
        return HAUL_UNCONFIRMED;
    }
    status = role == JOURNAL_SOURCE
                 ? source_left_over_give_up(store, job->id, accept_two_owners, error)
                 : haul_job_give_up(store, job, error);
    if (status == HAUL_IN_DOUBT && role == JOURNAL_SOURCE) {
        haul_error_hint(error, "`haul resolve` finishes it; when the target is lost for good: "
                               "`haul owner --reclaim --accept-two-owners` takes the ranges back");
    }
    return status;
}

/* --- ending decided jobs ---------------------------------------------------------------------- */

/* An earlier call has ended the job, and could not remove its journal. */
static bool is_done(const struct journal *journal)
{
    return journal_state(journal)->phase == JOURNAL_PHASE_DONE;
}

/* Errors: INVALID, UNCONFIRMED, those of the record. */
static enum haul_status check_decided(struct haul_store *store, const struct journal *journal,
                                      bool accept_two_owners, struct haul_error *error)
{
    bool decided = false;
    enum haul_status status = source_earlier_look_decided(store, journal, &decided, error);
    if (status != HAUL_OK) {
        return status;
    }
    if (!decided) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "the job was not decided");
    }
    if (accept_two_owners || HAUL_PLANTED_BUG(END_UNASKED)) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                   "the target has not confirmed that it owns the ranges: if it does not, nobody "
                   "does, until `haul owner --reclaim` takes them back here");
    haul_error_hint(error, "when `haul owner` there shows that it does, or its record was lost: "
                           "--accept-two-owners");
    return HAUL_UNCONFIRMED;
}

/* Closes the journal. */
static enum haul_status end_decided(struct haul_store *store, struct journal *journal,
                                    struct haul_error *error)
{
    char directory[STAGING_PATH_BYTES_MAX];
    struct ownership ownership;
    enum haul_status status = haul_directory_of(store, directory, sizeof(directory))
                                  ? config_version_settle(store, error)
                                  : haul_directory_too_long(error);
    if (status == HAUL_OK) { /* before the journal, which shows the same, is gone */
        status = lost_jobs_note_unconfirmed(store, journal_job_id(journal), error);
    }
    if (status == HAUL_OK) {
        status = ownership_read(haul_files_of(store), directory, &ownership, error);
    }
    if (status != HAUL_OK) {
        journal_close(journal);
        return status;
    }
    status = owner_end_decided(journal, &ownership, error);
    ownership_fini(&ownership);
    return status;
}

enum haul_status haul_job_end_decided(struct haul_store *store, const struct haul_job *job,
                                      bool accept_two_owners, struct haul_error *error)
{
    struct journal *journal = NULL;
    if (job->role != HAUL_JOB_SOURCE) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "only a source decides a job");
    }
    enum haul_status status = instance_check_store(store, error);
    if (status == HAUL_OK) {
        status = job_journal_open_existing(store, JOURNAL_SOURCE, job->id, &journal, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (is_done(journal)) {
        return job_journal_finish(journal, error);
    }
    status = check_decided(store, journal, accept_two_owners, error);
    if (status == HAUL_OK) {
        return end_decided(store, journal, error);
    }
    journal_close(journal);
    return status;
}

enum haul_status haul_job_forget_over(struct haul_store *store, const struct haul_job *job,
                                      bool accept_two_owners, struct haul_error *error)
{
    struct journal *journal = NULL;
    if (!accept_two_owners) {
        haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                       "the job's target does not know that it is over: a prepared target keeps "
                       "waiting, and one that owns the ranges (this database was set back) is "
                       "never asked: the ranges have two owners");
        haul_error_hint(error, "if it is lost for good, or has forgotten the job: "
                               "--accept-two-owners");
        return HAUL_UNCONFIRMED;
    }
    if (job->role != HAUL_JOB_SOURCE) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "only a source informs of its jobs");
    }
    enum haul_status status = instance_check_store(store, error);
    if (status == HAUL_OK) {
        status = job_journal_open_existing(store, JOURNAL_SOURCE, job->id, &journal, error);
    }
    if (status != HAUL_OK) {
        return status;
    }
    if (journal_state(journal)->phase == JOURNAL_PHASE_ABORTED || is_done(journal)) {
        return source_earlier_drop(journal, HAUL_CANCELLED, "forgotten by the operator", error);
    }
    journal_close(journal);
    return haul_error_set(error, HAUL_INVALID, NULL, 0, "the job is not over");
}

/* --- finishing -------------------------------------------------------------------------------- */

enum haul_status haul_job_finish(struct haul_store *store, const struct haul_hooks *hooks,
                                 const struct haul_job *job, struct haul_error *error)
{
    static const struct haul_hooks none;
    if (job->role != HAUL_JOB_TARGET) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0, "only a target's job is committed");
    }
    enum haul_status status = instance_check_store(store, error);
    if (status != HAUL_OK) {
        return status;
    }
    return target_commit_finish_job(store, hooks == NULL ? &none : hooks, job->id, error);
}
