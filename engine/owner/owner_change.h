/* SPDX-License-Identifier: Apache-2.0 */
/* owner_change.h — what an operator does about the ownership record, below haul/owner.h:
 * `directory` is `<database>/haul`, and files are reached by `calls` (NULL: the system's). Errors
 * are those that haul/owner.h names. Thread: any. */
#ifndef HAUL_OWNER_CHANGE_H
#define HAUL_OWNER_CHANGE_H

#include "file_calls.h"
#include "haul/owner.h"
#include "journal_directory.h"
#include "ownership.h"

enum haul_status owner_reclaim(const struct file_calls *calls, const char *directory,
                               const struct haul_owner_selection *selection, bool accept_two_owners,
                               struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status owner_rebuild(const struct file_calls *calls, const char *directory,
                               bool accept_two_owners, struct haul_error *error) HAUL_MUST_CHECK;

/* End a source's decided job as DONE, whatever its target reports: append the records that are
 * missing in its journal, by `ownership`, and remove the file. Closes the journal. Errors: those of
 * the journal. */
enum haul_status owner_end_decided(struct journal *journal, const struct ownership *ownership,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* A target's unfinished job brings a part of these ranges back: the error names the job and the way
 * out. `runs`: a process holds the journal. Returns BUSY then, otherwise EXISTS: waiting does not
 * end it. */
enum haul_status owner_refuse_returning(const struct journal *journal, bool runs,
                                        struct haul_error *error);

/* Open a journal of any database: the operator has named the directory. Errors: those of
 * journal_open. */
enum haul_status owner_open_journal(const struct file_calls *calls, const char *directory,
                                    const struct journal_entry *entry, bool read_only,
                                    struct journal **journal,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Open a file and take its lock, which ends with the descriptor. Errors: BUSY (a process holds it),
 * NOT_FOUND, those of opening. */
enum haul_status owner_lock_file(const struct file_calls *calls, const char *directory,
                                 const char *name, int *fd,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#endif
