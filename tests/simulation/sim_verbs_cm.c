/* SPDX-License-Identifier: Apache-2.0 */
/* sim_verbs_cm.c — the connection manager: messages between the hosts' kernels, which become events
 * on the channels of the ids. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "assertion.h"
#include "clock.h"
#include "sim_descriptor.h"
#include "sim_network.h"
#include "sim_verbs.h"
#include "sim_verbs_queue.h"

enum {
    ID_COUNT = 256,
    MESSAGE_COUNT = 256,
    DATA_BYTES = 64,
    REJECT_NO_SERVICE = 8,
    REJECT_BY_CONSUMER = 28,
    ANSWER_MS = 4000, /* the kernel gives up after this time */
};

struct sim_id {
    struct rdma_cm_id base; /* first */
    struct sim_process *process;
    int host;
    bool used;
    bool mute; /* its host has no power */
    bool listening;
    bool asked;       /* connecting, or not answered yet */
    bool answered;    /* accepted, or established */
    bool established; /* the acceptor has received the confirmation */
    bool over;        /* rejected or disconnected */
    uint16_t port;
    uint32_t queue_number;
    uint32_t peer_queue_number;
    struct sim_id *peer;
};

/* An event that travels to an id, or waits there. */
struct message {
    bool used;
    bool arrived;
    uint64_t at_ns;
    uint64_t order;
    struct sim_id *id;
    enum rdma_cm_event_type type;
    int status;
    uint8_t size;
    uint8_t data[DATA_BYTES];
    uint32_t queue_number;
    struct sim_id *from;
    struct rdma_cm_event event; /* in the form that the caller gets */
};

static struct sim_id *ids[ID_COUNT];
static int id_count;
static struct message messages[MESSAGE_COUNT];
static int message_count; /* one after the last that was ever used */
static uint64_t order;

void sim_cm_init(void)
{
    memset(ids, 0, sizeof(ids));
    memset(messages, 0, sizeof(messages));
    id_count = 0;
    message_count = 0;
    order = 0;
}

static struct sim_id *sim_id_of(struct rdma_cm_id *id)
{
    return (struct sim_id *)id;
}

static int fail(int code)
{
    errno = code;
    return -1;
}

/* --- messages --------------------------------------------------------------------------------- */

static struct message *send_to(struct sim_id *id, enum rdma_cm_event_type type, uint64_t delay_ns)
{
    for (int i = 0; i < MESSAGE_COUNT; i++) {
        struct message *message = &messages[i];
        if (!message->used) {
            *message = (struct message){.used = true,
                                        .at_ns = sim_kernel.now_ns + delay_ns,
                                        .order = order++,
                                        .id = id,
                                        .type = type};
            message_count = i >= message_count ? i + 1 : message_count;
            sim_verbs_wake_at(message->at_ns);
            return message;
        }
    }
    haul_unreachable();
}

static void put_data(struct message *message, const void *data, uint8_t size)
{
    haul_assert(size <= DATA_BYTES);
    message->size = data == NULL ? 0 : size;
    if (data != NULL) {
        memcpy(message->data, data, size);
    }
}

static void drop_messages(const struct sim_id *id)
{
    for (int i = 0; i < message_count; i++) {
        struct message *message = &messages[i];
        if (message->used && !message->arrived && message->from == id) {
            message->used = false;
        }
        if (message->used && message->id == id) {
            if (message->arrived && id->base.channel != NULL) {
                sim_descriptor_at(id->base.channel->fd)->counter--;
            }
            message->used = false;
        }
    }
}

static struct sim_id *make_id(struct rdma_event_channel *channel, struct sim_process *process)
{
    struct sim_id *made = NULL;
    for (int i = 0; i < id_count && made == NULL; i++) {
        bool wanted = false;
        for (int j = 0; j < id_count; j++) {
            wanted = wanted || (ids[j]->used && ids[j]->peer == ids[i]);
        }
        made = ids[i]->used || wanted ? NULL : ids[i];
    }
    if (made == NULL) {
        haul_assert(id_count < ID_COUNT);
        made = sim_host_alloc(sizeof(*made));
        ids[id_count++] = made;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(7447)};
    address.sin_addr.s_addr = htonl(0x0a000001 + (uint32_t)process->host);
    *made = (struct sim_id){.process = process, .host = process->host, .used = true};
    made->base.channel = channel;
    made->base.verbs = &sim_verbs_shared;
    made->base.port_num = 1;
    memcpy(&made->base.route.addr.src_storage, &address, sizeof(address));
    memcpy(&made->base.route.addr.dst_storage, &address, sizeof(address));
    sim_verbs_note(process, 1);
    return made;
}

