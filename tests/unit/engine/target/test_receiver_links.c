/* SPDX-License-Identifier: Apache-2.0 */
/* test_receiver_links.c — what a target does with its data links. Links, listeners and appliers are
 * fakes. */
#include "receiver_links.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "link_ops.h"

enum { FAKES_MAX = RECEIVER_LINK_COUNT_MAX + 2, SESSION_LINKS = 3 };

struct fake_link {
    struct link base;
    int fd;
    bool closing; /* CLOSED comes at the next poll */
    bool destroyed;
    unsigned released;
    uint64_t applied;
    size_t event_count;
    struct link_event events[4];
};

static struct fake_link made[FAKES_MAX];
static unsigned made_count;
static enum haul_status accept_status;
static enum haul_status bind_status;
static uint8_t bound_to; /* first byte of the last description */
static enum haul_status rejected;
static unsigned taken; /* by the applier */
static char said[HAUL_LOG_LINE_BYTES_MAX];
static struct poll_group *group;
static struct receiver_links links;
static struct haul_error failed;
static const struct haul_error orderly = {.status = HAUL_OK};
static struct block block;

/* --- the fakes -------------------------------------------------------------------------------- */

static struct fake_link *fake_of(struct link *link)
{
    return (struct fake_link *)link;
}

static size_t fake_describe(const struct link *link, uint8_t *description)
{
    description[0] = (uint8_t)((const struct fake_link *)link)->fd;
    return 1;
}

static enum haul_status fake_bind(struct link *link, const uint8_t *description, size_t size_bytes,
                                  struct haul_error *error)
{
    (void)link;
    check_equal(size_bytes, 1);
    bound_to = description[0];
    return bind_status == HAUL_OK ? HAUL_OK
                                  : haul_error_set(error, bind_status, NULL, 0, "not to be bound");
}

static size_t fake_poll(struct link *link, struct link_event *events, size_t capacity)
{
    struct fake_link *fake = fake_of(link);
    size_t count = fake->event_count;
    check_or_stop(count < capacity);
    memcpy(events, fake->events, count * sizeof(*events));
    fake->event_count = 0;
    if (fake->closing) {
        events[count++] = (struct link_event){.type = LINK_CLOSED, .error = &orderly};
    }
    return count;
}

static void fake_release(struct link *link, struct block *released)
{
    check(released == &block);
    fake_of(link)->released++;
}

static void fake_note_applied(struct link *link, uint64_t count)
{
    fake_of(link)->applied += count;
}

static int fake_fd(const struct link *link)
{
    return ((const struct fake_link *)link)->fd;
}

static void fake_close(struct link *link)
{
    fake_of(link)->closing = true;
}

static void fake_destroy(struct link *link)
{
    check(!fake_of(link)->destroyed);
    (void)close(fake_of(link)->fd);
    fake_of(link)->destroyed = true;
}

static const struct link_ops fake_ops = {
    .transport = HAUL_TRANSPORT_TCP,
    .describe = fake_describe,
    .bind = fake_bind,
    .poll = fake_poll,
    .release = fake_release,
    .note_applied = fake_note_applied,
    .fd = fake_fd,
    .close = fake_close,
    .destroy = fake_destroy,
};

