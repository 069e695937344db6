/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender_links.c — what a source does with its data links. The links are fakes: they connect
 * at their first poll and record what they get. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake_links.h"

/* --- urgent blocks ---------------------------------------------------------------------------- */

static void test_sender_links_poll__deltas__the_one_that_nothing_follows_is_urgent(void)
{
    begin_up();
    for (int i = 0; i < 3; i++) {
        emit(SLOT_KIND_DELTA, 0);
    }
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 3);
    check(!urgent[0] && !urgent[1] && urgent[2]);
    end_with_blocks();
}

static void test_sender_links_poll__view_streams__only_the_last_of_a_stream_is_urgent(void)
{
    begin_up();
    emit(SLOT_KIND_SNAPSHOT, 0);
    emit(SLOT_KIND_SNAPSHOT, SLOT_LAST);
    emit(SLOT_KIND_SNAPSHOT, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 3);
    check(!urgent[0] && urgent[1] && !urgent[2]);
    end_with_blocks();
}

/* The link was the last one when it found no credit, and is not when it goes. */
static void test_sender_links_poll__delta_waits_and_another_follows__not_urgent(void)
{
    begin_up();
    has_credit = false;
    emit(SLOT_KIND_DELTA, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 0);
    emit(SLOT_KIND_DELTA, 0);
    has_credit = true;
    credit_comes = true;
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 2);
    check(!urgent[0] && urgent[1]);
    end_with_blocks();
}

/* --- falling back ----------------------------------------------------------------------------- */

/* The link that takes its place must not get its events. */
static void test_sender_links_poll__bind_fails_and_more_events_come__next_link_lives(void)
{
    begin();
    closes_at_once = true;
    describe();
    (void)sender_links_poll(&links);
    check_equal(made_count, 2);
    check(made[0].destroyed);
    check(!made[1].destroyed);
    check(links.transport == HAUL_TRANSPORT_TCP);
    check(links.state == SENDER_LINKS_OPENING);
    check(strstr(links.fallback_reason, "the link has ended") != NULL);
    end();
}

/* The figures of a job cover all its links, including those that are gone. */
static void test_sender_links_stats__link_is_gone__its_figures_stay(void)
{
    struct haul_link_stats stats;
    begin_up();
    made[0].base.stats.blocks_sent = 3;
    made[0].base.stats.bytes_sent = 300;
    sender_links_stats(&links, &stats);
    check_equal(stats.blocks_sent, 3);
    sender_links_reset(&links);
    check(made[0].destroyed);
    open_links(true);
    made[1].base.stats.blocks_sent = 4;
    sender_links_stats(&links, &stats);
    check_equal(stats.blocks_sent, 7);
    check_equal(stats.bytes_sent, 300);
    end();
}

/* --- how many --------------------------------------------------------------------------------- */

static void test_sender_links_use__fewer_links_and_more_again__blocks_for_these(void)
{
    make_links(4, BLOCKS / 4, (struct haul_transport_list){{HAUL_TRANSPORT_NONE}});
    sender_links_use(&links, 1);
    check_equal(block_pool_count(outbox.pool), BLOCKS / 4);
    sender_links_use(&links, 3);
    check_equal(block_pool_count(outbox.pool), 3 * (BLOCKS / 4));
    sender_links_use(&links, 4);
    check_equal(block_pool_count(outbox.pool), BLOCKS);
    end();
}

/* Sixteen slots were left to us; the number is set before the links are opened. */
static void begin_near(bool near, const struct haul_transport_list *transports)
{
    make_links(1, 16, *transports);
    links.is_near = near;
    sender_links_use(&links, 1);
}

static uint32_t bind_first(unsigned number)
{
    struct message message;
    check_or_stop(made_count == number + 1);
    (void)sender_links_poll(&links);
    describe();
    check_or_stop(sender_links_next_message(&links, &message));
    check_equal(links.state, SENDER_LINKS_UP);
    return made[number].base.config.options.slot_count;
}

