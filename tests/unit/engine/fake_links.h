/* SPDX-License-Identifier: Apache-2.0 */
/* fake_links.h — a source's links without a network, for its suites: they connect at their first
 * poll and record what they get. Wraps link_connect. */
#ifndef HAUL_TESTS_FAKE_LINKS_H
#define HAUL_TESTS_FAKE_LINKS_H

#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "kept_log.h"
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
static bool closes_at_once;      /* a link that connects ends in the same poll */
static enum haul_status refusal; /* of a link that the peer does not let connect; OK: it does */
static bool fails_here;          /* and the reason is this side's */
static bool has_credit;
static bool credit_comes;  /* at the next poll */
static struct block *done; /* returned by the next poll; NULL: none */
static struct block *last_taken;
static bool urgent[SUBMITTED_MAX]; /* of the blocks, as they were submitted */
static unsigned submitted_count;
static unsigned failing_connects; /* this many fail, with this status: */
static enum haul_status connect_status;
static enum haul_status bind_status;
static uint64_t now; /* of a clock that stands still */
static struct poll_group *group;
static struct outbox outbox;
static struct sender_links links;

/* --- the fake link ---------------------------------------------------------------------------- */

static inline struct fake_link *fake_of(struct link *link)
{
    return (struct fake_link *)link;
}

static inline enum haul_status fake_submit(struct link *link, struct block *block)
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

static inline size_t fake_describe(const struct link *link, uint8_t *description)
{
    (void)link;
    description[0] = 1;
    return 1;
}

static inline enum haul_status fake_bind(struct link *link, const uint8_t *description,
                                         size_t size_bytes, struct haul_error *error)
{
    (void)link;
    (void)description;
    (void)size_bytes;
    return bind_status == HAUL_OK ? HAUL_OK
                                  : haul_error_set(error, bind_status, NULL, 0, "not to be bound");
}

static inline size_t fake_poll(struct link *link, struct link_event *events, size_t capacity)
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
    if (refusal != HAUL_OK) {
        static struct haul_error refused;
        (void)haul_error_set(&refused, refusal, NULL, 0, "refused");
        fake->base.refused = !fails_here;
        events[0] = (struct link_event){.type = LINK_CLOSED, .error = &refused};
        return 1;
    }
    events[0] = (struct link_event){.type = LINK_CONNECTED};
    static const struct haul_error orderly = {.status = HAUL_OK};
    events[1] = (struct link_event){.type = LINK_CLOSED, .error = &orderly};
    return closes_at_once ? 2 : 1;
}

static inline int fake_fd(const struct link *link)
{
    return ((const struct fake_link *)link)->fd;
}

static inline void fake_destroy(struct link *link)
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
                                     const struct link_config *config, struct link_tx *link,
                                     struct haul_error *error);
