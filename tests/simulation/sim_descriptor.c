/* SPDX-License-Identifier: Apache-2.0 */
/* sim_descriptor.c — eventfd(2), epoll(7), poll(2), read, write and close for the product. */
#include "sim_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/types.h>

#include "assertion.h"
#include "clock.h"
#include "sim_network.h"

static struct sim_descriptor descriptors[SIM_DESCRIPTOR_COUNT];
static int highest; /* one after the last that was ever used */

void sim_descriptors_init(void)
{
    memset(descriptors, 0, sizeof(descriptors));
    highest = 0;
}

struct sim_descriptor *sim_descriptor_at(int fd)
{
    int index = fd - SIM_FD_FIRST;
    haul_assert(index >= 0 && index < SIM_DESCRIPTOR_COUNT && descriptors[index].used);
    return &descriptors[index];
}

int sim_descriptor_open(enum sim_descriptor_type type)
{
    for (int i = 0; i < SIM_DESCRIPTOR_COUNT; i++) {
        struct sim_descriptor *descriptor = &descriptors[i];
        if (!descriptor->used) {
            struct sim_interest *interests = descriptor->interests;
            *descriptor = (struct sim_descriptor){
                .used = true, .type = type, .process = sim_process_current(), .network = -1};
            descriptor->interests =
                type == SIM_EPOLL && interests == NULL
                    ? sim_host_alloc(SIM_INTEREST_COUNT * sizeof(struct sim_interest))
                    : interests;
            highest = i >= highest ? i + 1 : highest;
            return SIM_FD_FIRST + i;
        }
    }
    haul_unreachable();
}

void sim_descriptor_notify(int fd)
{
    sim_descriptor_at(fd)->process->generation++;
}

static void forget(struct sim_descriptor *set, int fd)
{
    for (int i = 0; i < set->interest_count; i++) {
        if (set->interests[i].fd == fd) {
            set->interests[i] = set->interests[--set->interest_count];
            return;
        }
    }
}

static void close_at(int index)
{
    struct sim_descriptor *descriptor = &descriptors[index];
    if (descriptor->type == SIM_LISTENER || descriptor->type == SIM_SOCKET) {
        sim_network_close(descriptor);
    }
    for (int i = 0; i < highest; i++) {
        if (descriptors[i].used && descriptors[i].type == SIM_EPOLL) {
            forget(&descriptors[i], SIM_FD_FIRST + index);
        }
    }
    descriptor->used = false;
}

void sim_descriptors_close_all(struct sim_process *process)
{
    for (int i = 0; i < highest; i++) {
        if (descriptors[i].used && descriptors[i].process == process) {
            close_at(i);
        }
    }
}

uint32_t sim_descriptor_count(const struct sim_process *process)
{
    uint32_t count = 0;
    for (int i = 0; i < highest; i++) {
        count += descriptors[i].used && descriptors[i].process == process;
    }
    return count;
}

/* --- readiness -------------------------------------------------------------------------------- */

static uint32_t events_of(const struct sim_descriptor *descriptor)
{
    if (descriptor->type == SIM_EVENT) {
        return EPOLLOUT | (descriptor->counter > 0 ? (uint32_t)EPOLLIN : 0);
    }
    if (descriptor->type != SIM_EPOLL) {
        return sim_network_events(descriptor);
    }
    for (int i = 0; i < descriptor->interest_count; i++) {
        const struct sim_interest *interest = &descriptor->interests[i];
        uint32_t wanted = interest->event.events | EPOLLERR | EPOLLHUP;
        if ((events_of(sim_descriptor_at(interest->fd)) & wanted) != 0) {
            return EPOLLIN;
        }
    }
    return 0;
}

bool sim_descriptor_has(int fd, uint32_t wanted)
{
    return (events_of(sim_descriptor_at(fd)) & wanted) != 0;
}

static int collect(const struct sim_descriptor *set, struct epoll_event *events, int capacity)
{
    int count = 0;
    for (int i = 0; i < set->interest_count && count < capacity; i++) {
        const struct sim_interest *interest = &set->interests[i];
        uint32_t wanted = interest->event.events | EPOLLERR | EPOLLHUP;
        uint32_t seen = events_of(sim_descriptor_at(interest->fd)) & wanted;
        if (seen != 0) {
            events[count] = interest->event;
            events[count++].events = seen;
        }
    }
    return count;
}

static uint64_t deadline_of(int timeout_ms)
{
    return timeout_ms < 0 ? CLOCK_NEVER
                          : sim_kernel.now_ns + (uint64_t)timeout_ms * (uint64_t)NS_PER_MS;
}

/* --- what the product calls ------------------------------------------------------------------- */

