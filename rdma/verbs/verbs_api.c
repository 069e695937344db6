/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_api.c — the table of the real libraries, and the status for each of their error numbers. */
#include "verbs_api.h"

#include <errno.h>
#include <fcntl.h>

#include "assertion.h"

/* These are macros or inline functions in the libraries' headers and have no address. */

static int query_port(struct ibv_context *context, uint8_t port, struct ibv_port_attr *attributes)
{
    return ibv_query_port(context, port, attributes);
}

/* If the flags are not a compile-time constant, the header's macro uses the call that supports the
 * optional ones, such as IBV_ACCESS_RELAXED_ORDERING, and drops them for old kernels. */
static struct ibv_mr *reg_mr(struct ibv_pd *pd, void *address, size_t size_bytes, unsigned access)
{
    return ibv_reg_mr(pd, address, size_bytes, access);
}

static int poll_cq(struct ibv_cq *cq, int count, struct ibv_wc *completions)
{
    return ibv_poll_cq(cq, count, completions);
}

static int req_notify_cq(struct ibv_cq *cq, int solicited_only)
{
    return ibv_req_notify_cq(cq, solicited_only);
}

static int post_send(struct ibv_qp *qp, struct ibv_send_wr *wr, struct ibv_send_wr **bad)
{
    return ibv_post_send(qp, wr, bad);
}

static int post_recv(struct ibv_qp *qp, struct ibv_recv_wr *wr, struct ibv_recv_wr **bad)
{
    return ibv_post_recv(qp, wr, bad);
}

const struct verbs_api verbs_api_system = {
    .open_device = ibv_open_device,
    .close_device = ibv_close_device,
    .query_device = ibv_query_device,
    .query_port = query_port,
    .alloc_pd = ibv_alloc_pd,
    .dealloc_pd = ibv_dealloc_pd,
    .reg_mr = reg_mr,
    .dereg_mr = ibv_dereg_mr,
    .get_async_event = ibv_get_async_event,
    .ack_async_event = ibv_ack_async_event,
    .create_comp_channel = ibv_create_comp_channel,
    .destroy_comp_channel = ibv_destroy_comp_channel,
    .create_cq = ibv_create_cq,
    .destroy_cq = ibv_destroy_cq,
    .poll_cq = poll_cq,
    .req_notify_cq = req_notify_cq,
    .get_cq_event = ibv_get_cq_event,
    .ack_cq_events = ibv_ack_cq_events,
    .create_qp = ibv_create_qp,
    .destroy_qp = ibv_destroy_qp,
    .modify_qp = ibv_modify_qp,
    .post_send = post_send,
    .post_recv = post_recv,
    .create_event_channel = rdma_create_event_channel,
    .destroy_event_channel = rdma_destroy_event_channel,
    .get_cm_event = rdma_get_cm_event,
    .ack_cm_event = rdma_ack_cm_event,
    .create_id = rdma_create_id,
    .destroy_id = rdma_destroy_id,
    .migrate_id = rdma_migrate_id,
    .bind_addr = rdma_bind_addr,
    .listen = rdma_listen,
    .resolve_addr = rdma_resolve_addr,
    .resolve_route = rdma_resolve_route,
    .init_qp_attr = rdma_init_qp_attr,
    .connect = rdma_connect,
    .establish = rdma_establish,
    .accept = rdma_accept,
    .reject = rdma_reject,
    .notify = rdma_notify,
    .disconnect = rdma_disconnect,
};

enum haul_status verbs_status(int code)
{
    switch (code) {
    case 0:
        return HAUL_OK;
    case EAGAIN:
        return HAUL_AGAIN;
    case ENOMEM:
        return HAUL_NO_MEMORY;
    case EMFILE:
    case ENFILE:
        return HAUL_LIMIT;
    case ENODEV:
    case ENOENT:
    case ENXIO:
    case EADDRNOTAVAIL:
    case ENOSYS:
    case EOPNOTSUPP:
    case EACCES:
    case EPERM:
        return HAUL_UNSUPPORTED;
    case EADDRINUSE:
        return HAUL_BUSY;
    case ECONNREFUSED:
        return HAUL_REFUSED;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
        return HAUL_UNREACHABLE;
    case ETIMEDOUT:
        return HAUL_TIMEOUT;
    default:
        return HAUL_IO;
    }
}

enum haul_status verbs_fail(struct haul_error *error, const char *call, int code, const char *what)
{
    enum haul_status status = verbs_status(code);
    /* A failure never means "try again": callers check for EAGAIN before. */
    status = status == HAUL_OK || status == HAUL_AGAIN ? HAUL_IO : status;
    return haul_error_set(error, status, call, code, "%s", what);
}

enum haul_status verbs_check(int result, const char *call, const char *what,
                             struct haul_error *error)
{
    if (result == 0) {
        return HAUL_OK;
    }
    int code = result == -1 ? errno : result < 0 ? -result : result;
    return verbs_fail(error, call, code, what);
}

enum haul_status verbs_check_made(const void *made, const char *call, const char *what,
                                  struct haul_error *error)
{
    return made != NULL ? HAUL_OK : verbs_fail(error, call, errno, what);
}

void verbs_leak_note(struct verbs_leak *leak, int result, const char *call)
{
    if (result == 0) {
        return;
    }
    int code = result == -1 ? errno : result < 0 ? -result : result;
    haul_debug_assert(leak->count > 0 || (code != EBUSY && code != EINVAL));
    if (leak->count == 0) {
        leak->call = call;
        leak->code = code;
    }
    leak->count++;
}

enum haul_status verbs_set_nonblocking(int fd, struct haul_error *error)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return verbs_fail(error, "fcntl", errno, "cannot make an event descriptor non-blocking");
    }
    return HAUL_OK;
}
