/* SPDX-License-Identifier: Apache-2.0 */
/* owner.h — which key ranges a database owns, gave away or took over, by the ownership record that
 * haul keeps beside it; and what an operator can do when that record alone does not settle it.
 *
 * A database that never took part in a job has no record and owns everything. A program that embeds
 * RocksDB reads the record at start-up and refuses to serve ranges that are RELEASED;
 * haul/migration.h lists everything that it reads then.
 *
 * Calls that may leave a range with two owners return UNCONFIRMED and change nothing unless
 * `accept_two_owners` is true; `error` then names the risk. */
#ifndef HAUL_OWNER_H
#define HAUL_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "haul/store.h"

#ifdef __cplusplus
extern "C" {
#endif

enum haul_owner_state {
    HAUL_OWNER_OWN = 0,      /* this database's; no job has moved it */
    HAUL_OWNER_RELEASED = 1, /* handed over: `peer` owns it; the copy here is stale */
    HAUL_OWNER_IMPORTED = 2, /* taken over from `peer`: this database's */
};

/* One range of one column family. Ranges of a family are disjoint and in ascending order; ranges
 * that no entry covers are OWN. */
struct haul_owner_range {
    enum haul_owner_state state; /* RELEASED or IMPORTED */
    const char *family;          /* "": every column family without an entry of its own */
    struct haul_range range;
    const char *peer;            /* identity of the other database; "": not recorded */
    uint8_t job[HAUL_JOB_BYTES]; /* the newest job that moved a part of it */
    uint64_t reserved[4];
};

enum haul_owner_act {
    HAUL_OWNER_GAVE = 1,      /* this database was the source */
    HAUL_OWNER_TOOK = 2,      /* this database was the target */
    HAUL_OWNER_RECLAIMED = 3, /* an operator took ranges back */
};

struct haul_owner_job {
    uint8_t job[HAUL_JOB_BYTES]; /* zeros: none (RECLAIMED) */
    enum haul_owner_act act;
    enum haul_status result; /* OK: the ranges changed owner; otherwise why they did not. A second
                              * entry of a job that GAVE: MISMATCH, the peer has lost them since;
                              * UNCONFIRMED, it was ended by hand before the peer confirmed */
    const char *peer;
    uint64_t old_version;
    uint64_t new_version;
    uint64_t time_s; /* since 1970, by this host's clock; 0: not recorded */
    uint64_t records;
    uint64_t bytes;
    uint64_t reserved[4];
};

/* Which database the record belongs to. In all states but SAME no job and no drop begins
 * (MISMATCH), until haul_owner_forget or haul_owner_adopt. */
enum haul_owner_origin {
    HAUL_OWNER_SAME = 0,  /* this database's, or no record */
    HAUL_OWNER_COPY = 1,  /* this database was copied, restored or moved to another file system */
    HAUL_OWNER_RESET = 2, /* this database was set back to an earlier state */
    HAUL_OWNER_OTHER = 3, /* the record belongs to another database, or its database is unknown */
};

struct haul_owner {
    char identity[HAUL_IDENTITY_BYTES_MAX]; /* as peers see it; "": haul has not been used here */
    enum haul_owner_origin origin;
    uint64_t config_version;
    struct haul_owner_range *ranges;
    size_t range_count;
    struct haul_owner_job *jobs; /* the newest 8192 at most, oldest first */
    size_t job_count;
};

/* Read the record of the database in `directory`, which may be open. Changes nothing.
 * Ownership: haul_owner_free. Errors: NOT_FOUND (no such directory), CORRUPT (damaged: see
 * haul_owner_rebuild), VERSION, LIMIT, NO_MEMORY, IO. Thread: any. */
enum haul_status haul_owner_read(const char *directory, struct haul_owner **owner,
                                 struct haul_error *error) HAUL_MUST_CHECK;
/* The same for a store, for a program that has the database open. Errors, ownership: as above. */
enum haul_status haul_owner_of_store(struct haul_store *store, struct haul_owner **owner,
                                     struct haul_error *error) HAUL_MUST_CHECK;
void haul_owner_free(struct haul_owner *owner);

/* RELEASED if any part of the range is; IMPORTED if all of it is; otherwise OWN. */
enum haul_owner_state haul_owner_state_of(const struct haul_owner *owner, const char *family,
                                          const struct haul_range *range);
/* "own", "released", "imported"; "gave", "took", "reclaimed". */
const char *haul_owner_state_name(enum haul_owner_state state);
const char *haul_owner_act_name(enum haul_owner_act act);

struct haul_owner_selection {
    const char *const *families; /* none: all */
    size_t family_count;
    const struct haul_range *ranges; /* none: everything */
    size_t range_count;
    bool accept_loss; /* haul_owner_drop: also what the new owner is known to have lost */
};

/* The RELEASED parts of the selection: haul_owner_drop would delete them, and haul_owner_reclaim
 * takes them back. Like haul_owner_read, but `*owner` has only these ranges, cut to the selection,
 * and none when nothing is RELEASED.
 * Errors: UNSUPPORTED (ranges of a family that is not ordered by bytes), and those of
 * haul_owner_read. Thread: any. */
enum haul_status haul_owner_read_released(const char *directory,
                                          const struct haul_owner_selection *selection,
                                          struct haul_owner **owner,
                                          struct haul_error *error) HAUL_MUST_CHECK;

/* Take back what was handed over to a lost database: RELEASED parts of the selection become OWN,
 * and jobs whose hand-over was decided but never confirmed end here if the selection covers them.
 * Risk: the target may be alive and own the ranges.
 * Errors: NOT_FOUND (nothing of the selection is RELEASED), UNSUPPORTED (ranges of a family that is
 * not ordered by bytes), UNCONFIRMED, MISMATCH (the origin is not SAME), BUSY (a process runs a job
 * that overlaps the selection, or a job has moved ranges meanwhile), EXISTS (an unfinished job that
 * no process runs brings a part of it here: give it up first), CORRUPT (also: the journal of a job
 * that brings something here is damaged), and those of haul_owner_read. Thread: any. */
enum haul_status haul_owner_reclaim(const char *directory,
                                    const struct haul_owner_selection *selection,
                                    bool accept_two_owners,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Make a copy (a rehearsal, a restored backup) a database of its own that never took part in a
 * job: remove its ownership record, its journals and its identity. Records that an unfinished
 * job has brought stay and count as this database's, which also needs `accept_two_owners`. Risk
 * if a job is in doubt, a range RELEASED or the origin not SAME: this database and another one
 * own the same keys.
 * Errors: UNCONFIRMED, BUSY (a process runs a job, or changes the record: nothing is removed),
 * LIMIT (also: more journals than the process can open), and those of haul_owner_read. Thread:
 * any. */
enum haul_status haul_owner_forget(const char *directory, bool accept_two_owners,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Declare that the record belongs to this database, whatever the origin: the database was moved to
 * another file system, restored, set back or repaired. Its unfinished jobs can then be resumed.
 * Risk: the original still exists and does the same; what a database that was set back took over
 * may be incomplete.
 * Errors: NOT_FOUND (the origin is SAME), UNCONFIRMED, BUSY (a process runs a job), and those of
 * haul_owner_read. Thread: any. */
enum haul_status haul_owner_adopt(const char *directory, bool accept_two_owners,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Rebuild a damaged record from the journals; the damaged file is moved aside, its name with
 * ".damaged-TIME". Risk: ranges handed over by jobs whose journals are gone count as OWN. Ranges of
 * a source that was frozen, and may have decided, count as RELEASED.
 * Errors: NOT_FOUND (the record is sound), UNCONFIRMED, BUSY, CORRUPT (a journal is damaged, too:
 * move it aside first), IO. Thread: any. */
enum haul_status haul_owner_rebuild(const char *directory, bool accept_two_owners,
                                    struct haul_error *error) HAUL_MUST_CHECK;

struct haul_owner_dropped {
    size_t ranges;
    uint64_t bytes; /* estimated before the deletion */
    uint64_t reserved[4];
};

/* Delete from the store exactly what was handed over and is still RELEASED, within the selection.
 * The record is locked while one range is deleted: hand-overs, plans and other changes of this
 * database wait for 2 s and then fail with BUSY. With OK and no range in `dropped`, the column
 * families of the selection are gone, and nothing is left to delete.
 * Errors: NOT_FOUND (nothing is RELEASED), UNSUPPORTED (ranges of a family that is not ordered by
 * bytes: nothing is deleted), BUSY (a process runs a job that brings a part of it back, or a range
 * was taken back meanwhile: `dropped` has what is deleted), EXISTS (such a job is unfinished, and
 * no process runs it), IN_DOUBT (the target has not confirmed: `haul resolve` first), CORRUPT
 * (also: a journal is damaged), MISMATCH (the origin is not SAME; or the new owner was set back to
 * before it got the ranges, and `accept_loss` is not set), and those of the store. Thread: one for
 * each store. */
enum haul_status haul_owner_drop(struct haul_store *store,
                                 const struct haul_owner_selection *selection,
                                 struct haul_owner_dropped *dropped,
                                 struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
