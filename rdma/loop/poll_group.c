/* SPDX-License-Identifier: Apache-2.0 */
/* poll_group.c — one epoll set, one eventfd to wake it, and the order: spin, arm, sleep.
 *
 * Arming comes before sleeping: a link that already has something reports it, and an armed link
 * makes its descriptor readable for whatever comes later. Descriptors are level-triggered, so
 * nothing that happens between the arming and epoll_wait is lost. */
#include "poll_group.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "link_ops.h"
#include "tcp_socket.h"

enum {
    EVENTS_PER_WAIT = 16,
    /* A group that never sleeps marks all its members ready after this many waits. */
    WAITS_PER_LOOK = 64,
};

enum member_type {
    MEMBER_LINK,
    MEMBER_CONTROL,
    MEMBER_FD,
};

struct member {
    enum member_type type;
    struct link *link;
    struct control_channel *control;
    int fd;
    uint32_t interest; /* as registered; 0: not in the epoll set, where errors would wake us */
    bool ready;        /* epoll reported it since the owner looked, or was not called for long */
};

struct poll_group {
    const struct haul_clock *clock;
    uint64_t spin_ns;
    uint64_t spin_ends_ns; /* 0: the next wait without progress begins a new spin */
    unsigned spinning_count;
    unsigned waits_since_look;
    int epoll_fd;
    int wake_fd;
    size_t member_count;
    struct member members[POLL_GROUP_MEMBERS_MAX];
};

static bool set_interest(const struct poll_group *group, struct member *member, uint32_t interest)
{
    if (member->interest == interest) {
        return true;
    }
    int operation = member->interest == 0 ? EPOLL_CTL_ADD
                    : interest == 0       ? EPOLL_CTL_DEL
                                          : EPOLL_CTL_MOD;
    struct epoll_event event = {.events = interest, .data.fd = member->fd};
    if (epoll_ctl(group->epoll_fd, operation, member->fd, &event) != 0) {
        return false;
    }
    member->interest = interest;
    return true;
}

static enum haul_status add(struct poll_group *group, const struct member *member,
                            uint32_t interest)
{
    if (group->member_count == POLL_GROUP_MEMBERS_MAX) {
        return HAUL_LIMIT;
    }
    struct member *place = &group->members[group->member_count];
    *place = *member;
    place->interest = 0;
    place->ready = true;
    if (!set_interest(group, place, interest)) {
        return HAUL_IO;
    }
    group->member_count++;
    return HAUL_OK;
}

static void remove_at(struct poll_group *group, size_t index)
{
    (void)set_interest(group, &group->members[index], 0);
    group->member_count--;
    group->members[index] = group->members[group->member_count];
}

enum haul_status poll_group_create(uint32_t spin_us, const struct haul_clock *clock,
                                   struct poll_group **group)
{
    struct poll_group *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        return HAUL_NO_MEMORY;
    }
    made->clock = clock != NULL ? clock : &clock_monotonic;
    made->spin_ns = (uint64_t)spin_us * NS_PER_US;
    made->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    made->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = made->wake_fd};
    if (made->epoll_fd < 0 || made->wake_fd < 0 ||
        epoll_ctl(made->epoll_fd, EPOLL_CTL_ADD, made->wake_fd, &event) != 0) {
        enum haul_status status = tcp_socket_status(errno);
        poll_group_destroy(made);
        return status;
    }
    *group = made;
    return HAUL_OK;
}

void poll_group_destroy(struct poll_group *group)
{
    if (group == NULL) {
        return;
    }
    if (group->epoll_fd >= 0) {
        (void)close(group->epoll_fd);
    }
    if (group->wake_fd >= 0) {
        (void)close(group->wake_fd);
    }
    free(group);
}

enum haul_status poll_group_add_link(struct poll_group *group, struct link *link)
{
    const struct member member = {.type = MEMBER_LINK, .link = link, .fd = link_fd(link)};
    enum haul_status status = add(group, &member, EPOLLIN);
    if (status == HAUL_OK && link_spins(link)) {
        group->spinning_count++;
    }
    return status;
}

enum haul_status poll_group_add_control(struct poll_group *group, struct control_channel *channel)
{
    const struct member member = {
        .type = MEMBER_CONTROL, .control = channel, .fd = control_channel_fd(channel)};
    return add(group, &member, control_channel_interest(channel));
}

enum haul_status poll_group_add_fd(struct poll_group *group, int fd)
{
    const struct member member = {.type = MEMBER_FD, .fd = fd};
    return add(group, &member, EPOLLIN);
}

