/* SPDX-License-Identifier: Apache-2.0 */
/* running_job.h — the state that a running `haul send` or `haul recv` sends over its control
 * socket, and the jobs that it runs. */
#ifndef HAUL_RUNNING_JOB_H
#define HAUL_RUNNING_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "haul/migration.h"

enum { RUNNING_JOB_TEXT_BYTES_MAX = 8192, RUNNING_JOB_NAME_BYTES_MAX = 16 };

struct running_job {
    char command[RUNNING_JOB_NAME_BYTES_MAX]; /* "send", "recv" */
    int64_t pid;
    char phase[RUNNING_JOB_NAME_BYTES_MAX + 8];
    struct haul_progress figures; /* without phase and transport */
};

/* One of the jobs that a command runs. */
struct running_part {
    char job[2 * HAUL_JOB_BYTES + 1]; /* its id, hexadecimal */
    char peer[HAUL_ADDRESS_TEXT_BYTES_MAX];
    struct running_job state; /* without command and process */
};

/* Format as JSON text. False: it does not fit. */
bool running_job_format(const struct running_job *job, char *text, size_t text_size_bytes);
/* Parse such a text. False: it is not a running job. */
bool running_job_parse(const char *text, struct running_job *job);

/* An id in hexadecimal. False: it is none. */
bool running_job_parse_id(const char *text, uint8_t job[HAUL_JOB_BYTES]);
/* Format the jobs of a command. False: they do not fit. */
bool running_jobs_format(const struct haul_job_progress *jobs, size_t count, char *text,
                         size_t text_size_bytes);
/* Parse such a text. Returns the number of jobs, at most `count_max`; 0 also for any other text. */
size_t running_jobs_parse(const char *text, struct running_part *parts, size_t count_max);

#endif
