/* SPDX-License-Identifier: Apache-2.0 */
/* source_proof.h — what shows a target that a message comes from the database which began a job:
 * database_secret.h makes it, and the target keeps it with the job.
 * Thread: any. */
#ifndef HAUL_SOURCE_PROOF_H
#define HAUL_SOURCE_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/slice.h"

enum { SOURCE_PROOF_BYTES = 32 };

/* Zeroed: none, as in jobs of earlier releases. */
struct source_proof {
    bool given;
    uint8_t bytes[SOURCE_PROOF_BYTES];
};

/* From a message; anything but SOURCE_PROOF_BYTES is none. */
void source_proof_take(struct source_proof *proof, struct haul_slice bytes);
/* For a message; empty: none. */
struct haul_slice source_proof_slice(const struct source_proof *proof);
/* May somebody who gives `given` act on a job that was begun with `wanted`? In constant time. */
bool source_proof_fits(const struct source_proof *wanted, const struct source_proof *given);

#endif
