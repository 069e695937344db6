/* SPDX-License-Identifier: Apache-2.0 */
/* thread_place.c — processor lists, and the only file that calls libnuma. */
#include "thread_place.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#ifdef HAUL_NUMA
#include <numa.h>
#endif

/* Parse one number. False: not a number, or too large for a processor. */
static bool take_number(const char **at, unsigned long *number)
{
    char *end = NULL;
    if (**at < '0' || **at > '9') {
        return false;
    }
    *number = strtoul(*at, &end, 10);
    *at = end;
    return *number < CPU_SETSIZE;
}

static bool parse(const char *list, cpu_set_t *set)
{
    CPU_ZERO(set);
    for (const char *at = list;; at++) {
        unsigned long first = 0;
        if (!take_number(&at, &first)) {
            return false;
        }
        unsigned long last = first;
        if (*at == '-') {
            at++;
            if (!take_number(&at, &last) || last < first) {
                return false;
            }
        }
        for (unsigned long cpu = first; cpu <= last; cpu++) {
            CPU_SET(cpu, set);
        }
        if (*at == '\0') {
            return true;
        }
        if (*at != ',') {
            return false;
        }
    }
}

static enum haul_status take_set(const char *list, cpu_set_t *set, struct haul_error *error)
{
    cpu_set_t allowed;
    cpu_set_t both;
    if (!parse(list, set)) {
        haul_error_set(error, HAUL_INVALID, NULL, 0, "invalid list of processors '%s'", list);
        haul_error_hint(error, "write it as 0-3,8");
        return HAUL_INVALID;
    }
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) {
        return haul_error_set(error, HAUL_LIMIT, "sched_getaffinity", errno,
                              "cannot read the processors of this process");
    }
    CPU_AND(&both, set, &allowed);
    if (!CPU_EQUAL(&both, set)) {
        return haul_error_set(error, HAUL_INVALID, NULL, 0,
                              "'%s' has processors that this process may not use", list);
    }
    return HAUL_OK;
}

enum haul_status thread_place_cpus(const char *list, pthread_attr_t *attributes,
                                   struct haul_error *error)
{
    cpu_set_t set;
    enum haul_status status = take_set(list, &set, error);
    if (status != HAUL_OK) {
        return status;
    }
    int result = pthread_attr_setaffinity_np(attributes, sizeof(set), &set);
    return result == 0 ? HAUL_OK
                       : haul_error_set(error, HAUL_LIMIT, "pthread_attr_setaffinity_np", result,
                                        "cannot set the processors of a thread to '%s'", list);
}

bool thread_place_node(int node)
{
#ifdef HAUL_NUMA
    if (node < 0 || numa_available() < 0 || numa_max_node() == 0 || node > numa_max_node() ||
        numa_run_on_node(node) != 0) {
        return false;
    }
    numa_set_preferred(node);
    return true;
#else
    (void)node;
    return false;
#endif
}
