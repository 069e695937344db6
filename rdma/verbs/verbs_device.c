/* SPDX-License-Identifier: Apache-2.0 */
/* verbs_device.c — opening, limits and registration, with their error messages. */
#include "verbs_device.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

#include "haul/transport.h"

static void format_memlock(char *text, size_t size)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        (void)snprintf(text, size, "unknown");
    } else if (limit.rlim_cur == RLIM_INFINITY) {
        (void)snprintf(text, size, "unlimited");
    } else {
        (void)snprintf(text, size, "%llu bytes", (unsigned long long)limit.rlim_cur);
    }
}

/* The kernel returns EAGAIN if the control group allows no more RDMA objects. */
static enum haul_status fail_object(struct haul_error *error, const char *call, int code,
                                    const char *what)
{
    if (code != EAGAIN) {
        return verbs_fail(error, call, code, what);
    }
    haul_error_set(error, HAUL_LIMIT, call, code, "%s: the control group's limit is reached", what);
    haul_error_hint(error, "rdma.max of the control group limits hca_handle and hca_object for "
                           "each device; raise it, or use fewer links");
    return HAUL_LIMIT;
}

enum haul_status verbs_device_fail_pin(struct haul_error *error, const char *call, int code,
                                       uint64_t bytes)
{
    /* The kernel returns ENOMEM if the lock limit is reached, EPERM if the limit is 0. */
    if (code != ENOMEM && code != EPERM) {
        return fail_object(error, call, code, "the RDMA device refused memory");
    }
    char limit[32];
    format_memlock(limit, sizeof(limit));
    if (bytes > 0) {
        haul_error_set(error, HAUL_LIMIT, call, code,
                       "cannot register %llu bytes for RDMA; RLIMIT_MEMLOCK is %s",
                       (unsigned long long)bytes, limit);
    } else {
        haul_error_set(error, HAUL_LIMIT, call, code,
                       "no locked memory for RDMA queues; RLIMIT_MEMLOCK is %s", limit);
    }
    haul_error_hint(error, "raise it: ulimit -l unlimited, systemd LimitMEMLOCK=infinity, "
                           "docker --ulimit memlock=-1; or use fewer or smaller slots");
    return HAUL_LIMIT;
}

static enum haul_status read_limits(struct verbs_device *device, uint8_t port,
                                    struct haul_error *error)
{
    struct ibv_device_attr attributes;
    enum haul_status status =
        verbs_check(device->api->query_device(device->context, &attributes), "ibv_query_device",
                    "cannot query the limits of the RDMA device", error);
    if (status != HAUL_OK) {
        return status;
    }
    struct ibv_port_attr port_attributes;
    status = verbs_check(device->api->query_port(device->context, port, &port_attributes),
                         "ibv_query_port", "cannot query the limits of the RDMA port", error);
    if (status != HAUL_OK) {
        return status;
    }
    device->region_bytes_max = attributes.max_mr_size;
    device->work_requests_max = attributes.max_qp_wr;
    device->completions_max = attributes.max_cqe;
    device->message_bytes_max = port_attributes.max_msg_sz;
    if (device->message_bytes_max < HAUL_SLOT_SIZE_BYTES_MIN) {
        return haul_error_set(error, HAUL_UNSUPPORTED, "ibv_query_port", 0,
                              "the RDMA device limits messages to %u bytes; haul needs %d",
                              device->message_bytes_max, HAUL_SLOT_SIZE_BYTES_MIN);
    }
    return HAUL_OK;
}

/* Devices of other transports connect in another way, and hardly any of them supports a write with
 * immediate data. */
enum haul_status verbs_device_check(const struct ibv_device *device, struct haul_error *error)
{
    if (device->transport_type == IBV_TRANSPORT_IB) {
        return HAUL_OK;
    }
    haul_error_set(error, HAUL_UNSUPPORTED, "", 0, "the RDMA device %s speaks %s", device->name,
                   device->transport_type == IBV_TRANSPORT_IWARP ? "iWARP"
                                                                 : "neither InfiniBand nor RoCE");
    haul_error_hint(error, "haul's RDMA needs InfiniBand or RoCE; TCP works over this address");
    return HAUL_UNSUPPORTED;
}

enum haul_status verbs_device_open(struct verbs_device *device, const struct verbs_api *api,
                                   const struct rdma_cm_id *id, struct haul_error *error)
{
    *device = (struct verbs_device){.api = api};
    if (id->verbs == NULL) {
        return haul_error_set(error, HAUL_UNSUPPORTED, "", 0,
                              "the address is not on an RDMA device");
    }
    enum haul_status status = verbs_device_check(id->verbs->device, error);
    if (status != HAUL_OK) {
        return status;
    }
    device->context = api->open_device(id->verbs->device);
    if (device->context == NULL) {
        return fail_object(error, "ibv_open_device", errno, "cannot open the RDMA device");
    }
    status = verbs_set_nonblocking(device->context->async_fd, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    status = read_limits(device, id->port_num, error);
    if (status != HAUL_OK) {
        goto fail;
    }
    device->pd = api->alloc_pd(device->context);
    if (device->pd == NULL) {
        status = fail_object(error, "ibv_alloc_pd", errno, "cannot create a protection domain");
        goto fail;
    }
    return HAUL_OK;
fail:
    verbs_device_close(device);
    return status;
}

void verbs_device_close(struct verbs_device *device)
{
    if (device->pd != NULL) {
        verbs_leak_note(&device->leak, device->api->dealloc_pd(device->pd), "ibv_dealloc_pd");
        device->pd = NULL;
    }
    if (device->context != NULL) {
        verbs_leak_note(&device->leak, device->api->close_device(device->context),
                        "ibv_close_device");
        device->context = NULL;
    }
}

enum haul_status verbs_device_register(const struct verbs_device *device,
                                       const struct verbs_memory *memory, struct ibv_mr **region,
                                       struct haul_error *error)
{
    if (memory->size_bytes > device->region_bytes_max) {
        haul_error_set(error, HAUL_LIMIT, "ibv_reg_mr", 0,
                       "cannot register %llu bytes: the RDMA device registers at most %llu at once",
                       (unsigned long long)memory->size_bytes,
                       (unsigned long long)device->region_bytes_max);
        haul_error_hint(error, "use fewer or smaller slots");
        return HAUL_LIMIT;
    }
    struct ibv_mr *made =
        device->api->reg_mr(device->pd, memory->data, memory->size_bytes, memory->access);
    if (made == NULL) {
        return verbs_device_fail_pin(error, "ibv_reg_mr", errno, memory->size_bytes);
    }
    *region = made;
    return HAUL_OK;
}

void verbs_device_unregister(struct verbs_device *device, struct ibv_mr *region)
{
    if (region != NULL) {
        verbs_leak_note(&device->leak, device->api->dereg_mr(region), "ibv_dereg_mr");
    }
}