static enum haul_status accept_fake(struct link_rx *link, struct haul_error *error)
{
    if (accept_status != HAUL_OK) {
        return haul_error_set(error, accept_status, NULL, 0, "the peer has left");
    }
    check_or_stop(made_count < FAKES_MAX);
    struct fake_link *fake = &made[made_count++];
    *fake = (struct fake_link){.base = {.ops = &fake_ops},
                               .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    link->base = &fake->base;
    return HAUL_OK;
}

enum haul_status __wrap_listener_accept(struct listener *listener, struct link_incoming *incoming,
                                        const struct link_config *config, struct link_rx *link,
                                        struct haul_error *error);
enum haul_status __wrap_listener_accept(struct listener *listener, struct link_incoming *incoming,
                                        const struct link_config *config, struct link_rx *link,
                                        struct haul_error *error)
{
    (void)listener;
    (void)incoming;
    check_equal(config->epoch, 7);
    return accept_fake(link, error);
}

void __wrap_listener_reject(struct listener *listener, struct link_incoming *incoming,
                            enum haul_status reason);
void __wrap_listener_reject(struct listener *listener, struct link_incoming *incoming,
                            enum haul_status reason)
{
    (void)incoming;
    check(listener != NULL);
    rejected = reason;
}

void __wrap_applier_take(struct applier *applier, struct link *link, struct block *got);
void __wrap_applier_take(struct applier *applier, struct link *link, struct block *got)
{
    (void)applier;
    (void)link;
    check(got == &block);
    taken++;
}

/* --- a target's links ------------------------------------------------------------------------- */

static void take_line(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    check_equal(level, HAUL_LOG_WARNING);
    (void)snprintf(said, sizeof(said), "%s", line);
}

static const struct haul_log log_sink = {.write = take_line, .level_max = HAUL_LOG_DEBUG};

static void begin(void)
{
    const struct link_config config = {.epoch = 7};
    made_count = taken = 0;
    accept_status = bind_status = rejected = HAUL_OK;
    bound_to = 0;
    said[0] = '\0';
    block = (struct block){.state = BLOCK_LENT};
    failed = (struct haul_error){.status = HAUL_OK};
    check_or_stop(poll_group_create(0, &clock_monotonic, &group) == HAUL_OK);
    receiver_links_init(&links, group, &config, &log_sink);
}

/* Whatever the test did: nothing is left, and the group again has all its places. */
static void end(void)
{
    receiver_links_forget_lent(&links);
    receiver_links_fini(&links);
    for (unsigned i = 0; i < made_count; i++) {
        check(made[i].destroyed);
    }
    int fds[POLL_GROUP_MEMBERS_MAX];
    for (int i = 0; i < POLL_GROUP_MEMBERS_MAX; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC);
        check_status(poll_group_add_fd(group, fds[i]), HAUL_OK);
    }
    for (int i = 0; i < POLL_GROUP_MEMBERS_MAX; i++) {
        poll_group_remove_fd(group, fds[i]);
        (void)close(fds[i]);
    }
    poll_group_destroy(group);
}

static void admit(uint32_t index)
{
    static char somebody;
    static const struct frame_key no_key;
    struct link_incoming incoming = {.ticket = {.index = index}};
    receiver_links_admit(&links, (struct listener *)(void *)&somebody, &incoming, &no_key);
}

static bool poll_once(bool applies)
{
    static char somebody;
    return receiver_links_poll(&links, applies ? (struct applier *)(void *)&somebody : NULL,
                               &failed);
}

static void happen(unsigned number, enum link_event_type type)
{
    struct fake_link *fake = &made[number];
    fake->events[fake->event_count++] =
        (struct link_event){.type = type, .block = &block, .error = &orderly};
}

static void describe(uint32_t index, uint8_t byte)
{
    haul_control_LinkDescription description = {.index = index, .transport = HAUL_TRANSPORT_TCP};
    description.description.size = 1;
    description.description.bytes[0] = byte;
    receiver_links_describe(&links, &description);
}

/* One link, connected and bound, with one block that it has received. */
static void begin_receiving(void)
{
    begin();
    admit(0);
    happen(0, LINK_CONNECTED);
    describe(0, 9);
    happen(0, LINK_RECEIVED);
    check(poll_once(true));
    check_equal(taken, 1);
}

/* --- admitting -------------------------------------------------------------------------------- */

static void test_receiver_links_admit__place_is_taken__the_older_one_closes(void)
{
    begin();
    admit(link_index(0, 0));
    admit(link_index(0, 1));
    admit(link_index(1, 1));
    check(!made[0].closing && made[1].closing && !made[2].closing);
    check(poll_once(true));
    check(made[1].destroyed && !made[0].destroyed && !made[2].destroyed);
    check_equal(links.transport, HAUL_TRANSPORT_TCP);
    end();
}

static void test_receiver_links_admit__no_entry_is_free__busy(void)
{
    begin();
    for (uint32_t i = 0; i < RECEIVER_LINK_COUNT_MAX; i++) {
        admit(i);
    }
    check_equal(made_count, RECEIVER_LINK_COUNT_MAX);
    check_status(rejected, HAUL_OK);
    admit(RECEIVER_LINK_COUNT_MAX);
    check_status(rejected, HAUL_BUSY);
    check_equal(made_count, RECEIVER_LINK_COUNT_MAX);
    check(strstr(said, "data link 32 not accepted") != NULL);
    end();
}

