/* SPDX-License-Identifier: Apache-2.0 */
/* stream_position.c — frees what a position owns. */
#include "stream_position.h"

#include <stdlib.h>
#include <string.h>

void stream_position_fini(struct stream_position *position)
{
    free((void *)position->last_key.data);
    memset(position, 0, sizeof(*position));
}
