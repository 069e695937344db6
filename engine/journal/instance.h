/* SPDX-License-Identifier: Apache-2.0 */
/* instance.h — which database the folder `<database>/haul` belongs to: the file
 * `<database>/haul/instance`. RocksDB's identity is copied with a database; this file distinguishes
 * the original from a copy, a restored backup and a database that was set back.
 *
 * The file holds a random id, made when haul first does something with the database, the inode
 * numbers and birth times of the folder and of the file itself, RocksDB's identity, and how far the
 * database had come, as far as that was durable: its greatest sequence number, and its list of
 * tables (manifest_progress.h), as ingested ones take no number. A folder that was moved in its
 * file system is the same one. Peers know the database as "<RocksDB's identity>/<id>".
 *
 * Where nothing was recorded yet, neither a job nor a hand-over, nothing in a copy can belong to
 * the original: the copy gets its own id without a message.
 *
 * Invariants:
 *   N1 A reader sees the old file or the new one, whole.
 *   N2 When several create the file at the same time, one chooses the id, and all use it.
 *   N3 No journal is created under a name that the file no longer holds: creating one holds the
 *      file meanwhile, and removing the file looks for journals first.
 *
 * Thread: any. */
#ifndef HAUL_INSTANCE_H
#define HAUL_INSTANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "file_calls.h"
#include "haul/limits.h"
#include "haul/status.h"
#include "haul/store.h"

enum { INSTANCE_FILE_BYTES = 148, INSTANCE_FORMAT_VERSION = 1 };

/* Name, value. */
enum instance_state {
    INSTANCE_NONE = 0, /* no file: haul was never used, or only a release without it */
    INSTANCE_SAME = 1,
    INSTANCE_COPY = 2,    /* copied, restored, or moved to another file system */
    INSTANCE_OTHER = 3,   /* the database beside the folder is another one */
    INSTANCE_RESET = 4,   /* it has fewer writes than before */
    INSTANCE_DAMAGED = 5, /* the file cannot be read */
};

/* Everything is borrowed. */
struct instance_place {
    const struct file_calls *calls; /* NULL: the system's */
    const char *directory;          /* `<database>/haul` */
    const char *identity;           /* of the database, as RocksDB stores it; "": unknown */
    uint64_t sequence;              /* its last one; UINT64_MAX: unknown */
};

struct instance_view {
    enum instance_state state;
    bool has_records;                       /* the folder holds a journal or an ownership record */
    char name[HAUL_IDENTITY_BYTES_MAX];     /* as peers know the database; "": NONE, DAMAGED */
    char identity[HAUL_IDENTITY_BYTES_MAX]; /* RocksDB's, as it was recorded */
    uint64_t sequence;                      /* as it was recorded */
};

/* Changes nothing. Errors: VERSION (written by a newer haul), NO_MEMORY, INVALID (path too long),
 * IO. */
enum haul_status instance_look(const struct instance_place *place, struct instance_view *view,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* May this database act on what its folder holds? Changes nothing.
 * Errors: MISMATCH (no; the error names the state and the command that ends it), and those of
 * instance_look. */
enum haul_status instance_check(const struct instance_place *place,
                                struct haul_error *error) HAUL_MUST_CHECK;
/* The same for a store. Errors: also INVALID (its path is too long). */
enum haul_status instance_check_store(struct haul_store *store,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Do what instance_check does, create the file if it is missing, and return the name under which
 * peers know the store.
 * Errors: those of instance_check_store, NO_SPACE, BUSY (another process does not finish). */
enum haul_status instance_begin(struct haul_store *store, char name[HAUL_IDENTITY_BYTES_MAX],
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Before a database is opened for writing, which starts a new manifest: is the manifest older than
 * the file records? The rest is checked once the database is open.
 * Errors: MISMATCH (the error names the state and what ends it). */
enum haul_status instance_check_list(const char *directory,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* The name under which peers know the store, without creating a file: a store without the file uses
 * its identity alone. */
void instance_name(struct haul_store *store, char name[HAUL_IDENTITY_BYTES_MAX]);

/* After a hand-over: record how far the database has come, so that an earlier state of it can be
 * recognized. A failure only means that less is noticed, so it is no error. */
void instance_note(struct haul_store *store);

/* From here on the folder belongs to the database of `place`, under the name that peers know, even
 * if a bit of the file is damaged; with more damage the database gets a new name.
 * Errors: those of instance_begin except MISMATCH. */
enum haul_status instance_adopt(const struct instance_place *place,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* From here to instance_release nobody can change or remove the file, and it holds the name that
 * instance_begin has returned: what a job records in between belongs to this database. `*lock_fd`:
 * for instance_release, which must be called after OK, and only then. Errors: BUSY (the file was
 * removed meanwhile, or is being changed), those of instance_begin. */
enum haul_status instance_hold(const struct haul_store *store, const char *name, int *lock_fd,
                               struct haul_error *error) HAUL_MUST_CHECK;
void instance_release(const struct haul_store *store, int lock_fd);
/* Do peers still know the store by this name? False also when the file cannot be read. */
bool instance_is_current(const struct haul_store *store, const char *name);

/* Remove the file, unless a job has begun: without it the contents of the folder belong to the next
 * database there. Errors: BUSY (a journal exists, or another process changes the file), IO,
 * NO_SPACE. */
enum haul_status instance_remove(const struct instance_place *place,
                                 struct haul_error *error) HAUL_MUST_CHECK;

/* Does `recorded` name the database `name`? The id decides, because RocksDB's identity may have
 * changed; releases without instances recorded only the identity. */
bool instance_is(const char *recorded, const char *name);

/* Why a state blocks, and what ends it; "" for NONE and SAME. */
void instance_explain(const struct instance_place *place, const struct instance_view *view,
                      struct haul_error *error);

#endif
