/* SPDX-License-Identifier: Apache-2.0 */
/* key_file.h — files that hold the keys of haul/key.h.
 *
 * Text: the line "haul-key 1", then a line "key ID SECRET CRC" for each key, the one to use first.
 * SECRET has 64 and CRC (CRC-32C of "ID SECRET") 8 hexadecimal digits. */
#ifndef HAUL_KEY_FILE_H
#define HAUL_KEY_FILE_H

#include "haul/key.h"
#include "haul/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Read a file of keys. It must be a regular file that only its owner can read, and that this user
 * or root owns. In the directory of the service manager's credentials ($CREDENTIALS_DIRECTORY) the
 * group may read it, as an access list shows itself so.
 * Ownership: `*keys` is the caller's (haul_keys_destroy).
 * Errors: NOT_FOUND, AUTH (others can read it), CORRUPT, VERSION, NO_MEMORY, IO. Thread: any. */
enum haul_status haul_keys_load(const char *path, struct haul_keys **keys,
                                struct haul_error *error) HAUL_MUST_CHECK;

/* Write a file with one new random key, mode 0600, durably. `id` NULL: eight random digits.
 * Errors: EXISTS, INVALID (the id), NO_SPACE, IO. Thread: any. */
enum haul_status haul_key_file_make(const char *path, const char *id,
                                    struct haul_error *error) HAUL_MUST_CHECK;
/* Put a new key before the present one, which becomes the second; replaces the file as a whole.
 * Errors: those of haul_keys_load and haul_key_file_make; EXISTS (the file has two already). */
enum haul_status haul_key_file_rotate(const char *path, const char *id,
                                      struct haul_error *error) HAUL_MUST_CHECK;
/* Remove the second key. Errors: as above; NOT_FOUND also if there is only one. */
enum haul_status haul_key_file_retire(const char *path, struct haul_error *error) HAUL_MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
