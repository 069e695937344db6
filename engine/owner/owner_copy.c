/* SPDX-License-Identifier: Apache-2.0 */
/* owner_copy.c — finds out which database a folder's records belong to; forgets or adopts them. */
#include "owner_copy.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "durable_file.h"
#include "job_journal.h"
#include "journal_directory.h"
#include "owner_change.h"
#include "owner_pieces.h"
#include "ownership_file.h"
#include "planted_bug.h"

static struct instance_place with_calls(const struct instance_place *given)
{
    struct instance_place place = *given;
    place.calls = file_calls_or_system(given->calls);
    return place;
}

/* --- origin ----------------------------------------------------------------------------------- */

/* Judge by one journal. Damaged ones belong to no database. */
static enum haul_status look_at_journal(const struct instance_place *place,
                                        const struct journal_entry *entry,
                                        enum haul_owner_origin *origin, struct haul_error *error)
{
    struct journal *journal = NULL;
    enum haul_status status =
        owner_open_journal(place->calls, place->directory, entry, true, &journal, error);
    if (status == HAUL_OK) {
        *origin = !journal_is_of(journal, place->identity) ? HAUL_OWNER_OTHER
                  : journal_is_copy(journal)               ? HAUL_OWNER_COPY
                                                           : *origin;
        journal_close(journal);
    }
    return status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
}

static enum haul_owner_origin origin_of(const struct instance_view *view)
{
    static const enum haul_owner_origin origins[] = {
        [INSTANCE_NONE] = HAUL_OWNER_SAME,   [INSTANCE_SAME] = HAUL_OWNER_SAME,
        [INSTANCE_COPY] = HAUL_OWNER_COPY,   [INSTANCE_OTHER] = HAUL_OWNER_OTHER,
        [INSTANCE_RESET] = HAUL_OWNER_RESET, [INSTANCE_DAMAGED] = HAUL_OWNER_OTHER};
    return view->has_records ? origins[view->state] : HAUL_OWNER_SAME;
}

enum haul_status owner_look_origin(const struct instance_place *given, struct instance_view *view,
                                   enum haul_owner_origin *origin, struct haul_error *error)
{
    const struct instance_place place = with_calls(given);
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status = instance_look(&place, view, error);
    *origin = status == HAUL_OK ? origin_of(view) : HAUL_OWNER_SAME;
    if (status != HAUL_OK || *origin != HAUL_OWNER_SAME) {
        return status;
    }
    status = journal_directory_list(place.calls, place.directory, &entries, &count, error);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = look_at_journal(&place, &entries[i], origin, error);
    }
    free(entries);
    return status;
}

/* --- forget ----------------------------------------------------------------------------------- */

/* It is unknown whether the job was decided; or it was, and the other side does not know yet. */
static bool is_in_doubt(const struct journal_state *state)
{
    return journal_state_claim(state) == JOURNAL_IN_DOUBT ||
           (state->outcome == JOURNAL_COMMIT && state->phase != JOURNAL_PHASE_DONE);
}

/* Records that an unfinished job has brought would count as this database's own. */
static bool has_brought(const struct journal_state *state)
{
    return state->role == JOURNAL_TARGET && state->plan_size > 0 && !state->cleared &&
           state->phase != JOURNAL_PHASE_DONE;
}

static enum haul_status refuse_brought(const struct journal_entry *entry, struct haul_error *error)
{
    char name[JOURNAL_NAME_BYTES_MAX];
    journal_name_format(JOURNAL_TARGET, entry->job_id, name);
    haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                   "%s is not finished: the records that it has brought, a part of another "
                   "database's, would stay and count as this database's own",
                   name);
    haul_error_hint(error, "`haul cancel --db DIR` removes it first; for a copy that nobody serves "
                           "from: --accept-two-owners");
    return HAUL_UNCONFIRMED;
}

/* Errors: UNCONFIRMED. */
static enum haul_status check_one_forgotten(const struct file_calls *calls, const char *directory,
                                            const struct journal_entry *entry,
                                            struct haul_error *error)
{
    struct journal *journal = NULL;
    struct haul_error ignored;
    enum haul_status status = owner_open_journal(calls, directory, entry, true, &journal, &ignored);
    bool in_doubt = status != HAUL_OK || is_in_doubt(journal_state(journal));
    const char *phase = status == HAUL_OK ? journal_phase_name(journal_state(journal)->phase)
                                          : "its journal is damaged";
    bool brought = status == HAUL_OK && has_brought(journal_state(journal));
    journal_close(journal);
    if (status == HAUL_NOT_FOUND || (!in_doubt && !brought)) {
        return HAUL_OK;
    }
    if (!in_doubt) {
        return refuse_brought(entry, error);
    }
    haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                   "a %s job of this database is in doubt (%s): this database and another one may "
                   "own the same keys from then on",
                   entry->role == JOURNAL_SOURCE ? "source" : "target", phase);
    haul_error_hint(error, "for a copy that nobody serves from: --accept-two-owners");
    return HAUL_UNCONFIRMED;
}

