/* SPDX-License-Identifier: Apache-2.0 */
/* end_reason.h — what the status with which a path or a job ended implies about the other side.
 * Thread: any. */
#ifndef HAUL_END_REASON_H
#define HAUL_END_REASON_H

#include <stdbool.h>

#include "haul/status.h"

/* The path was lost, and a later attempt may succeed. */
bool end_reason_is_path(enum haul_status status);
/* This host, its disk or its store lacks something, or the database's directory was moved. What has
 * arrived is sound, and its operator may mend the rest: the job is kept. */
bool end_reason_is_lack(enum haul_status status);
/* This host has no port, descriptor or memory to spare now: a connection may succeed later. */
bool end_reason_is_shortage(enum haul_status status);
/* A side that failed with this status may not have been able to record the end of the job. */
bool end_reason_may_lack_record(enum haul_status status);

#endif
