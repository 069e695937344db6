/* SPDX-License-Identifier: Apache-2.0 */
/* ownership_file.h — the ownership record on disk: read by anybody, changed under a lock.
 *
 * Invariants:
 *   O1 A reader sees the old file or the new one, whole (written beside it, synced, renamed).
 *   O2 At most one change runs at a time (flock on `<directory>/ownership.lock`); each starts from
 *      what the one before it has left.
 *   O3 A rename that reports an error is not trusted: the file shows whether it took effect.
 *
 * Thread: any; changes of several threads and processes wait for each other. */
#ifndef HAUL_OWNERSHIP_FILE_H
#define HAUL_OWNERSHIP_FILE_H

#include "file_calls.h"
#include "ownership.h"

/* Read the file of a directory into an uninitialised struct; no file is an empty record. `calls`
 * NULL: the system's. Errors: CORRUPT, VERSION, NO_MEMORY, LIMIT, IO. */
enum haul_status ownership_read(const struct file_calls *calls, const char *directory,
                                struct ownership *ownership,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* A change of the record. Any error leaves the file as it is. */
typedef enum haul_status ownership_change(void *context, struct ownership *ownership,
                                          struct haul_error *error);

/* Read, change, put in place; durable on OK. `calls` NULL: the system's.
 * Errors: those of `change` and of ownership_read, BUSY (another change does not end), LIMIT (the
 * record is full), NO_SPACE, IO: the file is unchanged. IN_DOUBT: the new file is, or may be, in
 * place, and a crash may bring the old one back; ownership_settle makes it durable. */
enum haul_status ownership_update(const struct file_calls *calls, const char *directory,
                                  ownership_change *change, void *context,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Hold the lock of invariant O2 over several steps: nothing changes until ownership_unlock. Creates
 * the directory if it is missing. Others wait for 2 s, a source that decides for as long as its
 * freeze may last, and then get BUSY. `calls` NULL: the system's.
 * Errors: BUSY (a change does not end), NO_SPACE, IO. */
enum haul_status ownership_lock(const struct file_calls *calls, const char *directory, int *lock_fd,
                                struct haul_error *error) HAUL_MUST_CHECK;
void ownership_unlock(const struct file_calls *calls, int lock_fd);
/* ownership_update for the holder of the lock. Errors: as there, without BUSY. */
enum haul_status ownership_update_locked(const struct file_calls *calls, const char *directory,
                                         ownership_change *change, void *context,
                                         struct haul_error *error) HAUL_MUST_CHECK;

/* Like ownership_update, but waits at most `wait_max_ms` for the lock instead of 2 s, then BUSY.
 * The time of the disk's sync is not bounded. */
enum haul_status ownership_update_within(const struct file_calls *calls, const char *directory,
                                         uint32_t wait_max_ms, ownership_change *change,
                                         void *context, struct haul_error *error) HAUL_MUST_CHECK;

/* Would ownership_update succeed? Does everything except the rename.
 * Errors: those of ownership_update except IN_DOUBT. */
enum haul_status ownership_rehearse(const struct file_calls *calls, const char *directory,
                                    ownership_change *change, void *context,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Replace the file by itself once more: after IN_DOUBT this makes its contents durable.
 * Errors: those of ownership_update. */
enum haul_status ownership_settle(const struct file_calls *calls, const char *directory,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Move an unreadable file aside as "ownership.damaged-TIME", and replace it by an empty record with
 * `change` applied. `time_s` since 1970.
 * Errors: those of ownership_update; NOT_FOUND (the file is sound, or missing). */
enum haul_status ownership_rebuild(const struct file_calls *calls, const char *directory,
                                   uint64_t time_s, ownership_change *change, void *context,
                                   struct haul_error *error) HAUL_MUST_CHECK;

#endif
