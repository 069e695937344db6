/* SPDX-License-Identifier: Apache-2.0 */
/* owner_text.h — prints the ownership record of a database, for people, on stdout. */
#ifndef HAUL_OWNER_TEXT_H
#define HAUL_OWNER_TEXT_H

#include <stddef.h>

#include "haul/owner.h"

/* One range of the output: "column family default, all keys". */
enum { OWNER_TEXT_RANGE_BYTES_MAX = 768, OWNER_TEXT_TIME_BYTES = 80 };
void owner_text_range(const struct haul_owner_range *range, char text[OWNER_TEXT_RANGE_BYTES_MAX]);

/* "2026-11-29T07:03:11Z", or "" for a time that was not recorded. */
void owner_text_time(uint64_t time_s, char text[OWNER_TEXT_TIME_BYTES]);

/* Print the record with its newest `job_count_max` jobs. `directory` is that of the database. */
void owner_text_print(const struct haul_owner *owner, const char *directory, size_t job_count_max);

#endif