static void test_sender_links_use__near_tcp__eight_slots_and_batches_that_stay_small(void)
{
    static const struct haul_transport_list tcp = {{HAUL_TRANSPORT_TCP}};
    for (int near = 0; near <= 1; near++) {
        begin_near(near == 1, &tcp);
        check_equal(block_pool_count(outbox.pool), near == 1 ? 8 : 16);
        open_links(true);
        check_equal(bind_first(0), near == 1 ? 8 : 16);
        check(kept_log_had("info: 1 tcp link(s), 8 slots each")); /* that the fakes have */
        check_equal(links.batch_size.bytes_min, 1024);
        check((links.batch_size.bytes_max == 1024) == (near == 1));
        end();
    }
}

/* A receiver of RDMA sleeps until a quarter of the ring has arrived. */
static void test_sender_links_use__near_rdma__all_slots_until_it_falls_back(void)
{
    static const struct haul_transport_list both = {{HAUL_TRANSPORT_VERBS, HAUL_TRANSPORT_TCP}};
    for (int fails = 0; fails <= 1; fails++) {
        begin_near(true, &both);
        check_equal(block_pool_count(outbox.pool), 16);
        failing_connects = (unsigned)fails;
        connect_status = HAUL_UNREACHABLE;
        open_links(true);
        check_equal(bind_first(0), fails == 1 ? 8 : 16);
        check_equal(block_pool_count(outbox.pool), fails == 1 ? 8 : 16);
        end();
    }
}

/* Credits came before the completions that the queue has room for: no more will come. */
static void test_sender_links_poll__stalled_and_a_block_is_done__goes_on_without_a_credit(void)
{
    begin_up();
    emit(SLOT_KIND_DELTA, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 1);
    has_credit = false;
    emit(SLOT_KIND_DELTA, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 1);
    has_credit = true;
    done = last_taken;
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 2);
    end_with_blocks();
}

/* --- opening ---------------------------------------------------------------------------------- */

static const struct haul_transport_list automatic = {{HAUL_TRANSPORT_NONE}};
static const struct haul_transport_list rdma_only = {{HAUL_TRANSPORT_VERBS}};
static const struct haul_transport_list tcp_first = {{HAUL_TRANSPORT_TCP, HAUL_TRANSPORT_VERBS}};

static void test_sender_links_open__lists_and_offers__transport_and_reason(void)
{
    static const struct {
        const struct haul_transport_list *transports;
        bool offered;
        enum haul_transport transport;
        enum sender_links_state state;
        bool refused;
    } cases[] = {
        {&automatic, true, HAUL_TRANSPORT_VERBS, SENDER_LINKS_OPENING, false},
        {&automatic, false, HAUL_TRANSPORT_TCP, SENDER_LINKS_OPENING, true},
        {&tcp_only, true, HAUL_TRANSPORT_TCP, SENDER_LINKS_OPENING, false},
        {&tcp_only, false, HAUL_TRANSPORT_TCP, SENDER_LINKS_OPENING, false},
        {&tcp_first, true, HAUL_TRANSPORT_TCP, SENDER_LINKS_OPENING, false},
        {&rdma_only, true, HAUL_TRANSPORT_VERBS, SENDER_LINKS_OPENING, false},
        {&rdma_only, false, HAUL_TRANSPORT_VERBS, SENDER_LINKS_DOWN, false},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin_closed(cases[i].transports, 1, 0);
        open_links(cases[i].offered);
        check_equal(links.transport, cases[i].transport);
        check_equal(links.state, cases[i].state);
        check_equal(strstr(links.fallback_reason, "it has no card") != NULL, cases[i].refused);
        check(kept_log_had("info: no rdma, falling back to tcp") == cases[i].refused);
        check_equal(made_count, cases[i].state == SENDER_LINKS_OPENING);
        if (cases[i].state == SENDER_LINKS_DOWN) {
            check_status(links.error.status, HAUL_UNSUPPORTED);
            check(strstr(links.error.text, "it has no card") != NULL);
        }
        end();
    }
}