static struct sim_id *find_listener(int host, uint16_t port)
{
    for (int i = 0; i < id_count; i++) {
        if (ids[i]->used && ids[i]->listening && ids[i]->host == host && ids[i]->port == port) {
            return ids[i];
        }
    }
    return NULL;
}

static void show(struct message *message)
{
    message->arrived = true;
    struct sim_id *id = message->id;
    sim_descriptor_at(id->base.channel->fd)->counter++;
    sim_descriptor_notify(id->base.channel->fd);
}

/* A request reaches its host: a new id on the listener's channel, or a rejection. */
static void arrive_request(struct message *message)
{
    struct sim_id *from = message->from;
    struct sockaddr_in to;
    memcpy(&to, &from->base.route.addr.dst_storage, sizeof(to));
    struct sim_id *listener = find_listener(sim_network_host_at(&to), 7447);
    if (!from->used || from->over) {
        message->used = false;
        return;
    }
    if (listener == NULL) {
        message->used = false;
        send_to(from, RDMA_CM_EVENT_REJECTED, sim_verbs_delay_ns())->status = REJECT_NO_SERVICE;
        return;
    }
    struct sim_id *made = make_id(listener->base.channel, listener->process);
    made->peer = from;
    made->asked = true;
    made->peer_queue_number = message->queue_number;
    from->peer = made;
    message->id = made;
    show(message);
}

static void arrive(struct message *message)
{
    struct sim_id *id = message->id;
    if (message->type == RDMA_CM_EVENT_CONNECT_REQUEST) {
        arrive_request(message);
        return;
    }
    bool ends = message->type == RDMA_CM_EVENT_REJECTED ||
                message->type == RDMA_CM_EVENT_DISCONNECTED ||
                message->type == RDMA_CM_EVENT_UNREACHABLE;
    bool stale = !id->used || id->mute || (id->over && message->type != RDMA_CM_EVENT_DISCONNECTED);
    stale = stale || (message->type == RDMA_CM_EVENT_UNREACHABLE && id->answered) ||
            (message->type == RDMA_CM_EVENT_ESTABLISHED && id->established);
    if (stale) {
        message->used = false;
        return;
    }
    id->over = id->over || ends;
    if (message->type == RDMA_CM_EVENT_CONNECT_RESPONSE) {
        id->answered = true;
        id->peer_queue_number = message->queue_number;
    }
    if (message->type == RDMA_CM_EVENT_ESTABLISHED) {
        id->established = true;
        sim_verbs_queue_established(id->queue_number);
    }
    show(message);
}

static struct message *next_message(bool arrived)
{
    struct message *first = NULL;
    for (int i = 0; i < message_count; i++) {
        struct message *message = &messages[i];
        bool fits = message->used && message->arrived == arrived;
        if (fits && (first == NULL || message->at_ns < first->at_ns ||
                     (message->at_ns == first->at_ns && message->order < first->order))) {
            first = message;
        }
    }
    return first;
}

void sim_cm_deliver(void)
{
    struct message *first = next_message(false);
    while (first != NULL && first->at_ns <= sim_kernel.now_ns) {
        arrive(first);
        first = next_message(false);
    }
}

uint64_t sim_cm_next_ns(void)
{
    const struct message *first = next_message(false);
    return first == NULL ? CLOCK_NEVER : first->at_ns;
}

/* --- ends ------------------------------------------------------------------------------------- */

static void tell_end(struct sim_id *id)
{
    bool heard =
        id->peer != NULL && id->peer->used && id->peer->peer == id && !id->mute && !id->peer->mute;
    if (!heard || id->over) {
        id->over = true;
        return;
    }
    id->over = true;
    bool unanswered = id->asked && !id->answered && id->peer->asked && !id->peer->answered &&
                      id->queue_number == 0;
    struct message *message =
        send_to(id->peer, unanswered ? RDMA_CM_EVENT_REJECTED : RDMA_CM_EVENT_DISCONNECTED,
                sim_verbs_delay_ns());
    message->status = unanswered ? REJECT_BY_CONSUMER : 0;
}

