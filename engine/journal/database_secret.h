/* SPDX-License-Identifier: Apache-2.0 */
/* database_secret.h — 32 random bytes that only this database has: the file
 * `<database>/haul/secret`.
 *
 * A job's id and a database's name are no secrets. What shows a target that a message comes from
 * the database which began the job is
 *
 *   HMAC-SHA256(secret, "proof" | job)
 *
 * which the target keeps with the job. Whoever removes the file can continue none of the database's
 * jobs.
 * Thread: any. */
#ifndef HAUL_DATABASE_SECRET_H
#define HAUL_DATABASE_SECRET_H

#include <stdint.h>

#include "haul/migration.h"
#include "haul/status.h"
#include "haul/store.h"
#include "source_proof.h"

enum { DATABASE_SECRET_BYTES = 32 };

struct database_secret {
    uint8_t bytes[DATABASE_SECRET_BYTES];
};

/* Read the file, or make it. A damaged one is replaced: what it proved is lost. Errors: NOT_FOUND
 * (no folder), IO, NO_SPACE, INVALID (path too long). */
enum haul_status database_secret_begin(struct haul_store *store, struct database_secret *secret,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Errors: INTERNAL (OpenSSL). */
enum haul_status database_secret_proof(const struct database_secret *secret,
                                       const uint8_t job[HAUL_JOB_BYTES],
                                       struct source_proof *proof) HAUL_MUST_CHECK;

#endif
