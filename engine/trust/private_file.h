/* SPDX-License-Identifier: Apache-2.0 */
/* private_file.h — opens files that nobody else may have read: keys, private keys of certificates.
 * Thread: any. */
#ifndef HAUL_PRIVATE_FILE_H
#define HAUL_PRIVATE_FILE_H

#include "haul/status.h"

/* Open a regular file to read that only its owner can read, and that this user or root owns. In the
 * directory of the service manager's credentials ($CREDENTIALS_DIRECTORY) the group may read it, as
 * an access list shows itself so. Ownership: `*fd` is the caller's.
 * Errors: NOT_FOUND, AUTH (others can read it, or it is somebody else's), INVALID (no regular
 * file), IO. */
enum haul_status private_file_open(const char *path, int *fd,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* The error of an open(2) or read(2) that failed with `code`. What is no file (a FIFO, a device, a
 * directory) is INVALID: somebody has named it. */
enum haul_status private_file_fail(const char *path, const char *call, int code,
                                   struct haul_error *error);

#endif
