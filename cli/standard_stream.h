/* SPDX-License-Identifier: Apache-2.0 */
/* standard_stream.h — makes sure that descriptors 0, 1 and 2 are open. */
#ifndef HAUL_STANDARD_STREAM_H
#define HAUL_STANDARD_STREAM_H

#include <stdbool.h>

/* Open /dev/null on each of 0, 1 and 2 that the parent left closed. Otherwise a database file would
 * get such a number, and messages would be written into it. Call it before anything else is opened.
 * False: /dev/null cannot be opened. */
bool standard_stream_open_all(void);

#endif
