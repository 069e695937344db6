/* SPDX-License-Identifier: Apache-2.0 */
/* thread_place.h — where the calling thread, and every thread that it starts, may run. */
#ifndef HAUL_THREAD_PLACE_H
#define HAUL_THREAD_PLACE_H

#include <stdbool.h>

#include "haul/status.h"

/* Is `list` ("0-3,8") one of processors that this process may use? Errors: INVALID. */
enum haul_status thread_place_check(const char *list, struct haul_error *error) HAUL_MUST_CHECK;
/* Run there from now on. Errors: INVALID, LIMIT. */
enum haul_status thread_place_cpus(const char *list, struct haul_error *error) HAUL_MUST_CHECK;

/* Run on the processors of a NUMA node, and take memory from it when there is some. False: nothing
 * changed; there is one node only, the number is none of a node, or haul was built without libnuma.
 */
bool thread_place_node(int node);

#endif
