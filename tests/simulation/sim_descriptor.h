/* SPDX-License-Identifier: Apache-2.0 */
/* sim_descriptor.h — descriptors of simulated processes: event counters and epoll sets here,
 * sockets in sim_network.h. */
#ifndef HAUL_SIM_DESCRIPTOR_H
#define HAUL_SIM_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "sim_kernel.h"

enum { SIM_DESCRIPTOR_COUNT = 512, SIM_INTEREST_COUNT = 64, SIM_FD_FIRST = 1 << 20 };

enum sim_descriptor_type { SIM_EVENT, SIM_EPOLL, SIM_LISTENER, SIM_SOCKET };

struct sim_interest {
    int fd;
    struct epoll_event event;
};

struct sim_descriptor {
    bool used;
    enum sim_descriptor_type type;
    struct sim_process *process;
    uint64_t counter; /* of an event */
    bool semaphore;
    struct sim_interest *interests; /* of an epoll set */
    int interest_count;
    int network; /* number of the listener, or of the connection's end */
};

void sim_descriptors_init(void);
void sim_descriptors_close_all(struct sim_process *process);

/* Open a descriptor of the running process; returns its number. */
int sim_descriptor_open(enum sim_descriptor_type type);
/* The open descriptor of that number. */
struct sim_descriptor *sim_descriptor_at(int fd);
/* An event happened at the descriptor. */
void sim_descriptor_notify(int fd);
/* Whether one of the wanted events is pending there. */
bool sim_descriptor_has(int fd, uint32_t wanted);
/* The number of counters and connections that a process has open. */
uint32_t sim_descriptor_count(const struct sim_process *process);

#endif
