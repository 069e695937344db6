/* SPDX-License-Identifier: Apache-2.0 */
/* thread_place.h — where a thread, and every thread that it starts, may run. */
#ifndef HAUL_THREAD_PLACE_H
#define HAUL_THREAD_PLACE_H

#include <pthread.h>
#include <stdbool.h>

#include "haul/status.h"

/* A thread created with `attributes` runs on the processors of `list` ("0-3,8") from its first
 * instruction. Errors: INVALID (not a list, or one with processors that this process may not use),
 * LIMIT. */
enum haul_status thread_place_cpus(const char *list, pthread_attr_t *attributes,
                                   struct haul_error *error) HAUL_MUST_CHECK;

/* Run the calling thread on the processors of a NUMA node, and prefer memory of that node. False:
 * nothing changed, because there is only one node, no node has this number, or haul was built
 * without libnuma. */
bool thread_place_node(int node);

#endif
