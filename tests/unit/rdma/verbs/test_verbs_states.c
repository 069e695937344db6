/* SPDX-License-Identifier: Apache-2.0 */
/* test_verbs_states.c — everything that can happen to a verbs link, in every state. Whatever
 * happens: each block comes back once, CLOSED comes once and last, and no object of the device is
 * left. */
#include "verbs_fixture.h"
#include "verbs_sender.h"

enum { BLOCK_COUNT = 2, IMMEDIATE_TYPES = 16, BLOCK_PAYLOAD_BYTES = 100 };

static unsigned submitted;
static unsigned returned;
static unsigned closed;

/* --- states ----------------------------------------------------------------------------------- */

static void connect_to(unsigned steps)
{
    static const enum rdma_cm_event_type way[] = {RDMA_CM_EVENT_ADDR_RESOLVED,
                                                  RDMA_CM_EVENT_ROUTE_RESOLVED};
    fixture_begin();
    check_or_stop(fixture_connect(NULL) == HAUL_OK);
    for (unsigned i = 0; i < steps; i++) {
        check_or_stop(fixture_step(way[i]) == 0);
    }
}

static void resolving_address(void)
{
    connect_to(0);
}

static void resolving_route(void)
{
    connect_to(1);
}

static void connecting(void)
{
    connect_to(2);
}

static void accepting(void)
{
    fixture_begin();
    check_or_stop(fixture_accept(NULL) == HAUL_OK);
}

static void unbound_sender(void)
{
    connect_to(2);
    check_or_stop(fixture_step(RDMA_CM_EVENT_CONNECT_RESPONSE) == 1);
}

static void sender_with_blocks(void)
{
    fixture_open_sender();
    for (unsigned i = 0; i < BLOCK_COUNT; i++) {
        struct block *block;
        check_or_stop(block_pool_acquire(link_pool((struct link_tx){tested}), 0, &block) ==
                      HAUL_OK);
        block->header.payload_size_bytes = BLOCK_PAYLOAD_BYTES;
        check_or_stop(link_submit((struct link_tx){tested}, block) == HAUL_OK);
        submitted++;
    }
}

static void closing_sender(void)
{
    fixture_open_sender();
    link_close(tested);
}

static void closing_receiver(void)
{
    fixture_open_receiver();
    link_close(tested);
}

static void failed_sender(void)
{
    sender_with_blocks();
    fake_cm(RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
    (void)link_arm(tested);
}

static void (*const states[])(void) = {
    resolving_address,     resolving_route,     connecting,         accepting,
    unbound_sender,        fixture_open_sender, sender_with_blocks, fixture_open_unbound_receiver,
    fixture_open_receiver, closing_sender,      closing_receiver,   failed_sender,
};

static void enter(size_t state)
{
    submitted = 0;
    returned = 0;
    closed = 0;
    states[state]();
}

/* --- whatever comes --------------------------------------------------------------------------- */

static void take_events(void)
{
    size_t count = 0;
    while ((count = fixture_wake()) > 0) {
        for (size_t i = 0; i < count; i++) {
            check_equal(closed, 0);
            closed += events[i].type == LINK_CLOSED;
            if (events[i].type == LINK_DONE) {
                returned++;
                block_pool_release(link_pool((struct link_tx){tested}), events[i].block);
            } else if (events[i].type == LINK_RECEIVED) {
                link_release((struct link_rx){tested}, events[i].block);
            }
        }
    }
}

/* A link that has ended accepts nothing. */
static void check_refusals(void)
{
    uint8_t description[LINK_DESCRIPTION_BYTES_MAX] = {0};
    struct haul_error error;
    check_equal(link_describe(tested, description), 0);
    if (!link_is_bound(tested)) {
        check_status(link_bind(tested, description, sizeof(description), &error), HAUL_CLOSED);
    }
    check_equal(fixture_poll(), 0);
    link_close(tested);
    check_equal(fixture_poll(), 0);
}

/* The link is closed, and the peer never answers. */
static void end(void)
{
    take_events();
    link_close(tested);
    for (int i = 0; i < 3 && closed == 0; i++) {
        take_events();
        fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
    }
    check_equal(closed, 1);
    check_equal(returned, submitted);
    check_refusals();
    fixture_end();
}

static void test_link_poll__every_cm_event_in_every_state__ends_once(void)
{
    enum { STALE_CONNECTION = 10 };
    static const int codes[] = {0, -ETIMEDOUT, -ENODEV, -EADDRINUSE, STALE_CONNECTION};
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (int type = RDMA_CM_EVENT_ADDR_RESOLVED; type <= RDMA_CM_EVENT_TIMEWAIT_EXIT; type++) {
            for (size_t i = 0; i < CHECK_COUNT(codes); i++) {
                enter(state);
                fake_cm((enum rdma_cm_event_type)type, codes[i]);
                end();
            }
        }
    }
}

