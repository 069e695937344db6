/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_target.h — the one function of a fuzz target, as libFuzzer and replay.c call it.
 *
 * A target keeps nothing between two calls, reads nothing but its input, and aborts (haul_assert)
 * when a property does not hold. It takes small choices from the front of the input with a cursor
 * (bytes.h), which yields zeros behind the end. */
#ifndef HAUL_FUZZ_TARGET_H
#define HAUL_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "haul/status.h"

/* Always 0. Thread: one. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Abort, naming both, unless they are the same. */
static inline void expect_status(enum haul_status actual, enum haul_status expected)
{
    if (actual != expected) {
        (void)fprintf(stderr, "status %s, expected %s\n", haul_status_name(actual),
                      haul_status_name(expected));
        abort();
    }
}

#endif