static void test_receiver_links_admit__peer_has_left__said_and_the_entry_stays_free(void)
{
    begin();
    accept_status = HAUL_UNREACHABLE;
    admit(link_index(3, 2));
    check(strstr(said, "data link 2 not accepted") != NULL);
    check(strstr(said, "the peer has left") != NULL);
    accept_status = HAUL_OK;
    admit(link_index(3, 2));
    check_equal(made_count, 1);
    check(links.links[0].rx.base == &made[0].base);
    check_equal(links.links[0].index, link_index(3, 2));
    end();
}

static void test_receiver_links_admit__group_is_full__link_is_destroyed(void)
{
    int fds[POLL_GROUP_MEMBERS_MAX];
    begin();
    for (int i = 0; i < POLL_GROUP_MEMBERS_MAX; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC);
        check_or_stop(poll_group_add_fd(group, fds[i]) == HAUL_OK);
    }
    admit(0);
    check(made_count == 1 && made[0].destroyed);
    check(links.links[0].rx.base == NULL && said[0] != '\0');
    for (int i = 0; i < POLL_GROUP_MEMBERS_MAX; i++) {
        poll_group_remove_fd(group, fds[i]);
        (void)close(fds[i]);
    }
    end();
}

/* --- binding ---------------------------------------------------------------------------------- */

static void test_receiver_links_describe__before_it_is_connected__bound_then(void)
{
    begin();
    admit(0);
    describe(0, 5);
    check(!made[0].base.bound && !links.any_bound);
    describe(0, 6); /* the first one counts */
    happen(0, LINK_CONNECTED);
    check(poll_once(true));
    check(made[0].base.bound && links.any_bound);
    check_equal(bound_to, 5);
    end();
}

static void test_receiver_links_describe__of_another_attempt_or_transport__passed_over(void)
{
    begin();
    admit(link_index(1, 0));
    happen(0, LINK_CONNECTED);
    check(poll_once(true));
    describe(link_index(0, 0), 5);
    haul_control_LinkDescription description = {.index = link_index(1, 0),
                                                .transport = HAUL_TRANSPORT_VERBS};
    receiver_links_describe(&links, &description);
    check(!made[0].base.bound);
    describe(link_index(1, 0), 6);
    check(made[0].base.bound);
    describe(link_index(1, 0), 8); /* bound: a second time is too late */
    check_equal(bound_to, 6);
    end();
}

static void test_receiver_links_describe__bind_fails__closed_and_said(void)
{
    begin();
    admit(link_index(1, 4));
    happen(0, LINK_CONNECTED);
    check(poll_once(true));
    bind_status = HAUL_PROTOCOL;
    describe(link_index(1, 4), 5);
    check(made[0].closing && !links.any_bound);
    check(strstr(said, "data link 4: ") != NULL && strstr(said, "not to be bound") != NULL);
    end();
}

static void test_receiver_links_next_message__connected__once_for_each(void)
{
    struct message message;
    begin();
    for (uint32_t i = 0; i < SESSION_LINKS; i++) {
        admit(link_index(2, i));
    }
    check(!receiver_links_next_message(&links, &message));
    for (unsigned i = 1; i < SESSION_LINKS; i++) {
        happen(i, LINK_CONNECTED);
    }
    check(poll_once(true));
    for (uint32_t i = 1; i < SESSION_LINKS; i++) {
        check_or_stop(receiver_links_next_message(&links, &message));
        check_equal(message.type, MESSAGE_LINK);
        check_equal(message.as.link.index, link_index(2, i));
        check_equal(message.as.link.transport, HAUL_TRANSPORT_TCP);
        check_equal(message.as.link.description.size, 1);
        check_equal(message.as.link.description.bytes[0], (uint8_t)made[i].fd);
    }
    check(!receiver_links_next_message(&links, &message));
    end();
}

/* --- lending ---------------------------------------------------------------------------------- */

static void test_receiver_links_poll__nothing_happened__false(void)
{
    begin();
    check(!poll_once(true));
    admit(0);
    check(!poll_once(true));
    end();
}

static void test_receiver_links_poll__nobody_applies__released_unread(void)
{
    begin();
    admit(0);
    happen(0, LINK_RECEIVED);
    check(poll_once(false));
    check_equal(taken, 0);
    check_equal(made[0].released, 1);
    check_equal(receiver_links_unapplied(&links), 0);
    end();
}

