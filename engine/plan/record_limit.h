/* SPDX-License-Identifier: Apache-2.0 */
/* record_limit.h — the limits of keys and values, and the error for larger ones. */
#ifndef HAUL_RECORD_LIMIT_H
#define HAUL_RECORD_LIMIT_H

#include "haul/slice.h"
#include "haul/status.h"

/* Errors: LIMIT (key above HAUL_KEY_BYTES_MAX, or value above HAUL_RECORD_BYTES_MAX; the text names
 * size, limit and the beginning of the key). Thread: any. */
enum haul_status record_limit_check(struct haul_slice key, struct haul_slice value,
                                    struct haul_error *error) HAUL_MUST_CHECK;

#endif
