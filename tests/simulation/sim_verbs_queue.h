/* SPDX-License-Identifier: Apache-2.0 */
/* sim_verbs_queue.h — what the two halves of the simulated card, queues and connection manager,
 * have of each other. */
#ifndef HAUL_SIM_VERBS_QUEUE_H
#define HAUL_SIM_VERBS_QUEUE_H

#include "verbs_api.h"

struct sim_process;

/* May this call fail now? Then it does, with errno set to `code`. */
bool sim_verbs_call_fails(int code);
/* Delay of a message between the hosts. */
uint64_t sim_verbs_delay_ns(void);
/* Something will be due at that time. */
void sim_verbs_wake_at(uint64_t at_ns);
/* An object of the process more, or less. */
void sim_verbs_note(struct sim_process *process, int change);

/* The connection of the queue pair stands, as its owner heard. */
void sim_verbs_queue_established(uint32_t number);

/* For sim_verbs.c. */
void sim_cm_init(void);
void sim_cm_deliver(void);
uint64_t sim_cm_next_ns(void);
void sim_cm_kill(struct sim_process *process);
void sim_cm_power_failure(int host);

/* Calls of the device and the queues. */
struct ibv_context *sim_open_device(struct ibv_device *device);
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
