/* SPDX-License-Identifier: Apache-2.0 */
/* poll_group.h — the waiting half of a poll loop: spin a little, then arm everything and sleep.
 *
 *   for (;;) {
 *       bool progress = poll everything I own;
 *       poll_group_wait(group, progress, deadline_ns);
 *   }
 *
 * One group for each thread; members belong to the group's thread for life. */
#ifndef HAUL_POLL_GROUP_H
#define HAUL_POLL_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "clock.h"
#include "control_channel.h"
#include "link.h"

struct poll_group;

enum { POLL_GROUP_MEMBERS_MAX = 384 };

enum haul_status poll_group_create(uint32_t spin_us, const struct haul_clock *clock,
                                   struct poll_group **group) HAUL_MUST_CHECK;
void poll_group_destroy(struct poll_group *group);

/* Watch a link / a control channel (its interest is re-read before each sleep) / any descriptor
 * that is readable when there is work. Errors: LIMIT (members), IO. */
enum haul_status poll_group_add_link(struct poll_group *group, struct link *link) HAUL_MUST_CHECK;
enum haul_status poll_group_add_control(struct poll_group *group,
                                        struct control_channel *channel) HAUL_MUST_CHECK;
enum haul_status poll_group_add_fd(struct poll_group *group, int fd) HAUL_MUST_CHECK;

/* Stop watching; before the member is destroyed or its descriptor closed. */
void poll_group_remove_link(struct poll_group *group, struct link *link);
void poll_group_remove_control(struct poll_group *group, struct control_channel *channel);
void poll_group_remove_fd(struct poll_group *group, int fd);

/* Return at once after progress or while spinning (only with links for which link_spins is true;
 * without one the group sleeps at once). Otherwise sleep until a member is ready, a member's own
 * deadline, or `deadline_ns`. Returns true when it slept. */
bool poll_group_wait(struct poll_group *group, bool progress, uint64_t deadline_ns);

/* Should the owner of the member with this descriptor poll it? Polling costs a system call, and
 * epoll has often just reported nothing. True at first, after a sleep that found FD ready or
 * reached a deadline, and now and then. False after the call, so poll until nothing is left. */
bool poll_group_take_ready(struct poll_group *group, int fd);

/* Wake a sleeping group from another thread. Thread: any. */
void poll_group_wake(struct poll_group *group);

#endif