static void end_id(struct sim_id *id)
{
    tell_end(id);
    drop_messages(id);
    id->used = false;
    sim_verbs_note(id->process, -1);
    /* Requests that nobody has taken end with the listener. */
    for (int i = 0; id->listening && i < id_count; i++) {
        bool waits = false;
        for (int j = 0; j < message_count; j++) {
            waits = waits || (messages[j].used && messages[j].arrived && messages[j].id == ids[i]);
        }
        if (ids[i]->used && waits && ids[i]->asked && ids[i]->queue_number == 0 &&
            ids[i]->base.channel == id->base.channel) {
            end_id(ids[i]);
        }
    }
}

void sim_cm_kill(struct sim_process *process)
{
    for (int i = 0; i < id_count; i++) {
        if (ids[i]->used && ids[i]->process == process) {
            ids[i]->listening = false;
            end_id(ids[i]);
        }
    }
}

void sim_cm_power_failure(int host)
{
    for (int i = 0; i < id_count; i++) {
        ids[i]->mute = ids[i]->mute || (ids[i]->used && ids[i]->host == host);
    }
}

/* --- what the product calls ------------------------------------------------------------------- */

struct rdma_event_channel *sim_create_event_channel(void)
{
    struct sim_process *process = sim_process_current();
    if (sim_verbs_options.absent[process->host] || sim_verbs_call_fails(ENODEV)) {
        errno = ENODEV;
        return NULL;
    }
    struct rdma_event_channel *channel = sim_host_alloc(sizeof(*channel));
    channel->fd = sim_descriptor_open(SIM_EVENT);
    sim_verbs_note(process, 1);
    return channel;
}

void sim_destroy_event_channel(struct rdma_event_channel *channel)
{
    for (int i = 0; i < id_count; i++) {
        haul_assert(!ids[i]->used || ids[i]->base.channel != channel);
    }
    (void)close(channel->fd);
    sim_verbs_note(sim_process_current(), -1);
}

int sim_get_cm_event(struct rdma_event_channel *channel, struct rdma_cm_event **event)
{
    struct message *first = NULL;
    for (int i = 0; i < message_count; i++) {
        struct message *message = &messages[i];
        bool fits = message->used && message->arrived && message->id->base.channel == channel;
        if (fits && (first == NULL || message->order < first->order)) {
            first = message;
        }
    }
    if (first == NULL) {
        return fail(EAGAIN);
    }
    first->event = (struct rdma_cm_event){
        .id = &first->id->base, .event = first->type, .status = first->status};
    first->event.param.conn.private_data = first->size > 0 ? first->data : NULL;
    first->event.param.conn.private_data_len = first->size;
    sim_descriptor_at(channel->fd)->counter--;
    first->arrived = false;
    first->at_ns = CLOCK_NEVER; /* its data is needed until it is acknowledged */
    *event = &first->event;
    return 0;
}

int sim_ack_cm_event(struct rdma_cm_event *event)
{
    for (int i = 0; i < message_count; i++) {
        messages[i].used = messages[i].used && &messages[i].event != event;
    }
    return 0;
}

int sim_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id, void *context,
                  enum rdma_port_space space)
{
    haul_assert(space == RDMA_PS_TCP);
    if (sim_verbs_call_fails(ENOMEM)) {
        return -1;
    }
    struct sim_id *made = make_id(channel, sim_process_current());
    made->base.context = context;
    *id = &made->base;
    return 0;
}

int sim_destroy_id(struct rdma_cm_id *id)
{
    haul_assert(sim_id_of(id)->used);
    end_id(sim_id_of(id));
    return 0;
}

int sim_migrate_id(struct rdma_cm_id *id, struct rdma_event_channel *channel)
{
    if (sim_verbs_call_fails(ENOMEM)) {
        return -1;
    }
    for (int i = 0; i < message_count; i++) {
        if (messages[i].used && messages[i].arrived && messages[i].id == sim_id_of(id)) {
            sim_descriptor_at(id->channel->fd)->counter--;
            sim_descriptor_at(channel->fd)->counter++;
        }
    }
    id->channel = channel;
    sim_descriptor_notify(channel->fd);
    return 0;
}

int sim_bind_addr(struct rdma_cm_id *id, struct sockaddr *address)
{
    const struct sockaddr_in *at = (const struct sockaddr_in *)(const void *)address;
    uint16_t port = ntohs(at->sin_port);
    if (find_listener(sim_id_of(id)->host, port) != NULL) {
        return fail(EADDRINUSE);
    }
    sim_id_of(id)->port = port;
    memcpy(&id->route.addr.src_storage, at, sizeof(*at));
    return 0;
}

