/* SPDX-License-Identifier: Apache-2.0 */
/* plain_file.h — opens regular files and directories at paths where anything may lie. */
#ifndef HAUL_PLAIN_FILE_H
#define HAUL_PLAIN_FILE_H

#include <stdio.h>

/* open(2) that never waits (as it would for a FIFO), and opens only regular files unless `flags`
 * has O_DIRECTORY. The owner's rights of `mode` apply whatever the umask. The descriptor is closed
 * on exec. Returns -1 and errno: ENXIO for a FIFO, socket or device, EISDIR for a directory, ELOOP
 * for a symbolic link with O_NOFOLLOW; others of open(2). Thread: any. */
int plain_file_open(const char *path, int flags, unsigned mode);

/* The same for reading, as a stream that the caller closes; NULL and errno on failure. Thread:
 * any. */
FILE *plain_file_read(const char *path);

/* A new file for writing, for example a temporary one. Removes what has the name before: the file
 * of a process that crashed, or a link that somebody planted, which is not followed. Returns -1 and
 * errno. Thread: any. */
int plain_file_create(const char *path, unsigned mode);

/* mkdir(2); the owner's rights of `mode` apply whatever the umask. Thread: any. */
int plain_file_make_directory(const char *path, unsigned mode);

#endif
