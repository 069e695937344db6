/* SPDX-License-Identifier: Apache-2.0 */
/* test_poll_group.c — when a group sleeps, and everything that must end the sleep.
 *
 * Sleeps have a deadline far off, so that a sleep that nothing ends shows as a timeout of the
 * suite. */
#include <pthread.h>
#include <sys/eventfd.h>

#include "check.h"
#include "control_channel.h"
#include "link_ops.h"
#include "poll_group.h"
#include "raw_peer.h"

enum { SPIN_US = 20 };

/* A link that only arms, as the test wants. */
struct fake_link {
    struct link base;
    int fd;
    bool quiet; /* arm: nothing is there, sleeping is fine */
    uint64_t deadline_ns;
    unsigned arm_count;
};

static struct poll_group *group;
static struct fake_clock fake;

static bool fake_arm(struct link *link)
{
    struct fake_link *self = (struct fake_link *)link;
    self->arm_count++;
    return self->quiet;
}

static int fake_fd(const struct link *link)
{
    return ((const struct fake_link *)link)->fd;
}

static uint64_t fake_deadline_ns(const struct link *link)
{
    return ((const struct fake_link *)link)->deadline_ns;
}

static const struct link_ops fake_tcp_ops = {.transport = HAUL_TRANSPORT_TCP,
                                             .arm = fake_arm,
                                             .fd = fake_fd,
                                             .deadline_ns = fake_deadline_ns};
static const struct link_ops fake_verbs_ops = {.transport = HAUL_TRANSPORT_VERBS,
                                               .spins = true,
                                               .arm = fake_arm,
                                               .fd = fake_fd,
                                               .deadline_ns = fake_deadline_ns};

static struct fake_link make_link(const struct link_ops *ops)
{
    return (struct fake_link){.base = {.ops = ops},
                              .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC),
                              .quiet = true,
                              .deadline_ns = CLOCK_NEVER};
}

static void make_readable(int fd)
{
    const uint64_t one = 1;
    check(write(fd, &one, sizeof(one)) == sizeof(one));
}

static void open_group(void)
{
    fake_clock_init(&fake);
    check_or_stop(poll_group_create(SPIN_US, &fake.clock, &group) == HAUL_OK);
}

static uint64_t far_off(void)
{
    return fake.now_ns + 3600 * NS_PER_S;
}

static void test_poll_group_wait__progress__returns_at_once(void)
{
    open_group();
    check(!poll_group_wait(group, true, far_off()));
    poll_group_destroy(group);
}

static void test_poll_group_wait__deadline_passed__does_not_sleep(void)
{
    open_group();
    check(!poll_group_wait(group, false, fake.now_ns));
    poll_group_destroy(group);
}

static void test_poll_group_wait__descriptor_readable__sleep_ends(void)
{
    open_group();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check_status(poll_group_add_fd(group, fd), HAUL_OK);
    make_readable(fd);
    check(poll_group_wait(group, false, far_off()));
    poll_group_destroy(group);
    (void)close(fd);
}

static void test_poll_group_wait__own_deadline__sleeps_until_then(void)
{
    check_or_stop(poll_group_create(SPIN_US, NULL, &group) == HAUL_OK);
    uint64_t deadline_ns = clock_deadline_ns(&clock_monotonic, 2);
    check(poll_group_wait(group, false, deadline_ns));
    check(clock_now_ns(&clock_monotonic) >= deadline_ns);
    poll_group_destroy(group);
}

static void test_poll_group_wait__descriptor_removed__not_watched(void)
{
    check_or_stop(poll_group_create(SPIN_US, NULL, &group) == HAUL_OK);
    int kept = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int removed = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check_status(poll_group_add_fd(group, removed), HAUL_OK);
    check_status(poll_group_add_fd(group, kept), HAUL_OK);
    poll_group_remove_fd(group, removed);
    make_readable(removed);
    uint64_t deadline_ns = clock_deadline_ns(&clock_monotonic, 2);
    check(poll_group_wait(group, false, deadline_ns));
    check(clock_now_ns(&clock_monotonic) >= deadline_ns);
    make_readable(kept);
    check(poll_group_wait(group, false, clock_deadline_ns(&clock_monotonic, 3600 * 1000)));
    poll_group_destroy(group);
    (void)close(kept);
    (void)close(removed);
}

static void test_poll_group_take_ready__new_member__once(void)
{
    open_group();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check_status(poll_group_add_fd(group, fd), HAUL_OK);
    check(poll_group_take_ready(group, fd));
    check(!poll_group_take_ready(group, fd));
    poll_group_remove_fd(group, fd);
    close(fd);
    poll_group_destroy(group);
}

