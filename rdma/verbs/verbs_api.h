/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_api.h — every libibverbs and librdmacm call that haul makes, in one table, and the only
 * place that converts their three ways of reporting a failure to a haul_status.
 *
 * The table holds the calls as the libraries declare them, so that a test can replace any of them
 * with a fake. Code that uses verbs gets a pointer to a table and calls nothing else.
 *
 * Three conventions: rdma_* and the event calls return -1 and set errno; ibv_* actions return the
 * errno itself; calls that create an object return NULL and set errno.
 *
 * Thread: the table is constant. */
#ifndef HAUL_VERBS_API_H
#define HAUL_VERBS_API_H

#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>
#include <stdint.h>

#include "haul/status.h"

struct verbs_api {
    /* Device. */
    struct ibv_context *(*open_device)(struct ibv_device *device);
    int (*close_device)(struct ibv_context *context);
    int (*query_device)(struct ibv_context *context, struct ibv_device_attr *attributes);
    int (*query_port)(struct ibv_context *context, uint8_t port, struct ibv_port_attr *attributes);
    struct ibv_pd *(*alloc_pd)(struct ibv_context *context);
    int (*dealloc_pd)(struct ibv_pd *pd);
    struct ibv_mr *(*reg_mr)(struct ibv_pd *pd, void *address, size_t size_bytes, unsigned access);
    int (*dereg_mr)(struct ibv_mr *mr);
    int (*get_async_event)(struct ibv_context *context, struct ibv_async_event *event);
    void (*ack_async_event)(struct ibv_async_event *event);

    /* Queues. */
    struct ibv_comp_channel *(*create_comp_channel)(struct ibv_context *context);
    int (*destroy_comp_channel)(struct ibv_comp_channel *channel);
    struct ibv_cq *(*create_cq)(struct ibv_context *context, int entry_count, void *cq_context,
                                struct ibv_comp_channel *channel, int vector);
    int (*destroy_cq)(struct ibv_cq *cq);
    int (*poll_cq)(struct ibv_cq *cq, int count, struct ibv_wc *completions);
    int (*req_notify_cq)(struct ibv_cq *cq, int solicited_only);
    int (*get_cq_event)(struct ibv_comp_channel *channel, struct ibv_cq **cq, void **cq_context);
    void (*ack_cq_events)(struct ibv_cq *cq, unsigned count);
    struct ibv_qp *(*create_qp)(struct ibv_pd *pd, struct ibv_qp_init_attr *attributes);
    int (*destroy_qp)(struct ibv_qp *qp);
    int (*modify_qp)(struct ibv_qp *qp, struct ibv_qp_attr *attributes, int mask);
    int (*post_send)(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad);
    int (*post_recv)(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad);

    /* Connection manager. */
    struct rdma_event_channel *(*create_event_channel)(void);
    void (*destroy_event_channel)(struct rdma_event_channel *channel);
    int (*get_cm_event)(struct rdma_event_channel *channel, struct rdma_cm_event **event);
    int (*ack_cm_event)(struct rdma_cm_event *event);
    int (*create_id)(struct rdma_event_channel *channel, struct rdma_cm_id **id, void *context,
                     enum rdma_port_space space);
    int (*destroy_id)(struct rdma_cm_id *id);
    int (*migrate_id)(struct rdma_cm_id *id, struct rdma_event_channel *channel);
    int (*bind_addr)(struct rdma_cm_id *id, struct sockaddr *address);
    int (*listen)(struct rdma_cm_id *id, int backlog);
    int (*resolve_addr)(struct rdma_cm_id *id, struct sockaddr *source, struct sockaddr *target,
                        int timeout_ms);
    int (*resolve_route)(struct rdma_cm_id *id, int timeout_ms);
    int (*init_qp_attr)(struct rdma_cm_id *id, struct ibv_qp_attr *attributes, int *mask);
    int (*connect)(struct rdma_cm_id *id, struct rdma_conn_param *parameters);
    int (*establish)(struct rdma_cm_id *id);
    int (*accept)(struct rdma_cm_id *id, struct rdma_conn_param *parameters);
    int (*reject)(struct rdma_cm_id *id, const void *data, uint8_t size_bytes);
    int (*notify)(struct rdma_cm_id *id, enum ibv_event_type event);
    int (*disconnect)(struct rdma_cm_id *id);
};

/* The libraries themselves. */
extern const struct verbs_api verbs_api_system;

/* The status for an errno of these libraries. */
enum haul_status verbs_status(int code);

/* Fill `error` for the failed `call` with its errno `code`; `what` describes the failure. */
enum haul_status verbs_fail(struct haul_error *error, const char *call, int code, const char *what);

/* Convert what a call returned to a status: `result` for the first two conventions, `made` for the
 * third. Use it at once: it reads errno. `error` may be NULL. */
enum haul_status verbs_check(int result, const char *call, const char *what,
                             struct haul_error *error) HAUL_MUST_CHECK;
enum haul_status verbs_check_made(const void *made, const char *call, const char *what,
                                  struct haul_error *error) HAUL_MUST_CHECK;

/* Objects that the libraries failed to release. */
struct verbs_leak {
    unsigned count;
    const char *call; /* the first call that failed, and its errno */
    int code;
};

/* Note the `result` of a call that releases an object. It fails if the kernel has taken the device
 * away (EIO, ENODEV): then only the object's memory is lost, for the life of the process. EBUSY and
 * EINVAL are haul's own mistakes, unless something else was lost before. */
void verbs_leak_note(struct verbs_leak *leak, int result, const char *call);

/* Make reads of a library's descriptor return instead of waiting. Errors: IO. */
enum haul_status verbs_set_nonblocking(int fd, struct haul_error *error) HAUL_MUST_CHECK;

#endif