/* A list that ends with TCP ends there, whatever was tried before. */
static void test_sender_links_open__every_transport_fails__down_with_the_last_error(void)
{
    begin_closed(&tcp_first, 1, 0);
    connect_status = HAUL_UNREACHABLE;
    failing_connects = 2;
    open_links(true);
    check_equal(links.state, SENDER_LINKS_DOWN);
    check_equal(links.transport, HAUL_TRANSPORT_VERBS);
    check_status(links.error.status, HAUL_UNREACHABLE);
    end();
}

static void test_sender_links_open__target_lists_nothing__unsupported(void)
{
    const struct link_ticket ticket = {.index = 0};
    begin_closed(&tcp_only, 1, 0);
    sender_links_open(&links, &ticket, &plain, NULL, 0);
    check_equal(links.state, SENDER_LINKS_DOWN);
    check_status(links.error.status, HAUL_UNSUPPORTED);
    check_text(links.error.text, "the target does not support tcp links");
    end();
}

/* If memory cannot be registered, half of it is tried, down to a few blocks; another error falls
 * back. */
static void test_sender_links_open__connect_fails__smaller_or_tcp(void)
{
    static const struct {
        enum haul_status status;
        unsigned failures;
        uint32_t blocks;
        enum haul_transport transport;
        const char *logged;
    } cases[] = {
        {HAUL_LIMIT, 1, BLOCKS / 2, HAUL_TRANSPORT_VERBS,
         "warning: not to be had; trying 4 blocks"},
        {HAUL_LIMIT, 2, BLOCKS, HAUL_TRANSPORT_TCP, "warning: no rdma, falling back to tcp: not"},
        {HAUL_UNREACHABLE, 1, BLOCKS, HAUL_TRANSPORT_TCP, "warning: no rdma, falling back to tcp"},
    };
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        begin_closed(&automatic, 1, 0);
        connect_status = cases[i].status;
        failing_connects = cases[i].failures;
        open_links(true);
        check_equal(block_pool_count(outbox.pool), cases[i].blocks);
        check_equal(links.transport, cases[i].transport);
        check_equal(links.state, SENDER_LINKS_OPENING);
        check_equal(links.fallback_reason[0] != '\0', cases[i].transport == HAUL_TRANSPORT_TCP);
        check(kept_log_had(cases[i].logged));
        end();
    }
}

static void test_sender_links_open__second_of_two_fails__the_first_is_gone_too(void)
{
    begin_closed(&tcp_only, 2, 0);
    connect_status = HAUL_REFUSED;
    open_links(false);
    check_equal(made_count, 2);
    sender_links_reset(&links);
    check(made[0].destroyed && made[1].destroyed);
    check_equal(links.state, SENDER_LINKS_CLOSED);
    failing_connects = 1;
    open_links(false);
    check_equal(links.state, SENDER_LINKS_DOWN);
    check_status(links.error.status, HAUL_REFUSED);
    check_text(links.error.text, "not to be had");
    end();
}