static void test_poll_group_take_ready__after_a_sleep__only_what_ended_it(void)
{
    open_group();
    int silent = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    int readable = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check_status(poll_group_add_fd(group, silent), HAUL_OK);
    check_status(poll_group_add_fd(group, readable), HAUL_OK);
    (void)poll_group_take_ready(group, silent);
    (void)poll_group_take_ready(group, readable);
    make_readable(readable);
    check(poll_group_wait(group, false, far_off()));
    check(!poll_group_take_ready(group, silent));
    check(poll_group_take_ready(group, readable));
    poll_group_destroy(group);
    close(silent);
    close(readable);
}

static void test_poll_group_take_ready__deadline_passed__every_member(void)
{
    open_group();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check_status(poll_group_add_fd(group, fd), HAUL_OK);
    (void)poll_group_take_ready(group, fd);
    check(!poll_group_wait(group, false, fake.now_ns));
    check(poll_group_take_ready(group, fd));
    poll_group_destroy(group);
    close(fd);
}

static void test_poll_group_take_ready__never_asleep__every_member_now_and_then(void)
{
    open_group();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    unsigned ready = 0;
    check_status(poll_group_add_fd(group, fd), HAUL_OK);
    (void)poll_group_take_ready(group, fd);
    for (int i = 0; i < 1000; i++) {
        (void)poll_group_wait(group, true, far_off());
        ready += poll_group_take_ready(group, fd);
    }
    check(ready >= 10 && ready <= 100);
    poll_group_destroy(group);
    close(fd);
}

static void test_poll_group_wake__before_the_wait__sleep_ends_once(void)
{
    open_group();
    poll_group_wake(group);
    poll_group_wake(group);
    check(poll_group_wait(group, false, far_off()));
    /* Both wakes are used up. */
    uint64_t begin_ns = clock_now_ns(&clock_monotonic);
    check(poll_group_wait(group, false, fake.now_ns + 2 * NS_PER_MS));
    check(clock_now_ns(&clock_monotonic) >= begin_ns + 2 * NS_PER_MS);
    poll_group_destroy(group);
}

static void *wake_it(void *context)
{
    poll_group_wake(context);
    return NULL;
}

static void test_poll_group_wake__other_thread__sleep_ends(void)
{
    open_group();
    pthread_t thread;
    check_or_stop(pthread_create(&thread, NULL, wake_it, group) == 0);
    check(poll_group_wait(group, false, far_off()));
    check(pthread_join(thread, NULL) == 0);
    poll_group_destroy(group);
}

static void test_poll_group_wait__link_has_something__does_not_sleep(void)
{
    open_group();
    struct fake_link link = make_link(&fake_tcp_ops);
    link.quiet = false;
    check_status(poll_group_add_link(group, &link.base), HAUL_OK);
    check(!poll_group_wait(group, false, far_off()));
    check_equal(link.arm_count, 1);
    check_equal(link.base.stats.sleeps, 0);
    poll_group_destroy(group);
    (void)close(link.fd);
}

static void test_poll_group_wait__link_armed_and_readable__sleep_ends_and_counts(void)
{
    open_group();
    struct fake_link link = make_link(&fake_tcp_ops);
    check_status(poll_group_add_link(group, &link.base), HAUL_OK);
    make_readable(link.fd);
    check(poll_group_wait(group, false, far_off()));
    check_equal(link.arm_count, 1);
    check_equal(link.base.stats.sleeps, 1);
    poll_group_destroy(group);
    (void)close(link.fd);
}

static void test_poll_group_wait__link_deadline_is_now__does_not_sleep(void)
{
    open_group();
    struct fake_link link = make_link(&fake_tcp_ops);
    check_status(poll_group_add_link(group, &link.base), HAUL_OK);
    link.deadline_ns = fake.now_ns;
    check(!poll_group_wait(group, false, far_off()));
    poll_group_destroy(group);
    (void)close(link.fd);
}

static void test_poll_group_wait__verbs_link__spins_before_it_arms(void)
{
    open_group();
    struct fake_link link = make_link(&fake_verbs_ops);
    make_readable(link.fd);
    check_status(poll_group_add_link(group, &link.base), HAUL_OK);
    check(!poll_group_wait(group, false, far_off()));
    fake.now_ns += SPIN_US * (uint64_t)NS_PER_US - 1;
    check(!poll_group_wait(group, false, far_off()));
    check_equal(link.arm_count, 0);
    fake.now_ns += 1;
    check(poll_group_wait(group, false, far_off()));
    check_equal(link.arm_count, 1);
    /* More may follow what ended the sleep: a new spin, as after progress. */
    check(!poll_group_wait(group, false, far_off()));
    check_equal(link.arm_count, 1);
    check(!poll_group_wait(group, true, far_off()));
    check(!poll_group_wait(group, false, far_off()));
    check_equal(link.arm_count, 1);
    poll_group_destroy(group);
    (void)close(link.fd);
}