/* The original of a copy with a record may own everything, too. Errors: UNCONFIRMED. */
static enum haul_status check_is_original(const struct instance_place *place,
                                          struct haul_error *error)
{
    struct instance_view view;
    struct haul_error why;
    enum haul_status status = instance_look(place, &view, error);
    bool original = view.state == INSTANCE_NONE || view.state == INSTANCE_SAME;
    if (status != HAUL_OK || original || !view.has_records) {
        return status;
    }
    instance_explain(place, &view, &why);
    haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                   "%s; if that one is in use, both own the same keys from then on", why.text);
    haul_error_hint(error, "for a copy that nobody serves from, or when the original is lost: "
                           "--accept-two-owners");
    return HAUL_UNCONFIRMED;
}

static enum haul_status check_forget(const struct instance_place *place,
                                     const struct journal_entry *entries, size_t count,
                                     struct haul_error *error)
{
    static const struct haul_owner_selection all;
    struct ownership ownership;
    struct owner_pieces pieces = {.count = 0};
    enum haul_status status = ownership_read(place->calls, place->directory, &ownership, error);
    if (status == HAUL_OK) {
        status = owner_pieces_add_all(&pieces, &ownership, &all, error);
        ownership_fini(&ownership);
    }
    if (status == HAUL_OK && pieces.count > 0) {
        status = haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                                "%zu ranges of this database were handed over: this database and "
                                "another one own them from then on",
                                pieces.count);
        haul_error_hint(error, "for a copy that nobody serves from: --accept-two-owners");
    }
    owner_pieces_fini(&pieces);
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = check_one_forgotten(place->calls, place->directory, &entries[i], error);
    }
    return status == HAUL_OK ? check_is_original(place, error) : status;
}

/* Instead of a descriptor: the name belongs to something other than a regular file. */
enum { NO_FILE = -2 };

/* Lock all journals or none. The fd of a journal that was removed meanwhile is -1. Errors: BUSY (a
 * process holds one), those of opening. */
static enum haul_status lock_journals(const struct file_calls *calls, const char *directory,
                                      const struct journal_entry *entries, size_t count, int *fds,
                                      struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < count; i++) {
        fds[i] = -1;
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        char name[JOURNAL_NAME_BYTES_MAX];
        journal_name_format(entries[i].role, entries[i].job_id, name);
        status = owner_lock_file(calls, directory, name, &fds[i], error);
        if (status == HAUL_CORRUPT) { /* not a file: no process can hold it */
            fds[i] = NO_FILE;
        }
        status = status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
    }
    return status;
}

/* Remove the record after the journals: as long as a journal may come back, the record shows what
 * was handed over. Remove the instance last: without it the rest would count as this database's
 * own. */
static enum haul_status remove_all(const struct file_calls *calls, const char *directory,
                                   const struct journal_entry *entries, size_t count,
                                   const int *fds, struct haul_error *error)
{
    enum haul_status status = HAUL_OK;
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        char name[JOURNAL_NAME_BYTES_MAX];
        journal_name_format(entries[i].role, entries[i].job_id, name);
        status = fds[i] != -1 ? durable_file_remove(calls, directory, name, error) : HAUL_OK;
    }
    journal_directory_clean(calls, directory);
    if (status == HAUL_OK) {
        status = durable_file_remove(calls, directory, "ownership.tmp", error);
    }
    if (status == HAUL_OK) {
        status = durable_file_sync_directory(calls, directory, error);
    }
    if (status == HAUL_OK) {
        status = durable_file_remove(calls, directory, "ownership", error);
    }
    if (status == HAUL_OK) {
        status = durable_file_sync_directory(calls, directory, error);
    }
    if (status == HAUL_OK) { /* what was copied with it is not its own */
        status = durable_file_remove(calls, directory, "secret", error);
    }
    const struct instance_place place = {.calls = calls, .directory = directory, .identity = ""};
    return status == HAUL_OK ? instance_remove(&place, error) : status;
}

static enum haul_status forget_all(const struct file_calls *calls, const char *directory,
                                   const struct journal_entry *entries, size_t count,
                                   struct haul_error *error)
{
    int *fds = calloc(count + 1, sizeof(*fds));
    if (fds == NULL) {
        return haul_error_set(error, HAUL_NO_MEMORY, "calloc", 0, "no memory for the journals");
    }
    enum haul_status status = lock_journals(calls, directory, entries, count, fds, error);
    if (status == HAUL_OK) {
        status = remove_all(calls, directory, entries, count, fds, error);
    }
    for (size_t i = 0; i < count; i++) {
        if (fds[i] >= 0) {
            (void)calls->close(calls->context, fds[i]);
        }
    }
    free(fds);
    return status;
}

