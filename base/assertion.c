/* SPDX-License-Identifier: Apache-2.0 */
/* assertion.c — prints a broken invariant and aborts. */
#include "assertion.h"

#include <stdio.h>
#include <stdlib.h>

void haul_assert_fail(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "haul: internal check failed: %s (%s:%d)\n", condition, file, line);
    abort();
}