static void test_link_poll__every_device_event_in_every_state__ends_once(void)
{
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (int type = IBV_EVENT_CQ_ERR; type <= IBV_EVENT_WQ_FATAL; type++) {
            enter(state);
            if (fake.context != NULL) {
                fake_async((enum ibv_event_type)type);
            }
            end();
        }
    }
}

static void test_link_poll__writes_end_with_every_status__ends_once(void)
{
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (int status = IBV_WC_SUCCESS; status <= IBV_WC_GENERAL_ERR; status++) {
            enter(state);
            if (fake.writes_done < fake.write_count) {
                fake_complete_write((enum ibv_wc_status)status);
            }
            end();
        }
    }
}

/* Valid and invalid ones. */
static void test_link_poll__every_immediate_in_every_state__ends_once(void)
{
    static const uint32_t sizes[] = {0, CREDIT_FRAME_BYTES, SLOT_HEADER_BYTES, SLOT_BYTES + 1};
    static const uint64_t sequences[] = {0, 1, FIRST_SEQUENCE, FIRST_SEQUENCE + 1};
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (unsigned i = 0; i < IMMEDIATE_TYPES * CHECK_COUNT(sequences); i++) {
            for (size_t size = 0; size < CHECK_COUNT(sizes); size++) {
                enter(state);
                if (fake.receives_done < fake.receive_count) {
                    uint32_t type = i % IMMEDIATE_TYPES;
                    uint64_t sequence = sequences[i / IMMEDIATE_TYPES];
                    fake_arrive(type << 28 | (uint32_t)(sequence & IMM_SEQUENCE_MASK), sizes[size]);
                }
                end();
            }
        }
    }
}

/* Writes that are never acknowledged, and then some that are. */
static void test_link_poll__writes_stall__timeout_unless_they_go_on(void)
{
    for (int goes_on = 0; goes_on < 2; goes_on++) {
        enter(6); /* sender_with_blocks */
        check(link_arm(tested));
        check(link_deadline_ns(tested) <= ticking.now_ns + (uint64_t)PEER_TIMEOUT_MS * NS_PER_MS);
        if (goes_on != 0) {
            fake_complete_write(IBV_WC_SUCCESS);
            take_events();
        }
        fake_clock_advance_ms(&ticking, PEER_TIMEOUT_MS);
        take_events();
        check_equal(closed, goes_on == 0);
        end();
    }
}

static void test_link_close__in_every_state__twice_is_once(void)
{
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        enter(state);
        link_close(tested);
        link_close(tested);
        end();
    }
}

static void test_link_destroy__in_every_state__nothing_left(void)
{
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        enter(state);
        fixture_end();
    }
}

/* The peer does its next step. */
static void go_on(void)
{
    static const enum rdma_cm_event_type way[] = {
        RDMA_CM_EVENT_ADDR_RESOLVED, RDMA_CM_EVENT_ROUTE_RESOLVED, RDMA_CM_EVENT_CONNECT_RESPONSE,
        RDMA_CM_EVENT_ESTABLISHED, RDMA_CM_EVENT_DISCONNECTED};
    for (size_t i = 0; i < CHECK_COUNT(way); i++) {
        if (fake.id != NULL && fake.id->channel != NULL) {
            fake_cm(way[i], 0);
        }
        take_events();
    }
}

/* Each call that a poll makes on the way to the end. */
static void test_link_poll__nth_call_fails_in_every_state__ends_once(void)
{
    enum { CALLS_MAX = 40 };
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (unsigned n = 1; n < CALLS_MAX; n++) {
            enter(state);
            fake.fail_at = fake.call_count + n;
            go_on();
            end();
        }
    }
}

/* --- a device that is taken away -------------------------------------------------------------- */

static unsigned warnings;
static char warning[HAUL_LOG_LINE_BYTES_MAX];

static void note_warning(void *context, enum haul_log_level level, const char *line)
{
    (void)context;
    if (level == HAUL_LOG_WARNING) {
        warnings++;
        (void)snprintf(warning, sizeof(warning), "%s", line);
    }
}

