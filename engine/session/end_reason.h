/* SPDX-License-Identifier: Apache-2.0 */
/* end_reason.h — what the status with which a path or a job ended says about the other side.
 * Thread: any. */
#ifndef HAUL_END_REASON_H
#define HAUL_END_REASON_H

#include <stdbool.h>

#include "haul/status.h"

/* The path was lost, and may come back. */
bool end_reason_is_path(enum haul_status status);
/* A side that fails like this may not have been able to record that the job is over. */
bool end_reason_may_lack_record(enum haul_status status);

#endif
