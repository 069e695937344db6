/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_device.h — a link's own opening of an RDMA device: protection domain, limits, memory.
 *
 * rdma_cm shares one opened device among all connections of a process, and with it the stream of
 * asynchronous events: one link would take another's. So every link opens the device for itself.
 * Its protection domain is its own as well: no other peer can reach the memory of a key that one
 * peer was given.
 *
 * Thread: the owner's. */
#ifndef HAUL_VERBS_DEVICE_H
#define HAUL_VERBS_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "verbs_api.h"

struct verbs_device {
    const struct verbs_api *api;
    struct ibv_context *context; /* its async_fd does not block */
    struct ibv_pd *pd;
    uint64_t region_bytes_max;
    uint32_t message_bytes_max; /* of the port */
    int work_requests_max;      /* of each direction of a queue pair */
    int completions_max;        /* of a completion queue */
    struct verbs_leak leak;     /* of everything opened on the device; outlives the closing */
};

/* Open the device and port that rdma_cm chose for `id`. Errors: UNSUPPORTED (no device, or neither
 * InfiniBand nor RoCE), LIMIT (descriptors, a control group), IO. */
enum haul_status verbs_device_open(struct verbs_device *device, const struct verbs_api *api,
                                   const struct rdma_cm_id *id,
                                   struct haul_error *error) HAUL_MUST_CHECK;
/* Accepts a zeroed or half-opened device. All regions and queues were released before, or are lost:
 * the kernel releases them when the device's descriptor is closed. */
void verbs_device_close(struct verbs_device *device);

/* Can haul's links use this device? Errors: UNSUPPORTED (iWARP and other transports). */
enum haul_status verbs_device_check(const struct ibv_device *device,
                                    struct haul_error *error) HAUL_MUST_CHECK;

/* Memory to register, with IBV_ACCESS_* flags. */
struct verbs_memory {
    void *data;
    uint64_t size_bytes;
    unsigned access;
};

/* Errors: LIMIT (memory lock, or larger than the device can register; with a hint), IO.
 * Ownership: the caller's, until verbs_device_unregister (NULL is fine). */
enum haul_status verbs_device_register(const struct verbs_device *device,
                                       const struct verbs_memory *memory, struct ibv_mr **region,
                                       struct haul_error *error) HAUL_MUST_CHECK;
void verbs_device_unregister(struct verbs_device *device, struct ibv_mr *region);

/* The error of a call that pins `bytes` of memory (0: some) and failed with `code`: reaching the
 * memory lock or a limit of the control group becomes LIMIT, with the limit and a remedy. */
enum haul_status verbs_device_fail_pin(struct haul_error *error, const char *call, int code,
                                       uint64_t bytes);

#endif
