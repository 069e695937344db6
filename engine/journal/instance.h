/* SPDX-License-Identifier: Apache-2.0 */
/* instance.h — which database the folder `<database>/haul` belongs to: the file
 * `<database>/haul/instance`. RocksDB's identity is copied with a database; this file
 * distinguishes the original from a copy, a restored backup and a database that was set back.
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
 *   N2 Of several makers at the same time one makes the id, and all have it.
 *   N3 No journal is made under a name that the file does not give any more: whoever makes one
 *      holds the file meanwhile, and whoever removes the file looks for journals first.
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
    INSTANCE_NONE = 0, /* no file: haul was not used, or by a release that had none */
    INSTANCE_SAME = 1,
    INSTANCE_COPY = 2,    /* copied, restored, or moved to another file system */
    INSTANCE_OTHER = 3,   /* the database beside the folder is another one */
    INSTANCE_RESET = 4,   /* it has fewer writes than it had */
    INSTANCE_DAMAGED = 5, /* the file cannot be read */
};

/* Everything is borrowed. */
struct instance_place {
    const struct file_calls *calls; /* NULL: the system's */
    const char *directory;          /* `<database>/haul` */
    const char *identity;           /* of the database, as RocksDB keeps it; "": not known */
    uint64_t sequence;              /* its last one; UINT64_MAX: not known */
};

struct instance_view {
    enum instance_state state;
    bool has_records;                       /* the folder holds a journal or an ownership record */
    char name[HAUL_IDENTITY_BYTES_MAX];     /* as peers know the database; "": NONE, DAMAGED */
    char identity[HAUL_IDENTITY_BYTES_MAX]; /* RocksDB's, as it was recorded */
    uint64_t sequence;                      /* as it was recorded */
};

/* Changes nothing. Errors: VERSION (of a newer haul), NO_MEMORY, INVALID (path too long), IO. */
enum haul_status instance_look(const struct instance_place *place, struct instance_view *view,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* May this database act on what its folder holds? Changes nothing. Errors: MISMATCH (no: the state
 * is named, and the command that ends it), and those of instance_look. */
enum haul_status instance_check(const struct instance_place *place,
                                struct haul_error *error) HAUL_MUST_CHECK;
/* The same of a store, and INVALID (its path is too long). */
enum haul_status instance_check_store(struct haul_store *store,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* What instance_check does; then the name under which peers know the store, which has its file from
 * here on. Errors: those of instance_check_store, NO_SPACE, BUSY (another process does not end). */
enum haul_status instance_begin(struct haul_store *store, char name[HAUL_IDENTITY_BYTES_MAX],
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Before a database is opened for writing, which begins a new list of its tables: is the list an
 * earlier one than the file knows of? The rest is looked at when it is open.
 * Errors: MISMATCH (the state and what ends it are named). */
enum haul_status instance_check_list(const char *directory,
                                     struct haul_error *error) HAUL_MUST_CHECK;

/* The name under which peers know the store, without creating a file: a store without the file uses
 * its identity alone. */
void instance_name(struct haul_store *store, char name[HAUL_IDENTITY_BYTES_MAX]);

/* A hand-over has come to its end: write down how far the database has come, so that an earlier
 * state of it is known as such. Without this less is noticed, so a failure is no error. */
void instance_note(struct haul_store *store);

/* The folder belongs to the database of `place` from here on, under the name that peers know, also
 * when a bit of the file has rotted; a file that is damaged further gets a new name.
 * Errors: those of instance_begin but MISMATCH. */
enum haul_status instance_adopt(const struct instance_place *place,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* From here to instance_release nobody changes or removes the file, and it has the name that
 * instance_begin has returned: what a job records in between is this database's. `*lock_fd`: for
 * instance_release, which must be called after OK, and only then.
 * Errors: BUSY (it was forgotten meanwhile, or is being changed), those of instance_begin. */
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

/* Does `recorded` name the database `name`? The id decides, because RocksDB's identity may be a new
 * one; releases without instances have recorded the identity alone. */
bool instance_is(const char *recorded, const char *name);

/* Why a state is in the way, and what ends it: "" for NONE and SAME. */
void instance_explain(const struct instance_place *place, const struct instance_view *view,
                      struct haul_error *error);

#endif
