/* SPDX-License-Identifier: Apache-2.0 */
/* test_peer_channel.c — a control connection in a loop, and what remains after it is lost. */
#include "peer_channel.h"

#include <string.h>

#include "check.h"
#include "control_peer.h"
#include "failing_memory.h"

static struct poll_group *group;
static struct control_peer theirs;
static struct peer_channel ours;
static struct haul_error error;

static void start(void)
{
    const struct link_config config = {.clock = &clock_monotonic};
    memset(&error, 0, sizeof(error));
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    ours = (struct peer_channel){.group = group};
    int fd = control_peer_open(&theirs);
    check_or_stop(peer_channel_adopt(&ours, (struct tls_socket){.fd = fd}, &config, &error) ==
                  HAUL_OK);
}

static void finish(void)
{
    peer_channel_close(&ours);
    control_peer_close(&theirs);
    poll_group_destroy(group);
}

static enum haul_status say(void)
{
    struct message message;
    message_init(&message, MESSAGE_WORKING);
    message.as.working.done = 7;
    return peer_channel_send(&ours, &message, &error);
}

static void test_peer_channel_send__connected__the_peer_has_it(void)
{
    struct message heard;
    bool came = false;
    start();
    check_status(say(), HAUL_OK);
    for (int i = 0; i < 1000 && !came; i++) {
        struct control_event event;
        (void)peer_channel_next(&ours, &event);
        came = control_peer_hear(&theirs, &heard);
    }
    check_or_stop(came);
    check_equal(heard.type, MESSAGE_WORKING);
    check_equal(heard.as.working.done, 7);
    message_release(&heard);
    finish();
}

static void test_peer_channel_send__nth_allocation_fails__told_by_its_name(void)
{
    enum { ALLOCATIONS_MAX = 20 };
    enum haul_status status = HAUL_NO_MEMORY;
    unsigned at = 1;
    start();
    for (; status != HAUL_OK && at < ALLOCATIONS_MAX; at++) {
        memset(&error, 0, sizeof(error));
        failing_memory_fail(at);
        status = say();
        bool failed = failing_memory_failed();
        check_equal(failed, status != HAUL_OK);
        check(!failed || status == (at == 1 ? HAUL_NO_MEMORY : HAUL_AGAIN)); /* the queue's */
        check(!failed || strcmp(error.text, "cannot send WORKING") == 0);
    }
    check_status(status, HAUL_OK);
    check(at > 2);
    finish();
}

static void test_peer_channel_next__the_peer_hangs_up__closed(void)
{
    struct control_event event = {.type = CONTROL_MESSAGE};
    start();
    control_peer_close(&theirs);
    while (!peer_channel_next(&ours, &event)) {
    }
    check_equal(event.type, CONTROL_CLOSED);
    finish();
}

static void test_peer_channel_close__twice__lost_and_nothing_comes(void)
{
    struct control_event event;
    start();
    peer_channel_close(&ours);
    peer_channel_close(&ours);
    check(!peer_channel_next(&ours, &event));
    check_status(say(), HAUL_CLOSED);
    check_text(error.text, "cannot send WORKING");
    finish();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_peer_channel_send__connected__the_peer_has_it),
    CHECK_TEST(test_peer_channel_send__nth_allocation_fails__told_by_its_name),
    CHECK_TEST(test_peer_channel_next__the_peer_hangs_up__closed),
    CHECK_TEST(test_peer_channel_close__twice__lost_and_nothing_comes),
};
CHECK_MAIN("peer_channel", tests)
