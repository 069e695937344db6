/* SPDX-License-Identifier: Apache-2.0 */
/* sim_verbs_queue.h — what the two halves of the simulated card, queues and connection manager,
 * share. */
#ifndef HAUL_SIM_VERBS_QUEUE_H
#define HAUL_SIM_VERBS_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "sim_verbs.h"
#include "verbs_api.h"

struct sim_process;

enum {
    SIM_REGION_COUNT = 512,
    SIM_INLINE_BYTES = 64,
    SIM_ASYNC_COUNT = 8,
};

struct sim_device {
    struct ibv_context base; /* first */
    struct sim_process *process;
    enum ibv_event_type events[SIM_ASYNC_COUNT];
    uint32_t event_count;
};

struct sim_domain {
    struct ibv_pd base; /* first */
    uint32_t users;
};

struct sim_region {
    bool used;
    struct ibv_mr base;
    struct sim_process *process;
    bool writable;
};

struct sim_completions {
    struct ibv_cq base; /* first */
    struct ibv_wc *entries;
    uint32_t first, count, capacity;
    bool armed, armed_solicited;
    uint32_t queues, unacknowledged;
};

/* A write that was posted and is not yet completed. */
struct sim_work {
    uint64_t id;
    struct ibv_sge piece;
    bool has_data, inlined, solicited, placed;
    uint8_t data[SIM_INLINE_BYTES];
    uint64_t remote;
    uint32_t rkey, immediate;
    uint64_t arrives_ns, done_ns;
};

struct sim_queue {
    struct ibv_qp base; /* first */
    bool used;
    bool mute;
    bool established;
    struct sim_process *process;
    int host;
    enum ibv_qp_state state;
    struct sim_completions *completions;
    struct sim_work *sends;
    uint32_t send_first, send_count, send_capacity;
    uint64_t *receives;
    uint32_t receive_first, receive_count, receive_capacity;
    uint32_t peer_number;
    uint64_t last_ns; /* arrivals stay in order */
    uint64_t retry_ns;
    uint64_t silent_until_ns;
    enum sim_verbs_fault fault;
    uint32_t fault_in; /* this many completions or writes from now; 0: none */
};

extern struct sim_region sim_verbs_regions[SIM_REGION_COUNT];

/* A number that no region or queue pair has had. */
uint32_t sim_verbs_number(void);
struct sim_queue *sim_verbs_make_queue(void);
/* Draw what will go wrong with the queue pair. */
void sim_verbs_draw_fault(struct sim_queue *made);
void sim_verbs_complete(struct sim_queue *queue, const struct ibv_wc *entry, bool solicited);
/* Complete the oldest write / receive, with this status / as the caller decides. */
void sim_verbs_complete_send(struct sim_queue *queue, enum ibv_wc_status status);
struct ibv_wc sim_verbs_take_receive(struct sim_queue *queue);
/* Move to the error state, with all posted requests. */
void sim_verbs_flush(struct sim_queue *queue);

/* Whether this call fails now, with errno set to `code`. */
bool sim_verbs_call_fails(int code);
/* The delay of a message between the hosts. */
uint64_t sim_verbs_delay_ns(void);
/* Something will be due at that time. */
void sim_verbs_wake_at(uint64_t at_ns);
/* Count one more, or one less, object of the process. */
void sim_verbs_note(struct sim_process *process, int change);

/* The owner of the queue pair has learned that its connection is established. */
void sim_verbs_queue_established(uint32_t number);

/* For sim_verbs.c. */
void sim_cm_init(void);
void sim_cm_deliver(void);
uint64_t sim_cm_next_ns(void);
void sim_cm_kill(struct sim_process *process);
void sim_cm_power_failure(int host);

/* What the ids store about their device. */
extern struct ibv_context sim_verbs_shared;

/* Calls of the connection manager. */
struct rdma_event_channel *sim_create_event_channel(void);
void sim_destroy_event_channel(struct rdma_event_channel *channel);
int sim_get_cm_event(struct rdma_event_channel *channel, struct rdma_cm_event **event);
int sim_ack_cm_event(struct rdma_cm_event *event);
int sim_create_id(struct rdma_event_channel *channel, struct rdma_cm_id **id, void *context,
                  enum rdma_port_space space);
int sim_destroy_id(struct rdma_cm_id *id);
int sim_migrate_id(struct rdma_cm_id *id, struct rdma_event_channel *channel);
int sim_bind_addr(struct rdma_cm_id *id, struct sockaddr *address);
int sim_listen(struct rdma_cm_id *id, int backlog);
int sim_resolve_addr(struct rdma_cm_id *id, struct sockaddr *source, struct sockaddr *target,
                     int timeout_ms);
int sim_resolve_route(struct rdma_cm_id *id, int timeout_ms);
int sim_init_qp_attr(struct rdma_cm_id *id, struct ibv_qp_attr *attributes, int *mask);
int sim_connect(struct rdma_cm_id *id, struct rdma_conn_param *parameters);
int sim_establish(struct rdma_cm_id *id);
int sim_accept(struct rdma_cm_id *id, struct rdma_conn_param *parameters);
int sim_reject(struct rdma_cm_id *id, const void *data, uint8_t size_bytes);
int sim_notify(struct rdma_cm_id *id, enum ibv_event_type event);
int sim_disconnect(struct rdma_cm_id *id);

#endif
