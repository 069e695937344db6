/* SPDX-License-Identifier: Apache-2.0 */
/* ownership.h — which ranges of a database are not, or no longer, or newly its own: the config
 * version of the stand-alone tool, in the file `<directory>/ownership`.
 *
 * A cluster manager has such a record of its own; a database directory has this file. A range that
 * was handed over is not served or moved a second time by mistake, and anybody can check from
 * outside that a range has at most one owner. No file means version 0 and no entries: a database
 * that never took part owns all of itself.
 *
 * Invariants:
 *   1. The version only grows; ownership_swap from an old one answers FENCED and changes nothing.
 *   2. A reader sees the old file or the new one, whole (written beside it, synced, renamed).
 *   3. At most one swap runs at a time (flock on `<directory>/ownership.lock`).
 *
 * Thread: one at a time for each struct; swaps of several threads or processes exclude each other.
 */
#ifndef HAUL_OWNERSHIP_H
#define HAUL_OWNERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "file_calls.h"
#include "haul/status.h"
#include "haul/store.h"
#include "key_range.h"

enum {
    OWNERSHIP_JOB_ID_BYTES = 16,
    OWNERSHIP_ENTRY_COUNT_MAX = 65536,
    OWNERSHIP_FILE_BYTES_MAX = 256 << 20,
    OWNERSHIP_FORMAT_VERSION = 1,
};

/* Name, value, sentence. Values are part of the file: append only. */
#define OWNERSHIP_STATE_LIST(X)                                              \
    X(FROZEN, 1, "ours, but writes are refused while the job hands it over") \
    X(RELEASED, 2, "handed over: another database owns it")                  \
    X(IMPORTED, 3, "taken over from another database: ours")

enum ownership_state {
#define OWNERSHIP_STATE_ENUM(name, value, sentence) OWNERSHIP_##name = value,
    OWNERSHIP_STATE_LIST(OWNERSHIP_STATE_ENUM)
#undef OWNERSHIP_STATE_ENUM
};

struct ownership_entry {
    uint8_t job_id[OWNERSHIP_JOB_ID_BYTES];
    enum ownership_state state;
    struct key_range range;
    /* Names of column families; none: all of them. */
    char (*families)[HAUL_NAME_BYTES_MAX];
    size_t family_count;
};

struct ownership {
    uint64_t config_version;
    uint64_t epoch;
    struct ownership_entry *entries;
    size_t entry_count;
};

/* Version 0, nothing frozen, nothing released. */
void ownership_init(struct ownership *ownership);
void ownership_fini(struct ownership *ownership);

/* Add a copy of `entry` at the end; later entries tell the newer truth.
 * Errors: NO_MEMORY, LIMIT, INVALID (a name that is empty or too long). */
enum haul_status ownership_add(struct ownership *ownership,
                               const struct ownership_entry *entry) HAUL_MUST_CHECK;
/* Drop every entry of a job. */
void ownership_drop(struct ownership *ownership, const uint8_t job_id[OWNERSHIP_JOB_ID_BYTES]);
/* The newest entry that touches the range in this family (NULL: in any family); NULL: none, the
 * range is the database's own. Ownership: the struct's, until the next change. */
const struct ownership_entry *ownership_find(const struct ownership *ownership, const char *family,
                                             const struct key_range *range);

/* The bytes of the file. Ownership: `*bytes` is the caller's (free). Errors: NO_MEMORY, LIMIT. */
enum haul_status ownership_encode(const struct ownership *ownership, uint8_t **bytes,
                                  size_t *size) HAUL_MUST_CHECK;
/* Into a struct that was not initialised. Errors: CORRUPT, VERSION, NO_MEMORY. */
enum haul_status ownership_decode(struct ownership *ownership,
                                  struct haul_slice bytes) HAUL_MUST_CHECK;

/* Read the file of a directory into a struct that was not initialised. `calls` NULL: the
 * system's. Errors: CORRUPT, VERSION, NO_MEMORY, LIMIT, IO. */
enum haul_status ownership_read(const struct file_calls *calls, const char *directory,
                                struct ownership *ownership,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Put `next` in the place of the file if that still has version `expected`; durable on OK.
 * `next` has a larger version and no smaller epoch. `calls` NULL: the system's.
 * Errors: FENCED (the file has another version, or a newer epoch), INVALID (the version of `next`
 * is not larger), BUSY (another swap is running), NO_SPACE, IO and those of ownership_read: the
 * file is as before. IN_DOUBT: it is in place, but a crash might bring the old one back; read it
 * and swap again. */
enum haul_status ownership_swap(const struct file_calls *calls, const char *directory,
                                uint64_t expected, const struct ownership *next,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Put the file in its own place once more: after a swap that answered IN_DOUBT no crash can undo it
 * then. Errors: those of ownership_swap. */
enum haul_status ownership_settle(const struct file_calls *calls, const char *directory,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Stable upper-case name of a state. */
const char *ownership_state_name(enum ownership_state state);

#endif
