/* SPDX-License-Identifier: Apache-2.0 */
/* sim_register.h — the register of an embedder that keeps config version and ownership itself, as a
 * cluster member does: durable at once, and accessed only by its hooks. */
#ifndef HAUL_SIM_REGISTER_H
#define HAUL_SIM_REGISTER_H

#include <stdbool.h>
#include <stdint.h>

#include "haul/migration.h"

enum { SIM_REGISTER_JOB_COUNT = 32 };

struct sim_register {
    bool in_use; /* the host has the hook `version_get` */
    uint64_t version;
    uint32_t owned;                                       /* cells */
    uint8_t jobs[SIM_REGISTER_JOB_COUNT][HAUL_JOB_BYTES]; /* ended ones; a ring */
    uint32_t job_count;
};

bool sim_register_has(const struct sim_register *self, const uint8_t job[HAUL_JOB_BYTES]);
/* The job has given away (`gained` false) or brought these cells. */
void sim_register_note(struct sim_register *self, const uint8_t job[HAUL_JOB_BYTES], uint32_t cells,
                       bool gained);

#endif
