/* SPDX-License-Identifier: Apache-2.0 */
/* closed_database.h — which database haul's folder belongs to, judged by the files of a database
 * that this process does not open. Another process may have it open. Thread: any. */
#ifndef HAUL_CLOSED_DATABASE_H
#define HAUL_CLOSED_DATABASE_H

#include <stdbool.h>

#include "instance.h"

enum { CLOSED_DATABASE_PATH_BYTES_MAX = 1024 };

struct closed_database {
    char directory[CLOSED_DATABASE_PATH_BYTES_MAX]; /* `<database>/haul` */
    char identity[HAUL_IDENTITY_BYTES_MAX];
    struct instance_place place; /* of both; the system's calls */
};

/* `reads_log`: the log may be read for the last sequence number, if the instance file has one to
 * compare it with; otherwise it stays unknown.
 * Errors: NOT_FOUND (no such directory), INVALID (the path is too long), those of
 * haul_folder_check. */
enum haul_status closed_database_look(const char *database, bool reads_log,
                                      struct closed_database *closed,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* The last sequence number when that is below `wanted`, otherwise some number from `wanted` on;
 * UINT64_MAX: unknown. */
uint64_t closed_database_sequence(const char *database, uint64_t wanted);

#endif