/* A message about links that do not exist ends the attempt; about earlier ones, it is ignored. */
static void test_sender_links_describe__of_what_link__bound_passed_over_or_refused(void)
{
    struct message message;
    begin_closed(&tcp_only, 2, 0);
    open_links(false);
    (void)sender_links_poll(&links);
    describe_link(HAUL_TRANSPORT_VERBS, 0);
    describe_link(HAUL_TRANSPORT_TCP, link_index(1, 0));
    check_equal(links.state, SENDER_LINKS_OPENING);
    check(!made[0].base.bound);
    describe_link(HAUL_TRANSPORT_TCP, 0);
    describe_link(HAUL_TRANSPORT_TCP, 1);
    check(made[0].base.bound && made[1].base.bound);
    check_equal(links.state, SENDER_LINKS_OPENING); /* our LINK messages have not gone out */
    for (uint32_t i = 0; i < 2; i++) {
        check_or_stop(sender_links_next_message(&links, &message));
        check_equal(message.type, MESSAGE_LINK);
        check_equal(message.as.link.index, i);
        check_equal(message.as.link.transport, HAUL_TRANSPORT_TCP);
        check_equal(message.as.link.description.size, 1);
    }
    check(!sender_links_next_message(&links, &message));
    check_equal(links.state, SENDER_LINKS_UP);
    describe_link(HAUL_TRANSPORT_TCP, 7); /* the links are up: too late for any change */
    check_equal(links.state, SENDER_LINKS_UP);
    end();
    for (uint32_t place = 1; place < 3; place++) { /* bound already, and unknown */
        begin_closed(&tcp_only, 2, 0);
        open_links(false);
        (void)sender_links_poll(&links);
        describe_link(HAUL_TRANSPORT_TCP, 1);
        describe_link(HAUL_TRANSPORT_TCP, place);
        check_equal(links.state, SENDER_LINKS_DOWN);
        check_status(links.error.status, HAUL_PROTOCOL);
        end();
    }
}

/* Whichever link comes last: the links are up when each is bound and has been described. */
static void test_sender_links_describe__one_is_still_missing__not_up_yet(void)
{
    struct message message;
    for (uint32_t last = 0; last < 2; last++) {
        begin_closed(&tcp_only, 2, 0);
        open_links(false);
        (void)sender_links_poll(&links);
        check(sender_links_next_message(&links, &message));
        describe_link(HAUL_TRANSPORT_TCP, 1 - last);
        check(sender_links_next_message(&links, &message));
        check(!sender_links_next_message(&links, &message));
        check_equal(links.state, SENDER_LINKS_OPENING);
        describe_link(HAUL_TRANSPORT_TCP, last);
        check_equal(links.state, SENDER_LINKS_UP);
        end();
    }
}

static void test_sender_links_poll__bind_fails_without_another_way__down(void)
{
    begin_closed(&tcp_only, 1, 0);
    open_links(false);
    bind_status = HAUL_VERSION;
    (void)sender_links_poll(&links);
    describe_link(HAUL_TRANSPORT_TCP, 0);
    check_equal(links.state, SENDER_LINKS_DOWN);
    check_status(links.error.status, HAUL_VERSION);
    check_text(links.error.text, "not to be bound");
    end();
}

/* --- rate ------------------------------------------------------------------------------------- */

static void test_sender_links_poll__rate_limit__the_next_block_at_its_time(void)
{
    enum { RATE = 1000000, BURST_MS = 20 };
    begin_up_with(RATE);
    uint64_t size = SLOT_HEADER_BYTES + 100;
    for (int i = 0; i < 4; i++) {
        emit(SLOT_KIND_SNAPSHOT, 0);
    }
    /* The first second has filled the bucket, which holds more than these four. */
    check(4 * size < RATE / 1000 * BURST_MS);
    while (rate_limit_take(&links.rate, size, now)) {
    }
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 0);
    check(links.rate_waited);
    uint64_t due = sender_links_deadline_ns(&links);
    check(due > now && due <= now + size * NS_PER_S / RATE + 1000);
    check(!sender_links_is_idle(&links));
    now = due;
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 1);
    check(sender_links_deadline_ns(&links) > now);
    now += NS_PER_S;
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 4);
    check(!links.rate_waited);
    check(sender_links_deadline_ns(&links) == CLOCK_NEVER);
    check_equal(links.in_flight_blocks, 4);
    end_with_blocks();
}

