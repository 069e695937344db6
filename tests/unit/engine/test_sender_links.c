/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender_links.c — what a source does with its data links. The links are fakes: they connect
 * at their first poll and record what they get. */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "link_ops.h"
#include "sender_links.h"

enum { BLOCKS = 8, BLOCK_BYTES = 65536, LINKS_MAX = 4, SUBMITTED_MAX = 16 };

struct fake_link {
    struct link base;
    int fd;
    bool polled;
    bool destroyed;
};

static struct fake_link made[LINKS_MAX];
static unsigned made_count;
static bool closes_at_once; /* a link that connects ends in the same poll */
static bool has_credit;
static bool credit_comes;          /* at the next poll */
static struct block *done;         /* comes back at the next poll; NULL: none */
static struct block *last_taken;
static bool urgent[SUBMITTED_MAX]; /* of the blocks, as they were submitted */
static unsigned submitted_count;
static struct poll_group *group;
static struct outbox outbox;
static struct sender_links links;

/* --- the fake link ---------------------------------------------------------------------------- */

static struct fake_link *fake_of(struct link *link)
{
    return (struct fake_link *)link;
}

static enum haul_status fake_submit(struct link *link, struct block *block)
{
    (void)link;
    if (!has_credit) {
        return HAUL_AGAIN;
    }
    check_or_stop(submitted_count < SUBMITTED_MAX);
    urgent[submitted_count++] = block->urgent;
    last_taken = block;
    return HAUL_OK;
}

static size_t fake_describe(const struct link *link, uint8_t *description)
{
    (void)link;
    description[0] = 1;
    return 1;
}

static enum haul_status fake_bind(struct link *link, const uint8_t *description, size_t size_bytes,
                                  struct haul_error *error)
{
    (void)link;
    (void)description;
    (void)size_bytes;
    (void)error;
    return HAUL_OK;
}

static size_t fake_poll(struct link *link, struct link_event *events, size_t capacity)
{
    struct fake_link *fake = fake_of(link);
    check_or_stop(capacity >= 2);
    if (fake->polled) {
        if (done != NULL) {
            events[0] = (struct link_event){.type = LINK_DONE, .block = done};
            done = NULL;
            return 1;
        }
        events[0] = (struct link_event){.type = LINK_CREDIT};
        return credit_comes ? 1 : 0;
    }
    fake->polled = true;
    events[0] = (struct link_event){.type = LINK_CONNECTED};
    events[1] = (struct link_event){.type = LINK_CLOSED};
    return closes_at_once ? 2 : 1;
}

static int fake_fd(const struct link *link)
{
    return ((const struct fake_link *)link)->fd;
}

static void fake_destroy(struct link *link)
{
    (void)close(fake_of(link)->fd);
    fake_of(link)->destroyed = true;
}

static const struct link_ops fake_ops = {
    .submit = fake_submit,
    .describe = fake_describe,
    .bind = fake_bind,
    .poll = fake_poll,
    .fd = fake_fd,
    .destroy = fake_destroy,
};

enum haul_status __wrap_link_connect(enum haul_transport transport,
                                     const struct link_address *address,
                                     const struct link_ticket *ticket,
                                     const struct link_config *config, struct link **link,
                                     struct haul_error *error);
enum haul_status __wrap_link_connect(enum haul_transport transport,
                                     const struct link_address *address,
                                     const struct link_ticket *ticket,
                                     const struct link_config *config, struct link **link,
                                     struct haul_error *error)
{
    (void)transport;
    (void)address;
    (void)ticket;
    (void)error;
    check_or_stop(made_count < LINKS_MAX);
    struct fake_link *fake = &made[made_count++];
    *fake = (struct fake_link){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    fake->base = (struct link){.ops = &fake_ops,
                               .config = *config,
                               .sending = true,
                               .slot_count = BLOCKS,
                               .payload_size_bytes_max = BLOCK_BYTES - SLOT_HEADER_BYTES};
    fake->base.config.options.slot_size_bytes = BLOCK_BYTES;
    *link = &fake->base;
    return HAUL_OK;
}

/* --- a source's links ------------------------------------------------------------------------- */

static void begin(void)
{
    made_count = 0;
    submitted_count = 0;
    closes_at_once = false;
    has_credit = true;
    credit_comes = false;
    done = NULL;
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    check_or_stop(outbox_init(&outbox, BLOCKS, BLOCK_BYTES, 1, NULL) == HAUL_OK);
    const struct sender_links_options options = {
        .mode = HAUL_MODE_AUTO,
        .config = {.options = {.slot_count = BLOCKS, .slot_size_bytes = BLOCK_BYTES}},
        .link_count = 1,
        .batch_bytes_min = 1024,
        .batch_bytes_max = BLOCK_BYTES,
        .clock = &clock_monotonic,
        .group = group,
    };
    check_or_stop(sender_links_init(&links, &options, &outbox) == HAUL_OK);
    const struct link_ticket ticket = {.index = 0};
    sender_links_open(&links, &ticket, true, "");
}

/* The peer's description of the link of this attempt. */
static void describe(void)
{
    haul_control_LinkDescription description = {.transport = (uint32_t)links.transport};
    description.description.size = 1;
    sender_links_describe(&links, &description);
}

static void begin_up(void)
{
    struct message message;
    begin();
    (void)sender_links_poll(&links);
    describe();
    check_or_stop(sender_links_next_message(&links, &message));
    check_or_stop(links.state == SENDER_LINKS_UP);
}

static void end(void)
{
    sender_links_fini(&links);
    outbox_fini(&outbox);
    poll_group_destroy(group);
    for (unsigned i = 0; i < made_count; i++) {
        check(made[i].destroyed);
    }
}

static void emit(enum slot_lane lane, uint32_t flags)
{
    struct block *block;
    check_or_stop(outbox_acquire(&outbox, &block) == HAUL_OK);
    block->header.lane = (uint8_t)lane;
    block->header.flags = flags;
    block->header.payload_size_bytes = 100;
    check_or_stop(outbox_emit(&outbox, block) == HAUL_OK);
}

/* The pool wants its blocks back before it is destroyed: the fakes never complete one. */
static void end_with_blocks(void)
{
    outbox_close(&outbox);
    end();
}

/* --- urgent blocks ---------------------------------------------------------------------------- */

static void test_sender_links_poll__deltas__the_one_that_nothing_follows_is_urgent(void)
{
    begin_up();
    for (int i = 0; i < 3; i++) {
        emit(LANE_DELTA, 0);
    }
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 3);
    check(!urgent[0] && !urgent[1] && urgent[2]);
    end_with_blocks();
}