enum haul_status __wrap_link_connect(enum haul_transport transport,
                                     const struct link_address *address,
                                     const struct link_ticket *ticket,
                                     const struct link_config *config, struct link_tx *link,
                                     struct haul_error *error)
{
    (void)transport;
    (void)address;
    (void)ticket;
    if (failing_connects > 0) {
        failing_connects--;
        return haul_error_set(error, connect_status, NULL, 0, "not to be had");
    }
    check_or_stop(made_count < LINKS_MAX);
    struct fake_link *fake = &made[made_count++];
    *fake = (struct fake_link){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    fake->base = (struct link){.ops = &fake_ops,
                               .config = *config,
                               .sending = true,
                               .slot_count = BLOCKS,
                               .payload_size_bytes_max = BLOCK_BYTES - SLOT_HEADER_BYTES};
    fake->base.config.options.slot_size_bytes = BLOCK_BYTES;
    link->base = &fake->base;
    return HAUL_OK;
}

/* --- a source's links ------------------------------------------------------------------------- */

static inline uint64_t stand_still(void *context)
{
    (void)context;
    return now;
}

static const struct haul_clock still_clock = {.now_ns = stand_still};

static inline void reset_fakes(void)
{
    made_count = 0;
    submitted_count = 0;
    closes_at_once = false;
    refusal = HAUL_OK;
    fails_here = false;
    has_credit = true;
    credit_comes = false;
    done = NULL;
    failing_connects = 0;
    bind_status = HAUL_OK;
    now = NS_PER_S;
}

static const struct attempt_keys plain; /* of a connection without a key */

/* A target that accepts TCP, and RDMA if the flag is set. */
static inline void open_links(bool rdma_offered)
{
    static haul_control_TransportOffer offers[] = {{.transport = HAUL_TRANSPORT_VERBS},
                                                   {.transport = HAUL_TRANSPORT_TCP}};
    const struct link_ticket ticket = {.index = 0};
    (void)snprintf(offers[0].refusal, sizeof(offers[0].refusal), "%s",
                   rdma_offered ? "" : "it has no card");
    sender_links_open(&links, &ticket, &plain, offers, CHECK_COUNT(offers));
}

/* Links that are not opened yet, and blocks for all their slots. */
static inline void make_links(uint32_t link_count, uint32_t slot_count,
                              struct haul_transport_list transports)
{
    reset_fakes();
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    check_or_stop(outbox_init(&outbox, link_count * slot_count, BLOCK_BYTES, 1, NULL) == HAUL_OK);
    const struct sender_links_options options = {
        .transports = transports,
        .config = {.options = {.slot_count = slot_count, .slot_size_bytes = BLOCK_BYTES}},
        .link_count = link_count,
        .batch_bytes_min = 1024,
        .batch_bytes_max = BLOCK_BYTES,
        .clock = &clock_monotonic,
        .group = group,
        .log = &kept_log,
    };
    check_or_stop(sender_links_init(&links, &options, &outbox) == HAUL_OK);
}

static inline void begin(void)
{
    make_links(1, BLOCKS, (struct haul_transport_list){{HAUL_TRANSPORT_NONE}});
    open_links(true);
}

/* The peer's description of the link of this attempt. */
static inline void describe(void)
{
    haul_control_LinkDescription description = {.transport = (uint32_t)links.transport};
    description.description.size = 1;
    sender_links_describe(&links, &description);
}

static inline void begin_up(void)
{
    struct message message;
    begin();
    (void)sender_links_poll(&links);
    describe();
    check_or_stop(sender_links_next_message(&links, &message));
    check_or_stop(links.state == SENDER_LINKS_UP);
}

static inline void end(void)
{
    sender_links_fini(&links);
    outbox_fini(&outbox);
    poll_group_destroy(group);
    for (unsigned i = 0; i < made_count; i++) {
        check(made[i].destroyed);
    }
}

static inline void emit(enum slot_kind kind, uint32_t flags)
{
    struct block *block;
    check_or_stop(outbox_acquire(&outbox, &block) == HAUL_OK);
    block->header.kind = (uint8_t)kind;
    block->header.flags = flags;
    block->header.payload_size_bytes = 100;
    block->header.raw_size_bytes = 100;
    check_or_stop(outbox_emit(&outbox, block) == HAUL_OK);
}

/* The pool wants its blocks back before it is destroyed, but the fakes never complete one. */
static inline void end_with_blocks(void)
{
    outbox_close(&outbox);
    end();
}

/* Links that are not open yet, at most `link_count`. */
static inline void begin_closed(const struct haul_transport_list *transports, uint32_t link_count,
                                uint64_t rate)
{
    reset_fakes();
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    check_or_stop(outbox_init(&outbox, BLOCKS, BLOCK_BYTES, 1, NULL) == HAUL_OK);
    const struct sender_links_options options = {
        .transports = *transports,
        .config = {.options = {.slot_count = BLOCKS / link_count, .slot_size_bytes = BLOCK_BYTES}},
        .link_count = link_count,
        .batch_bytes_min = 1024,
        .batch_bytes_max = BLOCK_BYTES,
        .rate_bytes_per_second = rate,
        .clock = &still_clock,
        .group = group,
        .log = &kept_log,
    };
    check_or_stop(sender_links_init(&links, &options, &outbox) == HAUL_OK);
}

static inline void describe_link(enum haul_transport transport, uint32_t index)
{
    haul_control_LinkDescription description = {.index = index, .transport = (uint32_t)transport};
    description.description.size = 1;
    sender_links_describe(&links, &description);
}

static const struct haul_transport_list tcp_only = {{HAUL_TRANSPORT_TCP}};

static inline void begin_up_with(uint64_t rate)
{
    struct message message;
    begin_closed(&tcp_only, 1, rate);
    open_links(false);
    (void)sender_links_poll(&links);
    describe_link(HAUL_TRANSPORT_TCP, 0);
    check_or_stop(sender_links_next_message(&links, &message));
    check_or_stop(links.state == SENDER_LINKS_UP);
}

#endif
