/* SPDX-License-Identifier: Apache-2.0 */
/* human_size.h — formats bytes and times for people. */
#ifndef HAUL_HUMAN_SIZE_H
#define HAUL_HUMAN_SIZE_H

#include <stdint.h>

enum { HUMAN_TEXT_BYTES_MAX = 24 };

/* "999 B", "1.5 kB", "2.1 GB": powers of 1000. */
void human_bytes(double bytes, char text[HUMAN_TEXT_BYTES_MAX]);

/* "4.2 s", "3:05 min", "2:03:05 h". */
void human_seconds(double seconds, char text[HUMAN_TEXT_BYTES_MAX]);

#endif
