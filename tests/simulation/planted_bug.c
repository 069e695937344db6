/* SPDX-License-Identifier: Apache-2.0 */
/* planted_bug.c — selects the bug of a build with planted bugs by an environment variable. */
#include "planted_bug.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum haul_planted_bug haul_planted_bug = HAUL_PLANTED_NONE;

static const char *const names[] = {
#define PLANTED_BUG_NAME(name, sentence) #name,
    HAUL_PLANTED_BUG_LIST(PLANTED_BUG_NAME)
#undef PLANTED_BUG_NAME
};

__attribute__((constructor)) static void choose(void)
{
    const char *wanted = getenv("HAUL_PLANTED_BUG");
    size_t count = sizeof(names) / sizeof(names[0]);
    for (size_t i = 0; wanted != NULL && i < count; i++) {
        if (strcmp(names[i], wanted) == 0) {
            haul_planted_bug = (enum haul_planted_bug)i;
            return;
        }
    }
    if (wanted != NULL) {
        (void)fprintf(stderr, "no bug of the name %s is planted\n", wanted);
        exit(2);
    }
}