void poll_group_remove_link(struct poll_group *group, struct link *link)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].type == MEMBER_LINK && group->members[i].link == link) {
            group->spinning_count -= link_spins(link) ? 1 : 0;
            remove_at(group, i);
            return;
        }
    }
}

void poll_group_remove_control(struct poll_group *group, struct control_channel *channel)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].type == MEMBER_CONTROL && group->members[i].control == channel) {
            remove_at(group, i);
            return;
        }
    }
}

void poll_group_remove_fd(struct poll_group *group, int fd)
{
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].type == MEMBER_FD && group->members[i].fd == fd) {
            remove_at(group, i);
            return;
        }
    }
}

bool poll_group_take_ready(struct poll_group *group, int fd)
{
    for (size_t i = 0; i < group->member_count; i++) {
        struct member *member = &group->members[i];
        if (member->fd == fd) {
            bool ready = member->ready;
            member->ready = false;
            return ready;
        }
    }
    return true;
}

static void mark_all_ready(struct poll_group *group)
{
    group->waits_since_look = 0;
    for (size_t i = 0; i < group->member_count; i++) {
        group->members[i].ready = true;
    }
}

static void mark_ready(struct poll_group *group, int fd)
{
    for (size_t i = 0; i < group->member_count; i++) {
        group->members[i].ready = group->members[i].ready || group->members[i].fd == fd;
    }
}

/* Only completions on a queue pair arrive fast enough for a spin to pay. */
static bool spins(struct poll_group *group)
{
    if (group->spinning_count == 0 || group->spin_ns == 0) {
        return false;
    }
    uint64_t now = clock_now_ns(group->clock);
    if (group->spin_ends_ns == 0) {
        group->spin_ends_ns = now + group->spin_ns;
    }
    return now < group->spin_ends_ns;
}

/* Ready to sleep? False: a member already has something, or cannot be watched. */
static bool arm(struct poll_group *group)
{
    for (size_t i = 0; i < group->member_count; i++) {
        struct member *member = &group->members[i];
        if (member->type == MEMBER_LINK && !link_arm(member->link)) {
            return false;
        }
        if (member->type == MEMBER_CONTROL &&
            !set_interest(group, member, control_channel_interest(member->control))) {
            return false;
        }
    }
    return true;
}

static uint64_t earliest_deadline_ns(const struct poll_group *group, uint64_t deadline_ns)
{
    for (size_t i = 0; i < group->member_count; i++) {
        const struct member *member = &group->members[i];
        uint64_t own_ns = member->type == MEMBER_LINK ? link_deadline_ns(member->link)
                          : member->type == MEMBER_CONTROL
                              ? control_channel_deadline_ns(member->control)
                              : CLOCK_NEVER;
        deadline_ns = own_ns < deadline_ns ? own_ns : deadline_ns;
    }
    return deadline_ns;
}

static void sleep_for(struct poll_group *group, int timeout_ms)
{
    struct epoll_event events[EVENTS_PER_WAIT];
    /* A signal ends the sleep early; the caller's loop polls and returns here. */
    int count = epoll_wait(group->epoll_fd, events, EVENTS_PER_WAIT, timeout_ms);
    for (int i = 0; i < count; i++) {
        mark_ready(group, events[i].data.fd);
        if (events[i].data.fd == group->wake_fd) {
            uint64_t wakes;
            (void)!read(group->wake_fd, &wakes, sizeof(wakes));
        }
    }
    if (count <= 0) {
        mark_all_ready(group); /* a deadline or a signal: its owner is unknown here */
    }
}

bool poll_group_wait(struct poll_group *group, bool progress, uint64_t deadline_ns)
{
    if (++group->waits_since_look >= WAITS_PER_LOOK) {
        mark_all_ready(group);
    }
    if (progress) {
        group->spin_ends_ns = 0;
        return false;
    }
    if (spins(group) || !arm(group)) {
        return false;
    }
    deadline_ns = earliest_deadline_ns(group, deadline_ns);
    int timeout_ms =
        deadline_ns == CLOCK_NEVER ? -1 : clock_ms_until(group->clock, deadline_ns, INT_MAX);
    if (timeout_ms == 0) {
        mark_all_ready(group);
        return false;
    }
    for (size_t i = 0; i < group->member_count; i++) {
        if (group->members[i].type == MEMBER_LINK) {
            group->members[i].link->stats.sleeps++;
        }
    }
    sleep_for(group, timeout_ms);
    group->spin_ends_ns = 0;
    return true;
}

void poll_group_wake(struct poll_group *group)
{
    const uint64_t one = 1;
    /* Full means that the group is awake already. */
    (void)!write(group->wake_fd, &one, sizeof(one));
}
