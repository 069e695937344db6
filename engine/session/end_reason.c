/* SPDX-License-Identifier: Apache-2.0 */
/* end_reason.c — sets of statuses. */
#include "end_reason.h"

bool end_reason_is_path(enum haul_status status)
{
    return status == HAUL_CLOSED || status == HAUL_TIMEOUT || status == HAUL_REFUSED ||
           status == HAUL_UNREACHABLE || status == HAUL_BUSY || status == HAUL_IO;
}

bool end_reason_is_shortage(enum haul_status status)
{
    return status == HAUL_LIMIT || status == HAUL_NO_MEMORY;
}

bool end_reason_is_lack(enum haul_status status)
{
    return end_reason_is_shortage(status) || status == HAUL_NO_SPACE || status == HAUL_IO ||
           status == HAUL_STORE || status == HAUL_NOT_FOUND;
}

bool end_reason_may_lack_record(enum haul_status status)
{
    return status == HAUL_IO || status == HAUL_NO_SPACE || status == HAUL_STORE ||
           status == HAUL_NO_MEMORY || status == HAUL_LIMIT || status == HAUL_INTERNAL;
}