int sim_listen(struct rdma_cm_id *id, int backlog)
{
    (void)backlog;
    sim_id_of(id)->listening = true;
    return 0;
}

int sim_resolve_addr(struct rdma_cm_id *id, struct sockaddr *source, struct sockaddr *target,
                     int timeout_ms)
{
    (void)source;
    haul_assert(timeout_ms > 0);
    memcpy(&id->route.addr.dst_storage, target, sizeof(struct sockaddr_in));
    if (sim_verbs_call_fails(ENETUNREACH)) {
        return -1;
    }
    (void)send_to(sim_id_of(id), RDMA_CM_EVENT_ADDR_RESOLVED, sim_verbs_delay_ns());
    return 0;
}

int sim_resolve_route(struct rdma_cm_id *id, int timeout_ms)
{
    haul_assert(timeout_ms > 0);
    if (sim_verbs_call_fails(ENETUNREACH)) {
        return -1;
    }
    (void)send_to(sim_id_of(id), RDMA_CM_EVENT_ROUTE_RESOLVED, sim_verbs_delay_ns());
    return 0;
}

int sim_init_qp_attr(struct rdma_cm_id *id, struct ibv_qp_attr *attributes, int *mask)
{
    if (sim_verbs_call_fails(EINVAL)) {
        return -1;
    }
    attributes->dest_qp_num = sim_id_of(id)->peer_queue_number;
    *mask =
        IBV_QP_STATE | IBV_QP_TIMEOUT | (attributes->qp_state == IBV_QPS_RTR ? IBV_QP_DEST_QPN : 0);
    return 0;
}

int sim_connect(struct rdma_cm_id *id, struct rdma_conn_param *parameters)
{
    struct sim_id *self = sim_id_of(id);
    if (sim_verbs_call_fails(ENOMEM)) {
        return -1;
    }
    self->asked = true;
    self->queue_number = parameters->qp_num;
    struct message *message = send_to(NULL, RDMA_CM_EVENT_CONNECT_REQUEST, sim_verbs_delay_ns());
    message->from = self;
    message->queue_number = parameters->qp_num;
    put_data(message, parameters->private_data, parameters->private_data_len);
    send_to(self, RDMA_CM_EVENT_UNREACHABLE, (uint64_t)ANSWER_MS * (uint64_t)NS_PER_MS)->status =
        -ETIMEDOUT;
    return 0;
}

static bool is_alone(const struct sim_id *id)
{
    return id->over || id->peer == NULL || !id->peer->used || id->peer->peer != id;
}

int sim_accept(struct rdma_cm_id *id, struct rdma_conn_param *parameters)
{
    struct sim_id *self = sim_id_of(id);
    if (is_alone(self)) {
        return fail(EINVAL);
    }
    if (sim_verbs_call_fails(ENOMEM)) {
        return -1;
    }
    self->answered = true;
    self->queue_number = parameters->qp_num;
    send_to(self->peer, RDMA_CM_EVENT_CONNECT_RESPONSE, sim_verbs_delay_ns())->queue_number =
        parameters->qp_num;
    return 0;
}

int sim_establish(struct rdma_cm_id *id)
{
    struct sim_id *self = sim_id_of(id);
    if (is_alone(self)) {
        return fail(EINVAL);
    }
    self->established = true;
    (void)send_to(self->peer, RDMA_CM_EVENT_ESTABLISHED, sim_verbs_delay_ns());
    return 0;
}

int sim_reject(struct rdma_cm_id *id, const void *data, uint8_t size_bytes)
{
    struct sim_id *self = sim_id_of(id);
    if (is_alone(self)) {
        return fail(EINVAL);
    }
    self->over = true;
    struct message *message = send_to(self->peer, RDMA_CM_EVENT_REJECTED, sim_verbs_delay_ns());
    message->status = REJECT_BY_CONSUMER;
    put_data(message, data, size_bytes);
    return 0;
}

int sim_notify(struct rdma_cm_id *id, enum ibv_event_type event)
{
    struct sim_id *self = sim_id_of(id);
    haul_assert(event == IBV_EVENT_COMM_EST);
    if (!self->established && !self->over) {
        (void)send_to(self, RDMA_CM_EVENT_ESTABLISHED, 0);
    }
    return 0;
}

int sim_disconnect(struct rdma_cm_id *id)
{
    if (is_alone(sim_id_of(id))) {
        return fail(EINVAL);
    }
    tell_end(sim_id_of(id));
    return 0;
}
