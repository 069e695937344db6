/* SPDX-License-Identifier: Apache-2.0 */
/* sim_register.c — a bit set, a number and the last jobs. */
#include "sim_register.h"

#include <string.h>

bool sim_register_has(const struct sim_register *self, const uint8_t job[HAUL_JOB_BYTES])
{
    uint32_t count =
        self->job_count < SIM_REGISTER_JOB_COUNT ? self->job_count : SIM_REGISTER_JOB_COUNT;
    for (uint32_t i = 0; i < count; i++) {
        if (memcmp(self->jobs[i], job, HAUL_JOB_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

void sim_register_note(struct sim_register *self, const uint8_t job[HAUL_JOB_BYTES], uint32_t cells,
                       bool gained)
{
    self->owned = gained ? self->owned | cells : self->owned & ~cells;
    if (!sim_register_has(self, job)) {
        memcpy(self->jobs[self->job_count++ % SIM_REGISTER_JOB_COUNT], job, HAUL_JOB_BYTES);
    }
}
