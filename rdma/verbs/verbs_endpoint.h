/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_endpoint.h — one end of a connection: event channel, id, device, queues, and the
 * descriptor to sleep on.
 *
 * The queue pair belongs to haul and not to the id (see verbs_device.h): its steps INIT, RTR and
 * RTS are made here with the attributes that rdma_cm computes, and with haul's own timers:
 *
 *   minimal RNR timer 12: 0.64 ms. rdma_cm would leave 0, which means 655 ms.
 *   RNR retries 7: for ever; by the sizes of verbs_queue.h it never happens.
 *   retries 7, ACK timeout t with 8 * 4.096 us * 2^t <= peer timeout, and at most 268 ms (2.1 s in
 *   all): a lost packet that no other follows costs no more. The standard lets a device take
 *   up to four times its timeout. The first try and seven retries detect a peer that does not
 *   answer; a link that ends this way is opened again, as long as the job waits.
 *
 * Thread: the owner's. */
#ifndef HAUL_VERBS_ENDPOINT_H
#define HAUL_VERBS_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "verbs_cm.h"
#include "verbs_device.h"
#include "verbs_queue.h"

/* What is ready; bits of verbs_endpoint_look. */
enum verbs_ready {
    VERBS_READY_CM = 1 << 0,
    VERBS_READY_ASYNC = 1 << 1,
    VERBS_READY_COMPLETION = 1 << 2,
};

struct verbs_endpoint {
    const struct verbs_api *api;
    uint32_t peer_timeout_ms;
    int epoll_fd; /* outlives the rest: the owner's poll loop may still hold it */
    struct rdma_event_channel *channel;
    struct rdma_cm_id *id;
    struct verbs_device device;
    struct verbs_queue queue;
};

/* The ACK timeout exponent for a peer timeout. */
uint8_t verbs_ack_timeout(uint32_t peer_timeout_ms);

/* Errors: LIMIT, NO_MEMORY. */
enum haul_status verbs_endpoint_init(struct verbs_endpoint *endpoint, const struct verbs_api *api,
                                     uint32_t peer_timeout_ms,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Accepts a zeroed endpoint with epoll_fd -1. */
void verbs_endpoint_fini(struct verbs_endpoint *endpoint);

/* Create an id and start to resolve `peer`; its events follow.
 * Errors: UNSUPPORTED (no device), UNREACHABLE, LIMIT, IO. */
enum haul_status verbs_endpoint_dial(struct verbs_endpoint *endpoint,
                                     const struct link_address *peer,
                                     struct haul_error *error) HAUL_MUST_CHECK;
/* Take over the id of a request; its events arrive here from now on. Ownership: takes `id` on OK.
 * Errors: LIMIT, NO_MEMORY, IO. */
enum haul_status verbs_endpoint_adopt(struct verbs_endpoint *endpoint, struct rdma_cm_id *id,
                                      struct haul_error *error) HAUL_MUST_CHECK;

/* Open the device that the id is on. As verbs_device_open. */
enum haul_status verbs_endpoint_open_device(struct verbs_endpoint *endpoint,
                                            struct haul_error *error) HAUL_MUST_CHECK;
/* Create queues of these sizes, with all receives posted. As verbs_queue_open. */
enum haul_status verbs_endpoint_open_queue(struct verbs_endpoint *endpoint, uint32_t send_count,
                                           uint32_t receive_count,
                                           struct haul_error *error) HAUL_MUST_CHECK;

/* The route is known: request a connection, with the greeting. */
enum haul_status verbs_endpoint_connect(struct verbs_endpoint *endpoint, const uint8_t *greeting,
                                        struct haul_error *error) HAUL_MUST_CHECK;
/* The peer accepted: complete the connection. */
enum haul_status verbs_endpoint_establish(struct verbs_endpoint *endpoint,
                                          struct haul_error *error) HAUL_MUST_CHECK;
/* Accept a request; ESTABLISHED follows. */
enum haul_status verbs_endpoint_accept(struct verbs_endpoint *endpoint,
                                       struct haul_error *error) HAUL_MUST_CHECK;

/* Which descriptors are readable: bits of enum verbs_ready. Does not wait. */
unsigned verbs_endpoint_look(const struct verbs_endpoint *endpoint);

/* Take the next asynchronous event of the device. Errors: AGAIN. */
enum haul_status verbs_endpoint_next_async(struct verbs_endpoint *endpoint,
                                           enum ibv_event_type *type) HAUL_MUST_CHECK;

/* Disconnect from the peer, and make all requests fail: the queue runs empty. */
void verbs_endpoint_disconnect(struct verbs_endpoint *endpoint);

/* Release everything but the epoll set: queue, device, id, channel. Between the two calls the
 * regions of the device are unregistered. */
void verbs_endpoint_close_queue(struct verbs_endpoint *endpoint);
void verbs_endpoint_close(struct verbs_endpoint *endpoint);

#endif
