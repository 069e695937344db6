/* SPDX-License-Identifier: Apache-2.0 */
/* test_stall_watch.c — what counts as progress, and when the peer is informed. */
#include "stall_watch.h"

#include "check.h"
#include "clock.h"

enum { PEER_TIMEOUT_MS = 1000 };

static const uint64_t start_ns = 5 * NS_PER_S;
static const uint64_t timeout_ns = PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;
static const uint64_t limit_ns = STALL_PEER_TIMEOUTS * PEER_TIMEOUT_MS * (uint64_t)NS_PER_MS;

static struct stall_watch watch;

static void start(void)
{
    stall_watch_init(&watch, PEER_TIMEOUT_MS);
    stall_watch_begin(&watch, start_ns);
}

static void test_stall_watch_deadline__nothing_noted__from_the_beginning_of_the_wait(void)
{
    start();
    check_equal(stall_watch_deadline_ns(&watch, false), start_ns + limit_ns);
    check_equal(stall_watch_limit_s(&watch, false), 24);
    check_equal(stall_watch_deadline_ns(&watch, true), start_ns + limit_ns / 6);
    check_equal(stall_watch_limit_s(&watch, true), 4);
}

static void test_stall_watch_note__a_count_changes__moves_the_deadline(void)
{
    start();
    stall_watch_note_ours(&watch, 1, start_ns + 1);
    check_equal(stall_watch_deadline_ns(&watch, false), start_ns + 1 + limit_ns);
    stall_watch_note_theirs(&watch, 9, start_ns + 2);
    check_equal(stall_watch_deadline_ns(&watch, false), start_ns + 2 + limit_ns);
    check(stall_watch_note_working(&watch, 1, start_ns + 3));
    check_equal(stall_watch_deadline_ns(&watch, false), start_ns + 3 + limit_ns);
}

static void test_stall_watch_note__the_same_counts_again__deadline_stays(void)
{
    start();
    stall_watch_note_ours(&watch, 1, start_ns);
    stall_watch_note_theirs(&watch, 9, start_ns);
    check(stall_watch_note_working(&watch, 5, start_ns));
    stall_watch_note_ours(&watch, 1, start_ns + 10);
    stall_watch_note_theirs(&watch, 9, start_ns + 10);
    check(!stall_watch_note_working(&watch, 5, start_ns + 10));
    check(!stall_watch_note_working(&watch, 4, start_ns + 10)); /* no growth */
    check_equal(stall_watch_deadline_ns(&watch, false), start_ns + limit_ns);
}

static void test_stall_watch_must_tell__something_done__once_in_a_peer_timeout(void)
{
    uint64_t done = 0;
    start();
    check(!stall_watch_must_tell(&watch, false, start_ns + timeout_ns, &done)); /* no news */
    stall_watch_note_ours(&watch, 1, start_ns);
    check(!stall_watch_must_tell(&watch, false, start_ns + timeout_ns - 1, &done));
    check(stall_watch_must_tell(&watch, false, start_ns + timeout_ns, &done));
    check_equal(done, 1);
    stall_watch_note_ours(&watch, 2, start_ns);
    check(!stall_watch_must_tell(&watch, false, start_ns + 2 * timeout_ns - 1, &done));
    check(stall_watch_must_tell(&watch, false, start_ns + 2 * timeout_ns, &done));
    check_equal(done, 2);
    check(!stall_watch_must_tell(&watch, false, start_ns + 3 * timeout_ns, &done));
}

static void test_stall_watch_must_tell__bounded_wait__tells_though_nothing_was_done(void)
{
    uint64_t done = 0;
    start();
    check(!stall_watch_must_tell(&watch, true, start_ns + 1, &done));
    check(stall_watch_must_tell(&watch, true, start_ns + timeout_ns, &done));
    check_equal(done, 1);
    check_equal(stall_watch_deadline_ns(&watch, false), start_ns + limit_ns);
}

static void test_stall_watch_must_tell__peer_with_a_shorter_timeout__told_as_often(void)
{
    uint64_t done = 0;
    start();
    stall_watch_note_peer_timeout(&watch, 0); /* does not report any */
    stall_watch_note_peer_timeout(&watch, PEER_TIMEOUT_MS / 4);
    stall_watch_note_peer_timeout(&watch, 2 * PEER_TIMEOUT_MS);
    check(!stall_watch_must_tell(&watch, true, start_ns + timeout_ns / 4 - 1, &done));
    check(stall_watch_must_tell(&watch, true, start_ns + timeout_ns / 4, &done));
    check_equal(stall_watch_deadline_ns(&watch, false), start_ns + limit_ns); /* ours stays */
}

static const struct check_test tests[] = {
    CHECK_TEST(test_stall_watch_deadline__nothing_noted__from_the_beginning_of_the_wait),
    CHECK_TEST(test_stall_watch_note__a_count_changes__moves_the_deadline),
    CHECK_TEST(test_stall_watch_note__the_same_counts_again__deadline_stays),
    CHECK_TEST(test_stall_watch_must_tell__something_done__once_in_a_peer_timeout),
    CHECK_TEST(test_stall_watch_must_tell__bounded_wait__tells_though_nothing_was_done),
    CHECK_TEST(test_stall_watch_must_tell__peer_with_a_shorter_timeout__told_as_often),
};

CHECK_MAIN("stall_watch", tests)