static void test_sender_links_rate__changed_while_blocks_wait__the_new_one_counts(void)
{
    enum { SLOW = 1000, FAST = 1000000 };
    begin_up_with(SLOW);
    uint64_t size = SLOT_HEADER_BYTES + 100;
    for (int i = 0; i < 4; i++) {
        emit(SLOT_KIND_SNAPSHOT, 0);
    }
    while (rate_limit_take(&links.rate, size, now)) {
    }
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 0);
    uint64_t late = sender_links_deadline_ns(&links);
    sender_links_rate(&links, FAST);
    (void)sender_links_poll(&links);
    uint64_t due = sender_links_deadline_ns(&links);
    check(due > now && due < late);
    now = due;
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 1);
    check_equal(links.options.config.path_bytes_per_second, FAST);
    sender_links_rate(&links, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 4);
    check(sender_links_deadline_ns(&links) == CLOCK_NEVER);
    end_with_blocks();
}

static void test_sender_links_poll__shared_rate__waits_and_returns_what_no_link_takes(void)
{
    enum { RATE = 1000000, BURST_BYTES = RATE / 1000 * 20 };
    struct haul_rate *rate = NULL;
    struct rate_share other;
    struct haul_error error;
    uint64_t ready_ns = 0;
    check_or_stop(haul_rate_create(RATE, &rate, &error) == HAUL_OK);
    rate_share_join(&other, rate);
    begin_up_with(0);
    rate_share_join(&links.share, rate);
    check(rate_share_take(&other, BURST_BYTES, now, &ready_ns));
    emit(SLOT_KIND_SNAPSHOT, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 0);
    check(links.rate_waited);
    now = sender_links_deadline_ns(&links);
    check(now != CLOCK_NEVER);
    has_credit = false;
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 0);
    now += NS_PER_S; /* full again, unless something is missing */
    check(rate_share_take(&other, BURST_BYTES, now, &ready_ns));
    check(!rate_share_take(&other, 1, now, &ready_ns));
    end_with_blocks();
    rate_share_leave(&other);
    haul_rate_destroy(rate); /* the links have left */
}

/* --- ends ------------------------------------------------------------------------------------- */

/* Whatever an attempt had accumulated, the next one starts from zero. */
static void test_sender_links_reset__in_the_middle_of_everything__as_new(void)
{
    struct message message;
    begin_up();
    emit(SLOT_KIND_DELTA, 0);
    (void)sender_links_poll(&links);
    has_credit = false; /* the next one stands still */
    emit(SLOT_KIND_DELTA, 0);
    (void)sender_links_poll(&links);
    check(links.submitted_blocks == 1 && links.in_flight_blocks == 1);
    check_equal(links.queued_blocks, 1);
    links.queued_delta_bytes = 5;
    links.rate_ready_ns = 7;
    sender_links_reset(&links);
    check_equal(links.in_flight_blocks + links.submitted_blocks, 0);
    check_equal(links.queued_blocks + links.queued_delta_bytes, 0);
    check_equal(sender_links_deadline_ns(&links), CLOCK_NEVER);
    check(sender_links_is_idle(&links));
    check_equal(links.state, SENDER_LINKS_CLOSED);
    has_credit = true;
    open_links(true);
    (void)sender_links_poll(&links);
    describe();
    check_or_stop(sender_links_next_message(&links, &message));
    unsigned before = submitted_count;
    emit(SLOT_KIND_DELTA, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, before + 1);
    end_with_blocks();
}

static void test_sender_links_poll__closed_by_the_target__down_and_why(void)
{
    begin_up_with(0);
    check(sender_links_is_idle(&links));
    emit(SLOT_KIND_DELTA, 0);
    check(!sender_links_is_idle(&links)); /* in the outbox */
    (void)sender_links_poll(&links);
    check(!sender_links_is_idle(&links)); /* on its way */
    made[0].polled = false;
    closes_at_once = true;
    check(sender_links_poll(&links));
    check_equal(links.state, SENDER_LINKS_DOWN);
    check_status(links.error.status, HAUL_CLOSED);
    check_text(links.error.text, "the target closed data link 0");
    check(made[0].destroyed);
    sender_links_reset(&links);
    check_equal(links.state, SENDER_LINKS_CLOSED);
    check_equal(links.in_flight_blocks + links.queued_blocks + links.queued_delta_bytes, 0);
    check_equal(links.submitted_blocks, 0);
    check(sender_links_is_idle(&links));
    end_with_blocks();
}