static void test_sender_links_poll__view_streams__only_the_last_of_a_stream_is_urgent(void)
{
    begin_up();
    emit(LANE_SNAPSHOT, 0);
    emit(LANE_SNAPSHOT, SLOT_LAST);
    emit(LANE_SNAPSHOT, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 3);
    check(!urgent[0] && urgent[1] && !urgent[2]);
    end_with_blocks();
}

/* It was the last one when it found no credit, and is not when it goes. */
static void test_sender_links_poll__delta_waits_and_another_follows__not_urgent(void)
{
    begin_up();
    has_credit = false;
    emit(LANE_DELTA, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 0);
    emit(LANE_DELTA, 0);
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

/* The figures of a job are those of all its links, also of links that are gone. */
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
    const struct link_ticket ticket = {.index = 0};
    sender_links_open(&links, &ticket, true, "");
    made[1].base.stats.blocks_sent = 4;
    sender_links_stats(&links, &stats);
    check_equal(stats.blocks_sent, 7);
    check_equal(stats.bytes_sent, 300);
    end();
}

/* --- how many --------------------------------------------------------------------------------- */

static void test_sender_links_use__fewer_links_and_more_again__blocks_for_these(void)
{
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    check_or_stop(outbox_init(&outbox, BLOCKS, BLOCK_BYTES, 1, NULL) == HAUL_OK);
    const struct sender_links_options options = {
        .config = {.options = {.slot_count = BLOCKS / 4, .slot_size_bytes = BLOCK_BYTES}},
        .link_count = 4,
        .batch_bytes_min = 1024,
        .batch_bytes_max = BLOCK_BYTES,
        .clock = &clock_monotonic,
        .group = group,
    };
    made_count = 0;
    check_or_stop(sender_links_init(&links, &options, &outbox) == HAUL_OK);
    sender_links_use(&links, 1);
    check_equal(block_pool_count(outbox.pool), BLOCKS / 4);
    sender_links_use(&links, 3);
    check_equal(block_pool_count(outbox.pool), 3 * (BLOCKS / 4));
    sender_links_use(&links, 4);
    check_equal(block_pool_count(outbox.pool), BLOCKS);
    end();
}

/* Credits came before the completions that the queue has room for: no further one will. */
static void test_sender_links_poll__stalled_and_a_block_is_done__goes_on_without_a_credit(void)
{
    begin_up();
    emit(LANE_DELTA, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 1);
    has_credit = false;
    emit(LANE_DELTA, 0);
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 1);
    has_credit = true;
    done = last_taken;
    (void)sender_links_poll(&links);
    check_equal(submitted_count, 2);
    end_with_blocks();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_sender_links_poll__stalled_and_a_block_is_done__goes_on_without_a_credit),
    CHECK_TEST(test_sender_links_poll__deltas__the_one_that_nothing_follows_is_urgent),
    CHECK_TEST(test_sender_links_poll__view_streams__only_the_last_of_a_stream_is_urgent),
    CHECK_TEST(test_sender_links_poll__delta_waits_and_another_follows__not_urgent),
    CHECK_TEST(test_sender_links_poll__bind_fails_and_more_events_come__next_link_lives),
    CHECK_TEST(test_sender_links_use__fewer_links_and_more_again__blocks_for_these),
    CHECK_TEST(test_sender_links_stats__link_is_gone__its_figures_stay),
};
CHECK_MAIN("sender_links", tests)
