/* SPDX-License-Identifier: Apache-2.0 */
/* job_list.h — a few job ids, in the form used by messages: one after the other. Thread: one at a
 * time. */
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
/* False: the list is full. */
bool job_list_add(struct job_list *jobs, const uint8_t id[HAUL_JOB_BYTES]);
struct haul_slice job_list_slice(const struct job_list *jobs);
/* Replace the content by the ids of a message; ids that do not fit are left out. */
void job_list_take(struct job_list *jobs, struct haul_slice ids);

#endif
