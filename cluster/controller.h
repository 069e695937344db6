/* SPDX-License-Identifier: Apache-2.0 */
/* controller.h — kvrocks-controller, which publishes the topology of a cluster, by its HTTP
 * interface. libcurl speaks HTTP. */
#ifndef HAUL_CLUSTER_CONTROLLER_H
#define HAUL_CLUSTER_CONTROLLER_H

#include <stdint.h>

#include "haul/status.h"
#include "topology.h"

enum { CONTROLLER_ANSWER_BYTES_MAX = 16 << 20 };

struct controller;

/* `url` is that of the cluster: http://HOST:PORT/api/v1/namespaces/NAMESPACE/clusters/NAME. Nothing
 * is sent yet. `timeout_ms` bounds each request. Ownership: `*controller` is the caller's
 * (controller_close). Errors: INVALID (no http or https URL), UNSUPPORTED (a build without
 * libcurl), NO_MEMORY. */
enum haul_status controller_open(const char *url, uint32_t timeout_ms,
                                 struct controller **controller,
                                 struct haul_error *error) HAUL_MUST_CHECK;
void controller_close(struct controller *controller);

/* Is this the URL of a cluster of kvrocks-controller? Errors: UNREACHABLE, NOT_FOUND (no such
 * cluster), REFUSED (with its words), PROTOCOL. */
enum haul_status controller_check(struct controller *controller,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* The index of the shard whose master is this node. Errors: UNREACHABLE (no answer), NOT_FOUND (no
 * such cluster, or no such master in it), PROTOCOL (no answer of kvrocks-controller). */
enum haul_status controller_find_shard(struct controller *controller, const char *master,
                                       int *shard, struct haul_error *error) HAUL_MUST_CHECK;

/* Let it move slots to the shard. It answers when their source has begun. Errors: UNREACHABLE,
 * REFUSED (with its words), PROTOCOL, NO_MEMORY. */
enum haul_status controller_migrate(struct controller *controller, struct slot_range slots,
                                    int shard, struct haul_error *error) HAUL_MUST_CHECK;

#endif
