/* SPDX-License-Identifier: Apache-2.0 */
/* running_job.h — the state that a running `haul send` or `haul recv` sends over its control
 * socket. */
#ifndef HAUL_RUNNING_JOB_H
#define HAUL_RUNNING_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"

enum { RUNNING_JOB_TEXT_BYTES_MAX = 2048, RUNNING_JOB_NAME_BYTES_MAX = 16 };

struct running_job {
    char command[RUNNING_JOB_NAME_BYTES_MAX]; /* "send", "recv" */
    int64_t pid;
    char phase[RUNNING_JOB_NAME_BYTES_MAX + 8];
    struct haul_progress figures; /* without phase and transport */
};

/* Format as JSON text. False: it does not fit. */
bool running_job_format(const struct running_job *job, char *text, size_t text_size_bytes);
/* Parse such a text. False: it is not a running job. */
bool running_job_parse(const char *text, struct running_job *job);

#endif
