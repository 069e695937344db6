/* SPDX-License-Identifier: Apache-2.0 */
/* few_descriptors.h — limits how many more descriptors a process may open. Thread: one. */
#ifndef HAUL_TESTS_FEW_DESCRIPTORS_H
#define HAUL_TESTS_FEW_DESCRIPTORS_H

#include <sys/resource.h>
#include <unistd.h>

#include "check.h"

static struct rlimit few_descriptors_before;
static int few_descriptors_plug;

static inline void few_descriptors_begin(unsigned spare)
{
    few_descriptors_plug = dup(STDOUT_FILENO); /* 0, which is free in every suite */
    int next = dup(STDOUT_FILENO);             /* the lowest that is free */
    check_or_stop(next >= 0 && close(next) == 0);
    check_or_stop(getrlimit(RLIMIT_NOFILE, &few_descriptors_before) == 0);
    const struct rlimit few = {.rlim_cur = (rlim_t)next + spare,
                               .rlim_max = few_descriptors_before.rlim_max};
    check_or_stop(setrlimit(RLIMIT_NOFILE, &few) == 0);
}

static inline void few_descriptors_end(void)
{
    check_equal(setrlimit(RLIMIT_NOFILE, &few_descriptors_before), 0);
    check_equal(close(few_descriptors_plug), 0);
}

#endif
