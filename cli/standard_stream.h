/* SPDX-License-Identifier: Apache-2.0 */
/* standard_stream.h — what a process owes to its descriptors 0, 1 and 2. */
#ifndef HAUL_STANDARD_STREAM_H
#define HAUL_STANDARD_STREAM_H

#include <stdbool.h>

/* Open /dev/null on each of 0, 1 and 2 that the parent left closed. Otherwise files of the database
 * would take these numbers, and messages would be written into them. Call it before anything is
 * opened. False: /dev/null cannot be opened. */
bool standard_stream_open_all(void);

#endif