static void test_poll_group_remove_link__the_verbs_link__no_more_spinning(void)
{
    open_group();
    struct fake_link verbs = make_link(&fake_verbs_ops);
    struct fake_link tcp = make_link(&fake_tcp_ops);
    make_readable(tcp.fd);
    check_status(poll_group_add_link(group, &verbs.base), HAUL_OK);
    check_status(poll_group_add_link(group, &tcp.base), HAUL_OK);
    poll_group_remove_link(group, &verbs.base);
    check(poll_group_wait(group, false, far_off()));
    check_equal(verbs.arm_count, 0);
    check_equal(tcp.arm_count, 1);
    poll_group_destroy(group);
    (void)close(verbs.fd);
    (void)close(tcp.fd);
}

static void test_poll_group_add_fd__one_too_many__limit(void)
{
    open_group();
    int fds[POLL_GROUP_MEMBERS_MAX + 1];
    for (size_t i = 0; i < CHECK_COUNT(fds); i++) {
        fds[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        check_status(poll_group_add_fd(group, fds[i]),
                     i < POLL_GROUP_MEMBERS_MAX ? HAUL_OK : HAUL_LIMIT);
    }
    poll_group_remove_fd(group, fds[0]);
    check_status(poll_group_add_fd(group, fds[POLL_GROUP_MEMBERS_MAX]), HAUL_OK);
    poll_group_destroy(group);
    for (size_t i = 0; i < CHECK_COUNT(fds); i++) {
        (void)close(fds[i]);
    }
}

/* However often a group is made, joined, left and destroyed: nothing leaks. */
static void test_poll_group_destroy__ten_times_over__no_descriptor_is_left(void)
{
    int first = eventfd(0, EFD_CLOEXEC);
    (void)close(first);
    for (int i = 0; i < 10; i++) {
        open_group();
        poll_group_destroy(group);
    }
    int last = eventfd(0, EFD_CLOEXEC);
    check_equal(last, first);
    (void)close(last);
    poll_group_destroy(NULL);
}

/* --- control channels ------------------------------------------------------------------------ */

static struct control_channel *channel;
static int peer;

static void open_with_channel(void)
{
    int fds[2];
    open_group();
    /* The channel's own deadline must not end the sleeps. */
    const struct link_config config = {.clock = &fake.clock,
                                       .options.peer_timeout_ms = HAUL_PEER_TIMEOUT_MS_MAX};
    check_or_stop(raw_pair(fds));
    peer = fds[0];
    check_or_stop(control_channel_adopt((struct tls_socket){.fd = fds[1]}, &config, &channel,
                                        NULL) == HAUL_OK);
    check_status(poll_group_add_control(group, channel), HAUL_OK);
}

static void close_with_channel(void)
{
    poll_group_remove_control(group, channel);
    control_channel_destroy(channel);
    poll_group_destroy(group);
    (void)close(peer);
}

static void test_poll_group_remove__each_kind_over_and_over__its_place_is_free_again(void)
{
    open_with_channel();
    struct fake_link link = make_link(&fake_tcp_ops);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    for (int i = 0; i < 2 * POLL_GROUP_MEMBERS_MAX; i++) {
        poll_group_remove_control(group, channel);
        check_status(poll_group_add_control(group, channel), HAUL_OK);
        check_status(poll_group_add_link(group, &link.base), HAUL_OK);
        check_status(poll_group_add_fd(group, fd), HAUL_OK);
        poll_group_remove_link(group, &link.base);
        poll_group_remove_fd(group, fd);
    }
    close_with_channel();
    (void)close(link.fd);
    (void)close(fd);
}

static void test_poll_group_wait__control_bytes_arrive__sleep_ends(void)
{
    open_with_channel();
    check(raw_write(peer, "x", 1));
    check(poll_group_wait(group, false, far_off()));
    close_with_channel();
}

static void *read_until_end(void *context)
{
    static uint8_t received[64 << 10];
    while (recv(*(int *)context, received, sizeof(received), 0) > 0) {
    }
    return NULL;
}

/* Only room to write can end these sleeps: the peer reads and sends nothing. */
static void test_poll_group_wait__control_queue_not_empty__room_to_write_ends_the_sleep(void)
{
    static uint8_t body[CONTROL_BODY_BYTES_MAX];
    open_with_channel();
    struct control_event event;
    while (control_channel_send(channel, 1, body, sizeof(body)) == HAUL_OK) {
    }
    check(control_channel_pending_bytes(channel) > 0);
    pthread_t reader;
    check_or_stop(pthread_create(&reader, NULL, read_until_end, &peer) == 0);
    while (control_channel_pending_bytes(channel) > 0) {
        check(poll_group_wait(group, false, far_off()));
        check(!control_channel_poll(channel, &event));
    }
    poll_group_remove_control(group, channel);
    control_channel_destroy(channel);
    check(pthread_join(reader, NULL) == 0);
    poll_group_destroy(group);
    (void)close(peer);
}

static void test_poll_group_wait__control_closed__does_not_keep_the_group_awake(void)
{
    open_with_channel();
    struct control_event event;
    check(raw_write(peer, "not a message at all", 20));
    check(poll_group_wait(group, false, far_off()));
    check(control_channel_poll(channel, &event));
    check_equal(event.type, CONTROL_CLOSED);
    /* A reset wakes every epoll set with the descriptor in it. */
    const struct linger abort_it = {.l_onoff = 1, .l_linger = 0};
    check(setsockopt(peer, SOL_SOCKET, SO_LINGER, &abort_it, sizeof(abort_it)) == 0);
    (void)close(peer);
    uint64_t begin_ns = clock_now_ns(&clock_monotonic);
    check(poll_group_wait(group, false, fake.now_ns + 2 * NS_PER_MS));
    check(clock_now_ns(&clock_monotonic) >= begin_ns + 2 * NS_PER_MS);
    peer = -1;
    close_with_channel();
}

/* A sleep does not reveal whose deadline ended it. */
static void test_poll_group_take_ready__slept_until_a_deadline__every_member(void)
{
    open_group();
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    check_status(poll_group_add_fd(group, fd), HAUL_OK);
    (void)poll_group_take_ready(group, fd);
    check(poll_group_wait(group, false, fake.now_ns + (uint64_t)3 * NS_PER_MS));
    check(poll_group_take_ready(group, fd));
    poll_group_destroy(group);
    close(fd);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_poll_group_take_ready__slept_until_a_deadline__every_member),
    CHECK_TEST(test_poll_group_wait__progress__returns_at_once),
    CHECK_TEST(test_poll_group_wait__deadline_passed__does_not_sleep),
    CHECK_TEST(test_poll_group_wait__descriptor_readable__sleep_ends),
    CHECK_TEST(test_poll_group_wait__own_deadline__sleeps_until_then),
    CHECK_TEST(test_poll_group_wait__descriptor_removed__not_watched),
    CHECK_TEST(test_poll_group_take_ready__new_member__once),
    CHECK_TEST(test_poll_group_take_ready__after_a_sleep__only_what_ended_it),
    CHECK_TEST(test_poll_group_take_ready__deadline_passed__every_member),
    CHECK_TEST(test_poll_group_take_ready__never_asleep__every_member_now_and_then),
    CHECK_TEST(test_poll_group_wake__before_the_wait__sleep_ends_once),
    CHECK_TEST(test_poll_group_wake__other_thread__sleep_ends),
    CHECK_TEST(test_poll_group_wait__link_has_something__does_not_sleep),
    CHECK_TEST(test_poll_group_wait__link_armed_and_readable__sleep_ends_and_counts),
    CHECK_TEST(test_poll_group_wait__link_deadline_is_now__does_not_sleep),
    CHECK_TEST(test_poll_group_wait__verbs_link__spins_before_it_arms),
    CHECK_TEST(test_poll_group_remove_link__the_verbs_link__no_more_spinning),
    CHECK_TEST(test_poll_group_add_fd__one_too_many__limit),
    CHECK_TEST(test_poll_group_destroy__ten_times_over__no_descriptor_is_left),
    CHECK_TEST(test_poll_group_remove__each_kind_over_and_over__its_place_is_free_again),
    CHECK_TEST(test_poll_group_wait__control_bytes_arrive__sleep_ends),
    CHECK_TEST(test_poll_group_wait__control_queue_not_empty__room_to_write_ends_the_sleep),
    CHECK_TEST(test_poll_group_wait__control_closed__does_not_keep_the_group_awake),
};
CHECK_MAIN("poll_group", tests)
