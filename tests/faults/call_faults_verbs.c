/* SPDX-License-Identifier: Apache-2.0 */
/* call_faults_verbs.c — wrappers of the calls of libibverbs and librdmacm, and of a device's
 * completion queue. */
#include <arpa/inet.h>
#include <errno.h>
#include <infiniband/verbs.h>
#include <rdma/rdma_cma.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "call_faults.h"

enum { FLOOD_COUNT = 16 };

#undef ibv_reg_mr
#undef ibv_reg_mr_iova
#undef ibv_query_port

#define VERBS(result, name, failed, parameters, arguments)                        \
    result name parameters;                                                       \
    result name parameters                                                        \
    {                                                                             \
        static result(*real) parameters;                                          \
        if (real == NULL) {                                                       \
            *(void **)&real = call_faults_real(#name);                            \
        }                                                                         \
        return call_faults_fails(#name, GROUP_VERBS, __builtin_return_address(0)) \
                   ? failed                                                       \
                   : real arguments;                                              \
    }

VERBS(int, ibv_query_device, errno, (struct ibv_context * context, struct ibv_device_attr *found),
      (context, found))
VERBS(int, ibv_query_port, errno,
      (struct ibv_context * context, uint8_t port, struct _compat_ibv_port_attr *found),
      (context, port, found))
VERBS(struct ibv_pd *, ibv_alloc_pd, NULL, (struct ibv_context * context), (context))
VERBS(struct ibv_mr *, ibv_reg_mr_iova2, NULL,
      (struct ibv_pd * pd, void *address, size_t size, uint64_t iova, unsigned access),
      (pd, address, size, iova, access))
VERBS(struct ibv_comp_channel *, ibv_create_comp_channel, NULL, (struct ibv_context * context),
      (context))
VERBS(struct ibv_cq *, ibv_create_cq, NULL,
      (struct ibv_context * context, int count, void *cq_context, struct ibv_comp_channel *channel,
       int vector),
      (context, count, cq_context, channel, vector))
VERBS(struct ibv_qp *, ibv_create_qp, NULL,
      (struct ibv_pd * pd, struct ibv_qp_init_attr *attributes), (pd, attributes))
VERBS(int, ibv_get_cq_event, -1,
      (struct ibv_comp_channel * channel, struct ibv_cq **cq, void **context),
      (channel, cq, context))
VERBS(int, ibv_get_async_event, -1, (struct ibv_context * context, struct ibv_async_event *event),
      (context, event))
VERBS(struct rdma_event_channel *, rdma_create_event_channel, NULL, (void), ())
VERBS(int, rdma_create_id, -1,
      (struct rdma_event_channel * channel, struct rdma_cm_id **id, void *context,
       enum rdma_port_space space),
      (channel, id, context, space))
VERBS(int, rdma_bind_addr, -1, (struct rdma_cm_id * id, struct sockaddr *address), (id, address))
VERBS(int, rdma_listen, -1, (struct rdma_cm_id * id, int backlog), (id, backlog))
VERBS(int, rdma_resolve_addr, -1,
      (struct rdma_cm_id * id, struct sockaddr *own, struct sockaddr *other, int timeout_ms),
      (id, own, other, timeout_ms))
VERBS(int, rdma_resolve_route, -1, (struct rdma_cm_id * id, int timeout_ms), (id, timeout_ms))
VERBS(int, rdma_init_qp_attr, -1,
      (struct rdma_cm_id * id, struct ibv_qp_attr *attributes, int *mask), (id, attributes, mask))
VERBS(int, rdma_connect, -1, (struct rdma_cm_id * id, struct rdma_conn_param *how), (id, how))
VERBS(int, rdma_establish, -1, (struct rdma_cm_id * id), (id))
VERBS(int, rdma_accept, -1, (struct rdma_cm_id * id, struct rdma_conn_param *how), (id, how))
VERBS(int, rdma_get_cm_event, -1,
      (struct rdma_event_channel * channel, struct rdma_cm_event **event), (channel, event))
VERBS(int, rdma_migrate_id, -1, (struct rdma_cm_id * id, struct rdma_event_channel *channel),
      (id, channel))
VERBS(int, rdma_disconnect, -1, (struct rdma_cm_id * id), (id))

/* --- queues ------------------------------------------------------------------------------------*/

/* All devices here have the same provider, so one set of its calls is enough. */
static struct ibv_context_ops real_ops;
static int (*real_modify)(struct ibv_qp *, struct ibv_qp_attr *, int);

static _Atomic(struct ibv_qp *) last_qp;

static void put_into_error(struct ibv_qp *qp)
{
    struct ibv_qp_attr attributes = {.qp_state = IBV_QPS_ERR};
    if (qp != NULL) {
        (void)real_modify(qp, &attributes, IBV_QP_STATE);
    }
}

int ibv_modify_qp(struct ibv_qp *qp, struct ibv_qp_attr *attributes, int mask)
{
    unsigned status = 0;
    if (real_modify == NULL) {
        *(void **)&real_modify = call_faults_real("ibv_modify_qp");
    }
    if (call_faults_fails("ibv_modify_qp", GROUP_VERBS, __builtin_return_address(0))) {
        return errno;
    }
    int result = real_modify(qp, attributes, mask);
    atomic_store(&last_qp, qp);
    if (call_faults_wire("ibv_modify_qp", &status) == WIRE_QUEUE_ERROR) {
        put_into_error(qp);
    }
    return result;
}

/* One completion to report twice. */
static struct {
    struct ibv_cq *cq;
    struct ibv_wc completion;
} again;

static int poll_harmed(struct ibv_cq *cq, int count, struct ibv_wc *completions)
{
    if (again.cq == cq && count > 0) {
        again.cq = NULL;
        completions[0] = again.completion;
        return 1;
    }
    int found = real_ops.poll_cq(cq, count, completions);
    for (int i = 0; i < found; i++) {
        unsigned status = 0;
        switch (call_faults_wire("ibv_poll_cq", &status)) {
        case WIRE_SOUND:
            break;
        case WIRE_DROP:
            found--;
            memmove(completions + i, completions + i + 1,
                    (size_t)(found - i) * sizeof(completions[0]));
            i--;
            break;
        case WIRE_TWICE:
            again.completion = completions[i];
            again.cq = cq;
            break;
        case WIRE_STATUS:
            completions[i].status = (enum ibv_wc_status)status;
            put_into_error(atomic_load(&last_qp));
            break;
        case WIRE_QUEUE_ERROR:
            put_into_error(atomic_load(&last_qp));
            break;
        default:
            break;
        }
    }
    return found;
}

/* Post what a hostile peer would; the upper 4 bits of the immediate are the type, the others the
 * sequence. */
static int post_hostile(struct ibv_qp *qp, const struct ibv_send_wr *sound, enum wire_harm harm)
{
    struct ibv_send_wr wr = *sound;
    struct ibv_send_wr *bad = NULL;
    uint32_t immediate = ntohl(wr.imm_data);
    if (harm == WIRE_RKEY) {
        wr.wr.rdma.rkey ^= 0x5500;
    } else if (harm == WIRE_BEYOND) {
        wr.wr.rdma.remote_addr += UINT64_C(1) << 32;
    } else if (harm == WIRE_SEQUENCE) {
        wr.imm_data = htonl(immediate + 7);
    } else if (harm == WIRE_TYPE) {
        wr.imm_data = htonl(immediate | 0xf0000000);
    }
    int result = real_ops.post_send(qp, &wr, &bad);
    wr.send_flags &= ~(unsigned)IBV_SEND_SIGNALED;
    if (harm == WIRE_REWRITE && result == 0) {
        uint8_t *block = (uint8_t *)(uintptr_t)wr.sg_list[0].addr;
        block[wr.sg_list[0].length - 1] ^= 0x20;
        wr.opcode = IBV_WR_RDMA_WRITE;
        result = real_ops.post_send(qp, &wr, &bad);
    }
    for (uint32_t i = 1; harm == WIRE_FLOOD && i <= FLOOD_COUNT && result == 0; i++) {
        wr.imm_data = htonl(immediate + i);
        if (real_ops.post_send(qp, &wr, &bad) != 0) {
            break; /* the queue is full, which is flood enough */
        }
    }
    return result;
}

static int post_send_harmed(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
    unsigned status = 0;
    if (call_faults_fails("ibv_post_send", GROUP_VERBS, __builtin_return_address(0))) {
        *bad = wr;
        return errno;
    }
    if (wr->num_sge == 1 && wr->opcode == IBV_WR_RDMA_WRITE_WITH_IMM) {
        enum wire_harm harm = call_faults_wire("ibv_post_send", &status);
        if (harm >= WIRE_RKEY) {
            return post_hostile(qp, wr, harm);
        }
    }
    return real_ops.post_send(qp, wr, bad);
}

static int post_recv_harmed(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
    if (call_faults_fails("ibv_post_recv", GROUP_VERBS, __builtin_return_address(0))) {
        *bad = wr;
        return errno;
    }
    return real_ops.post_recv(qp, wr, bad);
}

static int notify_harmed(struct ibv_cq *cq, int solicited_only)
{
    if (call_faults_fails("ibv_req_notify_cq", GROUP_VERBS, __builtin_return_address(0))) {
        return errno;
    }
    return real_ops.req_notify_cq(cq, solicited_only);
}

struct ibv_context *ibv_open_device(struct ibv_device *device)
{
    static struct ibv_context *(*real)(struct ibv_device *);
    if (real == NULL) {
        *(void **)&real = call_faults_real("ibv_open_device");
    }
    if (call_faults_fails("ibv_open_device", GROUP_VERBS, __builtin_return_address(0))) {
        return NULL;
    }
    struct ibv_context *context = real(device);
    if (context != NULL && context->ops.poll_cq != poll_harmed) {
        real_ops = context->ops;
        context->ops.poll_cq = poll_harmed;
        context->ops.post_send = post_send_harmed;
        context->ops.post_recv = post_recv_harmed;
        context->ops.req_notify_cq = notify_harmed;
    }
    return context;
}