int __wrap_eventfd(unsigned count, int flags);
int __wrap_eventfd_read(int fd, eventfd_t *value);
int __wrap_eventfd_write(int fd, eventfd_t value);
ssize_t __wrap_read(int fd, void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
int __wrap_close(int fd);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int set, int operation, int fd, struct epoll_event *event);
int __wrap_epoll_wait(int set, struct epoll_event *events, int capacity, int timeout_ms);
int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout_ms);

int __wrap_eventfd(unsigned count, int flags)
{
    int fd = sim_descriptor_open(SIM_EVENT);
    sim_descriptor_at(fd)->counter = count;
    sim_descriptor_at(fd)->semaphore = (flags & EFD_SEMAPHORE) != 0;
    return fd;
}

int __wrap_eventfd_read(int fd, eventfd_t *value)
{
    struct sim_descriptor *event = sim_descriptor_at(fd);
    haul_assert(event->type == SIM_EVENT);
    if (event->counter == 0) {
        errno = EAGAIN;
        return -1;
    }
    *value = event->semaphore ? 1 : event->counter;
    event->counter -= *value;
    return 0;
}

int __wrap_eventfd_write(int fd, eventfd_t value)
{
    struct sim_descriptor *event = sim_descriptor_at(fd);
    haul_assert(event->type == SIM_EVENT);
    event->counter += value;
    sim_descriptor_notify(fd);
    return 0;
}

ssize_t __wrap_read(int fd, void *data, size_t size)
{
    haul_assert(size == sizeof(eventfd_t));
    eventfd_t value = 0;
    if (__wrap_eventfd_read(fd, &value) != 0) {
        return -1;
    }
    memcpy(data, &value, sizeof(value));
    return (ssize_t)sizeof(value);
}

ssize_t __wrap_write(int fd, const void *data, size_t size)
{
    haul_assert(size == sizeof(eventfd_t));
    eventfd_t value;
    memcpy(&value, data, sizeof(value));
    return __wrap_eventfd_write(fd, value) == 0 ? (ssize_t)sizeof(value) : -1;
}

int __wrap_close(int fd)
{
    haul_assert(sim_descriptor_at(fd)->process == sim_process_current());
    close_at(fd - SIM_FD_FIRST);
    return 0;
}

/* No call here blocks. */
int __wrap_fcntl(int fd, int command, ...)
{
    haul_assert(sim_descriptor_at(fd)->used && (command == F_GETFL || command == F_SETFL));
    return 0;
}

int __wrap_epoll_create1(int flags)
{
    (void)flags;
    return sim_descriptor_open(SIM_EPOLL);
}

int __wrap_epoll_ctl(int set_fd, int operation, int fd, struct epoll_event *event)
{
    struct sim_descriptor *set = sim_descriptor_at(set_fd);
    struct sim_interest *found = NULL;
    for (int i = 0; i < set->interest_count; i++) {
        found = set->interests[i].fd == fd ? &set->interests[i] : found;
    }
    if (operation == EPOLL_CTL_DEL) {
        haul_assert(found != NULL);
        forget(set, fd);
        return 0;
    }
    haul_assert((found == NULL) == (operation == EPOLL_CTL_ADD));
    if (found == NULL) {
        haul_assert(set->interest_count < SIM_INTEREST_COUNT);
        found = &set->interests[set->interest_count++];
    }
    *found = (struct sim_interest){.fd = fd, .event = *event};
    sim_descriptor_notify(set_fd);
    return 0;
}

int __wrap_epoll_wait(int set_fd, struct epoll_event *events, int capacity, int timeout_ms)
{
    uint64_t deadline_ns = deadline_of(timeout_ms);
    for (;;) {
        struct sim_descriptor *set = sim_descriptor_at(set_fd);
        int count = collect(set, events, capacity);
        if (count > 0 || sim_kernel.now_ns >= deadline_ns) {
            return count;
        }
        sim_wait_news(set->process->generation, set_fd, EPOLLIN, deadline_ns);
    }
}

int __wrap_poll(struct pollfd *polled, nfds_t count, int timeout_ms)
{
    uint64_t deadline_ns = deadline_of(timeout_ms);
    haul_assert(count == 1);
    for (;;) {
        struct sim_descriptor *descriptor = sim_descriptor_at(polled->fd);
        uint32_t wanted = (uint32_t)polled->events | EPOLLERR | EPOLLHUP;
        uint32_t seen = events_of(descriptor) & wanted;
        polled->revents = (short)seen;
        if (seen != 0 || sim_kernel.now_ns >= deadline_ns) {
            return seen != 0;
        }
        sim_wait_news(descriptor->process->generation, polled->fd, wanted, deadline_ns);
    }
}
