/* SPDX-License-Identifier: Apache-2.0 */
/* journal.h — the append-only file of one job and one role: the promises of this side, in an order
 * that survives a crash. The meaning of the records is in journal_state.h, their bytes in
 * journal_record.h.
 *
 * The file is `<directory>/<source|target>-<32 hex job id>.journal`, beside the database and never
 * in it. One process at a time has it open for writing (flock).
 *
 * Invariants:
 *   J1 What journal_state() shows is what opening the file again would show, as long as no append
 *      has failed with IO.
 *   J2 After an append or sync that returned OK with `sync`, all records up to it survive power
 *      loss. Without `sync`, a crash loses a suffix of the records, never one in the middle.
 *   J3 A sync that failed is never tried again: the kernel may have dropped the pages and would
 *      report success. The journal is dead from then on; open it again to learn the truth.
 *   J4 Opening for writing makes everything it read durable before it returns, by writing it again.
 *
 * Thread: one at a time. */
#ifndef HAUL_JOURNAL_H
#define HAUL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_calls.h"
#include "format_version.h"
#include "haul/limits.h"
#include "haul/status.h"
#include "journal_record.h"
#include "journal_state.h"

enum {
    JOURNAL_HEADER_BYTES = 128,
    JOURNAL_FORMAT_VERSION_MIN = 1, /* without PEER, and without the identity of its file */
    JOURNAL_NAME_BYTES_MAX = 48,    /* "source-", 32 digits, ".journal", NUL */
    /* Beyond this size, DELTA and POSITION without a finished stream are refused; all other records
     * always find room. */
    JOURNAL_POSITIONS_BYTES_MAX = 256 << 20,
    JOURNAL_FILE_BYTES_MAX = 512 << 20,
};

struct journal;

struct journal_config {
    const char *directory; /* journal_create creates it if missing */
    enum journal_role role;
    uint8_t job_id[HAUL_JOB_BYTES];
    /* Of the database, at most HAUL_IDENTITY_BYTES_MAX - 1 bytes. NULL only to read a journal
     * whose database is not open. */
    const char *identity;
    const struct file_calls *calls; /* borrowed; NULL: the system's */
    /* Read without the lock and change nothing, also while the job runs elsewhere; every append
     * is INVALID. Only for journal_open. */
    bool read_only;
    /* A copy becomes the original: the header names its present file, and the database `identity`,
     * whichever it named before. */
    bool adopts;
};

/* A new, empty journal, durable with its name. Errors: EXISTS, BUSY (being created elsewhere),
 * INVALID (identity or path too long), NO_SPACE, LIMIT, NO_MEMORY, IO. */
enum haul_status journal_create(const struct journal_config *config, struct journal **journal,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Open and replay; a torn tail is cut off. Errors: NOT_FOUND, BUSY (another process has it),
 * MISMATCH (of another database; unless read-only, also a copy of the original file), VERSION
 * (written by another haul), CORRUPT (header torn, or a durable record damaged), INVALID (path too
 * long), LIMIT, NO_MEMORY, NO_SPACE, IO. */
enum haul_status journal_open(const struct journal_config *config, struct journal **journal,
                              struct haul_error *error) HAUL_MUST_CHECK;

/* Append one record; with `sync` it and all before it are durable when this returns.
 * Errors, after which the journal is as before: INVALID (the record cannot follow, or a field is
 * out of bounds), LIMIT (too large, too many streams, or the file is full: do without this
 * position), NO_MEMORY, NO_SPACE. Error, after which it is dead and gives no other: IO. */
enum haul_status journal_append(struct journal *journal, const struct journal_record *record,
                                bool sync, struct haul_error *error) HAUL_MUST_CHECK;

/* Make all appended records durable; costs nothing if they are. Errors: IO (dead). */
enum haul_status journal_sync(struct journal *journal, struct haul_error *error) HAUL_MUST_CHECK;

/* Ownership: the journal's; changes with every append. */
const struct journal_state *journal_state(const struct journal *journal);
const uint8_t *journal_job_id(const struct journal *journal); /* HAUL_JOB_BYTES */
const char *journal_identity(const struct journal *journal);  /* as stored in the file */

/* Does the file name this identity? An unknown identity ("") matches any. */
bool journal_is_of(const struct journal *journal, const char *identity);

/* Is the file a copy, or restored from a backup? Only for a file that is read-only or was
 * adopted. */
bool journal_is_copy(const struct journal *journal);

/* Delete the file, durably. The journal can only be closed then.
 * Errors: INVALID (the job has begun and is not DONE), IO and those of opening a directory. */
enum haul_status journal_remove(struct journal *journal, struct haul_error *error) HAUL_MUST_CHECK;

/* Close without syncing. NULL is allowed. */
void journal_close(struct journal *journal);

/* The file's name within its directory. */
void journal_name_format(enum journal_role role, const uint8_t job_id[HAUL_JOB_BYTES],
                         char name[JOURNAL_NAME_BYTES_MAX]);
/* The reverse; false: not the name of a journal. */
bool journal_name_parse(const char *name, enum journal_role *role, uint8_t job_id[HAUL_JOB_BYTES]);

#endif
