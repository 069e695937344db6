/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_cm.h — events of the connection manager, as copies that are safe to act upon.
 *
 * rdma_destroy_id waits until every event of its id is acknowledged. So an event is copied,
 * private data included, and acknowledged before it is returned: its receiver may destroy the id.
 *
 * Thread: that of the channel's owner. */
#ifndef HAUL_VERBS_CM_H
#define HAUL_VERBS_CM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "verbs_api.h"

enum {
    VERBS_CM_DATA_BYTES_MAX = 64, /* more than any haul peer sends */
};

struct verbs_cm_event {
    enum rdma_cm_event_type type;
    int status; /* 0, a negative errno, or the reason of a rejection */
    struct rdma_cm_id *id;
    size_t data_size_bytes;
    uint8_t data[VERBS_CM_DATA_BYTES_MAX];
};

/* Create a non-blocking channel. Errors: UNSUPPORTED (no RDMA here), LIMIT, NO_MEMORY. */
enum haul_status verbs_cm_open(const struct verbs_api *api, struct rdma_event_channel **channel,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* The next event. Errors: AGAIN (none); IO. */
enum haul_status verbs_cm_next(const struct verbs_api *api, struct rdma_event_channel *channel,
                               struct verbs_cm_event *event,
                               struct haul_error *error) HAUL_MUST_CHECK;

/* The error of a call that failed with the errno `code` for this address. UNSUPPORTED, with an
 * explanation: the address is on no RDMA device, or is not an address to listen on. */
enum haul_status verbs_cm_fail_address(const struct link_address *address, const char *call,
                                       int code, struct haul_error *error);

/* Why the peer's side refused: `event` is a rejection of the connection to `peer`. Statuses: the
 * answer of a haul peer; REFUSED (nobody listens there, or not a haul peer). */
enum haul_status verbs_cm_fail_rejected(const struct verbs_cm_event *event, const char *peer,
                                        struct haul_error *error);

/* The address of the other side / of this side. */
void verbs_cm_peer(struct rdma_cm_id *id, struct link_address *address);
void verbs_cm_local(struct rdma_cm_id *id, struct link_address *address);

/* Answer a request with a reason that a haul peer understands. The caller keeps the id. */
void verbs_cm_reject(const struct verbs_api *api, struct rdma_cm_id *id, enum haul_status reason);

/* Has the peer's host rejected only because it remembers an earlier connection of this queue
 * pair? */
bool verbs_cm_is_stale(const struct verbs_cm_event *event);

#endif