static enum haul_status forget_locked(const struct instance_place *place, bool accept_two_owners,
                                      struct haul_error *error)
{
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_status status =
        journal_directory_list(place->calls, place->directory, &entries, &count, error);
    if (status == HAUL_OK && !accept_two_owners && !HAUL_PLANTED_BUG(FORGET_UNASKED)) {
        status = check_forget(place, entries, count, error);
    }
    if (status == HAUL_OK) {
        status = forget_all(place->calls, place->directory, entries, count, error);
    }
    free(entries);
    return status;
}

enum haul_status owner_forget(const struct instance_place *given, bool accept_two_owners,
                              struct haul_error *error)
{
    const struct instance_place place = with_calls(given);
    int lock_fd = -1;
    enum haul_status status = ownership_lock(place.calls, place.directory, &lock_fd, error);
    if (status == HAUL_OK) {
        status = forget_locked(&place, accept_two_owners, error);
        ownership_unlock(place.calls, lock_fd);
    }
    return status;
}

/* --- adopt ------------------------------------------------------------------------------------ */

/* A decision made after the copy was taken is not in it: only the job's target knows it. */
static enum haul_status mark_restored(struct journal *journal, struct haul_error *error)
{
    const struct journal_state *state = journal_state(journal);
    bool may_be_older = state->role == JOURNAL_SOURCE && state->outcome == JOURNAL_OPEN &&
                        state->phase != JOURNAL_PHASE_NEW;
    return may_be_older && !state->restored
               ? job_journal_mark(journal, JOURNAL_RESTORED, true, error)
               : HAUL_OK;
}

static enum haul_status adopt_one(const struct instance_place *place,
                                  const struct journal_entry *entry, struct haul_error *error)
{
    struct journal_config config = {.directory = place->directory,
                                    .role = entry->role,
                                    .calls = place->calls,
                                    .identity = place->identity,
                                    .adopts = true};
    struct journal *journal = NULL;
    memcpy(config.job_id, entry->job_id, HAUL_JOB_BYTES);
    enum haul_status status = journal_open(&config, &journal, error);
    if (status == HAUL_OK) {
        status = mark_restored(journal, error);
        journal_close(journal);
    }
    return status == HAUL_NOT_FOUND || status == HAUL_CORRUPT ? HAUL_OK : status;
}

/* Errors: UNCONFIRMED, NOT_FOUND (nothing to adopt). */
static enum haul_status ask_adopt(enum haul_owner_origin origin, bool accept_two_owners,
                                  struct haul_error *error)
{
    if (origin == HAUL_OWNER_SAME) {
        return haul_error_set(error, HAUL_NOT_FOUND, NULL, 0,
                              "this database is no copy, and nothing recorded here came from "
                              "elsewhere");
    }
    if (accept_two_owners) {
        return HAUL_OK;
    }
    if (origin == HAUL_OWNER_RESET) {
        haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                       "this database has lost its last writes: ranges that it took over may be "
                       "incomplete, and what it gave away stays given away");
        haul_error_hint(error, "to go on with it as it is: --accept-two-owners");
    } else {
        haul_error_set(error, HAUL_UNCONFIRMED, NULL, 0,
                       "if the original still exists, both continue the same jobs, and the same "
                       "keys have two owners");
        haul_error_hint(error, "if it was moved here, or is the same one: --accept-two-owners");
    }
    return HAUL_UNCONFIRMED;
}

/* An adoption that was killed before its end may look like a whole one until the power fails.
 * Errors: those of durable_file_sync_directory. */
static enum haul_status keep_adopted(const struct instance_place *place, struct haul_error *error)
{
    enum haul_status status = durable_file_sync_directory(place->calls, place->directory, error);
    return status == HAUL_NOT_FOUND ? HAUL_OK : status; /* haul was never used here */
}

enum haul_status owner_adopt(const struct instance_place *given, bool accept_two_owners,
                             struct haul_error *error)
{
    const struct instance_place place = with_calls(given);
    struct instance_view view;
    struct journal_entry *entries = NULL;
    size_t count = 0;
    enum haul_owner_origin origin = HAUL_OWNER_SAME;
    enum haul_status status = owner_look_origin(&place, &view, &origin, error);
    if (status == HAUL_OK && origin == HAUL_OWNER_SAME) {
        status = keep_adopted(&place, error);
    }
    if (status == HAUL_OK) {
        status = ask_adopt(origin, accept_two_owners, error);
    }
    if (status == HAUL_OK) {
        status = journal_directory_list(place.calls, place.directory, &entries, &count, error);
    }
    for (size_t i = 0; i < count && status == HAUL_OK; i++) {
        status = adopt_one(&place, &entries[i], error);
    }
    free(entries);
    return status == HAUL_OK ? instance_adopt(&place, error) : status;
}
