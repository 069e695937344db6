/* SPDX-License-Identifier: Apache-2.0 */
/* job_list.h — a few job ids, as messages name them one behind the other. Thread: one at a time. */
#ifndef HAUL_JOB_LIST_H
#define HAUL_JOB_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes.h"
#include "haul/migration.h"

enum { JOB_LIST_COUNT_MAX = 32, JOB_LIST_BYTES_MAX = JOB_LIST_COUNT_MAX * HAUL_JOB_BYTES };

/* Zeroed: none. */
struct job_list {
    uint8_t ids[JOB_LIST_BYTES_MAX];
    size_t size_bytes;
};

size_t job_list_count(const struct job_list *jobs);
const uint8_t *job_list_at(const struct job_list *jobs, size_t at);
/* False: it is full. */
bool job_list_add(struct job_list *jobs, const uint8_t id[HAUL_JOB_BYTES]);
struct haul_slice job_list_slice(const struct job_list *jobs);
/* What a message names, in place of what it had; more than fits is left out. */
void job_list_take(struct job_list *jobs, struct haul_slice ids);

#endif