static void check_down(enum haul_status failure, bool here, enum haul_status expected)
{
    begin_closed(&tcp_only, 1, 0);
    open_links(false);
    refusal = failure;
    fails_here = here;
    while (links.state == SENDER_LINKS_OPENING) { /* less memory is tried */
        check_or_stop(sender_links_poll(&links));
    }
    check_equal(links.state, SENDER_LINKS_DOWN);
    check_status(links.error.status, expected);
    check_text(links.error.text, "refused");
    end();
}

/* What a link's answer says is not authenticated: whatever it is, the source comes back. */
static void test_sender_links_poll__refused_by_an_answer__only_the_attempt_ends(void)
{
    for (int status = HAUL_AGAIN + 1; status < HAUL_STATUS_COUNT; status++) {
        bool stays = status == HAUL_CORRUPT || status == HAUL_BUSY || status == HAUL_TIMEOUT ||
                     status == HAUL_REFUSED || status == HAUL_UNREACHABLE || status == HAUL_IO;
        enum haul_status failure = (enum haul_status)status;
        check_down(failure, false, stays ? failure : HAUL_CLOSED);
        check_down(failure, true, failure);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_sender_links_poll__refused_by_an_answer__only_the_attempt_ends),
    CHECK_TEST(test_sender_links_open__lists_and_offers__transport_and_reason),
    CHECK_TEST(test_sender_links_open__every_transport_fails__down_with_the_last_error),
    CHECK_TEST(test_sender_links_open__target_lists_nothing__unsupported),
    CHECK_TEST(test_sender_links_open__connect_fails__smaller_or_tcp),
    CHECK_TEST(test_sender_links_open__second_of_two_fails__the_first_is_gone_too),
    CHECK_TEST(test_sender_links_describe__of_what_link__bound_passed_over_or_refused),
    CHECK_TEST(test_sender_links_describe__one_is_still_missing__not_up_yet),
    CHECK_TEST(test_sender_links_poll__bind_fails_without_another_way__down),
    CHECK_TEST(test_sender_links_poll__rate_limit__the_next_block_at_its_time),
    CHECK_TEST(test_sender_links_poll__shared_rate__waits_and_returns_what_no_link_takes),
    CHECK_TEST(test_sender_links_rate__changed_while_blocks_wait__the_new_one_counts),
    CHECK_TEST(test_sender_links_reset__in_the_middle_of_everything__as_new),
    CHECK_TEST(test_sender_links_poll__closed_by_the_target__down_and_why),
    CHECK_TEST(test_sender_links_poll__stalled_and_a_block_is_done__goes_on_without_a_credit),
    CHECK_TEST(test_sender_links_poll__deltas__the_one_that_nothing_follows_is_urgent),
    CHECK_TEST(test_sender_links_poll__view_streams__only_the_last_of_a_stream_is_urgent),
    CHECK_TEST(test_sender_links_poll__delta_waits_and_another_follows__not_urgent),
    CHECK_TEST(test_sender_links_poll__bind_fails_and_more_events_come__next_link_lives),
    CHECK_TEST(test_sender_links_use__fewer_links_and_more_again__blocks_for_these),
    CHECK_TEST(test_sender_links_use__near_tcp__eight_slots_and_batches_that_stay_small),
    CHECK_TEST(test_sender_links_use__near_rdma__all_slots_until_it_falls_back),
    CHECK_TEST(test_sender_links_stats__link_is_gone__its_figures_stay),
};
CHECK_MAIN("sender_links", tests)