static void bring_fatal(void)
{
    if (fake.context != NULL) {
        fake_async(IBV_EVENT_DEVICE_FATAL);
    } else {
        fake_cm(RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
    }
}

static void bring_removal(void)
{
    fake_cm(RDMA_CM_EVENT_DEVICE_REMOVAL, 0);
}

static void (*const losses[])(void) = {bring_fatal, bring_removal};

/* Nothing that was posted completes, and no object can be destroyed: the link ends at once, not
 * after the time for draining. */
static void test_link_poll__device_is_taken_away_in_every_state__ends_at_once(void)
{
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (size_t i = 0; i < CHECK_COUNT(losses); i++) {
            enter(state);
            fake.release_fails_from = 1;
            losses[i]();
            take_events();
            check_equal(closed, 1);
            check_equal(returned, submitted);
            end();
        }
    }
}

/* The device is removed while the link destroys its objects. */
static void test_link_destroy__nth_object_is_not_taken_back_in_every_state__nothing_left(void)
{
    enum { OBJECTS_MAX = 10 };
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (unsigned n = 1; n < OBJECTS_MAX; n++) {
            enter(state);
            fake.release_fails_from = n;
            fixture_end();
            enter(state);
            fake.release_fails_from = n;
            end();
        }
    }
}

static void test_link_poll__device_is_taken_away__one_warning_names_call_and_cause(void)
{
    static const struct haul_log log = {.write = note_warning, .level_max = HAUL_LOG_WARNING};
    warnings = 0;
    enter(6); /* sender_with_blocks */
    tested->config.log = &log;
    fake.release_fails_from = 1;
    bring_removal();
    take_events();
    check_equal(warnings, 1);
    check(strstr(warning, "ibv_destroy_qp: Input/output error") != NULL);
    check(strstr(warning, "10.1.2.3:4") != NULL);
    end();
    check_equal(warnings, 1);
}

/* --- completions of nothing that was posted --------------------------------------------------- */

/* A device that returns the newest request's number with another kind, or with an unknown one. */
static void test_link_poll__completion_of_a_kind_never_posted__ends_once(void)
{
    enum { KINDS = 8 };
    for (size_t state = 0; state < CHECK_COUNT(states); state++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            for (uint32_t index = 0; index < 3; index++) {
                enter(state);
                if (fake.qp != NULL) {
                    uint64_t id =
                        verbs_work_id((enum verbs_work_kind)kind, fake.writes_done, index);
                    fake_push_completion((struct ibv_wc){.wr_id = id, .status = IBV_WC_SUCCESS});
                }
                end();
            }
        }
    }
}

/* A poll that finds news returns at once; without any the loop may sleep. */
static void test_verbs_sender_has_news__returned_and_freed__only_what_is_to_be_returned(void)
{
    static const struct {
        uint64_t returned;
        uint64_t freed;
        uint64_t completed;
        bool advanced;
        bool expected;
    } cases[] = {{1, 1, 1, false, false},
                 {1, 1, 2, false, false},
                 {1, 2, 1, false, false},
                 {1, 2, 2, false, true},
                 {1, 1, 1, true, true}};
    for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
        const struct verbs_sender sender = {.returned = cases[i].returned,
                                            .credit = {.freed = cases[i].freed},
                                            .completed = cases[i].completed,
                                            .advanced = cases[i].advanced};
        check_equal(verbs_sender_has_news(&sender), cases[i].expected);
    }
}

static const struct check_test tests[] = {
    CHECK_TEST(test_verbs_sender_has_news__returned_and_freed__only_what_is_to_be_returned),
    CHECK_TEST(test_link_poll__every_cm_event_in_every_state__ends_once),
    CHECK_TEST(test_link_poll__every_device_event_in_every_state__ends_once),
    CHECK_TEST(test_link_poll__writes_end_with_every_status__ends_once),
    CHECK_TEST(test_link_poll__every_immediate_in_every_state__ends_once),
    CHECK_TEST(test_link_poll__writes_stall__timeout_unless_they_go_on),
    CHECK_TEST(test_link_close__in_every_state__twice_is_once),
    CHECK_TEST(test_link_destroy__in_every_state__nothing_left),
    CHECK_TEST(test_link_poll__nth_call_fails_in_every_state__ends_once),
    CHECK_TEST(test_link_poll__device_is_taken_away_in_every_state__ends_at_once),
    CHECK_TEST(test_link_destroy__nth_object_is_not_taken_back_in_every_state__nothing_left),
    CHECK_TEST(test_link_poll__device_is_taken_away__one_warning_names_call_and_cause),
    CHECK_TEST(test_link_poll__completion_of_a_kind_never_posted__ends_once),
};

CHECK_MAIN("verbs_states", tests)