/* The link goes when its block is free and its batch applied, whichever is first. */
static void test_receiver_links_poll__closed_while_a_block_is_lent__outlives_it(void)
{
    for (int first = 0; first < 2; first++) {
        begin_receiving();
        made[0].closing = true;
        check(poll_once(true));
        for (int i = 0; i < 2; i++) {
            check(!poll_once(true));
            check(!made[0].destroyed);
            if (i == first) {
                receiver_links_on_freed(&links, &made[0].base, &block);
            } else {
                receiver_links_on_applied(&links, &made[0].base);
            }
        }
        check_equal(made[0].released, 0); /* a closed link has no peer to inform */
        check_equal(made[0].applied, 0);
        check(!poll_once(true));
        check(made[0].destroyed);
        end();
    }
}

static void test_receiver_links_on_applied__open_link__told(void)
{
    begin_receiving();
    check_equal(receiver_links_unapplied(&links), 1);
    receiver_links_on_freed(&links, &made[0].base, &block);
    check_equal(made[0].released, 1);
    check_equal(receiver_links_unapplied(&links), 1);
    receiver_links_on_applied(&links, &made[0].base);
    check_equal(made[0].applied, 1);
    check_equal(receiver_links_unapplied(&links), 0);
    end();
}

static void test_receiver_links_forget_lent__closed_link__goes(void)
{
    begin_receiving();
    receiver_links_close(&links);
    check(poll_once(true));
    check(!made[0].destroyed);
    receiver_links_forget_lent(&links);
    check_equal(receiver_links_unapplied(&links), 0);
    (void)poll_once(true);
    check(made[0].destroyed);
    end();
}

/* Only a link over which blocks could come can fail a job. */
static void test_receiver_links_poll__link_breaks__told_when_it_was_bound(void)
{
    for (int bound = 0; bound < 2; bound++) {
        begin();
        admit(0);
        happen(0, LINK_CONNECTED);
        check(poll_once(true));
        if (bound) {
            describe(0, 5);
        }
        static const struct haul_error loss = {.status = HAUL_UNREACHABLE};
        made[0].events[0] = (struct link_event){.type = LINK_CLOSED, .error = &loss};
        made[0].event_count = 1;
        check(poll_once(true));
        check_status(failed.status, bound ? HAUL_UNREACHABLE : HAUL_OK);
        end();
    }
}

static void test_receiver_links_stats__links_that_are_gone__count_on(void)
{
    struct haul_link_stats stats;
    begin();
    admit(0);
    admit(1);
    made[0].base.stats = (struct haul_link_stats){.blocks_received = 3, .bytes_received = 30};
    made[1].base.stats = (struct haul_link_stats){.blocks_received = 4, .crc_errors = 1};
    made[0].closing = true;
    check(poll_once(true));
    check(made[0].destroyed);
    for (int i = 0; i < 2; i++) { /* asking changes nothing */
        receiver_links_stats(&links, &stats);
        check_equal(stats.blocks_received, 7);
        check_equal(stats.bytes_received, 30);
        check_equal(stats.crc_errors, 1);
    }
    end();
}

static const struct check_test tests[] = {
    CHECK_TEST(test_receiver_links_admit__place_is_taken__the_older_one_closes),
    CHECK_TEST(test_receiver_links_admit__no_entry_is_free__busy),
    CHECK_TEST(test_receiver_links_admit__peer_has_left__said_and_the_entry_stays_free),
    CHECK_TEST(test_receiver_links_admit__group_is_full__link_is_destroyed),
    CHECK_TEST(test_receiver_links_describe__before_it_is_connected__bound_then),
    CHECK_TEST(test_receiver_links_describe__of_another_attempt_or_transport__passed_over),
    CHECK_TEST(test_receiver_links_describe__bind_fails__closed_and_said),
    CHECK_TEST(test_receiver_links_next_message__connected__once_for_each),
    CHECK_TEST(test_receiver_links_poll__nothing_happened__false),
    CHECK_TEST(test_receiver_links_poll__nobody_applies__released_unread),
    CHECK_TEST(test_receiver_links_poll__closed_while_a_block_is_lent__outlives_it),
    CHECK_TEST(test_receiver_links_on_applied__open_link__told),
    CHECK_TEST(test_receiver_links_forget_lent__closed_link__goes),
    CHECK_TEST(test_receiver_links_poll__link_breaks__told_when_it_was_bound),
    CHECK_TEST(test_receiver_links_stats__links_that_are_gone__count_on),
};
CHECK_MAIN("receiver_links", tests)
