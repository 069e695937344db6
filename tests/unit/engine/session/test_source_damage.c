/* SPDX-License-Identifier: Apache-2.0 */
/* test_source_damage.c — the source's machine when bits flip on the way: it reconnects and sends
 * again, and gives up, keeping everything, when nothing but damage arrives. */
#include "check.h"
#include "source_session.h"
#include "source_session_fixture.h"

static uint64_t now_ns;
static uint32_t their_damages; /* what the target has counted */

/* Up to COPYING on this connection. */
static void connect(bool again)
{
    propose(again, now_ns);
    feed_accepted_after(their_damages, now_ns);
    check(does(SOURCE_ACTION_OPEN_LINKS));
    feed_type(SOURCE_EVENT_LINKS_UP, HAUL_OK, now_ns);
    check(does(SOURCE_ACTION_START_COPY));
    check_equal(source_session_state(session), SOURCE_COPYING);
}

static void open_copying(void)
{
    now_ns = 1;
    their_damages = 0;
    open_session();
    connect(false);
}

static void feed_damaged_stop(void)
{
    struct message message;
    message_init(&message, MESSAGE_STOP);
    message.as.stop.damaged = true;
    their_damages++;
    feed_message(&message, now_ns);
}

/* The link is gone before the Stop arrives. */
static void feed_untold_damage(void)
{
    their_damages++;
    feed_type(SOURCE_EVENT_LINKS_DOWN, HAUL_CLOSED, now_ns);
}

static void reconnect(void)
{
    struct source_event tick = {.type = SOURCE_EVENT_TICK};
    check(does(SOURCE_ACTION_DISCONNECT));
    check_equal(source_session_state(session), SOURCE_RETRYING);
    now_ns = source_session_deadline_ns(session);
    source_session_event(session, &tick, now_ns);
    check(does(SOURCE_ACTION_CONNECT));
}

static void come_back(void)
{
    reconnect();
    connect(true);
}

static uint64_t crc_errors(void)
{
    struct source_session_figures figures;
    source_session_figures(session, &figures);
    return figures.crc_errors;
}

static void feed_durable(uint64_t records)
{
    struct message message;
    message_init(&message, MESSAGE_PROGRESS);
    message.as.progress.durable_records = records;
    feed_message(&message, now_ns);
}

static void check_kept(void)
{
    struct source_session_figures figures;
    source_session_figures(session, &figures);
    check_equal(source_session_state(session), SOURCE_ENDED);
    check_status(source_session_outcome(session)->status, HAUL_CORRUPT);
    check(strstr(source_session_outcome(session)->hint, "haul resume") != NULL);
    check(figures.kept);
    bool resume = false;
    check(sends(MESSAGE_STOP, &resume)); /* Abort would discard what has arrived */
}

static void test_source_session__damage_anywhere__comes_back_and_counts(void)
{
    static const enum source_event_type events[] = {SOURCE_EVENT_LINKS_DOWN,
                                                    SOURCE_EVENT_CHANNEL_DOWN};
    open_copying();
    feed_damaged_stop();
    check_status(source_session_loss(session)->status, HAUL_CLOSED);
    come_back();
    check_equal(crc_errors(), 1);
    source_session_destroy(session);
    for (size_t i = 0; i < CHECK_COUNT(events); i++) {
        open_copying();
        feed_type(events[i], HAUL_CORRUPT, now_ns);
        come_back();
        check_equal(crc_errors(), 1);
        source_session_destroy(session);
    }
}

static void test_source_session__lost_without_damage__counts_none(void)
{
    open_copying();
    feed_type(SOURCE_EVENT_LINKS_DOWN, HAUL_CLOSED, now_ns);
    come_back();
    check_equal(crc_errors(), 0);
    source_session_destroy(session);
}

static void test_source_session__damage_told_on_return__counts_once(void)
{
    open_copying();
    feed_untold_damage();
    come_back();
    check_equal(crc_errors(), 1);
    feed_type(SOURCE_EVENT_LINKS_DOWN, HAUL_CLOSED, now_ns);
    come_back();
    check_equal(crc_errors(), 1);
    feed_damaged_stop();
    come_back();
    check_equal(crc_errors(), 2);
    source_session_destroy(session);
}

/* Damage during an earlier process of ours has its own figure. */
static void test_source_session__damaged_before_it_began__counts_none(void)
{
    now_ns = 1;
    their_damages = 2;
    open_session();
    connect(false);
    check_equal(crc_errors(), 0);
    feed_untold_damage();
    come_back();
    check_equal(crc_errors(), 1);
    source_session_destroy(session);
}

static void test_source_session__nothing_but_untold_damage__ends_and_keeps(void)
{
    open_copying();
    feed_untold_damage();
    come_back();
    feed_untold_damage();
    come_back();
    feed_untold_damage();
    reconnect();
    propose(true, now_ns);
    feed_accepted_after(their_damages, now_ns);
    check_kept();
    check_equal(crc_errors(), 3);
    source_session_destroy(session);
}

static void test_source_session__nothing_but_damage__ends_and_keeps(void)
{
    open_copying();
    feed_damaged_stop();
    come_back();
    feed_damaged_stop();
    come_back();
    feed_damaged_stop();
    check_kept();
    check_equal(crc_errors(), 3);
    source_session_destroy(session);
}

/* A bad path that lets something through each time is only slow. */
static void test_source_session__damage_and_progress__goes_on(void)
{
    open_copying();
    for (uint64_t i = 1; i <= 5; i++) {
        feed_durable(i);
        feed_damaged_stop();
        come_back();
    }
    check_equal(crc_errors(), 5);
    source_session_destroy(session);
}

/* What has arrived goes anyway. */
static void test_source_session__damaged_too_often_while_it_aborts__cancelled(void)
{
    struct source_session_figures figures;
    open_copying();
    for (int i = 0; i < 2; i++) {
        feed_damaged_stop();
        come_back();
    }
    feed_type(SOURCE_EVENT_CANCEL, HAUL_CANCELLED, now_ns);
    check_equal(source_session_state(session), SOURCE_ABORTING);
    feed_type(SOURCE_EVENT_LINKS_DOWN, HAUL_CORRUPT, now_ns);
    source_session_figures(session, &figures);
    check_equal(figures.crc_errors, 3);
    check_status(source_session_outcome(session)->status, HAUL_CANCELLED);
    check(!figures.kept);
    source_session_destroy(session);
}

static const struct check_test tests[] = {
    CHECK_TEST(test_source_session__damaged_too_often_while_it_aborts__cancelled),
    CHECK_TEST(test_source_session__damage_anywhere__comes_back_and_counts),
    CHECK_TEST(test_source_session__lost_without_damage__counts_none),
    CHECK_TEST(test_source_session__damage_told_on_return__counts_once),
    CHECK_TEST(test_source_session__damaged_before_it_began__counts_none),
    CHECK_TEST(test_source_session__nothing_but_untold_damage__ends_and_keeps),
    CHECK_TEST(test_source_session__nothing_but_damage__ends_and_keeps),
    CHECK_TEST(test_source_session__damage_and_progress__goes_on),
};

CHECK_MAIN("source_damage", tests)
